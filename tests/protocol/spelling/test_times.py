"""What a number counts: each unit, made from any time of these years, is named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushlab.protocol.spelling import times

NOW = 1_790_000_000
NEAR = st.integers(NOW - 5 * 365 * 86400, NOW + 5 * 365 * 86400)


@given(NEAR, st.sampled_from(times.UNITS))
def test_a_time_in_any_unit_is_named(time, unit):
    assert times.unit_of((time - unit.epoch) * unit.scale, NOW) is unit


@given(st.floats(1, 86400 * 365))
def test_a_small_number_is_a_duration(seconds):
    assert times.is_duration(seconds, NOW) and times.unit_of(seconds, NOW) is None


@pytest.mark.parametrize("number", [0, -1, 10**12, 10**40, 10**400, -(10**400), NOW - 20 * 365 * 86400])
def test_what_is_neither(number):
    assert not times.is_duration(number, NOW)


@pytest.mark.parametrize("number", [10**400, -(10**400), 1e308, float("inf"), 0])
def test_any_number_may_be_asked_for(number):
    assert times.unit_of(number, NOW) is None
