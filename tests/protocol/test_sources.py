"""Where a statement is from: in words, with its month, and old after two years."""

import calendar
import re

import pytest

from pushlab.protocol import sources
from pushlab.protocol.sources import Source

ALL = {name: one for name, one in vars(sources).items() if isinstance(one, Source)}


def at(year: int, month: int) -> float:
    return calendar.timegm((year, month, 15, 0, 0, 0))


@pytest.mark.parametrize("source", ALL.values(), ids=ALL)
def test_every_source_has_a_basis_a_name_and_a_month_or_says_that_it_has_none(source):
    assert source.basis in sources.WORDS and source.basis != "RFC"
    assert str(source).startswith(sources.WORDS[source.basis])
    assert re.search(r", (not dated|[A-Z][a-z]+ 20\d\d)$", str(source))


@pytest.mark.parametrize(
    ("year", "month", "old"),
    [(2026, 7, False), (2028, 7, False), (2028, 8, True), (2030, 1, True), (2020, 1, False)],
)
def test_what_is_older_than_two_years_says_so(year, month, old):
    source = Source("reported", "somebody", "2026-07")
    assert source.is_old(at(year, month)) is old
    assert ("more than two years ago" in source.told(at(year, month))) is old
    assert source.told() == str(source) == "reported by somebody, July 2026"


def test_what_has_no_date_says_so_and_is_not_called_old():
    source = Source("documented", "Apple for web push")
    assert source.told(at(2050, 1)) == str(source) == "documented by Apple for web push, not dated"
    assert source.of("2026-01").is_old(at(2050, 1))


def test_an_rfc_does_not_grow_old():
    assert not Source("RFC", "RFC 8030 §5.2").is_old(at(2050, 1))
