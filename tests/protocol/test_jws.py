"""A signed token: r ‖ s and DER, and the form of a token, which is checked before its claims."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from pushlab.errors import BadSignature, BadToken
from pushlab.protocol import base64url, jws, p256

KEY = p256.load_private(bytes(range(0x20, 0x40)))
HEADER = b'{"typ":"JWT","alg":"ES256"}'


def verified(token: str) -> dict:
    parsed = jws.split(token)
    jws.verify(parsed, KEY.public_key())
    return parsed.payload


def test_a_token_comes_back():
    token = jws.sign(HEADER, b'{"exp":1}', KEY)
    assert verified(token) == {"exp": 1}
    parsed = jws.split(token)
    assert parsed.header == {"typ": "JWT", "alg": "ES256"}
    assert len(parsed.signature) == 64
    assert parsed.signing_input.decode() == token.rpartition(".")[0]


def test_signing_is_deterministic():
    assert jws.sign(HEADER, b"{}", KEY) == jws.sign(HEADER, b"{}", KEY)
    assert jws.sign(HEADER, b"{}", KEY) != jws.sign(HEADER, b"{ }", KEY)


# RFC 6979 A.2.5: P-256 with SHA-256, message "sample".
def test_the_nonce_is_that_of_rfc_6979():
    key = p256.load_private(
        bytes.fromhex("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721")
    )
    assert jws.raw_signature(key.sign(b"sample", jws.ES256)).hex().upper() == (
        "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716"
        "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"
    )


@pytest.mark.parametrize(
    "token, detail",
    [
        ("", "the token has 1 parts, not 3"),
        ("e30.e30", "the token has 2 parts, not 3"),
        ("e30.e30.AA.AA", "the token has 4 parts, not 3"),
        ("e30=.e30.AA", "header: not base64url: padding at character 4 of 4"),
        ("e30.\ud800.AA", "claims: not base64url: '\\ud800' at character 1 of 1"),
        ("e30.e30.A=", "signature: not base64url: padding at character 2 of 2"),
        ("..", "header: not JSON"),
        ("e30..", "claims: not JSON"),
        ("bnVsbA.e30.", "header: null, not an object"),
        ("e30.W10.", "claims: an array, not an object"),
        ("e30.MTA.", "claims: a number, not an object"),
        (f"e30.{base64url.encode(b'[' * 100_000)}.", "claims: not JSON"),
        (f"e30.{base64url.encode(b'1' * 100_000)}.", "claims: not JSON"),
        (f"e30.{base64url.encode(bytes([123, 255, 125]))}.", "claims: not JSON"),
        ("e30." + base64url.encode(b'{"exp": 1, "exp": 2}') + ".", "claims: not JSON"),
        ("." * 1_000_000, "the token has 1000001 parts, not 3"),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_what_is_not_a_token(token, detail):
    with pytest.raises(BadToken) as caught:
        jws.split(token)
    assert caught.value.detail == detail


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"typ": "JWT"},
        {"alg": None},
        {"alg": True},
        {"alg": []},
        {"alg": "none"},
        {"alg": "HS256"},
        {"alg": "RS256"},
        {"alg": "ES384"},
        {"alg": "es256"},
        {"alg": "ES256", "crit": ["b64"], "b64": False},
        {"alg": "ES256", "crit": []},
    ],
)
def test_another_header(header):
    with pytest.raises(BadToken):
        verified(jws.sign(json.dumps(header).encode(), b"{}", KEY))


@pytest.mark.parametrize("header", [{"alg": "ES256"}, {"alg": "ES256", "typ": "jwt", "kid": "1"}])
def test_a_header_that_will_do(header):
    assert verified(jws.sign(json.dumps(header).encode(), b"{}", KEY)) == {}


def test_another_signature(outcome):
    token = jws.sign(HEADER, b"{}", KEY)
    signing_input, _, signature = token.rpartition(".")
    raw = base64url.decode(signature)
    n = p256.N.to_bytes(32, "big")
    for wrong in (
        b"",
        raw[:63],
        raw + b"\0",
        jws.der_signature(raw),  # what a library gives, not converted
        raw[:32] + b"\0" + raw[32:],  # the same two numbers, and a byte too many
        raw[32:] + raw[:32],
        bytes(64),
        raw[:32] + bytes(32),
        bytes(32) + raw[32:],
        n + raw[32:],
        raw[:32] + n,
        b"\xff" * 64,
        jws.raw_signature(KEY.sign(b"something else", jws.ES256)),
    ):
        result = outcome(verified, f"{signing_input}.{base64url.encode(wrong)}")
        assert result is BadSignature, wrong
    assert verified(token) == {}


def test_leading_zeros_of_r_and_s_are_kept():
    seen = set()
    for number in range(2000):
        der = KEY.sign(number.to_bytes(2, "big"), jws.ES256)
        raw = jws.raw_signature(der)
        assert len(raw) == 64 and jws.der_signature(raw) == der
        seen |= {name for name, half in (("r", raw[:32]), ("s", raw[32:])) if half[0] == 0}
        if len(seen) == 2:
            return
    pytest.fail("no short number among 2000 signatures")


@given(st.integers(0, 2**256 - 1), st.integers(0, 2**256 - 1))
def test_der_and_raw_are_the_same_two_numbers(r, s):
    raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    assert jws.der_signature(raw) == encode_dss_signature(r, s)
    assert jws.raw_signature(jws.der_signature(raw)) == raw


@given(st.binary(max_size=80))
def test_any_bytes_are_der_or_our_error(outcome, der):
    result = outcome(jws.raw_signature, der)
    assert result is BadSignature or len(result) == 64


@pytest.mark.parametrize(
    "der",
    [
        encode_dss_signature(2**256, 1),
        encode_dss_signature(1, 2**256),
        bytes.fromhex("30 06 02 01 ff 02 01 01"),  # r is -1
        bytes.fromhex("30 07 02 02 00 01 02 01 01"),  # a zero too many
        bytes.fromhex("30 06 02 01 01 02 01 01 00"),  # something after the end
    ],
)
def test_der_of_other_numbers(der):
    with pytest.raises(BadSignature):
        jws.raw_signature(der)


def test_a_token_does_not_print_its_claims():
    assert "exp" not in repr(jws.split(jws.sign(HEADER, b'{"exp":1}', KEY)))
