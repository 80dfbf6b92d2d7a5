"""The routes for tests of senders: subscriptions, what arrived, and planned answers, over HTTP."""

import asyncio
import base64
import json
import time
from dataclasses import replace

import pytest
from tornado.httpclient import HTTPRequest

from pushlab.errors import BadArgument
from pushlab.protocol import base64url
from pushlab.protocol.subscription import PushSubscription
from pushlab.pushservice import receivers
from pushlab.pushservice.app import PushService
from pushlab.pushservice.mailbox import Change
from pushlab.pushservice.store import Store
from pushlab.settings import patience

from .conftest import fetch


class ControlClient:
    """What a test in another language does: JSON over HTTP."""

    def __init__(self, bench):
        self.url = f"{bench.service.origin}/test"

    async def post(self, path: str, value: object = None, **headers) -> tuple[int, dict]:
        body = b"" if value is None else json.dumps(value)
        response = await fetch(HTTPRequest(f"{self.url}/{path}", "POST", headers, body))
        return response.code, json.loads(response.body)

    async def get(self, path: str, **headers) -> tuple[int, dict]:
        request = HTTPRequest(f"{self.url}/{path}", headers=headers, request_timeout=patience(120))
        response = await fetch(request)
        return response.code, json.loads(response.body)

    async def subscribe(self, **members) -> tuple[str, PushSubscription]:
        status, made = await self.post("subscribe", members)
        assert status == 201 and set(made) == {"id", "subscription"}, made
        return made["id"], PushSubscription.from_json(made["subscription"])

    async def messages(self, id: str, query: str = "") -> list[dict]:
        status, answer = await self.get(f"messages/{id}{query}")
        assert status == 200 and set(answer) == {"messages"}, answer
        return answer["messages"]


def test_what_is_sent_is_what_arrives(bench):
    async def scenario(bench):
        control, sender = ControlClient(bench), bench.sender()
        id, subscription = await control.subscribe()
        assert await control.messages(id, "?count=0") == []
        waiting = asyncio.create_task(control.messages(id, "?count=2&timeout=60"))
        for text, options in (("Grüße 🎉".encode(), {"ttl": 60, "topic": "t"}), (b"\xff\0", {"ttl": 0})):
            assert (await sender.send(subscription, text, urgency="high", **options)).code == 201
        first, second = await waiting
        assert first == {"text": "Grüße 🎉", "ttl": 60, "urgency": "high", "topic": "t"}
        assert second.pop("base64") == base64.b64encode(b"\xff\0").decode()
        assert second == {"ttl": 0, "urgency": "high", "topic": None}
        assert (await sender.send(subscription, None, ttl=1)).code == 201
        assert (await sender.send(subscription, b"", ttl=1)).code == 201
        assert [one["text"] for one in (await control.messages(id, "?count=4"))[2:]] == [None, ""]
        assert bench.queue() == 0, "all are acknowledged"
        began = time.monotonic()
        assert len(await control.messages(id, "?count=5&timeout=0.1")) == 4
        assert time.monotonic() - began >= 0.1

    bench(scenario, control=True)


def test_what_cannot_be_decrypted_is_told_and_not_dropped(bench, http):
    async def scenario(bench):
        control, sender = ControlClient(bench), bench.sender()
        id, subscription = await control.subscribe()
        spoiled = sender.request(subscription, b"hello", ttl=9)
        spoiled.body = spoiled.body[:-1] + bytes([spoiled.body[-1] ^ 1])
        assert (await http(spoiled)).code == 201
        (message,) = await control.messages(id)
        assert message["error"]["id"] and message["error"]["message"] and message["ttl"] == 9
        assert "text" not in message and "base64" not in message
        bench.service.flavour = "mozilla"
        old = HTTPRequest(subscription.endpoint, "POST", dict(spoiled.headers), b"x" * 40)
        old.headers |= {
            "Content-Encoding": "aesgcm",
            "Encryption": f"salt={'A' * 22}",
            "Crypto-Key": f"dh={base64url.encode(sender.key)}",
        }
        assert (await http(old)).code == 201
        assert "aesgcm" in (await control.messages(id, "?count=2"))[1]["error"]["message"]

    bench(scenario, control=True)


def test_a_key_restricts_the_subscription_and_https_is_another_origin(bench):
    async def scenario(bench):
        control, sender = ControlClient(bench), bench.sender()
        key = base64url.encode(sender.key)
        id, restricted = await control.subscribe(applicationServerKey=key + "=")
        assert (await bench.sender().send(restricted)).code == 403
        assert (await sender.send(restricted)).code == 201
        assert len(await control.messages(id)) == 1
        _, secure = await control.subscribe(applicationServerKey=key, https=True)
        assert (restricted.origin, secure.origin) == (bench.service.origin, bench.service.https_origin)
        for wrong in (
            {"applicationServerKey": key[:-1]},
            {"applicationServerKey": 7},
            {"https": "yes"},
            [],
        ):
            status, answer = await control.post("subscribe", wrong)
            assert status == 400 and set(answer["error"]) == {"id", "message"}, wrong

    bench(scenario, control=True)


def test_an_expired_subscription_is_gone_and_what_arrived_can_be_read(bench):
    async def scenario(bench):
        control, sender = ControlClient(bench), bench.sender()
        id, subscription = await control.subscribe()
        assert (await sender.send(subscription)).code == 201
        waiting = asyncio.create_task(control.messages(id, "?count=2&timeout=60"))
        await control.messages(id)
        await control.post(f"answer/{id}", {"status": 500})
        for _ in range(2):
            assert await control.post(f"expire/{id}") == (200, {"id": id})
        assert bench.service.answers.pending == 0
        assert (await sender.send(subscription)).code == 410
        status, answer = await control.post(f"answer/{id}", {"status": 500})
        assert (status, answer["error"]["id"]) == (410, "subscription-gone")
        assert bench.service.answers.pending == 0, "nothing could ever use it"
        assert [one["text"] for one in await waiting] == ["hello"], "no more can come"

    bench(scenario, control=True)


def test_an_answer_is_planned_for_one_subscription(bench):
    async def scenario(bench):
        control, sender = ControlClient(bench), bench.sender()
        id, subscription = await control.subscribe()
        _, other = await control.subscribe()
        plan = {"status": 503, "headers": {"Retry-After": "2"}, "body": "Grüße", "times": 2}
        assert await control.post(f"answer/{id}", plan) == (200, {"id": id})
        assert (await sender.send(other)).code == 201
        for _ in range(2):
            response = await sender.send(subscription)
            assert (response.code, response.headers["Retry-After"]) == (503, "2")
            assert response.body == "Grüße".encode()
        assert (await sender.send(subscription)).code == 201
        for wrong in (
            {},
            {"status": 429, "endpoint": "x"},
            {"status": 99},
            {"status": 429, "body": None},
        ):
            status, answer = await control.post(f"answer/{id}", wrong)
            assert (status, answer["error"]["id"]) == (400, "bad-field"), wrong

    bench(scenario, control=True)


def test_wrong_ids_and_numbers_are_refused(bench):
    async def scenario(bench):
        control = ControlClient(bench)
        id, _ = await control.subscribe()
        for path in ("expire/nobody", "answer/nobody"):
            assert (await control.post(path, {"status": 200}))[0] == 404
        assert (await control.get("messages/nobody"))[0] == 404
        for query in (
            "count=-1",
            "count=1.5",
            "count=x",
            "count=201",
            "timeout=61",
            "timeout=1e9",
            "count=",
        ):
            status, answer = await control.get(f"messages/{id}?{query}")
            assert (status, answer["error"]["id"]) == (400, "bad-field"), query
        assert (await control.post("subscribe", {"padding": "x" * 65536}))[0] == 413

    bench(scenario, control=True)


PAGES = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
]


def test_a_page_of_a_browser_may_use_none_of_them(bench):
    async def scenario(bench):
        control = ControlClient(bench)
        id, subscription = await control.subscribe()
        for headers in PAGES:
            answers = [await control.post(path, {"status": 500}, **headers)
                       for path in ("subscribe", f"expire/{id}", f"answer/{id}")]  # fmt: skip
            answers.append(await control.get(f"messages/{id}?count=0", **headers))
            assert {(status, answer["error"]["id"]) for status, answer in answers} == {
                (403, "cross-origin")
            }
        assert (await control.get(f"messages/{id}?count=0", Host="evil.example"))[0] == 421
        assert (await bench.sender().send(subscription)).code == 201, "nothing has changed"

    bench(scenario, control=True)


def test_without_control_there_are_no_such_routes_and_none_in_a_room(bench, run):
    async def scenario(bench):
        control = ControlClient(bench)
        assert (await control.post("subscribe"))[1]["error"]["id"] == "unknown-path"
        assert bench.service.receivers.subscribe().subscription.origin == bench.service.origin

    bench(scenario)
    with pytest.raises(BadArgument, match="this machine alone"):
        run(PushService(control=True).start(0, "192.0.2.7"))


def test_the_oldest_receiver_ends_for_a_new_one_and_all_end_with_the_service(
    open_bench, run, tmp_path, monkeypatch
):
    monkeypatch.setattr(receivers, "MAX_RECEIVERS", 2)
    monkeypatch.setattr(receivers, "MESSAGES_KEPT", 2)
    database = f"sqlite:///{tmp_path}/push.sqlite3"

    async def scenario():
        async with open_bench(database=database) as bench:
            made = [bench.service.receivers.subscribe() for _ in range(3)]
            sender = bench.sender()
            sent = [(await sender.send(one.subscription)).code for one in made]
            assert sent == [410, 201, 201]
            for number in range(3):
                assert (await sender.send(made[2].subscription, b"%d" % number)).code == 201
            assert [one.plaintext for one in await made[2].wait(2, 3600)] == [b"1", b"2"]
            port, waiting = bench.service.port, asyncio.create_task(made[1].wait(2, 3600))
            await asyncio.sleep(0)
        assert len(await waiting) == 1, "the end wakes who waits"
        async with open_bench(database=database, port=port) as bench:
            assert [(await sender.send(one.subscription)).code for one in made[1:]] == [410, 410]

    run(scenario())


def test_the_receivers_of_a_push_service_that_was_killed_end_when_it_starts_again(
    open_bench, run, tmp_path, monkeypatch
):
    # A kill ends no receiver.
    monkeypatch.setattr(receivers.Receivers, "end", lambda self: None)
    database = f"sqlite:///{tmp_path}/push.sqlite3"

    async def scenario():
        async with open_bench(database=database) as bench:
            sender, port = bench.sender(), bench.service.port
            left = [bench.service.receivers.subscribe().subscription for _ in range(2)]
            agent = await bench.user_agent()
            # The name of a channel is anybody's to choose.
            theirs = await agent.subscribe(channel=receivers.CHANNEL)
            await agent.disconnect()
            assert (await sender.send(theirs, ttl=60)).code == 201
            # One that had not been acknowledged at the kill.
            (waits,) = bench.service.broker.mailbox.waiting(agent.uaid, bench.clock())
            token = left[0].endpoint.rpartition("/")[2]
            more = replace(waits, id="more", number=waits.number + 1, token=token)
            bench.service._store.write(Change(stored=(more,)))
        async with open_bench(database=database, port=port) as bench:
            assert [(await sender.send(one)).code for one in left] == [410, 410]
            assert bench.service.broker.mailbox.counts() == (1, 1), "the others' is kept"
            assert (await sender.send(theirs, ttl=60)).code == 201
        store = Store(database)
        kept = store.read()
        store.close()
        assert len(kept.unsubscribed) == 2 and not {token} & {one.token for one in kept.stored}

    run(scenario())


def test_the_answers_that_are_planned_for_a_receiver_end_with_it(bench, monkeypatch):
    monkeypatch.setattr(receivers, "MAX_RECEIVERS", 1)

    async def scenario(bench):
        control, planned = ControlClient(bench), bench.service.answers
        for number in range(3):  # Each takes the place of the one before.
            id, _ = await control.subscribe()
            assert (await control.post(f"answer/{id}", {"status": 429, "times": 5}))[0] == 200
            assert planned.pending == 5, number
        bench.service.receivers.find(id).expire()
        assert planned.pending == 0

    bench(scenario, control=True)
