"""In which order, and by which process, the tests run; and what ``--quick`` leaves out.

With ``-n`` (pytest-xdist) the tests are handed to worker processes in groups: a test module is one
group, or one group for each browser if its tests are parametrized with browsers. So what a module
starts for all of its tests is started once. The groups that take longest are begun first.
"""

import re
from collections import Counter
from collections.abc import Generator, Iterable
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

NEEDS = {
    "firefox_installed": 3.0,
    "chromium_installed": 3.0,
    "notebook_kernel": 10.0,
    "namespaces": 6.0,
    "programs": 4.0,
    "postgres_server": 1.0,
}
"""Who asks for one of these fixtures starts a browser, a kernel, a network of machines, PostgreSQL or
programs: a guess of the seconds that one test takes then."""

LEFT_OUT = "--quick leaves out browsers, kernels, networks and programs that run for seconds"

BROWSERS = ("firefox", "chromium", "virtual")
WORTH_A_GROUP = 5
"""As many tests of one module with one browser are a group of their own."""

MEASURED = "pushlab/seconds"
"""Where pytest's cache keeps the seconds of each test that took longer than LITTLE."""

LITTLE = 0.05
GUESS, GUESS_OF_A_CELL, GUESS_OF_PROGRAMS = 0.01, 0.4, 10.0
"""Seconds of another test, of a notebook's cell, and of a module that starts programs, as long as they
have not been measured on this machine."""


def groups_of(nodeids: Iterable[str]) -> dict[str, str]:
    """Return the group of each test: what one process runs in one go.

    >>> groups_of(["tests/test_cli.py::test_serve", "tests/test_cli.py::test_demo[firefox]"])
    {'tests/test_cli.py::test_serve': 'tests/test_cli.py', \
'tests/test_cli.py::test_demo[firefox]': 'tests/test_cli.py'}
    >>> set(groups_of(f"a.py::test_{n}[Firefox-{n}]" for n in range(WORTH_A_GROUP)).values())
    {'a.py[firefox]'}
    """
    parts = {nodeid: (nodeid.partition("::")[0], browser_in(nodeid)) for nodeid in nodeids}
    sizes = Counter(parts.values())
    return {
        nodeid: f"{path}[{browser}]" if browser and sizes[path, browser] >= WORTH_A_GROUP else path
        for nodeid, (path, browser) in parts.items()
    }


def browser_in(nodeid: str) -> str:
    """Return the browser that a test is parametrized with, in lower case, or nothing."""
    parameters = re.split(r"[\[\]-]", nodeid.partition("::")[2])[1:]
    return next((name.lower() for name in parameters if name.lower() in BROWSERS), "")


def needs(item: pytest.Item) -> bool:
    """Tell whether a test asks for what ``--quick`` leaves out, as far as its signature says."""
    return item.path.suffix == ".ipynb" or bool(NEEDS.keys() & fixtures_of(item))


def fixtures_of(item: pytest.Item) -> set[str]:
    return set(getattr(item, "fixturenames", ()))


def seconds(item: pytest.Item, measured: dict[str, float]) -> float:
    """Return how long a test took when it was last measured here, or a guess."""
    if item.path.suffix == ".ipynb":
        guess = GUESS_OF_A_CELL
    else:
        asked = NEEDS.keys() & fixtures_of(item)
        if (browser := f"{browser_in(item.nodeid)}_installed") in NEEDS:
            asked.add(browser)  # It is in no signature: a fixture asks for the one of its parameter.
        guess = max((NEEDS[name] for name in asked), default=GUESS)
    return measured.get(item.nodeid, guess)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):
        def __init__(self, config, log):
            super().__init__(config, log)
            self._groups: dict[str, str] = {}

        def _split_scope(self, nodeid: str) -> str:
            if not self._groups:  # All processes have collected the same tests.
                self._groups = groups_of(next(iter(self.registered_collections.values())))
            return self._groups[nodeid]

        def worker_of(self, nodeid: str) -> str:
            """Return the name of the process that has been given a test."""
            for node, groups in self.assigned_work.items():
                if nodeid in groups.get(self._split_scope(nodeid), ()):
                    return node.gateway.id
            return ""

    config.option.loadscopereorder = False  # The order of the collection stays.
    config.scheduler = Groups(config, log)
    return config.scheduler


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Let each process begin to collect at another place.

    In a new checkout it takes pytest ten seconds to rewrite the assertions of all modules, and it keeps
    what it has written. So each process finds most of that work done by the others.
    """
    config = session.config
    if worker := getattr(config, "workerinput", None):
        places = [place for argument in config.args for place in parts_of(argument)]
        first = len(places) * int(worker["workerid"].removeprefix("gw")) // worker["workercount"]
        config.args = places[first:] + places[:first]
    return (yield)


def parts_of(argument: str) -> list[str]:
    """Return what can be collected separately in the folder of all tests, or another argument alone.

    A smaller folder stays whole: its conftest.py may leave out a part, but not one that is named.
    """
    if Path(argument).absolute() != TESTS:
        return [argument]
    parts = sorted(Path(argument).glob("[!._]*"))
    return [str(path) for path in parts if path.match("test_*.py") or any(path.rglob("test_*.py"))]


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Generator[None, object, object]:
    several = hasattr(config, "workerinput")
    if several:  # Wherever each began, all have the same order before pytest orders by fixtures.
        items.sort(key=lambda item: str(item.path))
    result = yield
    if config.option.quick:
        left_out = [item for item in items if needs(item)]
        config.hook.pytest_deselected(items=left_out)
        config.left_out = len(left_out)
        items[:] = [item for item in items if not needs(item)]
    if several:  # In one process the order of the folders is easier to follow.
        longest_first(config, items)
    return result


def longest_first(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the groups that take longest at the beginning."""
    measured = config.cache.get(MEASURED, {}) if hasattr(config, "cache") else {}
    groups = groups_of(item.nodeid for item in items)
    whole: Counter[str] = Counter()
    for path in {item.path for item in items if item.nodeid not in measured}:
        if path.suffix == ".py" and "subprocess" in path.read_text("utf-8"):
            whole[path.relative_to(config.rootpath).as_posix()] += GUESS_OF_PROGRAMS
    for item in items:
        whole[groups[item.nodeid]] += seconds(item, measured)
    items.sort(key=lambda item: (-whole[groups[item.nodeid]], groups[item.nodeid]))


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["pushlab_left_out"] = getattr(session.config, "left_out", 0)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node) -> None:
    # Each process has collected all tests, and so has left out the same ones.
    node.config.left_out = getattr(node, "workeroutput", {}).get("pushlab_left_out", 0)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter):
    """Say in one line what ``--quick`` has left out, in place of a line for each file."""
    config = terminalreporter.config
    if not config.option.quick:
        return (yield)
    skipped = terminalreporter.stats.pop("skipped", [])
    others = [report for report in skipped if LEFT_OUT not in str(report.longrepr)]
    if others:
        terminalreporter.stats["skipped"] = others
    result = yield
    count = getattr(config, "left_out", 0) + len(skipped) - len(others)
    terminalreporter.write_line(f"{LEFT_OUT}: {count} of the tests. ./lab test runs them too.")
    return result
