"""What an answer of a server of this kit means: it names its error, and says it in full.

Its body is ``{"error": {"id", "message"}}``. The message has the section, the fault and the next step
of that one case, which the status can only give for all cases together.
"""

import json
import re

from pushlab.appserver.delivery.response import PushResponse
from pushlab.appserver.explain.vendors import Explanation, Kind
from pushlab.errors import PushlabError


def explained(response: PushResponse, said: str, kind: Kind) -> Explanation | None:
    """Return what a server of ours says of its error, or None if this is not one of its answers.

    ``said``: its message, without what must not be shown; ``kind``: what the sender does, by the
    status.

    >>> from pushlab.errors import MissingTtl
    >>> answer = MissingTtl().to_json()
    >>> response = PushResponse(400, body=json.dumps(answer).encode())
    >>> explained(response, answer["error"]["message"], "refused").rfc
    'RFC 8030 §5.2'
    >>> explained(PushResponse(400, body=b"no"), "no", "refused")
    """
    error = PushlabError.of_code(_code(response.body))
    if error is None or error.status != response.status:
        return None
    what, mark, rest = said.partition(f" ({error.rfc})." if error.rfc else ".")
    found = re.fullmatch(r"(?: Fault: ([a-z ]+)\.)?(?: (.*?)\.?)?", rest)
    if not mark or not found:
        return None
    return Explanation(kind, what, found[1] or "", error.rfc, found[2] or "")


def _code(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"]["id"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""
