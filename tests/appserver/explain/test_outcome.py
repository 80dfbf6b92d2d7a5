"""Every answer in words: the whole table, the vendors' own words, and no secret among them."""

import json

import pytest

from pushlab.appserver.delivery.response import NetworkFault, PushResponse
from pushlab.appserver.explain.curl_errors import CURL_ERRORS, OTHER_ERROR
from pushlab.appserver.explain.outcome import MAX_RETRY_AFTER, explain, seconds_of
from pushlab.appserver.explain.statuses import CLASSES, STATUS, STRANGE
from pushlab.errors import PlaintextTooLong
from pushlab.text import MAX_SHOWN, show

KINDS = {
    **dict.fromkeys([200, 201, 202, 204, 299], "accepted"),
    **dict.fromkeys([301, 302, 303, 307, 308, 304], "refused"),
    **dict.fromkeys([400, 401, 402, 403, 405, 406, 409, 411, 412, 413, 414, 415, 418, 451], "refused"),
    **dict.fromkeys([404, 410], "gone"),
    **dict.fromkeys([408, 425, 429, 500, 501, 502, 503, 504, 505, 520, 599], "retry"),
    **dict.fromkeys([0, 600, 999], "refused"),
}
PARTIES = ("", "application server", "push service", "user agent", "network", "this machine")


def test_the_usual_answer_has_the_words_of_any_other_201():
    usual, other = (explain(PushResponse(201, reason=reason)) for reason in ("Created", "Kept"))
    assert usual.text == other.text.replace("Kept", "Created")
    assert explain(PushResponse(201)).text == usual.text.replace("201 Created", "201")
    assert (usual.kind, usual.status, usual.attempts) == ("accepted", 201, 1)
    # It is the same Outcome each time, but not for messages that took more attempts.
    assert explain(PushResponse(201), attempts=3).attempts == 3
    assert explain(PushResponse(201)).attempts == 1
    secret = explain(PushResponse(201, reason="s3cretEndpoint"), ["s3cretEndpoint"])
    assert "s3cretEndpoint" not in secret.text


@pytest.mark.parametrize("status", KINDS)
def test_every_status_has_a_kind_and_words(status):
    outcome = explain(PushResponse(status))
    assert outcome.kind == KINDS[status]
    assert outcome.status == status
    assert outcome.text.startswith(f"{status}: ")
    assert outcome.next and outcome.rfc.startswith("RFC ")


@pytest.mark.parametrize(("status", "rfc"), [(407, "RFC 9110 §15.5.8"), (511, "RFC 6585 §6")])
def test_what_only_a_box_on_the_way_answers_is_no_fault_of_the_push_service(status, rfc):
    outcome = explain(PushResponse(status))
    assert (outcome.fault, outcome.rfc) == ("network", rfc)
    assert "This answer is not the push service's" in outcome.next and "has failed" not in outcome.text


def test_202_promises_no_receipt_where_none_was_asked_for():
    """RFC 8030 §5.1 has one for a request with ``Prefer: respond-async``, and ours has no such field."""
    outcome = explain(PushResponse(202, reason="Accepted"))
    assert "as if a receipt had been asked for" in outcome.text and "Ask the URL" not in outcome.text


def test_only_404_and_410_remove_a_subscription():
    gone = [status for status in range(100, 1000) if explain(PushResponse(status)).kind == "gone"]
    assert gone == [404, 410]


def test_only_408_425_429_and_5xx_are_tried_again():
    again = [status for status in range(100, 1000) if explain(PushResponse(status)).kind == "retry"]
    assert again == [408, 425, 429, *range(500, 600)]


@pytest.mark.parametrize("code", CURL_ERRORS)
def test_every_network_fault_has_words(code):
    outcome = explain(NetworkFault(code, "libcurl's own words"))
    assert outcome.kind == ("failed" if code in (3, 42, 60, 77) else "retry")
    assert outcome.status is None
    assert f"libcurl says: libcurl's own words (error {code})." in outcome.text


def test_a_network_fault_without_an_explanation_or_without_words():
    outcome = explain(NetworkFault(94))
    assert outcome.kind == "retry" and outcome.text.startswith("No answer came")
    assert "libcurl" not in outcome.text


@pytest.mark.parametrize(
    "explanation",
    [*STATUS.values(), *CLASSES.values(), *CURL_ERRORS.values(), STRANGE, OTHER_ERROR],
    ids=lambda r: r.what,
)
def test_every_explanation_is_a_sentence_and_names_a_known_party(explanation):
    assert explanation.fault in PARTIES
    assert bool(explanation.fault) == (explanation.kind not in ("accepted", "gone"))
    assert explanation.what[0].isupper() and explanation.what[-1] not in ".,;"
    assert explanation.next[0].isupper() and explanation.next[-1] not in ".,;"


def test_what_was_never_sent_is_explained_by_its_error():
    outcome = explain(PlaintextTooLong("the plaintext is 4000 bytes long, over 3993"))
    assert (outcome.kind, outcome.status, outcome.fault) == ("failed", None, "application server")
    assert "4000 bytes long" in outcome.text and "(RFC 8291 §4)" in outcome.text
    assert outcome.attempts == 0 and explain(NetworkFault(7)).attempts == 1


# --- the vendors' own words (facts of the field: body, reason or header) ------------------------

FLAVOURS = {
    "Mozilla": (
        PushResponse(
            401,
            body=json.dumps(
                {
                    "code": 401,
                    "errno": 109,
                    "error": "Unauthorized",
                    "message": "VAPID public key mismatch",
                    "more_info": "http://autopush.readthedocs.io",
                }
            ).encode(),
        ),
        "It says: VAPID public key mismatch",
    ),
    "FCM": (
        PushResponse(
            403,
            body=b"the VAPID credentials in the authorization header do not "
            b"correspond to the credentials used to create the subscriptions.\n",
        ),
        "It says: the VAPID credentials in the authorization header do not",
    ),
    "FCM in JSON": (
        PushResponse(400, body=b'{"error":{"code":400,"message":"Invalid TTL","status":"X"}}'),
        "It says: Invalid TTL",
    ),
    "Apple": (PushResponse(403, body=b'{"reason":"BadJwtToken"}'), "It says: BadJwtToken"),
    "Windows": (
        PushResponse(400, (("X-WNS-Error-Description", "Ttl value conflicts"),)),
        "It says: X-WNS-Error-Description: Ttl value conflicts",
    ),
    "Windows, too many": (
        PushResponse(406, (("X-WNS-NotificationStatus", "dropped"),)),
        "It says: X-WNS-NotificationStatus: dropped",
    ),
    "too many": (
        PushResponse(429, (("Retry-After", "120"),), b"slow down"),
        "It says: Retry-After: 120; slow down",
    ),
    "JSON of another shape": (
        PushResponse(418, body=b'{"tea": ["pot"]}'),
        'It says: {"tea": ["pot"]}',
    ),
    "JSON that is a list": (PushResponse(418, body=b"[1]"), "It says: [1]"),
    "JSON without end": (PushResponse(418, body=b"[" * 100_000), "It says: [[[["),
    "no UTF-8": (PushResponse(400, body=b"caf\xe9"), "It says: caf\ufffd"),
    "a message that is not text": (
        PushResponse(400, body=b'{"message": 7}'),
        'It says: {"message": 7}',
    ),
}


@pytest.mark.parametrize("vendor", FLAVOURS)
def test_a_push_services_own_words_are_shown(vendor):
    response, words = FLAVOURS[vendor]
    assert words in explain(response).text


def test_a_push_service_that_says_nothing_is_not_quoted():
    assert "It says" not in explain(PushResponse(403)).text
    assert "It says" not in explain(PushResponse(201, body=b"created")).text


def test_what_is_shown_is_bounded():
    text = explain(PushResponse(400, body=b"word " * 10_000, reason="why " * 1000)).text
    assert len(text) < 3 * MAX_SHOWN


TOKEN = "gAAAAABkJzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV"


@pytest.mark.parametrize(
    "body",
    [
        f"no such endpoint /wpush/v2/{TOKEN}",
        f'{{"message": "{TOKEN}"}}',
        f"<p>{TOKEN}</p>",
        f"{TOKEN}{TOKEN}",
    ],
)
def test_a_token_is_not_shown(body):
    outcome = explain(PushResponse(404, body=body.encode(), reason=f"Not {TOKEN}"))
    assert TOKEN not in repr(outcome) and "…" in outcome.text
    assert TOKEN not in repr(explain(NetworkFault(7, f"connect to https://push.example.net/{TOKEN}")))


def test_what_must_be_hidden_is_hidden_however_short():
    hidden = ["https://push.example.net/p/short", "/p/short", "short"]
    text = explain(PushResponse(404, body=b"https://push.example.net/p/short, or /p/short"), hidden).text
    assert "short" not in text and "It says: …, or …" in text


def test_an_escape_in_json_hides_no_secret():
    body = b'{"message": "no", "at": "\\u004azLQ3raZ"}'
    text = explain(PushResponse(418, body=body), ["JzLQ3raZ"]).text
    assert "zLQ3raZ" not in text and '"at": "…"' in text


@pytest.mark.parametrize("status", [200, 201, 202, 401, 403, 404, 429, 500])
def test_a_page_with_a_character_that_is_none_raises_nothing(status):
    """A notify-all must not end because of what one push service sends."""
    body = b"<html><p>&#" + b"1" * 5000 + b"; is no character</p>"
    assert "is no character" in explain(PushResponse(status, body=body)).text


@pytest.mark.parametrize("status", [200, 201, 202, 401, 404])
def test_a_page_shows_no_endpoint_whole_or_cut_or_in_other_letters(status):
    hidden = ["https://push.example.net/w/Mark3rSecretTail", "Mark3rSecretTail"]
    for told in hidden[0], "MARK3RSECRETTAIL", "x" * 225 + " " + hidden[1]:
        text = explain(PushResponse(status, body=f"<p>for {told}</p>".encode()), hidden).text
        assert "mark3r" not in text.lower(), text


def test_json_after_a_byte_order_mark_is_json():
    body = b'\xef\xbb\xbf{"errno": 102, "message": "no"}'
    assert "This URL is not an endpoint" in explain(PushResponse(404, body=body)).text


@pytest.mark.parametrize("status", [200, 201])
def test_a_success_that_says_something_else_is_doubted(status):
    page = explain(PushResponse(status, body=b"<title>Log in</title>", reason="Created"))
    assert page.kind == "accepted" and 'an HTML page, "Log in": was this the push service?' in page.text
    dropped = PushResponse(status, (("X-WNS-NotificationStatus", "Dropped"),), reason="Created")
    assert "But it says that it has dropped the message." in explain(dropped).text
    received = PushResponse(status, (("X-WNS-NotificationStatus", "received"),), reason="Created")
    assert "dropped" not in explain(received).text


def test_a_page_that_ends_a_subscription_is_doubted():
    nginx = explain(PushResponse(404, body=b"<title>404 Not Found</title>"))
    assert nginx.kind == "gone" and nginx.text.endswith('"404 Not Found". Was this the push service?')
    assert "Was this" not in explain(PushResponse(404, body=b"no such subscription")).text


def test_a_push_service_can_write_no_second_line():
    assert show("one\r\ntwo\x1b[31m\u2028three\0") == "one two [31m three"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        (" 7 ", 7),
        ("999999999", MAX_RETRY_AFTER),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 90),
        ("Thu, 01 Jan 1970 00:00:01 GMT", 0),
        ("Thu, 01 Jan 1970 00:01:40", 90),
        (None, None),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("²", None),
        ("9999999999", MAX_RETRY_AFTER),
        ("9" * 400, MAX_RETRY_AFTER),
        ("Fri, 31 Dec 9999 23:59:59 GMT", MAX_RETRY_AFTER),
        ("Thu, 99 Foo 1970", None),
        ("Thu, 9999999999999999999901 Jan 2026 00:01:00 GMT", None),
    ],
)
def test_retry_after_in_seconds_or_as_a_date(header, seconds):
    assert seconds_of(header, now=10) == seconds
