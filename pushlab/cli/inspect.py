"""``pushlab inspect``: take a request apart that somebody has at hand. It sends nothing."""

import errno
import sys
import time
from pathlib import Path

from pushlab import files
from pushlab.doctor.inspection import MAX_SIZE, inspect_content, read_receiver
from pushlab.text import json_line


def inspect(
    source: Path,
    *,
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
    inspections = inspect_content(
        _standard_input() if source == Path("-") else files.read(source, MAX_SIZE),
        time.time() if at is None else at,
        body=files.read(body) if body else None,
        receiver=read_receiver(files.read(receiver)) if receiver else None,
        source=source,
    )
    for number, inspection in enumerate(inspections):
        if as_json:
            print(json_line(inspection.to_json(secrets)))
        else:
            print("\n" * (number > 0) + "\n".join(inspection.lines(secrets)))
    return 0 if all(inspection.report.good for inspection in inspections) else 1


def _standard_input() -> bytes:
    content = sys.stdin.buffer.read(MAX_SIZE + 1)
    if len(content) > MAX_SIZE:
        raise OSError(errno.EFBIG, f"it is larger than {MAX_SIZE} bytes", "standard input")
    return content
