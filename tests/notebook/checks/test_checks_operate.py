"""The check of lesson 09's times, as ints and as floats, and the incidents of its three days.

What natural mistakes are told is in ``test_natural_mistakes``.
"""

import asyncio

import pytest

from pushlab.notebook.checks import operate as checks
from pushlab.pushservice.app import PushService

from ..exercises import exercises


def test_a_time_may_be_an_int_or_a_float():
    (again,) = exercises()["operate.again"].answers

    def in_floats(*given):
        return None if (at := again(*given)) is None else float(at)

    assert repr(checks.again(in_floats)) == repr(checks.again(again))


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
