"""Group ``many``: one message to many subscriptions, for apps."""

import asyncio

from pushlab.conformance.answer import ACCEPTED, Answer, Manner, Plan, always
from pushlab.conformance.case import Judgement, failed, not_applicable, not_reached, passed
from pushlab.conformance.cases.registry import poses
from pushlab.conformance.examination import PAYLOAD, Examination, Unreached
from pushlab.conformance.exchange import Exchange, Message, SenderReport
from pushlab.conformance.recipients import Recipient

TEN, TWENTY = 10, 20
MOST_CONNECTIONS = 500
"""Connections to one push service at a time."""

NO_APP = "it sends one message at a time; to send many is up to its caller"
NO_ROUTE = "it has no route that sends to all: name one with --send-all"


async def subscribed(
    exam: Examination, count: int, plan: Plan, *, in_order: bool = False
) -> list[Recipient]:
    """Give the app some subscriptions. Raises Unreached.

    ``in_order``: one after the other, so that the app stores them as they are returned.
    """
    assert exam.keeper is not None
    keeper = exam.keeper
    found = [exam.service.recipient(key=exam.key, plan=plan) for _ in range(count)]
    waiting, refused = iter(found), list[SenderReport]()

    async def subscribe_some() -> None:
        for recipient in waiting:
            said = await keeper.subscribe(recipient)
            if not said.accepted:
                refused.append(said)
            if refused:
                return

    at_once = 1 if in_order else min(count, exam.sender.at_once)
    await asyncio.gather(*(subscribe_some() for _ in range(at_once)))
    if refused:
        raise Unreached(f"the app refuses a subscription: {refused[0].fault or refused[0].status}")
    return found


async def notify_all(exam: Examination, recipient: Recipient) -> asyncio.Task[SenderReport]:
    """Begin to send to all, and return the task that waits for the app's reply."""
    assert exam.keeper is not None
    return asyncio.create_task(exam.keeper.notify_all(Message(recipient, PAYLOAD)))


async def arrivals(recipients: list[Recipient], seconds: float) -> list[Recipient]:
    """Wait until each has a message, for at most ``seconds`` in all; return those that have none."""
    came = await asyncio.gather(*(recipient.wait_for(1, seconds) for recipient in recipients))
    return [recipient for recipient, has in zip(recipients, came, strict=True) if not has]


def inapplicable(exam: Examination) -> Judgement | None:
    """Return why a sender is not asked to send to many; None if it is."""
    if exam.keeper is None:
        return not_applicable(NO_APP)
    return None if exam.keeper.has_notify_all else not_applicable(NO_ROUTE)


async def one_of_ten(exam: Examination, plan: Plan, what: str) -> Judgement:
    """Pose ten subscriptions, of which one in the middle has another answer."""
    if (judgement := inapplicable(exam)) is not None:
        return judgement
    # An app that stops at the odd one must have others behind it.
    recipients = await subscribed(exam, TEN, always(ACCEPTED), in_order=True)
    odd = recipients.pop(TEN // 2)
    odd.plan = plan
    reply = await notify_all(exam, odd)
    try:
        late = await arrivals(recipients, exam.timing.arrival)
        await odd.wait_for(1, exam.timing.arrival)
    finally:
        reply.cancel()
    exchange = Exchange(Message(odd, PAYLOAD), SenderReport())
    if late:
        within = f"within {exam.timing.arrival:g} s"
        return failed(f"{len(late)} of the other {TEN - 1} had no message {within}: {what}", exchange)
    if not odd.arrived:
        return not_reached("nothing was sent to the one", exchange)
    return passed(f"the other {TEN - 1} have it", exchange)


@poses("many.one-dead")
async def one_dead(exam: Examination) -> Judgement:
    """Pose a subscription that is gone."""
    return await one_of_ten(exam, always(Answer(410)), "one endpoint answers 410")


@poses("many.one-slow")
async def one_slow(exam: Examination) -> Judgement:
    """Pose a push service that does not answer."""
    plan = always(Answer(manner=Manner.SILENCE))
    return await one_of_ten(exam, plan, "one endpoint does not answer")


@poses("many.one-refused")
async def one_refused(exam: Examination) -> Judgement:
    """Pose a push service that closes each connection."""
    plan = always(Answer(manner=Manner.RESET))
    return await one_of_ten(exam, plan, "one endpoint resets each connection")


async def each_once_of(exam: Examination, count: int, seconds: float) -> Judgement:
    """Pose many subscriptions, each of which is to get one message."""
    if (judgement := inapplicable(exam)) is not None:
        return judgement
    began = exam.clock()
    recipients = await subscribed(exam, count, always(ACCEPTED))
    before = exam.service.most_connections = exam.service.connections
    sending = exam.clock()
    reply = await notify_all(exam, recipients[0])
    try:
        missing = await arrivals(recipients, seconds)
        took = exam.clock() - sending
        if not missing:  # An app that is through has sent all that it sends.
            await asyncio.wait({reply}, timeout=exam.timing.arrival)
        await asyncio.sleep(min(1.0, exam.timing.quiet))
    finally:
        reply.cancel()
    exchange = Exchange(Message(recipients[0], PAYLOAD), SenderReport())
    most = exam.service.most_connections - before
    if missing:
        return failed(f"{len(missing)} of {count} had no message within {seconds:g} s", exchange)
    if twice := sum(len(recipient.arrived) > 1 for recipient in recipients):
        return failed(f"{twice} of {count} got it more than once", exchange)
    if most > MOST_CONNECTIONS:
        return failed(f"{most} new connections at a time, for {count} subscriptions", exchange)
    return passed(
        f"{count} subscriptions in {sending - began:.1f} s, one message to each in {took:.1f} s, "
        f"at most {most} new connections at a time",
        exchange,
    )


@poses("many.each-once")
async def each_once(exam: Examination) -> Judgement:
    """Pose twenty subscriptions."""
    return await each_once_of(exam, TWENTY, 2 * exam.timing.arrival)


@poses("many.two-thousand")
async def two_thousand(exam: Examination) -> Judgement:
    """Pose 2,000 subscriptions."""
    return await each_once_of(exam, exam.timing.subscribers, exam.timing.case / 2)
