"""What is posted to an app: a template whose strings have placeholders.

{"endpoint": "{endpoint}", "options": {"ttl": "{ttl}"}}     JSON: values are put in, of their own type
endpoint={endpoint}&text={payload}                          anything else is a form, percent-encoded
"""

import json
import re
from collections.abc import Mapping, Set
from typing import Any
from urllib.parse import quote_plus

from pushlab.errors import BadArgument, MalformedJson
from pushlab.protocol import strict_json

PLACEHOLDER = re.compile(r"\{([a-z0-9_]+)\}")

SUBSCRIBE = '"{subscription}"'
SEND = json.dumps({
    "endpoint": "{endpoint}",
    "notification": {"title": "Conformance", "options": {"body": "{payload}"}},
    "options": {"ttl": "{ttl}", "urgency": "{urgency}", "topic": "{topic}"},
})  # fmt: skip
UNSUBSCRIBE = json.dumps({"endpoint": "{endpoint}"})
"""The bodies of the lab's routes."""


OF_A_SUBSCRIPTION = frozenset({"subscription", "subscription_json", "endpoint", "p256dh", "auth"})
OF_A_MESSAGE = OF_A_SUBSCRIPTION | {"payload", "ttl", "urgency", "topic"}
"""The placeholders that have a value."""


class Template:
    """A body with placeholders, which are among ``known``.

    Raises BadArgument for JSON that cannot be read, and for another placeholder.

    >>> template = Template('{"to": "{endpoint}", "ttl": "{ttl}"}', OF_A_MESSAGE)
    >>> template.fill({"endpoint": "https://x", "ttl": 60})
    (b'{"to": "https://x", "ttl": 60}', 'application/json')
    >>> Template("to={endpoint}", OF_A_MESSAGE).fill({"endpoint": "https://x"})
    (b'to=https%3A%2F%2Fx', 'application/x-www-form-urlencoded')
    """

    def __init__(self, text: str, known: Set[str]) -> None:
        self._text, self._json = text, None
        if text.lstrip()[:1] in ("{", "[", '"'):
            try:
                self._json = strict_json.parse(text)
            except MalformedJson as error:
                hint = 'Write placeholders as strings: "{endpoint}"'
                raise BadArgument(f"the template {text}: {error.detail}", hint=hint) from None
        if unknown := sorted(self.names - known):
            there_are = ", ".join(f"{{{name}}}" for name in sorted(known))
            detail = f"the template {text}: there is no {{{unknown[0]}}}"
            raise BadArgument(detail, hint=f"Its placeholders can be {there_are}")

    @property
    def names(self) -> set[str]:
        """The placeholders that it has."""
        return set(PLACEHOLDER.findall(self._text))

    def fill(self, values: Mapping[str, Any]) -> tuple[bytes, str]:
        """Return the body and its media type. A member whose value is "" is left out."""
        if self._json is None:
            text = PLACEHOLDER.sub(lambda found: quote_plus(_text(values, found[1])), self._text)
            return text.encode(), "application/x-www-form-urlencoded"
        return json.dumps(_filled(self._json, values)).encode(), "application/json"


def _filled(value: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(value, list):
        return [_filled(one, values) for one in value]
    if isinstance(value, Mapping):
        members = {name: _filled(one, values) for name, one in value.items()}
        return {name: one for name, one in members.items() if one != "" or value[name] == ""}
    if not isinstance(value, str):
        return value
    if (whole := PLACEHOLDER.fullmatch(value)) and whole[1] in values:
        return values[whole[1]]
    return PLACEHOLDER.sub(lambda found: _text(values, found[1]), value)


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name, f"{{{name}}}")
    return value if isinstance(value, str) else json.dumps(value)
