"""Pictures of the objects that web push sends: the last line of a cell shows one as a picture.

``import pushlab`` registers the names of their types with a running IPython; this module is loaded
when the first of them is drawn. The ``repr`` of an object does not change.

No picture shows a secret: of an endpoint only the origin is drawn, of a token only the first
characters, of auth and of the values of a derivation only the lengths. Values are shown by
``trace_table``, and by ``inspect(…, secrets=True)``.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

from pushlab.appserver.delivery.response import PushResponse
from pushlab.appserver.explain.outcome import Outcome, explain
from pushlab.doctor.findings import Finding, Level
from pushlab.doctor.inspection import Inspection
from pushlab.errors import PushlabError
from pushlab.journal import Party
from pushlab.notebook.inspection import Inspected
from pushlab.notebook.pictures import svg, theme
from pushlab.notebook.pictures.bytemaps import byte_block, parts_of, token_blocks
from pushlab.notebook.pictures.sequence import COLOURS
from pushlab.notebook.pictures.svg import Block
from pushlab.notebook.pictures.tables import TableRow, hexadecimal, table
from pushlab.protocol import base64url, trace, vapid
from pushlab.protocol.content_coding import ContentKeys, Header
from pushlab.protocol.delivery import LONG, PushOptions, PushRequest
from pushlab.protocol.encryption import Derivation
from pushlab.protocol.subscription import PushSubscription
from pushlab.protocol.trace import Span
from pushlab.protocol.vapid import Claims, Credentials
from pushlab.text import counted, one_line, show

USER_AGENT = COLOURS[Party.USER_AGENT]
PUSH_SERVICE = COLOURS[Party.PUSH_SERVICE]
APPLICATION_SERVER = COLOURS[Party.APPLICATION_SERVER]
WRONG, DOUBTFUL = "#b0263f", "#86590a"  # the reds and yellows that theme.DARK knows

# A header of a request: what it says, and the source.
REQUEST_HEADERS: Mapping[str, tuple[str, str]] = {
    "authorization": ("who sends: t is a signed token, k the public key", "RFC 8292 §3"),
    "ttl": ("seconds that the push service may keep the message", "RFC 8030 §5.2"),
    "urgency": ("how much of a phone's battery it is worth", "RFC 8030 §5.3"),
    "topic": ("replaces a waiting message with the same topic", "RFC 8030 §5.4"),
    "content-encoding": ("how the body is encrypted: for the user agent", "RFC 8291 §4"),
    "content-type": ("bytes that say nothing to whoever carries them", "RFC 9110 §8.3"),
    "content-length": ("bytes of the body", "RFC 9110 §8.6"),
    "prefer": ("asks for a receipt once the message is delivered", "RFC 8030 §5.1"),
    "crypto-key": ("of a draft: the key is in the body and in k now", ""),
    "encryption": ("of a draft: the salt is in the body now", ""),
}
# A header of a response: what it says, and the source. Other headers do not concern a message.
RESPONSE_HEADERS: Mapping[str, tuple[str, str]] = {
    "location": ("the message's own URL, which is a secret too", "RFC 8030 §5"),
    "link": ("where a receipt can be asked for", "RFC 8030 §5.1"),
    "ttl": ("seconds that the push service will keep it: fewer, maybe", "RFC 8030 §5.2"),
    "retry-after": ("not before: seconds, or a date", "RFC 9110 §10.2.3"),
    "content-type": ("of the body", "RFC 9110 §8.3"),
    "www-authenticate": ("how to say who one is", "RFC 9110 §11.6.1"),
    "x-wns-error-description": ("the words of Windows' push service", ""),
    "x-wns-notificationstatus": ("the words of Windows' push service", ""),
}


def draw(thing: object) -> str | None:
    """Return the picture of an object as SVG, or None if it has none.

    >>> draw(PushOptions(ttl=60)).count("RFC 8030")
    2
    """
    for kind, blocks in DRAWINGS.items():
        if isinstance(thing, kind):
            return svg.stack(blocks(thing), None, kind.__name__)
    return None


def html(thing: object) -> str | None:
    """Return the picture of an object as HTML, which follows the theme; None if it has none."""
    drawn = draw(thing)
    return drawn and theme.html(drawn)


def request(thing: PushRequest) -> list[Block]:
    """Draw a request: method, URL without its path, each header, and the body."""
    url = f"{thing.origin}/…"
    lines = [TableRow(thing.method, "", "the endpoint; its path is a secret", url, "RFC 8030 §5")]
    lines += _header_rows(thing.headers.items())
    parts, said = _body_parts(thing.body)
    lines.append(TableRow("body", counted(len(thing.body)), said))
    drawn = [byte_block(parts, thing.body)] if thing.body else []
    said = "PushRequest: application server → push service"
    wide = sum(block.width for block in drawn)
    return [table(lines, said, APPLICATION_SERVER, width=wide), *drawn]


def _header_rows(headers: Iterable[tuple[str, str]]) -> Iterable[TableRow]:
    for name, value in headers:
        meaning, rfc = REQUEST_HEADERS.get(name.lower(), ("no header of web push", ""))
        if name.lower() not in REQUEST_HEADERS or name.lower() == "authorization":
            value = LONG.sub(r"\1…", str(value))
        yield TableRow(name, "", meaning, str(value), rfc)


def _body_parts(body: bytes) -> tuple[list[Span], str]:
    if not body:
        return [], "none: the message only wakes the service worker up"
    try:
        return trace.spans(body), "one aes128gcm record; only the user agent can open it"
    except PushlabError as error:
        whole = [Span(0, len(body), "body", "not the body of a push message", "RFC 8291 §4")]
        return whole, f"not the body of a push message: {error.detail}"


def subscription(thing: PushSubscription) -> list[Block]:
    """Draw a subscription: its members, and which parties know them. No secret is shown."""
    expires = "never, as far as is known"
    if thing.expiration_time is not None:
        expires = _date(thing.expiration_time / 1000)
    lines = [
        TableRow("endpoint", counted(len(thing.endpoint), "character"),
             "where to send; known to all three parties, and a secret to others",
             f"{thing.origin}/…", "RFC 8030 §4"),
        TableRow("label", "", "names it without giving it away", thing.label),
        TableRow("p256dh", counted(len(thing.p256dh or b"")),
             "public key: encrypt for it; the user agent alone has the private half",
             "", "RFC 8291 §3.1", USER_AGENT),
        TableRow("auth", counted(len(thing.auth or b"")),
             "secret: known to user agent and application server, not to the push service",
             "", "RFC 8291 §3.2", USER_AGENT),
        TableRow("expirationTime", "", expires, "", "Push API §8"),
    ]  # fmt: skip
    return [table(lines, "PushSubscription: of the user agent", USER_AGENT)]


def claims(thing: Claims) -> list[Block]:
    """Draw claims, and the bytes that are signed."""
    lines = [
        TableRow("aud", "audience", "for whom: the origin of the endpoint", str(thing.aud),
             "RFC 8292 §2"),
        TableRow("exp", "expires", f"until when: {_date(thing.exp)}; at most 24 hours ahead",
             svg.shorten(str(thing.exp), 60), "RFC 8292 §2"),
        TableRow("sub", "subject", "whom to write to when something goes wrong",
             "(none)" if thing.sub is None else str(thing.sub), "RFC 8292 §2.1"),
        TableRow("as JSON", counted(len(thing.to_json())), "what is signed: readable by anyone",
             str(thing), "RFC 7515 §3"),
    ]  # fmt: skip
    return [table(lines, "Claims: what the application server says", APPLICATION_SERVER)]


def credentials(thing: Credentials) -> list[Block]:
    """Draw the two values of an Authorization header."""
    lines = [
        TableRow("t", counted(len(thing.t), "character"),
             "the token: whoever holds it can send until it expires", f"{thing.t[:8]}…",
             "RFC 8292 §3.1"),
        TableRow("k", counted(len(thing.k)), "the public key: names the application server",
             f"{base64url.encode(thing.k)[:8]}…", "RFC 8292 §3.2"),
    ]  # fmt: skip
    return [table(lines, "Credentials of the application server", APPLICATION_SERVER)]


def options(thing: PushOptions) -> list[Block]:
    """Draw the three headers of a message."""
    lines = [
        TableRow(name, "", REQUEST_HEADERS[name.lower()][0], value, REQUEST_HEADERS[name.lower()][1])
        for name, value in thing.to_headers().items()
    ]
    return [table(lines, "PushOptions: what the push service is asked", APPLICATION_SERVER)]


def response(thing: PushResponse) -> list[Block]:
    """Draw a response: status, the headers that concern a message, and the body."""
    # What the push service wrote into the body has a row of its own below.
    bare = explain(PushResponse(thing.status, reason=thing.reason))
    words = _without_rows(bare).partition(": ")[2]
    lines = [TableRow("status", "", words, show(f"{thing.status} {thing.reason}"), bare.rfc)]
    others = 0
    for name, value in thing.headers:
        if name.lower() in RESPONSE_HEADERS:
            meaning, rfc = RESPONSE_HEADERS[name.lower()]
            lines.append(TableRow(name, "", meaning, _without_path(value), rfc))
        else:
            others += 1
    if others:
        lines.append(TableRow("…", "", counted(others, "other header")))
    words = show(thing.body.decode("utf-8", "replace"))
    lines.append(TableRow("body", counted(len(thing.body)), words or "none"))
    return [table(lines, "PushResponse: push service → application server", PUSH_SERVICE)]


def _without_path(value: str) -> str:
    """Return a header's value without the path of any URL in it.

    >>> _without_path("https://push.example.net/m/1"), _without_path('</r/1>; rel="x"')
    ('https://push.example.net/…', '</…>; rel="x"')
    """
    return show(re.sub(r"(^|<|://[^/>\s]*)/[^>\s;]*", r"\1/…", value))


def outcome(thing: Outcome) -> list[Block]:
    """Draw the outcome of a message, and what to do next."""
    faults = {party.value: colour for party, colour in COLOURS.items()}
    lines = [
        TableRow(
            "kind", counted(thing.attempts, "request"), _without_rows(thing), thing.kind, thing.rfc
        ),
        TableRow("fault", "", "", thing.fault or "nobody's", "", faults.get(thing.fault, svg.INK)),
        TableRow("next", "", thing.next or "nothing to do"),
    ]
    if thing.retry_after is not None:
        lines.append(TableRow("Retry-After", "", "not before", show(thing.retry_after)))
    return [table(lines, "Outcome: what the application server makes of it", APPLICATION_SERVER)]


def _without_rows(thing: Outcome) -> str:
    """Return an outcome's text without the parts that have a row of their own.

    >>> _without_rows(explain(PushResponse(410, reason="Gone")))
    '410 Gone: The subscription has ended.'
    """
    said = thing.text
    rows = (f" ({thing.rfc})", f" Fault: {thing.fault}.", f" {thing.next}.", f" {thing.next}")
    for piece in rows:
        said = said.replace(piece, "")
    return said


def header(thing: Header) -> list[Block]:
    """Draw the header of a body."""
    data = bytes(thing)
    spans = [
        Span(0, 16, "salt", "random, new for each message", "RFC 8188 §2.1"),
        Span(16, 20, "rs", f"record size {thing.rs}", "RFC 8188 §2.1"),
        Span(20, 21, "idlen", f"{counted(len(thing.keyid))} of keyid follow", "RFC 8188 §2.1"),
        Span(21, len(data), "keyid", "names the key: in web push, as_public", "RFC 8291 §4"),
    ]
    drawn = byte_block(parts_of(spans, len(data)), data)
    said = f"Header: the first {len(data)} bytes of a body"
    return [table([], said, APPLICATION_SERVER, width=drawn.width), drawn]


def derivation(thing: Derivation | ContentKeys) -> list[Block]:
    """Draw how the keys of a message are derived: formulas and lengths, no values."""
    lines = [
        TableRow(name, counted(len(getattr(thing, key))), formula, "", rfc)
        for key, name, formula, rfc in trace.DERIVATION
        if hasattr(thing, key)
    ]
    return [table(lines, f"{type(thing).__name__}: lengths only", APPLICATION_SERVER)]


def inspected(thing: Inspected) -> list[Block]:
    """Draw each request; keys, whole tokens and messages too if they were asked for."""
    return [block for one in thing for block in inspection(one, thing.secrets)]


def inspection(thing: Inspection, secrets: bool = False) -> list[Block]:
    """Draw a request that was taken apart: headers, token, body, derivation, and what is wrong."""
    wide = max(block.width for block in _parts_of(thing, secrets, 0))
    return _parts_of(thing, secrets, wide)  # Now all bars are as long as the widest part.


def _parts_of(thing: Inspection, secrets: bool, wide: float) -> list[Block]:
    findings = map(_finding, thing.report)
    return [
        table(
            _captured(thing),
            f"A request, from {show(thing.request.form)}",
            APPLICATION_SERVER,
            width=wide,
        ),
        *_token(thing, secrets, wide),
        *_body(thing, wide),
        *_opened(thing, secrets, wide),
        table(findings, f"Findings: {thing.report.summary}", svg.FAINT, width=wide),
    ]


def _captured(thing: Inspection) -> list[TableRow]:
    request = thing.request
    headers = [
        (name, value if name.lower() == "authorization" else show(value))
        for name, value in request.headers
        if name.lower() in REQUEST_HEADERS
    ]
    first = TableRow(
        show(request.method), "", "the endpoint; its path is a secret", thing.where, "RFC 8030 §5"
    )
    others = len(request.headers) - len(headers)
    rest = [TableRow("…", "", counted(others, "other header"))] if others else []
    return [first, *_header_rows(headers), *rest]


def _token(thing: Inspection, secrets: bool, wide: float) -> list[Block]:
    """Draw the token and its claims. Whoever has its signature can send, so that is a secret."""
    if not thing.token:
        return []
    text = vapid.parse(thing.request.values("Authorization")[0]).t
    for part in () if secrets else thing.token:
        # A part with an ellipsis is shown in part: it may hold an endpoint.
        if part.name == "signature" or "…" in part.meaning:
            text = f"{text[: part.start]}{'·' * len(part)}{text[part.end :]}"
    said = TableRow("claims", "", thing.claims, "", "RFC 8292 §2")
    heading = table([said], "Its token", APPLICATION_SERVER, width=wide)
    return [heading, *token_blocks(thing.token, text)]


def _body(thing: Inspection, wide: float) -> list[Block]:
    body = thing.request.body
    if not body or not thing.body:
        return []
    heading = table([], f"Its body: {counted(len(body))}", APPLICATION_SERVER, width=wide)
    return [heading, byte_block(thing.body, body)]


def _opened(thing: Inspection, secrets: bool, wide: float) -> list[Block]:
    """Draw how the user agent opens the body: every value on the way, and the plaintext or the fault."""
    lines = []
    for step in thing.steps:
        value = hexadecimal(step.value) if secrets else ""
        lines.append(TableRow(step.name, counted(len(step.value)), step.formula, value, step.rfc))
    if thing.plaintext is not None:
        text = one_line(thing.plaintext.decode("utf-8", "replace")) if secrets else ""
        hidden = "" if secrets else "secrets=True shows it"
        lines.append(TableRow("plaintext", counted(len(thing.plaintext)), hidden, text, "RFC 8291 §4"))
    if thing.fault:
        lines.append(TableRow("not opened", "", thing.fault, "", "", WRONG))
    heading = "Opened with the receiver's keys"
    return [table(lines, heading, USER_AGENT, formulas=True, width=wide)] if lines else []


def _finding(one: Finding) -> TableRow:
    colour = {Level.BAD: WRONG, Level.HINT: DOUBTFUL}.get(one.level, APPLICATION_SERVER)
    whose = f". Fault: {one.fault}" if one.fault else ""
    fix = f". {one.fix}" if one.fix else ""
    return TableRow(one.level.value, "", show(f"{one.seen}{whose}{fix}"), "", one.source, colour)


def _date(seconds: float) -> str:
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError, TypeError):
        return "a time beyond every calendar"


DRAWINGS: Mapping[type, Callable[..., list[Block]]] = {
    PushRequest: request,
    PushSubscription: subscription,
    PushOptions: options,
    Claims: claims,
    Credentials: credentials,
    PushResponse: response,
    Outcome: outcome,
    Header: header,
    Derivation: derivation,
    ContentKeys: derivation,
    Inspection: inspection,
    Inspected: inspected,
}
