"""What these tests share: keys, subscribers, and a push service that does as it is told."""

import asyncio
import datetime
import ipaddress
import json
import os
import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import http_ece
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from tornado.httpclient import HTTPRequest
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.simple_httpclient import SimpleAsyncHTTPClient
from tornado.web import Application, RequestHandler, stream_request_body

from pushlab.appserver.app import ApplicationServer
from pushlab.appserver.delivery.egress import EgressPolicy
from pushlab.appserver.keys import VapidKeys
from pushlab.journal import Journal
from pushlab.protocol import p256
from pushlab.protocol.subscription import PushSubscription
from pushlab.settings import patience


@dataclass
class Subscriber:
    """A user agent's half of one subscription."""

    endpoint: str
    private: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    auth: bytes = field(default_factory=lambda: os.urandom(16))

    @property
    def subscription(self) -> PushSubscription:
        return PushSubscription(self.endpoint, p256.raw_public(self.private), self.auth)

    def read(self, body: bytes) -> bytes:
        """Decrypt with http_ece, which knows nothing of our code."""
        return http_ece.decrypt(body, private_key=self.private, auth_secret=self.auth)


@dataclass
class Received:
    """A request as the push service saw it."""

    method: str
    path: str
    headers: object
    body: bytes
    connection: object


class Scripted:
    """A push service that keeps what it gets and answers what the test says.

    ``answer``: called with the handler and the number of the request (from 1), for each request.
    """

    def __init__(self):
        self.received: list[Received] = []
        self.answer = lambda handler, number: handler.set_status(201)
        self.origin = ""
        self.closing = asyncio.Event()
        self.server: HTTPServer

    def endpoint(self, name: str = "one") -> str:
        return f"{self.origin}/push/{name}-0123456789abcdef"

    async def left(self) -> None:
        """Wait until all that clients had sent before they ended has been received."""
        while True:
            await asyncio.sleep(0.01)  # In this turn of the loop, who still waits is accepted.
            if not self.server._connections:
                return


@stream_request_body
class ScriptedHandler(RequestHandler):
    def initialize(self, service: Scripted):
        self.service, self.content = service, b""

    def data_received(self, chunk):
        self.content += chunk

    async def get(self):
        service, request = self.service, self.request
        service.received.append(
            Received(request.method, request.path, request.headers, self.content, request.connection)
        )
        waits = service.answer(self, len(service.received))
        if waits is not None:
            await waits

    post = get


@asynccontextmanager
async def scripted(ssl_options=None, host="127.0.0.1"):
    service = Scripted()
    application = Application(
        [(r".*", ScriptedHandler, {"service": service})], log_function=lambda handler: None
    )
    server = service.server = HTTPServer(application, ssl_options=ssl_options)
    sockets = bind_sockets(0, host)
    server.add_sockets(sockets)
    scheme = "https" if ssl_options else "http"
    service.origin = f"{scheme}://{host}:{sockets[0].getsockname()[1]}"
    try:
        yield service
    finally:
        service.closing.set()  # Whoever is kept waiting may go.
        server.stop()
        await server.close_all_connections()


@pytest.fixture
def push_service():
    """Give the context manager of a push service that does as told."""
    return scripted


class Everywhere(EgressPolicy):
    """EgressPolicy the push services of these tests, whose ports are not known beforehand."""

    def permits(self, url: str, address: str) -> bool:
        return address == "127.0.0.1"


@pytest.fixture
def everywhere() -> EgressPolicy:
    """Let a sender reach every port of this machine."""
    return Everywhere()


@pytest.fixture(scope="session")
def subscriber():
    """Make a subscriber with this endpoint."""
    return Subscriber


@pytest.fixture(scope="session")
def keys() -> VapidKeys:
    """Keys whose private half begins with a zero byte."""
    raw = bytes.fromhex("00853e799f052c6cfd3b76dbdd01dba23a4d53caa9a04abfe157d07b64f42f0b")
    return VapidKeys.from_raw(raw, subject="mailto:test@example.com")


@pytest.fixture(scope="session")
def serving(keys):
    """Run an application server; ``origins`` are push services that may use plain http."""

    @asynccontextmanager
    async def running(*origins, **options):
        server = ApplicationServer(
            keys=options.pop("keys", keys), journal=Journal(), push_origins=origins, **options
        )
        await server.start()
        try:
            yield server
        finally:
            await server.stop()

    return running


@pytest.fixture
def authority(tmp_path_factory):
    """Give an authority's certificate (a file), and a TLS context that it vouches for.

    Each test has its own: one of them may set what the context offers.
    """
    folder = tmp_path_factory.mktemp("tls")
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)

    def certificate(name, key, issuer, issuer_key, *extensions):
        builder = x509.CertificateBuilder(
            issuer_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]),
            subject_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]),
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=now - day,
            not_valid_after=now + day,
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=True)
        return builder.sign(issuer_key, hashes.SHA256()).public_bytes(Encoding.PEM)

    root, leaf = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    ca = x509.BasicConstraints(ca=True, path_length=None)
    (folder / "ca.pem").write_bytes(certificate("lab", root, "lab", root, ca))
    chain = certificate("127.0.0.1", leaf, "lab", root, names)
    secret = leaf.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "leaf.pem").write_bytes(chain + secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "leaf.pem")
    return folder / "ca.pem", context


@dataclass
class Reply:
    """What a server answered."""

    status: int
    headers: object
    body: bytes

    @property
    def json(self) -> dict:
        assert self.headers["Content-Type"].startswith("application/json"), self.body
        return json.loads(self.body)

    @property
    def error(self) -> tuple[int, str]:
        """The status and the id of an error; the words must be there too."""
        [(name, error)] = self.json.items()
        assert name == "error" and error["message"]
        return self.status, error["id"]


async def fetch(url: str, body: object = None, method: str | None = None, **headers: str) -> Reply:
    """Send one request over a connection of its own. ``body``: bytes, or a JSON value."""
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if body is not None:
        named.setdefault("Content-Type", "application/json")
    request = HTTPRequest(
        url,
        method=method or ("GET" if body is None else "POST"),
        body=body,
        headers=named,
        allow_nonstandard_methods=True,
        follow_redirects=False,
        decompress_response=False,
        request_timeout=patience(60),
    )
    client = SimpleAsyncHTTPClient(force_instance=True)
    try:
        response = await client.fetch(request, raise_error=False)
    finally:
        client.close()
    if response.code == 599:
        raise response.error
    return Reply(response.code, response.headers, response.body)


@pytest.fixture(name="fetch")
def fetch_fixture():
    """Give the function that sends one request."""
    return fetch
