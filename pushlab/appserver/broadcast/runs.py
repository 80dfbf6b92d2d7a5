"""Every notify-all in the database: what was sent, and the outcome for each subscription.

With this record a notify-all that was killed half-way can be resumed. A subscription recorded as
accepted is not sent to again. A message that was under way at the kill has no record, so it is sent
again, and may arrive twice. That is the smaller fault: otherwise it might not arrive at all.

    broadcasts   one row a notify-all: when it began and ended, and SHA-256 of its plaintext
    deliveries   one row a subscription in it: accepted, gone, retried, refused, failed

Rows are written some hundred at a time, in a thread, and sending does not wait for that.

A server knows which runs it sends now. It forgets none of them, and resumes none: two senders of
one run would both send to everybody who has no record yet. It knows this in its memory alone, so a
run can be resumed as soon as its server has been killed. But servers that share a database know
nothing of each other's runs: nothing keeps a second server from resuming one that is being sent.
"""

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Double,
    Integer,
    LargeBinary,
    String,
    Table,
    bindparam,
    func,
    select,
    true,
)

from pushlab.appserver.explain.outcome import Kind
from pushlab.appserver.store import SubscriptionStore, subscriptions
from pushlab.errors import BadField, RunUnderWay, UnableToReadDatabase, UnableToWriteDatabase
from pushlab.server.tables import upsert

RUNS_KEPT = 5
"""The last notify-alls, of which the record is kept, beside those that are under way."""

broadcasts = Table(
    "broadcasts",
    subscriptions.metadata,
    Column("run", Integer, primary_key=True),
    Column("digest", LargeBinary(32), nullable=False),
    Column("number", Integer, nullable=False),
    Column("began_at", Double, nullable=False),
    Column("ended_at", Double),
    # The number of a deleted row is not used again.
    sqlite_autoincrement=True,
)

deliveries = Table(
    "deliveries",
    subscriptions.metadata,
    Column("run", Integer, primary_key=True, autoincrement=False),
    Column("subscription", Integer, primary_key=True, autoincrement=False),
    Column("outcome", String(8), nullable=False),
    Column("status", Integer),
    Column("attempts", Integer, nullable=False),
    sqlite_with_rowid=False,
)


class RecordedOutcome(NamedTuple):
    """The outcome of a notify-all for one subscription.

    ``subscription``: its number; ``outcome``: accepted, gone, retried (given up after that),
    refused or failed; ``status``: of the last answer; ``attempts``: requests that were made.
    """

    subscription: int
    outcome: str
    status: int | None
    attempts: int


@dataclass(frozen=True)
class Run:
    """One notify-all, as far as it is recorded.

    ``run``: the number with which it can be resumed; ``number``: the n of the default notification;
    ``began_at``, ``ended_at``: seconds since 1970, None before its end; ``outcomes``: how many
    subscriptions each outcome has.
    """

    run: int
    number: int
    began_at: float
    ended_at: float | None
    digest: bytes = field(repr=False)
    outcomes: dict[str, int] = field(default_factory=dict)


def name_of(kind: Kind) -> str:
    """Return the name under which an outcome is recorded. "retry" was tried again, and given up.

    >>> name_of("accepted"), name_of("retry")
    ('accepted', 'retried')
    """
    return "retried" if kind == "retry" else kind


def add_to_tally(tally: Counter[str], outcome: str, attempts: int, count: int = 1) -> None:
    """Count recorded outcomes by the names of ``Counts``.

    >>> tally = Counter()
    >>> add_to_tally(tally, "retried", attempts=4)
    >>> +tally
    Counter({'failed': 1, 'retried': 1})
    """
    tally[outcome if outcome in ("accepted", "gone") else "failed"] += count
    if attempts > 1:
        tally["retried"] += count
    if outcome == "retried" and attempts == 0:
        tally["not_sent"] += count


@dataclass(eq=False)
class UnderWay:
    """A notify-all that this server sends now. ``run``: its number, once it has one."""

    run: int | None
    resumed: bool


class Runs:
    """Keep the last notify-alls in the store's database. Raises UnableToWriteDatabase.

    >>> store = SubscriptionStore("sqlite://")
    >>> runs = Runs(store)
    >>> run = runs.begin(digest=bytes(32), number=7)
    >>> runs.record(run, [RecordedOutcome(1, "accepted", 201, 1)])
    >>> runs.end(run)
    >>> runs.get(run).outcomes
    {'accepted': 1}
    >>> store.close()
    """

    def __init__(self, store: SubscriptionStore, clock: Callable[[], float] = time.time):
        self._store = store
        self._clock = clock
        self._under_way: set[UnderWay] = set()
        store.make_tables([broadcasts, deliveries])

    @contextmanager
    def sending(self, run: int | None) -> Iterator[UnderWay]:
        """Note for this block that a notify-all is under way: ``run``, or a new one.

        Raises RunUnderWay.
        """
        if run is not None and run in self._numbers_under_way():
            raise RunUnderWay(f"notify-all {run} is being sent")
        mark = UnderWay(run, resumed=run is not None)
        self._under_way.add(mark)
        try:
            yield mark
        finally:
            self._under_way.remove(mark)

    def _numbers_under_way(self) -> list[int]:
        # Copied first: a thread asks too, while the loop may change the set.
        return [mark.run for mark in tuple(self._under_way) if mark.run is not None]

    def begin(self, digest: bytes, number: int = 0) -> int:
        """Note that a notify-all begins, forget the oldest that are not under way, and return its run.

        ``digest``: SHA-256 of the plaintext, 32 bytes. Raises UnableToWriteDatabase.
        """
        values = {"digest": digest, "number": number, "began_at": self._clock()}
        # Counted, and not by their numbers: after a crash PostgreSQL leaves some numbers out.
        kept = select(broadcasts.c.run).order_by(broadcasts.c.run.desc()).limit(RUNS_KEPT).subquery()
        oldest = select(func.min(kept.c.run)).scalar_subquery()
        under_way = self._numbers_under_way()

        def insert(connection: Connection) -> int:
            key = connection.execute(broadcasts.insert().values(values)).inserted_primary_key
            assert key, "one row was inserted"
            for table in (broadcasts, deliveries):
                old = (table.c.run < oldest) & table.c.run.not_in(under_way)
                connection.execute(table.delete().where(old))
            return key.run

        return self._store.run(insert, UnableToWriteDatabase)

    def start(self, payload: bytes | None, mark: UnderWay, number: int) -> tuple[int, int]:
        """Begin a notify-all, or go on with that of ``mark``.

        Return how many are to be sent to, and its run.

        Raises BadField (a run that is not known, or was of another payload), UnableToReadDatabase,
        UnableToWriteDatabase.
        """
        digest = hashlib.sha256(payload or b"").digest()
        if mark.run is None:
            total = self._store.count()
            mark.run = self.begin(digest, number)
            return total, mark.run
        if self.get(mark.run).digest != digest:
            raise BadField(f"notify-all {mark.run} sent another message")
        return self._store.count(not_accepted(mark.run)), mark.run

    def record(self, run: int, outcomes: Iterable[RecordedOutcome]) -> None:
        """Record outcomes, and remove the subscriptions that are gone, in one transaction.

        It may be repeated. A later outcome replaces an earlier one, except that who has accepted the
        message has accepted it. Raises UnableToWriteDatabase.
        """
        last: dict[int, RecordedOutcome] = {}
        for outcome in outcomes:
            known = last.get(outcome.subscription)
            if known is None or known.outcome != "accepted":
                last[outcome.subscription] = outcome
        # In the same order everywhere, so that no two servers wait for each other's rows.
        rows = [{"run": run, **last[number]._asdict()} for number in sorted(last)]
        gone = [{"gone": row["subscription"]} for row in rows if row["outcome"] == "gone"]
        is_gone = subscriptions.c.number == bindparam("gone")

        def write(connection: Connection) -> None:
            if rows:
                upsert(connection, deliveries, rows, deliveries.c.outcome != "accepted")
            if gone:
                connection.execute(subscriptions.delete().where(is_gone), gone)

        self._store.run(write, UnableToWriteDatabase)

    def end(self, run: int) -> None:
        """Note that a notify-all has come to its end. Raises UnableToWriteDatabase."""
        update = broadcasts.update().where(broadcasts.c.run == run).values(ended_at=self._clock())
        self._store.run(lambda connection: connection.execute(update), UnableToWriteDatabase)

    def tried_in_vain(self, run: int) -> set[int]:
        """Return the numbers of the subscriptions that were sent to, and have not accepted it.

        Raises UnableToReadDatabase.
        """
        tried = (deliveries.c.attempts > 0) & (deliveries.c.outcome != "accepted")
        query = select(deliveries.c.subscription).where(deliveries.c.run == run, tried)
        return self._store.run(
            lambda connection: set(connection.scalars(query)), UnableToReadDatabase
        )  # fmt: skip

    def tally(self, run: int, final: bool = False) -> Counter[str]:
        """Count the outcomes of a notify-all, by the names of ``Counts``. Raises UnableToReadDatabase.

        ``final``: only those that a resume does not change.
        """
        columns = deliveries.c.outcome, deliveries.c.attempts
        query = select(*columns, func.count()).where(deliveries.c.run == run).group_by(*columns)
        if final:
            query = query.where(deliveries.c.outcome.in_(("accepted", "gone")))
        tally = Counter(accepted=0, gone=0, retried=0, failed=0, not_sent=0)
        for row in self._store.run(lambda c: c.execute(query).all(), UnableToReadDatabase):
            add_to_tally(tally, *row)
        return tally

    def get(self, run: int) -> Run:
        """Return what is recorded of a notify-all. Raises BadField if it is not known."""
        found = [known for known in self.all() if known.run == run]
        if not found:
            raise BadField(f"there is no record of notify-all {run}: only the last {RUNS_KEPT} are kept")
        return found[0]

    def all(self) -> list[Run]:
        """Return the last notify-alls, oldest first. Raises UnableToReadDatabase."""
        columns = deliveries.c.run, deliveries.c.outcome
        count = select(*columns, func.count()).group_by(*columns)
        begun = select(broadcasts).order_by(broadcasts.c.run)
        rows, counted = self._store.run(
            lambda connection: (connection.execute(begun).all(), connection.execute(count).all()),
            UnableToReadDatabase,
        )
        return [
            Run(
                row.run, row.number, row.began_at, row.ended_at, row.digest,
                {outcome: count for run, outcome, count in counted if run == row.run},
            )
            for row in rows
        ]  # fmt: skip


def not_accepted(run: int) -> ColumnElement[bool]:
    """Return the condition for the subscriptions that a notify-all has still to be sent to."""
    return _unless_recorded(run, deliveries.c.outcome == "accepted")


def not_recorded(run: int) -> ColumnElement[bool]:
    """Return the condition for the subscriptions that have no outcome in a notify-all yet."""
    return _unless_recorded(run, true())


def never_sent(run: int) -> ColumnElement[bool]:
    """Return the condition for the subscriptions to which a notify-all has made no request yet."""
    return _unless_recorded(run, deliveries.c.attempts > 0)


def _unless_recorded(run: int, what: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return the condition for the subscriptions that have no record of this kind.

    One record is looked up for each subscription. As NOT EXISTS, PostgreSQL would make a join of it, and
    as long as it has no statistics of a new table, one that compares each record with each subscription.
    As DISTINCT, it expects most rows to pass, and so reads them in their order up to the limit.
    """
    same = (deliveries.c.run == run) & (deliveries.c.subscription == subscriptions.c.number)
    return select(what).where(same).scalar_subquery().is_distinct_from(true())
