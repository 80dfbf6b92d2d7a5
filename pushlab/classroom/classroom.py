"""The classroom of one application server: its records, and whoever wants to know when they change.

The instructor's notebook, the panel and the routes call the same methods, from any thread. A call may
wait for the database, so an event loop runs it in a thread.
"""

import threading
import time
from collections.abc import Callable, Collection

from pushlab.appserver.app import ApplicationServer
from pushlab.appserver.store import SubscriptionStore
from pushlab.classroom.attempt import ReceivedAttempt
from pushlab.classroom.board import Board, board_of
from pushlab.classroom.export import FORMATS
from pushlab.classroom.rate import RateLimiter
from pushlab.classroom.records import MAX_BODY, MAX_TITLE, TITLE, ClassRecords, NewParticipant, Nudge
from pushlab.classroom.routes import routes
from pushlab.errors import BadArgument, BadField, LabStopped
from pushlab.text import one_line

JOINING = 0
"""The number under which joins are counted. No participant has it."""

Tell = Callable[[], None]


class Signal:
    """Tell others that something has changed. ``give`` calls each of them in its own thread."""

    def __init__(self) -> None:
        self._listeners: set[Tell] = set()
        self._lock = threading.Lock()

    def subscribe(self, tell: Tell) -> Tell:
        """Call ``tell`` at each change, in any thread; it returns at once. Return what ends this."""
        with self._lock:
            self._listeners.add(tell)
        return lambda: self._leave(tell)

    def give(self) -> None:
        """Call everybody who has subscribed."""
        with self._lock:
            listeners = list(self._listeners)
        for tell in listeners:
            tell()

    def _leave(self, tell: Tell) -> None:
        with self._lock:
            self._listeners.discard(tell)


class Classroom:
    """A class. ``open`` is called when its server starts. ``clock`` gives seconds since 1970.

    ``changed`` is given after each change of the board, ``nudged`` after a nudge.
    """

    def __init__(self, clock: Callable[[], float] = time.time):
        self._clock = clock
        self._records: ClassRecords | None = None
        self._rates = RateLimiter()
        self.changed, self.nudged = Signal(), Signal()

    def open(self, store: SubscriptionStore) -> None:
        """Take the tables in this store's database. Raises UnableToReadDatabase."""
        self._records = ClassRecords(store, self._clock)

    def routes(self, server: ApplicationServer) -> list[tuple]:
        """Return the routes of the class."""
        return routes(self, server)

    @property
    def records(self) -> ClassRecords:
        """The records. Raises LabStopped before the server's first start."""
        if self._records is None:
            raise LabStopped
        return self._records

    # --- the instructor --------------------------------------------------------------------------

    def board(self) -> Board:
        """Return the board as it is now."""
        return board_of(self.records.snapshot(), self._clock())

    def nudge(self, body: str, *, to: int | Collection[int] | str = "stuck", title: str = TITLE) -> int:
        """Ask participants' labs to send a push message to their browsers; return how many there are.

        ``to``: the number of a participant on the board, several of them, or ``"stuck"``. Raises
        BadField for an empty body.
        """
        title, body = one_line(title)[:MAX_TITLE], one_line(body)[:MAX_BODY]
        if not body:
            raise BadField("body is missing, or nothing of it can be shown")
        if to == "stuck":
            to = self.board().stuck
        elif isinstance(to, str):
            raise BadArgument(f"to is {to!r}, and there are 'stuck' and the numbers of participants")
        numbers = [to] if isinstance(to, int) else to
        count = self.records.nudge(numbers, title or TITLE, body)
        self.nudged.give()
        self.changed.give()
        return count

    def export(self, form: str = "csv") -> str:
        """Return every attempt that is kept, as text: ``"csv"`` or ``"json"``. Raises BadArgument."""
        if form not in FORMATS:
            raise BadArgument(f"the format is {form!r}, and there are csv and json")
        return FORMATS[form](self.records.history())

    def remove(self, number: int) -> None:
        """Delete one participant, and all that is kept of them. Raises UnknownParticipant."""
        self.records.remove(number)
        self._left()

    def delete(self) -> None:
        """Delete the whole class: every participant, and all that is kept of them."""
        self.records.delete_all()
        self._left()

    # --- a participant ---------------------------------------------------------------------------

    def join(self, name: object) -> NewParticipant:
        """Add a participant. Raises BadField, ClassFull, TooManyRequests."""
        self._rates.take(JOINING, 2)
        joined = self.records.join(name)
        self.changed.give()
        return joined

    def record(self, participant: int, attempts: Collection[ReceivedAttempt]) -> int:
        """Record a participant's attempts, and return how many were new.

        Raises NotInClass, and TooManyRequests, with a time to wait, if they are too many.
        """
        self._rates.take(participant, len(attempts))
        new = self.records.record(participant, attempts)
        if new:
            self.changed.give()
        return new

    def next_nudge(self, participant: int, after: int) -> Nudge | None:
        """Return the oldest nudge above ``after`` that waits for a participant. Raises NotInClass."""
        return self.records.next_nudge(participant, after)

    def note_outcome(self, participant: int, number: int, outcome: str) -> None:
        """Note what became of a participant's nudge."""
        self.records.nudged(participant, number, outcome)
        self.changed.give()

    def _left(self) -> None:
        self.changed.give()
        self.nudged.give()  # Whoever waits for a nudge hears that they are in no class any more.
