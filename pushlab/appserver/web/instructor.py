"""How a browser becomes the instructor's: a one-time code in a link, exchanged for a session.

A browser stores the addresses that it opens: in its history, in the files of its session, and with
its maker if it synchronises. So no link holds a secret that still works when it has been opened.

    ./lab serve, the panel     the page                                     this server
    new_code() ──── link ────▶ #code=… leaves the address bar
                               POST /instructor {"code"}  ────────────────▶ exchange()
                               sessionStorage  ◀──────────── {"token"} ────
                               Authorization: Bearer  ────────────────────▶ is_session()

A code works once, and for CODE_SECONDS. A session lasts until the lab stops or LINKS_KEPT newer ones
were made. The page keeps it for its tab, so reloading the page works. Another tab, another browser
and a phone each need a link of their own. The token itself is never sent to a browser. It is for
programs, and for the instructor who sets PUSHLAB_TOKEN.
"""

import hashlib
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

from pushlab.appserver.web.guesses import GuessLimiter
from pushlab.errors import TooManyGuesses, WrongCode

Key = TypeVar("Key")
Value = TypeVar("Value")

CODE_SECONDS = 600
"""How long a code works."""

LINKS_KEPT = 20
"""Codes that wait for their use, and sessions. One more, and the oldest is forgotten."""

ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""The characters of a code: 32, so that each has 5 bits, and none is easily taken for another."""

LENGTH = 12
"""Characters of a code: 60 bits. It is short enough to be typed on a phone."""


class InstructorAccess:
    """The codes and sessions of one server. Any thread may call it.

    ``guesses`` counts the wrong codes, and ``now`` gives seconds of a clock that never jumps.

    >>> access = InstructorAccess()
    >>> token = access.exchange(access.new_code(), "192.0.2.7")
    >>> access.is_session(token), access.is_session("guessed")
    (True, False)
    """

    def __init__(self, guesses: GuessLimiter | None = None, now: Callable[[], float] = time.monotonic):
        self._guesses, self._now = guesses or GuessLimiter(), now
        self._lock = threading.Lock()
        # Digests in place of the secrets: the time that a look-up takes then says nothing of them.
        self._codes: OrderedDict[bytes, float] = OrderedDict()  # until when each of them works
        self._sessions: OrderedDict[bytes, None] = OrderedDict()

    def new_code(self) -> str:
        """Return a new code in groups of four characters. It works once."""
        code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
        with self._lock:
            _keep(self._codes, _digest(code), self._now() + CODE_SECONDS, LINKS_KEPT)
        return "-".join(code[i : i + 4] for i in range(0, LENGTH, 4))

    def exchange(self, code: str, address: str) -> str:
        """Return the token of a new session for a code that works, which from now on does not.

        ``address``: the client's, for which wrong codes are counted. Letters may be small, and
        hyphens and spaces are ignored. Raises WrongCode, TooManyGuesses.
        """
        if seconds := self._guesses.wait(address):
            raise TooManyGuesses(seconds=seconds)
        with self._lock:
            works_until = self._codes.pop(_digest(code), 0.0)
            if works_until > self._now():
                token = secrets.token_urlsafe(24)
                _keep(self._sessions, _secret_digest(token), None, LINKS_KEPT)
                return token
        self._guesses.wrong(address)
        raise WrongCode

    def is_session(self, token: str) -> bool:
        """Say whether this is the token of a session."""
        with self._lock:
            return _secret_digest(token) in self._sessions


def _digest(code: str) -> bytes:
    return _secret_digest(code.upper().replace("-", "").replace(" ", ""))


def _secret_digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _keep(kept: OrderedDict[Key, Value], key: Key, value: Value, most: int) -> None:
    kept[key] = value
    if len(kept) > most:
        kept.popitem(last=False)
