"""The checks of lesson 04: right code passes, and for wrong code the difference is named."""

import base64
import json
from hashlib import sha256

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from pushlab.errors import NotYet
from pushlab.notebook.checks import sign as checks
from pushlab.protocol import base64url, p256, vapid

HEADER = b'{"typ":"JWT","alg":"ES256"}'
RANDOM = ec.ECDSA(hashes.SHA256())
DAY = 24 * 60 * 60


def compact(said: dict) -> bytes:
    return json.dumps(said, separators=(",", ":")).encode()


def write_claims(endpoint: str, now: int, sub: str, **changed) -> bytes:
    aud = "/".join(endpoint.split("/")[:3])
    return compact({"aud": aud, "exp": now + 12 * 60 * 60, "sub": sub} | changed)


def to_raw(der: bytes) -> bytes:
    r, s = utils.decode_dss_signature(der)
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def sign(claims, private_key, header=HEADER, encode=base64url.encode, raw=to_raw, signs=None):
    """Sign as a learner may. ``signs`` makes what is signed of the token's first two parts."""
    start = f"{encode(header)}.{encode(claims)}"
    signed = signs(start, claims) if signs else start.encode()
    return f"{start}.{encode(raw(private_key.sign(signed, RANDOM)))}"


def verify(authorization: str, endpoint_origin: str, now: int) -> dict:
    """Verify with cryptography alone: not with the code that the checks are made of."""
    given = vapid.parse(authorization)
    start, _, signature = given.t.rpartition(".")
    raw = base64url.decode(signature)
    if len(raw) != 64:
        raise ValueError("this is no r‖s")
    r, s = (int.from_bytes(half, "big") for half in (raw[:32], raw[32:]))
    key = p256.load_public(given.k)
    key.verify(utils.encode_dss_signature(r, s), start.encode(), RANDOM)
    said = json.loads(base64url.decode(start.partition(".")[2]))
    if said["aud"] != endpoint_origin or not now < said["exp"] <= now + DAY:
        raise ValueError("aud or exp")
    return said


RIGHT = {
    "✓ write_claims is right for 2 endpoints": (checks.claims, write_claims),
    "✓ to_raw is right for 4 signatures": (checks.to_raw, to_raw),
    "✓ sign is right for 2 keys": (checks.token, sign),
    "✓ verify is right: it believes 3 tokens and refuses 13": (checks.verify, verify),
}


@pytest.mark.parametrize("said", RIGHT)
def test_the_right_answer_passes(said):
    check, answer = RIGHT[said]
    assert str(check(answer)).startswith(said)


def test_the_package_itself_passes():
    def package(authorization, endpoint_origin, now):
        claims = vapid.verify(authorization, origin=endpoint_origin, now=now)
        return json.loads(claims.to_json())

    assert checks.token(lambda claims, key: vapid.jws.sign(vapid.HEADER, claims, key))
    assert checks.verify(package)


def origin(endpoint: str) -> str:
    return "/".join(endpoint.split("/")[:3])


WRONG_CLAIMS = {
    "aud (RFC 8292 §2) has 28 characters. An origin has no slash": lambda endpoint, now, sub: (
        write_claims(endpoint, now, sub, aud=origin(endpoint) + "/")
    ),
    "has no path: this is the whole": lambda endpoint, now, sub: write_claims(
        endpoint, now, sub, aud=endpoint
    ),
    "begins with its scheme": lambda endpoint, now, sub: write_claims(
        endpoint, now, sub, aud=endpoint.split("/")[2]
    ),
    "that the URL names belongs": lambda endpoint, now, sub: write_claims(
        endpoint, now, sub, aud=origin(endpoint).removesuffix(":8443")
    ),
    "aud (RFC 8292 §2) should be a str": lambda endpoint, now, sub: write_claims(
        endpoint, now, sub, aud=[origin(endpoint)]
    ),
    "exp (RFC 8292 §2) should be an int, and yours is a str of 10. Write a whole number": (
        lambda endpoint, now, sub: write_claims(endpoint, now, sub, exp=str(now + DAY // 2))
    ),
    "yours is a float. Write a whole number": lambda endpoint, now, sub: write_claims(
        endpoint, now, sub, exp=float(now + DAY // 2)
    ),
    "these are milliseconds": lambda endpoint, now, sub: write_claims(
        endpoint, now, sub, exp=(now + DAY // 2) * 1000
    ),
    "24 leave no room": lambda endpoint, now, sub: write_claims(endpoint, now, sub, exp=now + DAY),
    "and not from now": lambda endpoint, now, sub: write_claims(endpoint, now, sub, exp=DAY // 2),
    "such a token has expired when": lambda endpoint, now, sub: write_claims(
        endpoint, now, sub, exp=now
    ),
    "sub (RFC 8292 §2.1) should have 18 characters, and yours has 19": lambda endpoint, now, sub: (
        write_claims(endpoint, now, sub.replace("mailto:", "mailto: "))
    ),
    "in another order than aud, exp, sub": lambda endpoint, now, sub: compact(
        dict(reversed(json.loads(write_claims(endpoint, now, sub)).items()))
    ),
    "can do without its spaces": lambda endpoint, now, sub: json.dumps(
        json.loads(write_claims(endpoint, now, sub))
    ).encode(),
    "the claims have no exp": lambda endpoint, now, sub: compact({"aud": endpoint, "sub": sub}),
    "the claims should be bytes, and yours is a str": lambda endpoint, now, sub: write_claims(
        endpoint, now, sub
    ).decode(),
    "the claims should be bytes, and yours is a dict": lambda endpoint, now, sub: json.loads(
        write_claims(endpoint, now, sub)
    ),
    "and these 6 bytes are not": lambda endpoint, now, sub: b"{'aud'",
    "should be a JSON object, and this is an array": lambda endpoint, now, sub: b"[]",
    "does your function return something": lambda endpoint, now, sub: None,
    # The answer to the first endpoint, whatever is asked.
    "aud (RFC 8292 §2) should have 29 characters, and yours has 27": lambda endpoint, now, sub: (
        write_claims("https://updates.example.org/", 1700000000, "mailto:a@b.example")
    ),
}


@pytest.mark.parametrize("message", WRONG_CLAIMS)
def test_wrong_claims_are_told(message):
    assert message in told(checks.claims, WRONG_CLAIMS[message])


def parts(der: bytes) -> tuple[bytes, bytes]:
    end = 4 + der[3]
    return der[4:end], der[end + 2 :]


def halves(der: bytes, change) -> bytes:
    raw = to_raw(der)
    return change(raw[:32]) + change(raw[32:])


WRONG_SIGNATURES = {
    "has 70 bytes. This is DER still": lambda der: der,
    "whose first bit is set (RFC 7518 §3.4) has 66 bytes. The 00": lambda der: b"".join(parts(der)),
    "an r with a leading zero byte (RFC 7518 §3.4) has 63 bytes. A leading zero": lambda der: b"".join(
        part.lstrip(b"\0") for part in parts(der)
    ),
    "r comes first, then s": lambda der: to_raw(der)[32:] + to_raw(der)[:32],
    "Zero bytes belong in front": lambda der: halves(
        der, lambda half: half.lstrip(b"\0").ljust(32, b"\0")
    ),
    "Big-endian": lambda der: halves(der, lambda half: half[::-1]),
    "no fixed place": lambda der: der[4:36] + der[38:70],
    "should be bytes, and yours is a str of 128": lambda der: to_raw(der).hex(),
    "should be bytes, and yours is a tuple": utils.decode_dss_signature,
    "does your function return something": lambda der: None,
    "should have 64 bytes, and yours has 32": lambda der: to_raw(der)[:32],
    "has 64 bytes, as it should, and differs at byte 0": lambda der: bytes(range(0x11, 0x51)),
}


@pytest.mark.parametrize("message", WRONG_SIGNATURES)
def test_a_wrong_signature_is_told(message):
    assert message in told(checks.to_raw, WRONG_SIGNATURES[message])


def padded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode()


def plain(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")


WRONG_TOKENS = {
    "not 70. It is DER": lambda claims, key: sign(claims, key, raw=lambda der: bytes([48] * 70)),
    "should have 64 bytes, not 128": lambda claims, key: sign(
        claims, key, raw=lambda der: to_raw(der).hex().encode()
    ),
    "its halves are swapped": lambda claims, key: sign(
        claims, key, raw=lambda der: to_raw(der)[32:] + to_raw(der)[:32]
    ),
    "it signs the claims alone": lambda claims, key: sign(
        claims, key, signs=lambda start, claims: start.partition(".")[2].encode()
    ),
    "it signs JSON": lambda claims, key: sign(claims, key, signs=lambda start, claims: claims),
    "it signs a hash": lambda claims, key: sign(
        claims, key, signs=lambda start, claims: sha256(start.encode()).digest()
    ),
    "without its dot": lambda claims, key: sign(
        claims, key, signs=lambda start, claims: start.replace(".", "").encode()
    ),
    "does not fit header, claims and key": lambda claims, key: sign(
        claims, p256.load_private(bytes([7] * 32))
    ),
    "not base64url: padding": lambda claims, key: sign(claims, key, encode=padded),
    "this is plain base64": lambda claims, key: sign(claims, key, encode=plain),
    "should say that alg is ES256": lambda claims, key: sign(claims, key, header=b'{"typ":"JWT"}'),
    "these were written anew": lambda claims, key: sign(json.dumps(json.loads(claims)).encode(), key),
    "should have 3 parts with dots between, and yours has 2": lambda claims, key: sign(
        claims, key
    ).rpartition(".")[0],
    "the header should be JSON": lambda claims, key: sign(claims, key, header=b"ES256"),
    "the token should be a str, and yours is 2": lambda claims, key: sign(claims, key).encode(),
    "does your function return something": lambda claims, key: None,
    # The answer to the first question, whatever is asked.
    "the claims should have 85 bytes, and yours has 88": lambda claims, key: sign(
        checks.PAYLOADS[0], checks.KEYS[0]
    ),
}


@pytest.mark.parametrize("message", WRONG_TOKENS)
def test_a_wrong_token_is_told(message):
    assert message in told(checks.token, WRONG_TOKENS[message])


def test_a_signature_in_der_is_told_whatever_its_length():
    # DER has 69 to 72 bytes, at random.
    message = told(checks.token, lambda claims, key: sign(claims, key, raw=lambda der: der))
    assert "the signature (RFC 7518 §3.4) should have 64 bytes, not" in message
    assert "It is DER: turn it into r‖s" in message


def unsigned(authorization: str) -> tuple[dict, bytes]:
    token = vapid.parse(authorization).t
    payload, signature = token.split(".")[1:]
    return json.loads(base64url.decode(payload)), base64url.decode(signature)


def lenient(leaves_out: str):
    """Return a verifier that leaves something out."""

    def verifies(authorization, endpoint_origin, now):
        given = vapid.parse(authorization)
        vapid.jws.verify(vapid.jws.split(given.t), p256.load_public(given.k))
        said = unsigned(authorization)[0]
        aud = said["aud"][: len(endpoint_origin)] if leaves_out == "end of aud" else said["aud"]
        exp = int(said["exp"]) if leaves_out == "type of exp" else said["exp"]
        if leaves_out != "aud" and aud != endpoint_origin:
            raise ValueError("aud")
        if (leaves_out != "past" and exp <= now) or (leaves_out != "far" and exp > now + DAY):
            raise ValueError("exp")
        return said

    return verifies


def believes_all(authorization, endpoint_origin, now):
    return unsigned(authorization)[0]


def says_false(authorization, endpoint_origin, now):
    try:
        return verify(authorization, endpoint_origin, now)
    except (InvalidSignature, ValueError, TypeError, KeyError):
        return False


def takes_der(authorization, endpoint_origin, now):
    given = vapid.parse(authorization)
    start, _, signature = given.t.rpartition(".")
    raw = base64url.decode(signature)
    if len(raw) == 64:
        return verify(authorization, endpoint_origin, now)
    p256.load_public(given.k).verify(raw, start.encode(), RANDOM)
    return unsigned(authorization)[0]


def trusts_alg_none(authorization, endpoint_origin, now):
    token = vapid.parse(authorization).t
    if json.loads(base64url.decode(token.split(".")[0]))["alg"] == "none":
        return unsigned(authorization)[0]
    return verify(authorization, endpoint_origin, now)


WRONG_VERIFIERS = {
    "verify of a signature in DER has to raise an error": takes_der,
    "verify of a signature with one bit flipped": believes_all,
    "verify of an unsigned token (alg none)": trusts_alg_none,
    "verify of a token for another push service": lenient("aud"),
    "verify of an aud with a slash": lenient("end of aud"),
    "verify of an exp that is text": lenient("type of exp"),
    "verify of an exp in the past": lenient("past"),
    "verify of an exp 25 hours ahead": lenient("far"),
    "and it returned a bool": says_false,
    "verify of a good token should be a dict, and yours is a bool": lambda *given: bool(verify(*given)),
    "verify of a good token should be a dict, and yours is None": lambda *given: None,
    "verify of a good token is not right yet. Return all its claims": lambda *given: {
        "aud": verify(*given)["aud"]
    },
}


@pytest.mark.parametrize("message", WRONG_VERIFIERS)
def test_a_wrong_verifier_is_told(message):
    assert message in told(checks.verify, WRONG_VERIFIERS[message])


@pytest.mark.parametrize("check", [check for check, _ in RIGHT.values()])
def test_a_stub_stays_a_stub(check):
    def stub(*given):
        raise NotImplementedError("your turn")

    with pytest.raises(NotImplementedError, match="your turn"):
        check(stub)


def test_no_message_gives_the_answer():
    answers = [write_claims(origin + path, now, sub) for origin, path, now, sub in checks.POSTS]
    answers += list(checks.SIGNATURES.values()) + checks.PAYLOADS
    words = [str(now + DAY // 2) for _, _, now, _ in checks.POSTS]
    words += [said[0] for said in checks.POSTS]
    for answer in answers:
        words += [answer.hex(), answer.hex(" "), base64url.encode(answer), repr(answer)]
    wrong = {
        checks.claims: WRONG_CLAIMS,
        checks.to_raw: WRONG_SIGNATURES,
        checks.token: WRONG_TOKENS,
        checks.verify: WRONG_VERIFIERS,
    }
    for check, answers in wrong.items():
        for answer in answers.values():
            message = told(check, answer)
            assert not [word for word in words if word in message]


def told(check, answer) -> str:
    with pytest.raises(NotYet) as told:
        check(answer)
    return str(told.value)
