"""A user agent in Python: a browser without the screen, the page and JavaScript.

It speaks with the push service as Firefox does (``autopush_client``), sends the application server what
the client page sends, and shows what the service worker would show. It needs no installation and
little memory, so a lesson can run hundreds of them in one process.

    push service  ◀── WebSocket ──▶  VirtualUserAgent  ── HTTP ──▶  application server
"""

import asyncio
import hashlib
import json
from collections import deque
from urllib.parse import urljoin

from tornado.httpclient import HTTPResponse

from pushlab.errors import BrowserFailed, TimedOut
from pushlab.protocol import base64url
from pushlab.protocol.subscription import PushSubscription
from pushlab.settings import patience
from pushlab.useragent.autopush_client import AutopushClient
from pushlab.useragent.base import NOTIFICATION_SECONDS, Notification
from pushlab.useragent.http_client import HttpClient

MESSAGES_KEPT = 1000
"""How many messages and notifications one user agent remembers; a lesson may send it more."""


class VirtualUserAgent:
    """A virtual user agent for the push service at ``push_url``, such as ``ws://127.0.0.1:8030/``.

    ``name`` is its label in the journal. Closed and started again, it is the same user agent with the
    same subscription: the object is its profile.
    """

    def __init__(self, push_url: str, *, name: str = "Virtual"):
        self.name = name
        self.received: deque[bytes | None] = deque(maxlen=MESSAGES_KEPT)
        """The plaintexts in the order of arrival; None for a message without a payload."""
        user_agent = "pushlab-virtual" if name == "Virtual" else f"pushlab-virtual ({name})"
        self._headers = {"User-Agent": user_agent, "Content-Type": "application/json"}
        self._push = AutopushClient(push_url, user_agent, self._on_push)
        self._page_url = ""
        self._registered = False
        self._shown: list[Notification] = []
        self._news = asyncio.Event()
        self._reports: set[asyncio.Task[None]] = set()
        self._client: HttpClient | None = None

    @property
    def subscription(self) -> PushSubscription | None:
        """What the page would get from ``pushManager.getSubscription()``."""
        return self._push.channel.subscription if self._push.channel else None

    # --- from the start to the end -----------------------------------------------------------------

    async def start(self) -> None:
        """Connect to the push service."""
        await self.connect()

    async def close(self) -> None:
        """Disconnect, wait for the reports that are under way, and leave the HTTP client."""
        try:
            await self.disconnect()
            await asyncio.gather(*self._reports)
        finally:
            if self._client is not None:
                self._client.leave()
                self._client = None

    async def connect(self) -> None:
        """Connect to the push service, which then delivers what it has kept."""
        await self._push.connect()

    async def disconnect(self) -> None:
        """Disconnect, as a browser that is closed does; the subscription stays."""
        await self._push.disconnect()

    # --- the page ----------------------------------------------------------------------------------

    async def open(self, page_url: str) -> None:
        """Do what the page does when it loads: get the key, and send the subscription again."""
        self._page_url = page_url
        await self._fetch("")
        channel = self._push.channel
        if channel and channel.application_server_key == await self._server_key():
            await self._add(channel.subscription)

    async def state(self) -> str:
        """Return the state that the page would show."""
        if self.subscription:
            return "subscribed"
        return "registered" if self._registered else "unregistered"

    async def endpoint(self) -> str | None:
        """Return the endpoint of the subscription, or None if there is none."""
        return self.subscription.endpoint if self.subscription else None

    async def register(self) -> None:
        """Do what the button Register service worker does."""
        await self._require("register", "unregistered")
        self._registered = True
        await self._report("registered")

    async def unregister(self) -> None:
        """Do what the button Unregister does."""
        await self._require("unregister", "registered", "subscribed")
        if self.subscription:
            await self._end()
        self._registered = False
        await self._report("unregistered")

    async def subscribe(self) -> None:
        """Do what the button Subscribe to push does, with the permission granted."""
        await self._require("subscribe", "registered", "subscribed")
        await self._report("permission", "granted")
        key = await self._server_key()
        if self._push.channel and self._push.channel.application_server_key != key:
            await self._end()
        subscription = self.subscription or await self._push.subscribe(key)
        await self._report("subscribed")
        await self._add(subscription)

    async def unsubscribe(self) -> None:
        """Do what the button Unsubscribe from push does."""
        await self._require("unsubscribe", "subscribed")
        await self._end()

    async def notify_me(self) -> None:
        """Do what the button Notify me does."""
        await self._require("notify-me", "subscribed")
        await self._post("notify-me", {"endpoint": self._subscription_now().endpoint})

    async def notify_all(self) -> None:
        """Do what the button Notify all does."""
        await self._post("notify-all", {})

    async def screenshot(self) -> bytes:
        """Raise BrowserFailed: there is nothing to look at."""
        raise BrowserFailed("A virtual user agent has no screen")

    async def _add(self, subscription: PushSubscription) -> None:
        named = {} if self.name == "Virtual" else {"name": self.name}
        await self._post("add-subscription", subscription.to_json() | named)

    async def _end(self) -> None:
        endpoint = self._subscription_now().endpoint
        await self._push.unsubscribe()
        await self._report("unsubscribed")
        await self._post("remove-subscription", {"endpoint": endpoint}, accept=(404,))

    def _subscription_now(self) -> PushSubscription:
        assert self.subscription is not None, "state() has said that there is one"
        return self.subscription

    async def _require(self, button: str, *states: str) -> None:
        """Raise BrowserFailed if the page would have disabled this button."""
        if (state := await self.state()) not in states:
            raise BrowserFailed(f"The button {button} is disabled in state {state}")

    # --- the service worker ------------------------------------------------------------------------

    def _on_push(self, plaintext: bytes | None) -> None:
        kind, notification = read(plaintext)
        self.received.append(plaintext)
        if notification.tag:  # a notification replaces the one with the same tag
            self._shown = [shown for shown in self._shown if shown.tag != notification.tag]
        self._shown = [*self._shown, notification][-MESSAGES_KEPT:]
        self._news.set()
        if self._page_url:
            digest = hashlib.sha256(plaintext or b"").hexdigest()[:16]
            task = asyncio.get_running_loop().create_task(self._tell(kind, digest))
            self._reports.add(task)
            task.add_done_callback(self._reports.discard)

    async def _tell(self, kind: str, digest: str) -> None:
        detail = {"payload": kind, "digest": digest}
        if self.subscription:
            detail["endpoint"] = self.subscription.endpoint
        async with self._http().background:
            await self._report("push received", detail)
            await self._report("shown")

    async def notifications(self) -> list[Notification]:
        """Return what is shown, oldest first."""
        return list(self._shown)

    async def wait_for_notification(
        self, body: str | None = None, title: str | None = None, timeout: float | None = None
    ) -> Notification:
        """Wait at most ``timeout`` seconds for a notification with this body and title.

        Without ``timeout`` it waits as long as a slow machine may need.
        """
        timeout = patience(NOTIFICATION_SECONDS) if timeout is None else timeout
        try:
            async with asyncio.timeout(timeout):
                while True:
                    self._news.clear()
                    for notification in reversed(self._shown):
                        if notification.matches(body, title):
                            return notification
                    await self._news.wait()
        except TimeoutError:
            others = len(self._shown)
            raise TimedOut(
                f"No such notification was shown within {timeout:g} s; {others} others are shown"
            ) from None

    # --- over HTTP to the application server -------------------------------------------------------

    async def _server_key(self) -> bytes:
        answer = await self._fetch("vapid")
        return base64url.decode(answer.body.decode("ascii", "replace").strip())

    async def _report(self, event: str, detail: object = None) -> None:
        """Report to the application server what happened here.

        The report is only for the journal, so no action fails if it cannot be delivered.
        """
        try:
            await self._post("report", {"event": event, "detail": detail})
        except BrowserFailed:
            pass

    async def _post(self, route: str, value: object, accept: tuple[int, ...] = ()) -> None:
        await self._fetch(route, accept, method="POST", body=json.dumps(value))

    async def _fetch(self, route: str, accept: tuple[int, ...] = (), **request) -> HTTPResponse:
        """Make one request. Raises BrowserFailed with the server's own message if it refuses."""
        if not self._page_url:
            raise BrowserFailed("No page is open")
        url = urljoin(self._page_url, route)
        try:
            response = await self._http().fetch(url, headers=self._headers, **request)
        except Exception as error:  # Whatever an answer makes Tornado raise: it passes all of it on.
            raise BrowserFailed(f"The application server does not answer: {error}") from error
        if response.code >= 300 and response.code not in accept:
            raise BrowserFailed(f"The application server says: {_message(response)}")
        return response

    def _http(self) -> HttpClient:
        if self._client is None:
            self._client = HttpClient.join()
        return self._client


def read(plaintext: bytes | None) -> tuple[str, Notification]:
    """Return the kind of the payload, and the notification that the service worker makes of it.

    >>> read(b'{"title": "Hello", "options": {"body": "ID: 7"}}')
    ('json', Notification(title='Hello', body='ID: 7', tag='', data=None))
    >>> read(b'{"title": "Hello", "body": "as tutorials send it"}')
    ('json', Notification(title='Hello', body='as tutorials send it', tag='', data=None))
    >>> read(b"just text")
    ('text', Notification(title='Push message', body='just text', tag='', data=None))
    >>> read(b'{"title": "Hello')[0]
    'broken'
    >>> read(None)
    ('none', Notification(title='Push message', body='It came without a payload.', tag='', data=None))
    """
    if plaintext is None:
        return "none", Notification("Push message", "It came without a payload.")
    text = plaintext.decode(errors="replace")
    value = _parse(text)
    if not isinstance(value, dict):
        broken = text.startswith("{")  # JSON that begins so, and is no object, does not parse.
        return "broken" if broken else "text", Notification("Push message", text)
    kind, title, options = "json", value.get("title"), value.get("options")
    declared = value.get("notification")
    if not isinstance(title, str) and value.get("web_push") == 8030 and isinstance(declared, dict):
        kind, title, options = "declarative", declared.get("title"), declared
    if not isinstance(title, str):
        return "text", Notification("Push message", text)
    options = options if isinstance(options, dict) else {}
    if kind == "json" and isinstance(value.get("body"), str):
        options = {"body": value["body"], **options}
    body, tag = str(options.get("body", "")), str(options.get("tag", ""))
    return kind, Notification(title, body, tag, options.get("data"))


def _parse(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None  # plain text is a payload, too


def _message(response: HTTPResponse) -> str:
    """Return the error's message, or the status if the answer is not from our server."""
    answer = _parse(response.body.decode(errors="replace"))
    error = answer.get("error") if isinstance(answer, dict) else None
    message = error.get("message") if isinstance(error, dict) else None
    return message if isinstance(message, str) else f"status {response.code}"
