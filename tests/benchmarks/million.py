"""A million subscribers, in SQLite and in PostgreSQL, sent to by one process and by two.

One of the two is killed half-way. Everybody must get the message all the same: the push endpoint
counts who got none (*missed*, which must be 0), and who got more than one (*twice*). The first row of
each database is a small notify-all, to compare the memory with. *peak 1* is the application server's
memory; the others are those of the worker that is killed, and of the two that are there at the end.

The keys of a thousand subscribers repeat, since a million pairs would take longer to make than it
takes to send to them; a sender keeps nothing from one message to the next.
"""

import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import count as numbers_from
from pathlib import Path

from endpoint import PushEndpoint
from machine import cores, run
from report import CPU, Row
from sqlalchemy import create_engine, text
from subscribers import NOTIFICATION, PAYLOAD, Subscriber

from pushlab.appserver.broadcast.runs import Runs
from pushlab.appserver.keys import VapidKeys
from pushlab.appserver.store import SubscriptionStore, subscriptions

sys.path.insert(0, str(Path(__file__).parents[2]))  # the tests' own folder, as a package
from tests import postgres
from tests.run.ports import free_port

NAME = "a million"
COUNT, SMALL = 1_000_000, 20_000
KEYS = 1000
"""Subscribers with keys of their own."""

SAMPLES = 9
"""Subscribers whose messages are read."""

PAD, DIGITS = "x" * 36, 12
"""An endpoint ends with both, the number of its subscriber in so many digits."""

MULTIPLY = """
INSERT INTO subscriptions (endpoint, p256dh, auth, application_server_key, who, created_at)
WITH RECURSIVE numbers(i) AS (
    SELECT CAST(:keys AS integer) WHERE :keys < :count
    UNION ALL SELECT i + 1 FROM numbers WHERE i + 1 < :count
)
SELECT CAST(:start AS text) || substr(CAST(CAST(:base AS bigint) + i AS text), 2),
    p256dh, auth, application_server_key, who, created_at
FROM numbers JOIN subscriptions ON number = i % :keys + 1
"""
"""The database itself repeats the first rows: sending it so many would take ten times as long."""


@dataclass(frozen=True)
class Way:
    """One notify-all: in how many processes, and whether one of them is killed half-way."""

    name: str
    processes: int = 1
    kill: bool = False


ONE, TWO = Way("one process"), Way("two processes, one killed", processes=2, kill=True)


class Million:
    """An audience of ``count`` at an endpoint, in the database at ``url``."""

    def __init__(self, folder: Path, endpoint: PushEndpoint, url: str, count: int):
        self._endpoint, self._url, self._count = endpoint, url, count
        self._keys = VapidKeys.generate("mailto:bench@example.com")
        self._keys_file = folder / f"vapid-{count}.env"
        self._keys.save(self._keys_file, overwrite=True)
        self._people = [Subscriber("https://push.example.net/") for _ in range(min(KEYS, count))]
        SubscriptionStore(url).close()  # It makes the table.
        engine = create_engine(url)
        with engine.begin() as connection:
            connection.execute(
                subscriptions.insert(), [self._row(*one) for one in enumerate(self._people)]
            )
            values = {"start": f"{endpoint.origin}/push/{PAD}", "base": 10**DIGITS}
            values |= {"keys": KEYS, "count": count}
            connection.execute(text(MULTIPLY), values)
        engine.dispose()

    def _row(self, number: int, one: Subscriber) -> dict:
        kind = "sample" if number < SAMPLES else "push"
        return {
            "endpoint": f"{self._endpoint.origin}/{kind}/{PAD}{number:0{DIGITS}d}",
            "p256dh": one.subscription.p256dh,
            "auth": one.auth,
            "application_server_key": self._keys.application_server_key,
            "who": "Bench",
            "created_at": 0.0,
        }

    def send(self, way: Way) -> dict[str, float]:
        """Send to everybody, and return the figures. Raise AssertionError if somebody is missed."""
        job = {
            "keys": str(self._keys_file), "authority": str(self._endpoint.authority),
            "origin": self._endpoint.origin, "url": self._url, "count": self._count,
            "notification": NOTIFICATION, "processes": way.processes, "kill": way.kill,
        }  # fmt: skip
        sender = "pushlab" if way.processes == 1 else "pushlab_processes"
        core = cores()[0] if way.processes == 1 else []
        self._endpoint.forget()
        trusted = str(self._endpoint.authority)
        senders = str(Path(__file__).parent / "senders.py")
        output = run([sys.executable, senders, sender], core, json.dumps(job), SSL_CERT_FILE=trusted)
        figures = json.loads(output.splitlines()[-1])
        missed, twice = self._arrived()
        assert missed == 0, f"{missed} of {self._count} got no message"
        assert twice == 0 or way.kill, f"{twice} got it more than once"
        self._check_records(figures["accepted"])
        self._check_samples()
        peaks = figures.get("peaks", [figures["peak"]])
        return {
            "subscribers": self._count,
            "messages/s": self._count / figures["seconds"],
            CPU: figures["cpu"] / self._count * 1e6,
            "missed": missed,
            "twice": twice,
            **{f"peak {number} MB": peak for number, peak in enumerate(peaks, 1)},
        }

    def _arrived(self) -> tuple[int, int]:
        """Return how many got no message, and how many more than one."""
        got = bytearray(self._count)
        for path in self._endpoint.paths(self._count):
            got[int(path[-DIGITS:])] += 1
        return got.count(0), self._count - got.count(0) - got.count(1)

    def _check_records(self, accepted: int) -> None:
        store = SubscriptionStore(self._url)
        try:
            outcomes = Runs(store).all()[-1].outcomes
        finally:
            store.close()
        assert outcomes == {"accepted": self._count} and accepted == self._count, outcomes

    def _check_samples(self) -> None:
        for request in self._endpoint.samples():
            one = self._people[int(request["path"][-DIGITS:]) % len(self._people)]
            assert one.read(bytes.fromhex(request["body"])) == PAYLOAD, "another plaintext"


def databases(folder: Path, stack: ExitStack) -> Iterator[tuple[str, Callable[[], str] | None]]:
    """Yield each kind of database, and what makes an empty one; None if it is not installed."""
    numbers = numbers_from(1)
    yield "SQLite", lambda: f"sqlite:///{folder}/{next(numbers)}.sqlite3"
    programs = postgres.find()
    if programs is None or find_spec("psycopg") is None:
        yield "PostgreSQL", None
        return
    server = postgres.PostgresServer(programs, free_port())
    stack.callback(server.close)
    yield "PostgreSQL", lambda: stack.enter_context(server.new_database())


def compare(count: int, small: int, nginx: str | None = "nginx") -> Iterator[list[Row]]:
    """Send to ``small`` and to ``count`` subscribers in each database; yield the rows of each."""
    with tempfile.TemporaryDirectory(prefix="pushlab-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        endpoint = PushEndpoint(folder / "endpoint", cores()[1], nginx=nginx)
        stack.enter_context(endpoint)
        for kind, new_database in databases(folder, stack):
            if new_database is None:
                yield [Row(NAME, kind, note="not installed")]
                continue
            rows = []
            for size, ways in ((small, [ONE]), (count, [ONE, TWO])):
                audience = Million(folder, endpoint, new_database(), size)
                for way in ways:
                    if way.processes > 1 and find_spec("distributed") is None:
                        rows.append(Row(NAME, way.name, note="not installed"))
                        continue
                    rows.append(
                        Row(NAME, way.name, audience.send(way), where=f"{kind}, {endpoint.software}")
                    )
            yield rows


def main(quick: bool, count: int = COUNT) -> Iterator[list[Row]]:
    """Compare the databases, and one process with two."""
    yield from compare(2000 if quick else count, 500 if quick else min(SMALL, count))
