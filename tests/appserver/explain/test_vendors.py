"""The vendors' responses: each is recognized, and none changes what the status decides."""

import json

import pytest

from pushlab.appserver.delivery.response import PushResponse
from pushlab.appserver.explain.outcome import explain
from pushlab.appserver.explain.vendors import VENDORS, known_answer
from pushlab.errors import WrongKey


def answer(status: int, words: str) -> PushResponse:
    """Return an answer that says these words, where the vendor says them."""
    if words.startswith("errno"):
        errno = int(words.removeprefix("errno ").rstrip(";"))
        return PushResponse(status, body=json.dumps({"code": status, "errno": errno}).encode())
    if words.startswith("x-wns"):
        name, _, value = words.partition(": ")
        name = "x-wns-error-description" if name == "x-wns-" else name
        return PushResponse(status, ((name.title(), value.title() or "No"),))
    if words.startswith("ttl value"):
        return PushResponse(status, (("X-WNS-ERROR-DESCRIPTION", words.capitalize()),))
    return PushResponse(status, body=words.upper().encode())


@pytest.mark.parametrize("known", VENDORS, ids=lambda k: f"{k.vendor} {k.status} {k.words}")
def test_every_explanation_is_reached_and_explained(known):
    response = answer(known.status, known.words)
    assert known_answer(response).explanation is known.explanation
    outcome = explain(response)
    said = f"{known.status}: {known.explanation.what} ({known.explanation.rfc})."
    assert outcome.text.startswith(f"{said} Fault: " if known.explanation.fault else said)
    assert (outcome.kind, outcome.fault, outcome.rfc, outcome.next) == (
        known.explanation.kind, known.explanation.fault, known.explanation.rfc, known.explanation.next,
    )  # fmt: skip
    assert "It says: " in outcome.text
    # The words of a response mean something only with its status.
    assert known_answer(answer(418, known.words)) is None


@pytest.mark.parametrize("known", VENDORS, ids=lambda k: f"{k.vendor} {k.status} {k.words}")
def test_every_explanation_is_a_sentence_and_keeps_to_the_status(known):
    explanation = known.explanation
    assert explanation.what[0].isupper() and explanation.what[-1] not in ".,;"
    assert explanation.next[0].isupper() and explanation.next[-1] not in ".,;"
    assert explanation.rfc.startswith("RFC ") and explanation.fault in (
        "application server",
        "push service",
        "user agent",
        "",  # A subscription that has ended is nobody's fault.
    )
    assert known.words == known.words.lower()
    assert explanation.kind == explain(PushResponse(known.status)).kind


def test_the_message_is_checked_before_the_errno():
    known = [one.words for one in VENDORS if (one.vendor, one.status) == ("Mozilla", 401)]
    assert known[-1] == "errno 109;"


def test_an_errno_is_a_number_of_its_own():
    assert known_answer(PushResponse(401, body=b'{"errno": 1090}')) is None
    assert known_answer(PushResponse(401, body=b'{"errno": "109"}')) is known_answer(
        answer(401, "errno 109;")
    )
    assert known_answer(PushResponse(401, body=b"[109]")) is None
    assert known_answer(PushResponse(401, body=b"[" * 100_000)) is None


def test_the_labs_own_push_service_explains_itself():
    error = WrongKey("BadJwtToken")
    body = json.dumps(error.to_json()).encode()
    assert explain(PushResponse(403, body=body)).text == f"403: {error}"


def test_what_windows_says_in_www_authenticate_is_shown():
    said = 'Bearer error="invalid_request",error_description="Invalid token"'
    headers = (("WWW-Authenticate", said), ("X-WNS-Msg-Id", "1"))
    outcome = explain(PushResponse(401, headers))
    assert outcome.text.startswith("401: Windows' service does not accept the sender (RFC 8292 §4.2).")
    assert outcome.text.endswith(" It says: WWW-Authenticate: Invalid token")


def test_what_is_taken_from_a_header_is_not_said_twice():
    said = (("WWW-Authenticate", 'Bearer error="invalid_token", error_description="The token is bad"'),)
    text = explain(PushResponse(401, said)).text
    assert text.endswith(" It says: WWW-Authenticate: The token is bad")


def test_googles_404_does_not_blame_the_sender():
    """It answers so for an endpoint that was right, once that has expired."""
    body = b"A valid push subscription endpoint should be specified in the URL as such: https://x/wp/d"
    outcome = explain(PushResponse(404, body=body))
    assert (outcome.kind, outcome.fault, outcome.rfc) == ("gone", "", "RFC 8030 §7.3")


# --- unknown responses ---------------------------------------------------------------------------


def test_an_unknown_answer_is_shown_whole():
    body = b'{"message": "No.", "hint": "ask the janitor"}'
    response = PushResponse(422, (("X-Janitor", "on leave"), ("Server", "cupboard")), body, "Odd")
    text = explain(response).text
    assert text.startswith("422 Odd: ") and " It says: No." in text
    assert "Its headers: X-Janitor: on leave; Server: cupboard" in text
    assert 'Its body: {"message": "No.", "hint": "ask the janitor"}' in text


def test_nothing_is_shown_twice():
    response = PushResponse(429, (("Retry-After", "7"),), b"slow down")
    text = explain(response).text
    assert text.count("Retry-After: 7") == 1 and text.count("slow down") == 1
    assert "Its " not in text


@pytest.mark.parametrize("name", ["x-wns-notificationstatus", "X-WNS-NOTIFICATIONSTATUS"])
def test_a_header_s_name_has_no_case(name):
    text = explain(PushResponse(406, ((name, "channelthrottled"),))).text
    assert text.lower().count("x-wns-notificationstatus") == 1


def test_a_known_answer_is_not_followed_by_its_headers():
    response = PushResponse(403, (("Server", "x"),), b'{"reason":"BadJwtToken"}')
    assert "Its " not in explain(response).text
    assert "Its " not in explain(PushResponse(201, (("Server", "x"),))).text


TOKEN = "gAAAAABkJzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV"


@pytest.mark.parametrize("name", ["Location", "link", "Content-Location", "Set-Cookie"])
def test_headers_for_the_sender_alone_are_not_shown(name):
    text = explain(PushResponse(302, ((name, "https://push.example.net/m/1"),))).text
    assert f"Its headers: {name}: …" in text and "/m/1" not in text


def test_secrets_are_hidden_in_headers_as_in_the_body():
    hidden = ["https://push.example.net/p/short", "/p/short", "short"]
    headers = (("X-Path", "/p/short"), ("X-Token", TOKEN), ("X-Long", "word " * 1000))
    text = explain(PushResponse(418, headers, b'{"message": "m", "at": "/p/short"}'), hidden).text
    assert "short" not in text and TOKEN not in text and "X-Path: …; X-Token: …" in text
    assert len(text) < 1500
