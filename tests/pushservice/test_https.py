"""The port for senders that need https: who is served there, and whom its certificate vouches for."""

import dataclasses
import json
import socket
import ssl
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from tornado.httpclient import HTTPRequest, HTTPResponse

from pushlab.errors import BadPort, LabStopped, PortTaken
from pushlab.protocol.subscription import PushSubscription
from pushlab.pushservice.app import PushService

from .conftest import fetch

NAMES = ("localhost", "127.0.0.1", "[::1]")


def at(bench, subscription: PushSubscription, name: str = "localhost") -> PushSubscription:
    """Return a subscription with its endpoint by https, at one of the names of this machine."""
    token = subscription.endpoint.rpartition("/")[2]
    endpoint = bench.service.endpoint(token, https=True).replace("localhost", name)
    return dataclasses.replace(subscription, endpoint=endpoint)


async def trusting(bench, request: HTTPRequest) -> HTTPResponse:
    """Send a request as one who trusts the authority, and no other."""
    request.ssl_options = ssl.create_default_context(cadata=bench.service.ca_pem.decode())
    return await fetch(request)


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def port_of(bench) -> int:
    return urlsplit(bench.service.https_origin).port


def test_a_message_by_https_arrives_at_whichever_name_it_was_sent(bench):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        for name in NAMES if has_ipv6() else NAMES[:2]:
            response = await trusting(bench, sender.request(at(bench, subscription, name), b"hello"))
            assert response.code == 201, (name, response.body)
            location = response.headers["Location"]
            assert location.startswith(f"https://{name}:{port_of(bench)}/m/")
            waits = await trusting(bench, HTTPRequest(location))
            assert (waits.code, waits.headers["Content-Encoding"]) == (200, "aes128gcm")
            notification = await agent.notification()
            assert agent.read(notification) == b"hello"
            await agent.ack(notification)

    bench(scenario)


def test_the_audience_is_the_origin_that_was_asked(bench, http):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        secure = at(bench, subscription)
        for to, audience in (
            (secure, subscription.origin),
            (secure, f"https://127.0.0.1:{port_of(bench)}"),
            (secure, "https://localhost"),
            (subscription, secure.origin),
        ):
            request = sender.request(to, b"hello")
            request.headers["Authorization"] = sender.authorization(to, aud=audience)
            response = await (http(request) if to is subscription else trusting(bench, request))
            assert json.loads(response.body)["error"]["id"] == "bad-audience", (to.origin, audience)
        strange = sender.request(secure, b"hello")
        strange.headers["Host"] = "localhost:99999"
        assert (await trusting(bench, strange)).code == 201
        await agent.notification()
        await agent.hears_nothing()

    bench(scenario)


def test_an_audience_without_its_port_is_taken_if_that_is_asked_for(bench, http):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        for to, audience, status in (
            (at(bench, subscription), "https://localhost", 201),
            (at(bench, subscription), "https://localhost/", 403),
            (at(bench, subscription), "https://127.0.0.1", 403),
            (subscription, "http://127.0.0.1", 201),
            (subscription, "https://127.0.0.1", 403),
        ):
            request = sender.request(to, b"hello")
            request.headers["Authorization"] = sender.authorization(to, aud=audience)
            response = await (http(request) if to is subscription else trusting(bench, request))
            assert response.code == status, (to.origin, audience)
            if status == 403:
                assert repr(to.origin) in json.loads(response.body)["error"]["message"]
            else:
                await agent.ack(await agent.notification())

    bench(scenario, aud_without_port=True)


def test_the_authority_vouches_for_this_machine_alone_and_shows_no_key(bench, run):
    async def scenario(bench):
        service = bench.service
        assert service.ca_pem.count(b"BEGIN") == 1 and b"PRIVATE" not in service.ca_pem
        assert service.ca_pem != service.chromium.ca_pem, "that one vouches for a vendor's hosts"
        leaf = x509.load_pem_x509_certificate(service._https._tls.certificates.leaf_pem)
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == ["localhost"]
        assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
        with pytest.raises(ssl.SSLError):
            await fetch(service.https_origin)

    bench(scenario)
    with pytest.raises(LabStopped):
        _ = PushService().ca_pem


def test_pages_other_hosts_and_plain_http_are_refused(bench, raw):
    async def scenario(bench):
        _, sender, subscription = await bench.subscribed()
        for headers, status in (
            ({"Sec-Fetch-Site": "cross-site"}, 403),
            ({"Origin": "https://evil.example"}, 403),
            ({"Host": "fcm.googleapis.com"}, 421),
        ):
            request = sender.request(at(bench, subscription), b"hello")
            request.headers |= headers
            assert (await trusting(bench, request)).code == status, headers
        for path in ("presence", "checkin", "c2dm/register3", "test/subscribe"):
            request = HTTPRequest(f"{bench.service.https_origin}/{path}", "POST", body=b"{}")
            assert (await trusting(bench, request)).code == 404, path
        answer = await raw(port_of(bench), b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 400 ") and b"begin the address with https://" in answer

    bench(scenario, control=True)


def test_authority_and_port_survive_a_restart_and_a_port_can_be_chosen(run, tmp_path):
    async def scenario():
        service = PushService(database=f"sqlite:///{tmp_path}/push.sqlite3")
        await service.start()
        first, authority = service.https_origin, service.ca_pem
        await service.stop()
        again = PushService(database=f"sqlite:///{tmp_path}/push.sqlite3")
        await again.start()
        assert (again.https_origin, again.ca_pem) == (first, authority)
        await again.stop()
        with socket.create_server(("127.0.0.1", urlsplit(first).port)) as holder:
            await again.start()  # The kept port is taken.
            second = again.https_origin
            assert second != first and again.ca_pem == authority
            await again.stop()
            with pytest.raises(PortTaken):
                await again.start(https_port=holder.getsockname()[1])
            await again.stop()
        await again.start(https_port=urlsplit(first).port)
        assert again.https_origin == first
        await again.stop()
        await again.start(https_port=0)
        assert again.https_origin != first
        await again.stop()
        for wrong in (-1, 65536, "8446", 8446.0):
            with pytest.raises(BadPort):
                await again.start(https_port=wrong)
        await again.stop()

    run(scenario())


def test_at_another_address_it_has_another_certificate(run, tmp_path):
    """127.0.0.2 stands for a room's address: the loopback has it without any set-up, on Linux."""

    async def scenario():
        service = PushService(database=f"sqlite:///{tmp_path}/push.sqlite3")
        await service.start()
        authority, spki = service.ca_pem, service.chromium.spki
        await service.stop()
        await service.start(host="127.0.0.2")
        assert urlsplit(service.https_origin).hostname == "127.0.0.2"
        assert service.ca_pem != authority and service.chromium.spki != spki
        context = ssl.create_default_context(cadata=service.ca_pem.decode())
        assert (await fetch(HTTPRequest(service.https_origin, ssl_options=context))).code == 200
        await service.stop()

    run(scenario())
