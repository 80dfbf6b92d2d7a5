"""No response came, and none ever can: the endpoint's host has a reserved name.

Without this, such a message would be tried again, and the subscription kept for ever.
"""

from urllib.parse import urlsplit

from pushlab.appserver.delivery.response import NetworkFault
from pushlab.appserver.explain.vendors import USER_AGENT, Explanation
from pushlab.protocol.reserved_names import is_removed, reserved

UNRESOLVED = 6
"""libcurl's error for a name that cannot be resolved: CURLE_COULDNT_RESOLVE_HOST."""


def reserved_name(origin: str, fault: NetworkFault) -> Explanation | None:
    """Explain a fault on the way to a reserved name, or return None: the name may be a push service's.

    ``origin``: of the endpoint, or an empty text if it is not known. Under ``.invalid`` every fault
    means the same. Other reserved names may lead somewhere in a network of one's own.

    >>> reserved_name("https://permanently-removed.invalid", NetworkFault(6)).kind
    'gone'
    >>> reserved_name("https://push.example.net", NetworkFault(6)).kind
    'failed'
    >>> reserved_name("https://push.example.net", NetworkFault(28))
    """
    host = (urlsplit(origin).hostname or "") if origin else ""
    known = reserved(host)
    if known is None:
        return None
    if is_removed(host):
        return Explanation(
            "gone",
            "The browser has removed this subscription: its endpoint is at a name that never resolves",
            USER_AGENT,
            known.rfc,
            "Remove the subscription; the page subscribes again when somebody opens it",
        )
    if fault.code != UNRESOLVED:
        return None
    return Explanation(
        "failed",
        f"The endpoint is at {known.what}, where no push service is",
        USER_AGENT,
        known.rfc,
        "Let the page subscribe, and store the endpoint that the browser gives",
    )
