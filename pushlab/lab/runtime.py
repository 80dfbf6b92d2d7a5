"""The lab: it starts the three parties, and stops them.

The application server and the push service run in one daemon thread with an event loop of its own, so
they answer while the kernel is busy or idle. That loop also starts and drives the user agents. The
parties share only the journal, into which each of them writes; they meet over HTTP and WebSocket on
this machine.

    notebook's thread                      the lab's thread (one event loop)
    lab.notify_all(…)  ── run() ────────▶  ApplicationServer ── HTTP ──▶ PushService
    lab.open()         ── run() ────────▶  Firefox, VirtualUserAgent ◀── WebSocket ──┘

Every public method is synchronous, and may be called from any thread but the lab's own.
"""

import asyncio
import socket
import warnings
from collections.abc import Callable, Collection, Coroutine, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from pushlab import settings
from pushlab.appserver import key_sources
from pushlab.appserver.app import ApplicationServer
from pushlab.appserver.broadcast.cluster.options import (
    Cluster,
    Processes,
    checked_cluster,
    checked_processes,
)
from pushlab.appserver.broadcast.cluster.orders import shared_database
from pushlab.appserver.delivery.clients import checked_sender
from pushlab.appserver.delivery.egress import ConnectOverride
from pushlab.appserver.keys import VapidKeys
from pushlab.appserver.participants import Participant
from pushlab.appserver.store import OWNER
from pushlab.appserver.web.certificate import Certificate
from pushlab.classroom.classroom import Classroom
from pushlab.errors import BadArgument, BadDatabaseUrl, PortTaken, TimedOut
from pushlab.journal import Event, IsolatedCallback, Journal
from pushlab.lab import authority, jupyter, network, ports
from pushlab.lab.browser import LabBrowser, installed_browsers, real_browser
from pushlab.lab.browsers import CLOSE_SECONDS, OpenBrowsers
from pushlab.lab.data_folder import absolute, usable
from pushlab.lab.forgetting import ThrowAwaySubscriptions
from pushlab.lab.invitation import Invitation
from pushlab.lab.lifecycle import STOP_SECONDS, Lifecycle
from pushlab.lab.listener import Listeners
from pushlab.lab.page_socket import ENTRY, PageSocket
from pushlab.lab.private import NOT_PRIVATE, PrivateAddresses
from pushlab.lab.program import Program, Programs
from pushlab.protocol import vapid
from pushlab.pushservice.app import PushService
from pushlab.pushservice.chromium.checkin import TOKEN_PREFIX
from pushlab.pushservice.flavours import Flavour
from pushlab.server.database_url import checked_url, is_file, sqlite_url
from pushlab.throwaway import sweep
from pushlab.useragent.base import UserAgent
from pushlab.useragent.virtual import VirtualUserAgent

EVENT_SECONDS = 60
"""How long to wait for an event if the caller gives no timeout (times PUSHLAB_PATIENCE)."""


class LabRuntime(Lifecycle):
    """Start the three parties, and stop the lab that this kernel had before.

    ``port`` and ``push_port`` are TCP ports (0: any free one); ``data`` is a folder; ``sender`` is
    ``"pushlab"`` or ``"pywebpush"``; ``allow_endpoints`` are origins of other push services on this
    machine that may use plain http; ``flavour`` says whose error messages the push service sends
    (``"strict"``, ``"mozilla"``, ``"fcm"``, ``"apple"`` or ``"wns"``), and ``message_limit`` how
    many messages may wait there for one user agent. ``https_port`` is the push service's TCP port for
    senders that need https (0: any free one; None: that of last time), and ``control`` gives it routes
    for tests of senders (see ``pushservice.control``). ``aud_without_port`` takes tokens that leave out
    the port of ``aud``, as many libraries make them. ``host`` opens the lab to a room: the address of
    this machine at which both servers listen. ``certfile`` and ``keyfile`` are PEM files with which
    the page is served by https. ``take_over`` stops a lab of another notebook or program that has the
    same data folder. ``private`` keeps other users of this machine out (see ``lab.private``); by default
    a lab on a JupyterHub or on Binder does that. ``subject`` says how a push service can reach you
    (``"mailto:…"`` or ``"https:…"``), in place of what the key file or the environment says.
    ``processes`` is how many processes send a notify-all (``"auto"``: one for each core), and
    ``cluster`` the address of a Dask scheduler whose workers send it, or a ``Cluster`` with TLS files.
    The environment variables PUSHLAB_PORT, PUSHLAB_PUSH_PORT and PUSHLAB_DATA replace the arguments
    that are not given. A private lab has no fixed ports: by default it takes those of last time, or free
    ones.

    If one part cannot be started, the parts before it are stopped again, and nothing is left.
    Raises BadArgument, BadPort, BadSubject, BadDatabaseUrl, UnknownFlavour, BadHost, BadCertificate;
    DataFolderTaken if another lab uses the data folder, UnusableFolder if it cannot be used; PortTaken
    if another program holds a port; StoreError if a database fails. A lab that still runs when Python
    ends is stopped.

    >>> with LabRuntime(port=0, push_port=0, data="/tmp/lab") as lab:     # doctest: +SKIP
    ...     browser = lab.open()
    ...     browser.subscribe()
    ...     browser.notify_me()
    ...     browser.wait_for_notification()
    """

    def __init__(
        self,
        *,
        port: int | None = None,
        push_port: int | None = None,
        https_port: int | None = None,
        data: str | Path | None = None,
        sender: Literal["pushlab", "pywebpush"] = "pushlab",
        database: str | None = None,
        allow_endpoints: Collection[str] = (),
        flavour: str = "strict",
        message_limit: int = 1000,
        control: bool = False,
        aud_without_port: bool = False,
        host: str = network.LOOPBACK,
        certfile: str | Path | None = None,
        keyfile: str | Path | None = None,
        take_over: bool = False,
        private: bool | None = None,
        subject: str | None = None,
        processes: Processes | None = None,
        cluster: str | Cluster | None = None,
    ):
        super().__init__()
        # Wrong arguments are refused before anything is stopped or started.
        self._sender = checked_sender(sender)
        self._allow_endpoints = network.loopback_origins(allow_endpoints)
        vapid.check_subject(subject)
        self._subject = subject
        self._processes = checked_processes(processes)
        self._cluster = checked_cluster(cluster)
        if self._processes and self._cluster:
            raise BadArgument("processes and cluster exclude each other: both say who sends")
        flavour = Flavour.named(flavour)
        if control and not network.is_loopback(str(host)):
            raise BadArgument(f"control is for this machine alone, and host is {host!r}")
        self._host = host = network.checked(host)
        self._certificate = Certificate.load(certfile, keyfile)
        # In a room only the instructor may notify all. At the loopback there is nobody else.
        self._token = None if network.is_loopback(host) else settings.instructor_token()
        self.classroom = Classroom() if self._token else None
        self.data = absolute(settings.data_folder(data))
        if private and self._token:
            raise BadArgument(f"private is for this machine alone, and host is {host!r}")
        is_private = settings.on_a_hub() and not self._token if private is None else private
        with usable(self.data):
            self._kept = PrivateAddresses.read(self.data) if is_private else NOT_PRIVATE
        self._page_socket: PageSocket | None = None
        self._ports = settings.ports(port, push_port, fixed=not is_private)
        self._https_port = settings.checked_port("https_port", https_port)
        mailbox = self.data / "pushservice.sqlite3"
        own = sqlite_url(self.data / "appserver.sqlite3")
        self._database = checked_url(own if database is None else database, OWNER)
        if is_file(self._database, mailbox, OWNER):
            detail = f"the application server's database would be the push service's file, {mailbox}"
            raise BadDatabaseUrl(detail, OWNER)
        if (workers := self._cluster or self._processes) is not None:
            shared_database(self._database, workers)
        self.journal = Journal(fault=self._faults.add)
        self._listeners = Listeners(self.journal, self._faults.add)
        self.push_service = PushService(
            database=sqlite_url(mailbox),
            journal=self.journal,
            flavour=flavour,
            message_limit=message_limit,
            control=control,
            aud_without_port=aud_without_port,
            secret=self._kept.push_secret,
        )
        self._throw_away = ThrowAwaySubscriptions(self.data, self._remove_subscription)
        self._browsers = OpenBrowsers(self.run, self._throw_away.forget_of)
        self._programs = Programs(self.push_service)
        sweep()
        self._begin(take_over)
        if self._certificate and (complaint := self._certificate.complaint(host)):
            warnings.warn(complaint, stacklevel=2)

    def _start(self, undo: ExitStack) -> None:
        port, push_port = self._ports
        try:
            undo.callback(self._end, self.push_service.stop)
            self._start_at(
                push_port,
                self._kept.push_port,
                lambda number: self.push_service.start(number, self._host, self._https_port),
            )
            with usable(self.data):  # For the senders of this user.
                self.ca_file = authority.write(self.data, self.push_service.ca_pem)
            self.application_server = ApplicationServer(
                keys=self.keys,
                database=self._database,
                journal=self.journal,
                push_origins=[self.push_service.origin],
                allowed_origins=self._allow_endpoints,
                connect_overrides=self._connect_overrides(self._host),
                sender=self._sender,
                instructor_token=self._token,
                certificate=self._certificate,
                processes=self._processes,
                cluster=self._cluster,
                extension=self.classroom,
                secret=self._kept.page_secret,
                push_secret=self._kept.push_secret,
            )
            listener = self._take_page_socket(undo)
            undo.callback(self._end, self.application_server.stop)
            self._start_at(
                port,
                self._kept.port,
                lambda number: self.application_server.start(number, self._host, listener),
            )
            self._keep_ports()
        except PortTaken as error:
            wanted = (port, push_port, self._https_port or 0)
            raise PortTaken(ports.holder(self._host, *wanted) or error.detail) from None
        self._throw_away.forget()  # Those of a lab that was killed.
        undo.callback(self._throw_away.forget)
        undo.callback(self._throw_away.follow(self.journal, self._browsers.endpoints))

    def _close_first(self, undo: ExitStack) -> None:
        undo.callback(self._listeners.end)
        undo.callback(self._end, self._programs.stop)
        undo.callback(self._close_browsers)  # They unsubscribe first, at the server of their page.

    def _prepare(self) -> None:
        """Take the keys, and make them if they are missing. Raises UnusableFolder, KeyFileError."""
        with usable(self.data):
            self.key_source = key_sources.find(self.data / "vapid.env")
        if self._subject is not None:
            keys = VapidKeys(self.key_source.keys.private_key, self._subject)
            self.key_source = replace(self.key_source, keys=keys, subject_from="Lab(subject=…)")
        self.keys = self.key_source.keys

    def _start_at(self, port: int, kept: int, start: Callable[[int], Coroutine[Any, Any, None]]) -> None:
        """Start a server at ``port``; for port 0 at the kept one, or at any if that is taken.

        It does not look first whether the kept port is free: somebody may take it right after that look.
        Raises PortTaken for ``port``.
        """
        if not port and kept:
            with suppress(PortTaken):
                self.run(start(kept))
                return
        self.run(start(port))

    def _keep_ports(self) -> None:
        """Keep the secrets and the ports of a private lab, for its next start. Raises KeyFileError."""
        if self._kept.is_private:
            port, push_port = self.application_server.port, self.push_service.port
            self._kept = replace(self._kept, port=port, push_port=push_port)
            self._kept.write(self.data)

    def _take_page_socket(self, undo: ExitStack) -> socket.socket | None:
        """Take the socket of this user's Jupyter server, if there is one and the lab is private."""
        self._page_socket = PageSocket.take() if self._kept.is_private else None
        if self._page_socket is None:
            return None
        undo.callback(self._page_socket.release)
        return self._page_socket.listener

    def _addresses(self) -> dict[str, str]:
        service = self.push_service
        return {"push_service": service.ws_url, "https": service.https_origin}

    def _connect_overrides(self, address: str) -> list[ConnectOverride]:
        """Return how requests to a Chromium's endpoints, which name a vendor's host, reach the lab."""
        listeners = self.push_service.chromium
        ca_pem = listeners.ca_pem.decode("ascii")
        return [
            ConnectOverride(host, TOKEN_PREFIX, listeners.tls_port, ca_pem, address)
            for host in listeners.hosts
        ]

    def _remove_subscription(self, endpoint: str) -> None:
        self.application_server.store.remove(endpoint)

    def _stop_at_exit(self) -> None:
        # Jupyter gives a kernel two seconds to end, and browsers may take longer to unsubscribe.
        try:
            self._throw_away.forget()
        finally:  # If the database is away, browsers and servers end all the same.
            self.stop()

    def _close_browsers(self) -> None:
        # close_all() has a time limit of its own. This one is for a loop that is blocked.
        seconds = settings.patience(CLOSE_SECONDS + STOP_SECONDS)
        self.run(self._browsers.close_all(), seconds, "The browsers are closing")

    # --- the application server ------------------------------------------------------------------

    @property
    def page_url(self) -> str:
        """The address of the client page for a person: through Jupyter, if only Jupyter can be reached.

        A program on this machine, such as the lab's own browsers, uses ``application_server.url``.
        """
        return jupyter.page_url(self.application_server.url, jupyter.here(), self.jupyter_entry)

    @property
    def jupyter_entry(self) -> str:
        """The name of jupyter-server-proxy's entry that leads to this lab; empty if none does."""
        return ENTRY if self._page_socket else ""

    @property
    def invitation(self) -> Invitation | None:
        """The links for participants and the instructor, or None if the lab listens at the loopback."""
        server = self.application_server
        return Invitation(server.url, self._token, server.access.new_code) if self._token else None

    def room(self) -> list[Participant]:
        """Return the participants: connected or not, what waits, whether the last message arrived."""
        return self.run(self.application_server.participants())

    def subscriptions(self) -> list:
        """Return the subscriptions that the application server has stored, oldest first."""
        return self.run(self.application_server.subscriptions())

    def newest_subscriptions(self, limit: int) -> tuple[int, list]:
        """Return how many subscriptions are stored, and the last ``limit`` of them, oldest first."""
        return self.run(asyncio.to_thread(self.application_server.store.newest, limit))

    def notify(self, endpoint: str, title: str | None = None, body: str | None = None, options=None):
        """Send one message to one stored subscription and return its Outcome."""
        return self.run(self.application_server.notify(endpoint, title, body, options))

    def notify_all(
        self,
        title: str | None = None,
        body: str | None = None,
        options=None,
        progress=None,
        resume: int | None = None,
        processes: Processes | None = None,
    ):
        """Send one message to every stored subscription and return the Counts.

        ``progress(counts)`` is called with the counts so far, in the lab's thread, so it must return
        at once. If it raises, the messages are sent all the same. ``resume`` is the number of a run
        that was killed (see ``lab.runs()``): it goes on, and a recipient recorded as accepted is not
        sent to again. The last recipients before the kill may get the message twice.

        ``processes`` is how many processes send (``"auto"``: one for each core), if not as many as the
        lab was started for. They are started by the first notify-all, and ended with the lab. Then
        ``progress`` is called some times a second, and not once a subscription. Raises ClusterError.
        """
        if progress is not None:
            progress = IsolatedCallback(progress, "the progress of a notify-all", self._faults.add)
        send = self.application_server.notify_all(
            title, body, options, progress=progress, resume=resume, processes=processes
        )
        return self.run(send, doing="Notify all is under way")

    def worker_pids(self) -> list[int]:
        """Return the process numbers of the workers that this lab has started, if there are any."""
        return self.application_server.worker_pids()

    def runs(self) -> list:
        """Return the records of the last notify-alls, oldest first."""
        return self.run(asyncio.to_thread(self.application_server.runs))

    def on_event(self, tell: Callable[[Event], None]) -> Callable[[], None]:
        """Call ``tell(event)`` for each event from now on; return a function that ends this.

        It is called in a thread of its own, event after event, so it may take its time and may use
        the lab. If it raises, the first error is shown when the main thread next uses the lab, and
        the function is called again for the next event. Raises TypeError if it cannot be called, or
        is ``async``, and LabStopped.
        """
        if not self._thread.alive:
            raise self.stopped()
        return self._listeners.add(tell)

    def wait_for(self, what: str, after: int = 0, timeout: float | None = None) -> Event:
        """Wait until the journal holds an event that begins with ``what``.

        Raises TimedOut after ``timeout`` seconds; without it, after as many as a slow machine needs.
        """
        if self._thread.is_current:
            raise RuntimeError("the lab's own thread cannot wait: no event would ever come")
        timeout = settings.patience(EVENT_SECONDS) if timeout is None else timeout
        try:
            return self.journal.wait_for(what, after, timeout)
        except TimeoutError as error:
            raise TimedOut(str(error)) from None
        finally:
            self._faults.show()

    # --- programs of one's own -------------------------------------------------------------------

    def serve(self, command: str | Path | Sequence[str]) -> Program:
        """Run a push server of your own, which may send to this lab's push service.

        ``command`` is the path of a Python file, or a list of arguments. ``Program`` has the variables
        that it is told things by. It ends when the lab stops. Raises ProgramFailed.
        """
        return self.run(self._programs.start(command), doing="Your program is starting")

    # --- the user agents -------------------------------------------------------------------------

    def open(
        self,
        kind: str = "auto",
        *,
        name: str = "",
        headless: bool | None = None,
        profile: str | Path | None = None,
        grant: bool = True,
        page: str = "",
    ) -> LabBrowser:
        """Start a user agent that uses the lab's push service, and open the client page in it.

        ``kind`` is ``"firefox"``, ``"chromium"``, ``"virtual"``, ``"auto"`` (the first that is
        installed; PUSHLAB_BROWSER overrides) or ``"another"`` (the next that is not open).
        ``headless`` defaults to whether this machine lacks a screen. ``profile`` is a folder to keep;
        without one the profile is deleted at the end. ``grant`` answers the permission prompt
        beforehand. ``page`` is the address of a page of your own at this machine, in place of the lab's.
        Running the cell again returns the same browser, with the page loaded anew.

        Raises BrowserNotFound or BrowserFailed, and LabStopped if the lab is stopped meanwhile.
        """
        page_url = page or self.application_server.url
        installed = installed_browsers() if kind in ("auto", "another") else []
        if kind == "auto":
            kind = installed[0]
        if headless is None:
            headless = not settings.has_screen()

        def make(kind: str, name: str) -> UserAgent:
            if kind == "virtual":
                return VirtualUserAgent(self.push_service.ws_url, name=name or "Virtual")
            return real_browser(
                kind,
                page_url,
                self.push_service.ws_url,
                self.push_service.chromium,
                certificate=self._certificate.der if self._certificate and not page else b"",
                headless=headless,
                profile=Path(profile) if profile else None,
                grant=grant,
            )

        opening = self._browsers.open(
            kind,
            name,
            page_url,
            installed=installed,
            make=make,
            keeps_profile=profile is not None,
        )
        return self.run(opening, doing=f"{name or kind.capitalize()} is starting and opens the page")
