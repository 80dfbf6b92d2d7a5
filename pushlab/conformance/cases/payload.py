"""Group ``bytes``: the payload, which the subscriber gets as the app gave it. RFC 8291 §4."""

from pushlab.conformance.body import opened
from pushlab.conformance.case import Judgement, failed, not_applicable, not_reached, passed, warned
from pushlab.conformance.cases.registry import poses
from pushlab.conformance.examination import Examination, nothing_came
from pushlab.conformance.exchange import Exchange
from pushlab.errors import BadDelimiter, EncryptionError, MalformedJson
from pushlab.protocol import strict_json
from pushlab.protocol.encryption import MAX_BODY, MAX_PLAINTEXT
from pushlab.text import counted

PAYLOADS = {
    "ascii": b"Hello, Notifications! {}[]\"'\\/\r\na second line\n",
    "utf8": "Grüße, été, Привет, γειά, 你好 €".encode(),
    "emoji": "🔔 Push 👩‍💻 🇪🇺 𝄞".encode(),
    "empty": b"",
    "one-byte": b"!",
    "largest": (b"0123456789abcdef" * 250)[:MAX_PLAINTEXT],
    "too-large": (b"0123456789abcdef" * 250)[: MAX_PLAINTEXT + 1],
    "80": b"eighty bytes " * 6 + b"..",
    "4080": b"0123456789abcdef" * 255,
    "padding": b"a thousand" * 100,
}
"""What is sent, by the name of its case."""

OURS = "the payload is the app's own, and not the examination's"


async def sent(exam: Examination, name: str) -> Exchange:
    """Return the exchange with the payload of this name, which is sent once."""
    return await exam.shared(f"payload {name}", lambda: exam.send(PAYLOADS[name]))


def decrypted(exchange: Exchange) -> bytes | Judgement:
    """Return the payload of an exchange's request, or what to judge if there is none."""
    try:
        return opened(exchange)
    except BadDelimiter:
        return not_reached("the padding is wrong: see bytes.padding", exchange)
    except EncryptionError as error:
        return failed(f"the body does not decrypt: {error.detail}", exchange)


async def arrives(exam: Examination, name: str) -> Judgement:
    """Judge whether a payload decrypts to what was given."""
    named = "payload" in exam.sender.sets
    exchange = await sent(exam, name) if named else await exam.ordinary()
    if not exchange.requests:
        return failed(nothing_came(exchange, exam.service), exchange)
    plaintext = decrypted(exchange)
    if isinstance(plaintext, Judgement):
        return plaintext
    wanted = PAYLOADS[name]
    if not named:
        return not_applicable(f"{OURS}; its message decrypts", exchange)
    if plaintext == wanted:
        return passed(f"{counted(len(wanted))} arrived, as given", exchange)
    if exam.keeper is not None and has_text(plaintext, wanted.decode()):
        return passed(f"the app's payload holds the {counted(len(wanted))}, as given", exchange)
    return failed(_difference(wanted, plaintext), exchange)


def has_text(plaintext: bytes, text: str) -> bool:
    """Say whether an app's payload, which is JSON as a rule, holds a text as it was given."""
    if text.encode() in plaintext:
        return True
    try:
        return _holds(strict_json.parse(plaintext), text)
    except MalformedJson:
        return False


def _holds(value: object, text: str) -> bool:
    if isinstance(value, dict):
        return any(_holds(one, text) for one in value.values())
    if isinstance(value, list):
        return any(_holds(one, text) for one in value)
    return value == text


def _difference(wanted: bytes, came: bytes) -> str:
    if came in (wanted.decode().encode(form) for form in ("utf-16", "utf-16-le", "utf-16-be")):
        return "the payload arrived as UTF-16"
    if came == wanted.replace(b"\r\n", b"\n"):
        return "the ends of lines were changed"
    if came.rstrip(b"\r\n\0") == wanted.rstrip(b"\r\n"):
        return f"{counted(len(came))} arrived in place of {len(wanted)}: the end is another"
    at = next((at for at, (a, b) in enumerate(zip(wanted, came, strict=False)) if a != b), None)
    if at is None:
        return f"{counted(len(came))} arrived in place of {len(wanted)}"
    return f"another payload arrived: {counted(len(came))}, and byte {at} differs"


for _name in ("ascii", "utf8", "emoji", "one-byte"):

    @poses(f"bytes.{_name}")
    async def _arrives(exam: Examination, name: str = _name) -> Judgement:
        return await arrives(exam, name)


@poses("bytes.empty")
async def empty(exam: Examination) -> Judgement:
    """Pose an empty payload."""
    if "payload" not in exam.sender.sets or exam.keeper is not None:
        return not_applicable(OURS)
    exchange = await sent(exam, "empty")
    if not exchange.requests:
        return warned(
            f"the sender sends no empty message: {nothing_came(exchange, exam.service)}", exchange
        )
    if not exchange.requests[0].body:
        return passed("a request without a body", exchange)
    plaintext = decrypted(exchange)
    if isinstance(plaintext, Judgement):
        return plaintext
    if plaintext:
        return failed(f"{counted(len(plaintext))} arrived, and none was given", exchange)
    return passed("a body that decrypts to nothing", exchange)


async def is_exact(exam: Examination) -> bool:
    """Say whether the sender sends a payload as it is given: many apps put it into JSON."""
    if "payload" not in exam.sender.sets:
        return False
    if exam.keeper is None:
        return True
    exchange = exam.require(await sent(exam, "one-byte"))
    try:
        return opened(exchange) == PAYLOADS["one-byte"]
    except EncryptionError:
        return True


@poses("bytes.largest")
async def largest(exam: Examination) -> Judgement:
    """Pose the longest payload."""
    if not await is_exact(exam):
        return not_applicable(OURS)
    exchange = await sent(exam, "largest")
    if exchange.requests and (length := len(exchange.requests[0].body)) > MAX_BODY:
        return failed(f"the body has {length} bytes, over {MAX_BODY}", exchange)
    return await arrives(exam, "largest")


@poses("bytes.too-large")
async def too_large(exam: Examination) -> Judgement:
    """Pose a payload that is a byte too long."""
    if not await is_exact(exam):
        return not_applicable(OURS)
    exchange = await sent(exam, "too-large")
    said = exchange.said
    if not exchange.requests:
        if said.accepted:
            return failed("nothing was sent, and the sender says that it was accepted", exchange)
        return passed("the sender refuses it", exchange)
    status = exchange.requests[-1].status
    if status < 400:
        return failed(
            f"a body of {len(exchange.requests[-1].body)} bytes: not all of it was sent", exchange
        )
    if said.accepted:
        return failed(f"the answer was {status}, and the sender says that it was accepted", exchange)
    if said.accepted is None:
        return warned(f"the sender sent it, and the answer was {status}", exchange)
    return passed(f"the sender sent it, and reports the answer {status}", exchange)
