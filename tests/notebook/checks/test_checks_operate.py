"""The checks of lesson 09: what they accept, what they name; and the incidents that they bring about."""

import asyncio
from email.utils import parsedate_to_datetime

import pytest

from pushlab.errors import NotYet
from pushlab.notebook.checks import operate as checks
from pushlab.pushservice.app import PushService


def said(check, answer) -> str:
    """Return the error of a check for wrong code."""
    with pytest.raises(NotYet) as caught:
        check(answer)
    return caught.value.detail


def stub(*arguments):
    raise NotImplementedError("your turn")


def test_a_stub_passes_through_untouched():
    for check in checks.again, checks.diagnose:
        with pytest.raises(NotImplementedError, match="your turn"):
            check(stub)
        assert "None" in said(check, lambda *_: None)


# --- again ---------------------------------------------------------------------------------------


def asked(header, now):
    if header is None or header.isdigit():
        return int(header or 0)
    return parsedate_to_datetime(header).timestamp() - now


def right_again(tries, header, now, ends, first=30, most=3600):
    at = now + max(min(first * 2 ** (tries - 1), most), asked(header, now))
    return at if at < ends else None


def test_again_is_right_as_an_int_and_as_a_float():
    assert repr(checks.again(right_again)).startswith("✓ You wait as long")
    checks.again(lambda *given: None if (at := right_again(*given)) is None else float(at))


def test_again_names_what_was_overlooked():
    def pause(tries):
        return min(30 * 2 ** (tries - 1), 3600)

    for answer, words in (
        (lambda t, h, now, ends: right_again(t, h, now, ends) and right_again(t, h, now, ends) - now,
         "gives a pause, and the time"),
        (lambda t, h, now, ends: right_again(t + 1, h, now, ends), "30 seconds too late"),
        (lambda t, h, now, ends: right_again(t, h, now, ends, most=9**9), "longer than an hour"),
        (lambda t, h, now, ends: right_again(t, None, now, ends), "Retry-After asked for longer"),
        (lambda t, h, now, ends: now + (asked(h, now) if h else pause(t)), "never shorter"),
        (lambda t, h, now, ends: now + min(max(pause(t), asked(h, now)), 3600), "your own pause"),
        (lambda t, h, now, ends: now + max(pause(t), int(h or 0)), "may be a date, in GMT"),
        (lambda t, h, now, ends: now + max(pause(t), asked(h, now)), "only before it"),
        (lambda t, h, now, ends: min(now + max(pause(t), asked(h, now)), ends - 1), "should be None"),
        (lambda t, h, now, ends: str(right_again(t, h, now, ends)), "yours is a str"),
    ):  # fmt: skip
        assert words in said(checks.again, answer)


def test_an_error_that_the_header_has_nothing_to_do_with_is_passed_on():
    with pytest.raises(TypeError):
        checks.again(lambda tries, header, now, ends: now + None)


# --- diagnose ------------------------------------------------------------------------------------


def diagnose(counts, spoken=lambda row: any(row.values()), much=lambda bad, row: bad > row["accepted"]):
    rows = [row for row in counts.values() if spoken(row)]
    refuses = [much(row["refused"], row) for row in rows]
    fails = [much(row["retry"], row) for row in rows]
    if any(0 < row["waiting"] == sum(row.values()) for row in rows):
        return "worker"
    if rows and all(refuses):
        return "key"
    if rows and all(fails):
        return "network"
    return "claims" if any(refuses) else "down" if any(fails) else "fine"


def test_diagnose_is_right():
    assert repr(checks.diagnose(diagnose)) == "✓ All 13 boards lead to the right word."


def test_diagnose_names_the_board_and_what_was_overlooked():
    def instead(of, word):
        return lambda counts: word if (right := diagnose(counts)) == of else right

    for answer, words in (
        (lambda counts: "the key", "should be one of the six words"),
        (lambda counts: ["key"], "yours is a list"),
        (lambda counts: diagnose(counts, spoken=lambda row: True), "everything is 0 says nothing"),
        (lambda counts: diagnose(counts, much=lambda bad, row: bad > 0), "one of many is refused"),
        (instead("worker", "fine"), "Nothing failed, because nothing was tried"),
        (instead("claims", "key"), "One vendor accepts, so the key is right"),
        (instead("network", "down"), "your way to them"),
        (instead("down", "network"), "neither your key nor your network"),
    ):
        assert words in said(checks.diagnose, answer)


def test_a_check_does_not_give_the_word_away():
    assert "claims" not in said(checks.diagnose, lambda counts: "fine").split(".")[0]


# --- the incidents -------------------------------------------------------------------------------


def test_each_day_something_else_breaks():
    sent = []

    def post(row, left, key, claims):
        sent.append((key, dict(claims)))
        return 201, ""

    async def days():
        service, claims = PushService(), {"sub": "mailto:a@example.com"}
        await service.start()
        for day in "Monday", "Wednesday", "Tuesday":
            broken = await checks.incident(day, post, {"fcm": service})
            for origin in "https://a.example", "https://b.example":
                broken({"endpoint": f"{origin}/1"}, 60, "key", claims)
        assert claims == {"sub": "mailto:a@example.com"}
        with pytest.raises(OSError):
            await asyncio.open_connection("127.0.0.1", service.port)

    asyncio.run(days())
    monday, wednesday, tuesday = sent[:2], sent[2:4], sent[4:]
    assert monday[0][0] == monday[1][0] != "key" and len(monday[0][0]) == 43
    assert [claims["aud"] for _, claims in wednesday] == ["https://a.example"] * 2
    assert tuesday == [("key", {"sub": "mailto:a@example.com"})] * 2
