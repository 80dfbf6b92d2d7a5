"""Guesses of the instructor's token: each address by itself, in bounded memory, and soon forgotten."""

import pytest

from pushlab.appserver.web import guesses
from pushlab.appserver.web.guesses import BURST, GuessLimiter


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def told():
    return []


@pytest.fixture
def limiter(clock, told):
    return GuessLimiter(told.append, clock)


def guess(limiter, address, count):
    for _ in range(count):
        limiter.wrong(address)


def test_an_address_waits_for_itself_alone(limiter, told):
    guess(limiter, "10.0.0.1", BURST - 1)
    assert limiter.wait("10.0.0.1") == 0 and told == []
    guess(limiter, "10.0.0.1", 1)
    assert limiter.wait("10.0.0.1") == 1 and told == ["10.0.0.1"]
    assert limiter.wait("10.0.0.2") == 0


def test_the_next_guess_is_allowed_a_second_later_and_only_one(limiter, clock, told):
    guess(limiter, "10.0.0.1", BURST)
    for _ in range(5):
        clock.now += 1
        assert limiter.wait("10.0.0.1") == 0
        guess(limiter, "10.0.0.1", 1)
        assert limiter.wait("10.0.0.1") == 1
    assert told == ["10.0.0.1"], "once, and not with each guess"


def test_what_is_forgotten_may_be_told_again(limiter, clock, told):
    guess(limiter, "10.0.0.1", BURST)
    clock.now += BURST
    guess(limiter, "10.0.0.1", BURST - 1)
    assert limiter.wait("10.0.0.1") == 0 and len(told) == 1
    guess(limiter, "10.0.0.1", 1)
    assert told == ["10.0.0.1"] * 2


def test_many_addresses_take_no_more_memory_and_gain_nothing(limiter, clock, monkeypatch):
    monkeypatch.setattr(guesses, "MAX_ADDRESSES", 20)
    guess(limiter, "10.0.0.1", BURST)
    for number in range(100):
        guess(limiter, f"10.0.1.{number}", BURST)
    assert len(limiter._known) <= 21
    assert limiter.wait("10.0.0.1") == 1, "nobody pushes it out"
    assert limiter.wait("10.0.2.1") > 0, "all others are one"
    clock.now += 10_000
    guess(limiter, "10.0.3.1", 1)
    assert limiter.wait("10.0.2.1") == 0 and len(limiter._known) == 1
