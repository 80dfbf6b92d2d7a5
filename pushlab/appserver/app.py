"""The application server as one object: its parts, and what can be done with them.

The routes, a notebook and a test call the same methods.
"""

import asyncio
import itertools
import socket
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import Protocol
from urllib.parse import urlsplit

from sqlalchemy import URL

from pushlab.appserver.broadcast.cluster.connection import Connection
from pushlab.appserver.broadcast.cluster.options import (
    Cluster,
    Processes,
    checked_cluster,
    checked_processes,
)
from pushlab.appserver.broadcast.cluster.orders import Equipment, Order, shared_database
from pushlab.appserver.broadcast.cluster.sender import ClusterSender
from pushlab.appserver.broadcast.cluster.senders import ClusterSenders
from pushlab.appserver.broadcast.outage import outlast
from pushlab.appserver.broadcast.runs import RUNS_KEPT, Run, not_accepted
from pushlab.appserver.broadcast.sender import BroadcastSender, Counts
from pushlab.appserver.delivery.clients import ClientName, checked_sender, push_client
from pushlab.appserver.delivery.egress import ConnectOverride
from pushlab.appserver.delivery.sender import Sender
from pushlab.appserver.explain.outcome import Outcome
from pushlab.appserver.keys import VapidKeys
from pushlab.appserver.notification import Notification
from pushlab.appserver.participants import MAX_REMEMBERED, Participant, Participants
from pushlab.appserver.presence import PresenceClient
from pushlab.appserver.quota import SubscriptionQuota
from pushlab.appserver.store import StoredSubscription, SubscriptionStore
from pushlab.appserver.web.application import application, private
from pushlab.appserver.web.certificate import Certificate
from pushlab.appserver.web.events import EventStream
from pushlab.appserver.web.guard import Guard
from pushlab.appserver.web.guesses import BURST, GuessLimiter
from pushlab.appserver.web.instructor import InstructorAccess
from pushlab.errors import (
    LabStopped,
    NoSubscriptions,
    TooManyRequests,
    UnknownSubscription,
)
from pushlab.journal import Journal, Party
from pushlab.protocol import base64url, origin
from pushlab.protocol.delivery import PushOptions
from pushlab.protocol.subscription import PushSubscription
from pushlab.server.http import listen, log
from pushlab.server.limits import BoundedHTTPServer

MAX_NOTIFY_ALLS = RUNS_KEPT
"""Notify-alls that may be under way at one time. ``Runs`` forgets none of them before its end."""

STREAM_END_TIMEOUT = 1
"""Seconds that open event streams have to send their last events when the server stops."""


class Extension(Protocol):
    """Further routes of the server, with tables of their own in its database."""

    def open(self, store: SubscriptionStore) -> None:
        """Begin to use the database: the server starts."""

    def routes(self, server: "ApplicationServer") -> list[tuple]:
        """Return the routes, as Tornado's Application takes them."""
        raise NotImplementedError


class ApplicationServer:
    """Serve the page, keep subscriptions, send to them.

    ``database``: SQLAlchemy's URL; by default in memory, and forgotten at ``stop``.
    ``push_origins``: the lab's own push services, which may use plain http and write the same
    ``journal``. ``allowed_origins``: others that may use plain http. Only these two may have an
    address that is not public. ``connect_overrides``: which endpoints at a vendor's host are the
    lab's, and where they are sent. ``sender``: our own code, or pywebpush. ``clock``: gives seconds
    since 1970. ``instructor_token``: if there is one, the routes of an instructor ask for it.
    ``certificate``: with one the page is served by https. ``processes`` and ``cluster``: a notify-all
    is sent by so many processes, or by the workers of a Dask scheduler. ``extension``: further routes,
    such as those of a class. With a ``secret`` everything at the port is below ``/SECRET/`` (see
    ``private``), and ``push_secret`` is that of the lab's own push services. A stopped server may be
    started again.
    ``store``, ``sender``, ``broadcast_sender`` and ``access`` exist from start() on.

    >>> async def example():
    ...     server = ApplicationServer(keys=VapidKeys.generate())
    ...     await server.start()
    ...     print(server.url == f"http://127.0.0.1:{server.port}/")
    ...     await server.stop()
    >>> asyncio.run(example())
    True
    """

    access: InstructorAccess
    store: SubscriptionStore
    sender: Sender
    broadcast_sender: BroadcastSender

    def __init__(
        self,
        *,
        keys: VapidKeys,
        database: str | URL = "sqlite://",
        journal: Journal | None = None,
        push_origins: Collection[str] = (),
        allowed_origins: Collection[str] = (),
        connect_overrides: Sequence[ConnectOverride] = (),
        sender: ClientName = "pushlab",
        clock: Callable[[], float] = time.time,
        instructor_token: str | None = None,
        certificate: Certificate | None = None,
        processes: Processes | None = None,
        cluster: str | Cluster | None = None,
        extension: Extension | None = None,
        secret: str = "",
        push_secret: str = "",
    ):
        self.keys = keys
        self.journal = journal or Journal()
        self.streams: set[EventStream] = set()
        self._database = database
        self._push_origins = tuple(push_origins)
        self._allowed_origins = (*push_origins, *allowed_origins)
        self.connect_overrides = tuple(connect_overrides)
        self._sender_name = checked_sender(sender)
        self._clock = clock
        self._certificate = certificate
        self._workers = checked_cluster(cluster) or checked_processes(processes)
        if self._workers is not None:  # Refused now, and not in the night of the first notify-all.
            shared_database(database, self._workers)
        self._cluster_senders = ClusterSenders(self._cluster_sender)
        self._extension = extension
        self._numbers = itertools.count(1)
        self._notify_alls = 0
        self._instructor_token = instructor_token
        self.room = Participants(clock)
        self._path, self._push_path = (one and f"/{one}" for one in (secret, push_secret))
        self._presence = PresenceClient(self._push_origins, self.connect_overrides, self._push_path)
        self._host, self._port = "127.0.0.1", None
        self._undo = AsyncExitStack()

    # --- life ----------------------------------------------------------------------------------

    async def start(
        self, port: int = 0, host: str = "127.0.0.1", page_socket: socket.socket | None = None
    ) -> None:
        """Listen at a TCP port (0: any free one), and at ``page_socket``, which asks for no secret.

        It is a Unix socket that listens already and that only this user can open. The caller closes it.
        If anything fails, all that has been opened is closed again. Raises PortTaken, BadPort, and
        what opening a database raises (see ``database.connect``).
        """
        async with AsyncExitStack() as undo:
            listener = undo.enter_context(listen(port, host))
            self.store = SubscriptionStore(self._database, self._allowed_origins, self._clock)
            undo.push_async_callback(asyncio.to_thread, self.store.close)
            self._quota = SubscriptionQuota(self.store.count)
            if self._extension:
                self._extension.open(self.store)
            undo.callback(self._presence.close)
            self._host, self._port = host, listener.getsockname()[1]
            tls = self._certificate and self._certificate.context
            guesses = GuessLimiter(self._tell_of_guesses)
            self.access = InstructorAccess(guesses)
            host = urlsplit(self.url).hostname or ""
            token = self._instructor_token
            self.guard = Guard(host, token, guesses, self.access.is_session)
            inside = application(self, self._extension.routes(self) if self._extension else ())
            at_port = BoundedHTTPServer(private(inside, self._path), ssl_options=tls)
            servers = {listener: at_port}
            if page_socket is not None:
                servers[page_socket] = BoundedHTTPServer(inside)
            for server in servers.values():
                undo.push_async_callback(server.close_all_connections)
            undo.push_async_callback(self._end_streams)
            self.sender = self._sender()
            undo.push_async_callback(self.sender.close)
            self.broadcast_sender = BroadcastSender(self.sender)
            undo.push_async_callback(self.broadcast_sender.close)
            self._cluster_senders = ClusterSenders(self._cluster_sender)
            undo.push_async_callback(self._cluster_senders.close)
            for listening, server in servers.items():
                undo.callback(server.stop)
                server.add_socket(listening)
            self._undo = undo.pop_all()

    async def stop(self) -> None:
        """End every message under way and every stream; close connections, port and database.

        This undoes what ``start`` did, the last step first; if a step fails, the others follow.
        Calls that are made meanwhile raise LabStopped or DatabaseClosed. Calling it twice is
        harmless.
        """
        undo, self._undo = self._undo, AsyncExitStack()
        await undo.aclose()

    async def _end_streams(self) -> None:
        if streams := list(self.streams):
            for stream in streams:
                stream.end()
            await asyncio.wait([stream.ended for stream in streams], timeout=STREAM_END_TIMEOUT)

    @property
    def port(self) -> int:
        """The TCP port. Raises LabStopped before the first start."""
        if self._port is None:
            raise LabStopped("the application server has not been started")
        return self._port

    @property
    def url(self) -> str:
        """The address of the page."""
        if self._certificate:
            name = self._certificate.name_for(self._host)
            return f"{origin.serialize('https', name, self.port)}{self._path}/"
        return f"{origin.serialize('http', self._host, self.port)}{self._path}/"

    @property
    def push_service_url(self) -> str | None:
        """The WebSocket address of the lab's push service, or None if there is none."""
        first = next(iter(self._push_origins), None)
        return first and f"{first.replace('http', 'ws', 1)}{self._push_path}/"

    # --- what it does --------------------------------------------------------------------------

    def subscribe(
        self, subscription: PushSubscription, display_name: str = "", made_for: bytes | None = None
    ) -> bool:
        """Keep a subscription, and return whether it is new. It may wait for the database.

        ``made_for`` is the application server key with which it was made; without it, this server's.
        One that is known with its keys, and comes again without any, keeps its keys. Raises
        EndpointNotAllowed, TooManySubscriptions, UnableToSaveSubscription, UnableToReadDatabase.
        """
        key = base64url.encode(made_for or self.keys.public)
        known = self.store.get(subscription.endpoint)
        if known and known.subscription.has_keys and not subscription.has_keys:
            subscription = known.subscription
        # A page sends its subscription at each load. The key that it was made for never changes, so
        # the first record of it stays right when the server has been given other keys since.
        if made_for is None and known and known.subscription.p256dh == subscription.p256dh:
            key = known.application_server_key
        if known is None:
            self._quota.take()
        return self.store.save(subscription, key, display_name)

    async def notify(
        self,
        endpoint: str,
        title: str | None = None,
        body: str | None = None,
        options: PushOptions | None = None,
        *,
        notification: Mapping | None = None,
    ) -> Outcome:
        """Send one message to one stored subscription.

        ``notification``: ``{"title", "options"}`` in place of title and body. Raises
        UnknownSubscription, BadField, PlaintextTooLong, UnableToReadDatabase, LabStopped.
        """
        _, payload = self._message(title, body, notification)
        stored = await asyncio.to_thread(self.store.get, endpoint)
        if stored is None:
            raise UnknownSubscription
        return await self.sender.send(stored, payload, options or PushOptions())

    def endpoint_of(self, label: str) -> str:
        """Return the endpoint of the newest subscription with this label.

        Raises UnknownSubscription, UnableToReadDatabase.
        """
        _, stored = self.store.newest(MAX_REMEMBERED)  # More the list of participants does not have.
        for one in reversed(stored):
            if one.subscription.label == label:
                return one.subscription.endpoint
        raise UnknownSubscription

    async def notify_all(
        self,
        title: str | None = None,
        body: str | None = None,
        options: PushOptions | None = None,
        *,
        notification: Mapping | None = None,
        progress: Callable[[Counts], None] | None = None,
        resume: int | None = None,
        processes: Processes | None = None,
    ) -> Counts:
        """Send one message to every stored subscription.

        ``notification``: ``{"title", "options"}`` in place of title and body; ``progress`` is
        called with the counts so far. ``resume`` is the run of a notify-all that was killed, and
        the message must be the same: a subscription recorded as accepted is not sent to again, and
        the last ones before the kill, which have no record yet, may get the message twice.
        ``processes``: how many send, if not as many as this server usually has; they stay for the next
        notify-all. Raises NoSubscriptions, BadField, PlaintextTooLong, UnableToReadDatabase,
        UnableToWriteDatabase, LabStopped, ClusterError, RunUnderWay (this server sends the resumed one
        already), and TooManyRequests if MAX_NOTIFY_ALLS are under way.
        """
        workers = self._workers if processes is None else checked_processes(processes)
        with self._counting_notify_alls():
            number = None
            if resume is not None:
                number = (await asyncio.to_thread(self.broadcast_sender.runs.get, resume)).number
            number, payload = self._message(title, body, notification, number)
            if not await asyncio.to_thread(self.store.count):
                raise NoSubscriptions
            sender: BroadcastSender | ClusterSender = self.broadcast_sender
            if workers is not None:
                sender = await self._cluster_senders.sender(workers)
            counts = await sender.send_all(
                payload, options or PushOptions(), progress, run=resume, number=number
            )
            return replace(counts, id=number)

    async def _tell_participants(self, order: Order) -> None:
        """Note whom a message is sent to: the workers have a memory of their own.

        After a resume these are only those who have not accepted it. Raises UnableToReadDatabase.
        """
        left = partial(self.store.newest, MAX_REMEMBERED, not_accepted(order.run))
        _, stored = await outlast(left)
        for one in stored:
            # Without keys nothing can be encrypted, and the message goes without its payload.
            payload = order.payload if one.subscription.has_keys else None
            self.room.sending(one.subscription.endpoint, payload)

    def worker_pids(self) -> list[int]:
        """Return the process numbers of the workers that this server has started."""
        return self._cluster_senders.worker_pids

    @contextmanager
    def _counting_notify_alls(self) -> Iterator[None]:
        if self._notify_alls >= MAX_NOTIFY_ALLS:
            raise TooManyRequests(f"{MAX_NOTIFY_ALLS} notify-alls are under way")
        self._notify_alls += 1
        try:
            yield
        finally:
            self._notify_alls -= 1

    def runs(self) -> list[Run]:
        """Return what is recorded of the last notify-alls. Raises UnableToReadDatabase."""
        return self.broadcast_sender.runs.all()

    async def subscriptions(self) -> list[StoredSubscription]:
        """Return every subscription, oldest first. Raises UnableToReadDatabase."""
        return await asyncio.to_thread(lambda: list(self.store.all()))

    def _message(
        self,
        title: str | None,
        body: str | None,
        notification: Mapping | None,
        number: int | None = None,
    ) -> tuple[int, bytes]:
        number = next(self._numbers) if number is None else number
        if notification is None:
            message = Notification.numbered(number, title, body)
        else:
            message = Notification.from_json(notification)
        # Phones load the page by https, and Safari on them reads the declarative form even without a
        # worker. At 127.0.0.1 the message is as short as the lessons count it.
        return number, message.payload(navigate=self.url if self._certificate else None)

    async def participants(self) -> list[Participant]:
        """Return the last MAX_REMEMBERED participants, oldest first.

        Asks the lab's push service which are connected. Raises UnableToReadDatabase.
        """
        _, stored = await asyncio.to_thread(self.store.newest, MAX_REMEMBERED)
        presence = await self._presence.ask(one.subscription for one in stored)
        return self.room.rows(stored, presence)

    def _tell_of_guesses(self, address: str) -> None:
        what = "guesses the instructor's token"
        agent, server = Party.USER_AGENT, Party.APPLICATION_SERVER
        self.journal.record(agent, server, what, address=address, wrong=BURST)
        log.warning("%d wrong instructor's tokens from %s: it has to wait", BURST, address)

    # --- its parts -----------------------------------------------------------------------------

    def _sender(self) -> Sender:
        return Sender(
            self.keys,
            self.store,
            push_client(
                self._sender_name, self.keys, self._allowed_origins, self.connect_overrides, self._clock
            ),
            journal=self.journal,
            lab_origins=self._push_origins,
            participants=self.room,
            clock=self._clock,
        )

    def _cluster_sender(self, workers: Processes | Cluster) -> ClusterSender:
        equipment = Equipment.of(
            self.keys,
            shared_database(self._database, workers),
            allowed_origins=self._allowed_origins,
            overrides=self.connect_overrides,
            client=self._sender_name,
        )
        runs, log = self.broadcast_sender.runs, self.sender.log
        tell = self._tell_participants
        return ClusterSender(Connection(workers), equipment, self.store, runs, log, begun=tell)
