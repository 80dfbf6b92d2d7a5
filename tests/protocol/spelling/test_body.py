"""A body by itself is read as its bytes, however they are written."""

import base64

import pytest

from pushlab.protocol.examples import RFC8291
from pushlab.protocol.spelling.body import body_of, text_of, went_through_text
from tests.protocol.spelling.dumps import dump, hexdump, xxd

BODY = bytes(range(56, 256))


@pytest.mark.parametrize(
    ("content", "written"),
    [
        (BODY, ""),
        (BODY.hex().encode(), "hexadecimal"),
        (BODY.hex(" ", 2).upper().encode() + b"\n", "hexadecimal"),
        (base64.b64encode(BODY), "base64"),
        (base64.urlsafe_b64encode(BODY).rstrip(b"="), "base64"),
        (base64.encodebytes(BODY), "base64"),
        (base64.b64encode(BODY).decode().encode("utf-16"), "base64"),
        (b"\xef\xbb\xbf" + BODY.hex().encode(), "hexadecimal"),
        (b"0x" + BODY.hex().encode(), "hexadecimal"),
        (BODY.hex(":").encode(), "hexadecimal"),
        (BODY.hex("-").upper().encode(), "hexadecimal"),
        (repr(BODY).encode(), "Python's b'…'"),
        (str(list(BODY)).encode(), "a list of numbers"),
        (dump(BODY).encode(), "a hex dump"),
        (xxd(BODY), "a hex dump"),
        (hexdump(BODY), "a hex dump"),
    ],
)
def test_a_body_by_itself(content, written):
    assert body_of(content) == (BODY, written)


def test_what_is_no_dump_is_not_read_as_one():
    for text in (xxd(BODY)[16:], xxd(BODY).replace(b"00000020", b"00000030")):
        assert body_of(text) == (text, "")
    for size in range(17, 33):  # The last line may be of any length, and its characters look like hex.
        assert body_of(xxd(b"\xaa" * 16 + b"a" * (size - 16)))[0] == b"\xaa" * 16 + b"a" * (size - 16)


def test_a_short_body_is_bytes():
    assert body_of(b"abcd") == (b"abcd", "")


@pytest.mark.parametrize("text", [b"20261130", b"deadbeefcafe", b"[1, 2, 3, 4]", b"0x0102030405060708"])
def test_a_short_id_or_list_is_text_and_no_body_in_another_form(text):
    assert text_of(text) == "text: it was not encrypted"


ENCRYPTED = RFC8291.body


@pytest.mark.parametrize("lost", [False, True], ids=["each byte a letter", "some lost"])
def test_a_body_that_went_through_text_is_told(lost):
    text = ENCRYPTED.decode("utf-8", "replace") if lost else ENCRYPTED.decode("latin-1")
    assert went_through_text(text.encode("utf-8")) and not text_of(text.encode("utf-8"))


@pytest.mark.parametrize(
    "body",
    [
        ENCRYPTED,
        BODY,
        bytes(200),
        b"hello" * 40,
        "\u2026 Gr\u00fc\u00dfe ".encode() * 20,
        b"",
        b"\xc3\xa9\0",
        "Gr\u00fc\u00dfe \x1b[1mund\x1b[0m ".encode() + b"mehr " * 40,  # text with colours of a terminal
    ],
)
def test_a_body_that_is_bytes_or_text_went_through_nothing(body):
    assert not went_through_text(body)


def test_an_emoji_of_several_is_text():
    body = ('{"title": "' + "\U0001f469\u200d\U0001f4bb" * 20 + '"}').encode()
    assert text_of(body) == "text: it was not encrypted" and not went_through_text(body)
