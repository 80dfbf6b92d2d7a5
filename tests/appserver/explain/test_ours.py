"""The answers of the lab's own push service: one error, and one attribution."""

import json

import pytest

from pushlab.appserver.delivery.response import PushResponse
from pushlab.appserver.explain.ours import explained
from pushlab.appserver.explain.outcome import explain
from pushlab.errors import (
    DeliveryError,
    MissingTtl,
    PushlabError,
    QueueFull,
    SubscriptionGone,
    UnknownParticipant,
    UnknownPath,
    UnknownPushResource,
    UnknownSubscription,
    VapidError,
)

ERRORS = [*VapidError.__subclasses__(), *DeliveryError.__subclasses__()]


def response_of(error: PushlabError, **more) -> PushResponse:
    return PushResponse(error.status, body=json.dumps(error.to_json()).encode(), **more)


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.code)
def test_text_fault_section_and_next_step_are_those_of_the_error(kind):
    error = kind("so it is")
    outcome = explain(response_of(error))
    assert (outcome.fault, outcome.rfc, outcome.next) == (error.fault, error.rfc, error.hint)
    assert outcome.text == f"{error.status}: {error}"


def test_what_one_error_knows_better_than_its_class_is_taken():
    outcome = explain(response_of(MissingTtl(fault="network", hint="Look at your proxy.")))
    assert (outcome.fault, outcome.next) == ("network", "Look at your proxy")


@pytest.mark.parametrize("kind", [UnknownPath, UnknownSubscription, UnknownParticipant])
def test_a_404_that_says_nothing_of_a_subscription_removes_none(kind):
    """A wrong prefix, or another server of this kit, answers so for every endpoint."""
    outcome = explain(response_of(kind("so it is")))
    assert (outcome.kind, outcome.status) == ("refused", 404)
    assert explain(response_of(UnknownPushResource())).kind == "gone"


def test_a_header_beside_the_message_changes_nothing():
    outcome = explain(response_of(QueueFull(), headers=(("Retry-After", "30"),)))
    assert (outcome.rfc, outcome.next) == (QueueFull.rfc, QueueFull.hint)
    assert "It" not in outcome.next and "Retry-After: 30" in outcome.text


def test_what_must_not_be_shown_is_not_in_the_next_step():
    error = MissingTtl(hint="Send it to s3cretEndpoint")
    outcome = explain(response_of(error), ["s3cretEndpoint"])
    assert "s3cret" not in f"{outcome!r} {outcome.next}"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (410, {"error": {"id": "no-such-error", "message": "Gone."}}),
        (410, {"error": {"id": "missing-ttl", "message": str(MissingTtl())}}),
        (410, {"error": {"id": "subscription-gone", "message": "in other words"}}),
        (410, {"error": {"id": ["subscription-gone"], "message": str(SubscriptionGone())}}),
        (410, {"error": "subscription-gone"}),
        (410, ["error"]),
        (410, None),
    ],
)
def test_any_other_answer_is_explained_by_its_status(status, body):
    response = PushResponse(status, body=json.dumps(body).encode())
    assert explained(response, str(body), "gone") is None
    assert explain(response).text.startswith("410: The subscription has ended (RFC 9110 §15.5.11).")


def test_nobody_is_at_fault_if_a_subscription_has_ended():
    """RFC 8030 §7.3 has 404 for it; its own 410 is for receipts (§6.2)."""
    ended = explain(PushResponse(410))
    assert (ended.kind, ended.fault, ended.rfc) == ("gone", "", "RFC 9110 §15.5.11")
    assert "Fault" not in ended.text + str(SubscriptionGone())
    assert (explain(PushResponse(404)).fault, explain(PushResponse(404)).rfc) == ("", "RFC 8030 §7.3")
