"""What every test may use. ``run/`` says how a run is organised."""

import asyncio
import gc
import os
import signal
import socket
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from pushlab import testing
from pushlab.settings import patience
from pushlab.testing import missing

from . import postgres
from .postgres import PostgresServer
from .run import artifacts as artifacts_of_a_run
from .run import chance, kernels, progress, schedule
from .run.ports import free_port, share


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--quick",
        action="store_true",
        help="leave out browsers, notebooks' kernels, networks, and programs that run for seconds",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    for plugin in (chance, schedule, kernels, artifacts_of_a_run):
        config.pluginmanager.register(plugin)
    if not config.pluginmanager.is_registered(testing):
        # Only an environment in which this version is installed loads it by itself.
        config.pluginmanager.register(testing)
    # A shell lets its background jobs ignore Ctrl-C, and so would each program that a test interrupts.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if worker := getattr(config, "workerinput", {}).get("workerid"):
        share(int(worker.removeprefix("gw")), config.workerinput["workercount"])
        # Each process has a folder of its own for labs, and for the history of kernels.
        for name in ("PUSHLAB_DATA", "IPYTHONDIR"):
            if folder := os.environ.get(name):
                own = Path(folder) / worker
                own.mkdir(parents=True, exist_ok=True)
                os.environ[name] = str(own)
    else:
        config.pluginmanager.register(progress.Progress(config))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep Python from looking for garbage among modules and tests, which stay until the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_sessionfinish() -> None:
    """Find what all modules shared and nobody has closed. pytest tells of it when it ends."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.suffix == ".ipynb":
            # By default nbval gives up when a kernel has been silent for 5 s, which happens under load.
            item.output_timeout = patience(60)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    """Start a lesson's kernel so patient that it never says what takes long: that is an output."""
    with pytest.MonkeyPatch.context() as kernel:
        if item.path.suffix == ".ipynb":
            kernel.setenv("PUSHLAB_PATIENCE", str(patience(10)))
        return (yield)


@pytest.fixture(scope="module", autouse=True)
def own_garbage() -> Iterator[None]:
    """Find what a module leaves open at the module's own end: garbage may be collected much later.

    It is set up before the module's other fixtures, and so it ends after all of them. What is in use
    then is looked at once more at the end of the run, and not after each of the modules between.
    """
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture
def run():
    """Run a coroutine to its end in a fresh loop, and fail if it seems to hang."""
    return partial(run_bounded, asyncio.run)


@pytest.fixture(scope="module")
def run_in_one_loop():
    """Do the same in one loop for all tests of a module: they share what is started in it."""
    with asyncio.Runner() as runner:
        yield partial(run_bounded, runner.run)


def run_bounded(runner: Callable, coroutine: Coroutine, timeout: float = 120):
    async def bounded():
        async with asyncio.timeout(patience(timeout)):
            return await coroutine

    return runner(bounded())


@pytest.fixture
def leaves_nothing():
    """Give a context manager: what its block has started, it has ended, threads and ports alike."""

    @contextmanager
    def watched():
        threads, ports = set(threading.enumerate()), listening()
        yield
        # A thread that has been told to end needs the processor once more.
        deadline = time.monotonic() + patience(5)
        while left := (set(threading.enumerate()) - threads) | (listening() - ports):
            assert time.monotonic() < deadline, left
            time.sleep(0.01)

    return watched


@pytest.fixture
def short_path():
    """Make a folder with a path that is short enough for the socket that Chromium has in it."""
    with tempfile.TemporaryDirectory(prefix="lab-") as folder:
        yield Path(folder)


def listening() -> set[int]:
    """Return the TCP ports at which this process listens."""
    found = set()
    for name in os.listdir("/dev/fd"):
        # The folder itself was open while it was listed, and other threads may close theirs.
        with suppress(OSError):
            if not stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                continue
            with socket.socket(fileno=os.dup(int(name))) as mine:
                inet = mine.family in (socket.AF_INET, socket.AF_INET6)
                if inet and mine.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                    found.add(mine.getsockname()[1])
    return found


@pytest.fixture(scope="session")
def artifacts(pytestconfig):
    """Give what keeps logs, journals and pictures when a test fails."""
    return pytestconfig.artifacts


# --- what is not on every machine, or takes long: --quick leaves out who asks for it -------------


@pytest.fixture(scope="session")
def firefox_installed(slow) -> str:
    """Give Firefox's path; without Firefox skip, or fail where PUSHLAB_REQUIRE_BROWSERS is set."""
    return found_or_missing("pushlab.useragent.firefox.browser")


@pytest.fixture(scope="session")
def chromium_installed(slow) -> str:
    """Give Chromium's path; without it skip, or fail where PUSHLAB_REQUIRE_BROWSERS is set."""
    return found_or_missing("pushlab.useragent.chromium.browser")


@pytest.fixture(scope="session")
def postgres_server(slow, artifacts) -> Iterator[PostgresServer]:
    """Give a running PostgreSQL; without it skip, or fail where PUSHLAB_REQUIRE_BROWSERS is set."""
    programs = postgres.find()
    if programs is None:
        missing("PostgreSQL is not installed here, or as root there is no user postgres to run it.")
    server = PostgresServer(programs, free_port())
    try:
        with artifacts.offer("postgresql.log", lambda: server.folder / "log"):
            yield server
    finally:
        server.close()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """Give SQLAlchemy's URL of an empty database in PostgreSQL."""
    with postgres_server.new_database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the URL of an empty database: a test that asks for it runs on both kinds."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'appserver.sqlite3'}"
    return request.getfixturevalue("postgres_url")


@pytest.fixture(scope="session")
def notebook_kernel(slow) -> None:
    """Say that a test runs a notebook."""


@pytest.fixture(scope="session")
def namespaces(slow) -> None:
    """Say that a test makes machines with networks of their own; skip or fail where none can be."""
    from .endtoend.network import why_not

    if reason := why_not():
        missing(reason)


@pytest.fixture(scope="session")
def programs(slow) -> None:
    """Say that a test runs whole programs for seconds: it ends or kills them, or measures them."""


@pytest.fixture(scope="session")
def slow(pytestconfig) -> None:
    """Skip in a quick run who asks for one of these only when it runs."""
    if pytestconfig.option.quick:
        pytest.skip(schedule.LEFT_OUT)


def found_or_missing(module: str) -> str:
    from importlib import import_module

    from pushlab.errors import BrowserNotFound

    try:
        return str(import_module(module).find())
    except BrowserNotFound as error:
        missing(str(error))
