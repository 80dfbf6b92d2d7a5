"""Files that a person names: read whole, and never more than such a file can have.

A path may name a device that never ends, or a film. What is read here has a few hundred bytes: keys,
a subscription, claims.
"""

import errno
import os
from pathlib import Path

MAX_SIZE = 65536
"""Bytes that are read at most."""


def read(path: Path, limit: int = MAX_SIZE) -> bytes:
    """Read a small file. Raises OSError, also if it is larger than ``limit`` bytes."""
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except ValueError:  # A zero in it, or half a surrogate pair.
        why = "it has a character that no path has"
        raise OSError(errno.EINVAL, why, os.fspath(path)) from None
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"it is larger than {limit} bytes", os.fspath(path))
    return content
