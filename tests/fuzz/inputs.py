"""Inputs for a target: valid examples, changed a little, and bytes that are anything.

``inputs`` is for hypothesis, which finds the smallest input that fails and takes a millisecond or
two for each. ``many`` makes the same kind of changes from a seed, a hundred times as fast.
"""

import random
from collections.abc import Iterator

from hypothesis import strategies as st

TOKENS = (
    b"null", b"true", b"NaN", b"-1", b"1e999", b"9" * 30, b'"', b"\\", b"{}", b"[]", b'""',
    b"[" * 40, b'{"a":' * 20, b"\0", b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\\ud800", b"%00",
    b"=", b"==", b"&", b"+", b";", b",", b" ", b"\t", b"\r\n", b"\n", b"\x80" * 9, b"\x7f" * 4,
    b"A" * 70, b"-", b"_", b".", "é😀".encode(),
)  # fmt: skip
"""Pieces that parsers stumble over."""

POSITION = st.integers(0, 2**16)
EDIT = st.one_of(
    st.tuples(st.just("insert"), POSITION, st.sampled_from(TOKENS)),
    st.tuples(st.just("put"), POSITION, st.binary(min_size=1, max_size=4)),
    st.tuples(st.just("cut"), POSITION, st.integers(1, 12)),
    st.tuples(st.just("repeat"), POSITION, st.integers(1, 60)),
    st.tuples(st.just("end"), POSITION, st.none()),
)


def edited(data: bytes, edits: list[tuple]) -> bytes:
    """Return the bytes after these changes.

    >>> edited(b"abcdef", [("cut", 1, 2), ("insert", 0, b"x"), ("end", 3, None)])
    b'xad'
    """
    for what, where, how in edits:
        at = where % (len(data) + 1)
        before, after = data[:at], data[at:]
        if what == "insert":
            data = before + how + after
        elif what == "put":
            data = before + how + after[len(how) :]
        elif what == "cut":
            data = before + after[how:]
        elif what == "repeat":
            data = before + after[:how] * 2 + after[how:]
        else:
            data = before
    return data


def inputs(seeds: tuple[bytes, ...]) -> st.SearchStrategy[bytes]:
    """Give seeds with up to six changes, and now and then bytes that are anything."""
    near = st.builds(edited, st.sampled_from(seeds), st.lists(EDIT, max_size=6))
    return st.one_of(near, near, near, st.binary(max_size=300))


def many(seeds: tuple[bytes, ...], count: int, seed: int) -> Iterator[bytes]:
    """Yield ``count`` inputs, the same ones for the same seed.

    >>> list(many((b"abc",), 2, 7)) == list(many((b"abc",), 2, 7))
    True
    """
    chance = random.Random(seed)
    for _ in range(count):
        edits = []
        for _ in range(chance.randrange(1, 7)):
            what, where = chance.choice(KINDS), chance.randrange(2**16)
            how = {
                "insert": chance.choice(TOKENS),
                "put": chance.randbytes(chance.randrange(1, 5)),
                "end": None,
            }.get(what, chance.randrange(1, 60))
            edits.append((what, where, how))
        yield edited(chance.choice(seeds), edits)


KINDS = ("insert", "insert", "put", "put", "cut", "repeat", "end")
