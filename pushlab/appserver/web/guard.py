"""Who is let in: decided from the head of a request, before anything is done for it.

The server has no accounts. What it fears is a page of somebody else, open in the browser of whoever
runs it: that page can send requests here, and nobody sees it do so.

    what the other page tries                what stops it                                 leaf
    its own name, now resolved to us         Host is not ours                              WrongHost
    (DNS rebinding)
    a POST from its own origin (CSRF)        Sec-Fetch-Site, or else Origin and Host       CrossOrigin
    a POST that needs no preflight           Content-Type is application/json              NotJson
    a preflight (OPTIONS)                    405, and no header that begins Access-Control
    to read an answer, to frame the page     no such header, and the policy of ``web``

Two facts decide, and no script can forge them. Browsers write Host, Origin and Sec-… themselves.
And they send Sec-Fetch-Site to https and to loopback alone: a page that has rebound its name speaks
plain http with a name that is not loopback's, since it has no certificate that we could show.
So where Sec-Fetch-Site is, Host may be any name: a proxy with a certificate stands before us, such
as a JupyterHub's, which passes on the public Host, Origin and Sec-… as they came.

Sources: Fetch Metadata Request Headers §2, Fetch §3.2, RFC 6454 §7, RFC 9110 §7.2.
"""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from pushlab.errors import CrossOrigin, InstructorOnly, NotJson, WrongHost
from pushlab.server.http import is_own_host

SAFE = ("GET", "HEAD", "OPTIONS")
"""Methods that change nothing here, so that any page may cause them."""

HOME = ("same-origin", "none")
"""Values of Sec-Fetch-Site of our own page, and of a person who typed or clicked outside any page."""

_JSON = re.compile(r"application/json[ \t]*(;[ \t]*charset=\"?utf-8\"?[ \t]*)?", re.IGNORECASE)
_BEARER = re.compile(r"Bearer +([A-Za-z0-9._~+/-]+=*) *", re.IGNORECASE)
_DEFAULT_PORT = re.compile(r"(?<=[^:]):(80|443)$")


@dataclass(frozen=True)
class Guard:
    """Let a request pass, or raise what it lacks.

    ``host`` is the address that the server listens at; ``token`` is the instructor's, or None where
    nobody is asked for one.

    >>> guard = Guard("127.0.0.1")
    >>> guard.check("POST", {"Host": "127.0.0.1:8292", "Origin": "http://127.0.0.1:8292"})
    >>> guard.check("GET", {"Host": "evil.example:8292"})
    Traceback (most recent call last):
    pushlab.errors.WrongHost: this server is not evil.example:8292 (RFC 9110 §15.5.20). Fault: client. Open the address that the lab prints, or come through a proxy that speaks https.
    """

    host: str
    token: str | None = field(default=None, repr=False)

    def check(self, method: str, headers: Mapping[str, str]) -> None:
        """Look at what every request must have. Raises WrongHost, CrossOrigin."""
        host, site = headers.get("Host", ""), headers.get("Sec-Fetch-Site")
        if site is None and not is_own_host(host, self.host):
            raise WrongHost(f"this server is not {_shown(host)}")
        if method not in SAFE:
            check_source(host, site, headers.get("Origin"))

    def check_instructor(self, authorization: str, access_token: str = "") -> None:
        """Look for the instructor's token, in the header or in the query. Raises InstructorOnly.

        Source: RFC 6750 §2.1, §2.3.

        >>> Guard("10.77.0.1", token="c2VjcmV0").check_instructor("Bearer c2VjcmV0")
        """
        if self.token is None:
            return
        bearer = _BEARER.fullmatch(authorization)
        given = bearer[1] if bearer else access_token
        # The time that this takes says nothing about how much of the token was right.
        if not hmac.compare_digest(given.encode(), self.token.encode()):
            raise InstructorOnly()


def check_source(host: str, site: str | None, origin: str | None) -> None:
    """Refuse what a page of another origin sends. Raises CrossOrigin.

    ``site`` is Sec-Fetch-Site, which knows best: behind a proxy Origin is the proxy's, and Host may
    be ours. Without both headers no browser sent this, or one that is too old for push.

    >>> check_source("127.0.0.1:8292", "same-origin", "https://hub.example.net")
    >>> check_source("127.0.0.1:8292", None, None)
    >>> check_source("127.0.0.1:8292", None, "http://127.0.0.1:8888")
    Traceback (most recent call last):
    pushlab.errors.CrossOrigin: a page of http://127.0.0.1:8888 sent this (RFC 6454 §7). Fault: client. Send it from the server's own page, or from a program, without Origin.
    """
    if site in HOME or (site is None and origin is None):
        return
    if site is None and _authority(origin.partition("://")[2]) == _authority(host):
        return
    raise CrossOrigin(f"a page of {_shown(origin or 'another origin')} sent this")


def check_json(content_type: str) -> None:
    """Refuse a body that is not said to be JSON. Raises NotJson.

    A page of another origin may send forms and plain text unasked; for JSON its browser asks first,
    with a preflight, and is given no permission.

    >>> check_json("application/json; charset=utf-8")
    >>> check_json("text/plain")
    Traceback (most recent call last):
    pushlab.errors.NotJson: Content-Type is text/plain (RFC 9110 §15.5.16). Fault: client. Send 'Content-Type: application/json'.
    """
    if not _JSON.fullmatch(content_type.strip()):
        raise NotJson(f"Content-Type is {_shown(content_type)}")


def _authority(text: str) -> str:
    """Return host and port as one text. Behind a proxy the scheme of the two may differ."""
    return _DEFAULT_PORT.sub("", text.lower())


def _shown(text: str) -> str:
    """Return a stranger's header so that it can be shown: short, and plain ASCII."""
    shown = "".join(c if "!" <= c <= "~" or c == " " else "?" for c in text[:80])
    return shown or "missing"
