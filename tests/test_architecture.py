"""The house as it is drawn: five floors, three parties side by side, no arrow upward."""

import ast
import sys
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "pushlab"
PARTIES = {"appserver", "pushservice", "useragent"}
GROUND = {
    "errors", "filelock", "files", "journal", "reader", "settings", "text", "throwaway",
}  # fmt: skip

# What each part may import of pushlab, and of the libraries (None: whatever it needs).
TABLE = {
    "reader": (set(), set()),
    "errors": ({"errors", "reader"}, set()),
    "journal": (set(), set()),
    "settings": ({"errors"}, set()),
    "files": (set(), set()),
    "text": (set(), set()),
    "filelock": (set(), set()),
    "throwaway": ({"filelock"}, {"psutil"}),
    "fetch": ({"errors", "protocol"}, set()),
    "protocol": ({"protocol", "errors", "reader"}, {"cryptography"}),
    "server": ({"server", "errors", "settings", "text"}, {"tornado", "sqlalchemy", "psycopg"}),
    "pushservice.mailbox": ({"errors"}, set()),
    "appserver": ({"appserver", "protocol", "server"} | GROUND, None),
    "pushservice": ({"pushservice", "protocol", "server"} | GROUND, None),
    "useragent": ({"useragent", "protocol"} | GROUND, None),
    "lab": (
        {"lab", "classroom.classroom", "server", "protocol", "fetch"} | PARTIES | GROUND,
        {"segno", "psutil", "tornado"},
    ),
    "lab.jupyter": ({"errors", "settings", "fetch"}, {"jupyter_core"}),
    "lab.loop": ({"errors", "reader", "settings"}, set()),
    "lab.invitation": ({"reader"}, {"segno"}),
    "lab.network": ({"errors", "settings", "protocol", "fetch"}, {"psutil"}),
    "conformance": (
        {
            "conformance",
            "protocol",
            "appserver.keys",
            "pushservice.certificates",
            "pushservice.flavours",
            "useragent.process",
        }
        | GROUND,
        {"cryptography", "psutil", "tornado"},
    ),
    "classroom": (
        {"classroom", "appserver", "server", "protocol", "fetch", "lab.network"} | GROUND,
        {"sqlalchemy", "tornado"},
    ),
    "classroom.attempt": ({"classroom.exercises", "errors", "text"}, set()),
    "classroom.exercises": (set(), set()),
    "doctor": (
        {
            "doctor",
            "protocol",
            "fetch",
            "appserver.keys",
            "appserver.key_sources",
            "appserver.explain",
            "appserver.web.certificate",
            "lab.network",
            "useragent",
        }
        | GROUND,
        set(),
    ),
    "notebook.pictures": ({"notebook.pictures", "protocol", "journal", "text"}, set()),
    "notebook.checks": (
        {
            "notebook.checks",
            "classroom.attempt",
            "classroom.exercises",
            "protocol",
            "journal",
            "errors",
            "text",
        },
        set(),
    ),
    "notebook": (
        {
            "notebook",
            "lab",
            "classroom",
            "doctor",
            "conformance",
            "appserver",
            "useragent.base",
            "protocol",
        }
        | GROUND,
        {"ipywidgets", "IPython"},
    ),
    "cli": (
        {"cli", "lab", "doctor", "protocol", "fetch", "server.connections", "server.database_url"}
        | PARTIES
        | GROUND,
        set(),
    ),
    "cli.conformance": (
        {
            "cli",
            "conformance",
            "appserver.private_file",
            "lab.authority",
            "protocol",
            "pushservice.certificates",
        }
        | GROUND,
        set(),
    ),
    "cli.conformance_page": ({"conformance", "notebook.pictures", "protocol"} | GROUND, set()),
    "cli.jupyterlab": ({"cli.trust", "throwaway"}, {"jupyterlab"}),
    "cli.trust": (set(), {"nbformat"}),
    "__main__": ({"cli"}, set()),
    "testing": (
        {"testing", "lab.loop", "lab.browser", "appserver.keys", "pushservice", "useragent", "protocol"}
        | GROUND,
        {"pytest"},
    ),
}
# Within the application server: delivery knows nothing of broadcast, and nothing of the web.
WITHIN = {
    "appserver.explain": {"appserver.explain", "appserver.delivery.response"},
    "appserver.keys": {"appserver.private_file"},
    "appserver.key_sources": {"appserver.keys", "appserver.private_file"},
    "appserver.private_file": set(),
    "appserver.notification": set(),
    "appserver.store": set(),
    "appserver.quota": set(),
    "appserver.presence": {"appserver.delivery.egress"},
    "appserver.participants": {"appserver.store", "appserver.presence"},
    "appserver.delivery": {
        "appserver.delivery",
        "appserver.explain",
        "appserver.store",
        "appserver.keys",
        "appserver.participants",
    },
    "appserver.broadcast": {
        "appserver.broadcast",
        "appserver.delivery",
        "appserver.explain",
        "appserver.participants",
        "appserver.store",
        "appserver.keys",
    },
    "appserver.web": {
        "appserver.web",
        "appserver.delivery",
        "appserver.explain",
        "appserver.store",
        "appserver.participants",
    },
    "appserver.app": {"appserver"},
}
FLOORS = [
    GROUND,
    {"protocol", "server", "fetch"},
    PARTIES,
    {"lab", "doctor", "conformance", "classroom"},
    {"notebook", "cli", "testing", "__main__"},
]
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def part_of(module: str) -> str:
    """Return the row of the table for a module named without ``pushlab.``: the longest that fits."""
    names = module.split(".")
    for end in range(len(names), 0, -1):
        if (row := ".".join(names[:end])) in TABLE:
            return row
    raise AssertionError(f"{module} is not in the table: which floor does it live on?")


@cache
def imports_of(path: Path) -> tuple[set[str], set[str]]:
    """Return what a file imports: modules of pushlab, and top names of libraries."""
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


def prefixes(module: str) -> set[str]:
    """Return the names of a module and of each package around it."""
    names = module.split(".")
    return {".".join(names[:end]) for end in range(1, len(names) + 1)}


def test_imports_are_those_of_the_table():
    wrong = []
    for path in MODULES:
        may_import, may_use = TABLE[part_of(name_of(path))]
        ours, libraries = imports_of(path)
        wrong += [(name_of(path), module) for module in ours if not prefixes(module) & may_import]
        if may_use is not None:
            wrong += [(name_of(path), library) for library in libraries - may_use]
    assert not wrong, "these modules may not import these"


def test_within_the_application_server_delivery_knows_nothing_of_broadcast_and_of_the_web():
    wrong = []
    for path in (PACKAGE / "appserver").rglob("*.py"):
        names = name_of(path).split(".")
        if len(names) == 1:
            continue  # The package itself imports nothing.
        may_import = WITHIN[".".join(names[:2])]
        theirs = {module for module in imports_of(path)[0] if module.startswith("appserver.")}
        wrong += [(name_of(path), module) for module in theirs if not prefixes(module) & may_import]
    assert not wrong, "these modules may not import these"


def test_no_arrow_points_upward():
    floor = {part: number for number, parts in enumerate(FLOORS) for part in parts}
    for path in MODULES:
        here = name_of(path).split(".")[0]
        for module in imports_of(path)[0]:
            there = module.split(".")[0]
            assert floor[there] <= floor[here], f"{name_of(path)} imports {module} from above"


def test_protocol_has_no_clock_and_no_randomness():
    forbidden = {"time", "datetime", "random", "secrets", "os", "uuid"}
    for path in (PACKAGE / "protocol").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = {alias.name for alias in getattr(node, "names", ())}
            names |= {getattr(node, "module", None)} if isinstance(node, ast.ImportFrom) else set()
            if isinstance(node, ast.Import | ast.ImportFrom):
                assert not names & forbidden, f"{path.name} imports {names & forbidden}"
        assert "generate_private_key" not in path.read_text("utf-8"), path.name


def test_no_string_stands_alone_as_the_lost_end_of_a_sentence():
    """A text over two lines without parentheses ends at the first; Python drops the second silently.

    Docstrings, those of attributes too, have three quotes, and the end of such a text has one.
    """
    lost = []
    root = PACKAGE.parent
    tests = (path for path in (root / "tests").rglob("*.py") if "node_modules" not in path.parts)
    for path in [*PACKAGE.rglob("*.py"), *tests, root / "lab"]:
        source = path.read_text("utf-8")
        lines = source.splitlines()
        for node in ast.walk(ast.parse(source)):
            value = node.value if isinstance(node, ast.Expr) else None
            is_text = isinstance(value, ast.Constant) and isinstance(value.value, str | bytes)
            written = lines[node.lineno - 1].strip().lstrip("rRbBfFuU") if value else ""
            if (is_text or isinstance(value, ast.JoinedStr)) and not written.startswith('"""'):
                lost.append(f"{path.relative_to(root)}:{node.lineno}")
    assert not lost, "put parentheses around the whole text"


def test_the_table_has_no_row_for_a_module_that_is_gone():
    missing = [
        row for row in TABLE
        if not (PACKAGE / f"{row.replace('.', '/')}.py").is_file()
        and not (PACKAGE / row.replace(".", "/")).is_dir()
    ]  # fmt: skip
    assert not missing
