"""What a proxy, a firewall or a filter answers is not taken for the push service's word."""

import pytest

from pushlab.appserver.delivery.response import PushResponse
from pushlab.appserver.explain.intermediary import IN_PLACE, LOGIN, intermediary
from pushlab.appserver.explain.outcome import explain

OTHERS = {
    "a filter's challenge": PushResponse(403, (("cf-mitigated", "challenge"),)),
    "the same as a page": PushResponse(403, body=b"<!DOCTYPE html><title>Just a moment...</title>"),
    "the same in words": PushResponse(403, body=b"error code: 1020"),
    "squid": PushResponse(503, (("X-Squid-Error", "ERR_DNS_FAIL 0"),), b"<title>ERROR</title>"),
    "a firewall's page without a title": PushResponse(403, body=b"<html><body><h1>Blocked</h1>"),
    "nginx": PushResponse(403, body=b"<html><head><title>403 Forbidden</title></head>"),
    "a filter that hides a path": PushResponse(404, (("cf-mitigated", "block"),)),
    "a proxy that hides a path": PushResponse(410, (("X-Squid-Error", "ERR_ACCESS_DENIED 0"),)),
}


@pytest.mark.parametrize("what", OTHERS)
def test_nobody_has_looked_at_the_token(what):
    response = OTHERS[what]
    assert intermediary(response) is IN_PLACE
    outcome = explain(response)
    assert (outcome.fault, outcome.rfc) == ("network", "RFC 9110 §3.7")
    # What the sender does is decided by the status all the same, but nobody has ended a subscription.
    kind = explain(PushResponse(response.status)).kind
    assert outcome.kind == ("refused" if kind == "gone" else kind)
    assert outcome.about == "push service"
    assert "exp" not in outcome.next and "Fault: network." in outcome.text


@pytest.mark.parametrize("scheme", ['Basic realm="x"', "negotiate", "NTLM", 'Digest realm="x"'])
def test_a_login_is_wanted(scheme):
    response = PushResponse(401, (("WWW-Authenticate", scheme),))
    assert intermediary(response) is LOGIN and explain(response).fault == "network"


PUSH_SERVICES = {
    "Apple": PushResponse(403, body=b'{"reason":"BadJwtToken"}'),
    "FCM in words": PushResponse(403, body=b"permission denied: invalid JWT provided"),
    "FCM in a page": PushResponse(401, body=b"<HTML><HEAD><TITLE>Unauthorized</TITLE></HEAD></HTML>"),
    "FCM in another page": PushResponse(400, body=b"<title>Error 400 (Bad Request)!!1</title>"),
    "nothing at all": PushResponse(403),
    "a challenge for a token": PushResponse(401, (("WWW-Authenticate", "vapid"),)),
    "Windows": PushResponse(401, (("WWW-Authenticate", 'Bearer error="invalid_request"'),)),
    "a web server that cannot read the request": PushResponse(
        400, body=b"<title>400 The plain HTTP request was sent to HTTPS port</title>"
    ),
    "its own gateway": PushResponse(502, body=b"<title>502 Bad Gateway</title>"),
    "its own front door": PushResponse(404, body=b"<title>404 Not Found</title>"),
}


@pytest.mark.parametrize("what", PUSH_SERVICES)
def test_what_may_be_the_push_service_s_own_is_left_to_it(what):
    assert intermediary(PUSH_SERVICES[what]) is None
    assert explain(PUSH_SERVICES[what]).fault != "network"


def test_a_vendor_s_words_come_first():
    body = b"<title>Odd</title><p>permission denied: invalid JWT provided</p>"
    assert explain(PushResponse(403, body=body)).fault == "application server"
