"""Checkin and registration of Chromium: protobuf and forms over plain HTTP.

    POST /checkin          once in a browser's life: it is given an android id and a security token
    POST /c2dm/register3   subscribe, or unsubscribe, in the name of that id

Both numbers together are the secret name of the user agent. Chromium keeps them in its profile and
does not ask again, so a name that this service does not know is not refused: an earlier run gave
it, and its subscriptions, if there were any, are lost. An android id that was given out in this
run goes with its own token alone.

A form asks for a subscription if its ``X-subtype`` begins with ``wp:``. Chromium also registers
itself, once, for purposes of its own; it is given a token, which leads nowhere.
"""

import hmac
import re
import secrets
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass

from pushlab.errors import BadField, FormatError, TooManySubscriptions
from pushlab.protocol import base64url, p256
from pushlab.pushservice.mailbox import Mailbox
from pushlab.pushservice.chromium.messages import CHECKIN_REQUEST, CHECKIN_RESPONSE
from pushlab.pushservice.broker import Broker, new_secret
from pushlab.server.http import StreamedBody, user_agent_name

MAX_REQUEST = 64 * 1024
"""Bytes of a checkin or a form. Chromium's have some hundred."""

MAX_BROWSERS = 10_000
"""Browsers whose numbers and names are remembered. The oldest is forgotten first, and loses nothing
but its name for people: the numbers together are still its own."""

TOKEN_PREFIX = "pushlab-"
"""What the secret end of an endpoint begins with, since its host does not say whose it is."""

_CREDENTIALS = re.compile(r"AidLogin ([0-9]{1,20}):([0-9]{1,20})")
_SUBTYPE, _APP = re.compile(r"wp:[!-~]{1,400}"), re.compile(r"[A-Za-z0-9_.]{1,60}")


@dataclass(frozen=True)
class Browser:
    """A browser as the broker knows it: by its secret name, and by a name for people."""

    user_agent: str
    display_name: str


class Browsers:
    """Know the browsers by what checkin gave them, for as long as this run lasts.

    ``mailbox`` knows those that have subscriptions for longer than that.
    """

    def __init__(self, mailbox: Mailbox):
        self._mailbox = mailbox
        self._tokens: dict[int, int] = {}
        self._names: dict[str, str] = {}

    def check_in(self, android_id: int, security_token: int, display_name: str) -> tuple[int, int]:
        """Return the two numbers of a browser: those that it has, or new ones."""
        if not (android_id and security_token and self.admits(android_id, security_token)):
            # Neither may be 0, which Chromium takes for none, and a signed number must hold both.
            android_id, security_token = (1 + secrets.randbits(62) for _ in range(2))
        self._tokens[android_id] = security_token
        self.call(_secret_name(android_id, security_token), display_name)
        return android_id, security_token

    def admits(self, android_id: int, security_token: int) -> bool:
        """Say whether the numbers belong together, as far as can be known."""
        known = self._tokens.get(android_id, security_token)
        return hmac.compare_digest(str(known), str(security_token))

    def name(self, android_id: int, security_token: int) -> str:
        """Return the secret name of a browser. Raise BadField if the numbers do not fit."""
        fit = 0 < android_id < 2**64 and 0 < security_token < 2**64
        if not fit or not self.admits(android_id, security_token):
            raise BadField("this security token does not go with this android id")
        return _secret_name(android_id, security_token)

    def call(self, user_agent: str, display_name: str) -> None:
        """Remember how a browser is called."""
        self._names[user_agent] = display_name
        for known in (self._names, self._tokens):
            if len(known) > MAX_BROWSERS:
                del known[next(iter(known))]

    def display_name(self, user_agent: str) -> str:
        """Return how a browser is called: as it last said, or as its subscriptions say."""
        return self._names.get(user_agent) or self._mailbox.display_name(user_agent) or "Chromium"


def _secret_name(android_id: int, security_token: int) -> str:
    return f"chromium:{android_id}:{security_token}"


class CheckinHandler(StreamedBody):
    """Give a browser its two numbers, or give them back."""

    body_limit = MAX_REQUEST

    def initialize(self, browsers: Browsers, now: Callable[[], float]) -> None:
        self.browsers, self.now = browsers, now

    def post(self) -> None:
        asked = CHECKIN_REQUEST.decode(bytes(self.body))
        known = asked.get("android_id", 0), asked.get("security_token", 0)
        android_id, security_token = self.browsers.check_in(*known, _name(self.request.headers))
        self.set_header("Content-Type", "application/x-protobuf")
        self.finish(
            CHECKIN_RESPONSE.encode(
                stats_ok=1,
                time_msec=int(self.now() * 1000),
                android_id=android_id,
                security_token=security_token,
                market_ok=0,
            )
        )


class RegistrationHandler(StreamedBody):
    """Subscribe and unsubscribe.

    The answer is one line, ``token=…`` or ``Error=…``, and its status is 200 in either case: so
    Chromium reads it. Only a browser whose numbers do not fit is answered 401.
    """

    body_limit = MAX_REQUEST

    def initialize(self, broker: Broker, browsers: Browsers) -> None:
        self.broker, self.browsers = broker, browsers

    def post(self) -> None:
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        try:
            user_agent = self._authenticate()
        except BadField:
            self.set_status(401)
            self.finish("Error=AUTHENTICATION_FAILED")
            return
        try:
            self.finish(f"token={self._register(user_agent)}")
        except FormatError:
            self.finish("Error=INVALID_SENDER")
        except TooManySubscriptions:
            self.finish("Error=TOO_MANY_REGISTRATIONS")
        except BadField:
            self.finish("Error=INVALID_PARAMETERS")

    def _authenticate(self) -> str:
        given = _CREDENTIALS.fullmatch(self.request.headers.get("Authorization", ""))
        if not given:
            raise BadField("Authorization is not AidLogin")
        return self.browsers.name(int(given[1]), int(given[2]))

    def _register(self, user_agent: str) -> str:
        """Do what the form says and return the token to answer with."""
        form = _form(bytes(self.body))
        app, subtype = form.get("app", ""), form.get("X-subtype", "")
        if not _APP.fullmatch(app):
            raise BadField("app is not a name")
        if not subtype.startswith("wp:"):
            return new_secret()
        if not _SUBTYPE.fullmatch(subtype):
            raise BadField("X-subtype is too long, or not visible ASCII")
        browser = Browser(user_agent, _name(self.request.headers, app))
        channel = f"{app} {subtype}"
        if form.get("delete") == "true":
            self.broker.unsubscribe(browser, channel)
            return "deleted"
        key = _key(form.get("sender", ""))
        self.browsers.call(user_agent, browser.display_name)
        return self.broker.subscribe(browser, channel, key, TOKEN_PREFIX).token


def _form(body: bytes) -> dict[str, str]:
    """Read a form; of a field that comes twice the first one counts. Raise BadField."""
    try:
        fields = urllib.parse.parse_qs(body.decode("ascii"), errors="strict", max_num_fields=100)
    except ValueError:
        raise BadField("the body is not a form") from None
    return {name: values[0] for name, values in fields.items()}


def _key(sender: str) -> bytes:
    """Read the application server's public key. Raise BadBase64url, BadPublicKey."""
    raw = base64url.decode(sender)
    p256.load_public(raw)
    return raw


def _name(headers, app: str = "") -> str:
    """Name a browser for people. Outside pages it sends no Sec-CH-UA, but ``app`` knows Chrome."""
    brands = '"Google Chrome"' if app.startswith("com.chrome.") else '"Chromium"'
    return user_agent_name(headers.get("User-Agent", ""), brands)
