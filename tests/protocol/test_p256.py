"""Points and scalars of P-256: only what is on the curve, only in the one form."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from pushlab.errors import BadPrivateKey, BadPublicKey
from pushlab.protocol import p256
from pushlab.protocol.p256 import N

# SEC 2 §2.4.2: the field, b of y² = x³ - 3x + b, and the generator.
P = 2**256 - 2**224 + 2**192 + 2**96 - 1
B = 0x5AC635D8_AA3A93E7_B3EBBD55_769886BC_651D06B0_CC53B0F6_3BCE3C3E_27D2604B
G = bytes.fromhex(
    "04 6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
)


def scalar(number: int) -> bytes:
    return number.to_bytes(32, "big")


def point(x: int, y: int) -> bytes:
    return b"\x04" + scalar(x) + scalar(y)


# p is 3 modulo 4, so this is a square root; x = 0 is on the curve.
X0 = point(0, pow(B, (P + 1) // 4, P))


def test_the_generator_is_the_public_half_of_one():
    assert p256.raw_public(p256.load_private(scalar(1))) == G
    assert p256.raw_public(p256.load_public(G)) == G
    assert p256.raw_public(p256.load_public(X0)) == X0


def test_the_last_private_key_is_the_mirror_of_the_first():
    mirrored = p256.raw_public(p256.load_private(scalar(N - 1)))
    assert mirrored[:33] == G[:33]
    assert int.from_bytes(mirrored[33:], "big") == P - int.from_bytes(G[33:], "big")


@pytest.mark.parametrize(
    "raw, detail",
    [
        (b"\x00", "1 bytes long"),  # SEC 1 writes the point at infinity so
        (bytes(65), "begins with 00"),
        (b"\x04" + bytes(64), "not a point"),
        (b"\x02" + G[1:33], "33 bytes long"),  # compressed
        (b"\x03" + G[1:33], "33 bytes long"),
        (b"\x02" + G[1:], "begins with 02"),
        (b"\x06" + G[1:], "begins with 06"),  # hybrid
        (b"\x07" + G[1:], "begins with 07"),
        (G[1:], "64 bytes long"),
        (G[:33] + scalar(1), "not a point"),
        (G[:33] + G[1:33], "not a point"),
        (point(P, int.from_bytes(X0[33:], "big")), "not a point"),  # x = 0 written as p
        (b"\x04" + b"\xff" * 64, "not a point"),
    ],
)
def test_what_is_not_an_uncompressed_point(raw, detail):
    with pytest.raises(BadPublicKey) as caught:
        p256.load_public(raw)
    assert detail in caught.value.detail


def test_a_point_of_another_length(outcome):
    taken = [n for n in range(200) if outcome(p256.load_public, (G * 4)[:n]) is not BadPublicKey]
    assert taken == [65]


def test_every_bit_of_a_point_matters(flips, outcome):
    assert {outcome(p256.load_public, raw) for _, _, raw in flips(G)} == {BadPublicKey}


@pytest.mark.parametrize("number", [0, N, N + 1, 2**256 - 1])
def test_a_private_key_out_of_range(number):
    with pytest.raises(BadPrivateKey):
        p256.load_private(scalar(number))


@pytest.mark.parametrize("length", [0, 1, 31, 33, 64, 65])
def test_a_private_key_of_another_length(length):
    with pytest.raises(BadPrivateKey):
        p256.load_private(b"\x01" * length)


@given(st.integers(1, N - 1) | st.integers(1, 2**128))
def test_private_keys_come_back_with_their_leading_zeros(number):
    key = p256.load_private(scalar(number))
    assert p256.raw_private(key) == scalar(number)
    assert p256.raw_public(key) == p256.raw_public(key.public_key())


def test_n_is_the_order_of_the_curve():
    assert ec.derive_private_key(N - 1, p256.CURVE).private_numbers().private_value == N - 1
    with pytest.raises(ValueError):  # noqa: PT011 - what it says differs between versions
        ec.derive_private_key(N, p256.CURVE)
