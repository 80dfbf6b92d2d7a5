"""Every notify-all in the database: what was sent, and the outcome for each subscription.

With this record a notify-all that was killed half-way can be resumed. A subscription recorded as
accepted is not sent to again. A message that was under way at the kill has no record, so it is sent
again, and may arrive twice. That is the smaller fault: otherwise it might not arrive at all.

    broadcasts   one row a notify-all: when it began and ended, and SHA-256 of its plaintext
    deliveries   one row a subscription in it: accepted, gone, retried, refused, failed

Rows are written some hundred at a time, in a thread, and sending does not wait for that.
"""

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterable
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
    exists,
    func,
    select,
)

from pushlab.appserver.explain.outcome import Kind
from pushlab.appserver.store import SubscriptionStore, subscriptions
from pushlab.errors import BadField, UnableToReadDatabase, UnableToWriteDatabase

RUNS_KEPT = 5
"""The last notify-alls, of which the record is kept."""

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
        with store.transaction(UnableToWriteDatabase) as connection:
            for table in (broadcasts, deliveries):
                table.create(connection, checkfirst=True)

    def begin(self, digest: bytes, number: int = 0) -> int:
        """Note that a notify-all begins, forget the oldest, and return its run.

        ``digest``: SHA-256 of the plaintext, 32 bytes. Raises UnableToWriteDatabase.
        """
        values = {"digest": digest, "number": number, "began_at": self._clock()}
        with self._store.transaction(UnableToWriteDatabase) as connection:
            key = connection.execute(broadcasts.insert().values(values)).inserted_primary_key
            assert key, "one row was inserted"
            run: int = key.run
            for table in (broadcasts, deliveries):
                connection.execute(table.delete().where(table.c.run <= run - RUNS_KEPT))
            return run

    def start(self, payload: bytes | None, run: int | None, number: int) -> tuple[int, int]:
        """Begin a notify-all, or go on with ``run``; return how many are to be sent to, and its run.

        Raises BadField (a run that is not known, or was of another payload), UnableToReadDatabase,
        UnableToWriteDatabase.
        """
        digest = hashlib.sha256(payload or b"").digest()
        if run is None:
            return self._store.count(), self.begin(digest, number)
        if self.get(run).digest != digest:
            raise BadField(f"notify-all {run} sent another message")
        return self._store.count(not_accepted(run)), run

    def record(self, run: int, outcomes: Iterable[RecordedOutcome], again: bool = False) -> None:
        """Record outcomes, and remove the subscriptions that are gone, in one transaction.

        ``again``: some may have an outcome already, which is replaced. Raises
        UnableToWriteDatabase.
        """
        rows = [{"run": run, **delivery._asdict()} for delivery in outcomes]
        gone = [{"gone": row["subscription"]} for row in rows if row["outcome"] == "gone"]
        with self._store.transaction(UnableToWriteDatabase) as connection:
            if again:
                _forget(connection, run, rows)
            if rows:
                connection.execute(deliveries.insert(), rows)
            if gone:
                number = subscriptions.c.number == bindparam("gone")
                connection.execute(subscriptions.delete().where(number), gone)

    def end(self, run: int) -> None:
        """Note that a notify-all has come to its end. Raises UnableToWriteDatabase."""
        update = broadcasts.update().where(broadcasts.c.run == run)
        with self._store.transaction(UnableToWriteDatabase) as connection:
            connection.execute(update.values(ended_at=self._clock()))

    def tried_in_vain(self, run: int) -> set[int]:
        """Return the numbers of the subscriptions that were sent to, and have not accepted it.

        Raises UnableToReadDatabase.
        """
        tried = (deliveries.c.attempts > 0) & (deliveries.c.outcome != "accepted")
        query = select(deliveries.c.subscription).where(deliveries.c.run == run, tried)
        with self._store.transaction(UnableToReadDatabase) as connection:
            return set(connection.scalars(query))

    def tally(self, run: int, final: bool = False) -> Counter[str]:
        """Count the outcomes of a notify-all, by the names of ``Counts``. Raises UnableToReadDatabase.

        ``final``: only those that a resume does not change.
        """
        columns = deliveries.c.outcome, deliveries.c.attempts
        query = select(*columns, func.count()).where(deliveries.c.run == run).group_by(*columns)
        if final:
            query = query.where(deliveries.c.outcome.in_(("accepted", "gone")))
        tally = Counter(accepted=0, gone=0, retried=0, failed=0, not_sent=0)
        with self._store.transaction(UnableToReadDatabase) as connection:
            for outcome, attempts, count in connection.execute(query):
                add_to_tally(tally, outcome, attempts, count)
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
        with self._store.transaction(UnableToReadDatabase) as connection:
            rows = connection.execute(select(broadcasts).order_by(broadcasts.c.run)).all()
            counted = connection.execute(count).all()
        return [
            Run(
                row.run, row.number, row.began_at, row.ended_at, row.digest,
                {outcome: count for run, outcome, count in counted if run == row.run},
            )
            for row in rows
        ]  # fmt: skip


def _forget(connection: Connection, run: int, rows: list[dict]) -> None:
    same = (deliveries.c.run == run) & (deliveries.c.subscription == bindparam("known"))
    known = [{"known": row["subscription"]} for row in rows]
    if known:
        connection.execute(deliveries.delete().where(same), known)


def not_accepted(run: int) -> ColumnElement[bool]:
    """Return the condition for the subscriptions that a notify-all has still to be sent to."""
    return ~exists().where(
        deliveries.c.run == run,
        deliveries.c.subscription == subscriptions.c.number,
        deliveries.c.outcome == "accepted",
    )


def not_recorded(run: int) -> ColumnElement[bool]:
    """Return the condition for the subscriptions that have no outcome in a notify-all yet."""
    return ~exists().where(
        deliveries.c.run == run,
        deliveries.c.subscription == subscriptions.c.number,
    )


def never_sent(run: int) -> ColumnElement[bool]:
    """Return the condition for the subscriptions to which a notify-all has made no request yet."""
    return ~exists().where(
        deliveries.c.run == run,
        deliveries.c.subscription == subscriptions.c.number,
        deliveries.c.attempts > 0,
    )
