"""``inspect(…)``: a request that somebody has at hand, taken apart as pictures.

It says in a notebook what ``pushlab inspect`` says in a terminal. Like that command it sends nothing.
``rich`` draws the picture.
"""

import json
import time
from collections.abc import Mapping
from pathlib import Path

from pushlab import files
from pushlab.doctor.inspection import (
    MAX_SIZE,
    Inspection,
    Receiver,
    inspect_content,
    inspect_request,
    read_receiver,
)
from pushlab.errors import BadArgument
from pushlab.protocol import base64url
from pushlab.protocol.delivery import PushRequest
from pushlab.protocol.spelling import captured
from pushlab.protocol.spelling.captured import Captured
from pushlab.protocol.spelling.paths import in_place_of


class Inspected(tuple[Inspection, ...]):
    """Requests taken apart: one picture as the last line of a cell, and their text elsewhere.

    ``secrets``: whether keys, the whole token and the message are shown too.
    """

    secrets = False

    def __repr__(self) -> str:
        return "\n\n".join("\n".join(one.lines(self.secrets)) for one in self)


def inspect(
    source: Path | str | bytes | PushRequest,
    *,
    body: Path | str | bytes | None = None,
    receiver: Path | str | bytes | Mapping[str, object] | Receiver | None = None,
    at: float | None = None,
    secrets: bool = False,
) -> Inspected:
    r"""Take each request in a text or a file apart: its bytes, its token, and what is wrong with it.

    ``source``: raw HTTP, the text of curl -v or --trace, a HAR file or an .http file, as text, as bytes
    or as its path; or a PushRequest. ``body``: the body by itself, if the tool left it out: bytes,
    hexadecimal, base64 or a dump as text, or the Path of a file. ``receiver``: the user agent's keys,
    ``{"private": …, "auth": …}``, as base64url or bytes, or a file with them: then every value is
    computed that leads to the plaintext. ``at``: seconds since 1970, to judge the token by. Keys, the
    whole token and the message are shown only with ``secrets=True``.

    Raises BadArgument if there is no request, or if the keys cannot be read; OSError.

    >>> inspect("POST /p HTTP/1.1\nHost: push.example.net\nTTL: 60\n\n")[0].report.good
    False
    """
    now = time.time() if at is None else at
    keys = _receiver(receiver)
    if isinstance(source, PushRequest):
        headers = tuple(source.headers.items())
        request = Captured("PushRequest", source.method, source.url, headers, source.body)
        inspected = Inspected([inspect_request(request, now, keys)])
    else:
        path = _path(source)
        try:
            content = files.read(path, MAX_SIZE) if path else _bytes(source)
        except OSError as error:
            if not isinstance(source, str) or (source.strip() and not in_place_of(source, error)):
                raise
            path, content = None, _bytes(source)  # A line that is no request, and no path.
        alone = None if body is None else _bytes(body)
        inspected = Inspected(inspect_content(content, now, body=alone, receiver=keys, source=path))
    inspected.secrets = secrets
    return inspected


def _path(source: Path | str | bytes) -> Path | None:
    """Return the path that is meant, if one is: a Path, or a line that is not a request by itself."""
    if isinstance(source, str) and "\n" not in source and not captured.read(_bytes(source)):
        return Path(source)
    return source if isinstance(source, Path) else None


def _bytes(given: Path | str | bytes) -> bytes:
    if isinstance(given, Path):
        return files.read(given)
    return given.encode("utf-8", "replace") if isinstance(given, str) else given


def _receiver(given: Path | str | bytes | Mapping[str, object] | Receiver | None) -> Receiver | None:
    if given is None or isinstance(given, Receiver):
        return given
    if isinstance(given, Mapping):
        return read_receiver(json.dumps(dict(given), default=base64url.encode).encode())
    if isinstance(given, str) and not given.lstrip().startswith("{"):
        given = Path(given)
    try:
        content = _bytes(given)
    except OSError as error:
        if not (what := in_place_of(given, error)):
            raise
        hint = 'Give {"private": …, "auth": …}, both as base64url, or a file with them'
        raise BadArgument(f"the receiver is {what}, where a file belongs", hint=hint) from None
    return read_receiver(content)
