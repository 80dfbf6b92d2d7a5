"""The lines of a head, as libcurl hands them over."""

import pytest

from pushlab.appserver.delivery.response import PushResponse, read_response


def lines(*text: str) -> list[bytes]:
    return [line.encode("latin-1") + b"\r\n" for line in text]


def test_the_last_head_counts():
    head = lines("HTTP/1.1 100 Continue", "a: 1", "", "HTTP/1.1 201 Created", "b: 2", "")
    assert read_response(head, b"body") == PushResponse(201, (("b", "2"),), b"body", "Created")


def test_trailers_are_left_out():
    head = lines("HTTP/2 201 ", "a: 1", "", "a: 2", "")
    assert read_response(head) == PushResponse(201, (("a", "1"),))


@pytest.mark.parametrize(
    "head", [[], ["HTTP/1.1 201 Created", "a: 1"], ["HTTP/1.1 100 Continue", ""], ["a: 1", ""]]
)
def test_a_head_that_is_not_complete_is_no_answer(head):
    assert read_response(lines(*head)) is None


@pytest.mark.parametrize("status", ["abc", "²", ""])
def test_a_status_that_is_no_number_is_no_answer(status):
    assert read_response(lines(f"HTTP/1.1 {status} Created", "")) is None
    assert read_response(lines("HTTP/1.1 201 Created", "")) is not None


def test_names_and_values_lose_their_blanks():
    head = lines("HTTP/1.1 429 Too Many Requests", "Retry-After:  3 ", "X: a:b", "")
    assert read_response(head).headers == (("Retry-After", "3"), ("X", "a:b"))
