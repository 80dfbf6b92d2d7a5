"""The files of the starter, an app to copy, as a cell shows them."""

import re
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]

LANGUAGES = {".js": "javascript", ".html": "html", ".py": "python", ".webmanifest": "json"}


class Code(str):
    """Source text of the file at ``path``. As the last line of a cell it is shown with colours."""

    __slots__ = ("language", "path")
    language: str
    path: Path

    def __repr__(self) -> str:
        return str(self)

    def _repr_markdown_(self) -> str:
        return f"```{self.language}\n{self}\n```"


def starter_folder() -> Path:
    """Return the starter's folder: inside an installed package, beside the lessons of a checkout."""
    installed = PACKAGE / "starter"
    return installed if installed.is_dir() else PACKAGE.parent / "notebooks" / "starter"


def starter_file(name: str, *parts: str) -> Code:
    """Return a file of the starter, or its parts that begin with these lines.

    A part ends before the next line that is not indented. Raises ValueError if there is no such part.

    >>> starter_file("sw.js", "async function open(").count("\\n")
    4
    """
    path = starter_folder() / name
    text = path.read_text("utf-8").rstrip()
    if parts:
        text = "\n\n".join(_part(text, begin) for begin in parts)
    code = Code(text)
    code.language, code.path = LANGUAGES[path.suffix], path
    return code


def _part(text: str, begin: str) -> str:
    line = rf"^{re.escape(begin)}.*"
    string = r'(?<==\s"{3})\n[^"]*"{3}'  # a text of several lines, such as an SQL schema
    block = r"(?:\n(?:[ \t].*|(?=\n)|[})\]].*))*"
    found = re.search(f"{line}(?:{string}|{block})", text, re.MULTILINE)
    if found is None:
        raise ValueError(f"the starter has no line that begins with {begin}")
    return found[0].rstrip()
