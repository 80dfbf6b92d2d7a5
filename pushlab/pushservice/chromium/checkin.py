"""Checkin and registration of Chromium: protobuf and forms over plain HTTP.

    POST /checkin          once for each profile: the browser gets an android id and a security token
    POST /c2dm/register3   subscribe, or unsubscribe, as the browser with that id

Both numbers together are the secret name of the user agent. Chromium keeps them in its profile and
does not ask again. So this service accepts a name that it does not know: an earlier run gave it,
and if the browser had subscriptions, they are lost. For an android id that was given out in this
run, only its own security token is accepted.

A private service accepts only numbers that it has given out, in this run or in an earlier one with the
same secret. It makes the security token from the android id and the secret, so it knows its own
numbers again without a list of them.

A form asks for a subscription if its ``X-subtype`` begins with ``wp:``. Chromium also registers
itself, once, for purposes of its own; it gets a token that belongs to no subscription.
"""

import hmac
import re
import secrets
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field

from pushlab.errors import BadField, FormatError, TooManySubscriptions
from pushlab.protocol import base64url, p256
from pushlab.pushservice.broker import Broker, new_secret
from pushlab.pushservice.chromium.messages import CHECKIN_REQUEST, CHECKIN_RESPONSE
from pushlab.pushservice.mailbox import Mailbox
from pushlab.server.http import StreamedBody, user_agent_name

MAX_REQUEST = 64 * 1024
"""Bytes of a checkin or a form. Chromium's have a few hundred."""

MAX_BROWSERS = 10_000
"""Browsers whose numbers and display names are remembered. The oldest is forgotten first. It loses
only its display name: both numbers are still accepted."""

TOKEN_PREFIX = "pushlab-"
"""The beginning of each token, because the endpoint's host is the vendor's and not the lab's."""

_CREDENTIALS = re.compile(r"AidLogin ([0-9]{1,20}):([0-9]{1,20})")
_SUBTYPE, _APP = re.compile(r"wp:[!-~]{1,400}"), re.compile(r"[A-Za-z0-9_.]{1,60}")


@dataclass(frozen=True)
class Browser:
    """A browser as the broker knows it: by its secret name and its display name."""

    user_agent: str = field(repr=False)
    display_name: str


class Browsers:
    """Remember, until the service stops, the numbers and display names that checkin has seen.

    ``mailbox`` also knows the display names of browsers that subscribed in an earlier run. With
    ``secret`` the service is private: only numbers that were made with it are accepted.
    """

    def __init__(self, mailbox: Mailbox, secret: str = ""):
        self._mailbox, self._secret = mailbox, secret
        self._tokens: dict[int, int] = {}
        self._names: dict[str, str] = {}

    def check_in(self, android_id: int, security_token: int, display_name: str) -> tuple[int, int]:
        """Return the android id and the security token of a browser: its own, or new ones."""
        if not (android_id and security_token and self.admits(android_id, security_token)):
            # Neither may be 0, which Chromium reads as none, and each must fit a signed 64-bit number.
            android_id, security_token = (1 + secrets.randbits(62) for _ in range(2))
            if self._secret:
                security_token = self._token_for(android_id)
        self._tokens[android_id] = security_token
        self.rename(_secret_name(android_id, security_token), display_name)
        return android_id, security_token

    def admits(self, android_id: int, security_token: int) -> bool:
        """Return whether the numbers belong together.

        If the android id is unknown they do, unless this service is private.
        """
        if self._secret:
            known = self._token_for(android_id)
        else:
            known = self._tokens.get(android_id, security_token)
        return hmac.compare_digest(str(known), str(security_token))

    def name(self, android_id: int, security_token: int) -> str:
        """Return the secret name of a browser. Raises BadField if the numbers do not fit."""
        fit = 0 < android_id < 2**64 and 0 < security_token < 2**64
        if not fit or not self.admits(android_id, security_token):
            raise BadField("this security token does not go with this android id")
        return _secret_name(android_id, security_token)

    def _token_for(self, android_id: int) -> int:
        """Return the security token that belongs to an android id at a private service: 62 bits."""
        digest = hmac.digest(self._secret.encode(), str(android_id).encode(), "sha256")
        return 1 + int.from_bytes(digest[:8]) % 2**62

    def rename(self, user_agent: str, display_name: str) -> None:
        """Remember the display name of a browser."""
        self._names[user_agent] = display_name
        if len(self._names) > MAX_BROWSERS:
            del self._names[next(iter(self._names))]
        if len(self._tokens) > MAX_BROWSERS:
            del self._tokens[next(iter(self._tokens))]

    def display_name(self, user_agent: str) -> str:
        """Return the display name of a browser: its latest, or that of its subscriptions."""
        return self._names.get(user_agent) or self._mailbox.display_name(user_agent) or "Chromium"


def _secret_name(android_id: int, security_token: int) -> str:
    return f"chromium:{android_id}:{security_token}"


class CheckinHandler(StreamedBody):
    """``POST /checkin``: give a browser its two numbers, or confirm those that it has."""

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
    """``POST /c2dm/register3``: subscribe and unsubscribe.

    The answer is one line, ``token=…`` or ``Error=…``. Its status is 200 in both cases, as Chromium
    expects it. Only a browser whose numbers do not fit is answered 401.
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
            self.set_header("WWW-Authenticate", "AidLogin")  # RFC 9110 §15.5.2
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
        self.browsers.rename(user_agent, browser.display_name)
        return self.broker.subscribe(browser, channel, key, TOKEN_PREFIX).token


def _form(body: bytes) -> dict[str, str]:
    """Read a form; if a field comes twice, its first value counts. Raises BadField."""
    try:
        fields = urllib.parse.parse_qs(body.decode("ascii"), errors="strict", max_num_fields=100)
    except ValueError:
        raise BadField("the body is not form data") from None
    return {name: values[0] for name, values in fields.items()}


def _key(sender: str) -> bytes:
    """Read the application server's public key. Raises BadBase64url, BadPublicKey."""
    raw = base64url.decode(sender)
    p256.load_public(raw)
    return raw


def _name(headers, app: str = "") -> str:
    """Return a display name. Chromium itself sends no Sec-CH-UA, but ``app`` identifies Chrome."""
    brands = '"Google Chrome"' if app.startswith("com.chrome.") else '"Chromium"'
    return user_agent_name(headers.get("User-Agent", ""), brands)
