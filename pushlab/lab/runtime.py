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
import concurrent.futures
import sys
import threading
import warnings
from collections import deque
from collections.abc import Callable, Collection, Coroutine
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

from pushlab import settings
from pushlab.appserver import key_sources
from pushlab.appserver.app import ApplicationServer, checked_sender
from pushlab.appserver.delivery.egress import ConnectOverride
from pushlab.appserver.participants import Participant
from pushlab.appserver.web.certificate import Certificate
from pushlab.errors import BadArgument, LabError, LabStopped, PortTaken, TimedOut
from pushlab.journal import Event, IsolatedCallback, Journal
from pushlab.lab import jupyter, network
from pushlab.lab.browser import LabBrowser, installed_browsers, real_browser
from pushlab.lab.browsers import CLOSE_SECONDS, OpenBrowsers
from pushlab.lab.data_folder import DataFolderLock
from pushlab.lab.invitation import Invitation
from pushlab.lab.listener import Listener
from pushlab.lab.loop import BackgroundLoop, call_at_exit
from pushlab.pushservice.app import PushService
from pushlab.pushservice.chromium.checkin import TOKEN_PREFIX
from pushlab.pushservice.flavours import Flavour
from pushlab.server.database import checked_url, sqlite_url
from pushlab.useragent.base import UserAgent
from pushlab.useragent.virtual import VirtualUserAgent

STOP_SECONDS = 60
"""How long one server may take to stop (times PUSHLAB_PATIENCE)."""

EVENT_SECONDS = 60
"""How long to wait for an event if the caller gives no timeout (times PUSHLAB_PATIENCE)."""

MAX_FAULTS = 20
"""Errors of a notebook's functions that wait to be shown."""


class LabRuntime:
    """Start the three parties, and stop the lab that this kernel had before.

    ``port`` and ``push_port`` are TCP ports (0: any free one); ``data`` is a folder; ``sender`` is
    ``"pushlab"`` or ``"pywebpush"``; ``allow_endpoints`` are origins of other push services on this
    machine that may use plain http; ``flavour`` says whose error messages the push service sends
    (``"strict"``, ``"mozilla"``, ``"fcm"``, ``"apple"`` or ``"wns"``), and ``message_limit`` how
    many messages may wait there for one user agent. ``host`` opens the lab to a room: the address of
    this machine at which both servers listen. ``certfile`` and ``keyfile`` are PEM files with which
    the page is served by https. The environment variables PUSHLAB_PORT, PUSHLAB_PUSH_PORT and
    PUSHLAB_DATA replace the arguments that are not given.

    If one part cannot be started, the parts before it are stopped again, and nothing is left.
    Raises BadArgument, BadPort, UnknownFlavour, BadHost, BadCertificate; DataFolderTaken if another
    lab uses the data folder, LabError if it cannot be used; PortTaken if another program holds a
    port; StoreError if a database fails. A lab that still runs when Python ends is stopped.

    >>> with LabRuntime(port=0, push_port=0, data="/tmp/lab") as lab:     # doctest: +SKIP
    ...     browser = lab.open()
    ...     browser.subscribe()
    ...     browser.notify_me()
    ...     browser.wait_for_notification()
    """

    _running: "LabRuntime | None" = None
    # A kernel has one lab at a time. A thread holds this lock while it starts or stops one.
    _changing = threading.RLock()

    def __init__(
        self,
        *,
        port: int | None = None,
        push_port: int | None = None,
        data: str | Path | None = None,
        sender: Literal["pushlab", "pywebpush"] = "pushlab",
        database: str | None = None,
        allow_endpoints: Collection[str] = (),
        flavour: str = "strict",
        message_limit: int = 1000,
        host: str = network.LOOPBACK,
        certfile: str | Path | None = None,
        keyfile: str | Path | None = None,
    ):
        # Wrong arguments are refused before anything is stopped or started.
        sender = checked_sender(sender)
        allow_endpoints = _checked_origins(allow_endpoints)
        if database is not None:
            database_url = checked_url(database, "application server")
        flavour = Flavour.named(flavour)
        host = network.checked(host)
        certificate = Certificate.load(certfile, keyfile)
        # In a room only the instructor may notify all. At the loopback there is nobody else.
        self._token = None if network.is_loopback(host) else settings.instructor_token()
        port, push_port = settings.ports(port, push_port)
        self.data = _absolute(settings.data_folder(data))
        if database is None:
            database_url = sqlite_url(self.data / "appserver.sqlite3")
        self._faults: deque[str] = deque(maxlen=MAX_FAULTS)
        self._listeners: set[Listener] = set()
        self.journal = Journal(fault=self._faults.append)
        self.push_service = PushService(
            database=sqlite_url(self.data / "pushservice.sqlite3"),
            journal=self.journal,
            flavour=flavour,
            message_limit=message_limit,
        )
        self._browsers = OpenBrowsers(self.run)
        with LabRuntime._changing:
            try:
                # Each step registers how to undo it. If one fails, those before it are undone at once;
                # otherwise stop() undoes them all. A server that has not started may be stopped, so
                # an interrupt in the middle of a start leaves nothing either.
                with ExitStack() as undo:
                    self._take_over(undo)
                    self._thread = BackgroundLoop()
                    undo.callback(self._thread.stop)
                    undo.callback(self._end, self.push_service.stop)
                    self.run(self.push_service.start(push_port, host))
                    self.application_server = ApplicationServer(
                        keys=self.keys,
                        database=database_url,
                        journal=self.journal,
                        push_origins=[self.push_service.origin],
                        allowed_origins=allow_endpoints,
                        connect_overrides=self._connect_overrides(host),
                        sender=sender,
                        instructor_token=self._token,
                        certificate=certificate,
                    )
                    undo.callback(self._end, self.application_server.stop)
                    self.run(self.application_server.start(port, host))
                    undo.callback(self._end_listeners)
                    undo.callback(self._close_browsers)
                    self._undo = undo.pop_all()
            except PortTaken as error:
                raise PortTaken(network.holder(host, port, push_port) or error.detail) from None
            LabRuntime._running = self
        if certificate and (complaint := certificate.complaint(host)):
            warnings.warn(complaint, stacklevel=2)

    def _take_over(self, undo: ExitStack) -> None:
        """Stop the lab that this process had before, and lock the data folder.

        A lab with another folder is stopped only when the new one's folder is known to be usable.
        Raises DataFolderTaken, LabError, KeyFileError.
        """
        before = LabRuntime._running
        if before is not None and _is_same(before.data, self.data):
            before.stop()
        self._open_data_folder(undo)
        if LabRuntime._running is not None:
            LabRuntime._running.stop()

    def _open_data_folder(self, undo: ExitStack) -> None:
        """Lock the data folder. Make it and the keys if they are missing."""
        try:
            self.data.mkdir(0o700, parents=True, exist_ok=True)
            self._lock = DataFolderLock(self.data)
            undo.callback(self._lock.release)
            self.key_source = key_sources.find(self.data / "vapid.env")
            self.keys = self.key_source.keys
        except OSError as reason:
            raise LabError(
                f"the data folder {self.data} cannot be used: {reason.strerror}. Choose another one: "
                "Lab(data=…), pushlab serve --data …, or PUSHLAB_DATA"
            ) from None

    def _connect_overrides(self, address: str) -> list[ConnectOverride]:
        """Return how requests to a Chromium's endpoints, which name a vendor's host, reach the lab."""
        listeners = self.push_service.chromium
        authority = listeners.ca_pem.decode("ascii")
        return [
            ConnectOverride(host, TOKEN_PREFIX, listeners.tls_port, authority, address)
            for host in listeners.hosts
        ]

    # --- life ----------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Say whether the lab's servers are up."""
        return LabRuntime._running is self and self._thread.alive

    def stop(self) -> None:
        """Close the browsers and the servers, and free the ports. Calling it twice is harmless.

        If one of them raises an error, the others are stopped all the same; then the error is raised.
        """
        if self._thread.is_current:
            raise RuntimeError("the lab's own thread cannot wait for its own end")
        with LabRuntime._changing:
            if LabRuntime._running is self:
                LabRuntime._running = None
            undo, self._undo = self._undo, ExitStack()
            undo.close()

    def _end_listeners(self) -> None:
        for listener in list(self._listeners):
            listener.end()
        self._listeners.clear()

    def _close_browsers(self) -> None:
        # close_all() has a time limit of its own. This one is for a loop that is blocked.
        seconds = settings.patience(CLOSE_SECONDS + STOP_SECONDS)
        self.run(self._browsers.close_all(), seconds, "The browsers are closing")

    def _end(self, stop: Callable[[], Coroutine]) -> None:
        # With a time limit, because Python itself may be ending, and then nobody can interrupt it.
        self.run(stop(), settings.patience(STOP_SECONDS), "The lab is stopping")

    def __enter__(self) -> "LabRuntime":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def submit(self, coroutine: Coroutine) -> concurrent.futures.Future:
        """Start a coroutine on the lab's loop and return its future; the caller does not wait."""
        return self._thread.submit(coroutine)

    def run(self, coroutine: Coroutine, timeout: float | None = None, doing: str = "") -> Any:
        """Run a coroutine on the lab's loop and return its result (see ``BackgroundLoop.run``)."""
        try:
            return self._thread.run(coroutine, timeout, doing)
        finally:
            self._show_faults()

    def _show_faults(self) -> None:
        """Say on standard error which functions of the notebook have failed, each once.

        The main thread says it at the end of its next call of the lab: Jupyter would show another
        thread's text below whichever cell ran last.
        """
        while self._faults and threading.current_thread() is threading.main_thread():
            print(self._faults.popleft(), file=sys.stderr, flush=True)

    # --- the application server ------------------------------------------------------------------

    @property
    def page_url(self) -> str:
        """The address of the client page for a person: through Jupyter, if only Jupyter can be reached.

        A program on this machine, such as the lab's own browsers, uses ``application_server.url``.
        """
        return jupyter.page_url(self.application_server.url, jupyter.here())

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
    ):
        """Send one message to every stored subscription and return the Counts.

        ``progress(counts)`` is called with the counts so far, in the lab's thread, so it must return
        at once. If it raises, the messages are sent all the same. ``resume`` is the number of a run
        that was killed (see ``lab.runs()``): it goes on, and a recipient recorded as accepted is not
        sent to again. The last recipients before the kill may get the message twice.
        """
        if progress is not None:
            progress = IsolatedCallback(progress, "the progress of a notify-all", self._faults.append)
        send = self.application_server.notify_all(title, body, options, progress=progress, resume=resume)
        return self.run(send, doing="Notify all is under way")

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
            raise LabStopped
        listener = Listener(self.journal, tell, self._faults.append)
        self._listeners.add(listener)

        def end() -> None:
            self._listeners.discard(listener)
            listener.end()

        return end

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
            self._show_faults()

    # --- the user agents -------------------------------------------------------------------------

    def open(
        self,
        kind: str = "auto",
        *,
        name: str = "",
        headless: bool | None = None,
        profile: str | Path | None = None,
        grant: bool = True,
    ) -> LabBrowser:
        """Start a user agent that uses the lab's push service, and open the client page in it.

        ``kind`` is ``"firefox"``, ``"chromium"``, ``"virtual"``, ``"auto"`` (the first that is
        installed; PUSHLAB_BROWSER overrides) or ``"another"`` (the next that is not open).
        ``headless`` defaults to whether this machine lacks a screen. ``profile`` is a folder to keep;
        without one the profile is deleted at the end. ``grant`` answers the permission prompt
        beforehand. Running the cell again returns the same browser, with the page loaded anew.

        Raises BrowserNotFound or BrowserFailed, and LabStopped if the lab is stopped meanwhile.
        """
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
                self.application_server.url,
                self.push_service.ws_url,
                self.push_service.chromium,
                headless=headless,
                profile=Path(profile) if profile else None,
                grant=grant,
            )

        opening = self._browsers.open(
            kind,
            name,
            self.application_server.url,
            installed=installed,
            make=make,
            keeps_profile=profile is not None,
        )
        return self.run(opening, doing=f"{name or kind.capitalize()} is starting and opens the page")


def _checked_origins(origins: Collection[str]) -> list[str]:
    """Return the origins of test endpoints on this machine. Raises BadArgument."""
    if isinstance(origins, str | bytes) or not isinstance(origins, Collection):
        raise BadArgument(f"allow_endpoints is {origins!r}, and not a list of origins")
    try:
        return [network.loopback_origin(origin) for origin in origins]
    except (ValueError, TypeError, AttributeError) as reason:
        raise BadArgument(f"allow_endpoints has what is no origin of this machine: {reason}") from None


def _is_same(folder: Path, other: Path) -> bool:
    try:
        return folder.samefile(other)
    except OSError:
        return False  # One of them is not there.


def _absolute(folder: Path) -> Path:
    try:
        return folder.absolute()
    except OSError as reason:
        raise LabError(f"the folder that this program runs in is gone: {reason.strerror}") from None


def _stop_the_one_that_runs() -> None:
    if (lab := LabRuntime._running) is not None:
        lab.stop()


call_at_exit(_stop_the_one_that_runs)
