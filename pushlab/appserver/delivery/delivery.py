"""One message on its way to one subscription, from the first attempt to what came of it.

    begin() ── answer ──▶ judge() ── accepted, gone, refused ──▶ the outcome
                            │
                            ╰── retry ──▶ see_through(): a pause, an attempt, and judge again

Most messages need one attempt, and then there is no coroutine and no task: the attempt is a future,
and a callback judges its answer. Who is asked to come back later gets a task to wait in.

429, 5xx and network faults are tried again, as late as Retry-After says and with ever longer
pauses, up to a number of attempts and a total time.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from urllib.parse import urlsplit

from pushlab.appserver.broadcast.congestion import RETRY_DEADLINE, OriginQueue
from pushlab.appserver.delivery.client import PushClient, Story
from pushlab.appserver.delivery.response import Response
from pushlab.appserver.explain.outcome import Outcome, explain, seconds_of
from pushlab.appserver.store import StoredSubscription
from pushlab.errors import LabStopped, PushlabError
from pushlab.protocol.delivery import PushOptions

ATTEMPTS = 4
"""Requests for one message, the first included."""

FIRST_PAUSE = 0.5
"""Seconds. Each pause is twice the one before, less a random part that is at most half of it."""


@dataclass
class Means:
    """What a message takes to be seen through.

    ``clock`` gives seconds since 1970, ``sleep`` waits for seconds, ``chance`` gives numbers from 0
    to 1.
    """

    client: PushClient
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random


class Message:
    """One message to ``stored``, ready to be sent.

    ``payload``: plaintext or None; ``queue`` learns from its answers.
    """

    __slots__ = ("stored", "queue", "_means", "_story", "_attempt", "_began")

    def __init__(
        self,
        means: Means,
        stored: StoredSubscription,
        payload: bytes | None,
        options: PushOptions,
        story: Story,
        queue: OriginQueue,
    ):
        self.stored, self.queue = stored, queue
        self._means, self._story = means, story
        self._began = asyncio.get_running_loop().time()
        try:
            self._attempt = means.client.prepare(stored, payload, options, story)
        except PushlabError as error:
            self._attempt = partial(_fail, error)

    async def send(self) -> Outcome:
        """Send it, and return what came of it after the last attempt. Raises LabStopped."""
        return await self.see_through(await self._ended(self.begin(), 1))

    def begin(self) -> asyncio.Future[Response]:
        """Begin an attempt. What could not be made ready fails now."""
        return asyncio.ensure_future(self._attempt())

    def judge(self, attempt: asyncio.Future[Response], number: int = 1) -> Outcome:
        """Say what the answer of an attempt means, and let the queue learn from it.

        One message that cannot be sent must not keep the others from being sent, so what fails is
        an Outcome too. Raises LabStopped.
        """
        try:
            answer = attempt.result()
        except LabStopped:
            raise
        except PushlabError as error:
            return explain(error)
        outcome = explain(answer, Secrets(self.stored.subscription.endpoint), number)
        now = asyncio.get_running_loop().time()
        if outcome.kind == "retry":
            self.queue.refused(now)
        else:
            self.queue.answered(now)
        return outcome

    async def see_through(self, outcome: Outcome) -> Outcome:
        """Try again what may succeed later, and return what came of it. Raises LabStopped."""
        now = asyncio.get_running_loop().time
        number = 1
        while outcome.kind == "retry":
            asked = seconds_of(outcome.retry_after, self._means.clock()) or 0.0
            pause = FIRST_PAUSE * 2 ** (number - 1) * (1 - self._means.chance() / 2)
            pause = max(asked, pause)
            if number == ATTEMPTS or now() + pause > self._began + RETRY_DEADLINE:
                self.queue.given_up(now(), asked)
                times = "once" if number == 1 else f"{number} times"
                return replace(outcome, text=f"{outcome.text} Tried {times}, then given up.")
            self._story.step("try again", self.stored.display_name, seconds=round(pause, 1))
            with self.queue.backoff() if asked else nullcontext():
                await self._means.sleep(pause)
            number += 1
            outcome = await self._ended(self.begin(), number)
        return outcome

    async def _ended(self, attempt: asyncio.Future[Response], number: int) -> Outcome:
        try:
            await asyncio.wait([attempt])
        except asyncio.CancelledError:
            # It may have ended in this very moment, with an exception that nobody looks at now.
            if not attempt.cancel() and not attempt.cancelled():
                attempt.exception()
            raise
        return self.judge(attempt, number)


async def _fail(error: PushlabError) -> Response:
    raise error


class Secrets:
    """What must not be shown of an endpoint: all of it, its path, the end of its path.

    It is worked out when something is to be shown, which of most answers nothing is.

    >>> list(Secrets("https://push.example.net/v2/JzLQ3raZ"))
    ['https://push.example.net/v2/JzLQ3raZ', '/v2/JzLQ3raZ', 'JzLQ3raZ']
    """

    def __init__(self, endpoint: str):
        self._endpoint = endpoint

    def __iter__(self) -> Iterator[str]:
        url = urlsplit(self._endpoint)
        paths = [f"{url.path}?{url.query}", url.path] if url.query else [url.path]
        parts = [part for path in paths for part in (path, path.rsplit("/", 1)[-1])]
        yield self._endpoint
        # A shorter part is a word, such as "push", and would be found in any sentence.
        yield from (part for part in parts if len(part) >= 8)
