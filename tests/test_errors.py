"""The tree in the docstring is the tree of the classes, and every error class helps its reader."""

import inspect
import re
from types import ModuleType

import pytest

from pushlab import errors
from pushlab.errors import PushlabError

GROUPS = PushlabError.__subclasses__()
ERRORS = [error for group in GROUPS for error in group.__subclasses__()]


def test_the_drawn_tree_is_the_real_one():
    drawn, group = {}, None
    for line in errors.__doc__.splitlines():
        if found := re.match(r"    [├└]── (\w+Error)\b", line):
            group = drawn.setdefault(found[1], [])
        elif found := re.match(r"    [│ ]   [├└]── (.+)$", line):
            group += re.findall(r"\w+", found[1])
    assert drawn == {
        group.__name__: [error.__name__ for error in group.__subclasses__()] for group in GROUPS
    }


def test_every_class_of_the_tree_is_imported_from_the_package_and_nothing_else_is():
    """The branches pass on what their ``__all__`` lists: no class is missing, no helper slips in."""
    public = {name: value for name, value in vars(errors).items() if not name.startswith("_")}
    branches = {name for name, value in public.items() if isinstance(value, ModuleType)}
    assert branches == {"base", "lab", "protocol", "servers"}
    classes = {error.__name__: error for error in (PushlabError, *GROUPS, *ERRORS)}
    assert {name: value for name, value in public.items() if name not in branches} == classes


def test_a_branch_lists_the_classes_that_it_defines_in_their_order():
    for branch in (errors.base, errors.lab, errors.protocol, errors.servers):
        defined = re.findall(r"^class (\w+)", inspect.getsource(branch), re.MULTILINE)
        assert branch.__all__ == defined


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_an_error_says_what_a_person_needs(error):
    assert 400 <= error.status < 600
    assert error.__doc__.endswith(".") and error.__doc__ != error.__mro__[1].__doc__
    without = (errors.BadField, errors.BrowserFailed, errors.TimedOut, errors.PushServiceRefused)
    assert error.hint or error in without
    nobodys = (errors.UnknownSubscription, errors.NoSubscriptions, errors.SubscriptionGone)
    blameless = errors.FormatError, errors.ExerciseError, *nobodys
    assert error.fault or issubclass(error, blameless), "whose fault is it?"
    text = str(error("seen: 12 bytes"))
    assert text.startswith("seen: 12 bytes") and text.endswith(".")
    assert error.hint in text and error.rfc in text and error.fault in text


def test_every_code_is_its_own():
    codes = [error.code for error in ERRORS]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z0-9-]+", code) for code in codes)


def test_codes_that_the_routes_promise():
    promised = {"no-endpoint": 400, "unable-to-save-subscription": 500, "unknown-subscription": 404,
                "no-subscriptions": 409}  # fmt: skip
    assert promised.items() <= {error.code: error.status for error in ERRORS}.items()


def test_json_of_an_error():
    body = errors.NoEndpoint().to_json()
    assert body["error"]["id"] == "no-endpoint"
    assert body["error"]["message"] == str(errors.NoEndpoint())


def test_a_wrong_argument_is_no_fault_of_this_machine():
    for error in (errors.BadArgument, errors.BadPort, errors.BadHost, errors.UnknownFlavour):
        assert error().fault == "the argument that was given"
