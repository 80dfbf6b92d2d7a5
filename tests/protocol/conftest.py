"""The RFCs' examples, and ways to damage a message."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pushlab.errors import PushlabError
from pushlab.protocol import base64url

VECTORS = Path(__file__).parents[1] / "vectors"


@pytest.fixture(scope="session")
def vector() -> Callable:
    """Read an example of an RFC by name. A file that is missing is a failure."""

    def read(name: str) -> dict | list:
        return json.loads((VECTORS / f"{name}.json").read_text("utf-8"))

    return read


@pytest.fixture(scope="session")
def rfc8291(vector) -> Callable:
    """Return a value of RFC 8291 Appendix A by the name that it has there."""
    values = vector("rfc8291")
    return lambda name: base64url.decode(values[name])


@pytest.fixture(scope="session")
def outcome() -> Callable:
    """Call a function; return what it returns, or the class of our own error that it raises."""

    def of(call: Callable, *arguments, **options):
        try:
            return call(*arguments, **options)
        except PushlabError as error:
            kind = type(error)
        assert not kind.__subclasses__(), f"{kind.__name__} is a whole group of errors"
        return kind

    return of


@pytest.fixture(scope="session")
def flips() -> Callable:
    """Yield every copy of some bytes that differs in one bit: which byte, which bit, the copy."""

    def of(data: bytes) -> Iterator[tuple[int, int, bytes]]:
        for index in range(len(data)):
            for bit in range(8):
                copy = bytearray(data)
                copy[index] ^= 1 << bit
                yield index, bit, bytes(copy)

    return of
