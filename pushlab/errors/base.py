"""What every error of this kit knows: five facts, and how to say them."""

import re
from collections.abc import Mapping

from pushlab.reader import Reader, advice

__all__ = ["PushlabError"]


class PushlabError(Exception):
    """Something went wrong.

    >>> from pushlab.errors import BadAuth
    >>> print(BadAuth("auth is 12 bytes long"))
    auth is 12 bytes long (RFC 8291 §3.2). Fault: user agent. Send the 16 bytes as ...
    """

    code: str = "pushlab-error"
    status: int = 500
    rfc: str = ""
    fault: str = ""
    hint: str = ""
    headers: Mapping[str, str] = {}
    """Header fields that the response to it must have."""

    def __init_subclass__(cls, **facts: str | int | Mapping[str, str]) -> None:
        # A traceback then names the error as it is imported, whichever branch defines it.
        cls.__module__ = "pushlab.errors"
        cls.code = re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()
        for name, value in facts.items():
            setattr(cls, name, value)

    def __init__(
        self,
        detail: str = "",
        *,
        hint: str = "",
        fault: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Make an error. ``hint``, ``fault``, ``headers``: where this case differs from its class."""
        self.headers = self.headers if headers is None else headers
        self.detail = detail or (type(self).__doc__ or "").strip()
        self.hint = (hint.rstrip(".") if hint.endswith(".") else hint) or self.hint
        self.fault = fault or self.fault
        super().__init__(self.detail)

    @classmethod
    def of_code(cls, code: str) -> "type[PushlabError] | None":
        """Return the error below this one that has a code, or None.

        >>> from pushlab.errors import SubscriptionGone
        >>> PushlabError.of_code("subscription-gone") is SubscriptionGone
        True
        """
        for error in cls.__subclasses__():
            if found := error if error.code == code else error.of_code(code):
                return found
        return None

    def __str__(self) -> str:
        return self.told()

    def told(self, reader: Reader | None = None) -> str:
        """Say everything in the words for a reader; without one, for the reader of this process."""
        where = f" ({self.rfc})" if self.rfc else ""
        whose = f" Fault: {self.fault}." if self.fault else ""
        hint = advice(self.hint, reader) if self.hint else ""
        what_next = f" {hint}{'' if hint.endswith('?') else '.'}" if hint else ""
        said = f"{self.detail.rstrip('.')}{where}"
        return f"{said}{'' if said.endswith('?') else '.'}{whose}{what_next}"

    def to_json(self) -> dict[str, dict[str, str]]:
        """Return the body with which a server of ours answers."""
        return {"error": {"id": self.code, "message": self.told(Reader.PAGE)}}
