"""The routes of a class, at the instructor's application server.

A participant proves who they are with the secret of ``POST /class/join``, the instructor with the token
of the room; both as ``Authorization: Bearer``. What a participant sends is read as a stranger's.
"""

import asyncio
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from tornado.http1connection import HTTP1Connection

from pushlab.appserver.web.events import EventStream
from pushlab.appserver.web.guard import bearer
from pushlab.appserver.web.handler import Handler
from pushlab.classroom.attempt import AT_ONCE, ReceivedAttempt
from pushlab.classroom.export import FORMATS
from pushlab.classroom.records import TITLE, Nudge
from pushlab.errors import BadField, NotInClass
from pushlab.server.stream import BoundedStream

if TYPE_CHECKING:
    from pushlab.classroom.classroom import Classroom

NUDGE_WAIT = 25.0
"""Seconds for which a request waits for a nudge: less than a proxy lets a connection be idle."""

OUTCOMES = {"sent", "no browser", "failed"}
"""What can become of a nudge at the participant's lab."""

PAUSE = 0.5
"""Seconds between two boards on a stream: thirty people may solve an exercise at once."""

FILES = {"csv": "text/csv; charset=utf-8", "json": "application/json; charset=utf-8"}


def routes(classroom: "Classroom", server: Any) -> list[tuple]:
    """Return the routes of a class for an application server."""
    arguments = {"server": server, "classroom": classroom}
    waiting: dict[int, NudgesHandler] = {}
    return [
        (r"/class", BoardHandler, arguments),
        (r"/class/events", BoardEventsHandler, arguments),
        (r"/class/export", ExportHandler, arguments),
        (r"/class/nudge", NudgeHandler, arguments),
        (r"/class/remove", RemoveHandler, arguments),
        (r"/class/delete", DeleteHandler, arguments),
        (r"/class/join", JoinHandler, arguments),
        (r"/class/attempts", AttemptsHandler, arguments),
        (r"/class/mine", MineHandler, arguments),
        (r"/class/leave", LeaveHandler, arguments),
        (r"/class/nudges", NudgesHandler, arguments | {"waiting": waiting}),
    ]


class ClassHandler(Handler):
    """The base of these routes."""

    def initialize(  # type: ignore[override]  # Its further argument comes from routes().
        self, server: Any, classroom: "Classroom"
    ) -> None:
        super().initialize(server)
        self.classroom = classroom

    async def participant(self) -> int:
        """Return the number of the participant who sends this. Raises NotInClass."""
        secret = bearer(self.request.headers.get("Authorization", ""))
        if not secret:
            raise NotInClass
        return await asyncio.to_thread(self.classroom.records.participant, secret)


# --- the instructor -------------------------------------------------------------------------------


class BoardHandler(ClassHandler):
    """``GET /class``: the board."""

    instructor_only = True

    async def get(self) -> None:
        board = await asyncio.to_thread(self.classroom.board)
        self.succeed(board=board.to_json())


class BoardEventsHandler(EventStream, ClassHandler):
    """``GET /class/events``: the board now, and at each change."""

    pause = PAUSE

    def subscribe(self, tell: Callable[..., None]) -> Callable[[], None]:
        return self.classroom.changed.subscribe(tell)

    async def news(self) -> str:
        board = await asyncio.to_thread(self.classroom.board)
        return f"data: {json.dumps(board.to_json())}\n\n"


class ExportHandler(ClassHandler):
    """``GET /class/export?format=csv`` or ``json``: every attempt that is kept."""

    instructor_only = True

    async def get(self) -> None:
        form = self.get_query_argument("format", "csv")
        if form not in FORMATS:
            raise BadField("format is neither csv nor json")
        text = await asyncio.to_thread(self.classroom.export, form)
        self.set_header("Content-Type", FILES[form])
        self.set_header("Content-Disposition", f'attachment; filename="class.{form}"')
        self.finish(text)


class NudgeHandler(ClassHandler):
    """``POST /class/nudge``: a push message to some participants, or to all who are stuck."""

    recorded = instructor_only = True

    async def post(self) -> None:
        request = self.json()
        body, title = request.get("body"), request.get("title", TITLE)
        if not isinstance(body, str) or not isinstance(title, str):
            raise BadField("title or body is missing, or not text")
        to = "stuck" if request.get("stuck") is True else request.get("participants")
        if to != "stuck" and not (isinstance(to, list) and all(type(one) is int for one in to)):
            raise BadField("give stuck, which is true, or participants, an array of numbers")
        count = await asyncio.to_thread(self.classroom.nudge, body, to=to, title=title)
        self.record(participants=count)
        self.succeed(participants=count)


class RemoveHandler(ClassHandler):
    """``POST /class/remove``: one participant, and all that is kept of them."""

    recorded = instructor_only = True

    async def post(self) -> None:
        number = self.json().get("number")
        if type(number) is not int:
            raise BadField("number is missing, or no whole number")
        await asyncio.to_thread(self.classroom.remove, number)
        self.record(status=200)
        self.succeed()


class DeleteHandler(ClassHandler):
    """``POST /class/delete``: the whole class."""

    recorded = instructor_only = True

    async def post(self) -> None:
        self.json()
        await asyncio.to_thread(self.classroom.delete)
        self.record(status=200)
        self.succeed()


# --- a participant --------------------------------------------------------------------------------


class JoinHandler(ClassHandler):
    """``POST /class/join``: a new participant. The answer has the secret, once."""

    recorded = True

    async def post(self) -> None:
        joined = await asyncio.to_thread(self.classroom.join, self.json().get("name"))
        self.set_status(201)
        self.record(status=201)
        self.succeed(**joined._asdict())


class AttemptsHandler(ClassHandler):
    """``POST /class/attempts``: what the participant's checks have said."""

    async def post(self) -> None:
        participant = await self.participant()
        sent = self.json().get("attempts")
        if not isinstance(sent, list) or len(sent) > AT_ONCE:
            raise BadField(f"attempts is not an array of at most {AT_ONCE}")
        attempts = [ReceivedAttempt.from_json(one) for one in sent]
        new = await asyncio.to_thread(self.classroom.record, participant, attempts)
        self.succeed(recorded=new)


class MineHandler(ClassHandler):
    """``GET /class/mine``: all that is kept of the participant."""

    async def get(self) -> None:
        participant = await self.participant()
        self.succeed(**await asyncio.to_thread(self.classroom.records.mine, participant))


class LeaveHandler(ClassHandler):
    """``POST /class/leave``: delete the participant, and all that is kept of them."""

    recorded = True

    async def post(self) -> None:
        participant = await self.participant()
        await asyncio.to_thread(self.classroom.remove, participant)
        self.record(status=200)
        self.succeed()


class NudgesHandler(ClassHandler):
    """``GET /class/nudges``: the next nudge, as soon as there is one. ``POST``: what became of it.

    A participant has one request that waits. A further one ends it.
    """

    def initialize(  # type: ignore[override]  # Its one further argument comes from routes().
        self, server: Any, classroom: "Classroom", waiting: "dict[int, NudgesHandler]"
    ) -> None:
        super().initialize(server, classroom)
        self._waiting, self._news, self._is_over = waiting, asyncio.Event(), False

    async def get(self) -> None:
        after = self.get_query_argument("after", "0")
        if not (after.isascii() and after.isdecimal() and len(after) < 16):
            raise BadField("after is not a number")
        participant = await self.participant()
        if older := self._waiting.get(participant):
            older.end()
        self._waiting[participant] = self
        connection = cast(HTTP1Connection, self.request.connection)
        cast(BoundedStream, connection.stream).ends_with_input = True
        loop = asyncio.get_running_loop()

        def tell() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._news.set)

        leave = self.classroom.nudged.subscribe(tell)
        try:
            nudge = await self._next(participant, int(after))
        finally:
            leave()
            if self._waiting.get(participant) is self:
                del self._waiting[participant]
        self.succeed(nudge=nudge and nudge._asdict())

    async def post(self) -> None:
        participant = await self.participant()
        request = self.json()
        number, outcome = request.get("number"), request.get("outcome")
        if type(number) is not int or outcome not in OUTCOMES:
            raise BadField("number or outcome is missing, or of another kind")
        await asyncio.to_thread(self.classroom.note_outcome, participant, number, outcome)
        self.succeed()

    def end(self) -> None:
        """Answer now, whatever is there."""
        self._is_over = True
        self._news.set()

    def on_connection_close(self) -> None:
        super().on_connection_close()
        self.end()

    async def _next(self, participant: int, after: int) -> Nudge | None:
        try:
            async with asyncio.timeout(NUDGE_WAIT):
                while True:
                    self._news.clear()
                    nudge = await asyncio.to_thread(self.classroom.next_nudge, participant, after)
                    if nudge or self._is_over:
                        return nudge
                    await self._news.wait()
        except TimeoutError:
            return None
