"""``pushlab inspect``: take a request apart that somebody has at hand.

It sends nothing. With the keys of the user agent it opens the body too, value by value; keys and the
text of the message are shown only when that is asked for.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pushlab import files
from pushlab.doctor.findings import Report
from pushlab.doctor.request import examine_request
from pushlab.errors import BadArgument, BadBase64url, BadPrivateKey, NotUtf8, PushlabError
from pushlab.protocol import (
    base64url,
    content_coding,
    encryption,
    jws,
    p256,
    strict_json,
    trace,
    utf8,
    vapid,
)
from pushlab.protocol.spelling import captured, others
from pushlab.protocol.spelling.body import body_of
from pushlab.protocol.spelling.captured import Captured
from pushlab.protocol.strict_json import is_number
from pushlab.protocol.trace import Span, Step
from pushlab.reader import Advice, advice
from pushlab.text import one_line, origins_only, show

PRIVATE = ("private", "privateKey", "private_key", "ua_private", "d")
AUTH = ("auth", "auth_secret", "authSecret")
"""Names that a file may give to the two keys of a user agent."""

YEAR_10000 = 253_402_300_800
"""Seconds since 1970 at the end of the time that Python can write as a date."""

TO_SHOW_SECRETS = Advice("secrets=True", terminal="--show-secrets")

MAX_SIZE = 16 * 1024 * 1024
"""Bytes of the longest file. A HAR file has everything that a page has loaded."""


@dataclass(frozen=True, repr=False)
class Receiver:
    """The keys with which a user agent opens a message: 32 bytes of private key, 16 of auth."""

    ua_private: bytes
    auth_secret: bytes

    def __repr__(self) -> str:
        return "<Receiver>"


def read_receiver(content: bytes) -> Receiver:
    """Read ``{"private": …, "auth": …}``, both as base64url. Raises BadArgument.

    >>> read_receiver(b'{"auth": "AAAA"}')
    Traceback (most recent call last):
    pushlab.errors.BadArgument: the receiver's file has no private. Fault: the argument that was ...
    """
    try:
        members = strict_json.parse(utf8.decode(content))
    except NotUtf8 as error:
        raise _bad_receiver(f"'s file: {error.detail}", error.hint) from None
    except PushlabError as error:
        raise _bad_receiver(f"'s file is not JSON: {error.detail}") from None
    members = members if isinstance(members, dict) else {}
    ua_private, auth_secret = _key_of(members, PRIVATE), _key_of(members, AUTH)
    try:
        p256.load_private(ua_private)
    except BadPrivateKey as error:
        raise _bad_receiver(f": {error.detail}") from None
    return Receiver(ua_private, auth_secret)


def _key_of(members: dict[str, object], names: tuple[str, ...]) -> bytes:
    given = [members[name] for name in names if name in members]
    if not given:
        raise _bad_receiver(f"'s file has no {names[0]}")
    try:
        return base64url.decode(given[0])
    except BadBase64url as error:
        raise _bad_receiver(f"'s {names[0]}: {error.detail}") from None


def _bad_receiver(detail: str, hint: str = "") -> BadArgument:
    form = 'Give a file with {"private": …, "auth": …}, both as base64url'
    return BadArgument(f"the receiver{detail}", hint=hint or form)


@dataclass(frozen=True, repr=False)
class Inspection:
    """A request taken apart.

    ``report``: what is right and wrong about it; ``claims``: what its token says, in words; ``token``
    and ``body``: their parts; ``steps``: every value from the shared secret to the nonce, and
    ``plaintext``: what it says, if the receiver's keys were given and fit; ``fault``: why they do not.
    """

    request: Captured
    report: Report
    claims: str = ""
    token: tuple[Span, ...] = ()
    body: tuple[Span, ...] = ()
    steps: tuple[Step, ...] = ()
    plaintext: bytes | None = None
    fault: str = ""

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def __repr__(self) -> str:
        return f"<Inspection of {self.request!r}: {self.report.summary}>"

    @property
    def where(self) -> str:
        """Return the origin that the request goes to. What follows it is a secret."""
        origin = show(origins_only(self.request.url.strip())).removesuffix("…").rstrip("/")
        return f"{origin}/…" if "://" in origin else "(no URL)"

    def lines(self, secrets: bool = False) -> Iterator[str]:
        """Yield the inspection as text; with ``secrets``, keys and the message too."""
        request = self.request
        yield f"{show(request.method)} {self.where}   ({request.form})"
        if self.token:
            yield f"\nToken: {self.claims}"
            yield from map(_part, self.token)
        if self.body:
            data = request.body or b""
            yield f"\nBody: {len(data)} bytes"
            for span in self.body:
                octets = data[span.start : span.end]
                yield f"{_part(span)}\n{'':12}{octets[:16].hex(' ')}{' …' if len(octets) > 16 else ''}"
        if self.steps:
            yield "\nOpened with the receiver's keys"
            for step in self.steps:
                yield f"  {step}" + (f"\n    {base64url.encode(step.value)}" if secrets else "")
        if self.plaintext is not None:
            text = one_line(self.plaintext.decode("utf-8", "replace"))
            shown = f": {text}" if secrets else f"; {advice(TO_SHOW_SECRETS)} shows it"
            yield f"  plaintext, {len(self.plaintext)} bytes{shown}"
        if self.fault:
            yield f"\nNot opened: {self.fault}"
        yield "\nFindings"
        yield from (f"  {line}" for line in str(self.report).splitlines())

    def to_json(self, secrets: bool = False) -> dict[str, object]:
        """Return the inspection as a JSON object; with ``secrets``, keys and the message too."""
        said: dict[str, object] = {
            "form": self.request.form,
            "method": self.request.method,
            "claims": self.claims,
            "token": [[span.start, span.end, span.name] for span in self.token],
            "body": [[span.start, span.end, span.name] for span in self.body],
            "findings": [
                {"code": one.code, "level": one.level, "seen": one.seen, "fix": one.fix}
                for one in self.report
            ],
        }
        if self.plaintext is not None:
            said["plaintext_bytes"] = len(self.plaintext)
        if secrets:
            said["steps"] = {step.name: base64url.encode(step.value) for step in self.steps}
            said["plaintext"] = (self.plaintext or b"").decode("utf-8", "replace")
        return said


def inspect_content(
    content: bytes,
    now: float,
    *,
    body: bytes | None = None,
    receiver: Receiver | None = None,
    source: Path | None = None,
) -> list[Inspection]:
    """Take apart each request in a file or a text. Raises BadArgument if there is none, and OSError.

    ``body``: the body by itself, if the tool left it out; ``source``: the file of the content, beside
    which an .http file may name one with the body.
    """
    requests = captured.read(content)
    if not requests:
        what, turn = others.named(content)
        raise BadArgument(
            f"{source or 'this'} holds no request{f': it is {what}' if what else ' that can be read'}",
            hint=turn or "Give raw HTTP, the text of curl -v or --trace, a HAR file, or an .http file",
        )
    folder = source.parent if source else Path()
    return [inspect_request(_with_body(one, body, folder), now, receiver) for one in requests]


def _with_body(request: Captured, body: bytes | None, folder: Path) -> Captured:
    """Add the body that is given by itself, or the one in the file that an .http file names."""
    if body is None and request.body_file:
        path = folder / request.body_file
        # Somebody else may have written the .http file, and what is read is shown in part.
        if not path.resolve().is_relative_to(folder.resolve()):
            raise BadArgument(
                f"the body is to be read from {show(request.body_file)}, outside the request's folder",
                hint=Advice(
                    "If that is right, give the file's bytes as body=…",
                    terminal="If that is right, give the file with --body",
                ),
            )
        body = files.read(path)
    if body is None:
        return request
    content, written = body_of(body)
    form = f"{request.form}, body in {written}" if written else request.form
    return replace(request, body=content, without="", form=form)


def inspect_request(request: Captured, now: float, receiver: Receiver | None = None) -> Inspection:
    """Take a request apart. ``now``: seconds since 1970, by which its token is judged.

    >>> inspect_request(Captured("headers", "POST", "", (), None), now=0)
    <Inspection of <Captured POST, 0 headers, no body, from headers>: 0 ok, 1 hint, 2 bad>
    """
    if isinstance(request.body, str):  # A PushRequest may be made in Python with any values.
        request = replace(request, body=request.body.encode("utf-8", "replace"))
    report = Report(tuple(examine_request(request, now)))
    claims, token = _token_of(request, now)
    steps, plaintext, fault = _open(request.body, receiver)
    return Inspection(request, report, claims, token, _spans(request.body), steps, plaintext, fault)


def _token_of(request: Captured, now: float) -> tuple[str, tuple[Span, ...]]:
    given = request.values("Authorization")
    try:
        token = vapid.parse(given[0]).t if given else ""
        payload = jws.split(token).payload
        # Anybody can read a token. But a claim may be a whole endpoint, which is a capability.
        spans = (replace(span, meaning=origins_only(span.meaning)) for span in trace.token_spans(token))
        return in_words(payload, now), tuple(spans)
    except PushlabError:  # The findings say why.
        return "", ()


def in_words(claims: strict_json.JsonObject, now: float) -> str:
    """Say what claims promise: for whom, until when, and whom to contact.

    >>> in_words({"aud": "https://push.example.net", "exp": 7200}, now=3600)
    'for https://push.example.net, until 1970-01-01 02:00:00 UTC (1.0 h left), no contact'
    """
    aud, exp, sub = (claims.get(name) for name in ("aud", "exp", "sub"))
    until = "an exp that is not a number"
    if is_number(exp) and 0 <= exp < YEAR_10000:
        hours = (exp - now) / 3600
        left = f"{hours:.1f} h left" if hours > 0 else f"{-hours:.1f} h ago"
        until = f"{datetime.fromtimestamp(exp, UTC):%Y-%m-%d %H:%M:%S} UTC ({left})"
    contact = f"contact {show(origins_only(str(sub)))}" if sub is not None else "no contact"
    return f"for {show(origins_only(str(aud)))}, until {until}, {contact}"


def _part(span: Span) -> str:
    where = f"{span.start}-{span.end}"
    return f"  {where:>9} {span.name}: {show(span.meaning)} ({span.rfc})"


def _spans(body: bytes | None) -> tuple[Span, ...]:
    try:
        return tuple(trace.spans(body)) if body else ()
    except PushlabError:  # The findings say why.
        return ()


def _open(body: bytes | None, receiver: Receiver | None) -> tuple[tuple[Step, ...], bytes | None, str]:
    """Open a body as the user agent does: every value on the way, the plaintext, or why not."""
    if receiver is None or not body:
        return (), None, ""
    try:
        derivation = encryption.derive_received(
            body,
            ua_private=p256.load_private(receiver.ua_private),
            auth_secret=receiver.auth_secret,
        )
        steps = tuple(trace.trace(derivation))
    except PushlabError as error:
        return (), None, f"{error.detail} ({error.rfc})"
    try:
        return steps, content_coding.decrypt(body, ikm=derivation.ikm), ""
    except PushlabError as error:
        return steps, None, f"{error.detail} ({error.rfc})"
