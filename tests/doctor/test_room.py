"""The address of a room. ``endtoend/test_room.py`` examines one in a network of its own."""

import asyncio
import json
import socket
from datetime import UTC, datetime, timedelta
from email.message import Message
from types import SimpleNamespace

import pytest
import trustme

from pushlab.appserver.app import ApplicationServer
from pushlab.appserver.keys import VapidKeys
from pushlab.appserver.web.certificate import Certificate
from pushlab.doctor import room
from pushlab.doctor.findings import Level
from pushlab.fetch import Reply
from pushlab.lab.loop import BackgroundLoop

from ..run.ports import free_port
from ..test_fetch import data, serving

FAULTS = {"application server", "user agent", "this machine"}


def told(findings) -> list[str]:
    """Return the codes of findings that are not "ok"; each of those says whose turn it is."""
    rest = [one for one in findings if one.level is not Level.OK]
    assert all(one.seen and one.fix and one.fault in FAULTS for one in rest)
    return [one.code for one in rest]


def test_an_address_of_nobody_or_of_every_interface_is_told_with_those_of_this_machine(monkeypatch):
    monkeypatch.setattr(room.network, "interfaces", lambda: {"10.77.0.1": ("eth0", "10.77.0.0/24")})
    for host in ("0.0.0.0", "192.0.2.77", "lab", "127.0.0.1"):
        (finding,) = room.examine_room(host)
        assert finding.code == ("room-loopback" if host == "127.0.0.1" else "room-address")
        assert finding.level is Level.BAD and "10.77.0.1" in f"{finding.seen} {finding.fix}"


@pytest.mark.parametrize(
    ("host", "code"), [("169.254.7.7", "room-link-local"), ("8.8.8.8", "room-public")]
)
def test_an_address_that_no_room_should_have_is_told(monkeypatch, host, code):
    monkeypatch.setattr(room.network, "checked", str)
    assert told(room._address(host)) == [code]


def test_a_room_that_is_not_open_is_told_from_a_lab_at_the_loopback_and_from_another_program(run):
    async def findings() -> list[str]:
        server = ApplicationServer(keys=VapidKeys.generate())
        await server.start()
        try:
            port = free_port()  # Another lab at 127.0.0.1 would be found in its place.
            with socket.create_server(("127.0.0.2", port)):
                taken = room._closed("127.0.0.2", port)
            free = room._closed("127.0.0.2", port)
            loopback = await asyncio.to_thread(room._closed, "127.0.0.2", server.port)
            return [taken.code, free.code, loopback.code]
        finally:
            await server.stop()

    assert run(findings()) == ["room-port-taken", "room-closed", "room-at-loopback"]


def test_a_push_service_that_does_not_answer_or_not_to_chromium_is_told():
    nobody = free_port()
    with serving(data(mcs_url=f"https://127.0.0.1:{nobody}")) as half:
        for port, words in ((nobody, "does not answer"), (half, "not listen for Chromium")):
            told_to_pages = {"data": {"push_service": f"ws://127.0.0.1:{port}/"}}
            reply = Reply(200, Message(), json.dumps(told_to_pages).encode())
            ports, (finding,) = room._push_service(reply)
            assert ports == [port] and told([finding]) == ["room-push-service"]
            assert words in finding.seen


def test_a_firewall_that_is_on_is_told_with_the_rule_that_lets_the_room_in(monkeypatch, tmp_path):
    monkeypatch.setattr(room.network, "interfaces", lambda: {"10.77.0.1": ("eth0", "10.77.0.0/24")})
    file = tmp_path / "ufw.conf"
    monkeypatch.setattr(room, "FIREWALLS", {"ufw": (str(file), *room.FIREWALLS["ufw"][1:])})
    assert list(room._firewalls("10.77.0.1", [8292])) == [], "it is not installed"
    file.write_text("ENABLED=no\n")
    assert list(room._firewalls("10.77.0.1", [8292])) == [], "it is off"
    file.write_text("ENABLED=yes\n")
    (finding,) = room._firewalls("10.77.0.1", [8292, 8030, 40443])
    allow = "sudo ufw allow from 10.77.0.0/24 to any port 8292,8030,40443 proto tcp"
    assert (finding.code, finding.fix) == ("room-firewall", f"Let the room in: {allow}")


# --- the certificate -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def issuer():
    return trustme.CA()


@pytest.fixture
def secure(issuer, tmp_path):
    """Return a function that serves the page by https, at 127.0.0.1, with a certificate."""
    loop, servers = BackgroundLoop(), []

    def serve(*names: str, ends: datetime | None = None) -> SimpleNamespace:
        made = issuer.issue_cert(*names, not_after=ends)
        made.cert_chain_pems[0].write_to_path(tmp_path / "lab.pem")
        made.private_key_pem.write_to_path(tmp_path / "lab.key")
        first = datetime.now(UTC) - timedelta(days=1)
        loaded = Certificate.load(tmp_path / "lab.pem", tmp_path / "lab.key", now=first)
        server = ApplicationServer(keys=VapidKeys.generate(), certificate=loaded)
        servers.append(server)
        loop.run(server.start())
        return SimpleNamespace(port=server.port, der=loaded.der)

    yield serve
    for server in servers:
        loop.run(server.stop())
    loop.stop()


def look(server) -> tuple[str, list[str]]:
    url, findings = room._certificate("127.0.0.1", server.port, server.der)
    return url.replace(str(server.port), "PORT"), told(findings)


def test_a_certificate_is_told_by_who_trusts_it_and_where_its_name_leads(
    secure, issuer, monkeypatch, tmp_path
):
    private = secure("127.0.0.1")
    assert look(private) == ("https://127.0.0.1:PORT/", ["room-certificate-private"])
    issuer.cert_pem.write_to_path(tmp_path / "issuer.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "issuer.pem"))
    assert look(private) == ("https://127.0.0.1:PORT/", []), "control: this machine trusts it now"
    assert look(secure("localhost")) == ("https://localhost:PORT/", []), "opened by its name"
    assert look(secure("lab.invalid")) == ("https://lab.invalid:PORT/", ["room-name"])
    assert look(secure("*.example.org")) == ("https://127.0.0.1:PORT/", ["room-certificate-name"])
    other = secure("127.0.0.1")
    other.port = private.port
    assert look(other) == ("https://127.0.0.1:PORT/", ["room-name"]), "another server is there"


def test_a_certificate_that_has_ended_or_ends_soon_is_told(secure, issuer, monkeypatch, tmp_path):
    issuer.cert_pem.write_to_path(tmp_path / "issuer.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "issuer.pem"))
    now = datetime.now(UTC)
    assert look(secure("127.0.0.1", ends=now + timedelta(hours=5)))[1] == ["room-certificate-ends"]
    assert look(secure("127.0.0.1", ends=now - timedelta(hours=5)))[1] == ["room-certificate"]
