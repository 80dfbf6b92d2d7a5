"""JSON that Python would read and should not, or cannot read and should say so."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushlab.errors import MalformedJson
from pushlab.protocol import strict_json

NOT_JSON = {
    "nothing": "",
    "a word": "undefined",
    "NaN": "[NaN]",
    "Infinity": '{"exp": Infinity}',
    "-Infinity": "-Infinity",
    "two texts": "{} {}",
    "a comment": "{} // why",
    "a single quote": "{'a': 1}",
    "a comma too many": "[1,]",
    "a raw control character": '"\n"',
    "an escaped half": '"\\u12"',
    "brackets without end": "[" * 100_000,
    "objects without end": '{"a":' * 100_000,
    "digits without end": "1" * 100_000,
    "not UTF-8": b'"\xff"',
    "a surrogate in UTF-8": b'"\xed\xa0\x80"',
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf{}",
}


@pytest.mark.parametrize("text", NOT_JSON.values(), ids=NOT_JSON)
def test_what_is_not_json(text):
    with pytest.raises(MalformedJson):
        strict_json.parse(text)


@given(st.text() | st.binary())
def test_any_text_is_json_or_malformed(text):
    try:
        value = strict_json.parse(text)
    except MalformedJson:
        return
    assert strict_json.parse(json.dumps(value)) == value


@pytest.mark.parametrize(
    "value, number, kind, shown",
    [
        (None, False, "null", "null"),
        (True, False, "true or false", "true or false"),
        (0, True, "a number", "a number"),
        (1.5, True, "a number", "a number"),
        ([], False, "an array", "an array"),
        ({}, False, "an object", "an object"),
        ("a\ud800", False, "text of 2 characters", "'a\\ud800'"),
        ("a" * 80, False, "text of 80 characters", repr("a" * 80)),
        ("a" * 81, False, "text of 81 characters", "text of 81 characters"),
        (b"abc", False, "3 bytes long", "3 bytes long"),
        pytest.param(10**5000, True, "a number", "a number", id="5001 digits"),
        (1j, False, "of type complex", "of type complex"),
    ],
)
def test_what_a_value_is(value, number, kind, shown):
    assert strict_json.is_number(value) is number
    assert strict_json.kind(value) == kind
    assert strict_json.shown(value) == shown
