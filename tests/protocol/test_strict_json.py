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
    "a raw line break in a text": b'{"event": "a\nb"}',
    "lists nested deeply": b"[" * 30_000 + b"]" * 30_000,
    "objects nested deeply": b'{"a":' * 9_000 + b"1" + b"}" * 9_000,
}
AMBIGUOUS = {
    "a name twice": b'{"endpoint": "a", "endpoint": "b"}',
    "a name twice, deep": b'{"a": [{"b": 1, "b": 2}]}',
    "a float out of range": b'{"a": 1e999}',
    "an int of 101 digits": b'{"a": ' + b"9" * 101 + b"}",
    "half a surrogate pair": b'{"event": "\\ud800"}',
    "half a surrogate pair as a name": b'{"\\udfff": 1}',
    "half a surrogate pair, not escaped": '["\ud800"]',
}
"""What is JSON by its grammar, and what readers of JSON understand differently."""


@pytest.mark.parametrize("text", (NOT_JSON | AMBIGUOUS).values(), ids=NOT_JSON | AMBIGUOUS)
def test_what_is_refused(text):
    with pytest.raises(MalformedJson) as refused:
        strict_json.parse(text)
    assert len(refused.value.detail) < 100


def test_what_json_has_is_read():
    text = '{"a": [1, -2.5, 1e3, true, null, "ü\\ud83d\\udc4b\\u0000"], "b": {}, "c": 123456789012}'
    assert strict_json.parse(text.encode()) == {
        "a": [1, -2.5, 1000.0, True, None, "ü👋\0"],
        "b": {},
        "c": 123456789012,
    }
    assert strict_json.parse(b"9" * 100) == 10**100 - 1


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
        ("ab" * 20, False, "text of 40 characters", "text of 40 characters"),
        ("ab" * 19 + "." + "ab" * 19, False, "text of 77 characters", repr("ab" * 19 + "." + "ab" * 19)),
        (b"abc", False, "3 bytes long", "3 bytes long"),
        pytest.param(10**5000, True, "a number", "a number", id="5001 digits"),
        (1j, False, "of type complex", "of type complex"),
    ],
)
def test_what_a_value_is(value, number, kind, shown):
    assert strict_json.is_number(value) is number
    assert strict_json.kind(value) == kind
    assert strict_json.shown(value) == shown
