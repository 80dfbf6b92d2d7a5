"""Group ``answers``: what the sender makes of an answer, and of none."""

import asyncio
from contextlib import suppress
from itertools import pairwise

from pushlab.conformance.answer import ACCEPTED, Answer, Manner, Plan, always, first
from pushlab.conformance.case import Judgement, failed, not_applicable, passed, warned
from pushlab.conformance.cases.registry import poses
from pushlab.conformance.examination import Examination
from pushlab.conformance.exchange import Exchange
from pushlab.conformance.service import FLOOD
from pushlab.pushservice.flavours import TABLE, Flavour

CLOCKS = 0.05
"""Seconds by which an attempt may come before its time: timers are not exact."""

MANY_ATTEMPTS = 10
"""Attempts for one message. Whoever makes more hammers a push service that is in trouble."""

MEGABYTE = 2**20
GREW = 25 * MEGABYTE
"""Bytes by which the memory may grow while an answer of 50 MB comes."""

NOT_SEEN = "not tried again, and what became of it is not seen"
LIES = "the sender says that the message was accepted"
ONE_TRY = "the command tries once and reports the failure: to try again is up to its caller"


async def answered(exam: Examination, plan: Plan, *, measured: bool = False) -> Exchange:
    """Let the sender send a message that gets planned answers. Raises Unreached if none comes."""
    exchange = await exam.send(plan=plan, measured=measured)
    exam.require(exchange)
    return exchange


async def repeated(exam: Examination, exchange: Exchange) -> bool:
    """Say whether the message comes a second time, although nothing asks for it."""
    if not exam.sender.ends:
        await exchange.message.recipient.wait_for(2, exam.timing.quiet)
    return len(exchange) > 1


# --- success --------------------------------------------------------------------------------------


async def success(exam: Examination, status: int) -> Judgement:
    """Pose an answer that says that the message was accepted."""
    exchange = await answered(exam, first(Answer(status)))
    if await repeated(exam, exchange):
        return failed(f"the message was sent again after {status}", exchange)
    if exchange.said.accepted is False:
        return failed(f"the sender reports a failure ({exchange.said.status})", exchange)
    return passed("one request", exchange)


# --- the subscription is gone ---------------------------------------------------------------------


async def final(exam: Examination, exchange: Exchange, status: int) -> Judgement | None:
    """Judge what is wrong after any answer that nothing changes; None if nothing is."""
    if await repeated(exam, exchange):
        return failed(f"the message was sent again after {status}", exchange)
    if exam.sender.form != "app" and exchange.said.accepted:
        return failed(f"the answer was {status}, and {LIES}", exchange)
    return None


async def gone(exam: Examination, status: int) -> Judgement:
    """Pose an answer that says that the subscription is gone, and look for messages after it."""
    exchange = await answered(exam, always(Answer(status)))
    if (judgement := await final(exam, exchange, status)) is not None:
        return judgement
    if exam.keeper is None:
        return passed(f"{_reported(exam)}not repeated; to remove it is up to its caller", exchange)
    before = len(exchange)
    await exam.notify(exchange)
    await exam.witness()
    if len(exchange) > before:
        return failed(f"a message was sent to it after {status}", exchange)
    return passed("removed: the next message does not come", exchange)


def _reported(exam: Examination) -> str:
    return "reported, and " if exam.sender.reports else ""


# --- the message is refused -----------------------------------------------------------------------


async def refused(exam: Examination, status: int) -> Judgement:
    """Pose an answer that refuses the message, and look whether the subscription is kept."""
    exchange = await answered(exam, first(Answer(status)))
    if (judgement := await final(exam, exchange, status)) is not None:
        return judgement
    if exam.keeper is None:
        return passed(f"{_reported(exam)}not repeated", exchange)
    before = len(exchange)
    await exam.notify(exchange)
    if not await exchange.message.recipient.wait_for(before + 1, exam.timing.arrival):
        return failed(
            f"the subscription was removed after {status}: the next message does not come", exchange
        )
    return passed("not repeated, and the subscription is kept", exchange)


# --- try again ------------------------------------------------------------------------------------


async def tried_again(exam: Examination, answer: Answer, *, pause: float = 0.0) -> Judgement:
    """Pose an answer after which the message is to be sent again, at the earliest after ``pause``."""
    exchange = await answered(exam, first(answer))
    if (judgement := await _one_attempt(exam, exchange, answer)) is not None:
        return judgement
    before, after = exchange.requests[:2]
    gap = after.at - before.answered_at
    if after.at < before.not_before - CLOCKS:
        asked = before.not_before - before.answered_at
        return failed(f"sent again after {gap:.2f} s, and {asked:.1f} s were asked for", exchange)
    if gap < pause:
        return failed(f"sent again after {gap:.2f} s: at once", exchange)
    if len(exchange) > 2:
        return failed(f"sent {len(exchange)} times, and the second was accepted", exchange)
    if exchange.said.accepted is False and exam.sender.ends:
        return failed("the second attempt was accepted, and the sender reports a failure", exchange)
    return passed(f"sent again after {gap:.1f} s", exchange)


async def _one_attempt(exam: Examination, exchange: Exchange, answer: Answer) -> Judgement | None:
    """Judge a sender that makes one attempt; None if it makes another."""
    if not exam.sender.ends:
        seconds = answer.pause + answer.as_date + exam.timing.retry
        await exchange.message.recipient.wait_for(2, seconds)
    if len(exchange) > 1:
        return None
    said = exchange.said
    if exam.keeper is not None:
        if said.accepted is False:
            return warned("reported, and not tried again: the message is lost for its reader", exchange)
        return failed("not tried again: the message is lost", exchange)
    if said.accepted:
        return failed(f"after {answer}, {LIES}", exchange)
    return not_applicable(ONE_TRY if exam.sender.reports else NOT_SEEN, exchange)


@poses("answers.500")
async def server_error(exam: Examination) -> Judgement:
    """Pose a push service that answers 500 for ever."""
    answer = Answer(500)
    exchange = await answered(exam, always(answer))
    if (judgement := await _one_attempt(exam, exchange, answer)) is not None:
        return judgement
    ended = await _until_quiet(exam, exchange)
    times = [arrived.at for arrived in exchange]
    gaps = [after.at - before.answered_at for before, after in pairwise(exchange)]
    seconds = f"{times[-1] - times[0]:.0f} s"
    if len(times) > MANY_ATTEMPTS:
        return failed(f"{len(times)} requests in {seconds}, without an end", exchange)
    if min(gaps) < exam.timing.hasty:
        return failed(f"{len(times)} requests in {seconds}: some without a pause", exchange)
    if exam.sender.ends and exchange.said.accepted:
        return failed(f"500 was the last answer, and {LIES}", exchange)
    if not ended:
        return warned(f"{len(times)} requests in {seconds}, and it had not given up then", exchange)
    return passed(f"{len(times)} requests in {seconds}, and then given up", exchange)


async def _until_quiet(exam: Examination, exchange: Exchange) -> bool:
    """Wait until no more requests come; return False if they come for too long, or too many."""
    if exam.sender.ends:
        return not exchange.said.status.startswith("it had not ended")
    end = exam.clock() + 2 * exam.timing.retry
    while exam.clock() < end and len(exchange) <= MANY_ATTEMPTS:
        # Pauses grow: as long as the last one, and twice that, says nothing yet.
        last = exchange.requests[-1].at - exchange.requests[-2].at
        more = len(exchange) + 1
        if not await exchange.message.recipient.wait_for(more, 3 * last + exam.timing.quiet):
            return True
    return False


# --- no answer, or none that ends -----------------------------------------------------------------


@poses("answers.time-out")
async def time_out(exam: Examination) -> Judgement:
    """Pose a request that is never answered."""
    exchange = await answered(exam, first(Answer(manner=Manner.SILENCE)))
    waited = await _waited(exam, exchange)
    if waited is None:
        return failed(f"it was still waiting after {exam.service.patience:g} s", exchange)
    if len(exchange) == 1 and exchange.said.accepted and exam.sender.ends:
        return failed(f"nothing was answered, and {LIES}", exchange)
    return passed(f"it gave up after {waited:.0f} s", exchange)


@poses("answers.slow-drip")
async def slow_drip(exam: Examination) -> Judgement:
    """Pose an answer of one byte at a time."""
    exchange = await answered(exam, first(Answer(201, manner=Manner.DRIP)))
    waited = await _waited(exam, exchange)
    if waited is None:
        return failed(f"it was still reading after {exam.service.patience:g} s", exchange)
    return passed(f"it stopped reading after {waited:.0f} s", exchange)


async def _waited(exam: Examination, exchange: Exchange) -> float | None:
    """Return for how long the first request waited for its answer; None if that had no end."""
    arrived, patience = exchange.requests[0], exam.service.patience
    with suppress(TimeoutError):
        async with asyncio.timeout(patience + 1):
            await arrived.ended.wait()
    return arrived.waited if 0 < arrived.waited < patience - 0.1 else None


@poses("answers.body-50mb")
async def body_50mb(exam: Examination) -> Judgement:
    """Pose an answer of 50 MB, and measure the sender's memory where that can be done."""
    usual = await answered(exam, first(ACCEPTED), measured=True)
    exchange = await answered(exam, first(Answer(400, manner=Manner.FLOOD)), measured=True)
    await _waited(exam, exchange)
    arrived, said = exchange.requests[0], exchange.said
    if exam.sender.form != "app" and said.accepted:
        return failed(f"the answer was 400, and {LIES}", exchange)
    # What is in the buffers of the two sockets has been sent, and not read.
    if arrived.taken < FLOOD:
        return passed(f"it stopped reading after {arrived.taken / MEGABYTE:.0f} MB", exchange)
    if not said.memory or not usual.said.memory:
        return warned("it read all 50 MB; its memory was not measured", exchange)
    grew = said.memory - usual.said.memory
    if grew > GREW:
        return failed(f"it read all 50 MB, and its memory grew by {grew / MEGABYTE:.0f} MB", exchange)
    return passed(
        f"it read all 50 MB, and its memory grew by {max(grew, 0) / MEGABYTE:.0f} MB", exchange
    )


@poses("answers.garbage")
async def garbage(exam: Examination) -> Judgement:
    """Pose bytes that are no answer."""
    exchange = await answered(exam, first(Answer(manner=Manner.GARBAGE)))
    if len(exchange) == 1 and exchange.said.accepted and exam.sender.reports:
        return failed(f"what came is not an answer, and {LIES}", exchange)
    return passed("reported as a failure" if len(exchange) == 1 else "tried again", exchange)


# --- redirects ------------------------------------------------------------------------------------


async def redirected(exam: Examination, status: int) -> Judgement:
    """Pose a redirect, and look whether anything comes where it leads."""
    elsewhere = exam.service.recipient(plan=always(ACCEPTED))
    location = elsewhere.origin + elsewhere.path
    exchange = await answered(exam, always(Answer(status, {"Location": location})))
    if not exam.sender.ends:
        await elsewhere.wait_for(1, min(1, exam.timing.quiet))
    visits = [stray.method for stray in exam.service.strays if stray.url.endswith(elsewhere.path)]
    if elsewhere.arrived or visits:
        return failed(f"followed, with {(visits or ['POST'])[0]}", exchange)
    if exchange.said.accepted and exam.sender.reports:
        return failed(f"not followed, and {LIES}", exchange)
    return passed("not followed", exchange)


# --- the words of the vendors ---------------------------------------------------------------------

FLAVOURS = {
    "mozilla": ("wrong-key", Flavour.MOZILLA, ("public key mismatch",)),
    "fcm": ("wrong-key", Flavour.FCM, ("do not correspond",)),
    "apple": ("bad-token", Flavour.APPLE, ("BadJwtToken",)),
    "wns": ("missing-ttl", Flavour.WNS, ("conflicts with X-WNS-Cache-Policy",)),
}
"""The fault whose answer is given, and the words that must be seen again."""


async def flavour(exam: Examination, name: str) -> Judgement:
    """Pose a vendor's refusal, and look for its words in what the sender says."""
    if exam.sender.form == "by hand":
        return not_applicable("what the sender says is not seen")
    code, vendor, words = FLAVOURS[name]
    known = TABLE[code][vendor]
    exchange = await answered(exam, first(Answer(known.status, known.headers, known.body or b"")))
    said = exchange.said
    if any(word.lower() in said.text.lower() for word in words):
        return passed(f"it passes on “{words[0]}”", exchange)
    if exam.sender.form != "app" and said.accepted:
        return failed(f"the answer was {known.status}, and {LIES}", exchange)
    if exam.sender.form == "app":
        return warned("the reason is not in its reply; its log is not seen from here", exchange)
    if str(known.status) in said.text:
        return warned(f"it says {known.status}, and not why", exchange)
    return failed("the reason is lost", exchange)


# --- the table of answers -------------------------------------------------------------------------

for _status in (201, 200, 202):

    @poses(f"answers.{_status}")
    async def _success(exam: Examination, status: int = _status) -> Judgement:
        return await success(exam, status)


for _status in (404, 410):

    @poses(f"answers.{_status}")
    async def _gone(exam: Examination, status: int = _status) -> Judgement:
        return await gone(exam, status)


for _status in (400, 401, 403, 413):

    @poses(f"answers.{_status}")
    async def _refused(exam: Examination, status: int = _status) -> Judgement:
        return await refused(exam, status)


for _status in (429, 503):

    @poses(f"answers.{_status}-seconds")
    async def _seconds(exam: Examination, status: int = _status) -> Judgement:
        return await tried_again(exam, Answer(status, pause=exam.timing.pause))

    @poses(f"answers.{_status}-date")
    async def _date(exam: Examination, status: int = _status) -> Judgement:
        return await tried_again(exam, Answer(status, pause=exam.timing.pause, as_date=True))

    @poses(f"answers.{_status}-bare")
    async def _bare(exam: Examination, status: int = _status) -> Judgement:
        return await tried_again(exam, Answer(status), pause=exam.timing.hasty)


@poses("answers.502")
async def bad_gateway(exam: Examination) -> Judgement:
    """Pose 502 once."""
    return await tried_again(exam, Answer(502), pause=exam.timing.hasty)


@poses("answers.reset")
async def reset(exam: Examination) -> Judgement:
    """Pose a connection that is reset after the request."""
    return await tried_again(exam, Answer(manner=Manner.RESET))


@poses("answers.hang-up")
async def hang_up(exam: Examination) -> Judgement:
    """Pose a connection that is closed without an answer."""
    return await tried_again(exam, Answer(manner=Manner.HANG_UP))


for _status in (301, 307):

    @poses(f"answers.{_status}")
    async def _redirected(exam: Examination, status: int = _status) -> Judgement:
        return await redirected(exam, status)


for _name in FLAVOURS:

    @poses(f"answers.flavour-{_name}")
    async def _flavour(exam: Examination, name: str = _name) -> Judgement:
        return await flavour(exam, name)
