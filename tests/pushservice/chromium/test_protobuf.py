"""The wire format: golden bytes, both ways, and nothing but our own errors for nonsense."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushlab.errors import BadField
from pushlab.pushservice.chromium import messages
from pushlab.pushservice.chromium.messages import (
    CHECKIN_REQUEST,
    CHECKIN_RESPONSE,
    DATA_MESSAGE_STANZA,
    HEARTBEAT,
    IQ_STANZA,
    LOGIN_REQUEST,
    LOGIN_RESPONSE,
)
from pushlab.pushservice.chromium.protobuf import Kind, Message, read_varint, varint

ALL = [value for value in vars(messages).values() if isinstance(value, Message)]


@pytest.mark.parametrize(
    "number, written",
    [
        (0, "00"),
        (1, "01"),
        (127, "7f"),
        (128, "8001"),
        (150, "9601"),  # the example of the format's own documentation
        (300, "ac02"),
        (2**32, "8080808010"),
        (2**63, "80808080808080808001"),
        (2**64 - 1, "ffffffffffffffffff01"),
    ],
)
def test_varints(number, written):
    assert varint(number).hex() == written
    assert read_varint(bytes.fromhex(written)) == (number, len(written) // 2)


@pytest.mark.parametrize("number", [-1, 2**64])
def test_a_number_that_is_no_varint(number):
    with pytest.raises(BadField):
        varint(number)


@pytest.mark.parametrize(
    "data",
    ["", "80", "ffffffffffffffffffff", "ffffffffffffffffff02", "8080808080808080808001"],
    ids=["empty", "no end", "ten bytes and no end", "65 bits", "eleven bytes"],
)
def test_nonsense_for_a_varint(data):
    with pytest.raises(BadField):
        read_varint(bytes.fromhex(data))


def test_a_varint_in_the_middle():
    assert read_varint(b"\xff\xac\x02\xff", 1) == (300, 3)


GOLDEN = [
    (
        CHECKIN_REQUEST,
        {"android_id": 5, "security_token": 0x0102030405060708},
        "1005 69 0807060504030201",
    ),
    (
        CHECKIN_RESPONSE,
        {
            "stats_ok": 1,
            "time_msec": 1_700_000_000_000,
            "android_id": 1,
            "security_token": 2**63,
            "market_ok": 0,
        },
        "0801 18 80d095ffbc31 39 0100000000000000 41 0000000000000080 4800",
    ),
    (HEARTBEAT, {"last_stream_id_received": 3}, "1003"),
    (
        LOGIN_REQUEST,
        {"id": "c", "user": "12", "auth_token": "34", "received_persistent_id": ["a", "b"]},
        "0a0163 1a023132 2a023334 520161 520162",
    ),
    (
        LOGIN_RESPONSE,
        {"id": "c", "last_stream_id_received": 1, "server_timestamp": 1000},
        "0a0163 3001 40e807",
    ),
    (
        IQ_STANZA,
        {"type": 1, "id": "", "extension": {"id": 13, "data": b""}, "last_stream_id_received": 2},
        "1001 1a00 3a04 080d 1200 5002",
    ),
    (
        DATA_MESSAGE_STANZA,
        {
            "id": "m",
            "from": "k",
            "category": "a",
            "token": "t",
            "app_data": [{"key": "s", "value": "w"}, {"key": "c", "value": "é"}],
            "persistent_id": "m",
            "last_stream_id_received": 1,
            "ttl": 300,
            "sent": 1,
            "raw_data": b"\x00\xff",
            "immediate_ack": 1,
        },
        (
            "12016d 1a016b 2a0161 320174 3a06 0a0173 120177 3a07 0a0163 1202c3a9 4a016d 5801"
            "8801ac02 900101 aa010200ff c00101"
        ),
    ),
]


@pytest.mark.parametrize("kind, values, written", GOLDEN, ids=lambda value: repr(value)[:40])
def test_golden_bytes(kind, values, written):
    assert kind.encode(**values).hex() == written.replace(" ", "")
    assert kind.decode(bytes.fromhex(written)) == values


def test_none_is_left_out_and_what_is_missing_stays_missing():
    assert HEARTBEAT.encode(last_stream_id_received=None) == b""
    assert HEARTBEAT.decode(b"") == {}


def test_unknown_fields_of_every_wire_type_are_skipped():
    unknown = "f80101 f1010000000000000000 fa0103616263 fd0100000000"
    assert HEARTBEAT.decode(bytes.fromhex(unknown + "1007")) == {"last_stream_id_received": 7}


def test_of_a_field_that_comes_twice_the_last_one_counts():
    assert HEARTBEAT.decode(bytes.fromhex("10071008")) == {"last_stream_id_received": 8}


@pytest.mark.parametrize(
    "data, words",
    [
        ("0a05 6162", "ends inside"),
        ("0affffffffffffffffff01 61", "ends inside"),
        ("0a", "varint"),
        ("0801", "id of LoginRequest has wire type 0"),
        ("0a01ff", "id of LoginRequest is not UTF-8"),
        ("0b", "wire type 3"),
        ("0f", "wire type 7"),
        ("0201ff", "number 0"),
        ("fdffffffffffffffff0100000000", "number"),
        ("91010000", "ends inside"),
    ],
)
def test_nonsense(data, words):
    with pytest.raises(BadField, match=words):
        LOGIN_REQUEST.decode(bytes.fromhex(data))


def test_nonsense_within_a_message_within():
    with pytest.raises(BadField):
        IQ_STANZA.decode(bytes.fromhex("3a020aff"))


@pytest.mark.parametrize("kind", ALL, ids=repr)
@given(data=st.binary(max_size=200))
def test_random_bytes_raise_our_own_error_or_none(kind, data):
    with contextlib.suppress(BadField):
        assert isinstance(kind.decode(data), dict)


@pytest.mark.parametrize("kind, values, written", GOLDEN, ids=lambda value: repr(value)[:40])
@given(data=st.data())
def test_a_changed_byte_raises_our_own_error_or_none(kind, values, written, data):
    changed = bytearray.fromhex(written)
    changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(BadField):
        assert isinstance(kind.decode(bytes(changed)), dict)


@given(
    number=st.integers(0, 2**64 - 1),
    fixed=st.integers(0, 2**64 - 1),
    texts=st.lists(st.text(max_size=300)),
    data=st.binary(max_size=300),
)
def test_what_is_written_is_read_again(number, fixed, texts, data):
    kind = Message(
        "Any",
        {
            1: ("number", Kind.NUMBER),
            16: ("fixed", Kind.FIXED64),
            2**29 - 1: ("texts", [Kind.TEXT]),
            3: ("inner", Message("Inner", {1: ("data", Kind.BYTES)})),
        },
    )
    values = {"number": number, "fixed": fixed, "inner": {"data": data}}
    values |= {"texts": texts} if texts else {}
    assert kind.decode(kind.encode(**values)) == values
