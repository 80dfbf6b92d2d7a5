"""The tree in the docstring is the tree in the code, and every leaf can help."""

import re

import pytest

from pushlab import errors
from pushlab.errors import PushlabError

GROUPS = PushlabError.__subclasses__()
LEAVES = [leaf for group in GROUPS for leaf in group.__subclasses__()]


def test_the_drawn_tree_is_the_real_one():
    drawn, group = {}, None
    for line in errors.__doc__.splitlines():
        if found := re.match(r"    [├└]── (\w+Error)\b", line):
            group = drawn.setdefault(found[1], [])
        elif found := re.match(r"    [│ ]   [├└]── (.+)$", line):
            group += re.findall(r"\w+", found[1])
    assert drawn == {
        group.__name__: [leaf.__name__ for leaf in group.__subclasses__()] for group in GROUPS
    }


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: leaf.__name__)
def test_a_leaf_says_what_a_person_needs(leaf):
    assert 400 <= leaf.status < 600
    assert leaf.__doc__.endswith(".") and leaf.__doc__ != leaf.__mro__[1].__doc__
    assert leaf.hint or leaf in (errors.BadField, errors.BrowserFailed, errors.TimedOut, errors.PushServiceRefused)
    blameless = errors.FormatError, errors.ExerciseError
    assert leaf.fault or issubclass(leaf, blameless), "whose fault is it?"
    text = str(leaf("seen: 12 bytes"))
    assert text.startswith("seen: 12 bytes") and text.endswith(".")
    assert leaf.hint in text and leaf.rfc in text and leaf.fault in text


def test_every_code_is_its_own():
    codes = [leaf.code for leaf in LEAVES]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z0-9-]+", code) for code in codes)


def test_codes_that_the_routes_promise():
    promised = {"no-endpoint": 400, "unable-to-save-subscription": 500, "unknown-subscription": 404,
                "no-subscriptions": 409}  # fmt: skip
    assert promised.items() <= {leaf.code: leaf.status for leaf in LEAVES}.items()


def test_json_of_an_error():
    body = errors.NoEndpoint().to_json()
    assert body["error"]["id"] == "no-endpoint"
    assert body["error"]["message"] == str(errors.NoEndpoint())
