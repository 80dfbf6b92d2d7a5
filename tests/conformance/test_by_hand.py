"""Messages that a person sends: what is printed, what is skipped, and when no more are asked for."""

import asyncio
import io
import json
import queue
import urllib.request
from pathlib import Path

from pushlab.conformance.answer import ACCEPTED, always
from pushlab.conformance.examination import Examination, Timing
from pushlab.conformance.senders.by_hand import MAX_SHOWN, ByHand
from pushlab.conformance.service import ExaminationService

from .conftest import examined


class Person:
    """Somebody who reads what is printed, and may send what is asked for."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def __call__(self, text: str) -> None:
        self.said.append(text)


def test_a_message_that_comes_is_judged(run):
    async def scenario():
        person = Person()
        service = ExaminationService(None)
        await service.start()
        sender = ByHand(person, None, limit=20)
        exam = Examination(sender, service, timing=Timing())
        await sender.open()
        try:
            asking = asyncio.create_task(exam.send(b"x" * (MAX_SHOWN + 1), plan=always(ACCEPTED)))
            while not person.said:
                await asyncio.sleep(0.01)
            lines = person.said[0].splitlines()
            endpoint = json.loads(lines[2])["endpoint"]
            path = lines[3].rpartition(" ")[2]
            assert await asyncio.to_thread(Path(path).read_bytes) == b"x" * (MAX_SHOWN + 1)
            await asyncio.to_thread(urllib.request.urlopen, endpoint, b"body")
            exchange = await asking
            assert [arrived.body for arrived in exchange] == [b"body"]
            assert exchange.said.accepted is None, "nobody knows what the sender says of it"
        finally:
            await exam.close()
            await sender.close()
            await service.stop()

    run(scenario())


def test_an_empty_line_skips_a_message(run):
    class Unwilling(Person):
        """Presses Enter whenever something is asked for."""

        def __init__(self) -> None:
            super().__init__()
            self.lines: queue.SimpleQueue[str] = queue.SimpleQueue()

        def __call__(self, text: str) -> None:
            super().__call__(text)
            self.lines.put("\n")

    person = Unwilling()
    typed = iter(person.lines.get, "")
    results = run(examined(ByHand(person, typed), "bytes.ascii", "token.k"))
    person.lines.put("")
    assert {result.why for result in results.values()} == {"it was skipped"}


def test_after_two_that_did_not_come_no_more_are_asked_for(run):
    person = Person()
    sender = ByHand(person, io.StringIO(), limit=0.1)
    results = run(examined(sender, "bytes", timing=Timing()))
    assert {result.verdict for result in results.values()} == {"not-reached"}
    assert len(person.said) == 1, "all cases need the first message"
