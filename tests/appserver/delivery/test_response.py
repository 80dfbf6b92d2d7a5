"""The lines of a head, as libcurl hands them over."""

import pytest

from pushlab.appserver.delivery.response import MAX_HEAD_LINES, PushResponse, read_response
from pushlab.errors import BadResponse


def lines(*text: str) -> list[bytes]:
    return [line.encode("latin-1") + b"\r\n" for line in text]


def test_the_last_head_counts():
    head = lines("HTTP/1.1 100 Continue", "a: 1", "", "HTTP/1.1 201 Created", "b: 2", "")
    assert read_response(head, b"body") == PushResponse(201, (("b", "2"),), b"body", "Created")


def test_trailers_are_left_out():
    head = lines("HTTP/2 201 ", "a: 1", "", "a: 2", "")
    assert read_response(head) == PushResponse(201, (("a", "1"),))


@pytest.mark.parametrize("head", [[], ["HTTP/1.1 201 Created", "a: 1"], ["HTTP/1.1 100 Continue", ""]])
def test_a_head_that_is_not_complete_is_no_answer(head):
    assert read_response(lines(*head)) is None


STATUS_LINES = [
    "a: 1", "", "HTTP/1.1", "HTTP/1.1 ", "HTTP/1.1  201 Created", "HTTP/1.1 abc Created",
    "HTTP/1.1 ² Created", "HTTP/1.1 20 Created", "HTTP/1.1 2010 Created", "HTTP/1.1 2_1 Created",
    "HTTP/1.1 -20", "HTTP/1.1 201Created", "HTTP/1.10 201 Created", "HTTP/ 201 Created",
    "HTTPS/1.1 201", " HTTP/1.1 201 Created", f"HTTP/1.1 {'9' * 5000} x: y",
]  # fmt: skip


@pytest.mark.parametrize("line", STATUS_LINES)
def test_a_head_begins_with_a_version_and_three_digits(line):
    """RFC 9112 §4. int() takes other digits too, and raises ValueError beyond 4300 of them."""
    with pytest.raises(BadResponse, match="status line"):
        read_response(lines(line, ""))
    with pytest.raises(BadResponse, match="status line"):
        read_response(lines("HTTP/1.1 103 Early Hints", "", line, ""))


@pytest.mark.parametrize(
    "line", ["HTTP/1.1 201 Created", "HTTP/1.1 201", "HTTP/1.1 201 ", "HTTP/2 201 "]
)
def test_the_status_lines_of_both_versions(line):
    assert read_response(lines(line, "")).status == 201


@pytest.mark.parametrize("line", [f"HTTP/1.1 {'9' * 5000} x: y", "HTTP/1.1 500 Oops", "HTTP/9"])
def test_a_line_that_looks_like_a_status_line_within_a_head_is_a_header(line):
    assert read_response(lines("HTTP/1.1 201 Created", line, "TTL: 1", "")).status == 201


def test_so_many_lines_a_head_may_have():
    head = lines("HTTP/1.1 201 Created", *["a: 1"] * (MAX_HEAD_LINES - 2), "")
    assert len(head) == MAX_HEAD_LINES and read_response(head).status == 201


def test_names_and_values_lose_their_blanks():
    head = lines("HTTP/1.1 429 Too Many Requests", "Retry-After:  3 ", "X: a:b", "")
    assert read_response(head).headers == (("Retry-After", "3"), ("X", "a:b"))
