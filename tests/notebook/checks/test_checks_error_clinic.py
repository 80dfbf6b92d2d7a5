"""The checks of lessons 08 and 08b: what they accept, what they name, and what they never reveal."""

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

import pytest

from pushlab.appserver.delivery.response import PushResponse
from pushlab.appserver.explain.outcome import explain
from pushlab.errors import NotYet
from pushlab.notebook.checks import error_clinic as checks

ALL = [checks.triage, checks.claims_for, checks.keep, checks.may_send]
NOW, HALF_A_DAY = 1_700_000_000, 12 * 60 * 60


def said(check, answer) -> str:
    """Return the error of a check for wrong code."""
    with pytest.raises(NotYet) as caught:
        check(answer)
    return caught.value.detail


def stub(*arguments):
    raise NotImplementedError("your turn")


@pytest.mark.parametrize("check", ALL)
def test_a_stub_passes_through_untouched(check):
    with pytest.raises(NotImplementedError, match="your turn"):
        check(stub)


@pytest.mark.parametrize("check", ALL)
def test_a_function_that_returns_nothing_is_told_so(check):
    assert "None: does your function return something?" in said(check, lambda *_: None)


# --- what the vendors have answered -----------------------------------------------------------------


def test_each_recorded_answer_has_its_word_and_no_secret():
    assert {one.fault for one in checks.RECORDED} == set(checks.WORDS)
    assert set(checks.WORDS.values()) == set(checks.HINTS)
    for one in checks.RECORDED:
        assert not re.search(r"https?:|[\w-]{40}", f"{one.headers} {one.body.decode()}")


@pytest.mark.parametrize("one", checks.RECORDED, ids=lambda one: f"{one.vendor}-{one.fault}")
def test_the_sender_s_own_explanation_agrees_with_the_word(one):
    kind = explain(PushResponse(one.status, tuple(one.headers.items()), one.body)).kind
    word = checks.WORDS[one.fault]
    expected = {"fine": "accepted", "gone": "gone", "slower": "retry"}.get(word, "refused")
    # Windows' 406 says both: this message is dropped for good, and the next is to wait.
    assert kind == ("refused" if one.status == 406 else expected)


# --- triage ---------------------------------------------------------------------------------------


def right_triage(status, body, headers):
    heard = " ".join([body.decode(), *headers.values()]).lower()
    if status < 300:
        return "fine"
    if status in (404, 410):
        return "gone"
    if status in (406, 429) or status >= 500:
        return "slower"
    if re.search("mismatch|do not correspond|k is not the key", heard):
        return "key"
    if "ttl" in heard:
        return "ttl"
    return "token" if status in (401, 403) else "request"


def from_the_list(status, body, headers):
    known = {(one.status, one.body): checks.WORDS[one.fault] for one in checks.RECORDED}
    return known.get((status, body), "request")


def replaced(old, new):
    """Return triage() with one word in place of another."""

    def triage(*given):
        word = right_triage(*given)
        return new if word == old else word

    return triage


def test_triage_is_right():
    assert repr(checks.triage(right_triage)) == (
        "✓ All 29 answers are understood, those of the lab among them."
    )


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda s, b, h: right_triage(s, b"", {}), "a 401 from Mozilla is not right yet. Before you"),
        (
            lambda s, b, h: right_triage(s, b, {}),
            "a 400 from Windows is not right yet. The body is empty here",
        ),
        (lambda s, b, h: "gone" if 400 <= s < 500 else "fine", "whoever removes upon it"),
        (replaced("token", "gone"), "a 403 from Google is not right yet. The fault is the sender's"),
        (replaced("key", "token"), "read what the body says"),
        (replaced("ttl", "request"), "do not mind capitals"),
        (replaced("slower", "request"), "a 503 from Mozilla"),
        (replaced("gone", "request"), "somebody has left"),
        (replaced("request", "token"), "Who sent this is not in doubt"),
        (lambda s, b, h: "ttl" if "TTL" in h else right_triage(s, b, h), "whatever headers come"),
        (replaced("key", "wrong key"), "one of the 7 words"),
        (lambda s, b, h: s, "should be a str, and yours is an int"),
        (from_the_list, "from the lab"),
    ],
)
def test_triage_names_the_first_answer_that_is_misread(wrong, words):
    message = said(checks.triage, wrong)
    assert words in message
    assert not any(re.search(rf"['\"`]{word}['\"`]", message) for word in checks.HINTS)
    assert not any(fault in message for fault in checks.WORDS if fault != "nothing")


# --- claims_for -----------------------------------------------------------------------------------


def right_claims(endpoint, now, common):
    url = urlsplit(endpoint)
    return common | {"aud": f"{url.scheme}://{url.netloc}", "exp": now + HALF_A_DAY}


def changed(**changes):
    """Return claims_for() with some claims made from the right ones; None leaves one out."""

    def claims_for(endpoint, now, common):
        claims = right_claims(endpoint, now, common)
        made = claims | {name: change(claims[name]) for name, change in changes.items()}
        return {name: value for name, value in made.items() if value is not None}

    return claims_for


def into_the_given(endpoint, now, common):
    common.update(right_claims(endpoint, now, common))
    return common


def as_pywebpush(endpoint, now, common):
    return right_claims(endpoint, now, common) | common


def only_exp_kept(endpoint, now, common):
    return right_claims(endpoint, now, common) | {"exp": common.get("exp", now + HALF_A_DAY)}


class Remembering:
    """Use the first endpoint's aud for all that follow."""

    aud = None

    def __call__(self, endpoint, now, common):
        claims = right_claims(endpoint, now, common)
        self.aud = self.aud or claims["aud"]
        return claims | {"aud": self.aud}


def test_claims_for_is_right():
    assert repr(checks.claims_for(right_claims)).startswith("✓ Three vendors")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (into_the_given, "changes the dict that it is given"),
        (as_pywebpush, "in the dictionary already, from another day"),
        (only_exp_kept, "in the dictionary already, and is long past"),
        (Remembering(), "the origin of the vendor before"),
        (changed(aud=lambda aud: f"{aud}/"), "no slash at its end"),
        (changed(aud=lambda aud: urlsplit(aud).netloc), "begins with its scheme"),
        (changed(aud=lambda aud: aud.removesuffix(":8443")), "belongs to the origin"),
        (lambda e, n, c: right_claims(e, n, c) | {"aud": e}, "this is the whole endpoint"),
        (changed(aud=lambda _: None), "aud (RFC 8292 §2) is missing"),
        (changed(aud=lambda aud: aud.encode()), "aud (RFC 8292 §2) should be a str"),
        (changed(exp=str), "without quotes"),
        (changed(exp=lambda exp: exp - HALF_A_DAY), "That is now"),
        (changed(exp=lambda exp: exp + HALF_A_DAY + 1), "more than the 24 hours"),
        (changed(exp=lambda exp: exp * 1000), "these are milliseconds"),
        (changed(exp=float), "should be an int, and yours is a float"),
        (changed(exp=lambda _: None), "exp (RFC 8292 §2) is missing"),
        (changed(sub=lambda _: None), "sub (RFC 8292 §2) is missing"),
        (changed(sub=lambda sub: f"mailto:{sub}"), "sub (RFC 8292 §2.1) should have"),
        (lambda e, n, c: {"aud": "https://updates.push.example.com", "exp": n + HALF_A_DAY,
                          "sub": "mailto:clinic@example.com"}, "the vendor before"),
        (lambda e, n, c: list(right_claims(e, n, c).items()), "should be a dict"),
    ],
)  # fmt: skip
def test_claims_for_names_the_first_claim_that_departs(wrong, words):
    message = said(checks.claims_for, wrong)
    assert words in message
    gives = [*checks.ENDPOINTS.values(), str(NOW + HALF_A_DAY), "clinic@", "example.com/contact"]
    assert not any(secret in message for secret in gives)


# --- keep -----------------------------------------------------------------------------------------


def test_keep_is_right():
    assert repr(checks.keep(lambda status: status not in (404, 410))).startswith("✓ Only those")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda status: status < 400, "keep(403) (RFC 8030 §7.3) is not right yet. The fault is"),
        (lambda status: status not in (403, 404, 410), "removes them all"),
        (lambda status: status != 410, "keep(404) (RFC 8030 §7.3) is not right yet. Whoever keeps it"),
        (lambda status: status != 404, "keep(410)"),
        (lambda status: True, "sends to nobody"),
        (lambda status: status in (403, 404, 410), "keep(201)"),
        (lambda status: status not in (404, 410, 429), "keep(429)"),
        (lambda status: status not in (404, 410) and status < 500, "another try may work"),
        (lambda status: status not in (404, 410, 401), "keep(401)"),
        (lambda status: "True", "should be a bool, and yours is a str"),
        (lambda status: int(status not in (404, 410)), "should be a bool, and yours is an int"),
    ],
)
def test_keep_names_the_first_status_that_is_wrong(wrong, words):
    message = said(checks.keep, wrong)
    assert words in message
    assert "True" not in message and "False" not in message


# --- may_send -------------------------------------------------------------------------------------


def right_may_send(endpoint, addresses):
    known = [ip_address(one) for one in addresses]
    return endpoint.startswith("https://") and bool(known) and all(one.is_global for one in known)


def test_may_send_is_right():
    assert repr(checks.may_send(right_may_send)).startswith("✓ 14 endpoints")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda e, a: right_may_send("https://", a), "for plain http"),
        (lambda e, a: "https" in e and right_may_send("https://", a), "https in the path alone"),
        (lambda e, a: e.startswith("https://"), "for a router"),
        (lambda e, a: right_may_send(e, a) or "::1" in a, "for this machine"),
        (lambda e, a: right_may_send(e, a[:1]), "each of them counts"),
        (lambda e, a: right_may_send(e, a or ["1.1.1.1"]), "all() of nothing is True"),
        (lambda e, a: right_may_send(e, a) or a == ["100.64.0.1"], "is_private and is_global"),
        (lambda e, a: right_may_send(e, a) and ":8443" not in e, "for an endpoint with a query"),
        (lambda e, a: right_may_send(e, a) and len(a) == 1, "a push service with IPv6"),
        (lambda e, a: int(right_may_send(e, a)), "should be a bool, and yours is an int"),
        (lambda e, a: None, "should be a bool, and yours is None"),
    ],
)
def test_may_send_names_the_first_endpoint_that_is_wrong(wrong, words):
    assert words in said(checks.may_send, wrong)
