"""The codes of the instructor's links: each works once and not for long, and guessing leads nowhere."""

import threading

import pytest

from pushlab.appserver.web.guesses import BURST, INTERVAL, GuessLimiter
from pushlab.appserver.web.instructor import (
    ALPHABET,
    CODE_SECONDS,
    LENGTH,
    LINKS_KEPT,
    InstructorAccess,
)
from pushlab.errors import TooManyGuesses, WrongCode

HERE, ELSEWHERE = "192.0.2.7", "192.0.2.8"


class Clock:
    """A clock that a test sets."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def access(clock):
    return InstructorAccess(GuessLimiter(clock=clock), clock)


def test_a_code_has_60_bits_and_can_be_typed(access):
    code = access.new_code()
    assert [len(group) for group in code.split("-")] == [4, 4, 4]
    assert set(code) <= set(ALPHABET) | {"-"} and len(set(ALPHABET)) == 32 and LENGTH * 5 == 60
    assert access.is_session(access.exchange(f" {code.lower().replace('-', ' ')}", HERE))


def test_a_code_works_once(access):
    code = access.new_code()
    token = access.exchange(code, HERE)
    assert access.is_session(token) and not access.is_session(code)
    with pytest.raises(WrongCode):
        access.exchange(code, HERE)
    assert access.is_session(token), "the session stays"


def test_of_many_that_use_a_code_at_one_time_one_gets_in(access):
    code, got = access.new_code(), []
    begin = threading.Barrier(8)

    def use(number: int) -> None:
        begin.wait()
        try:
            got.append(access.exchange(code, f"192.0.2.{number}"))
        except WrongCode:
            got.append(None)

    threads = [threading.Thread(target=use, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 8 and got.count(None) == 7


def test_a_code_works_for_ten_minutes(access, clock):
    early, late = access.new_code(), access.new_code()
    clock.seconds = CODE_SECONDS - 1
    access.exchange(early, HERE)
    clock.seconds = CODE_SECONDS
    with pytest.raises(WrongCode):
        access.exchange(late, HERE)


def test_an_address_that_guesses_is_refused_unheard_for_a_time_and_nobody_else_is(access, clock):
    code, other = access.new_code(), access.new_code()
    for _ in range(BURST):
        with pytest.raises(WrongCode):
            access.exchange("GUESS", ELSEWHERE)
    with pytest.raises(TooManyGuesses) as refused:
        access.exchange(code, ELSEWHERE)
    assert refused.value.headers == {"Retry-After": "1"}
    access.exchange(code, HERE)
    clock.seconds += INTERVAL
    access.exchange(other, ELSEWHERE)


def test_what_is_kept_is_bounded(access):
    codes = [access.new_code() for _ in range(LINKS_KEPT + 1)]
    with pytest.raises(WrongCode):
        access.exchange(codes[0], HERE)
    first = access.exchange(codes[-1], HERE)
    for _ in range(LINKS_KEPT):
        access.exchange(access.new_code(), HERE)
    assert not access.is_session(first)
    assert len(access._codes) <= LINKS_KEPT and len(access._sessions) == LINKS_KEPT


def test_the_code_of_a_link_is_exchanged_for_a_session_over_http(run, serving, fetch):
    async def scenario():
        async with serving(instructor_token="dG9rZW4tb2YtdGhlc2UtdGVzdHM") as server:
            code = server.access.new_code()
            wrong = await fetch(f"{server.url}instructor", {"code": "WRONG"})
            right = await fetch(f"{server.url}instructor", {"code": code})
            again = await fetch(f"{server.url}instructor", {"code": code})
            token = right.json["data"]["token"]
            listed = await fetch(f"{server.url}subscriptions", Authorization=f"Bearer {token}")
            other = await fetch(f"{server.url}subscriptions", Authorization=f"Bearer {code}")
            shown = str([event.to_json() for event in server.journal.events()])
            assert "wrong-code" in shown and code not in shown and token not in shown
            page = await fetch(f"{server.url}instructor", {"code": code}, Origin="https://evil.example")
            bad = [await fetch(f"{server.url}instructor", body) for body in ({}, {"code": 7})]
            return wrong.error, right.status, again.error, listed.status, other.error, page.error, bad

    *got, bad = run(scenario())
    assert got == [
        (403, "wrong-code"), 200, (403, "wrong-code"), 200, (401, "instructor-only"),
        (403, "cross-origin"),
    ]  # fmt: skip
    assert [reply.error for reply in bad] == [(400, "bad-field")] * 2


@pytest.mark.usefixtures("clock_of_guesses_stands")
def test_who_guesses_over_http_is_told_when_to_try_again(run, serving, fetch):
    async def scenario():
        async with serving(instructor_token="dG9rZW4tb2YtdGhlc2UtdGVzdHM") as server:
            for _ in range(BURST):
                await fetch(f"{server.url}instructor", {"code": "WRONG"})
            return await fetch(f"{server.url}instructor", {"code": server.access.new_code()})

    refused = run(scenario())
    assert refused.error == (429, "too-many-guesses")
    assert refused.headers["Retry-After"] == "1"


def test_a_session_ends_with_the_server(run, serving, fetch):
    async def scenario():
        async with serving(instructor_token="dG9rZW4tb2YtdGhlc2UtdGVzdHM") as server:
            token = server.access.exchange(server.access.new_code(), HERE)
            await server.stop()
            await server.start()
            reply = await fetch(f"{server.url}subscriptions", Authorization=f"Bearer {token}")
            return reply.error

    assert run(scenario()) == (401, "instructor-only")
