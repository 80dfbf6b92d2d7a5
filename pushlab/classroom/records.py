"""What the instructor's database keeps of a class, in four tables beside the subscriptions.

    class_participants   one row each: number, name, SHA-256 of the secret, when they joined
    class_progress       one row for each exercise of each: attempts, the step, since when; the board
    class_attempts       one row an attempt: the history, for the export
    class_nudges         the last nudges, and what became of them

A participant is whoever has the secret that ``join`` gave out. The name decides nothing, so that
nobody can speak for another by taking the same name. Each method is one transaction, which may wait.
"""

import hashlib
import secrets
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Double,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    Select,
    String,
    Table,
    func,
    select,
    tuple_,
)

from pushlab.appserver.participants import NAME_LIMIT, shown_name
from pushlab.appserver.store import SubscriptionStore
from pushlab.classroom.attempt import MAX_STEP, ReceivedAttempt
from pushlab.errors import (
    BadField,
    ClassFull,
    NotInClass,
    UnableToReadDatabase,
    UnableToWriteDatabase,
    UnknownParticipant,
)
from pushlab.errors.servers import INVALID_TOKEN

Result = TypeVar("Result")

MAX_PARTICIPANTS = 200
"""Participants of a class."""

MAX_ATTEMPTS = 500
"""Attempts of one participant that are kept for the export: 100,000 of a class. The board counts on."""

MAX_NUDGES = 20
"""Nudges to one participant that are kept."""

NUDGE_SECONDS = 600
"""How long a nudge waits for the participant's lab. Later it would be about another exercise."""

TITLE = "From your instructor"

MAX_TITLE, MAX_BODY = 80, 200
"""Characters of a nudge."""

tables = MetaData()

participants = Table(
    "class_participants",
    tables,
    Column("number", Integer, primary_key=True),
    Column("name", String(NAME_LIMIT), nullable=False),
    Column("digest", LargeBinary(32), nullable=False, unique=True),
    Column("joined_at", Double, nullable=False),
    # A number that was on the board is not somebody else's later.
    sqlite_autoincrement=True,
)

progress = Table(
    "class_progress",
    tables,
    Column("participant", Integer, primary_key=True, autoincrement=False),
    Column("lesson", String(8), primary_key=True),
    Column("exercise", String(40), primary_key=True),
    Column("attempts", Integer, nullable=False),
    Column("began_at", Double, nullable=False),
    Column("last_at", Double, nullable=False),
    Column("passed_at", Double),
    Column("step", String(MAX_STEP + 1), nullable=False),
    Column("same", Integer, nullable=False),
    Column("last_id", BigInteger, nullable=False),
)

attempts = Table(
    "class_attempts",
    tables,
    Column("participant", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("lesson", String(8), nullable=False),
    Column("exercise", String(40), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("result", String(8), nullable=False),
    Column("step", String(MAX_STEP + 1), nullable=False),
    Column("at", Double, nullable=False),
)

nudges = Table(
    "class_nudges",
    tables,
    Column("participant", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("title", String(MAX_TITLE), nullable=False),
    Column("body", String(MAX_BODY), nullable=False),
    Column("sent_at", Double, nullable=False),
    Column("outcome", String(16)),
)

OF_ONE = (progress, attempts, nudges)
"""The tables whose rows belong to a participant. Two number the rows of each participant from 1."""


class NewParticipant(NamedTuple):
    """What a new participant is given. ``secret``: whoever has it is this participant."""

    number: int
    name: str
    secret: str

    def __repr__(self) -> str:
        return f"NewParticipant(number={self.number})"


class Nudge(NamedTuple):
    """A push message that the participant's own lab is asked to send to its browsers."""

    number: int
    title: str
    body: str


class Snapshot(NamedTuple):
    """The rows from which a board is made."""

    participants: Sequence[Row]
    progress: Sequence[Row]
    nudges: Sequence[Row]


class ClassRecords:
    """Keep a class in the database of ``store``. ``clock`` gives seconds since 1970.

    Every method raises UnableToReadDatabase or UnableToWriteDatabase if the database fails.

    >>> records = ClassRecords(SubscriptionStore("sqlite://"))
    >>> ada = records.join("Ada")
    >>> records.participant(ada.secret)
    1
    """

    def __init__(self, store: SubscriptionStore, clock: Callable[[], float] = time.time):
        self._store, self._clock = store, clock
        store.make_tables(tables.sorted_tables)

    # --- a participant ---------------------------------------------------------------------------

    def join(self, name: object) -> NewParticipant:
        """Add a participant. Raises BadField without a name, and ClassFull."""
        shown = shown_name(name)
        if not shown:
            raise BadField("name is missing, or nothing of it can be shown")
        secret = secrets.token_urlsafe(24)
        values = {"name": shown, "digest": _digest(secret), "joined_at": self._clock()}

        def insert(connection: Connection) -> NewParticipant:
            if connection.execute(select(func.count()).select_from(participants)).scalar_one() >= (
                MAX_PARTICIPANTS
            ):
                raise ClassFull
            key = connection.execute(participants.insert().values(values)).inserted_primary_key
            assert key, "one row was inserted"
            return NewParticipant(key.number, shown, secret)

        return self._write(insert)

    def participant(self, secret: str) -> int:
        """Return the number of the participant who has this secret. Raises NotInClass."""
        query = select(participants.c.number).where(participants.c.digest == _digest(secret))
        number = self._read(lambda connection: connection.execute(query).scalar())
        if number is None:
            raise NotInClass(headers=INVALID_TOKEN)
        return number

    def record(self, participant: int, received: Collection[ReceivedAttempt]) -> int:
        """Record attempts in their order, and return how many were new. Raises NotInClass."""
        now = self._clock()

        def write(connection: Connection) -> int:
            _lock(connection, participant)
            query = select(progress).where(progress.c.participant == participant)
            before = {(row.lesson, row.exercise): row._asdict() for row in connection.execute(query)}
            after, history, new = dict(before), [], 0
            for one in received:
                key = one.attempt.lesson, one.attempt.exercise
                row = after.get(key) or _fresh(participant, *key, now - one.ago)
                if one.id <= row["last_id"]:
                    continue  # It has arrived before.
                after[key] = row = _advanced(row, one, now - one.ago)
                new += 1
                if one.attempt.result != "stub":
                    history.append(_history(row, one))
            for key, row in sorted(after.items()):
                if row is not before.get(key):
                    _save(connection, row, key in before)
            _append(connection, attempts, participant, history, MAX_ATTEMPTS)
            return new

        return self._write(write)

    def mine(self, participant: int) -> dict[str, Any]:
        """Return all that is kept of one participant, without the secret's digest. Raises NotInClass."""
        columns = participants.c.number, participants.c.name, participants.c.joined_at

        def read(connection: Connection) -> dict[str, Any]:
            found = connection.execute(select(*columns).where(columns[0] == participant)).first()
            if found is None:
                raise NotInClass
            rows = {
                table.name.removeprefix("class_"): [
                    {k: v for k, v in row._asdict().items() if k not in ("participant", "last_id")}
                    for row in connection.execute(_of(table, participant))
                ]
                for table in OF_ONE
            }
            return found._asdict() | rows

        return self._read(read)

    def remove(self, participant: int) -> None:
        """Delete a participant with all that is kept of them. Raises UnknownParticipant."""

        def delete(connection: Connection) -> None:
            # This row first: it waits for who is writing for the participant (see _lock), and nobody can
            # begin to write after it.
            that = participants.delete().where(participants.c.number == participant)
            if not connection.execute(that).rowcount:
                raise UnknownParticipant
            for table in OF_ONE:
                connection.execute(table.delete().where(table.c.participant == participant))

        self._write(delete)

    def next_nudge(self, participant: int, after: int = 0) -> Nudge | None:
        """Return the oldest nudge that waits for a participant, above number ``after``.

        Raises NotInClass.
        """
        waits = (nudges.c.outcome.is_(None)) & (nudges.c.sent_at > self._clock() - NUDGE_SECONDS)
        mine = _of(nudges, participant).where(nudges.c.number > after, waits)

        def read(connection: Connection) -> Row | None:
            if connection.execute(_row_of(participant)).first() is None:
                raise NotInClass
            return connection.execute(mine.order_by(nudges.c.number).limit(1)).first()

        row = self._read(read)
        return Nudge(row.number, row.title, row.body) if row else None

    def nudged(self, participant: int, number: int, outcome: str) -> None:
        """Note what became of a participant's nudge."""
        mine = (nudges.c.participant == participant) & (nudges.c.number == number)
        update = nudges.update().where(mine).values(outcome=outcome)
        self._write(lambda connection: connection.execute(update))

    # --- the instructor --------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """Return what the board shows."""
        people = participants.c.number, participants.c.name, participants.c.joined_at
        newest = select(nudges.c.participant, func.max(nudges.c.number)).group_by(nudges.c.participant)
        last = tuple_(nudges.c.participant, nudges.c.number).in_(newest)
        return self._read(
            lambda connection: Snapshot(
                connection.execute(select(*people).order_by(participants.c.number)).all(),
                connection.execute(select(progress)).all(),
                connection.execute(select(nudges).where(last)).all(),
            )
        )

    def history(self) -> Sequence[Row]:
        """Return every attempt that is kept, oldest first, with the participant's name."""
        named = attempts.join(participants, attempts.c.participant == participants.c.number)
        query = select(attempts, participants.c.name).select_from(named)
        order = attempts.c.at, attempts.c.participant, attempts.c.number
        return self._read(lambda connection: connection.execute(query.order_by(*order)).all())

    def nudge(self, numbers: Iterable[int], title: str, body: str) -> int:
        """Leave a nudge for each of these participants, and return for how many."""
        wanted, values = set(numbers), {"title": title, "body": body, "sent_at": self._clock()}

        def write(connection: Connection) -> int:
            known = set(connection.scalars(select(participants.c.number)))
            count = 0
            for number in sorted(known & wanted):
                with suppress(NotInClass):  # Somebody may leave at this moment.
                    _lock(connection, number)
                    _append(connection, nudges, number, [{"participant": number} | values], MAX_NUDGES)
                    count += 1
            return count

        return self._write(write)

    def delete_all(self) -> None:
        """Delete every participant, and all that is kept of them."""

        def delete(connection: Connection) -> None:
            connection.execute(participants.delete())  # first, as in remove()
            here = select(participants.c.number)  # who has joined since: PostgreSQL lets them
            for table in OF_ONE:
                connection.execute(table.delete().where(table.c.participant.not_in(here)))

        self._write(delete)

    # --- transactions ----------------------------------------------------------------------------

    def _read(self, work: Callable[[Connection], Result]) -> Result:
        return self._store.run(work, UnableToReadDatabase)

    def _write(self, work: Callable[[Connection], Result]) -> Result:
        return self._store.run(work, UnableToWriteDatabase)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()


def _of(table: Table, participant: int) -> Select:
    return select(table).where(table.c.participant == participant)


def _row_of(participant: int) -> Select:
    return select(participants.c.number).where(participants.c.number == participant)


def _lock(connection: Connection, participant: int) -> None:
    """Let no other transaction write for this participant until this one ends. Raises NotInClass.

    SQLite has one transaction at a time, and leaves out FOR UPDATE.
    """
    if connection.execute(_row_of(participant).with_for_update()).first() is None:
        raise NotInClass


def _fresh(participant: int, lesson: str, exercise: str, at: float) -> dict[str, Any]:
    return {
        "participant": participant, "lesson": lesson, "exercise": exercise, "attempts": 0,
        "began_at": at, "last_at": at, "passed_at": None, "step": "", "same": 0, "last_id": 0,
    }  # fmt: skip


def _advanced(row: dict[str, Any], received: ReceivedAttempt, at: float) -> dict[str, Any]:
    """Return a row of progress after one more attempt. What was passed once stays passed."""
    attempt = received.attempt
    changed = {"last_at": max(at, row["last_at"]), "last_id": received.id}
    if attempt.result == "stub":
        return row | changed
    changed["attempts"] = row["attempts"] + 1
    if attempt.result == "passed":
        changed |= {"passed_at": row["passed_at"] or at, "step": "", "same": 0}
    else:
        again = row["same"] > 0 and row["step"] == attempt.step
        changed |= {"step": attempt.step, "same": row["same"] + 1 if again else 1}
    return row | changed


def _history(row: dict[str, Any], received: ReceivedAttempt) -> dict[str, Any]:
    names = ("participant", "lesson", "exercise")
    attempt = received.attempt
    return {name: row[name] for name in names} | {
        "attempt": row["attempts"], "result": attempt.result, "step": attempt.step,
        "at": row["last_at"],
    }  # fmt: skip


def _save(connection: Connection, row: dict[str, Any], is_known: bool) -> None:
    if not is_known:
        connection.execute(progress.insert().values(row))
        return
    keys = [progress.c[name] == row[name] for name in ("participant", "lesson", "exercise")]
    connection.execute(progress.update().where(*keys).values(row))


def _append(
    connection: Connection, table: Table, participant: int, rows: Sequence[dict[str, Any]], most: int
) -> None:
    """Insert rows of a participant with numbers, and delete the oldest, so that ``most`` are left."""
    if not rows:
        return
    mine = table.c.participant == participant
    last = connection.execute(select(func.max(table.c.number)).where(mine)).scalar() or 0
    numbered = [{"number": number} | row for number, row in enumerate(rows, last + 1)]
    connection.execute(table.insert(), numbered)
    old = table.c.number <= last + len(rows) - most
    connection.execute(table.delete().where(mine, old))
