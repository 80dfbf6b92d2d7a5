"""libcurl on asyncio, against real sockets that answer well, badly, slowly and not at all."""

import asyncio
import os
import struct
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from pushlab.appserver.delivery import transfer
from pushlab.appserver.delivery.response import NetworkFault, PushResponse
from pushlab.appserver.delivery.transfer import MAX_BODY, Transfer
from pushlab.appserver.delivery.transport import CurlTransport
from pushlab.errors import BadResponse, LabStopped, SendingFailed
from pushlab.protocol.delivery import PushRequest
from pushlab.server import connections
from pushlab.settings import patience

from ...run.ports import free_port

HEADERS = {
    "Authorization": "vapid t=a.b.c, k=d",
    "TTL": "60",
    "Content-Type": "application/octet-stream",
}


def request(url: str, body: bytes = b"\0\xff\r\n", headers=HEADERS) -> PushRequest:
    return PushRequest(url, headers, body)


@pytest.fixture
def transport(everywhere):
    """Give a function that runs a test's coroutine with a transport and closes it."""

    def running(scenario, **options):
        async def run():
            transport = CurlTransport(**{"egress": everywhere} | options)
            try:
                async with asyncio.timeout(patience(60)):
                    return await scenario(transport)
            finally:
                await transport.close()
                assert not transport._watched and transport._timer is None, "the loop is left as it was"

        return asyncio.run(run())

    return running


@asynccontextmanager
async def listening(handle, scheme: str = "http", **options):
    """Run a server of raw sockets and give its URL; close every connection at the end."""
    writers, tasks = [], []

    async def connected(reader, writer):
        writers.append(writer)
        tasks.append(asyncio.current_task())
        try:
            await handle(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # The client has hung up, or the test is over.
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, **options)
    try:
        async with server:
            yield f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}/push"
    finally:
        for writer in writers:
            writer.transport.abort()  # without TLS' farewell, which an idle client does not answer
        await asyncio.gather(*tasks)


def test_a_request_arrives_as_it_was_described(transport, push_service):
    async def scenario(transport):
        async with push_service() as service:
            answer = await transport.send(request(service.endpoint() + "/../x?y=%2F"))
            return service.origin, service.received, answer

    origin, [received], answer = transport(scenario)
    assert answer.status == 201 and answer.reason == "Created"
    assert received.method == "POST" and received.body == b"\0\xff\r\n"
    assert received.path == "/push/one-0123456789abcdef/../x", "an endpoint is sent as it is"
    expected = HEADERS | {"Host": origin.removeprefix("http://"), "Content-Length": "4",
                          "User-Agent": "pushlab", "Accept": "*/*"}  # fmt: skip
    assert {name.lower(): value for name, value in received.headers.get_all()} == {
        name.lower(): value for name, value in expected.items()
    }


def test_a_connection_that_is_used_again_carries_the_headers_of_this_request(transport, push_service):
    async def scenario(transport):
        async with push_service() as service:
            for ttl in ("0", "0", "60"):
                await transport.send(request(service.endpoint(), headers={"TTL": ttl}))
            await transport.send(request(service.endpoint()))
            return [received.headers for received in service.received]

    *ttls, last = transport(scenario)
    assert [headers["TTL"] for headers in ttls] == ["0", "0", "60"]
    assert {name: last[name] for name in HEADERS} == HEADERS


def test_a_request_without_a_body_names_no_type(transport, push_service):
    async def scenario(transport):
        async with push_service() as service:
            await transport.send(request(service.endpoint(), b"", {"TTL": "0"}))
            return service.received

    [received] = transport(scenario)
    assert received.headers["Content-Length"] == "0" and received.body == b""
    assert "Content-Type" not in received.headers and "Expect" not in received.headers


@pytest.mark.parametrize("status", [200, 201, 202, 204, 400, 401, 403, 404, 410, 413, 429, 500, 503])
def test_every_status_comes_back(transport, push_service, status):
    async def scenario(transport):
        async with push_service() as service:
            service.answer = lambda handler, number: handler.set_status(status)
            return await transport.send(request(service.endpoint()))

    assert transport(scenario).status == status


def test_headers_come_back_repeated_ones_too(transport, push_service):
    def answer(handler, number):
        handler.set_status(429)
        handler.set_header("Retry-After", "17")
        handler.add_header("Link", "<a>")
        handler.add_header("Link", "<b>")
        handler.finish(b"slow down")

    async def scenario(transport):
        async with push_service() as service:
            service.answer = answer
            return await transport.send(request(service.endpoint()))

    response = transport(scenario)
    assert response.header("retry-after") == "17"
    assert response.header_list("LINK") == ["<a>", "<b>"]
    assert response.header("X-None") is None
    assert response.body == b"slow down"


def test_a_redirect_is_an_answer_and_is_not_followed(transport, push_service):
    async def scenario(transport):
        async with push_service() as service:
            service.answer = lambda handler, number: handler.redirect(
                service.endpoint("two"), status=302
            )
            return await transport.send(request(service.endpoint())), service.received

    answer, received = transport(scenario)
    assert answer.status == 302 and len(received) == 1


def test_a_proxy_of_the_environment_is_not_asked(transport, push_service, monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("no_proxy", raising=False)

    async def scenario(transport):
        async with push_service() as service:
            return await transport.send(request(service.endpoint()))

    assert transport(scenario).status == 201


def test_connections_are_kept(transport, push_service):
    async def scenario(transport):
        async with push_service() as service:
            for _ in range(5):
                await transport.send(request(service.endpoint()))
            return {received.connection.context.address for received in service.received}

    assert len(transport(scenario)) == 1


def test_many_at_a_time(transport, push_service):
    async def scenario(transport):
        everyone = asyncio.Event()

        def answer(handler, number):
            if number == 50:
                everyone.set()
            handler.set_status(201)
            return everyone.wait()

        async with push_service() as service:
            service.answer = answer
            sends = [transport.send(request(service.endpoint(str(n)))) for n in range(50)]
            return await asyncio.gather(*sends)

    assert [answer.status for answer in transport(scenario)] == [201] * 50


def test_a_handle_that_is_used_again_at_once_loses_no_answer(transport, push_service):
    async def scenario(transport):
        async with push_service() as service:

            async def worker(name):
                for number in range(30):
                    endpoint = service.endpoint(f"{name}-{number}")
                    assert (await transport.send(request(endpoint))).status == 201

            async with asyncio.TaskGroup() as group:
                for name in "abcde":
                    group.create_task(worker(name))
            return len({received.path for received in service.received})

    assert transport(scenario) == 150


def test_only_so_much_of_a_body_is_read_and_the_status_stands(transport, push_service):
    async def scenario(transport):
        async def answer(handler, number):
            handler.set_status(400)
            for _ in range(1000):
                handler.write(b"x" * 65536)
                await handler.flush()

        async with push_service() as service:
            service.answer = answer
            return await transport.send(request(service.endpoint()))

    answer = transport(scenario)
    assert answer.status == 400 and answer.body == b"x" * MAX_BODY


# --- sockets that misbehave --------------------------------------------------------------------


def talk(*pieces: bytes, stay: bool = False):
    """Make a handler for asyncio.start_server that reads a request's head and says this."""

    async def handle(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"".join(pieces))
        await writer.drain()
        if stay:
            await reader.read()  # until the client has enough of it

    return handle


def answer_to(transport, handle, **options):
    async def scenario(transport):
        async with listening(handle) as url:
            return await transport.send(request(url))

    return transport(scenario, **options)


def test_garbage_is_no_answer(transport):
    answer = answer_to(transport, talk(b"\x16\x03\x01 what?\r\n\r\n"))
    assert isinstance(answer, NetworkFault) and answer.code in (1, 8)


def test_a_status_that_is_no_number_is_no_answer(transport):
    answer = answer_to(transport, talk(b"HTTP/1.1 2x1 Created\r\n\r\n"))
    assert isinstance(answer, NetworkFault)


def test_silence_is_no_answer(transport):
    answer = answer_to(transport, talk())
    assert isinstance(answer, NetworkFault) and answer.code in (52, 56)


def test_waiting_has_an_end(transport):
    assert answer_to(transport, talk(stay=True), timeout=0.2).code == 28


def test_half_a_head_is_no_answer(transport):
    answer = answer_to(transport, talk(b"HTTP/1.1 201 Created\r\nTTL: 6", stay=True), timeout=0.2)
    assert answer.code == 28


def test_a_status_stands_when_the_body_does_not_come(transport):
    said = b"HTTP/1.1 201 Created\r\nContent-Length: 99\r\nTTL: 6\r\n\r\nhalf"
    answer = answer_to(transport, talk(said, stay=True), timeout=patience(2))
    assert (answer.status, answer.body, answer.header("TTL")) == (201, b"half", "6")


def test_heads_before_the_last_do_not_count(transport):
    early = b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n"
    said = early + b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"
    assert answer_to(transport, talk(said)) == PushResponse(
        201, (("Content-Length", "0"),), b"", "Created"
    )


def test_a_status_without_words(transport):
    answer = answer_to(transport, talk(b"HTTP/1.1 418\r\nContent-Length: 0\r\n\r\n"))
    assert (answer.status, answer.reason) == (418, "")


def test_trailers_are_no_headers(transport):
    said = b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nRetry-After: 9\r\n\r\n"
    answer = answer_to(transport, talk(said))
    assert answer.status == 201 and answer.header("Retry-After") is None


def test_a_closed_port(transport):
    async def scenario(transport):
        return await transport.send(request(f"http://127.0.0.1:{free_port()}/"))

    assert transport(scenario).code == 7


def test_a_host_that_does_not_exist(transport):
    async def scenario(transport):
        return await transport.send(request("https://push.invalid/"))

    assert transport(scenario).code == 6


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1/x", "gopher://127.0.0.1/x"])
def test_only_http_and_https_are_spoken(transport, url):
    async def scenario(transport):
        return await transport.send(request(url))

    assert transport(scenario).code == 1


# --- what raises in a callback -----------------------------------------------------------------


DIGITS = b"HTTP/1.1 " + b"9" * 5000 + b" x: y\r\n"
HEADS = {
    "a header that looks like a status line": (b"HTTP/1.1 201 Created\r\n" + DIGITS + b"\r\n", 201),
    "a head of so many lines": (b"HTTP/1.1 201 Created\r\n" + b"a: 1\r\n" * 300 + b"\r\n", None),
    "so many interim heads": (b"HTTP/1.1 103 Early\r\n\r\n" * 300, None),
    "so many trailers": (
        b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
        + b"a: 1\r\n" * 300 + b"\r\n", 201,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HEADS)
def test_a_strange_head_ends_its_own_request_and_no_other(transport, push_service, name):
    said, status = HEADS[name]

    async def scenario(transport):
        async with listening(talk(said, stay=True)) as url, push_service() as service:
            strange = transport.send(request(url))
            others = [transport.send(request(service.endpoint(str(n)))) for n in range(5)]
            assert [answer.status for answer in await asyncio.gather(*others)] == [201] * 5
            if status is None:
                with pytest.raises(BadResponse, match="more than 256 lines"):
                    await strange
            else:
                assert (await strange).status == status
            assert not transport._transfers

    transport(scenario, timeout=patience(3))


def broken(*_):
    raise RuntimeError("https://push.example.net/secret")


ONE = [(None, "permits"), (transfer, "read_response"), (Transfer, "begin")]
ALL = [(CurlTransport, name) for name in ("_on_socket", "_wake_in", "_act", "_on_timer", "_finish")]


@pytest.mark.parametrize(("owner", "name"), ONE + ALL, ids=lambda part: getattr(part, "__name__", part))
def test_whatever_raises_in_a_callback_is_an_outcome_and_the_next_request_is_sent(
    transport, push_service, everywhere, monkeypatch, owner, name
):
    async def scenario(transport):
        async with push_service() as service:
            with monkeypatch.context() as patch:
                patch.setattr(owner or type(everywhere), name, broken)
                sends = [transport.send(request(service.endpoint(str(n)))) for n in range(3)]
                ended = await asyncio.gather(*sends, return_exceptions=True)
            assert {type(error) for error in ended} == {SendingFailed}
            assert "RuntimeError in test_transport.py, line" in str(ended[0])
            assert "secret" not in str(ended[0])
            assert not transport._transfers
            assert (await transport.send(request(service.endpoint()))).status == 201

    transport(scenario)


def test_a_body_that_cannot_be_taken_changes_nothing_about_its_status(
    transport, push_service, monkeypatch
):
    async def scenario(transport):
        async with push_service() as service:
            service.answer = lambda handler, number: handler.finish(b"Hello")
            return await transport.send(request(service.endpoint()))

    monkeypatch.setattr(Transfer, "on_body", broken)
    answer = transport(scenario)
    assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize(
    "url", ["https://push.example.net/é", "https://push.example.net/\0", "x" * 10**8]
)
def test_a_request_that_libcurl_does_not_take_is_an_outcome(transport, url):
    async def scenario(transport):
        with pytest.raises(SendingFailed):
            await transport.send(request(url))

    transport(scenario)


def test_close_ends_what_a_callback_has_left(transport, push_service, monkeypatch):
    async def scenario(transport):
        async with push_service() as service:
            monkeypatch.setattr(CurlTransport, "_finish", broken)
            send = transport.send(request(service.endpoint()))
            await asyncio.wait([send])
            await transport.close()
            with pytest.raises(SendingFailed):
                await send

    transport(scenario)


# --- TLS and HTTP/2 ----------------------------------------------------------------------------


def test_a_certificate_is_checked(transport, push_service, authority, monkeypatch):
    trusted, context = authority

    async def scenario(transport):
        async with push_service(context) as service:
            here = await transport.send(request(service.endpoint()))
            name = service.endpoint().replace("127.0.0.1", "localhost")
            return here, await transport.send(request(name)), len(service.received)

    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    unknown, _, received = transport(scenario)
    assert unknown.code == 60 and received == 0
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    here, name, received = transport(scenario)
    assert here.status == 201
    assert name.code == 60 and received == 1, "the certificate is good, and of another name"


def test_a_file_of_authorities_that_is_not_there_is_said_so(
    transport, push_service, authority, monkeypatch
):
    async def scenario(transport):
        async with push_service(authority[1]) as service:
            return await transport.send(request(service.endpoint()))

    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere.pem")
    assert transport(scenario).code == 77


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Write a frame of HTTP/2, RFC 9113 §4.1."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


async def speak_http2(reader, writer):
    """Response every request with 201: all of HTTP/2 that a test needs."""
    assert await reader.readexactly(24) == b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    writer.write(frame(4, 0, 0))  # SETTINGS
    while True:
        head = await reader.readexactly(9)
        kind, flags, stream = struct.unpack(">BBI", head[3:])
        await reader.readexactly(int.from_bytes(head[:3], "big"))
        if kind == 4 and not flags & 1:
            writer.write(frame(4, 1, 0))  # SETTINGS are acknowledged
        if kind in (0, 1) and flags & 1:  # DATA or HEADERS that end a request
            # :status 201, a literal with the name of entry 8 of the static table (RFC 7541)
            writer.write(frame(1, 0x5, stream, b"\x08\x03201"))


def test_http2_is_spoken_and_one_connection_carries_all(transport, authority, monkeypatch):
    trusted, context = authority
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    connections = []

    async def connected(reader, writer):
        connections.append(writer.get_extra_info("ssl_object").selected_alpn_protocol())
        await speak_http2(reader, writer)

    async def scenario(transport):
        async with listening(connected, "https", ssl=context) as url:
            return await asyncio.gather(*(transport.send(request(url)) for _ in range(20)))

    context.set_alpn_protocols(["h2"])
    answers = transport(scenario)
    assert answers == [PushResponse(201, (), b"", "")] * 20
    assert connections == ["h2"]


# --- its life ----------------------------------------------------------------------------------


def test_close_ends_what_is_under_way(transport):
    async def scenario(transport):
        arrived = asyncio.Event()

        async def handle(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            arrived.set()
            await reader.read()

        async with listening(handle) as url:
            sending = asyncio.ensure_future(transport.send(request(url)))
            await arrived.wait()
            await transport.close()
            with pytest.raises(LabStopped):
                await sending

    transport(scenario)


def test_a_send_that_is_cancelled_ends_its_request(transport):
    async def scenario(transport):
        arrived, left = asyncio.Event(), asyncio.Event()

        async def handle(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            arrived.set()
            await reader.read()
            left.set()

        async with listening(handle) as url:
            sending = asyncio.ensure_future(transport.send(request(url)))
            await arrived.wait()
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
            await left.wait()  # the connection of a request that nobody waits for is closed

    transport(scenario)


def test_after_close_it_refuses_in_every_loop_and_another_one_takes_its_place(push_service, everywhere):
    closed = CurlTransport(egress=everywhere)

    async def scenario(transport):
        async with push_service() as service:
            sent = [await transport.send(request(service.endpoint()))]
            await transport.close()
            with pytest.raises(LabStopped):
                await transport.send(request(service.endpoint()))
            assert transport._multi is None and len(service.received) == 1
            return sent[0].status

    async def again():
        async with push_service() as service:
            with pytest.raises(LabStopped):
                await closed.send(request(service.endpoint()))
            await closed.close()
            return service.received

    assert asyncio.run(scenario(closed)) == 201
    assert asyncio.run(again()) == []
    assert [asyncio.run(scenario(CurlTransport(egress=everywhere))) for _ in range(3)] == [201] * 3


def test_one_that_was_never_used_refuses_too_once_it_is_closed(push_service, everywhere):
    async def scenario():
        transport = CurlTransport(egress=everywhere)
        await transport.close()
        async with push_service() as service:
            with pytest.raises(LabStopped):
                await transport.send(request(service.endpoint()))
            return service.received

    assert asyncio.run(scenario()) == []


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts descriptors as Linux lists them")
def test_close_leaves_no_descriptor(transport, push_service):
    async def scenario(transport):
        async with push_service() as service:
            await asyncio.gather(*(transport.send(request(service.endpoint())) for _ in range(10)))

    transport(scenario)  # what is opened once and kept, such as resolver files, is open by now
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        transport(scenario)
    assert len(os.listdir("/proc/self/fd")) == before


# --- all push services together -----------------------------------------------------------------


class Silent:
    """A push service of HTTP/1.1 that takes requests and answers when ``gate`` is set."""

    def __init__(self):
        self.gate, self.news = asyncio.Event(), asyncio.Event()
        self.open = self.most = self.asked = 0

    async def __call__(self, reader, writer):
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(4)
                self.asked += 1
                self.news.set()
                await self.gate.wait()
                writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
        finally:
            self.open -= 1


@asynccontextmanager
async def silent_services(count):
    """Run some, and give them with their URLs; at the end each lets its requests go."""
    services = [Silent() for _ in range(count)]
    async with AsyncExitStack() as stack:
        urls = [await stack.enter_async_context(listening(one)) for one in services]
        try:
            yield services, urls
        finally:
            for one in services:
                one.gate.set()


async def until(services, condition):
    while not condition():
        for service in services:
            service.news.clear()
        if condition():
            return
        waits = [asyncio.ensure_future(service.news.wait()) for service in services]
        _, left = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for one in left:
            one.cancel()


def test_many_silent_origins_together_have_no_more_connections_than_are_allowed(transport):
    async def scenario(transport):
        async with silent_services(6) as (silent, urls):
            sends = [transport.send(request(url)) for _ in range(10) for url in urls]
            await until(silent, lambda: sum(one.asked for one in silent) == 12)
            assert sum(one.open for one in silent) == len(transport._transfers) == 12
            # One that is given up makes room for one that waits.
            sends[0].cancel()
            await until(silent, lambda: sum(one.asked for one in silent) == 13)
            for one in silent:
                one.gate.set()
            answers = await asyncio.gather(*sends[1:])
            assert [answer.status for answer in answers] == [201] * 59
            assert sum(one.asked for one in silent) == 60
            assert all(one.most <= 6 for one in silent), "half of them for each"

    transport(scenario, connections=12)


def test_a_request_that_waits_for_a_connection_has_all_its_time_still(transport):
    async def scenario(transport):
        async with silent_services(2) as (_, urls), silent_services(1) as ([honest], [url]):
            honest.gate.set()
            sends = [transport.send(request(url)) for _ in range(2) for url in urls]
            late = transport.send(request(url))
            refused = await asyncio.gather(*sends)
            assert [answer.code for answer in refused] == [28] * 4
            assert (await late).status == 201

    transport(scenario, connections=4, timeout=patience(2))


def test_close_ends_what_waits_for_a_connection(transport):
    async def scenario(transport):
        async with silent_services(1) as ([silent], [url]):
            sends = [transport.send(request(url)) for _ in range(5)]
            await until([silent], lambda: silent.asked == 1)
            sends.pop().cancel()
            await transport.close()
            for send in sends:
                with pytest.raises(LabStopped):
                    await send
            assert silent.asked == 1

    transport(scenario, connections=2)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts descriptors as Linux lists them")
def test_what_may_be_open_bounds_all_origins_together(run, everywhere, monkeypatch):
    """With 64 files, 16 connections are opened: silent origins leave room for everything else."""
    monkeypatch.setattr(connections, "open_files", lambda: 64)

    async def scenario():
        transport = CurlTransport(egress=everywhere)
        async with silent_services(5) as (silent, urls):
            before = len(os.listdir("/proc/self/fd"))
            sends = [transport.send(request(url)) for _ in range(20) for url in urls]
            await until(silent, lambda: sum(one.asked for one in silent) == 16)
            # Each connection has two ends in this process, and libcurl has a few files of its own.
            assert len(os.listdir("/proc/self/fd")) - before <= 2 * 16 + 4
            await transport.close()
            answers = await asyncio.gather(*sends, return_exceptions=True)
            assert {type(answer) for answer in answers} == {LabStopped}

    run(scenario())
