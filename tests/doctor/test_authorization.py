"""What stands in the Authorization header in place of a token and a key is named, and never shown."""

import base64
import hashlib

import pytest

from pushlab.doctor.findings import Level
from pushlab.doctor.request import examine_request
from pushlab.protocol import base64url
from tests.doctor.test_request import KEY, NOW, PUBLIC, request, token
from tests.protocol.spelling.writers import private_of

TOKEN = token().partition("t=")[2].partition(",")[0]
K = base64url.encode(PUBLIC)
P = base64url.encode(private_of(KEY))
DER = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200") + PUBLIC
LEFT_OUT, NOTHING = "was left out", "a word for nothing"

HEADERS = {
    f"vapid t=b'{TOKEN}', k={K}": "t is Python's b'…'",
    f'vapid t=b"{TOKEN}",k={K}': "t is Python's b'…'",
    f"vapid t={TOKEN}, k=b'{K}'": "k is Python's b'…'",
    f"vapid t={TOKEN}, k={P}": "perhaps the private key",
    f"vapid k={P}, t={TOKEN}": "perhaps the private key",
    f"vapid t={TOKEN}, k=undefined": NOTHING,
    f"vapid t=undefined, k={K}": f"t is {NOTHING}",
    f"vapid t=[object Promise], k={K}": "t is an object",
    f"vapid t={TOKEN[:20]}..., k={K}": "t was shortened",
    f"vapid t=***, k={K}": f"t {LEFT_OUT}",
    f"vapid t={TOKEN}, k=[REDACTED]": f"k {LEFT_OUT}",
    f"vapid t={TOKEN}, k={base64url.encode(DER)}": "a public key in DER",
    f"vapid t={TOKEN}, k={base64.b64encode(DER).decode()}": "a public key in DER",
    f"vapid t={TOKEN}, k={PUBLIC.hex()}": "k is hexadecimal",
    f"vapid t={TOKEN}, k={base64url.encode(PUBLIC[1:])}": "without its first byte",
    f"vapid t={TOKEN}, k={K}=": "k is base64url with padding",
    "vapid t=<token>, k=<public key>": "t is a placeholder",
    f"vapid t=<jwt>, k={K}": "t is a placeholder",
    f"vapid t=YOUR_TOKEN, k={K}": "t is a placeholder",
    "[REDACTED]": LEFT_OUT,
    "<redacted>": LEFT_OUT,
    "********": LEFT_OUT,
    "[object Object]": "an object",
    "undefined": NOTHING,
    f"vapid: t={TOKEN}, k={K}": "something other than a space after vapid",
    f"vapid%20t%3D{TOKEN}": "something other than a space after vapid",
    f"t={TOKEN}, k={K}": "no vapid in front",
    TOKEN: "a token by itself",
    "key=AIza" + "S" * 35: "a server key of Firebase",
    "Bearer ya29.a0AfH6SMBx": "Google's access token",
}


@pytest.mark.parametrize("header", HEADERS)
def test_what_stands_in_the_header_is_named(header):
    finding, *_ = [one for one in examine_request(request(Authorization=header), NOW)
                   if one.level is Level.BAD]  # fmt: skip
    assert HEADERS[header] in finding.seen and finding.fix
    for secret in (TOKEN, K, P, "ya29.", "AIza"):
        assert secret[:12] not in f"{finding.seen} {finding.fix}"


@pytest.mark.parametrize(
    "header",
    [
        token(),
        f"VAPID k={K},t={TOKEN}",
        f'vapid t="{TOKEN}", k="{K}"',
        f"vapid t={TOKEN}, k={K}, x=undefined",
    ],
)
def test_a_header_that_is_right_is_not_asked_what_it_is(header):
    assert [one.seen for one in examine_request(request(Authorization=header), NOW)
            if one.level is Level.BAD] == []  # fmt: skip


def test_a_private_key_in_the_header_asks_for_a_new_pair():
    other = base64url.encode(hashlib.sha256(b"another").digest())
    for k in (P, other):
        report = examine_request(request(Authorization=f"vapid t={TOKEN}, k={k}"), NOW)
        (finding,) = [one for one in report if one.level is Level.BAD]
        assert "sent to the push service: make a new pair" in finding.fix
