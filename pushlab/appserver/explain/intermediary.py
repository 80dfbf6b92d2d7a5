"""Responses that are not the push service's: a proxy, a firewall or a filter answers in its place.

The status alone would say that the token is wrong, and nobody has looked at it. Such an intermediary
(RFC 9110 §3.7) gives itself away by a header of its own, or by a page where a push service writes a
sentence or JSON. Google answers with pages too: their titles are one word, or end in ``!!1``.
"""

import re

from pushlab.appserver.delivery.response import PushResponse
from pushlab.appserver.explain.html_page import title_of
from pushlab.appserver.explain.vendors import NETWORK, Explanation

IN_PLACE = Explanation("refused", "Something in front of the push service has answered in its place, "
    "such as a proxy, a firewall or a filter against bots", NETWORK, "RFC 9110 §3.7",
    "The message and its token may be right: whoever runs that must let POST requests to the endpoint "
    "through")  # fmt: skip
LOGIN = Explanation("refused", "What answered wants a login, and a push service wants a token", NETWORK,
    "RFC 9110 §15.5.2", "Whoever runs it must let POST requests to the endpoint through without a "
    "login")  # fmt: skip

OWN_HEADERS = ("cf-mitigated", "x-squid-error")
"""Headers of filters and proxies, which they add to an answer of their own."""

# Where there are several challenges, the first decides: a push service may offer a login beside vapid.
LOGIN_SCHEMES = re.compile(r"\s*(?:basic|digest|negotiate|ntlm)\b", re.IGNORECASE)
OF_GOOGLE = re.compile(r"\w+|Error \d{3} \(.*\)!!1")
OF_CLOUDFLARE = re.compile(r"error code: 1\d{3}\s*")

ACCUSING = (401, 403)
"""Statuses with which a push service says that the token is wrong."""


def intermediary(response: PushResponse) -> Explanation | None:
    """Return what the response of an intermediary means, or None if it may be the push service's.

    >>> intermediary(PushResponse(403, body=b"<title>Just a moment...</title>")) is IN_PLACE
    True
    >>> intermediary(PushResponse(403, body=b'{"reason": "BadJwtToken"}'))
    """
    if any(response.header(name) is not None for name in OWN_HEADERS):
        return IN_PLACE
    if response.status not in ACCUSING:
        return None
    if any(LOGIN_SCHEMES.match(value) for value in response.header_list("WWW-Authenticate")):
        return LOGIN
    text = response.text()
    title = title_of(text)
    is_page = title is not None and not OF_GOOGLE.fullmatch(title)
    return IN_PLACE if is_page or OF_CLOUDFLARE.fullmatch(text) else None
