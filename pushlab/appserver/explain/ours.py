"""What an answer of a server of this kit means: it names its error, and says it in full.

Its body is ``{"error": {"id", "message"}}``. The message has the section, the fault and the next step
of that one case, which the status can only give for all cases together.
"""

import re

from pushlab.appserver.delivery.response import PushResponse
from pushlab.appserver.explain.vendors import Explanation, Kind
from pushlab.errors import DeliveryError, PushlabError


def explained(response: PushResponse, said: str, kind: Kind) -> Explanation | None:
    """Return what a server of ours says of its error, or None if this is not one of its answers.

    ``said``: its message, without what must not be shown; ``kind``: what the sender does, by the
    status. A 404 that says nothing of a subscription, such as that of a wrong path, removes none.

    >>> import json
    >>> from pushlab.errors import MissingTtl
    >>> answer = MissingTtl().to_json()
    >>> response = PushResponse(400, body=json.dumps(answer).encode())
    >>> explained(response, answer["error"]["message"], "refused").rfc
    'RFC 8030 §5.2'
    >>> explained(PushResponse(400, body=b"no"), "no", "refused")
    """
    error = PushlabError.of_code(_code(response))
    if error is None or error.status != response.status:
        return None
    what, mark, rest = said.partition(f" ({error.rfc})." if error.rfc else ".")
    found = re.fullmatch(r"(?: Fault: ([a-z ]+)\.)?(?: (.*?)\.?)?", rest)
    if not mark or not found:
        return None
    if kind == "gone" and not issubclass(error, DeliveryError):
        kind = "refused"
    return Explanation(kind, what, found[1] or "", error.rfc, found[2] or "")


def _code(response: PushResponse) -> str:
    value = response.json()
    error = value.get("error") if isinstance(value, dict) else None
    return str(error.get("id")) if isinstance(error, dict) else ""
