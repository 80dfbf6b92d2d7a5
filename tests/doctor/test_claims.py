"""What is given where claims belong, and a claim under another name."""

import json

import pytest

from pushlab.doctor.claims import examine_claims
from pushlab.protocol.examples import RFC8292

CLAIMS = {"aud": "https://fcm.googleapis.com", "exp": 3600, "sub": "mailto:me@pushlab.org"}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("sub", "subject"), ("sub", "Sub"), ("sub", "contact"), ("aud", "audience"), ("aud", "Aud"),
        ("exp", "Exp"), ("exp", "expires"), ("exp", "expiration"),
    ],
)  # fmt: skip
def test_a_claim_under_another_name_is_told(ours, theirs):
    claims = {theirs if name == ours else name: value for name, value in CLAIMS.items()}
    (finding,) = examine_claims(json.dumps(claims), now=0)
    assert f"{ours} is missing, and {theirs} is no claim" in finding.seen
    assert f"Call it {ours}" in finding.fix


@pytest.mark.parametrize("name", CLAIMS)
def test_a_claim_that_is_null_has_its_name(name):
    findings = examine_claims(CLAIMS | {name: None}, now=0)
    assert findings and not any("is no claim" in one.seen or "Call it" in one.fix for one in findings)


def test_an_endpoint_in_place_of_aud_gets_shorter():
    (finding,) = examine_claims({"endpoint": "x", "exp": 3600, "sub": CLAIMS["sub"]}, now=0)
    assert "the scheme, the host and the port" in finding.fix


def test_a_claim_that_is_missing_is_missing():
    (finding,) = examine_claims({"aud": CLAIMS["aud"], "exp": 3600, "x" * 40: 1}, now=0)
    assert finding.seen.startswith("sub is missing: ")


NOT_CLAIMS = {
    str(CLAIMS): "a dict as Python prints it",
    "{aud: 'https://fcm.googleapis.com'}": "no double quotes",
    RFC8292.token: "a whole token",
    f"vapid t={RFC8292.token}, k=BA": "a whole token",
    f"Bearer {RFC8292.token}": "a whole token",
    RFC8292.token.split(".")[1]: "base64url of a JSON object",
    "[]": "not a JSON object",
    "": "not a JSON object",
}


@pytest.mark.parametrize("text", NOT_CLAIMS)
def test_what_is_given_in_place_of_claims_is_named(text):
    for given in (text, text.encode()):
        (finding,) = examine_claims(given, now=0)
        assert finding.code == "claims-not-an-object" and NOT_CLAIMS[text] in finding.seen
        assert finding.fix and RFC8292.token[:40] not in f"{finding.seen} {finding.fix}"
