"""Pictures of bytes and values: each byte once, nothing hidden uncounted, safe with any text."""

import re
from itertools import pairwise
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushlab import byte_map, message_map, token_map, trace_table
from pushlab.errors import BadToken, TruncatedHeader
from pushlab.notebook.pictures import svg
from pushlab.notebook.pictures.bytemaps import ROWS, TAIL
from pushlab.notebook.pictures.tables import hexadecimal
from pushlab.protocol import encryption, jws, p256
from pushlab.protocol.examples import RFC8291, RFC8292
from pushlab.protocol.trace import Span, Step, spans, token_spans, trace
from tests.notebook.drawn import NAMESPACE, check, parsed, placed, texts

EVIL = '</text><script>alert("&\'")</script>\x00\x1b[31m\u202egnp.exe\ud800\uffff\n\r\t'
DERIVATION = encryption.derive(
    bytes(range(32)), RFC8291.auth_secret, RFC8291.ua_public, RFC8291.as_public, RFC8291.salt
)
LONGEST = encryption.encrypt(
    b"a" * encryption.MAX_PLAINTEXT,
    RFC8291.subscription,
    as_private=p256.load_private(RFC8291.as_private),
    salt=RFC8291.salt,
)


def bytes_of(markup: str) -> list[SimpleNamespace]:
    """Return every byte that is drawn: its value, its place, and the colour under it."""
    root = parsed(markup)
    boxes = list(placed(root, "rect"))[1:]
    found = []
    for text in placed(root, "text"):
        if not re.fullmatch("[0-9a-f]{2}", text.element.text or "") or text.element.get("fill"):
            continue  # A byte has no colour of its own: it is white, like its neighbours.
        x, y = text.at()
        under = [
            box.element.get("fill")
            for box in boxes
            if 0 < x - box.at()[0] < float(box.element.get("width"))
            and 0 < y - box.at()[1] < float(box.element.get("height"))
        ]
        assert len(under) == 1, "a byte stands on one colour"
        found.append(SimpleNamespace(text=text.element.text, x=x, y=y, colour=under[0]))
    return sorted(found, key=lambda byte: (byte.y, byte.x))


def in_letters(markup: str) -> str:
    """Return the text that is written to the right of the bytes."""
    groups = parsed(markup).iter(f"{NAMESPACE}g")
    return "".join(
        text.text for group in groups for text in group
        if group.get("font-size") == "12" and text.tag == f"{NAMESPACE}text"
    )  # fmt: skip


def test_a_message_map_draws_every_byte_once_in_order_on_the_colour_of_its_part():
    drawn = bytes_of(message_map(RFC8291.body).markup)
    assert "".join(byte.text for byte in drawn) == RFC8291.body.hex()
    for span, colour in zip(spans(RFC8291.body), svg.SPAN_COLOURS, strict=True):
        assert {byte.colour for byte in drawn[span.start : span.end]} == {colour}
    assert len({byte.x for byte in drawn}) == 16 and len({byte.y for byte in drawn}) == 9


def test_the_legend_names_every_part_its_length_its_meaning_and_its_source():
    said = texts(message_map(RFC8291.body, "One message").markup)
    for span in spans(RFC8291.body):
        length = f"{len(span)} byte{'' if len(span) == 1 else 's'}"
        assert f"{span.name} · {length} · {span.rfc}" in said
        assert span.meaning in said
    assert "One message" in said


def test_no_two_lines_of_a_legend_overlap():
    long = [Span(at, at + 1, f"part {at}", "word " * 40, "RFC 8291 §3.3") for at in range(20)]
    root = parsed(byte_map(long, bytes(20)).markup)
    lines = [text.at() for text in placed(root, "text") if text.element.get("font-size") == "12"]
    gaps = [after[1] - before[1] for before, after in pairwise(lines)]
    assert len(lines) >= 20 * 4 and min(gaps) >= 15


@pytest.mark.parametrize("size", [0, 1, 2, 15, 16, 17, 191, 192, 193, 208, 1000, 4096])
def test_any_length_is_drawn_with_its_end_and_the_rest_is_counted(size):
    data = bytes(at * 7 % 256 for at in range(size))
    picture = byte_map([Span(0, size, "all", "of it", "RFC 8188 §2")], data)
    check(picture.markup)
    drawn = "".join(byte.text for byte in bytes_of(picture.markup))
    if size <= ROWS * 16:
        assert drawn == data.hex()
        return
    head = (ROWS - TAIL) * 16
    tail = len(drawn) // 2 - head
    assert (TAIL - 1) * 16 < tail <= TAIL * 16
    assert drawn == (data[:head] + data[-tail:]).hex()
    hidden = size - head - tail
    assert f"… {hidden} more bytes …" in texts(picture.markup)


def test_the_longest_message_shows_its_tag():
    drawn = bytes_of(message_map(LONGEST).markup)
    assert len(LONGEST) == 4096
    assert "".join(byte.text for byte in drawn).endswith(LONGEST[-16:].hex())
    assert {byte.colour for byte in drawn[-16:]} == {svg.SPAN_COLOURS[7]}


def test_bytes_that_nobody_names_are_drawn_and_said_to_be_so():
    picture = byte_map([Span(2, 4, "rs", "size", "RFC 8188 §2.1")], bytes(range(6)))
    drawn = bytes_of(picture.markup)
    assert "".join(byte.text for byte in drawn) == "000102030405"
    named = [byte.colour == drawn[2].colour for byte in drawn]
    assert named == [False, False, True, True, False, False]
    assert texts(picture.markup).count("not named · 2 bytes") == 2


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ([Span(0, 2, "a", "", ""), Span(1, 3, "b", "", "")], "'a' and 'b' overlap"),
        ([Span(0, 5, "a", "", "")], "'a' is 0 to 5, and there are 4 bytes"),
        ([Span(3, 2, "a", "", "")], "'a' is 3 to 2"),
        ([Span(-1, 2, "a", "", "")], "'a' is -1 to 2"),
    ],
)
def test_parts_that_cannot_be_are_refused(parts, says):
    with pytest.raises(ValueError, match=says):
        byte_map(parts, bytes(4))


@given(st.lists(st.integers(0, 30), max_size=8), st.binary(max_size=300))
def test_every_byte_is_in_one_part_however_they_are_cut(lengths, data):
    parts, at = [], 0
    for length in lengths:
        parts.append(Span(at, min(at + length, len(data)), "part", "", "RFC 8188"))
        at = parts[-1].end
    picture = byte_map(parts, data)
    check(picture.markup)
    drawn = "".join(byte.text for byte in bytes_of(picture.markup))
    if len(data) <= ROWS * 16:
        assert drawn == data.hex()


def test_text_in_the_bytes_is_written_to_their_right():
    info = b"Content-Encoding: <aes>\0"
    parts = [Span(0, len(info), "info", "", ""), Span(len(info), len(info) + 9, "key", "", "")]
    markup = byte_map(parts, info + bytes(range(200, 209))).markup
    assert in_letters(markup) == "Content-Encoding:<aes>·"
    assert in_letters(message_map(RFC8291.body).markup) == ""


def test_a_token_is_drawn_in_characters_64_a_row_with_what_it_says():
    picture = token_map(RFC8292.token, "The example")
    check(picture.markup)
    written = [
        text for text in parsed(picture.markup).iter(f"{NAMESPACE}text") if text.get("textLength")
    ]
    assert "".join(text.text for text in written) == RFC8292.token
    assert all(float(text.get("textLength")) == 8 * len(text.text) for text in written)
    said = texts(picture.markup)
    assert '{"typ":"JWT","alg":"ES256"}' in said
    assert '"sub":"mailto:push@example.com"' in "".join(said)
    assert "signature · 86 characters · RFC 7518 §3.4" in said
    assert not [text for text in said if text == RFC8292.token.encode().hex()[:2]]


def test_each_part_of_a_token_has_a_colour_of_its_own():
    groups = [
        group
        for group in parsed(token_map(RFC8292.token).markup).iter(f"{NAMESPACE}g")
        if group.find(f"{NAMESPACE}title") is not None
    ]
    colours = [{box.get("fill") for box in group.findall(f"{NAMESPACE}rect")} for group in groups]
    assert colours == [{colour} for colour in svg.SPAN_COLOURS[:5]]
    parts = ["".join(text.text for text in g.findall(f"{NAMESPACE}text")) for g in groups]
    assert parts == [RFC8292.token[part.start : part.end] for part in token_spans(RFC8292.token)]


def test_a_token_s_claims_may_hold_anything():
    claims = '{"sub":"</text><script>\u202e\\u0000 %s"}' % ("x" * 3000)
    key = p256.load_private((1).to_bytes(32, "big"))
    picture = token_map(jws.sign(b'{"alg":"ES256"}', claims.encode(), key))
    check(picture.markup)
    assert "\u202e" not in picture.markup + str(picture)


def test_what_is_no_message_or_token_is_refused_with_our_own_errors():
    with pytest.raises(TruncatedHeader):
        message_map(b"")
    with pytest.raises(BadToken):
        token_map("no token")


STEPS = trace(DERIVATION, RFC8291.plaintext)


def test_a_trace_table_has_a_row_a_step():
    picture = trace_table(STEPS, "Step by step")
    check(picture.markup)
    said = texts(picture.markup)
    names = [step.name for step in STEPS]
    assert [text for text in said if text in names] == names
    for step in STEPS:
        assert {step.formula, step.rfc, f"{len(step.value)} bytes"} <= set(said)
        assert hexadecimal(step.value) in said
    assert "Step by step" in said


def test_the_text_of_a_trace_table_is_aligned():
    lines = str(trace_table(STEPS)).split("\n")
    assert lines[0].split() == ["name", "bytes", "value", "formula", "source"]
    assert len(lines) == len(STEPS) + 1
    value = lines[0].index("value")
    assert all(line[value - 1] == " " != line[value] for line in lines)
    assert lines[4].startswith("key_info            144  57656250 7573683a … ")
    assert not [line for line in lines if line != line.rstrip()]


@pytest.mark.parametrize("steps", [[], [Step("one", b"", "nothing", "RFC 8291")]])
def test_a_trace_table_of_nothing(steps):
    check(trace_table(steps).markup)


@pytest.mark.parametrize(
    ("size", "whole", "start", "end"),
    [(33, 32, 20, 8), (144, 32, 20, 8), (65, 16, 8, 4), (9, 8, 4, 4)],
)
def test_the_middle_of_a_long_value_is_left_out(size, whole, start, end):
    value = bytes(range(size))
    first, last = hexadecimal(value, whole).split(" … ")
    assert bytes.fromhex(first) == value[:start] and bytes.fromhex(last) == value[-end:]
    assert hexadecimal(value[:whole], whole) == value[:whole].hex(" ", -4)


def test_a_stranger_s_text_is_only_text():
    pictures = [
        byte_map([Span(0, 3, EVIL, EVIL, EVIL)], b"<&>", EVIL),
        trace_table([Step(EVIL, b"<&>", EVIL, EVIL[:20])], EVIL),
    ]
    for picture in pictures:
        root = parsed(picture.markup)
        assert not list(root.iter(f"{NAMESPACE}script"))
        for text in (picture.markup, str(picture)):
            assert not {"\x00", "\x1b", "\u202e", "\ud800", "\uffff", "\r"} & set(text)
    assert in_letters(pictures[0].markup) == "<&>"


@given(st.text(), st.text(), st.text(), st.binary(max_size=40))
def test_any_text_gives_a_picture(name, meaning, title, data):
    check(byte_map([Span(0, len(data), name, meaning, "RFC 1")], data, title[:60]).markup)
    check(trace_table([Step(name, data, meaning, "RFC 1")], title[:60]).markup)


@pytest.mark.parametrize(
    "make",
    [
        lambda: message_map(LONGEST, "longest"),
        lambda: token_map(RFC8292.token),
        lambda: trace_table(STEPS),
    ],
)
def test_the_same_again_is_the_same(make):
    assert make()._repr_mimebundle_() == make()._repr_mimebundle_()


def test_the_text_of_a_map_lists_the_parts():
    assert str(message_map(RFC8291.body)).split("\n") == [str(s) for s in spans(RFC8291.body)]
    assert str(token_map(RFC8292.token)).split("\n") == [str(s) for s in token_spans(RFC8292.token)]
