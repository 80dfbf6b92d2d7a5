"""For application servers, over real HTTP: what is accepted, what is refused, and why."""

import json
import os

import pytest
from tornado.httpclient import HTTPRequest

from pushlab.protocol import encryption
from pushlab.pushservice.autopush import AutopushHandler
from pushlab.pushservice.flavours import RETRY_AFTER
from pushlab.pushservice.webpush import PushResource
from pushlab.server.http import DRAIN_LIMIT

FORM = "application/x-www-form-urlencoded"


def error_of(response) -> str:
    """Return the id of an error response, after checking its form."""
    assert response.headers["Content-Type"].startswith("application/json"), response.headers
    error = json.loads(response.body)["error"]
    assert set(error) == {"id", "message"} and error["message"]
    return error["id"]


def changed(request: HTTPRequest, **headers: str | None) -> HTTPRequest:
    """Change headers of a request; None removes one."""
    for name, value in headers.items():
        name = name.replace("_", "-")
        request.headers.pop(name, None)
        if value is not None:
            request.headers[name] = value
    return request


def test_basic_delivery(bench):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        response = await sender.send(subscription, b"hello", ttl=60)
        assert response.code == 201 and response.body == b""
        assert response.headers["Location"].startswith(f"{bench.service.origin}/m/")
        assert response.headers["TTL"] == "60"
        notification = await agent.notification()
        assert set(notification) == {"messageType", "channelID", "version", "data", "headers"}
        assert notification["channelID"] == "channel-1"
        assert notification["headers"] == {"encoding": "aes128gcm"}
        assert agent.read(notification) == b"hello"

    bench(scenario)


def test_nothing_of_the_request_but_the_body_reaches_the_user_agent(bench):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        await sender.send(subscription, b"hello", topic="weather", urgency="high", ttl=77)
        notification = await agent.notification()
        del notification["data"], notification["version"]  # random, so they may spell anything
        assert notification == {
            "messageType": "notification",
            "channelID": "channel-1",
            "headers": {"encoding": "aes128gcm"},
        }

    bench(scenario)


def test_a_long_ttl_is_shortened_and_the_response_has_the_shorter_one(bench, http):
    async def scenario(bench):
        _, sender, subscription = await bench.subscribed()
        request = sender.request(subscription, b"hello")
        for asked in ("2592001", "4294967296", "9" * 60):
            response = await http(changed(request, TTL=asked))
            assert (response.code, response.headers["TTL"]) == (201, "2592000")

    bench(scenario)


REFUSED = {
    "no TTL": ({"TTL": None}, 400, "missing-ttl"),
    "TTL in words": ({"TTL": "ten"}, 400, "bad-ttl"),
    "TTL negative": ({"TTL": "-1"}, 400, "bad-ttl"),
    "TTL a fraction": ({"TTL": "1.5"}, 400, "bad-ttl"),
    "Urgency unknown": ({"Urgency": "urgent"}, 400, "bad-urgency"),
    "two Urgencies": ({"Urgency": "low, high"}, 400, "bad-urgency"),
    "Topic too long": ({"Topic": "t" * 33}, 400, "bad-topic"),
    "Topic with a space": ({"Topic": "the weather"}, 400, "bad-topic"),
    "no Content-Encoding": ({"Content_Encoding": None}, 400, "bad-content-encoding"),
    "aesgcm": ({"Content_Encoding": "aesgcm"}, 400, "bad-content-encoding"),
    "two codings": ({"Content_Encoding": "aes128gcm, gzip"}, 400, "bad-content-encoding"),
    "unsigned": ({"Authorization": None}, 401, "missing-authorization"),
    "another scheme": ({"Authorization": "Basic dTpw"}, 401, "missing-authorization"),
    "no k": ({"Authorization": "vapid t=a.b.c"}, 403, "bad-authorization"),
}


@pytest.mark.parametrize("headers, status, code", REFUSED.values(), ids=REFUSED)
def test_what_is_refused(shared_bench, http, headers, status, code):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        before = bench.last
        response = await http(changed(sender.request(subscription, b"hello"), **headers))
        assert (response.code, error_of(response)) == (status, code)
        posted, answered = bench.journal.events(before)
        assert posted.what == "POST message" and posted.detail["bytes"] > 0
        assert answered.what == f"{status} {response.reason}"
        assert answered.detail == {"error": code}
        await agent.hears_nothing()
        assert bench.queue() == 0
        assert (await sender.send(subscription)).code == 201  # the subscription is unharmed
        await agent.ack(await agent.notification())
        await agent.hears_nothing()

    shared_bench(scenario)


def test_several_urgency_headers_are_refused(bench, raw):
    async def scenario(bench):
        _, sender, subscription = await bench.subscribed()
        lines = [
            f"POST {subscription.endpoint.removeprefix(subscription.origin)} HTTP/1.1",
            "Host: 127.0.0.1", "TTL: 5", "Urgency: low", "Urgency: high", "Connection: close",
            f"Authorization: {sender.authorization(subscription)}", "", "",
        ]  # fmt: skip
        answer = await raw(bench.service.port, "\r\n".join(lines).encode())
        assert answer.startswith(b"HTTP/1.1 400 ") and b"bad-urgency" in answer

    bench(scenario)


CLAIMS = {
    "aud of another origin": ({"aud": "http://127.0.0.1:1"}, "bad-audience"),
    "aud with a slash": ({"aud": "{origin}/"}, "bad-audience"),
    "exp long past": ({"exp": -10}, "token-expired"),
    "exp over a day ahead": ({"exp": 24 * 3600 + 1}, "expiry-too-far"),
}


@pytest.mark.parametrize("claims, code", CLAIMS.values(), ids=CLAIMS)
def test_claims_that_are_refused(bench, http, claims, code):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        claims_now = dict(claims)
        if "exp" in claims:
            claims_now["exp"] = int(bench.clock()) + claims["exp"]
        if "aud" in claims:
            claims_now["aud"] = claims["aud"].format(origin=subscription.origin)
        request = sender.request(subscription, b"hello")
        request.headers["Authorization"] = sender.authorization(subscription, **claims_now)
        response = await http(request)
        assert (response.code, error_of(response)) == (403, code)
        await agent.hears_nothing()

    bench(scenario)


def test_a_token_serves_until_it_expires_by_the_services_own_clock(bench, http):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        request = sender.request(subscription, b"hello")
        bench.clock.now += 3599
        assert (await http(request)).code == 201
        await agent.notification()
        bench.clock.now += 2
        assert error_of(await http(request)) == "token-expired"

    bench(scenario)


def test_an_invalid_signature(bench, http):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        request = sender.request(subscription, b"hello")
        header = request.headers["Authorization"]
        token, rest = header.split(",", 1)
        other = "A" if token[-20] != "A" else "B"
        request.headers["Authorization"] = f"{token[:-20]}{other}{token[-19:]},{rest}"
        response = await http(request)
        assert (response.code, error_of(response)) == (403, "bad-signature")
        await agent.hears_nothing()

    bench(scenario)


def test_another_key_than_the_subscription_was_made_for(bench):
    async def scenario(bench):
        agent, _, subscription = await bench.subscribed()
        response = await bench.sender().send(subscription)
        assert (response.code, error_of(response)) == (403, "wrong-key")
        await agent.hears_nothing()

    bench(scenario)


def test_a_subscription_without_a_key_takes_what_is_unsigned(bench, http):
    async def scenario(bench):
        agent, sender = await bench.user_agent(), bench.sender()
        subscription = await agent.subscribe(key=None)
        unsigned = changed(sender.request(subscription, b"unsigned"), Authorization=None)
        assert (await http(unsigned)).code == 201
        assert agent.read(await agent.notification()) == b"unsigned"
        assert (await sender.send(subscription, b"signed")).code == 201
        assert agent.read(await agent.notification()) == b"signed"
        # A token that is sent is checked, even where none is needed.
        wrong = sender.request(subscription, b"wrong")
        wrong.headers["Authorization"] = sender.authorization(subscription, aud="http://else")
        assert error_of(await http(wrong)) == "bad-audience"
        await agent.hears_nothing()

    bench(scenario)


def test_the_key_that_signs_must_not_encrypt(bench, http):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        request = sender.request(subscription, b"hello")
        request.body = encryption.encrypt(
            b"hello", subscription, as_private=sender.private_key, salt=os.urandom(16)
        )
        response = await http(request)
        assert (response.code, error_of(response)) == (400, "key-reused")
        await agent.hears_nothing()

    bench(scenario)


@pytest.mark.parametrize("length", [1, 20, 21, 86, 4096])
def test_a_body_that_only_the_user_agent_can_judge_passes_unchanged(bench, http, length):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        request = sender.request(subscription, b"x" * 3993)
        assert len(request.body) == 4096
        request.body = request.body[:length]
        assert (await http(request)).code == 201
        notification = await agent.notification()
        assert len(notification["data"]) == -(-length * 4 // 3)
        await agent.ack(notification, code=101)
        await agent.hears_nothing()
        assert bench.queue() == 0

    bench(scenario)


def test_an_empty_message_with_and_without_content_encoding(bench, http):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        request = sender.request(subscription, None)
        for coding in (None, "aes128gcm", "AES128GCM"):
            assert (await http(changed(request, Content_Encoding=coding))).code == 201
            notification = await agent.notification()
            assert set(notification) == {"messageType", "channelID", "version"}
        response = await http(changed(request, Content_Encoding="gzip"))
        assert error_of(response) == "bad-content-encoding"

    bench(scenario)


@pytest.mark.parametrize("kind", [FORM, f"{FORM}; charset=utf-8", "multipart/form-data", None])
def test_the_type_of_the_body_does_not_matter(bench, http, kind):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        assert (await http(changed(sender.request(subscription, b"x"), Content_Type=kind))).code == 201
        assert agent.read(await agent.notification()) == b"x"

    bench(scenario)


def chunked(request: HTTPRequest, size: int) -> HTTPRequest:
    """Send ``size`` bytes in chunks, so that no Content-Length announces them."""

    async def produce(write):
        for start in range(0, size, 3000):
            await write(b"x" * min(3000, size - start))

    return HTTPRequest(request.url, "POST", request.headers, body_producer=produce)


@pytest.mark.parametrize("size, status", [(4096, 201), (4097, 413), (3_000_000, 413)])
@pytest.mark.parametrize("framing", ["content-length", "chunked"])
def test_the_length_of_the_body(bench, http, size, status, framing):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        request = sender.request(subscription, b"")
        request.body = b"x" * size
        response = await http(request if framing == "content-length" else chunked(request, size))
        assert response.code == status
        if status == 201:
            assert len((await agent.notification())["data"]) == 5462
        else:
            assert error_of(response) == "body-too-large"
        await agent.hears_nothing()
        assert (await sender.send(subscription)).code == 201

    bench(scenario)


def test_of_a_body_that_is_too_large_only_the_beginning_is_kept(bench, http, monkeypatch):
    kept, post = [], PushResource.post

    def watched(self, token):
        kept.append((len(self.body), self.length))
        return post(self, token)

    async def scenario(bench):
        _, sender, subscription = await bench.subscribed()
        monkeypatch.setattr(PushResource, "post", watched)
        request = sender.request(subscription, b"")
        request.body = b"x" * 3_000_000
        assert (await http(request)).code == 413
        assert kept == [(4096, 3_000_000)]

    bench(scenario)


def test_a_flood_is_cut_off(bench, raw):
    async def scenario(bench):
        _, sender, subscription = await bench.subscribed()
        path = subscription.endpoint.removeprefix(subscription.origin)
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nTTL: 1\r\n"
        # If Content-Length is too large, the response comes before the body is sent.
        announced = head + "Content-Length: 999999999999\r\n\r\n"
        # Just enough is sent to be too much, so that all has been read when the answer comes.
        size = DRAIN_LIMIT + 1
        unannounced = head + f"Transfer-Encoding: chunked\r\n\r\n{size:x}\r\n"
        for flood in (announced.encode(), unannounced.encode() + b"x" * size):
            answer = await raw(bench.service.port, flood)
            assert answer.startswith(b"HTTP/1.1 413 ") and b'"request-too-large"' in answer
        assert bench.queue() == 0
        assert (await sender.send(subscription)).code == 201

    bench(scenario)


def test_a_body_that_breaks_off_stores_nothing(bench, raw):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        path = subscription.endpoint.removeprefix(subscription.origin)
        head = (
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\nTTL: 60\r\nContent-Encoding: aes128gcm\r\n"
            f"Authorization: {sender.authorization(subscription)}\r\n"
        )
        bad_chunk = head + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nnot a length\r\n"
        assert (await raw(bench.service.port, bad_chunk.encode())).startswith(b"HTTP/1.1 400 ")
        await agent.hears_nothing()
        assert bench.queue() == 0
        # The same request with a proper end is accepted.
        whole = head + "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
        assert (await raw(bench.service.port, whole.encode())).startswith(b"HTTP/1.1 201 ")
        await agent.notification()

    bench(scenario)


def test_unsubscribed_is_410_and_never_made_is_404(bench, http):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        never_made = changed(sender.request(subscription, b"x"))
        never_made.url = bench.service.endpoint("A" * 32)
        response = await http(never_made)
        assert (response.code, error_of(response)) == (404, "unknown-push-resource")
        await agent.say({"messageType": "unregister", "channelID": "channel-1", "code": 200})
        assert (await agent.hear())["status"] == 200
        response = await sender.send(subscription)
        assert (response.code, error_of(response)) == (410, "subscription-gone")
        await agent.hears_nothing()

    bench(scenario)


def test_the_limit_of_messages_for_one_user_agent(bench):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        other_agent = await bench.user_agent()
        other = await other_agent.subscribe(sender.key)
        await bench.away(agent)
        bench.service.broker.mailbox.message_limit = 2
        assert (await sender.send(subscription, ttl=10)).code == 201
        assert (await sender.send(subscription, b"last", ttl=60)).code == 201
        response = await sender.send(subscription)
        assert (response.code, error_of(response)) == (429, "queue-full")
        assert response.headers["Retry-After"] == str(RETRY_AFTER)
        assert (await sender.send(other)).code == 201
        bench.clock.now += 10  # the first has expired, and there is room again
        assert (await sender.send(subscription, b"new", ttl=60)).code == 201
        again = await bench.user_agent(agent.uaid)
        texts = [agent.read(await again.notification()) for _ in range(2)]
        assert texts == [b"last", b"new"]

    bench(scenario)


def test_the_message_resource(bench, http):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        await bench.away(agent)
        request = sender.request(subscription, b"hello", ttl=60)
        location = (await http(request)).headers["Location"]
        response = await http(location)
        assert (response.code, response.body) == (200, request.body)
        assert response.headers["Content-Encoding"] == "aes128gcm"
        assert response.headers["Last-Modified"] == "Tue, 14 Nov 2023 22:13:20 GMT"
        bench.clock.now += 60
        assert (await http(location)).code == 404

    bench(scenario)


def test_a_stored_message_can_be_deleted(bench, http):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        await bench.away(agent)
        location = (await sender.send(subscription, b"deleted")).headers["Location"]
        await sender.send(subscription, b"kept")
        assert (await http(location, method="DELETE")).code == 204
        for method in ("DELETE", "GET"):
            response = await http(location, method=method)
            assert (response.code, error_of(response)) == (404, "unknown-path")
        again = await bench.user_agent(agent.uaid)
        assert agent.read(await again.notification()) == b"kept"
        await again.hears_nothing()

    bench(scenario)


def test_the_message_resource_of_an_acknowledged_message_is_gone(bench, http):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        location = (await sender.send(subscription)).headers["Location"]
        assert (await http(location)).code == 200
        await agent.ack(await agent.notification())
        await agent.hears_nothing()
        assert (await http(location)).code == 404

    bench(scenario)


def test_endpoints_and_message_urls_are_capabilities(bench):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        second = await agent.subscribe(sender.key, channel="channel-2")
        locations = [(await sender.send(subscription)).headers["Location"] for _ in range(2)]
        tokens = [url.rsplit("/", 1)[1] for url in (subscription.endpoint, second.endpoint, *locations)]
        assert len(set(tokens)) == 4 and all(len(token) >= 32 for token in tokens)
        told = " ".join(map(repr, bench.journal.events()))
        assert not [token for token in [*tokens, agent.uaid] if token in told]

    bench(scenario)


def test_the_journal_of_a_delivery(bench):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        before = bench.last
        await sender.send(subscription, b"hello", ttl=60, topic="x")
        await agent.ack(await agent.notification())
        await bench.until("acknowledge", before)
        events = bench.journal.events(before)
        assert [(str(e.source), str(e.target), e.what, dict(e.detail)) for e in events] == [
            ("application server", "push service", "POST message",
             {"bytes": 108, "ttl": 60, "urgency": "normal", "topic": "x"}),
            ("push service", "application server", "201 Created", {}),
            ("push service", "user agent", "push message", {"bytes": 108}),
            ("user agent", "push service", "acknowledge", {"code": 100}),
        ]  # fmt: skip
        assert {event.who for event in events} == {"Virtual"}

    bench(scenario)


def test_the_journal_while_the_user_agent_is_away(bench):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        before = bench.last
        await bench.away(agent)
        for options in ({"topic": "x"}, {"topic": "x", "ttl": 1}, {"ttl": 0}):
            await sender.send(subscription, **options)
        bench.clock.now += 5
        await bench.user_agent(agent.uaid)
        assert bench.events(before) == [
            "disconnect",
            "POST message", "keep message", "201 Created",
            "POST message", "replace message", "keep message", "201 Created",
            "POST message", "drop message", "201 Created",
            "connect", "drop message",
        ]  # fmt: skip

    bench(scenario)


def test_a_bug_is_answered_in_json_and_logged_without_the_endpoint(bench, monkeypatch, caplog):
    def broken(self, subscription, message):
        raise ZeroDivisionError("a bug")

    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        monkeypatch.setattr("pushlab.pushservice.webpush.vapid.verify", lambda *_, **__: 1 / 0)
        response = await sender.send(subscription)
        assert (response.code, error_of(response)) == (500, "internal-error")
        assert bench.queue() == 0
        monkeypatch.undo()
        # After the answer: the message is kept, and delivered at the next hello.
        monkeypatch.setattr(AutopushHandler, "deliver", broken)
        assert (await sender.send(subscription)).code == 201
        monkeypatch.undo()
        again = await bench.user_agent(agent.uaid)
        assert agent.read(await again.notification()) == b"hello"
        assert subscription.endpoint.rsplit("/")[-1] not in caplog.text
        assert "ZeroDivisionError" in caplog.text

    bench(scenario)


def test_a_database_that_cannot_be_written_is_500_and_nothing_is_stored(bench, tmp_path):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        await bench.away(agent)
        await sender.send(subscription, b"first")
        with bench.service._store._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA query_only = 1")
        response = await sender.send(subscription, b"second")
        assert (response.code, error_of(response)) == (500, "unable-to-write-database")
        assert bench.queue() == 1
        with bench.service._store._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA query_only = 0")
        assert (await sender.send(subscription, b"third")).code == 201
        again = await bench.user_agent(agent.uaid)
        assert [agent.read(await again.notification()) for _ in range(2)] == [b"first", b"third"]

    bench(scenario, database=f"sqlite:///{tmp_path}/push.sqlite3")


def test_a_point_is_needed_to_be_believed(bench, http):
    """A key of 65 bytes that are not a point is refused, and causes no crash."""

    async def scenario(bench):
        agent = await bench.user_agent()
        sender = bench.sender()
        subscription = await agent.subscribe(key=None)
        token = sender.authorization(subscription).split("t=")[1].split(",")[0]
        header = f"vapid t={token}, k={'BA' + 'A' * 85}"
        response = await http(changed(sender.request(subscription, b"x"), Authorization=header))
        assert (response.code, error_of(response)) == (403, "bad-authorization")

    bench(scenario)
