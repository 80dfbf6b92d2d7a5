"""aes128gcm: the two examples of RFC 8188, damaged in every way, and a comparison with http_ece."""

import http_ece
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import example, given
from hypothesis import strategies as st

from pushlab.errors import (
    BadDelimiter,
    BadKeyid,
    BadRecordSize,
    DecryptionFailed,
    EncryptionError,
    TruncatedHeader,
    TruncatedRecord,
)
from pushlab.protocol import base64url, content_coding
from pushlab.protocol.content_coding import Header, decrypt, derive, encrypt

IKM = bytes(range(0x10, 0x20))
SALT = bytes(range(0x20, 0x30))


@pytest.fixture(params=[0, 1], ids=["3.1", "3.2"])
def walrus(vector, request):
    """One of the two examples: its values as bytes, its numbers as they are."""
    entry = vector("rfc8188")[request.param]
    kept = ("source", "record_size", "records")
    return {n: v if n in kept else base64url.decode(v) for n, v in entry.items()}


@pytest.fixture
def body_3_1(vector):
    return base64url.decode(vector("rfc8188")[0]["body"])


@pytest.fixture
def body_3_2(vector):
    return base64url.decode(vector("rfc8188")[1]["body"])


@pytest.fixture
def open_3_1(vector, outcome):
    return lambda body: outcome(decrypt, body, ikm=base64url.decode(vector("rfc8188")[0]["ikm"]))


@pytest.fixture
def open_3_2(vector, outcome):
    return lambda body: outcome(decrypt, body, ikm=base64url.decode(vector("rfc8188")[1]["ikm"]))


def sealed(*records: bytes, rs: int = 4096) -> bytes:
    """Seal records as given, with or without a delimiter, as a faulty sender would."""
    keys = derive(IKM, SALT)
    body = bytes(Header(SALT, rs))
    for seq, record in enumerate(records):
        body += AESGCM(keys.cek).encrypt(content_coding.record_nonce(keys.nonce, seq), record, None)
    return body


def test_the_examples_in_both_directions(walrus):
    pads = [record["zero_padding_octets"] for record in walrus.get("records", ())]
    body = encrypt(
        walrus["plaintext"],
        ikm=walrus["ikm"],
        salt=walrus["salt"],
        rs=walrus["record_size"],
        keyid=walrus["keyid"],
        pads=pads,
    )
    assert body == walrus["body"]
    assert decrypt(walrus["body"], ikm=walrus["ikm"]) == walrus["plaintext"]
    header = Header(walrus["salt"], walrus["record_size"], walrus["keyid"])
    assert Header.parse(body) == header
    assert body.startswith(bytes(header))
    assert len(header) == len(bytes(header))


def test_the_keys_of_3_1(vector):
    entry = vector("rfc8188")[0]
    keys = derive(base64url.decode(entry["ikm"]), base64url.decode(entry["salt"]))
    assert base64url.encode(keys.prk) == entry["PRK"]
    assert base64url.encode(keys.cek) == entry["CEK"]
    assert base64url.encode(keys.nonce) == entry["NONCE"]


def test_3_1_truncated_at_every_length(body_3_1, open_3_1):
    assert len(body_3_1) == 21 + 32
    for length in range(len(body_3_1)):
        if length < 21:
            expected = TruncatedHeader
        elif length < 21 + 17:
            expected = TruncatedRecord
        else:
            expected = DecryptionFailed
        assert open_3_1(body_3_1[:length]) is expected, length


def test_3_2_truncated_at_every_length(body_3_2, open_3_2):
    first, second = 23, 23 + 25
    assert len(body_3_2) == second + 25
    for length in range(len(body_3_2)):
        if length < first:
            expected = TruncatedHeader
        elif length < first + 17:
            expected = TruncatedRecord
        elif length < second:
            expected = DecryptionFailed
        elif length == second:
            expected = BadDelimiter  # a whole record, which says that another one follows
        elif length < second + 17:
            expected = TruncatedRecord
        else:
            expected = DecryptionFailed
        assert open_3_2(body_3_2[:length]) is expected, length


def test_3_1_with_every_bit_flipped(body_3_1, open_3_1, flips):
    for index, bit, body in flips(body_3_1):
        if 16 <= index < 20:
            # The header is not sealed. rs is 4096, one bit of 32. Without it rs is 0; with any
            # other bit set as well it is larger still, and the one record is as good as before.
            expected = BadRecordSize if (index, bit) == (18, 4) else b"I am the walrus"
        elif index == 20:
            # idlen was 0 and the keyid now takes the first bytes of a record of 32.
            idlen = 1 << bit
            expected = (
                DecryptionFailed
                if 32 - idlen >= 17
                else TruncatedRecord
                if 32 - idlen >= 0
                else TruncatedHeader
            )
        else:
            expected = DecryptionFailed
        assert open_3_1(body) == expected, (index, bit)


def test_3_2_with_every_bit_flipped(body_3_2, open_3_2, flips):
    for index, bit, body in flips(body_3_2):
        if 16 <= index < 20:
            # rs is 25, so every other number cuts the records elsewhere; 17 and 9 are no rs at all.
            expected = BadRecordSize if (index, bit) in {(19, 3), (19, 4)} else DecryptionFailed
        elif index == 20:
            expected = TruncatedHeader if 2 ^ (1 << bit) > 52 else DecryptionFailed
        elif index in (21, 22):
            # The keyid only names the key, and is not sealed. A receiver that has the key ignores it.
            expected = b"I am the walrus"
        else:
            expected = DecryptionFailed
        assert open_3_2(body) == expected, (index, bit)


@pytest.mark.parametrize("rs", [0, 1, 16, 17, 2**32, 2**40, -1])
def test_rs_out_of_range(rs, outcome):
    assert outcome(encrypt, b"", ikm=IKM, salt=SALT, rs=rs) is BadRecordSize
    assert outcome(Header, SALT, rs) is BadRecordSize
    if 0 <= rs < 2**32:
        body = SALT + rs.to_bytes(4, "big") + bytes(1 + 17)
        assert outcome(decrypt, body, ikm=IKM) is BadRecordSize


@pytest.mark.parametrize("rs", [18, 19, 4096, 2**32 - 1])
@pytest.mark.parametrize("plaintext", [b"", b"a", b"ab", bytes(100)])
def test_rs_within_range(rs, plaintext):
    body = encrypt(plaintext, ikm=IKM, salt=SALT, rs=rs)
    records = max(1, -(-len(plaintext) // (rs - 17)))
    assert len(body) == 21 + len(plaintext) + 17 * records
    assert decrypt(body, ikm=IKM) == plaintext


@pytest.mark.parametrize("length", [0, 15, 17, 32])
def test_a_salt_of_another_length(length, outcome):
    assert outcome(encrypt, b"", ikm=IKM, salt=bytes(length)) is TruncatedHeader
    assert outcome(derive, IKM, bytes(length)) is TruncatedHeader


def test_a_keyid_has_at_most_255_bytes(outcome):
    body = encrypt(b"a", ikm=IKM, salt=SALT, keyid=bytes(255))
    assert Header.parse(body).keyid == bytes(255)
    assert decrypt(body, ikm=IKM) == b"a"
    assert outcome(encrypt, b"a", ikm=IKM, salt=SALT, keyid=bytes(256)) is BadKeyid


@pytest.mark.parametrize(
    "records",
    [
        [b""],
        [b"\0"],
        [bytes(4080)],
        [b"data"],
        [b"data\x01"],
        [b"data\x01\0\0"],
        [b"data\x03"],
        [b"data\x02\x01"],
        [b"data\xff\0"],
    ],
)
def test_one_record_that_ends_wrongly(records, outcome):
    expected = TruncatedRecord if records == [b""] else BadDelimiter
    assert outcome(decrypt, sealed(*records), ikm=IKM) is expected


def test_only_zeros_may_follow_the_delimiter(outcome):
    for byte in range(256):
        expected = {0: b"data", 2: b"data\x02"}.get(byte, BadDelimiter)
        assert outcome(decrypt, sealed(b"data\x02" + bytes([byte])), ikm=IKM) == expected, byte


@pytest.mark.parametrize(
    "records, expected",
    [
        ([b"ab\x01", b"c\x02"], b"abc"),
        ([b"a\x01\0", b"\x02\0\0"], b"a"),  # the last record may be all padding
        ([b"\x01\0\0", b"a\x02"], b"a"),  # and so may the first
        ([b"ab\x01", b"ab\x01", b"\x02"], b"abab"),
        ([b"ab\x02", b"c\x02"], BadDelimiter),  # more comes after the last
        ([b"ab\x02", b"\x02"], BadDelimiter),
        ([b"ab\x01", b"c\x01"], BadDelimiter),  # less comes than was announced
        ([bytes(3), b"c\x02"], BadDelimiter),
        ([b"ab\x01", bytes(3)], BadDelimiter),
        ([b"ab\x01", b""], TruncatedRecord),
    ],
)
def test_two_records(records, expected, outcome):
    assert outcome(decrypt, sealed(*records, rs=19), ikm=IKM) == expected


def test_records_cannot_change_places(outcome):
    body = encrypt(b"abcdef", ikm=IKM, salt=SALT, rs=18)
    records = [body[start : start + 18] for start in range(21, len(body), 18)]
    swapped = body[:21] + b"".join([records[1], records[0], *records[2:]])
    assert outcome(decrypt, swapped, ikm=IKM) is DecryptionFailed
    assert outcome(decrypt, body[:21] + b"".join(records), ikm=IKM) == b"abcdef"


def test_another_key(outcome):
    body = encrypt(b"a", ikm=IKM, salt=SALT)
    assert outcome(decrypt, body, ikm=IKM[:-1]) is DecryptionFailed


@pytest.mark.parametrize(
    "pads, records",
    [([], 2), ([0, 0, 0], 2), ([3], 2), ([7, 7], 3), ([8, 8, 8], 5), ([0, 6], 2)],
)
def test_padding(pads, records):
    body = encrypt(b"0123456789", ikm=IKM, salt=SALT, rs=25, pads=pads)
    assert -(-(len(body) - 21) // 25) == records
    assert decrypt(body, ikm=IKM) == b"0123456789"


@pytest.mark.parametrize("pads", [[9], [-1], [0, 9]])
def test_padding_that_does_not_fit(pads, outcome):
    assert outcome(encrypt, bytes(10), ikm=IKM, salt=SALT, rs=25, pads=pads) is BadRecordSize


def test_rs_is_4096_unless_said():
    assert Header.parse(encrypt(b"", ikm=IKM, salt=SALT)) == Header(SALT, 4096)


def test_many_records():
    plaintext = bytes(range(256)) * 256
    assert decrypt(encrypt(plaintext, ikm=IKM, salt=SALT, rs=18), ikm=IKM) == plaintext


def test_the_keys_are_never_printed():
    keys = derive(IKM, SALT)
    assert repr(keys) == str(keys)
    assert "cek=16 bytes" in repr(keys)
    for name in ("prk", "cek", "nonce"):
        assert getattr(keys, name).hex() not in repr(keys)
        assert repr(getattr(keys, name)) not in repr(keys)


def test_the_header_prints_itself():
    assert str(Header(SALT, 25, b"a1")) == f"salt {SALT.hex()}, rs 25, keyid 6131"
    assert str(Header(SALT, 25)) == f"salt {SALT.hex()}, rs 25, keyid empty"


plaintexts = st.binary(max_size=300)
ikms = st.binary(min_size=1, max_size=64)
salts = st.binary(min_size=16, max_size=16)
sizes = st.integers(18, 100) | st.just(4096)


@given(plaintexts, ikms, salts, sizes, st.text(max_size=60))
def test_http_ece_opens_what_we_seal(plaintext, ikm, salt, rs, keyid):
    body = encrypt(plaintext, ikm=ikm, salt=salt, rs=rs, keyid=keyid.encode())
    assert http_ece.decrypt(body, key=ikm) == plaintext
    if plaintext:
        assert http_ece.encrypt(plaintext, key=ikm, salt=salt, rs=rs, keyid=keyid) == body


@given(plaintexts.filter(len), ikms, salts, sizes)
def test_we_open_what_http_ece_seals(plaintext, ikm, salt, rs):
    assert decrypt(http_ece.encrypt(plaintext, key=ikm, salt=salt, rs=rs), ikm=ikm) == plaintext


def test_http_ece_seals_no_record_for_no_data(outcome):
    """A body must have a last record. For an empty plaintext, http_ece writes none."""
    body = http_ece.encrypt(b"", key=IKM, salt=SALT)
    assert len(body) == 21
    assert outcome(decrypt, body, ikm=IKM) is TruncatedRecord


@given(plaintexts, salts, sizes, st.lists(st.integers(0, 30), max_size=5))
def test_padded_bodies_come_back(outcome, plaintext, salt, rs, pads):
    body = outcome(encrypt, plaintext, ikm=IKM, salt=salt, rs=rs, pads=pads)
    if body is BadRecordSize:
        assert max(pads) > rs - 17
    else:
        assert decrypt(body, ikm=IKM) == plaintext
        assert http_ece.decrypt(body, key=IKM) == plaintext


@given(st.binary(max_size=200))
@example(b"")
@example(bytes(1000))
def test_any_bytes_raise_our_error(outcome, body):
    assert issubclass(outcome(decrypt, body, ikm=IKM), EncryptionError)


def test_the_keyid_of_a_body_and_of_what_has_none(body_3_2):
    assert content_coding.keyid_of(body_3_2) == b"a1"
    assert [content_coding.keyid_of(body_3_2[:length]) for length in (0, 20, 22)] == [None] * 3


@pytest.mark.parametrize(
    ("encryption", "crypto_key", "mixed"),
    [
        ("salt=AAAA", "", True), ('keyid=p256dh; salt="AAAA"', "", True), ("Salt = AAAA", "", True),
        ("", "dh=BA", True), ("", "p256ecdsa=BA; DH = BA", True), ("", "keyid=a,dh=BA", True),
        ("", "", False), ("", "p256ecdsa=BA", False), ("rs=4096", "keyid=dh", False),
        ("dh=BA", "salt=AAAA", False), ("salt=", "dh=", False), ("xsalt=A", "xdh=A", False),
    ],
)  # fmt: skip
def test_headers_that_belong_to_the_older_coding(encryption, crypto_key, mixed):
    assert content_coding.mixes_codings(encryption, crypto_key) is mixed
