"""A sender that has sent too much: Windows' service drops messages with 406, others answer 429.

Time is virtual. The push service takes some messages, and then none for as long as it says.
"""

import asyncio

import pytest

from pushlab.appserver.broadcast.origin_queue import MANY, PROBES_PER_SECOND
from pushlab.appserver.broadcast.sender import BroadcastSender
from pushlab.appserver.delivery.response import PushResponse
from pushlab.appserver.delivery.sender import Sender
from pushlab.appserver.keys import VapidKeys
from pushlab.protocol.delivery import PushOptions

from ..virtual_time import run
from .test_any_mix import Request, filled

RECIPIENTS, TAKEN, LATENCY = 600, 50, 0.1


class Throttling:
    """A push service that takes TAKEN messages, then refuses for ``lasts`` seconds."""

    def __init__(self, refusal: PushResponse, lasts: float):
        self.refusal, self.lasts = refusal, lasts
        self.times: list[float] = []
        self.since: float | None = None

    def agree(self, subscription): ...

    def prepare(self, stored, payload, options, log, agreed) -> Request:
        return Request(stored, options)

    def send(self, request: Request) -> asyncio.Future:
        return asyncio.ensure_future(self.answer())

    async def answer(self) -> PushResponse:
        loop = asyncio.get_running_loop()
        self.times.append(loop.time())
        number = len(self.times)
        await asyncio.sleep(LATENCY)
        if number <= TAKEN or (self.since is not None and loop.time() >= self.since + self.lasts):
            return PushResponse(201)
        self.since = loop.time() if self.since is None else self.since
        return self.refusal

    async def close(self) -> None:
        pass


def sent_to_all(service: Throttling):
    """Send to everybody; return the counts, and how many seconds it took."""
    keys = VapidKeys.from_raw(bytes(31) + b"\1")
    endpoint = "https://wns2.notify.windows.com/w/?token="
    store = filled(keys, [f"{endpoint}{number}" for number in range(RECIPIENTS)])

    async def scenario():
        sender = Sender(keys, store, service, clock=lambda: 0.0, chance=lambda: 0.0)
        everybody = BroadcastSender(sender)
        counts = await everybody.send_all(b"Hello", PushOptions())
        await everybody.close()
        await sender.close()
        return counts, asyncio.get_running_loop().time()

    try:
        return run(scenario())
    finally:
        store.close()


def wns(word: str, seconds: str | None = None) -> PushResponse:
    pause = (("Retry-After", seconds),) if seconds else ()
    return PushResponse(406, (("X-WNS-NotificationStatus", word), *pause))


@pytest.mark.parametrize(
    "refusal",
    [wns("appthrottled", "30"), wns("dropped", "5"), wns("dropped"), wns("appthrottled", "3600")],
    ids=["a while", "5 s", "no time", "an hour"],
)
def test_the_pace_drops_when_messages_are_dropped(refusal):
    service = Throttling(refusal, lasts=1e9)
    counts, seconds = sent_to_all(service)
    at_first = sum(time < 1 for time in service.times)
    assert at_first <= TAKEN + 2 * MANY, "the pace has not dropped"
    later = len(service.times) - at_first
    assert later <= PROBES_PER_SECOND * (seconds + 1)
    assert (counts.accepted, counts.failed) == (TAKEN, RECIPIENTS - TAKEN)
    assert counts.not_sent >= RECIPIENTS - len(service.times) > 0, "the rest waits for a resumption"


def test_who_is_not_throttled_any_more_is_sent_to():
    service = Throttling(wns("appthrottled", "3"), lasts=3)
    counts, seconds = sent_to_all(service)
    assert seconds >= 3 and counts.accepted > RECIPIENTS / 2 and counts.not_sent == 0


def test_one_recipient_s_channel_says_nothing_of_others():
    service = Throttling(wns("channelthrottled", "30"), lasts=0.05)
    counts, seconds = sent_to_all(service)
    assert seconds < 5 and counts.accepted > RECIPIENTS - 3 * MANY
