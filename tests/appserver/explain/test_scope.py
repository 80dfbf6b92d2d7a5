"""What a refusal is about: by its status, and by a vendor's words where these say more."""

import pytest

from pushlab.appserver.delivery.response import NetworkFault, PushResponse
from pushlab.appserver.explain.outcome import explain
from pushlab.appserver.explain.scope import (
    CLASS_CONCERNS,
    NO_ANSWER,
    NOT_HTTP,
    STATUS_CONCERNS,
    VENDOR_CONCERNS,
    concern_of,
    concerns_all,
)
from pushlab.appserver.explain.statuses import STATUS
from pushlab.errors import PlaintextTooLong

SCOPES = {
    **dict.fromkeys([400, 408, 413, 415, 418, 422, 425, 451], "message"),
    **dict.fromkeys([301, 302, 307, 308, 404, 405, 410, 421, 429], "recipient"),
    **dict.fromkeys([401, 403, 406], "sender"),
    **dict.fromkeys([0, 407, 500, 501, 502, 503, 504, 507, 511, 599, 999], "push service"),
}


@pytest.mark.parametrize("status", SCOPES)
def test_every_refusal_is_about_something(status):
    outcome = explain(PushResponse(status))
    assert outcome.about == concern_of(PushResponse(status)).scope == SCOPES[status]


def test_a_status_that_has_a_meaning_of_its_own_has_a_scope_too():
    refusals = {status for status, meaning in STATUS.items() if meaning.kind != "accepted"}
    assert refusals == STATUS_CONCERNS.keys()


@pytest.mark.parametrize("known", VENDOR_CONCERNS, ids=lambda k: f"{k.vendor} {k.status} {k.words}")
def test_a_vendor_s_words_say_more_than_the_status(known):
    response = PushResponse(known.status, body=f'{{"reason": "{known.words.upper()}"}}'.encode())
    assert concern_of(response) is known.concern
    assert known.concern != STATUS_CONCERNS[known.status] and known.words == known.words.lower()
    # Words mean something only with their status.
    assert concern_of(PushResponse(418, body=response.body)) is CLASS_CONCERNS[4]


@pytest.mark.parametrize(
    "response",
    [
        PushResponse(429, body=b'{"code":42908,"error":"limit reached: daily message quota reached"}'),
        PushResponse(429, (("X-RateLimit-Quota", "10"),)),
    ],
)
def test_the_word_quota_alone_speaks_for_nobody_else(response):
    assert concern_of(response).scope == "recipient"


def test_no_answer_is_about_the_push_service():
    assert concern_of(NetworkFault(28)) is NO_ANSWER
    assert explain(NetworkFault(7)).about == "push service"


def test_what_was_taken_or_never_sent_is_about_nothing():
    assert explain(PushResponse(201)).about is None
    assert explain(PushResponse(202, reason="Accepted")).about is None
    assert explain(PlaintextTooLong("too long")).about is None


def test_two_of_the_four_concern_everybody_at_the_same_push_service():
    assert concerns_all("sender") and concerns_all("push service")
    assert not concerns_all("recipient") and not concerns_all("message")


@pytest.mark.parametrize(
    "concern",
    [
        *STATUS_CONCERNS.values(),
        *CLASS_CONCERNS.values(),
        *[known.concern for known in VENDOR_CONCERNS],
        NO_ANSWER,
        NOT_HTTP,
    ],
)
def test_every_concern_has_its_source_and_a_reason(concern):
    assert concern.source.startswith(("RFC ", "documented by "))
    assert concern.why[0].isupper() and concern.why[-1] not in ".,;"
