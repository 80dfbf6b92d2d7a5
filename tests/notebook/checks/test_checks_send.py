"""The checks of lesson 05: what they accept, what they name, and what they never reveal."""

import http.client
import threading
import time
import urllib.request
from urllib.error import HTTPError
from urllib.parse import urlsplit

import pytest

from pushlab.errors import NotYet
from pushlab.notebook.checks import send as checks
from pushlab.settings import patience

ENCODING = {"Content-Encoding": "aes128gcm", "Content-Type": "application/octet-stream"}


def said(check, answer) -> str:
    """Return the error of a check for wrong code."""
    with pytest.raises(NotYet) as caught:
        check(answer)
    return caught.value.detail


def stub(*arguments):
    raise NotImplementedError("your turn")


@pytest.mark.parametrize("check", [checks.headers, checks.what_next, checks.send])
def test_a_stub_passes_through_untouched(check):
    with pytest.raises(NotImplementedError, match="your turn"):
        check(stub)


@pytest.mark.parametrize("check", [checks.headers, checks.what_next])
def test_a_function_that_returns_nothing_is_told_so(check):
    assert "None: does your function return something?" in said(check, lambda *_: None)


# --- headers -------------------------------------------------------------------------------------


def right_headers(ttl, urgency, topic, authorization):
    made = {"TTL": str(ttl), "Urgency": urgency, "Authorization": authorization} | ENCODING
    return made if topic is None else made | {"Topic": topic}


def changed(**changes):
    """Return headers() with some of them made from the right value; None leaves one out."""

    def headers(*given):
        made = right_headers(*given)
        for name, change in changes.items():
            name = name.replace("_", "-")
            value = change(made.get(name))
            made = {k: v for k, v in made.items() if k != name}
            made |= {} if value is None else {name: value}
        return made

    return headers


def test_headers_are_right_in_any_case_and_order():
    assert repr(checks.headers(right_headers)).startswith("✓ The headers are right")
    checks.headers(lambda *given: {k.lower(): v for k, v in sorted(right_headers(*given).items())})


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (changed(TTL=int), "TTL (RFC 8030 §5.2) should be a str, and yours is an int"),
        (changed(TTL=lambda _: None), "TTL (RFC 8030 §5.2) is missing"),
        (changed(TTL=lambda _: "60"), "TTL (RFC 8030 §5.2) should have 1 character,"),
        (changed(Urgency=lambda _: "normal"), "Urgency (RFC 8030 §5.3) should have 4 characters"),
        (changed(Topic=lambda topic: topic or ""), "leave it out"),
        (lambda *g: {"Topic": g[2]} | right_headers(*g), "none was asked for"),
        (changed(Topic=lambda _: None), "Topic (RFC 8030 §5.4) is missing"),
        (changed(Authorization=lambda value: f"WebPush {value}"), "the scheme of an old draft"),
        (
            changed(Authorization=lambda value: f"WebPush {value[8:].split(',')[0]}"),
            "t and k had no names then",
        ),
        (changed(Authorization=lambda value: f"vapid {value}"), "The scheme is there twice"),
        (changed(Content_Encoding=lambda _: None), "Content-Encoding (RFC 8291 §4) is missing"),
        (changed(Content_Encoding=lambda _: "aesgcm"), "had two more headers"),
        (changed(Content_Type=lambda _: None), "Content-Type (RFC 9110 §8.3) is missing"),
        (changed(Content_Type=lambda _: "application/x-www-form-urlencoded"), "this is not a form"),
        (changed(Crypto_Key=lambda _: "p256ecdsa=BA"), "There are 6 headers"),
        (lambda *g: list(right_headers(*g).items()), "should be a dict, and yours is a list"),
    ],
)
def test_headers_names_the_first_header_that_departs(answer, words):
    message = said(checks.headers, answer)
    assert words in message
    gives = ["aes128gcm", "octet-stream", "very-low", "lunch-today", *checks.TOKENS]
    assert not any(secret in message for secret in gives)


# --- what_next -----------------------------------------------------------------------------------


def right_next(status, retry_after):
    if 200 <= status < 300:
        return "done"
    if status in (404, 410):
        return "remove"
    return "retry" if status == 429 or status >= 500 else "fix"


def test_what_next_is_right():
    assert repr(checks.what_next(right_next)) == "✓ All 17 answers lead where they should."


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda s, r: "remove" if s == 403 else right_next(s, r), "removes them all"),
        (lambda s, r: "remove" if 400 <= s < 500 else right_next(s, r), "what_next(429, '120')"),
        (lambda s, r: "retry" if s == 413 else right_next(s, r), "gets the same answer"),
        (lambda s, r: "done" if s == 201 else "fix", "what_next(200, None)"),
        (lambda s, r: right_next(s, r) if s < 400 or r or s in (404, 410) else "fix",
         "what_next(429, None) is not right yet. Retry-After says how long"),
        (lambda s, r: "fix" if s == 410 else right_next(s, r), "posts to nobody"),
        (lambda s, r: "done" if s == 302 else right_next(s, r), "what_next(302, None)"),
        (lambda s, r: "delete" if s == 404 else right_next(s, r), "one of the 4 words"),
        (lambda s, r: "done", "what_next(404, None)"),
        (lambda s, r: s, "should be a str, and yours is an int"),
    ],
)  # fmt: skip
def test_what_next_names_the_first_answer_that_leads_elsewhere(wrong, words):
    message = said(checks.what_next, wrong)
    assert words in message
    assert not any(f"{quote}{word}{quote}" in message for word in checks.HINTS for quote in "'\"")


# --- send ----------------------------------------------------------------------------------------


def with_http_client(url, headers, body, method="POST", query=True):
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.netloc, timeout=10)
    path = f"{where.path}?{where.query}" if query else where.path
    connection.request(method, path, body, headers)
    status = connection.getresponse().status
    connection.close()
    return status


OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def with_urllib(url, headers, body):
    try:
        with OPENER.open(urllib.request.Request(url, body, headers), timeout=10) as answer:
            return answer.status
    except HTTPError as answer:
        answer.close()
        return answer.code


def careless(url, headers, body):
    with OPENER.open(urllib.request.Request(url, body, headers), timeout=10) as answer:
        return answer.status


def twice(url, headers, body):
    with_http_client(url, headers, body)
    return with_http_client(url, headers, body)


def test_send_is_right_and_leaves_no_server_behind():
    before = set(threading.enumerate())
    assert repr(checks.send(with_http_client)).startswith("✓ Five answers")
    with pytest.raises(NotImplementedError):
        checks.send(stub)
    ends = time.monotonic() + patience(30)  # A thread ends a moment after its last answer.
    while not set(threading.enumerate()) <= before:
        assert time.monotonic() < ends, set(threading.enumerate()) - before
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (careless, "The server answered 410, and send() raised HTTPError 410"),
        (with_urllib, "The server answered 302, and a second request, a GET, went"),
        (lambda *_: 201, "No request has arrived"),
        (lambda u, h, b: with_http_client(u, h, b, "GET"), "should be POST, and GET arrived"),
        (lambda u, h, b: with_http_client(u, h, b, query=False), "has lost its query"),
        (lambda u, h, b: with_http_client(u, h, b[:-1]), "The body should have 258 bytes"),
        (lambda u, h, b: with_http_client(u, {}, b), "The header Authorization has not arrived"),
        (lambda u, h, b: with_http_client(u, h | {"TTL": "0"}, b), "The header TTL should have"),
        (lambda u, h, b: str(with_http_client(u, h, b)), "should be an int, and yours is a str"),
        (lambda u, h, b: with_http_client(u, h, b) and 201, "for an answer 410 is not right yet"),
        (lambda *given: with_http_client(*given) and None, "does your function return something?"),
        (twice, "2 requests have arrived"),
    ],
)
def test_send_names_what_went_wrong_on_the_way(wrong, words):
    message = said(checks.send, wrong)
    assert words in message
    assert checks.QUERY not in message and checks.TOKENS[0] not in message
