"""Text from outside: whatever it is, what may be shown is one line, printable, bounded, no secret."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushlab.text import MAX_SHOWN, json_line, one_line, origins_only, show

NASTY = "\x1b[31m\x9b\u202e\u2028\x85\r\n\t\0" + "s3cret-_" * 8


@given(st.text() | st.builds("".join, st.lists(st.sampled_from([*NASTY, NASTY, "word "]))))
def test_whatever_it_is(text):
    shown = show(text)
    assert shown.isprintable() and len(shown) <= MAX_SHOWN + 1
    assert not re.search("[A-Za-z0-9_-]{32}", shown)
    assert show(shown) == shown or len(shown) > MAX_SHOWN, "what may be shown stays as it is"


@given(st.text(st.characters(categories=["L", "N", "P"]), max_size=31))
def test_plain_words_stay_as_they_are(word):
    assert show(word) == one_line(word) == word


@given(st.text() | st.builds("".join, st.lists(st.sampled_from([*NASTY, NASTY, "Zo\xeb "]))))
def test_json_is_printable_and_whole(text):
    line = json_line({text: [text]})
    assert line.isprintable() and json.loads(line) == {text: [text]}
    assert "\xeb" not in text or "\xeb" in line, "letters need no escape"


def test_what_is_hidden_is_named_by_the_caller_or_long():
    assert show(f"a {'b' * 31} {'c' * 32}") == f"a {'b' * 31} …"
    assert show("one two three", ["two", "", "one two"]) == "… three"
    assert show(f"{'d' * 16}\n{'d' * 16}") == f"{'d' * 16} {'d' * 16}"
    assert show("x " * 500, limit=7) == "x x x x…"


WNS = "https://wns2-par02p.notify.windows.com/w/?token=" + "aB3%2f" * 20


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (WNS, "https://wns2-par02p.notify.windows.com/…"),
        (WNS.replace("/w/", ""), "https://wns2-par02p.notify.windows.com/…"),
        (WNS.partition("//")[2], "wns2-par02p.notify.windows.com/w/?…"),
        (WNS.replace("/", "\\/"), "https:\\/\\/wns2-par02p.notify.windows.com/…"),
        (f"['{WNS}']", "['https://wns2-par02p.notify.windows.com/…']"),
        ("https://me:s3cret@push.example.net", "https://push.example.net"),
        ("https://me:s3@cret@push.example.net:8443/p", "https://push.example.net:8443/…"),
        ("https://push.example.net:s3cret", "https://push.example.net/…"),
        ("wss://[::1]:80/s3cret", "wss://[::1]:80/…"),
        ('{"aud":"https://push.example.net","sub":"mailto:me@example.com"}',) * 2,
        ("https://push.example.net/, and more", "https://push.example.net/…, and more"),
    ],
)
def test_of_a_url_only_its_origin_is_shown(text, shown):
    assert origins_only(text) == shown


@given(st.text())
def test_the_origins_of_any_text_stay_as_they_are(text):
    assert origins_only(origins_only(text)) == origins_only(text)
