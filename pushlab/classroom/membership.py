"""The class that this process reports to: joined once, in effect in every notebook until it is left.

A lesson has a kernel of its own, and two lessons start no lab. So ``class.json`` in the data folder says
which class the learner has joined, with the secret; only its owner can read it. Every kernel of that
folder reports its attempts, and stops as soon as the file is gone. The kernel whose lab runs also
fetches nudges, and sends them to the lab's own subscriptions.
"""

import json
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from pushlab import files, settings
from pushlab.appserver import private_file
from pushlab.appserver.explain.outcome import Outcome
from pushlab.appserver.store import StoredSubscription
from pushlab.classroom.attempt import Attempt
from pushlab.classroom.client import ClassClient, Refused
from pushlab.classroom.records import Nudge
from pushlab.classroom.reporter import UNAUTHORIZED, NudgeListener, Reporter
from pushlab.errors import BadArgument, FetchFailed, KeyFileError, PushlabError, UnusableFolder
from pushlab.lab import network

NAME = "class.json"

MAX_BROWSERS = 3
"""Subscriptions of the participant that a nudge is sent to: the newest."""

MAX_LEFT = 5
"""Classes that were left, and whose machines may still have rows: the newest."""

SENT = (
    "Each check that you run now sends its lesson and exercise, whether it passed or the step at which "
    "it differs, the number of attempts, the time, and your name. It never sends your code or your "
    "output. Your instructor may send a push message to your lab's browser."
)
"""What joining means, in a learner's words."""

NO_CLASS = (
    "Check the address. Your instructor's lab has to run as a room: Lab(host=…), or ./lab serve --host"
)


class Lab(Protocol):
    """What a nudge needs of the lab that runs."""

    def newest_subscriptions(self, limit: int) -> tuple[int, Sequence[StoredSubscription]]:
        """Return how many subscriptions are stored, and the last ones."""
        raise NotImplementedError

    def notify(self, endpoint: str, title: str, body: str) -> Outcome:
        """Send one message."""
        raise NotImplementedError


@dataclass(frozen=True)
class Joined:
    """What the file says. ``reports`` is false when the learner has left and the rows remain.

    ``left``: classes before this one, whose machines did not answer when they were left. Only with their
    secrets can the rows there be deleted.

    >>> Joined("http://192.168.1.20:8292/", "Ada", "secret")
    You are in the class at http://192.168.1.20:8292/ as Ada. Each check ... lab.leave_class() ends this.
    """

    url: str
    name: str
    secret: str = field(repr=False)
    reports: bool = True
    cafile: str = field(default="", repr=False)
    left: tuple["Joined", ...] = field(default=(), repr=False)

    @property
    def client(self) -> ClassClient:
        """What speaks for this participant."""
        return ClassClient(self.url, self.secret, self.cafile)

    def rows(self) -> dict[str, Any]:
        """Return all that the instructor's machine keeps of this learner. Raises FetchFailed."""
        return self.client.mine()

    def __repr__(self) -> str:
        if not self.reports:
            return f"You have left the class at {self.url}, which still has your rows."
        return (
            f"You are in the class at {self.url} as {self.name}. {SENT} It is so in every lesson from "
            "now on; lab.leave_class() ends this."
        )


class Membership:
    """Which class this process reports to. Any thread may call it."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._lab: Lab | None = None
        self._lock = threading.RLock()
        self._seen: tuple[int, int] | None = None
        self._joined: Joined | None = None
        self._reporter: Reporter | None = None
        self._listener: NudgeListener | None = None

    @property
    def joined(self) -> Joined | None:
        """The class that the learner has joined, and not left."""
        with self._lock:
            self._look()
            return self._joined if self._joined and self._joined.reports else None

    def attempted(self, attempt: Attempt) -> None:
        """Report an attempt, if the learner has joined a class. It returns at once."""
        with self._lock:
            self._look()
            if self._reporter:
                self._reporter.add(attempt)

    def follow(self, lab: Lab, folder: Path) -> Callable[[], None]:
        """Send nudges through this lab, whose data folder that is. Return a function that ends this."""
        with self._lock:
            self._folder, self._lab = folder, lab
            self._look()  # The reporter of the same file goes on: attempts may wait in it.
            self._listen()
        return lambda: self._unfollow(lab)

    def join(self, url: str, name: str, cafile: str | Path | None = None) -> Joined:
        """Join the class at the page ``url`` of a room, and leave the one before.

        If the machine of the one before does not answer, the next leave() asks it again. ``cafile``: a
        file with the only certificates that are trusted.

        Raises BadArgument, UnusableFolder, and FetchFailed if there is no such class: then the learner
        stays in the one before.
        """
        if not isinstance(url, str) or not network.host_of(url):
            raise BadArgument(f"the URL is {url!r}, and not the http address of a room's page")
        if not isinstance(name, str) or not name.strip():
            raise BadArgument("name is missing: give the one that your instructor is to see")
        trusted = str(Path(cafile).absolute()) if cafile else ""
        try:
            new = ClassClient(url, cafile=trusted).join(name)
        except FetchFailed as reason:
            words = f"you have not joined the class at {url}: {reason.detail}"
            raise FetchFailed(words, hint=NO_CLASS) from None
        with suppress(FetchFailed):
            self.leave()  # Not earlier: an address with a typo would cost the rows of the class before.
        with self._lock:
            self._look()
            left = _alone(self._joined)
            joined = Joined(url, new.name, new.secret, cafile=trusted, left=left[-MAX_LEFT:])
            self._write(joined)
        return joined

    def leave(self) -> Joined | None:
        """Report no more, and delete what the instructor's machine keeps; return what was left.

        Raises FetchFailed if that machine cannot be reached, or that of a class before. Nothing is
        reported all the same, and a further call deletes the rows.
        """
        with self._lock:
            self._look()
            joined = self._joined
        if joined is None:
            return None
        self._write(replace(joined, reports=False))
        faults: dict[Joined, str] = {}
        for one in _alone(joined):
            try:
                one.client.leave()
            except FetchFailed as reason:
                if not isinstance(reason, Refused) or reason.status != UNAUTHORIZED:
                    faults[one] = reason.detail
        self._forget(joined, tuple(faults))
        if faults:
            raise FetchFailed(
                f"nothing is sent any more, and your rows are still there: {'; '.join(faults.values())}",
                hint="Call lab.leave_class() again when the machine of your instructor answers",
            )
        return joined

    def flush(self, seconds: float) -> bool:
        """Wait until every attempt has been sent, and return whether that is so."""
        reporter = self._reporter
        return reporter is None or reporter.flush(seconds)

    # --- the file --------------------------------------------------------------------------------

    @property
    def _path(self) -> Path:
        return (self._folder or settings.data_folder()) / NAME

    def _look(self) -> None:
        """Read the file if it has changed: another notebook may have joined, or left."""
        try:
            facts = self._path.stat()
            seen = (facts.st_mtime_ns, facts.st_ino)
        except (OSError, PushlabError):
            seen = (0, 0)
        if seen == self._seen:
            return
        self._seen = seen
        self._end()
        self._joined = _read(self._path) if seen != (0, 0) else None
        if self._joined and self._joined.reports:
            self._reporter = Reporter(self._joined.client, partial(self._forget, self._joined))
            self._listen()

    def _listen(self) -> None:
        """Fetch nudges if a lab can send them, and nobody fetches them yet."""
        if self._lab and self._listener is None and self._joined and self._joined.reports:
            expelled = partial(self._forget, self._joined)
            self._listener = NudgeListener(self._joined.client, self._deliver, expelled)

    def _write(self, joined: Joined) -> None:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            private_file.write(self._path, json.dumps(asdict(joined)).encode(), overwrite=True)
        except (OSError, KeyFileError) as reason:
            raise UnusableFolder(f"{self._path} cannot be written: {reason}") from None
        with self._lock:
            self._look()

    def _forget(self, joined: Joined, left: tuple[Joined, ...] | None = None) -> None:
        """Be in that class no more: the learner has left, or the instructor's machine knows nobody.

        ``left``: the classes that still have rows; those of the file if None. By now another notebook
        may have joined again, and its file stays.
        """
        with self._lock:
            found = _read(self._path)
            if found and found.secret == joined.secret:
                left = found.left if left is None else left
                with suppress(OSError, UnusableFolder):
                    if left:
                        self._write(replace(left[-1], left=left[:-1]))
                    else:
                        self._path.unlink()
            self._look()

    def _end(self) -> None:
        for thread in (self._reporter, self._listener):
            if thread:
                thread.close()
        self._reporter = self._listener = None

    def _unfollow(self, lab: Lab) -> None:
        with self._lock:
            if self._lab is lab:
                self._lab = None
                if self._listener:
                    self._listener.close()
                    self._listener = None

    # --- nudges ----------------------------------------------------------------------------------

    def _deliver(self, nudge: Nudge) -> str:
        """Send a nudge to the participant's own browsers, and return what became of it."""
        lab = self._lab
        if lab is None:
            return "no browser"
        outcome = "no browser"
        try:
            for one in lab.newest_subscriptions(MAX_BROWSERS)[1]:
                sent = lab.notify(one.subscription.endpoint, nudge.title, nudge.body)
                outcome = "sent" if "sent" in (outcome, _word(sent)) else "failed"
        except PushlabError:
            return "failed"
        return outcome


def _word(outcome: Outcome) -> str:
    return "sent" if outcome.kind == "accepted" else "failed"


def _alone(joined: Joined | None) -> tuple[Joined, ...]:
    """Return the classes that a file names, each without the others, as classes that were left."""
    if joined is None:
        return ()
    return tuple(replace(one, reports=False, left=()) for one in (*joined.left, joined))


def _read(path: Path) -> Joined | None:
    """Read the file, which a person may have changed."""
    try:
        found: Any = json.loads(files.read(path))
        left = tuple(_checked(Joined(**one)) for one in found.pop("left", ())[-MAX_LEFT:])
        return _checked(Joined(**found, left=left))
    except (OSError, ValueError, TypeError, AttributeError):
        return None


def _checked(joined: Joined) -> Joined:
    """Return what was read, if each part has its type. Raises TypeError."""
    texts = (joined.url, joined.name, joined.secret, joined.cafile)
    if not all(isinstance(one, str) for one in texts) or type(joined.reports) is not bool:
        raise TypeError("a part of the file is of another type")
    return joined


MEMBERSHIP = Membership()
"""Of this process, in which any check may be run."""
