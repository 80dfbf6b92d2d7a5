"""The checks of lesson 01: right code passes, and for wrong code the difference is named."""

import base64

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pushlab.errors import NotYet, PushlabError
from pushlab.notebook.checks import keys
from pushlab.protocol import base64url, p256

# --- the right answers ----------------------------------------------------------------------------


def raw_public(key) -> bytes:
    numbers = key.public_numbers()
    return b"\x04" + numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")


def b64url(data: bytes) -> str:
    return base64.b64encode(data).decode().replace("+", "-").replace("/", "_").rstrip("=")


def b64url_decode(text: str) -> bytes:
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if b64url(data) != text:
        raise ValueError("another spelling")
    return data


def what_is(text: str) -> str:
    if text.startswith("-----BEGIN"):
        return "pem"
    try:
        raw = b64url_decode(text)
    except ValueError:
        return "not-base64url"
    if len(raw) != 65:
        return "not-65-bytes"
    if raw[0] != 4:
        return "not-04"
    try:
        p256.load_public(raw)
    except PushlabError:
        return "off-curve"
    return "ok"


def to_jwk(key) -> dict:
    numbers = key.private_numbers()
    point = numbers.public_numbers
    values = {"x": point.x, "y": point.y, "d": numbers.private_value}
    texts = {name: b64url(value.to_bytes(32, "big")) for name, value in values.items()}
    return {"kty": "EC", "crv": "P-256"} | texts


def test_the_right_answers_pass():
    assert repr(keys.raw_public(raw_public)) == (
        "✓ raw_public is right for three keys: 65 bytes each, zeros in front as well."
    )
    assert repr(keys.b64url(b64url, b64url_decode)) == (
        "✓ both are right for 5 byte strings, and 5 other spellings are refused."
    )
    assert repr(keys.what_is(what_is)) == "✓ what_is is right for 11 texts: every name was needed."
    assert repr(keys.to_jwk(to_jwk)) == (
        "✓ to_jwk is right for three keys: five members each, the numbers with 32 bytes."
    )


def test_the_keys_of_the_checks_are_what_they_are_named():
    assert p256.raw_public(p256.load_private(keys.SMALL_X))[1] == 0
    assert p256.raw_public(p256.load_private(keys.SMALL_Y))[33] == 0
    key = p256.load_private(keys.ORDINARY).public_key()
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert der == keys.DER_PREFIX + p256.raw_public(key)
    assert {right for right, _ in keys.PATIENTS} == set(keys.NAMES)


# --- the wrong ones -------------------------------------------------------------------------------


def minimal(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def points(prefix=b"\x04", order="big", names="xy", write=None):
    """Return a raw_public that is wrong in one way."""
    write = write or (lambda number: number.to_bytes(32, order))
    return lambda key: prefix + b"".join(write(getattr(key.public_numbers(), n)) for n in names)


WRONG_POINTS = {
    "The first byte is missing": points(prefix=b""),
    "This is little-endian": points(order="little"),
    "x comes before y": points(names="yx"),
    "with a small x (SEC 1 §2.3.3) has 64 bytes. x and y have 32 bytes": points(write=minimal),
    "This is the compressed form": lambda key: key.public_bytes(
        Encoding.X962, PublicFormat.CompressedPoint
    ),
    "This is DER": lambda key: key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    "should be bytes, and yours is a str of 130": lambda key: raw_public(key).hex(),
    "None: does your function return something?": lambda key: None,
    "differs at byte 0": points(prefix=b"\x05"),
    "raw_public of a key with a small x": lambda key: p256.raw_public(p256.load_private(keys.ORDINARY)),
}


@pytest.mark.parametrize("message", WRONG_POINTS)
def test_a_wrong_point_is_told(message):
    with pytest.raises(NotYet) as told:
        keys.raw_public(WRONG_POINTS[message])
    assert message in str(told.value)


def to_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def lenient(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def canonical_but_for_padding(text: str) -> bytes:
    return b64url_decode(text.rstrip("="))


def by_alphabet(text: str) -> bytes:
    if set(text) - set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"):
        raise ValueError
    return lenient(text)


WRONG_TEXTS = {
    "The padding has to go": (lambda data: base64.urlsafe_b64encode(data).decode(), b64url_decode),
    "+ and / are plain base64": (lambda data: to_base64(data).rstrip("="), b64url_decode),
    "This is plain base64: two characters differ": (to_base64, b64url_decode),
    "This is hexadecimal": (bytes.hex, b64url_decode),
    "should be a str, and yours is 0 bytes": (lambda data: b64url(data).encode(), b64url_decode),
    "b64url of data of length 1 ": (lambda data: "", b64url_decode),
    "has to raise ValueError here, and it returned 65 bytes. Padding": (b64url, lenient),
    "Padding is no part": (b64url, canonical_but_for_padding),
    "The last character has a bit set": (b64url, by_alphabet),
    "b64url_decode of 0 characters (RFC 4648 §5) should be bytes": (b64url, lambda text: None),
    "b64url_decode of 0 characters (RFC 4648 §5) should have 0 bytes": (
        b64url,
        lambda text: bytes(65),
    ),
}


@pytest.mark.parametrize("message", WRONG_TEXTS)
def test_a_wrong_spelling_is_told(message):
    with pytest.raises(NotYet) as told:
        keys.b64url(*WRONG_TEXTS[message])
    assert message in str(told.value)


def instead(right: str, yours: object):
    """Return a what_is that always takes one fault for another."""
    return lambda text: yours if what_is(text) == right else what_is(text)


WRONG_NAMES = {
    "text 3 of 11 (88 characters) (RFC 8292 §3.2) is not right yet. A lenient decoder reads it": (
        instead("not-base64url", "ok")
    ),
    "Count before you look at the first byte": instead("not-65-bytes", "not-04"),
    "look at the first one": instead("not-04", "ok"),
    "put x and y into the equation": instead("off-curve", "ok"),
    "how does the text begin?": instead("pem", "not-base64url"),
    "should be one of the 6 words": instead("pem", "PEM"),
    "x begins at byte 1": instead("ok", "off-curve"),
    "in the order in which the names are listed": lambda text: "pem",
    "what_is of text 1 of 11": lambda text: None,
}


@pytest.mark.parametrize("message", WRONG_NAMES)
def test_a_wrong_diagnosis_is_told(message):
    with pytest.raises(NotYet) as told:
        keys.what_is(WRONG_NAMES[message])
    assert message in str(told.value)


def changed(**members):
    """Return a to_jwk with other members: a function of the right JWK each."""
    return lambda key: (jwk := to_jwk(key)) | {name: new(jwk) for name, new in members.items()}


def without_zeros(jwk: dict, name: str) -> str:
    return base64url.encode(base64url.decode(jwk[name]).lstrip(b"\0"))


def plain(text: str) -> str:
    return text.replace("-", "+").replace("_", "/")


WRONG_JWKS = {
    "a member is missing, d": lambda key: {k: v for k, v in to_jwk(key).items() if k != "d"},
    "1 of its members do not belong there": changed(curve=lambda jwk: "P-256"),
    "A JWK has another name for this curve": changed(crv=lambda jwk: "secp256r1"),
    "kty of key 1 (RFC 7518 §6.1) has 2 characters": changed(kty=lambda jwk: "ec"),
    "x of key 1 (RFC 7518 §6.2) has 43 characters. This is y": changed(x=lambda jwk: jwk["y"]),
    "y of key 1 (RFC 7518 §6.2) has 43 characters. This is x": changed(y=lambda jwk: jwk["x"]),
    "x of key 2 (RFC 7518 §6.2) has 42 characters. Give it 32 bytes": changed(
        x=lambda jwk: without_zeros(jwk, "x")
    ),
    "d of key 2 (RFC 7518 §6.2) has 3 characters. Give it 32 bytes": changed(
        d=lambda jwk: without_zeros(jwk, "d")
    ),
    "The padding has to go": changed(d=lambda jwk: jwk["d"] + "="),
    "This is plain base64.": changed(y=lambda jwk: plain(jwk["y"])),
    "This is plain base64, with padding": changed(y=lambda jwk: plain(jwk["y"]) + "="),
    "This is hexadecimal": changed(x=lambda jwk: base64url.decode(jwk["x"]).hex()),
    "This is little-endian": changed(x=lambda jwk: b64url(base64url.decode(jwk["x"])[::-1])),
    "This is the whole point": lambda key: to_jwk(key) | {"x": b64url(p256.raw_public(key))},
    "x of key 1 (RFC 7518 §6.2) should be a str, and yours is an int": lambda key: (
        to_jwk(key) | {"x": key.private_numbers().public_numbers.x}
    ),
    "should be a dict, and yours is None": lambda key: None,
    "x of key 2": lambda key: to_jwk(p256.load_private(keys.ORDINARY)),
}


@pytest.mark.parametrize("message", WRONG_JWKS)
def test_a_wrong_jwk_is_told(message):
    with pytest.raises(NotYet) as told:
        keys.to_jwk(WRONG_JWKS[message])
    assert message in str(told.value)


# --- all of them ----------------------------------------------------------------------------------


def stub(*given):
    raise NotImplementedError("your turn")


CHECKS = [
    (keys.raw_public, [stub]),
    (keys.b64url, [stub, stub]),
    (keys.b64url, [b64url, stub]),
    (keys.what_is, [stub]),
    (keys.to_jwk, [stub]),
]


@pytest.mark.parametrize(("check", "stubs"), CHECKS)
def test_a_stub_stays_a_stub(check, stubs):
    with pytest.raises(NotImplementedError, match="your turn"):
        check(*stubs)


def test_no_message_gives_the_answer():
    """Collect the errors for all wrong answers, and look for keys, texts and names in them."""
    tried = [(keys.raw_public, [wrong]) for wrong in WRONG_POINTS.values()]
    tried += [(keys.b64url, wrong) for wrong in WRONG_TEXTS.values()]
    tried += [(keys.what_is, [wrong]) for wrong in WRONG_NAMES.values()]
    tried += [(keys.to_jwk, [wrong]) for wrong in WRONG_JWKS.values()]
    secrets = {base64url.encode(data) for data in keys.DATA[2:]}
    secrets |= {f"{name!r}" for name in keys.NAMES} | set(keys.NAMES[1:5])
    for scalar in (keys.ORDINARY, keys.SMALL_X, keys.SMALL_Y):
        raw = p256.raw_public(p256.load_private(scalar))
        for part in (raw, raw[1:33], raw[33:], scalar):
            secrets |= {part.hex(), base64url.encode(part), repr(part)}
    for check, answers in tried:
        with pytest.raises(NotYet) as told:
            check(*answers)
        assert not [secret for secret in secrets if secret in str(told.value)], str(told.value)
