"""Group ``token``: who the sender says it is, RFC 8292."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from pushlab.conformance.body import is_old
from pushlab.conformance.case import Judgement, failed, not_applicable, not_reached, passed, warned
from pushlab.conformance.cases.registry import poses
from pushlab.conformance.examination import Examination, Unreached
from pushlab.conformance.exchange import Exchange
from pushlab.errors import BadBase64url, BadPublicKey, BadSignature, BadToken, VapidError
from pushlab.protocol import base64url, jws, p256, vapid
from pushlab.protocol.content_coding import keyid_of
from pushlab.protocol.jws import SIGNATURE, Token
from pushlab.protocol.origin import without_port
from pushlab.protocol.spelling import times
from pushlab.protocol.strict_json import is_number, kind, shown

OLD_SCHEMES = ("webpush", "bearer")
PARAMETER = re.compile(r"(?:^|[\s,])([tk])\s*=\s*\"?([^\s,\"]*)")
AHEAD = 300.0
"""Seconds by which the clock of the push service runs ahead where a token's end is examined."""


@dataclass(frozen=True, repr=False)
class Authorization:
    """What an Authorization header says, read as far as it can be: ``t`` and ``k`` as they stand."""

    scheme: str
    t: str
    k: str
    exchange: Exchange

    @property
    def token(self) -> Token:
        """The parts of the token. Raises BadToken."""
        return jws.split(self.t)

    @property
    def claims(self) -> dict[str, object]:
        """The claims of the token. Raises Unreached."""
        try:
            return dict(self.token.payload)
        except BadToken as error:
            raise Unreached(f"the token cannot be read: {error.detail}", self.exchange) from None

    @property
    def key(self) -> bytes:
        """The public key, if k can be read at all. Raises BadBase64url."""
        return base64url.decode(self.k.rstrip("=").replace("+", "-").replace("/", "_"))

    def has_key(self, key: bytes) -> bool:
        """Say whether k is this key, however it is written."""
        try:
            return self.key == key
        except BadBase64url:
            return False


def authorization_of(exchange: Exchange) -> Authorization:
    """Read the Authorization header of the first request. Raises Unreached."""
    header = exchange.requests[0].header("Authorization")
    if not header or not header.strip():
        raise Unreached("the request has no Authorization header: see token.scheme", exchange)
    scheme, _, rest = header.strip().partition(" ")
    found = dict(PARAMETER.findall(rest))
    t, k = found.get("t", ""), found.get("k", "")
    if scheme.lower() in OLD_SCHEMES:  # A draft had the token here, and the key in Crypto-Key.
        t = rest.strip()
        crypto = exchange.requests[0].header("Crypto-Key") or ""
        k = (re.findall(r"p256ecdsa=\"?([^;,\"\s]*)", crypto) or [""])[0]
    return Authorization(scheme, t, k, exchange)


async def ordinary(exam: Examination) -> Authorization:
    """Return what the ordinary message says. Raises Unreached."""
    return authorization_of(await exam.ordinary())


@poses("token.scheme")
async def scheme(exam: Examination) -> Judgement:
    """Judge the scheme of the Authorization header."""
    exchange = await exam.ordinary()
    header = exchange.requests[0].header("Authorization")
    if not header or not header.strip():
        return failed("the request has no Authorization header", exchange)
    name = header.strip().partition(" ")[0]
    if name.lower() in OLD_SCHEMES:
        return failed(f"the scheme is {name}, that of a draft", exchange)
    if name.lower() != "vapid":
        return failed(f"the scheme is {shown(name)}", exchange)
    authorization = authorization_of(exchange)
    if missing := [name for name in ("t", "k") if not getattr(authorization, name)]:
        return failed(f"{' and '.join(missing)} missing", exchange)
    try:
        vapid.parse(header)
    except VapidError as error:
        if "twice" in error.detail or "name=value" in error.detail:
            return failed(error.detail, exchange)
    return passed("vapid, with t and k", exchange)


@poses("token.k")
async def k(exam: Examination) -> Judgement:
    """Judge the public key."""
    authorization = await ordinary(exam)
    if not authorization.k:
        return not_reached("there is no k: see token.scheme", authorization.exchange)
    try:
        p256.load_public(authorization.key)
    except (BadBase64url, BadPublicKey) as error:
        return failed(f"k: {error.detail}", authorization.exchange)
    try:
        base64url.decode(authorization.k)
    except BadBase64url as error:
        return failed(f"k is not base64url: {error.detail}", authorization.exchange)
    return passed("65 bytes, an uncompressed point", authorization.exchange)


@poses("token.signature-form")
async def signature_form(exam: Examination) -> Judgement:
    """Judge the algorithm, and the form of the signature."""
    authorization = await ordinary(exam)
    try:
        token = authorization.token
    except BadToken as error:
        return failed(error.detail, authorization.exchange)
    if (alg := token.header.get("alg")) != "ES256":
        return failed(f"alg is {shown(alg)}, not ES256", authorization.exchange)
    if len(token.signature) != SIGNATURE:
        der = ": it is in DER" if token.signature[:1] == b"\x30" else ""
        return failed(
            f"the signature has {len(token.signature)} bytes, not 64{der}", authorization.exchange
        )
    return passed("ES256, r ‖ s of 64 bytes", authorization.exchange)


@poses("token.signature")
async def signature(exam: Examination) -> Judgement:
    """Verify the signature; one in DER is turned into r ‖ s before, since another case says so."""
    authorization = await ordinary(exam)
    try:
        token, key = authorization.token, p256.load_public(authorization.key)
    except (BadToken, BadBase64url, BadPublicKey) as error:
        return not_reached(f"there is nothing to verify: {error.detail}", authorization.exchange)
    raw = token.signature
    try:
        if len(raw) != SIGNATURE:
            raw = jws.raw_signature(raw)
        jws.verify(Token(token.signing_input, {"alg": "ES256"}, token.payload, raw), key)
    except BadSignature as error:
        return failed(error.detail, authorization.exchange)
    return passed("it fits header, claims and k", authorization.exchange)


def judge_audience(authorization: Authorization) -> str:
    """Return what is wrong with aud, apart from its port; "" for nothing."""
    aud, origin = authorization.claims.get("aud"), authorization.exchange.message.recipient.origin
    if aud is None:
        return "aud is missing"
    if isinstance(aud, list) and origin in aud:
        return ""
    if not isinstance(aud, str):
        return f"aud is {kind(aud)}, not text"
    if aud in (origin, without_port(origin)):
        return ""
    if aud.rstrip("/") in (origin, without_port(origin)):
        return "aud ends with a slash"
    if aud.startswith((f"{origin}/", f"{without_port(origin)}/")):
        return "aud has a path after its origin"
    return f"aud is {shown(aud)}, not {origin}"


@poses("token.aud-exact")
async def aud_exact(exam: Examination) -> Judgement:
    """Judge aud, apart from its port."""
    authorization = await ordinary(exam)
    if fault := judge_audience(authorization):
        return failed(fault, authorization.exchange)
    return passed(f"aud is {authorization.claims['aud']}", authorization.exchange)


@poses("token.aud-two-services")
async def aud_two_services(exam: Examination) -> Judgement:
    """Send to both push services at once."""
    one, two = await exam.ordinary(), await exam.elsewhere()
    first, second = (authorization_of(each).claims.get("aud") for each in (one, two))
    if first == second:
        return failed(f"both tokens have aud {shown(first)}", two)
    if not isinstance(second, str):
        return not_reached("aud is not text: see token.aud-exact", two)
    host = urlsplit(two.message.recipient.origin).hostname
    if _host_of(second) != host:
        return failed(
            f"the second push service is at {host}, and its token has aud {shown(second)}", two
        )
    return passed("each token has the origin of its endpoint", two)


def _host_of(aud: str) -> str | None:
    try:
        return urlsplit(aud).hostname
    except ValueError:
        return None  # Python cannot split it, so it is the origin of no endpoint.


@poses("token.aud-port")
async def aud_port(exam: Examination) -> Judgement:
    """Judge the port in aud. Left out it is a warning: vendors' push services listen at 443."""
    authorization = await ordinary(exam)
    aud, origin = authorization.claims.get("aud"), authorization.exchange.message.recipient.origin
    if judge_audience(authorization):
        return not_reached("aud is wrong: see token.aud-exact", authorization.exchange)
    if aud == without_port(origin):
        return warned(
            f"aud is {aud}, without the port of {origin}: at vendors, which use port 443, it is right",
            authorization.exchange,
        )
    return passed("aud has the port", authorization.exchange)


@poses("token.exp-integer")
async def exp_integer(exam: Examination) -> Judgement:
    """Judge the form of exp. A fraction is allowed by RFC 7519, and Mozilla answers it with 401."""
    authorization = await ordinary(exam)
    found = authorization.claims
    exp = found.get("exp")
    if "exp" not in found:
        return failed("exp is missing", authorization.exchange)
    if isinstance(exp, str):
        quotes = "a number in quotes" if times.is_number_as_text(exp) else "text"
        return failed(f"exp is {quotes}", authorization.exchange)
    if not is_number(exp):
        return failed(f"exp is {kind(exp)}", authorization.exchange)
    if isinstance(exp, float):
        return warned(
            "exp has a fraction: RFC 7519 §2 allows it, and Mozilla answers 401", authorization.exchange
        )
    return passed("a whole number", authorization.exchange)


@poses("token.exp-within-24h")
async def exp_within_24h(exam: Examination) -> Judgement:
    """Judge the time of exp."""
    authorization = await ordinary(exam)
    exp, now = authorization.claims.get("exp"), authorization.exchange.requests[0].at
    if isinstance(exp, str) and times.is_number_as_text(exp):
        exp = float(exp)
    if not is_number(exp):
        return not_reached("exp is not a number: see token.exp-integer", authorization.exchange)
    assert isinstance(exp, int | float)
    ahead = exp - now
    if times.is_duration(exp, now):
        return failed("exp is a duration, and not a point in time", authorization.exchange)
    if ahead <= 0:
        return failed(f"exp was {-ahead:.0f} s ago", authorization.exchange)
    if ahead > vapid.MAX_LIFETIME:
        unit = times.unit_of(exp, now)
        what = f"exp counts {unit.what}" if unit and unit is not times.SECONDS else ""
        return failed(what or f"exp is {ahead / 3600:.1f} h ahead", authorization.exchange)
    if ahead > vapid.MAX_LIFETIME - 60:
        return warned(
            "exp is 24 h ahead: a push service whose clock is slow refuses it", authorization.exchange
        )
    return passed(f"exp is {ahead / 3600:.1f} h ahead", authorization.exchange)


@poses("token.sub")
async def sub(exam: Examination) -> Judgement:
    """Judge the contact."""
    authorization = await ordinary(exam)
    contact = authorization.claims.get("sub")
    if contact is None:
        return warned(
            "sub is missing: RFC 8292 allows it, and Apple answers 403", authorization.exchange
        )
    if isinstance(contact, str) and (count := _addresses(contact)) > 1:
        return warned(
            f"sub has {count} addresses: RFC 6068 §2 allows it, and a push service that checks sub may "
            "want one",
            authorization.exchange,
        )
    if not isinstance(contact, str) or not vapid.CONTACT.fullmatch(contact):
        return failed("sub is neither mailto: with one address nor https:", authorization.exchange)
    if why := vapid.unreachable(contact):
        return warned(f"sub leads to nobody ({why}): Apple answers 403", authorization.exchange)
    return passed("a mailto: or https: URI", authorization.exchange)


# https://www.rfc-editor.org/rfc/rfc6068#section-2
def _addresses(contact: str) -> int:
    """Return how many addresses a mailto: URI has; 0 if one of them is none."""
    # to = addr-spec *("," addr-spec)
    to, mark, fields = contact.removeprefix("mailto:").partition("?")
    each = [f"mailto:{address}{mark}{fields}" for address in to.split(",")]
    whole = contact.startswith("mailto:") and all(map(vapid.CONTACT.fullmatch, each))
    return len(each) if whole else 0


ONE_SHOT = "a command that sends one message has no token to use again"


@poses("token.reused")
async def reused(exam: Examination) -> Judgement:
    """Compare the tokens of two messages."""
    if exam.sender.form in ("command", "by hand"):  # Any other form lives longer than a message.
        return not_applicable(ONE_SHOT)
    one = await ordinary(exam)
    exchange = await exam.second()
    if authorization_of(exchange).t == one.t:
        return passed("the second message has the token of the first", exchange)
    return warned("each message has a token of its own", exchange)


@poses("token.renewed")
async def renewed(exam: Examination) -> Judgement:
    """Judge the time that is left by a clock that runs ahead."""
    exchange = exam.require(await exam.send(ahead=AHEAD))
    authorization = authorization_of(exchange)
    exp, now = authorization.claims.get("exp"), exchange.requests[0].at
    if not is_number(exp):
        return not_reached("exp is not a number: see token.exp-integer", exchange)
    assert isinstance(exp, int | float)
    if exp <= now:
        return not_reached("exp is in the past: see token.exp-within-24h", exchange)
    if exp - now <= AHEAD:
        return failed(f"the token expires in {exp - now:.0f} s", exchange)
    return passed(f"the token has {_hours(exp - now)} left", exchange)


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds:.0f} s"


@poses("token.one-key")
async def one_key(exam: Examination) -> Judgement:
    """Compare the keys of all messages until now, two at least."""
    first = await ordinary(exam)
    again = await exam.second()
    await exam.elsewhere()
    keys: dict[str, Authorization] = {}
    for exchange in exam.sent:
        for arrived in exchange:
            if exchange.requests and arrived.header("Authorization"):
                authorization = authorization_of(exchange)
                keys.setdefault(authorization.k, authorization)
    if not first.k:
        return not_reached("there is no k: see token.scheme", first.exchange)
    if exam.key is not None:
        others = [one.exchange for one in keys.values() if one.k and not one.has_key(exam.key)]
        if others:
            return failed("a message has another k than the subscription is restricted to", others[0])
    if len(keys) > 1:
        return failed(f"{len(keys)} keys in {len(exam.sent)} messages", again)
    return passed(f"one key in {sum(map(len, exam.sent))} messages", again)


@poses("token.key-apart")
async def key_apart(exam: Examination) -> Judgement:
    """Compare k with the key of the body."""
    authorization = await ordinary(exam)
    arrived = authorization.exchange.requests[0]
    if is_old(arrived):
        return not_reached("the body is in aesgcm: see bytes.coding", authorization.exchange)
    body_key = keyid_of(arrived.request.body or b"")
    if body_key is None or not authorization.k:
        return not_applicable("there is no key to compare", authorization.exchange)
    if authorization.has_key(body_key):
        return failed("the keyid of the body is k", authorization.exchange)
    return passed("two keys", authorization.exchange)
