"""RFC 8291: Appendix A to the byte, every way to damage it, http_ece and pywebpush."""

import http_ece
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st
from pywebpush import WebPusher

from pushlab.errors import (
    BadAuth,
    BadDelimiter,
    BadKeyid,
    BadPlaintext,
    BadPublicKey,
    BadRecordSize,
    DecryptionFailed,
    EncryptionError,
    NoKeys,
    PlaintextTooLong,
    TooManyRecords,
    TruncatedHeader,
    TruncatedRecord,
)
from pushlab.protocol import content_coding, encryption, p256
from pushlab.protocol.content_coding import Header
from pushlab.protocol.encryption import combine, decrypt, derive, encrypt
from pushlab.protocol.subscription import PushSubscription

ENDPOINT = "https://push.example.net/push/JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV"
UA_PRIVATE = p256.load_private(bytes(range(0x20, 0x40)))
AS_PRIVATE = p256.load_private(bytes(range(0x40, 0x60)))
AUTH = bytes(range(0x60, 0x70))
SALT = bytes(range(0x70, 0x80))
SUBSCRIPTION = PushSubscription(ENDPOINT, p256.raw_public(UA_PRIVATE), AUTH)


def seal(padded: bytes, rs: int = 4096) -> bytes:
    """Encrypt one record as given, with or without a delimiter."""
    as_public = p256.raw_public(AS_PRIVATE)
    secret = AS_PRIVATE.exchange(encryption.ec.ECDH(), SUBSCRIPTION.ua_public)
    keys = derive(secret, AUTH, SUBSCRIPTION.p256dh, as_public, SALT)
    return bytes(Header(SALT, rs, as_public)) + AESGCM(keys.cek).encrypt(keys.nonce, padded, None)


@pytest.fixture
def melon(rfc8291):
    """Appendix A's user agent: its subscription, and a way to open a body with its keys."""
    return PushSubscription(ENDPOINT, rfc8291("ua_public"), rfc8291("auth_secret"))


@pytest.fixture
def open_melon(rfc8291, outcome):
    ua_private = p256.load_private(rfc8291("ua_private"))
    return lambda body: outcome(decrypt, body, ua_private=ua_private, auth_secret=rfc8291("auth_secret"))


def test_every_intermediate_value_of_appendix_a(rfc8291):
    as_private = p256.load_private(rfc8291("as_private"))
    ua_public = p256.load_public(rfc8291("ua_public"))
    assert p256.raw_public(as_private) == rfc8291("as_public")
    assert as_private.exchange(encryption.ec.ECDH(), ua_public) == rfc8291("ecdh_secret")
    inputs = ("ecdh_secret", "auth_secret", "ua_public", "as_public", "salt")
    derivation = derive(*map(rfc8291, inputs))
    names = ("PRK_key", "key_info", "IKM", "PRK", "cek_info", "CEK", "nonce_info", "NONCE")
    for name in (*inputs, *names):
        assert getattr(derivation, name.lower()) == rfc8291(name), name


def test_both_sides_agree_on_the_secret(rfc8291):
    ua_private = p256.load_private(rfc8291("ua_private"))
    as_public = p256.load_public(rfc8291("as_public"))
    assert p256.raw_public(ua_private) == rfc8291("ua_public")
    assert ua_private.exchange(encryption.ec.ECDH(), as_public) == rfc8291("ecdh_secret")


def test_the_body_of_appendix_a_in_both_directions(rfc8291, melon, open_melon):
    as_private = p256.load_private(rfc8291("as_private"))
    body = encrypt(rfc8291("plaintext"), melon, as_private=as_private, salt=rfc8291("salt"))
    assert body == rfc8291("body") == rfc8291("header") + rfc8291("ciphertext")
    assert len(body) == 144
    assert open_melon(body) == b"When I grow up, I want to be a watermelon"


def test_truncated_at_every_length(rfc8291, open_melon):
    body = rfc8291("body")
    for length in range(len(body)):
        if length < 86:
            expected = TruncatedHeader
        elif length < 86 + 17:
            expected = TruncatedRecord
        else:
            expected = DecryptionFailed
        assert open_melon(body[:length]) is expected, length


def test_with_every_bit_flipped(rfc8291, open_melon, flips):
    opened = set()
    for index, bit, body in flips(rfc8291("body")):
        if 16 <= index < 20:
            # rs is 4096, one bit of 32. Without it rs is 0. With any other bit set as well it is
            # larger still: that goes unnoticed, because the header is not sealed.
            expected = BadRecordSize if (index, bit) == (18, 4) else rfc8291("plaintext")
            opened |= {(index, bit)} - {(18, 4)}
        elif index == 20:
            # idlen is 65. The body has 123 bytes after it.
            expected = TruncatedHeader if 65 ^ (1 << bit) > 123 else BadKeyid
        elif 21 <= index < 86:
            expected = BadKeyid
        else:
            expected = DecryptionFailed
        assert open_melon(body) == expected, (index, bit)
    assert len(opened) == 31


def test_something_after_the_end(rfc8291, open_melon):
    body = rfc8291("body")
    assert open_melon(body + b"\0") is DecryptionFailed
    assert open_melon(body + bytes(4096 - 58)) is DecryptionFailed
    assert open_melon(body + bytes(4096 - 58 + 1)) is TooManyRecords


def test_without_keys_nothing_is_encrypted():
    with pytest.raises(NoKeys):
        encrypt(b"Hello", PushSubscription(ENDPOINT), as_private=AS_PRIVATE, salt=SALT)


def test_the_longest_plaintext():
    body = encrypt(bytes(3993), SUBSCRIPTION, as_private=AS_PRIVATE, salt=SALT)
    assert len(body) == 4096
    assert decrypt(body, ua_private=UA_PRIVATE, auth_secret=AUTH) == bytes(3993)
    for length in (3994, 4096, 1_000_000):
        with pytest.raises(PlaintextTooLong):
            encrypt(bytes(length), SUBSCRIPTION, as_private=AS_PRIVATE, salt=SALT)


def test_the_shortest_plaintext():
    body = encrypt(b"", SUBSCRIPTION, as_private=AS_PRIVATE, salt=SALT)
    assert len(body) == 103
    assert decrypt(body, ua_private=UA_PRIVATE, auth_secret=AUTH) == b""


@pytest.mark.parametrize("rs", range(18, 30))
def test_rs_is_at_least_the_length_of_the_record(rs, outcome):
    body = seal(b"Hello\x02", rs)
    expected = b"Hello" if rs >= 22 else TooManyRecords
    assert outcome(decrypt, body, ua_private=UA_PRIVATE, auth_secret=AUTH) == expected


@pytest.mark.parametrize("rs", [0, 16, 17])
def test_rs_below_18(rs, outcome):
    body = seal(b"\x02")
    body = body[:16] + rs.to_bytes(4, "big") + body[20:]
    assert outcome(decrypt, body, ua_private=UA_PRIVATE, auth_secret=AUTH) is BadRecordSize


@pytest.mark.parametrize(
    "padded, expected",
    [
        (b"\x02", b""),
        (b"Hello\x02" + bytes(1000), b"Hello"),
        (b"Hello\x02\x02", b"Hello\x02"),
        (b"\0\0\x02", b"\0\0"),
        (b"\0", BadDelimiter),
        (bytes(4080), BadDelimiter),
        (b"Hello", BadDelimiter),
        (b"Hello\x01", BadDelimiter),
        (b"Hello\x01\0", BadDelimiter),
        (b"Hello\x03", BadDelimiter),
        (b"", TruncatedRecord),
    ],
)
def test_delimiters(padded, expected, outcome):
    assert outcome(decrypt, seal(padded), ua_private=UA_PRIVATE, auth_secret=AUTH) == expected


@pytest.mark.parametrize(
    "keyid",
    [
        b"",
        b"\x00",
        bytes(65),
        b"\x04" + bytes(64),
        b"\x02" + p256.raw_public(AS_PRIVATE)[1:33],
        b"\x06" + p256.raw_public(AS_PRIVATE)[1:],
        p256.raw_public(AS_PRIVATE)[1:],
        p256.raw_public(AS_PRIVATE)[:64] + b"\x00",
        p256.raw_public(AS_PRIVATE) + b"\x00",
        bytes(255),
    ],
)
def test_a_keyid_that_is_not_a_point(keyid, outcome):
    body = content_coding.encrypt(b"Hello", ikm=bytes(32), salt=SALT, keyid=keyid)
    assert outcome(decrypt, body, ua_private=UA_PRIVATE, auth_secret=AUTH) is BadKeyid


def test_two_records(outcome):
    secret = AS_PRIVATE.exchange(encryption.ec.ECDH(), SUBSCRIPTION.ua_public)
    as_public = p256.raw_public(AS_PRIVATE)
    _, _, ikm = combine(secret, AUTH, SUBSCRIPTION.p256dh, as_public)
    body = content_coding.encrypt(b"Hello", ikm=ikm, salt=SALT, rs=21, keyid=as_public)
    assert content_coding.decrypt(body, ikm=ikm) == b"Hello"
    assert outcome(decrypt, body, ua_private=UA_PRIVATE, auth_secret=AUTH) is TooManyRecords


def test_other_keys(outcome):
    body = encrypt(b"Hello", SUBSCRIPTION, as_private=AS_PRIVATE, salt=SALT)
    other = AUTH[:-1] + b"\0"
    assert outcome(decrypt, body, ua_private=AS_PRIVATE, auth_secret=AUTH) is DecryptionFailed
    assert outcome(decrypt, body, ua_private=UA_PRIVATE, auth_secret=other) is DecryptionFailed
    assert outcome(decrypt, body, ua_private=UA_PRIVATE, auth_secret=AUTH) == b"Hello"


@pytest.mark.parametrize("length", [0, 15, 17, 65])
def test_inputs_of_another_length(length, outcome):
    body = encrypt(b"Hello", SUBSCRIPTION, as_private=AS_PRIVATE, salt=SALT)
    point, wrong = bytes(65), bytes(length)
    assert outcome(decrypt, body, ua_private=UA_PRIVATE, auth_secret=wrong) is BadAuth
    assert outcome(derive, bytes(32), wrong, point, point, SALT) is BadAuth
    assert outcome(derive, bytes(32), AUTH, point, point, wrong) is TruncatedHeader
    salted = outcome(encrypt, b"Hello", SUBSCRIPTION, as_private=AS_PRIVATE, salt=wrong)
    assert salted is TruncatedHeader
    if length != 65:
        assert outcome(derive, bytes(32), AUTH, wrong, point, SALT) is BadPublicKey
        assert outcome(derive, bytes(32), AUTH, point, wrong, SALT) is BadPublicKey


def test_the_keys_are_never_printed(rfc8291):
    inputs = ("ecdh_secret", "auth_secret", "ua_public", "as_public", "salt")
    derivation = derive(*map(rfc8291, inputs))
    assert repr(derivation) == str(derivation)
    assert "ikm=32 bytes" in repr(derivation)
    for name, value in vars(derivation).items():
        assert value.hex() not in repr(derivation) and repr(value) not in repr(derivation), name


def test_the_same_arguments_give_the_same_body():
    bodies = {
        encrypt(b"Hello", SUBSCRIPTION, as_private=AS_PRIVATE, salt=salt)
        for salt in (SALT, SALT, bytes(16))
    }
    assert len(bodies) == 2


@given(st.binary(max_size=300))
def test_any_bytes_raise_our_error(outcome, body):
    result = outcome(decrypt, body, ua_private=UA_PRIVATE, auth_secret=AUTH)
    assert issubclass(result, EncryptionError)


private_keys = st.integers(1, p256.N - 1).map(lambda n: p256.load_private(n.to_bytes(32, "big")))
sixteen = st.binary(min_size=16, max_size=16)
plaintexts = st.binary(max_size=100) | st.integers(0, 3993).map(bytes)


@given(plaintexts, private_keys, private_keys, sixteen, sixteen)
def test_http_ece_opens_what_we_seal(plaintext, ua_private, as_private, auth, salt):
    subscription = PushSubscription(ENDPOINT, p256.raw_public(ua_private), auth)
    body = encrypt(plaintext, subscription, as_private=as_private, salt=salt)
    assert http_ece.decrypt(body, private_key=ua_private, auth_secret=auth) == plaintext
    if plaintext:
        theirs = http_ece.encrypt(
            plaintext, salt=salt, private_key=as_private, dh=subscription.p256dh, auth_secret=auth
        )
        assert theirs == body


@given(plaintexts.filter(len), private_keys, sixteen)
def test_we_open_what_pywebpush_seals(plaintext, ua_private, auth):
    subscription = PushSubscription(ENDPOINT, p256.raw_public(ua_private), auth)
    body = WebPusher(subscription.to_json()).encode(plaintext)["body"]
    assert decrypt(body, ua_private=ua_private, auth_secret=auth) == plaintext


def test_pywebpush_writes_two_records_when_one_is_full(outcome):
    body = WebPusher(SUBSCRIPTION.to_json()).encode(bytes(4080))["body"]
    assert outcome(decrypt, body, ua_private=UA_PRIVATE, auth_secret=AUTH) is TooManyRecords


@pytest.mark.parametrize("given", ["hi", "x" * 5000, {"title": "hi"}, None, 7, memoryview(b"hi")])
def test_a_plaintext_that_is_no_bytes_is_told_how_it_becomes_some(given):
    for seal in (
        lambda: encrypt(given, SUBSCRIPTION, as_private=AS_PRIVATE, salt=SALT),
        lambda: content_coding.encrypt(given, ikm=bytes(16), salt=SALT),
    ):
        with pytest.raises(BadPlaintext, match=r"not bytes \(RFC 8188 §2\).*\.encode\(\)") as caught:
            seal()
        assert "hi" not in caught.value.detail.split()
    assert encrypt(bytearray(b"hi"), SUBSCRIPTION, as_private=AS_PRIVATE, salt=SALT)
