"""The table of cases is whole: each has a function that poses it, and says what it is."""

import re

from pushlab.conformance.cases.registry import POSES
from pushlab.conformance.examiner import MODULES
from pushlab.conformance.table import CASES, GROUPS

# The list of the issue.
FLOOR = {
    "bytes": "ascii utf8 emoji empty one-byte largest too-large one-record record-size keyid-length "
    "header-length fresh-salt fresh-key padding coding",
    "token": "scheme k signature-form signature aud-exact aud-two-services aud-port exp-integer "
    "exp-within-24h sub reused renewed one-key key-apart",
    "headers": "ttl-present ttl-value urgency topic content-encoding content-length duplicates",
    "answers": "201 200 202 404 410 400 401 403 413 429-seconds 429-date 429-bare 503-seconds 503-date "
    "503-bare 500 502 reset time-out hang-up 301 307 body-50mb slow-drip garbage flavour-mozilla "
    "flavour-fcm flavour-apple flavour-wns",
    "many": "one-dead one-slow one-refused each-once two-thousand",
    "safety": "endpoint-http endpoint-loopback endpoint-redirect same-endpoint-twice junk-subscriptions "
    "foreign-origin foreign-removal endpoint-private endpoint-link-local",
}


def test_every_case_of_the_list_is_there_once_and_is_posed():
    listed = [f"{group}.{name}" for group, names in FLOOR.items() for name in names.split()]
    assert [case.id for case in CASES] == listed
    assert set(POSES) == set(listed) and len(set(listed)) == len(listed)
    assert tuple(FLOOR) == GROUPS
    assert {pose.__module__ for pose in POSES.values()} == {module.__name__ for module in MODULES}


def test_every_case_says_what_it_is():
    for case in CASES:
        texts = (case.rule, case.title, case.sends, case.expects, case.fix)
        assert all(text.strip() == text and len(text) > 1 for text in texts), case.id
        assert case.fix.endswith("."), case.id
        assert case.level == "practice" or re.match(r"RFC \d{4} §", case.rule), case.id


def test_what_must_not_be_sent_to_is_asked_for_last():
    assert [case.id for case in CASES[-2:]] == ["safety.endpoint-private", "safety.endpoint-link-local"]
