"""``pushlab inspect``: take a request apart that somebody has at hand. It sends nothing."""

import json
import sys
import time
from dataclasses import replace
from pathlib import Path

from pushlab import files
from pushlab.doctor.inspection import inspect_request, read_receiver
from pushlab.errors import BadArgument
from pushlab.protocol.spelling import captured
from pushlab.protocol.spelling.captured import Captured

MAX_SIZE = 16 * 1024 * 1024
"""Bytes of the longest file. A HAR file has everything that a page has loaded."""


def inspect(
    source: Path,
    body: Path | None,
    receiver: Path | None,
    at: float | None,
    secrets: bool,
    as_json: bool,
) -> int:
    """Inspect the requests in a file, or in standard input for "-". Return the exit status.

    ``body``: a file with the body, if the tool left it out; ``receiver``: a file with the keys of the
    user agent; ``at``: seconds since 1970, to judge the token by. Raises BadArgument, OSError.
    """
    content = sys.stdin.buffer.read(MAX_SIZE) if source == Path("-") else files.read(source, MAX_SIZE)
    requests = [_with_body(one, body, source) for one in captured.read(content)]
    if not requests:
        raise BadArgument(
            f"{source} holds no request that can be read",
            hint="Give raw HTTP, the text of curl -v or --trace, a HAR file, or an .http file",
        )
    keys = read_receiver(files.read(receiver)) if receiver else None
    good = True
    for number, request in enumerate(requests):
        inspection = inspect_request(request, time.time() if at is None else at, keys)
        good = good and inspection.report.good
        if as_json:
            print(json.dumps(inspection.to_json(secrets), ensure_ascii=False))
        else:
            print("\n" * (number > 0) + "\n".join(inspection.lines(secrets)))
    return 0 if good else 1


def _with_body(request: Captured, body: Path | None, source: Path) -> Captured:
    """Read the body from its own file: the one that is given, or that an .http file names."""
    if body is None and request.body_file:
        body = source.parent / request.body_file
    if body is None:
        return request
    content, written = captured.body_of(files.read(body))
    form = f"{request.form}, body in {written}" if written else request.form
    return replace(request, body=content, without="", form=form)
