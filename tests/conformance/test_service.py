"""The push service of the examination, over sockets: what it records, and each manner of its answers."""

import asyncio
import random
import ssl
from contextlib import suppress
from email.utils import parsedate_to_datetime

import pycurl
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from pushlab.conformance import http1, service
from pushlab.conformance.answer import ACCEPTED, Answer, Manner, Plan, always, first
from pushlab.conformance.recipients import Recipient
from pushlab.conformance.service import DISTRUST, HOSTS, ExaminationService
from pushlab.conformance.strict import refusal
from pushlab.errors import EncryptionError, PortTaken
from pushlab.protocol import encryption, p256, vapid
from pushlab.protocol.delivery import PushOptions, build_request
from pushlab.protocol.origin import without_port
from pushlab.protocol.spelling.captured import Captured
from pushlab.pushservice.certificates import Certificates

KEY = ec.derive_private_key(8292, p256.CURVE)
NOW = 1_790_000_000.0


def request_to(recipient: Recipient, *, aud: str = "", **headers: str) -> Captured:
    """Return a right request, or one with other headers; ``_`` stands for ``-`` in their names."""
    subscription = recipient.subscription
    body = encryption.encrypt(
        b"Hello", subscription, as_private=ec.generate_private_key(p256.CURVE), salt=bytes(16)
    )
    claims = vapid.Claims(aud or recipient.origin, int(NOW) + 3600, "mailto:me@example.com")
    authorization = vapid.authorization(vapid.sign(claims, KEY), p256.raw_public(KEY))
    request = build_request(subscription, body, authorization, PushOptions(ttl=60))
    fields = dict(request.headers) | {name.replace("_", "-"): value for name, value in headers.items()}
    return Captured("raw HTTP", "POST", request.url, tuple(fields.items()), body)


def written(request: Captured) -> bytes:
    path = request.url[request.url.index("/", 8) :]
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", *(f"{n}: {v}" for n, v in request.headers)]
    lines.append(f"Content-Length: {len(request.body or b'')}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (request.body or b"")


async def cut(writer: asyncio.StreamWriter) -> None:
    """End a connection, and wait until its socket is closed."""
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()


class Served:
    """A service that runs, and a connection to it for each request."""

    def __init__(self, certificates: Certificates | None = None, **options) -> None:
        self.service = ExaminationService(certificates, clock=lambda: NOW, **options)
        self.certificates = certificates

    async def __aenter__(self) -> "Served":
        await self.service.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.service.stop()

    def recipient(self, plan: Plan, **options) -> Recipient:
        return self.service.recipient(plan=plan, key=p256.raw_public(KEY), **options)

    async def connect(self, service: int = 0):
        host, port = self.service.origins[service].rpartition("//")[2].split(":")
        context = None
        if self.certificates is not None:
            context = ssl.create_default_context(cadata=self.certificates.ca_pem.decode())
        return await asyncio.open_connection(host, int(port), ssl=context)

    async def send(self, data: bytes, most: int = 2**20) -> bytes:
        """Send bytes, and return all that comes back until the end."""
        reader, writer = await self.connect()
        try:
            writer.write(data)
            answer = b""
            while len(answer) < most and (piece := await reader.read(2**16)):
                answer += piece
            return answer
        finally:
            await cut(writer)


async def answer_to(served: Served, recipient: Recipient, request: Captured | None = None) -> bytes:
    reader, writer = await served.connect()
    writer.write(written(request or request_to(recipient)))
    head = await reader.readuntil(b"\r\n\r\n")
    await cut(writer)
    return head


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_a_right_request_is_accepted_and_recorded_byte_for_byte(run, tls):
    async def scenario():
        async with Served(Certificates.make(HOSTS) if tls else None) as served:
            recipient = served.recipient(Plan())
            request = request_to(recipient, X_Mine="one", x_MINE="two")
            assert (await answer_to(served, recipient, request)).startswith(b"HTTP/1.1 201 Created\r\n")
            (arrived,) = recipient.arrived
            assert (arrived.body, arrived.status) == (request.body, 201)
            assert arrived.request.headers[1 : len(request.headers) + 1] == request.headers
            assert arrived.request.values("x-mine") == ["one", "two"]
            assert recipient.open(arrived.body) == b"Hello"
            assert (
                served.service.origins[0]
                == f"http{'s' * tls}://localhost:" + (served.service.origins[0].rpartition(":")[2])
            )

    run(scenario())


WRONG = {
    "no TTL": ({"TTL": ""}, 400),
    "Topic": ({"Topic": "no topic"}, 400),
    "coding": ({"Content_Encoding": "aesgcm"}, 400),
    "aud": ({"aud": "https://another.example"}, 403),
    "no token": ({"Authorization": ""}, 401),
}


def test_a_wrong_request_is_refused_as_the_rfcs_say():
    recipient = Recipient("https://localhost:8188", random.Random(1), key=p256.raw_public(KEY))
    assert refusal(request_to(recipient), recipient, NOW) is None
    for name, (wrong, status) in WRONG.items():
        error = refusal(request_to(recipient, **wrong), recipient, NOW)
        assert error is not None and error.status == status, name
    late = refusal(request_to(recipient), recipient, NOW + 3601)
    assert late is not None and late.code == "token-expired"
    portless = request_to(recipient, aud=without_port(recipient.origin))
    assert refusal(portless, recipient, NOW) is None, "vendors are at port 443, so it is warned of alone"


def test_answers_come_in_the_order_of_the_plan(run):
    async def scenario():
        async with Served() as served:
            recipient = served.recipient(first(Answer(429, pause=2), Answer(503, pause=2, as_date=True)))
            heads = [await answer_to(served, recipient) for _ in range(3)]
            assert [head.split(b" ")[1] for head in heads] == [b"429", b"503", b"201"]
            assert b"\r\nRetry-After: 2\r\n" in heads[0]
            date = heads[1].partition(b"Retry-After: ")[2].partition(b"\r\n")[0].decode()
            assert parsedate_to_datetime(date).timestamp() == NOW + 2
            assert [arrived.not_before for arrived in recipient.arrived[:2]] == [NOW + 2, NOW + 2]
            assert served.service.retire() == [recipient] and served.service.retire() == []
            assert b" 410 Gone\r\n" in await answer_to(served, recipient)

    run(scenario())


def test_each_manner_of_an_answer(run):
    async def scenario():
        async with Served(patience=2) as served:
            for manner, begins in (
                (Manner.HANG_UP, b""),
                (Manner.SILENCE, b""),
                (Manner.GARBAGE, b"\x00\xff\x16"),
                (Manner.DRIP, b"HTTP/1.1 201 Created\r\n"),
                (Manner.FLOOD, b"HTTP/1.1 201 Created\r\n"),
            ):
                recipient = served.recipient(always(Answer(manner=manner)))
                came = await served.send(written(request_to(recipient)))
                assert came.startswith(begins) and bool(came) == bool(begins), manner
                (arrived,) = recipient.arrived
                await arrived.ended.wait()
                assert (arrived.status, arrived.answer) == (0, str(Answer(manner=manner)))
            assert 2**20 <= arrived.taken < 2**25, "the flood ends when its reader does"
            reset = served.recipient(always(Answer(manner=Manner.RESET)))
            with pytest.raises(ConnectionResetError):
                await served.send(written(request_to(reset)))

    run(scenario())


def test_what_leads_elsewhere_is_a_stray_and_the_trap_answers_nobody(run):
    async def scenario():
        async with Served() as served:
            recipient = served.recipient(always(ACCEPTED))
            stray = b"GET " + recipient.path.encode() + b" HTTP/1.1\r\nHost: x\r\n\r\n"
            reader, writer = await served.connect()
            writer.write(stray)
            assert b" 404 " in await reader.readuntil(b"\r\n\r\n")
            await cut(writer)
            assert [one.method for one in served.service.strays] == ["GET"] and not recipient.arrived
            reader, writer = await asyncio.open_connection("127.0.0.1", served.service.trap_port)
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await reader.readexactly(1)
            await cut(writer)
            assert served.service.trapped == 1

    run(scenario())


BROKEN = {
    b"no request\r\n\r\n": "the first line",
    b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n": "Content-Length",
    b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n": "longer than",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n": "the size of a chunk",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;" + bytes(2**17): "a line in the body",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: " + bytes(2**17): "a line in the",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"A: b\r\n" * 999: "trailers",
    b"POST http://[ HTTP/1.1\r\n\r\n": "the target is not a URL",
    b"A: " + b"x" * http1.MAX_HEAD + b"\r\n\r\n": "the headers are longer",
}


def test_what_is_no_request_is_said_in_a_sentence(run):
    async def scenario():
        async with Served() as served:
            for data, words in BROKEN.items():
                with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                    if not await served.send(data):
                        raise ConnectionError
                assert words in served.service.broken[-1], data

    run(scenario())


def test_what_a_sender_can_have_recorded_is_bounded(run, monkeypatch):
    """A loop that sends without a pause must not take the memory of this machine."""
    monkeypatch.setattr(service, "MAX_RECORDED", 12_000)
    monkeypatch.setattr(service, "FAULTS_KEPT", 3)

    async def scenario():
        async with Served() as served:
            recipient = served.recipient(always(ACCEPTED))
            for path in (recipient.path, "/of-nobody"):
                data = f"POST {path} HTTP/1.1\r\nContent-Length: 3000\r\n\r\n".encode() + bytes(3000)
                reader, writer = await served.connect()
                answers = 0
                with suppress(ConnectionError, asyncio.IncompleteReadError):
                    while answers < 99:
                        writer.write(data)
                        await reader.readuntil(b"\r\n\r\n")
                        answers += 1
                await cut(writer)
                assert answers == {recipient.path: 3}.get(path, 0), path
            assert len(recipient.arrived) == 3 and not served.service.strays
            assert "more than 12000 bytes" in served.service.broken[-1]
            for _ in range(9):
                with suppress(ConnectionError):
                    await served.send(b"no request\r\n\r\n")
            assert len(served.service.broken) == 3

    run(scenario())


def test_a_sender_that_speaks_tls_to_the_port_of_http_is_not_left_to_wait(run):
    async def scenario():
        async with Served() as served:
            port = int(served.service.origins[0].rpartition(":")[2])
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await asyncio.open_connection("127.0.0.1", port, ssl=ssl.create_default_context())
            assert served.service.broken == ["the sender spoke https to the port of http"]

    run(scenario())


def test_a_sender_that_trusts_nobody_is_said_in_a_sentence(run):
    async def scenario():
        async with Served(Certificates.make(HOSTS)) as served:
            port = int(served.service.origins[0].rpartition(":")[2])
            with pytest.raises(ssl.SSLCertVerificationError):
                await asyncio.open_connection("localhost", port, ssl=ssl.create_default_context())
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await reader.readexactly(2**16)
            await cut(writer)
            # Python's own client closes the connection without a word, and so does libcurl's.
            assert served.service.broken == [DISTRUST, "the sender spoke http to the port of https"]
            curl = pycurl.Curl()
            curl.setopt(pycurl.URL, f"https://localhost:{port}/")
            with pytest.raises(pycurl.error, match="verify"):
                await asyncio.to_thread(curl.perform)
            while len(served.service.broken) == 2:
                await asyncio.sleep(0.01)
            assert served.service.broken[2:] == [DISTRUST]

    run(scenario())


def test_a_body_in_chunks_is_joined(run):
    async def scenario():
        async with Served() as served:
            recipient = served.recipient(always(ACCEPTED))
            head = f"POST {recipient.path} HTTP/1.1\r\nExpect: 100-continue\r\n".encode()
            reader, writer = await served.connect()
            writer.write(head + b"Transfer-Encoding: chunked\r\n\r\n")
            assert await reader.readuntil(b"\r\n\r\n") == http1.CONTINUE
            writer.write(b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n")
            assert b" 201 " in await reader.readuntil(b"\r\n\r\n")
            await cut(writer)
            assert recipient.arrived[0].body == b"abcde"

    run(scenario())


def test_a_port_that_is_taken_is_said(run):
    async def scenario():
        async with Served() as served:
            port = int(served.service.origins[0].rpartition(":")[2])
            with pytest.raises(PortTaken, match=f"port {port}"):
                await ExaminationService(None, ports=(port, 0)).start()

    run(scenario())


def test_a_recipient_opens_several_records_too_and_shows_no_secret():
    recipient = Recipient("https://localhost:8188", random.Random(2))
    with pytest.raises(EncryptionError):
        recipient.open(bytes(120))
    shown = f"{recipient!r} {recipient}"
    assert recipient.path not in shown and recipient.label in shown
