"""What a failed test leaves behind: logs, journals and pictures, and where they are.

A fixture that owns a browser, a program or a lab says what could be kept:

    with artifacts.offer("journal.txt", lambda: lines(journal)):
        yield journal

If a test fails meanwhile, the function is called and what it returns is written into a folder of that
test in ``.pushlab/test-failures/``. The report of the failure names each file.
"""

import asyncio
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pushlab.journal import Journal
from pushlab.settings import patience
from pushlab.useragent.base import UserAgent

ROOT = Path(__file__).parents[2]
KEPT = ROOT / ".pushlab" / "test-failures"
RUNS = 5
"""How many runs' failures are kept."""

# What lets its holder do something: an instructor's link, a header, a token of Jupyter, a key.
SECRETS = re.compile(
    r"(?i)(?P<name>\b(?:access_)?token[\"']?\s*[=:]\s*[\"']?|\bBearer\s+|\bvapid t="
    r"|\bauth[\"']?\s*[=:]\s*[\"']|\bprivate_?key[\"']?\s*[=:]\s*[\"']?"
    r"|/w?push/(?:v\d/)?|/fcm/send/)[^\s\"'&,;<>]{6,}"
)

Content = str | bytes | Path
Take = Callable[[], Content]


class Artifacts:
    """What could be kept right now, by the name of its file."""

    def __init__(self, run: str):
        self._folder = KEPT / run
        self._offers: list[tuple[str, Take]] = []

    @contextmanager
    def offer(self, name: str, take: Take) -> Iterator[None]:
        """Keep what ``take`` returns if a test fails within: a text, bytes, or a file's path."""
        entry = (name, take)
        self._offers.append(entry)
        try:
            yield
        finally:
            self._offers.remove(entry)

    @contextmanager
    def offer_world(self, run: Callable, journal: Journal, agent: UserAgent) -> Iterator[None]:
        """Keep the journal, and a picture of the page that ``agent`` shows then.

        ``run`` runs a coroutine to its end. A browser that answers no more gets ten seconds.
        """
        picture = lambda: run(asyncio.wait_for(agent.screenshot(), patience(10)))
        with self.offer("journal.txt", lambda: lines(journal.events())):
            with self.offer("page.png", picture):
                yield

    def keep(self, nodeid: str) -> Iterator[Path]:
        """Write everything that is on offer; yield the files."""
        folder = self._folder / re.sub(r"[^\w.-]+", "_", nodeid)[-120:]
        for name, take in self._offers:
            folder.mkdir(parents=True, exist_ok=True)
            try:
                content = take()
            except Exception as error:  # noqa: BLE001  the failure of the test is what matters
                name, content = f"{name}.missing", f"{type(error).__name__}: {error}"
            path = unused(folder / name)
            path.write_bytes(without_secrets(content))
            yield path


def unused(path: Path) -> Path:
    """Return the path, with a number if there is such a file already."""
    number, free = 2, path
    while free.exists():
        number, free = number + 1, path.with_stem(f"{path.stem}-{number}")
    return free


def without_secrets(content: Content) -> bytes:
    """Return the bytes to write. What follows ``token=`` and the like in a text is left out.

    >>> without_secrets("http://10.77.0.1:8292/#token=0123456789")
    b'http://10.77.0.1:8292/#token=(left out)'
    """
    if isinstance(content, Path):
        content = content.read_text("utf-8", errors="replace")
    if isinstance(content, bytes):
        return content
    return SECRETS.sub(r"\g<name>(left out)", content).encode()


def lines(values: Iterable[object]) -> str:
    """Return a text with one value a line."""
    return "".join(f"{value}\n" for value in values)


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        run = config.workerinput["pushlab_run"]
    else:
        run = time.strftime("%Y%m%d-%H%M%S")
        for old in sorted(KEPT.glob("*"))[: -RUNS or None]:
            shutil.rmtree(old)
    config.run_name, config.artifacts = run, Artifacts(run)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node) -> None:
    node.workerinput["pushlab_run"] = node.config.run_name


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    report = yield
    if report.failed:
        kept = [str(path.relative_to(ROOT)) for path in item.config.artifacts.keep(item.nodeid)]
        if kept:
            report.sections.append(("what it left behind", "\n".join(kept)))
    return report
