"""The house as it is drawn: five floors, three parties side by side, no arrow upward, no circle."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "pushlab"
OURS = {"errors", "journal", "protocol", "appserver", "pushservice", "useragent"}

# What each part may import of pushlab, and of the libraries (None: whatever it needs).
TABLE = {
    "errors": ({"errors"}, set()),
    "journal": (set(), set()),
    "background": ({"errors", "settings"}, set()),
    "settings": ({"errors"}, set()),
    "localnet": ({"errors", "settings"}, set()),
    "proxy": ({"settings"}, {"jupyter_core"}),
    "protocol": ({"protocol", "errors"}, {"cryptography"}),
    "pushservice.mailbox": ({"errors"}, set()),
    "gate": ({"errors"}, {"tornado"}),
    "web": ({"errors", "gate"}, {"tornado"}),
    "database": ({"errors"}, {"sqlalchemy"}),
    "appserver": ({"appserver", "protocol", "errors", "journal", "web", "gate", "database"}, None),
    "pushservice": (
        {"pushservice", "protocol", "errors", "journal", "web", "gate", "database"}, None
    ),
    "useragent": ({"useragent", "protocol", "errors", "journal", "settings"}, None),
    "lab": (OURS - {"protocol"} | {"localnet", "background", "invitation", "labbrowser", "proxy", "settings"}, set()),
    "labbrowser": ({"localnet", "useragent", "errors"}, set()),
    "invitation": (set(), {"segno"}),
    "doctor": ({"doctor", "protocol", "appserver.keys", "useragent", "errors", "settings"}, set()),
    "notebook.svg": (set(), set()),
    "notebook.beside": ({"proxy"}, set()),
    "notebook.parts": (set(), {"ipywidgets"}),
    "notebook.charts": ({"notebook.svg"}, set()),
    "notebook.live": (set(), set()),
    "notebook.render": ({"journal", "notebook.svg"}, set()),
    "notebook.tables": ({"notebook.svg"}, set()),
    "notebook.bytemaps": ({"protocol", "notebook.svg", "notebook.tables"}, set()),
    "notebook.pictures": ({"protocol", "notebook.svg", "notebook.tables", "notebook.bytemaps"}, set()),
    "notebook.checks": ({"notebook.checks", "protocol", "journal", "errors"}, set()),
    "notebook": (OURS - {"pushservice"} | {"notebook", "lab", "labbrowser", "doctor", "invitation", "proxy", "settings"}, {"ipywidgets", "IPython"}),
    "join": ({"useragent", "errors", "localnet", "labbrowser", "settings"}, set()),
    "story": (OURS | {"lab", "labbrowser", "settings"}, set()),
    "cli": (OURS | {"lab", "doctor", "invitation", "join", "story", "settings"}, set()),
    "__main__": ({"cli"}, set()),
}
FLOORS = [
    {"errors", "journal", "settings", "localnet", "proxy", "background", "web", "gate", "database"},
    {"protocol"},
    {"appserver", "pushservice", "useragent"},
    {"lab", "labbrowser", "invitation", "doctor"},
    {"notebook", "join", "story", "cli", "__main__"},
]
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def part_of(module: str) -> str:
    """Return the row of the table for a module named without ``pushlab.``: the longest that fits."""
    names = module.split(".")
    for end in range(len(names), 0, -1):
        if (row := ".".join(names[:end])) in TABLE:
            return row
    raise AssertionError(f"{module} is not in the table: which floor does it live on?")


def imports_of(path: Path) -> tuple[set[str], set[str]]:
    """Return what a file imports: modules of pushlab, and top names of libraries."""
    import sys

    ours, libraries = set(), set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}:{node.lineno}: imports are absolute here"
            names = [node.module or ""]
            if (PACKAGE.parent / names[0].replace(".", "/")).is_dir():
                names = [f"{names[0]}.{alias.name}" for alias in node.names]
        for name in names:
            top = name.split(".")[0]
            if top == "pushlab":
                ours.add(name.removeprefix("pushlab").removeprefix("."))
            elif top not in sys.stdlib_module_names:
                libraries.add(top)
    return ours - {""}, libraries


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_are_those_of_the_table(path):
    may_import, may_use = TABLE[part_of(name_of(path))]
    ours, libraries = imports_of(path)
    for module in ours:
        names = module.split(".")
        prefixes = {".".join(names[:end]) for end in range(1, len(names) + 1)}
        assert prefixes & may_import, f"{name_of(path)} may not import pushlab.{module}"
    if may_use is not None:
        assert libraries <= may_use, f"{name_of(path)} may not use {libraries - may_use}"


def test_no_arrow_points_upward():
    floor = {part: number for number, parts in enumerate(FLOORS) for part in parts}
    for path in MODULES:
        here = name_of(path).split(".")[0]
        for module in imports_of(path)[0]:
            there = module.split(".")[0]
            assert floor[there] <= floor[here], f"{name_of(path)} imports {module} from above"


def test_protocol_has_no_clock_and_no_randomness():
    forbidden = {"time", "datetime", "random", "secrets", "os", "uuid"}
    for path in (PACKAGE / "protocol").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = {alias.name for alias in getattr(node, "names", ())}
            names |= {getattr(node, "module", None)} if isinstance(node, ast.ImportFrom) else set()
            if isinstance(node, ast.Import | ast.ImportFrom):
                assert not names & forbidden, f"{path.name} imports {names & forbidden}"
        assert "generate_private_key" not in path.read_text("utf-8"), path.name


def test_the_table_has_no_row_for_a_module_that_is_gone():
    missing = [
        row for row in TABLE
        if not (PACKAGE / f"{row.replace('.', '/')}.py").is_file()
        and not (PACKAGE / row.replace(".", "/")).is_dir()
        and row != "notebook.checks"  # arrives with the lessons
    ]  # fmt: skip
    assert not missing
