"""Trust the lessons: JupyterLab shows the pictures of a notebook only if this user trusts it.

Jupyter signs what its user has run, with a key of the user's. Nobody has run a lesson that has just
been downloaded, so its pictures are missing. ``./lab`` signs the notebooks of this project for the user
who starts it. It signs what we ship, and nothing else: ``notebooks/SHA256SUMS`` is written when the
notebooks are built, and a notebook that differs from it by one character is left as it is.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

SUMS = "SHA256SUMS"
"""The list in the folder of the notebooks: a digest and a name a line, as sha256sum writes them."""


def digest(content: bytes) -> str:
    """Return the SHA-256 of a notebook. Git may have changed how its lines end.

    >>> digest(b"{}\\r\\n") == digest(b"{}\\n")
    True
    """
    return hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest()


def as_shipped(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield the path and the text of each notebook that is as it was built."""
    try:
        lines = (folder / SUMS).read_text("utf-8").splitlines()
    except (OSError, ValueError):
        return
    for line in lines:
        listed, _, name = line.partition("  ")
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()):
            continue
        try:
            content = path.read_bytes()
        except OSError:
            continue  # The learner has deleted it, or it is not a file.
        if name and digest(content) == listed:
            yield path, content.decode("utf-8")


def trust(folder: Path) -> list[Path]:
    """Sign the notebooks of a folder that are as they were built; return those that are signed now."""
    from nbformat import reads
    from nbformat.sign import TrustNotebookApp

    app = TrustNotebookApp()
    app.load_config_file()  # The user may keep the signatures elsewhere.
    signed = []
    for path, text in as_shipped(folder):
        notebook = reads(text, as_version=4)
        if not app.notary.check_signature(notebook):
            app.notary.sign(notebook)
            signed.append(path)
    return signed
