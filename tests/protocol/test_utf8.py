"""Text from the bytes of a file: marks are left out, and other encodings are named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushlab.errors import NotUtf8
from pushlab.protocol import utf8

ASCII = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=2)


@given(st.text())
def test_utf_8_comes_back_with_and_without_its_mark(text):
    text = text.lstrip("\ufeff")
    if "\0" not in text:
        assert utf8.decode(text.encode()) == utf8.decode(text.encode("utf-8-sig")) == text


@given(ASCII, st.sampled_from(["utf-16", "utf-16-le", "utf-16-be", "utf-32"]))
def test_other_encodings_are_refused_by_name_and_read_when_asked(text, encoding):
    with pytest.raises(NotUtf8, match=encoding[:6].upper()):
        utf8.decode(text.encode(encoding))
    assert utf8.decode_any(text.encode(encoding)) == text


@pytest.mark.parametrize("content", [b"\xff", b"# Schl\xfcssel\n", b"\xc3\x28", b"\xed\xa0\x80"])
def test_what_is_not_known_is_refused(content):
    for decode in (utf8.decode, utf8.decode_any):
        with pytest.raises(NotUtf8, match="not text in UTF-8"):
            decode(content)
