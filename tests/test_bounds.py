"""What a stranger can fill: each collection of both servers has a bound, and SECURITY.md names it.

The table in SECURITY.md is read here. It must name every container that an object of a server holds, or
the container is among EXCEPTIONS, with the reason. Each constant must have the value that the table
gives. Then both servers are flooded over real sockets, with bounds that are small, and no container
may hold more than its row allows.
"""

import ast
import asyncio
import gc
import importlib
import inspect
import json
import pkgutil
import re
from collections.abc import Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from tornado.httpclient import HTTPClientError, HTTPRequest, HTTPResponse

import pushlab
from pushlab.appserver import app as application_server
from pushlab.appserver import participants, quota
from pushlab.appserver.app import ApplicationServer
from pushlab.appserver.keys import VapidKeys
from pushlab.appserver.web import events
from pushlab.protocol import base64url, p256
from pushlab.pushservice import autopush, broker, mailbox
from pushlab.pushservice.chromium import checkin, mcs
from pushlab.server import connections, limits

from .pushservice.conftest import Bench, Browser, fetch, opened_bench

ROOT = Path(__file__).parent.parent
SERVERS = ("journal", "server", "pushservice", "appserver", "classroom")

EXCEPTIONS = {
    "Event.detail": "what one event says: the routes let in 8 members, of bounded length",
    "VendorResponse.headers": "a constant of the table of flavours",
    "Handler.default_headers": "a constant",
    "PlannedAnswer.headers": "a part of one request to plan an answer, and no longer than it",
    "Batch._waiting": "one change of each user agent with a request under way, for a turn of the loop",
    "Receiver._acknowledging": "the messages of a turn of the loop",
    "Message._numbers": "the fields of a definition, and not of a message that came",
    "BoardRow.exercises": "of the exercises that there are, which no participant adds to",
    "Reporter._waiting": "in a participant's own kernel: 500 MAX_WAITING, and the oldest goes",
    "Run.outcomes": "read from the database to be returned: six names of outcomes",
    "Notification.options": "in the body of one request, and no longer than it",
    "Recorder._noted": "some more than MAX_BEHIND: then no more subscribers are read",
    "ClusterSenders._senders": "one, and those whose notify-all is not over",
    "_Run._pulses": "the workers of a Dask scheduler, which no stranger adds",
    "SharedQueue.shares": "likewise",
    "Pace._expected": "likewise",
    "_Run._tally": "names of outcomes",
    "_Run._written": "the workers of a Dask scheduler, which no stranger adds",
    "WorkerRun._written": "names of outcomes",
    "_Run.not_sent": "no more than there are subscriptions, and until the notify-all has ended",
    "WorkerRun.not_sent": "no more than there are subscriptions, and until the notify-all has ended",
    "GrantedQueue._seen": "the responses of a tenth of a second",
    "Pushlab._servers": "the application servers that share a worker, which no stranger adds",
    "WorkerRun._parts": "as many ranges as Dask gives one worker",
    "WorkerRun._unread": "likewise",
    "_QuietLog._used": "overrides are configured, and no stranger adds any",
    "Worker._sessions": "likewise, one session for each override",
    "Worker._jobs": "one: a worker that is busy gets no further job",
    "OwnNetworks._networks": "this machine's interfaces, which no stranger adds",
}


class Row(NamedTuple):
    """A row of the table: the containers, and the constants of their bound with its numbers."""

    containers: tuple[str, ...]
    bound: dict[str, int]
    answer: str


def table() -> list[Row]:
    section = (
        (ROOT / "SECURITY.md").read_text(encoding="utf-8").split("\n## What a stranger can fill\n")[1]
    )
    rows = []
    for line in section.split("\n\n| collection")[1].split("\n\n")[0].splitlines()[2:]:
        collection, bound, answer = (cell.strip() for cell in line.strip("|").split(" | "))
        constants = re.findall(r"([0-9,]+) `(\w+)`", bound)
        numbers = {name: int(number.replace(",", "")) for number, name in constants}
        rows.append(Row(tuple(re.findall(r"`(\w+\.\w+)`", collection)), numbers, answer))
    return rows


# --- every container is in the table --------------------------------------------------------------

CONTAINERS = {
    "dict", "list", "set", "deque", "OrderedDict", "defaultdict", "Counter", "bytearray",
    "SimpleQueue", "Queue", "PriorityQueue", "WeakSet", "WeakKeyDictionary", "WeakValueDictionary",
}  # fmt: skip
DISPLAYS = (ast.Dict, ast.List, ast.Set, ast.DictComp, ast.ListComp, ast.SetComp)


def name_of(node: ast.AST | None) -> str:
    """Return the last name of ``collections.deque[int]``, of a call of it, and so on."""
    while isinstance(node, ast.Subscript | ast.Call):
        node = node.value if isinstance(node, ast.Subscript) else node.func
    return getattr(node, "attr", getattr(node, "id", ""))


def makes_a_container(value: ast.AST | None) -> bool:
    if isinstance(value, ast.Call) and name_of(value) == "field":
        return any(k.arg == "default_factory" and name_of(k.value) in CONTAINERS for k in value.keywords)
    return isinstance(value, DISPLAYS) or (isinstance(value, ast.Call) and name_of(value) in CONTAINERS)


def assigned(statement: ast.AST) -> Iterator[tuple[ast.AST, bool]]:
    """Yield each target of an assignment, and whether a container is assigned to it."""
    if isinstance(statement, ast.AnnAssign):
        annotated = name_of(statement.annotation) in CONTAINERS
        yield (
            statement.target,
            bool(statement.value) and (annotated or makes_a_container(statement.value)),
        )
    for target in statement.targets if isinstance(statement, ast.Assign) else ():
        if isinstance(target, ast.Tuple) and isinstance(statement.value, ast.Tuple):
            pairs = zip(target.elts, statement.value.elts, strict=True)
            yield from ((one, makes_a_container(value)) for one, value in pairs)
        else:
            yield target, makes_a_container(statement.value)


def containers(source: str) -> set[str]:
    """Return the attributes of a module's classes that are containers, as ``Class.attribute``."""
    found = set()
    for one in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)):
        for statement in ast.walk(one):
            for target, is_container in assigned(statement):
                mine = isinstance(target, ast.Attribute) and name_of(target.value) == "self"
                if is_container and (mine or (statement in one.body and isinstance(target, ast.Name))):
                    found.add(f"{one.name}.{name_of(target)}")
    return found


def sources() -> Iterator[Path]:
    yield ROOT / "pushlab" / "journal.py"
    for name in SERVERS[1:]:
        yield from sorted((ROOT / "pushlab" / name).rglob("*.py"))


def test_every_container_of_both_servers_is_in_the_table_or_an_exception_with_a_reason():
    found = set().union(*(containers(path.read_text(encoding="utf-8")) for path in sources()))
    named = [name for row in table() for name in row.containers]
    assert len(named) == len(set(named)), "a container is in two rows"
    assert set(named) & set(EXCEPTIONS) == set()
    assert found - set(named) - set(EXCEPTIONS) == set(), "add a bound and a row to SECURITY.md"
    assert (set(named) | set(EXCEPTIONS)) - found == set(), "these are gone"
    assert all(row.answer for row in table())


def test_a_new_container_would_be_found():
    source = """
class Door:
    known: dict[str, int] = field(default_factory=dict)
    def __init__(self):
        self.guests: list[str] = []
        self.a, self.b = 1, collections.deque()
        self.c = {one: two for one, two in ()}
        self.number = len([])
"""
    assert containers(source) == {"Door.known", "Door.guests", "Door.b", "Door.c"}


def test_every_cache_of_both_servers_has_a_bound():
    unbounded = {"_created", "_in_any_order", "_sentence"}  # Their arguments are constants of our own.
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for decorator in node.decorator_list:
                    if "cache" in name_of(decorator) and "maxsize=" not in ast.unparse(decorator):
                        assert node.name in unbounded, f"{path}: {node.name}"


# --- the bounds are those of the table ------------------------------------------------------------


def constants() -> dict[str, set[int]]:
    """Return the whole numbers that the servers' modules define, and the defaults of parameters."""
    found: dict[str, set[int]] = {}
    for info in pkgutil.walk_packages(pushlab.__path__, "pushlab."):
        if info.name.split(".")[1] not in SERVERS:
            continue
        module = importlib.import_module(info.name)
        for name, value in vars(module).items():
            if isinstance(value, int):
                found.setdefault(name, set()).add(value)
            if inspect.isclass(value) and value.__module__ == info.name:
                for parameter in inspect.signature(value.__init__).parameters.values():
                    if type(parameter.default) is int:
                        found.setdefault(parameter.name, set()).add(parameter.default)
    return found


def test_the_numbers_of_the_table_are_those_of_the_code():
    known = constants()
    for row in table():
        assert row.bound, row
        for name, number in row.bound.items():
            assert number in known.get(name, ()), f"{name} is {known.get(name)}, and not {number}"


# --- a flood ----------------------------------------------------------------------------------------

SMALL = [
    (mailbox, "MAX_SUBSCRIPTIONS", 12), (mailbox, "MAX_CHANNELS", 4), (mailbox, "MAX_GONE", 5),
    (mailbox, "MAX_MESSAGES", 20), (autopush, "MAX_CONNECTIONS", 6), (broker, "MAX_EXPECTED", 6),
    (broker, "MAX_WINDOW", 9),
    (mcs, "MAX_WINDOW", 9), (mcs.McsConnection, "window", 9),
    (checkin, "MAX_BROWSERS", 5), (connections, "MAX_INCOMING", 60), (limits, "MAX_REFUSALS", 3),
    (events, "MAX_STREAMS", 4), (participants, "MAX_REMEMBERED", 5),
    (quota, "MAX_SUBSCRIPTIONS", 8), (application_server, "MAX_NOTIFY_ALLS", 2),
]  # fmt: skip
MESSAGE_LIMIT = 8


def objects() -> list[object]:
    """Return the objects of pushlab's classes that are alive."""
    return [one for one in gc.get_objects() if str(type(one).__module__).startswith("pushlab.")]


def sizes(names: set[str], older: list[object]) -> dict[str, int]:
    """Return the length of the longest container of each name, of objects that are not ``older``."""
    found, left_out = dict.fromkeys(names, 0), set(map(id, older))
    for one in objects():
        if id(one) in left_out:
            continue
        for kind in type(one).__mro__:
            for name in names:
                holder, _, attribute = name.partition(".")
                if holder == kind.__name__ and hasattr(one, attribute):
                    found[name] = max(found[name], len(getattr(one, attribute)))
    return found


class Flood:
    """Strangers at both servers, who stay connected until the end."""

    def __init__(self, bench: Bench, server: ApplicationServer):
        self.bench, self.server, self.sender = bench, server, bench.sender()
        self.open: list[asyncio.StreamWriter] = []
        self.waiting: list[asyncio.Task] = []

    async def connect(self, port: int, data: bytes = b"") -> asyncio.StreamReader:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        self.open.append(writer)
        writer.write(data)
        return reader

    async def statuses(self, port: int, data: bytes, times: int) -> list[int]:
        """Open connections, send the same on each, and return the statuses of the answers."""
        readers = [await self.connect(port, data) for _ in range(times)]
        return [int((await reader.readline()).split()[1]) for reader in readers]

    async def post(self, path: str, value: dict) -> HTTPResponse:
        headers = {"Content-Type": "application/json"}
        body = json.dumps(value)
        request = HTTPRequest(self.server.url + path, "POST", headers, body, request_timeout=0)
        return await fetch(request)

    async def close(self) -> None:
        for task in self.waiting:
            task.cancel()
        await asyncio.gather(*self.waiting, return_exceptions=True)
        for writer in self.open:
            await cut(writer)

    # --- at the push service ---

    async def fill_mailbox(self) -> None:
        bench, sender = self.bench, self.sender
        browser = await bench.browser()
        subscription = await browser.subscribe(sender.key)
        await browser.log_in()
        await self.messages(subscription)
        agents = [await bench.user_agent() for _ in range(6)]
        with pytest.raises(HTTPClientError, match="503"):
            await bench.stranger()
        for agent in agents[:2]:
            endpoint = await agent.subscribe(sender.key, "0")
            statuses = [(await agent.register(str(n), sender.key))["status"] for n in range(1, 6)]
            assert statuses == [200, 200, 200, 503, 503], "MAX_CHANNELS"
            await self.messages(endpoint)
        statuses = [(await agents[3].register(str(n)))["status"] for n in range(4)]
        assert statuses == [200, 200, 200, 503], "MAX_SUBSCRIPTIONS"
        for number in range(10):
            await agents[3].say({"messageType": "unregister", "channelID": "0"})
            assert (await agents[3].hear())["status"] == 200, number
            assert (await agents[3].register("0"))["status"] == 200, number

    async def messages(self, subscription) -> None:
        """Send more than may wait, and more than anybody acknowledges, in each of three ways."""
        for _ in range(2 * MESSAGE_LIMIT):  # Each replaces the one before, and is sent at once.
            assert (await self.sender.send(subscription, b"news", topic="news")).code == 201
        answers = [(await self.sender.send(subscription, b"x")).code for _ in range(MESSAGE_LIMIT + 2)]
        assert answers[-1] == 429 and answers[0] == 201
        for _ in range(10):
            assert (await self.sender.send(subscription, b"now", ttl=0)).code == 201
            answers.append((await self.sender.send(subscription, b"news", topic="news")).code)
        assert set(answers) == {201, 429}

    async def fill_browsers(self) -> None:
        for _ in range(8):
            await Browser(self.bench.service.chromium, "HeadlessChrome/156.0.0.0").check_in()

    # --- at the application server ---

    async def fill_subscriptions(self, origin: str) -> None:
        key = p256.raw_public(ec.generate_private_key(p256.CURVE).public_key())
        keys = {"p256dh": base64url.encode(key), "auth": base64url.encode(bytes(16))}
        made_up = [{"endpoint": f"{origin}/{number}", "keys": keys} for number in range(10)]
        answers = [(await self.post("add-subscription", one)).code for one in made_up]
        assert answers == [201] * 8 + [503] * 2

    async def fill_streams(self) -> None:
        head = b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"
        assert await self.statuses(self.server.port, head, 6) == [200] * 4 + [503] * 2

    async def fill_notify_alls(self) -> None:
        self.waiting = [asyncio.create_task(self.post("notify-all", {})) for _ in range(6)]
        for answered in asyncio.as_completed(self.waiting):
            assert (await answered).code == 429  # The first two wait for their push service.
            if sum(task.done() for task in self.waiting) == 4:
                return

    async def fill_journal(self) -> None:
        requests = b"GET /vapid HTTP/1.1\r\nHost: localhost\r\n\r\n" * 1200
        reader = await self.connect(self.server.port, requests)
        for _ in range(1200):
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(87)

    async def fill_connections(self) -> None:
        mcs = int(self.bench.service.chromium.mcs_url.rpartition(":")[2])
        for port in (self.server.port, mcs, self.bench.service.port):
            for _ in range(50):
                await self.connect(port)
        # The last one is refused, so all that came before it have been accepted or refused.
        reader = await self.connect(self.server.port)
        assert (await reader.read()).startswith((b"HTTP/1.1 503", b""))


async def cut(writer: asyncio.StreamWriter) -> None:
    """End a connection, and wait until its socket is closed."""
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()


@asynccontextmanager
async def flood():
    async def never_answers(reader, writer):
        held.append(writer)

    held: list[asyncio.StreamWriter] = []
    silent = await asyncio.start_server(never_answers, "127.0.0.1", 0)
    origin = f"http://127.0.0.1:{silent.sockets[0].getsockname()[1]}"
    async with opened_bench(message_limit=MESSAGE_LIMIT) as bench:
        server = ApplicationServer(
            keys=VapidKeys.generate(), journal=bench.journal, allowed_origins=[origin]
        )
        await server.start()
        flood = Flood(bench, server)
        try:
            yield flood, origin
        finally:
            await flood.close()
            await server.stop()
            silent.close()
            for writer in held:
                await cut(writer)


def test_a_flood_fills_nothing_beyond_its_row(run, monkeypatch):
    for module, name, value in SMALL:
        monkeypatch.setattr(module, name, value)
    older = objects()  # Other tests of this process have left some, with larger bounds.

    async def scenario():
        async with flood() as (strangers, origin):
            await strangers.fill_mailbox()
            await strangers.fill_browsers()
            await strangers.fill_subscriptions(origin)
            await strangers.fill_journal()
            await strangers.fill_streams()
            await strangers.fill_notify_alls()
            await strangers.fill_connections()
            rows = table()
            found = sizes({name for row in rows for name in row.containers}, older)
        known = constants() | {"message_limit": {MESSAGE_LIMIT}}
        for row in rows:
            most = sum(max(known[name]) for name in row.bound)
            for name in row.containers:
                assert found[name] <= most, f"{name} holds {found[name]}, over {most}"
        # The flood was one: these are full, to the last.
        assert {name: found[name] for name in FULL} == FULL

    run(scenario())


FULL = {
    "Mailbox._subscriptions": 12, "Mailbox._gone": 5, "Mailbox._messages": 20,
    "McsConnection._unacknowledged": 9,
    "PushService._connections": 6, "OutboundQueue._expected": 6, "Browsers._tokens": 5,
    "Browsers._names": 5, "ApplicationServer.streams": 4, "Participants._known": 5,
    "BroadcastSender._broadcasts": 2, "Journal._events": 1000,
}  # fmt: skip
