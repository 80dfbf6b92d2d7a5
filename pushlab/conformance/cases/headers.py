"""Group ``headers``: what the sender asks of the push service, RFC 8030."""

from collections import Counter

from pushlab.conformance.body import is_old
from pushlab.conformance.case import Judgement, failed, not_applicable, not_reached, passed, warned
from pushlab.conformance.cases.registry import poses
from pushlab.conformance.examination import Examination, nothing_came
from pushlab.conformance.exchange import Exchange
from pushlab.conformance.strict import Headers
from pushlab.errors import BadTopic, BadTtl, BadUrgency, MissingTtl
from pushlab.protocol.delivery import PushOptions

TTL, URGENCY, TOPIC = 2419, "high", "examined-upd_8"

LISTS = {
    "accept", "accept-encoding", "accept-language", "baggage", "cache-control", "connection", "cookie",
    "expect", "forwarded", "link", "pragma", "prefer", "te", "tracestate", "trailer", "upgrade", "via",
}  # fmt: skip
"""Headers that may be repeated: their values are lists, RFC 9110 §5.3."""

SINGLE = {
    "authorization", "content-encoding", "content-length", "content-type", "date", "from", "host",
    "referer", "topic", "ttl", "urgency", "user-agent",
}  # fmt: skip
"""Headers that must not be repeated. Content-Encoding is a list, and RFC 8291 §4 allows one value."""


async def asked(exam: Examination, name: str) -> tuple[Exchange, bool]:
    """Return a message that was asked for with this option, and whether the sender can set it."""
    if name not in exam.sender.sets:
        return await exam.ordinary(), False
    exchange = await exam.shared("options", lambda: exam.send(ttl=TTL, urgency=URGENCY, topic=TOPIC))
    return exchange, True


@poses("headers.ttl-present")
async def ttl_present(exam: Examination) -> Judgement:
    """Look for TTL."""
    exchange = await exam.ordinary()
    if exchange.requests[0].header("TTL") is None:
        return failed("there is no TTL", exchange)
    return passed(f"TTL: {exchange.requests[0].header('TTL')}", exchange)


@poses("headers.ttl-value")
async def ttl_value(exam: Examination) -> Judgement:
    """Judge the value of TTL."""
    exchange, named = await asked(exam, "ttl")
    if not exchange.requests:
        return not_reached(nothing_came(exchange, exam.service), exchange)
    try:
        options = PushOptions.from_headers(_but(exchange, "TTL"))
    except MissingTtl:
        return not_reached("there is no TTL: see headers.ttl-present", exchange)
    except BadTtl as error:
        return failed(error.detail, exchange)
    value = (exchange.requests[0].header("TTL") or "").strip()
    if not named:
        zero = value.strip("0") == ""
        if zero and exam.sender.form == "command":
            return warned("TTL is 0: the message is lost if the browser is closed", exchange)
        return passed(f"{value} seconds", exchange)
    if options.ttl != TTL:
        return failed(f"TTL is {value}, and {TTL} was asked for", exchange)
    return passed(f"TTL is {value}, as it was asked for", exchange)


OPTIONS = {
    "Urgency": (BadUrgency, URGENCY, "the sender names no urgency; without it, it is normal"),
    "Topic": (BadTopic, TOPIC, "the sender names no topic"),
}
"""What is wrong with a value, the value that is asked for, and what is said where there is none."""


async def option(exam: Examination, name: str) -> Judgement:
    """Judge the value of a header that may be left out."""
    refused, wanted, left_out = OPTIONS[name]
    exchange, named = await asked(exam, name.lower())
    if not exchange.requests:
        return not_reached(nothing_came(exchange, exam.service), exchange)
    value = exchange.requests[0].header(name)
    try:
        options = PushOptions.from_headers(_but(exchange, name))
    except refused as error:
        return failed(error.detail, exchange)
    if named and getattr(options, name.lower()) != wanted:
        return failed(f"{name} is {value or 'missing'}, and {wanted} was asked for", exchange)
    if not named and value is None:
        return not_applicable(left_out, exchange)
    return passed(f"{name}: {value}", exchange)


for _name in OPTIONS:

    @poses(f"headers.{_name.lower()}")
    async def _option(exam: Examination, name: str = _name) -> Judgement:
        return await option(exam, name)


def _but(exchange: Exchange, name: str) -> Headers:
    """Return the headers of a request with one option alone; beside another one, a TTL that is right."""
    headers = Headers(exchange.requests[0].request)
    values = headers.get_list

    def get_list(asked: str) -> list[str]:
        return values(asked) if asked == name else ["0"] if asked == "TTL" else []

    headers.get_list = get_list
    return headers


@poses("headers.content-encoding")
async def content_encoding(exam: Examination) -> Judgement:
    """Judge Content-Encoding."""
    exchange = await exam.ordinary()
    arrived = exchange.requests[0]
    if is_old(arrived):
        return not_reached("the body is in aesgcm: see bytes.coding", exchange)
    value = arrived.header("Content-Encoding")
    if not arrived.body and value is None:
        return not_applicable("the message has no body", exchange)
    if value is None:
        return failed("there is no Content-Encoding", exchange)
    if value.strip().lower() != "aes128gcm":
        return failed(f"Content-Encoding is {value[:40]}", exchange)
    return passed("aes128gcm", exchange)


@poses("headers.content-length")
async def content_length(exam: Examination) -> Judgement:
    """Judge Content-Length."""
    exchange = await exam.ordinary()
    arrived = exchange.requests[0]
    value = arrived.header("Content-Length")
    if value is None and arrived.body:
        return warned("the body comes in chunks, without Content-Length", exchange)
    return passed(f"{value or 0} bytes", exchange)


@poses("headers.duplicates")
async def duplicates(exam: Examination) -> Judgement:
    """Look for headers that are there twice."""
    exchange = await exam.ordinary()
    names = Counter(name.lower() for name, _ in exchange.requests[0].request.headers)
    repeated = sorted(name for name, times in names.items() if times > 1)
    twice = [name for name in repeated if name not in LISTS]
    if single := [name for name in twice if name in SINGLE]:
        return failed(f"twice: {', '.join(single)}", exchange)
    if twice:
        return warned(
            f"twice: {', '.join(twice)}: RFC 9110 §5.3 allows it only where the values are a list",
            exchange,
        )
    lists = f", but for lists: {', '.join(repeated)}" if repeated else ""
    return passed(f"{len(names)} headers, each once{lists}", exchange)
