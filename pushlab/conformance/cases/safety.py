"""Group ``safety``: what an app takes from strangers.

Nothing is ever sent to an address that is not this machine's: the answer to such a subscription
decides, and what was taken is removed again. At this machine there is a trap, a port of the
examination that no request may reach.
"""

from typing import Any

from pushlab.conformance.answer import ACCEPTED, Answer, Plan, always
from pushlab.conformance.case import Judgement, Verdict, failed, not_applicable, passed, warned
from pushlab.conformance.cases.many import notify_all, subscribed
from pushlab.conformance.cases.registry import poses
from pushlab.conformance.examination import PAYLOAD, Examination, Unreached
from pushlab.conformance.exchange import Exchange, Message, SenderReport
from pushlab.conformance.recipients import Recipient
from pushlab.protocol.origin import origin_of

NO_APP = "it takes no subscriptions from strangers"

REFUSED = "refused"

FOREIGN = "https://foreign.example"


async def taken_at(exam: Examination, endpoints: list[str]) -> list[dict[str, Any]]:
    """Subscribe with these endpoints; return the subscriptions that the app takes. Raises Unreached."""
    assert exam.keeper is not None
    taken = []
    for endpoint in endpoints:
        subscription = exam.service.recipient(key=exam.key).subscription.to_json()
        subscription["endpoint"] = endpoint
        said = await exam.keeper.subscribe_with(subscription)
        if said.fault and not said.status:
            raise Unreached(said.fault)
        if said.accepted:
            taken.append(subscription)
    return taken


async def forget(exam: Examination, taken: list[dict[str, Any]]) -> str:
    """Let the app remove what it should not have taken, and return where that was."""
    assert exam.keeper is not None
    for subscription in taken:
        await exam.keeper.unsubscribe_with(subscription)
    return ", ".join(origin_of(subscription["endpoint"]) for subscription in taken)


async def trapped(exam: Examination, endpoints: list[str]) -> Judgement:
    """Pose endpoints at the trap: they must be refused, or never sent to."""
    if exam.keeper is None:
        return not_applicable(NO_APP)
    taken = await taken_at(exam, endpoints)
    if not taken:
        return passed(REFUSED)
    before = exam.service.trapped
    for subscription in taken:
        await exam.keeper.notify_at(subscription)
    await exam.witness()
    where = await forget(exam, taken)
    if exam.service.trapped > before:
        return failed(f"it connected to {where}")
    return passed(f"taken, and not connected to: {where}")


@poses("safety.endpoint-http")
async def endpoint_http(exam: Examination) -> Judgement:
    """Pose plain http."""
    port = exam.service.trap_port
    return await trapped(exam, [f"http://localhost:{port}/wpush/http"])


async def loopback(exam: Examination) -> Judgement:
    """Pose this machine's own addresses, as three texts; once for all cases that ask."""
    hosts = ("127.0.0.1", "2130706433", "[::1]")
    endpoints = [f"https://{host}:{exam.service.trap_port}/wpush/loopback" for host in hosts]
    return await exam.shared("loopback", lambda: trapped(exam, endpoints))


@poses("safety.endpoint-loopback")
async def endpoint_loopback(exam: Examination) -> Judgement:
    """Pose this machine's own addresses."""
    return await loopback(exam)


async def far(exam: Examination, hosts: list[str]) -> Judgement:
    """Pose endpoints at addresses to which nothing may be sent, and nothing is."""
    if exam.keeper is None:
        return not_applicable(NO_APP)
    near = await loopback(exam)
    taken = await taken_at(exam, [f"https://{host}/wpush/far" for host in hosts])
    where = await forget(exam, taken)
    if not taken:
        return passed(REFUSED)
    if near.verdict is Verdict.PASS and near.why != REFUSED:
        return not_applicable(
            f"{where} taken, and nothing was sent there to try it: this app judges an address when it "
            "connects, and did not connect to this machine's own"
        )
    return warned(f"{where} taken; nothing was sent there to try it")


@poses("safety.endpoint-private")
async def endpoint_private(exam: Examination) -> Judgement:
    """Pose private addresses."""
    return await far(exam, ["10.0.0.1", "192.168.0.1", "[fd00::1]"])


@poses("safety.endpoint-link-local")
async def endpoint_link_local(exam: Examination) -> Judgement:
    """Pose a link-local address, where clouds have their metadata."""
    return await far(exam, ["169.254.169.254"])


@poses("safety.endpoint-redirect")
async def endpoint_redirect(exam: Examination) -> Judgement:
    """Pose redirects to the trap."""
    if exam.keeper is None:
        return not_applicable(NO_APP)
    location = f"http://127.0.0.1:{exam.service.trap_port}/"
    before = exam.service.trapped
    exchange = None
    for status in (302, 307):
        plan = always(Answer(status, {"Location": location}))
        exchange = exam.require(await exam.send(plan=plan))
    await exam.witness()
    if exam.service.trapped > before:
        return failed("it followed the redirect, and connected to this machine", exchange)
    return passed("not followed", exchange)


@poses("safety.same-endpoint-twice")
async def same_endpoint_twice(exam: Examination) -> Judgement:
    """Pose one subscription two times."""
    if exam.keeper is None:
        return not_applicable(NO_APP)
    (recipient,) = await subscribed(exam, 1, always(ACCEPTED))
    again = await exam.keeper.subscribe(recipient)
    exchange = await _notified(exam, recipient)
    if len(exchange) > 1:
        return failed(f"it got {len(exchange)} messages", exchange)
    if not exchange.requests:
        return failed("it got no message", exchange)
    return passed(f"one message; the second subscription was answered {again.status}", exchange)


async def _notified(exam: Examination, recipient: Recipient) -> Exchange:
    """Let the app send to one, by the route that reaches all if there is one, and wait for it.

    Raises Unreached if such a message reaches nobody, whatever has been posted before.
    """
    exchange = Exchange(Message(recipient, PAYLOAD), SenderReport())
    if exam.keeper is not None and exam.keeper.has_notify_all:
        (control,) = await subscribed(exam, 1, always(ACCEPTED))
        reply = await notify_all(exam, control)
        try:
            if not await control.wait_for(1, exam.timing.arrival):
                raise Unreached("one message to all reaches nobody: see many.each-once")
            await recipient.wait_for(1, exam.timing.arrival)
            await exam.witness()
        finally:
            reply.cancel()
    else:
        await exam.notify(exchange)
        await recipient.wait_for(1, exam.timing.arrival)
        await exam.witness()
    return exchange


def junk(recipient: Recipient) -> dict[str, object]:
    """Return what is not a subscription, by a name for each. Bytes stand for a body that is not JSON."""
    good = recipient.subscription.to_json()
    keys = good["keys"]
    return {
        "null": None,
        "a number": 8030,
        "an empty object": {},
        "an array": [good],
        "endpoint a number": good | {"endpoint": 8030},
        "endpoint a path": good | {"endpoint": "/wpush/v2/x"},
        "endpoint javascript:": good | {"endpoint": "javascript:alert(1)"},
        "p256dh too short": good | {"keys": keys | {"p256dh": keys["p256dh"][:40]}},
        "p256dh no point": good | {"keys": keys | {"p256dh": "B" + "A" * 86}},
        "auth too short": good | {"keys": keys | {"auth": "AAAA"}},
        "keys a text": good | {"keys": "p256dh"},
        "1 MB": good | {"endpoint": good["endpoint"] + "x" * 2**20},
        "no JSON": b"{endpoint: 'https",
        "no UTF-8": b'{"endpoint": "\xff\xfe"}',
        "nothing": b"",
    }


@poses("safety.junk-subscriptions")
async def junk_subscriptions(exam: Examination) -> Judgement:
    """Pose junk, and then look whether sending still works."""
    if exam.keeper is None:
        return not_applicable(NO_APP)
    (recipient,) = await subscribed(exam, 1, always(ACCEPTED))
    wrong = []
    for name, value in junk(exam.service.recipient()).items():
        if isinstance(value, bytes):
            said = await exam.keeper.subscribe_raw(value)
        else:
            said = await exam.keeper.subscribe_with(value)
        code = said.status.removeprefix("HTTP ")[:3]
        # Whoever is sent 1 MB may close the connection before all of it has come.
        if not code.startswith("4") and not (said.fault and name == "1 MB"):
            wrong.append(f"{name}: {code or said.fault}")
    exchange = await _notified(exam, recipient)
    if not exchange.requests:
        return failed("after the junk, a good subscription gets no message any more", exchange)
    if wrong:
        return failed(f"not answered with 4xx: {'; '.join(wrong)}", exchange)
    return passed("each is answered 4xx, and sending still works", exchange)


@poses("safety.foreign-origin")
async def foreign_origin(exam: Examination) -> Judgement:
    """Pose what a page of another site can post without asking: text, with its own Origin."""
    app = exam.keeper
    if app is None:
        return not_applicable(NO_APP)
    headers = {"Origin": FOREIGN, "Sec-Fetch-Site": "cross-site", "Content-Type": "text/plain"}
    (mine,) = await subscribed(exam, 1, always(ACCEPTED))
    theirs = exam.service.recipient(key=exam.key, plan=always(ACCEPTED))
    said = await app.subscribe_with(theirs.subscription.to_json(), headers)
    message = Message(mine, PAYLOAD)
    await app.notify(mine, message, headers)
    await exam.witness()
    exchange = Exchange(message, SenderReport())
    if mine.arrived:
        return failed(f"a page of {FOREIGN} made it send a message", exchange)
    if said.accepted:
        return failed(f"a page of {FOREIGN} subscribed: {said.status}", exchange)
    return passed(f"refused: {said.status or said.fault}", exchange)


def removals(recipient: Recipient) -> list[dict[str, Any]]:
    """Return what somebody may post who does not know the endpoint."""
    endpoint = recipient.subscription.endpoint
    wanted = ["", "%", "*", recipient.origin, endpoint[:-8], endpoint[:-8] + "%", None, {"$ne": None}]
    return [{"endpoint": one} for one in wanted]


@poses("safety.foreign-removal")
async def foreign_removal(exam: Examination) -> Judgement:
    """Pose removals by somebody who does not know the endpoint."""
    if exam.keeper is None:
        return not_applicable(NO_APP)
    if not exam.keeper.removes:
        return not_applicable("it has no route that removes: name one with --unsubscribe")
    (recipient,) = await subscribed(exam, 1, Plan(then=ACCEPTED))
    for value in removals(recipient):
        await exam.keeper.unsubscribe_with(value)
    exchange = await _notified(exam, recipient)
    if not exchange.requests:
        return failed("somebody who does not know the endpoint removed the subscription", exchange)
    return passed("the subscription still gets messages", exchange)
