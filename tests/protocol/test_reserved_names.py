"""Names that no push service can have, by their ends, and names that only look like them."""

import pytest

from pushlab.protocol.reserved_names import SPECIAL_USE, is_local, is_removed, reserved
from pushlab.protocol.vapid import unreachable


@pytest.mark.parametrize(
    ("host", "rfc"),
    [
        ("permanently-removed.invalid", "RFC 6761 §6.4"),
        ("a.b.INVALID.", "RFC 6761 §6.4"),
        ("invalid", "RFC 6761 §6.4"),
        ("push.test", "RFC 6761 §6.2"),
        ("push.example", "RFC 6761 §6.5"),
        ("example.com", "RFC 2606 §3"),
        ("push.EXAMPLE.net", "RFC 2606 §3"),
        ("a.onion", "RFC 7686 §2"),
    ],
)
def test_a_reserved_name_has_its_rfc(host, rfc):
    known = reserved(host)
    assert known is not None and known.rfc == rfc
    assert is_removed(host) is (rfc == "RFC 6761 §6.4")


@pytest.mark.parametrize(
    "host",
    ["", "invalid.net", "notexample.com", "example.com.evil.net", "test.org", "127.0.0.1", "::1",
     "raspberrypi.local", "push.lan", "fcm.googleapis.com"],
)  # fmt: skip
def test_any_other_name_may_be_a_push_service_s(host):
    assert reserved(host) is None and not is_removed(host)


@pytest.mark.parametrize("end", sorted(SPECIAL_USE))
def test_a_contact_and_an_endpoint_are_judged_by_the_same_names(end):
    assert unreachable(f"mailto:me@push.{end}") == f"push.{end}: a name for special use"
    assert is_local(f"push.{end}") or reserved(f"push.{end}")
