"""The exercises of the lessons as their sources have them: what a check gets, and the right answer."""

import ast
import builtins
from functools import cache
from typing import Any, NamedTuple

from pushlab import checks

from .lessons import LESSONS, NOTEBOOKS


class Exercise(NamedTuple):
    """A check of a lesson, and the lesson's own solutions, in the check's order."""

    name: str
    check: Any
    answers: tuple


@cache
def exercises() -> dict[str, Exercise]:
    """Return every exercise of every lesson, by the name of its check: ``keys.b64url``."""
    found = {}
    for lesson in LESSONS:
        cells = _cells(lesson)
        known = _definitions(cells)
        for cell in cells:
            if "check" not in cell.metadata.get("tags", []):
                continue
            for call in ast.walk(ast.parse(cell.source)):
                if isinstance(call, ast.Call) and ast.unparse(call.func).startswith("checks."):
                    _, module, name = ast.unparse(call.func).split(".")
                    answers = tuple(known[ast.unparse(argument)] for argument in call.args)
                    check = getattr(getattr(checks, module), name)
                    found[f"{module}.{name}"] = Exercise(f"{module}.{name}", check, answers)
    return found


def _cells(lesson: str) -> list:
    import jupytext  # which takes longer than most tests

    source = (NOTEBOOKS / "source" / f"{lesson}.py").read_text("utf-8")
    return [c for c in jupytext.reads(source, fmt="py:percent").cells if c.cell_type == "code"]


def _definitions(cells: list) -> dict[str, Any]:
    """Return a lesson's functions, with its imports and the values that they need; no lab is started."""
    flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    nodes = [node for cell in cells for node in compile(cell.source, "a cell", "exec", flags).body]
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    used = [one for function in functions for one in ast.walk(function)]
    needed = {one.id for one in used if isinstance(one, ast.Name)} - {"lab"}
    known: dict[str, Any] = {}
    own = {function.name for function in functions}
    for node in nodes:
        value = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in needed
        value = value and not own & {ast.unparse(one.func) for one in calls(node)}
        if value or isinstance(node, (ast.Import, ast.ImportFrom)) or node in functions:
            if _can_be_made(node, known):
                code = compile(ast.Module([node], []), "a cell", "exec")
                exec(code, known)  # noqa: S102 - the lessons' own source, as their notebooks run it
    return known


def calls(node: ast.AST) -> list[ast.Call]:
    return [one for one in ast.walk(node) if isinstance(one, ast.Call)]


def _can_be_made(node: ast.AST, known: dict[str, Any]) -> bool:
    """Say whether a statement can run now: it may need a value of the running lab."""
    made = [node]
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        made = [*node.args.defaults, *node.decorator_list]  # The rest is needed only when it is called.
    used = [one for part in made for one in ast.walk(part)]
    names = {one.id for one in used if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load)}
    return names <= known.keys() | vars(builtins).keys() and not any(
        isinstance(one, ast.Await) for one in used
    )
