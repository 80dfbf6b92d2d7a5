"""Which requests are accepted: decided from the head of a request, before it is handled.

The server has no accounts. The danger is another site's page in the browser of the person who runs
the server: that page can send requests here, and the person does not see it.

    what the other page tries                what stops it                                 error
    its own name, now resolved to us         Host is not ours                              WrongHost
    (DNS rebinding)
    a POST from its own origin (CSRF)        Sec-Fetch-Site, or else Origin and Host       CrossOrigin
    a POST that needs no preflight           Content-Type is application/json              NotJson
    a preflight (OPTIONS)                    405, and no header that begins Access-Control
    to read an answer, to frame the page     no such header, and the policy in handler.py

Two facts decide, and no script can forge them. First, browsers write Host, Origin and Sec-…
themselves. Second, they send Sec-Fetch-Site only to https and to loopback. A page that has rebound
its name has no certificate for this server, so it speaks plain http with a name that is not
loopback's, and sends no Sec-Fetch-Site. Where Sec-Fetch-Site is present, Host may be any name: the
request came through a proxy with a certificate, such as a JupyterHub's, which passes on the public
Host, Origin and Sec-… unchanged.

Sources: Fetch Metadata Request Headers §2, Fetch §3.2, RFC 6454 §7, RFC 9110 §7.2.
"""

import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pushlab.appserver.web.guesses import GuessLimiter
from pushlab.errors import InstructorOnly, NotJson, TooManyGuesses, WrongHost
from pushlab.errors.servers import INVALID_TOKEN
from pushlab.server.http import SAFE, check_source, is_own_host
from pushlab.text import show

_JSON = re.compile(r"application/json[ \t]*(;[ \t]*charset=\"?utf-8\"?[ \t]*)?", re.IGNORECASE)
_BEARER = re.compile(r"Bearer +([A-Za-z0-9._~+/-]+=*) *", re.IGNORECASE)


@dataclass(frozen=True)
class Guard:
    """Accept a request, or raise the error that says what is wrong with it.

    ``host``: the address that the server listens at; ``token``: the instructor's, or None if
    every user may do everything; ``guesses`` counts the wrong ones; ``is_session``: whether a token
    is one that a browser of the instructor's was given (see ``instructor``).

    >>> guard = Guard("127.0.0.1")
    >>> guard.check("POST", {"Host": "127.0.0.1:8292", "Origin": "http://127.0.0.1:8292"})
    >>> guard.check("GET", {"Host": "evil.example:8292"})
    Traceback (most recent call last):
    pushlab.errors.WrongHost: this server is not evil.example:8292 (RFC 9110 §15.5.20). ...
    """

    host: str
    token: str | None = field(default=None, repr=False)
    guesses: GuessLimiter = field(default_factory=GuessLimiter, repr=False)
    is_session: Callable[[str], bool] = field(default=lambda token: False, repr=False)

    def check(self, method: str, headers: Mapping[str, str]) -> None:
        """Check what every request must have. Raises WrongHost, CrossOrigin."""
        host, site = headers.get("Host", ""), headers.get("Sec-Fetch-Site")
        if site is None and not is_own_host(host, self.host):
            raise WrongHost(f"this server is not {show(host, limit=80) or 'missing'}")
        if method not in SAFE:
            check_source(host, site, headers.get("Origin"))

    def check_instructor(self, authorization: str, access_token: str = "", address: str = "") -> None:
        """Check the instructor's token, or a session's. Raises InstructorOnly, TooManyGuesses.

        ``authorization``: the header; ``access_token``: the one of the query, if there is no header;
        ``address``: where the request comes from.

        Source: RFC 6750 §2.1, §2.3.

        >>> Guard("10.77.0.1", token="c2VjcmV0").check_instructor("Bearer c2VjcmV0")
        """
        if self.token is None:
            return
        given = bearer(authorization) or access_token
        if not given:
            raise InstructorOnly
        if seconds := self.guesses.wait(address):
            raise TooManyGuesses(seconds=seconds)
        # The time that this takes does not show how many characters of the token were right.
        if not (hmac.compare_digest(given.encode(), self.token.encode()) or self.is_session(given)):
            self.guesses.wrong(address)
            raise InstructorOnly(headers=INVALID_TOKEN)


def bearer(authorization: str) -> str:
    """Return the token of an Authorization header, or "". Source: RFC 6750 §2.1.

    >>> bearer("Bearer c2VjcmV0"), bearer("Basic c2VjcmV0")
    ('c2VjcmV0', '')
    """
    found = _BEARER.fullmatch(authorization)
    return found[1] if found else ""


def check_json(content_type: str) -> None:
    """Refuse a body whose Content-Type is not JSON. Raises NotJson.

    A browser lets a page send forms and plain text to another origin. Before JSON it sends a
    preflight request, and this server does not give the permission.

    >>> check_json("application/json; charset=utf-8")
    >>> check_json("text/plain")
    Traceback (most recent call last):
    pushlab.errors.NotJson: Content-Type is text/plain (RFC 9110 §15.5.16). ...
    """
    if not _JSON.fullmatch(content_type.strip()):
        raise NotJson(f"Content-Type is {show(content_type, limit=80) or 'missing'}")
