"""base64url: RFC 4648 §10 without padding, and nothing that is not canonical."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushlab.errors import BadBase64url
from pushlab.protocol import base64url

# RFC 4648 §10, and two bytes that need the URL alphabet (§5).
EXAMPLES = {
    b"": "",
    b"f": "Zg",
    b"fo": "Zm8",
    b"foo": "Zm9v",
    b"foob": "Zm9vYg",
    b"fooba": "Zm9vYmE",
    b"foobar": "Zm9vYmFy",
    b"\xfb\xff": "-_8",
}


@pytest.mark.parametrize("data, text", EXAMPLES.items())
def test_examples(data, text):
    assert base64url.encode(data) == text
    assert base64url.decode(text) == data


@pytest.mark.parametrize(
    "text, detail",
    [
        ("Zg==", "padding at character 3 of 4"),
        ("Zm9v=", "padding at character 5 of 5"),
        ("+_8", "'+' at character 1 of 3: this is plain base64"),
        ("-/8", "'/' at character 2 of 3: this is plain base64"),
        ("Zm9v\n", "'\\n' at character 5 of 5"),
        (" Zm9v", "' ' at character 1 of 5"),
        ("Zm9\0", "'\\x00' at character 4 of 4"),
        ("Zm9\ud800", "'\\ud800' at character 4 of 4"),
        ("Zm9١", "'\\u0661' at character 4 of 4"),
        ("Z", "length 1 is impossible in base64url: is a character missing?"),
        ("Zm9vY", "length 5 is impossible in base64url: is a character missing?"),
        ("Zh", "the last of 2 characters has bits that belong to no byte"),
        ("Zm9", "the last of 3 characters has bits that belong to no byte"),
        (None, "this is null, not text"),
        (True, "this is true or false, not text"),
        (b"Zg", "this is 2 bytes long, not text"),
        (["Zg"], "this is an array, not text"),
    ],
)
def test_what_is_not_base64url_says_why(text, detail):
    with pytest.raises(BadBase64url) as caught:
        base64url.decode(text)
    assert caught.value.detail == detail


@given(st.binary())
def test_bytes_come_back(data):
    assert base64url.decode(base64url.encode(data)) == data


@given(st.text() | st.text("AQgwZm9-_=+/\n\ud800", max_size=9))
def test_one_text_for_one_byte_string(text):
    try:
        data = base64url.decode(text)
    except BadBase64url:
        return
    assert base64url.encode(data) == text


def test_a_long_text():
    assert base64url.decode("A" * 4_000_000) == bytes(3_000_000)
