"""A private lab: what it keeps, where it listens, and what others of the machine find."""

import json
import stat
from contextlib import ExitStack
from urllib.error import HTTPError
from urllib.request import Request

import pytest

from pushlab import settings
from pushlab.appserver.app import ApplicationServer
from pushlab.appserver.web.application import application
from pushlab.errors import BadArgument
from pushlab.lab import network
from pushlab.lab.private import NAME, PrivateAddresses
from pushlab.lab.runtime import LabRuntime
from pushlab.pushservice.app import PushService
from pushlab.server.http import listen
from pushlab.settings import DIRECT, patience

from ..run.ports import free_port


@pytest.fixture
def on_a_hub(monkeypatch, tmp_path):
    """Let this process be a user's on a JupyterHub, with a home of their own and no port in mind."""
    for name in ("PUSHLAB_PORT", "PUSHLAB_PUSH_PORT", "PUSHLAB_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ada/")
    monkeypatch.setenv("HOME", str(tmp_path))


def status(url: str, method: str = "GET") -> int:
    body = b"{}" if method == "POST" else None
    request = Request(url, body, {"Content-Type": "application/json"}, method=method)
    try:
        with DIRECT.open(request, timeout=patience(30)) as answer:
            return answer.status
    except HTTPError as refused:
        refused.close()
        return refused.code


def test_a_lab_on_a_hub_is_its_user_s_alone(on_a_hub, tmp_path):
    # Whoever has the fixed ports, this lab needs neither.
    with LabRuntime() as lab:
        assert lab.data == tmp_path / ".pushlab"
        server, service = lab.application_server, lab.push_service
        assert {8292, 8030}.isdisjoint({server.port, service.port})
        secret = server.url.split("/")[3]
        assert lab.page_url == f"/user/ada/proxy/{server.port}/{secret}/"
        # The whole loop works with these addresses, also the question who is connected.
        browser = lab.open("virtual")
        browser.subscribe()
        browser.notify_me()
        assert browser.wait_for_notification(body="ID: 1")
        assert [one.connected for one in lab.room()] == [True]
        # Every route, as a neighbour finds it at the port.
        routes = [rule.matcher.regex.pattern for rule in application(server).wildcard_router.rules]
        assert {"/notify-all$", "/subscriptions$", "/events$"} < set(routes)
        paths = [*(route.rstrip("$") for route in routes[:-1]), "/", "/index.html", "/sw.js"]
        for path in paths:
            for method in ("GET", "POST", "HEAD", "OPTIONS", "DELETE"):
                outside = f"http://127.0.0.1:{server.port}{path}"
                assert status(outside, method) == 403, (method, path)
        assert status(f"{server.url}sw.js") == status(f"{server.url}vapid") == 200
        told = json.dumps([event.to_json() for event in lab.journal.events()])
        kept = json.loads((lab.data / NAME).read_text("utf-8"))
        assert secret == kept["page_secret"] != kept["push_secret"]
        for one in (kept["page_secret"], kept["push_secret"]):
            assert one not in told and one not in repr(lab.push_service.chromium)
        assert stat.S_IMODE((lab.data / NAME).stat().st_mode) == 0o600


def test_the_addresses_are_the_same_after_a_restart_if_they_are_free(on_a_hub):
    folder = settings.data_folder()
    folder.mkdir(mode=0o700)
    PrivateAddresses(port=free_port(), push_port=free_port()).write(folder)
    with LabRuntime() as lab:
        first = lab.application_server.url, lab.push_service.ws_url
        browser = lab.open("virtual")
        browser.subscribe()
    (lab.data / NAME).write_text(
        (lab.data / NAME).read_text("utf-8").replace(str(lab.push_service.port), str(free_port()))
    )
    kept = PrivateAddresses.read(lab.data)
    with listen(kept.push_port, "127.0.0.1"), LabRuntime() as lab:
        assert lab.application_server.url == first[0]
        assert lab.push_service.port not in (0, kept.push_port)
        assert kept.push_secret in lab.push_service.ws_url


@pytest.mark.parametrize("server", [ApplicationServer, PushService])
def test_a_kept_port_that_somebody_takes_at_the_last_moment_is_replaced(on_a_hub, monkeypatch, server):
    folder = settings.data_folder()
    folder.mkdir(mode=0o700)
    kept = PrivateAddresses(port=free_port(), push_port=free_port())
    kept.write(folder)
    start = server.start

    with ExitStack() as others:

        async def too_late(self, port, *arguments):
            if port in (kept.port, kept.push_port):
                others.enter_context(listen(port, "127.0.0.1"))
            await start(self, port, *arguments)

        monkeypatch.setattr(server, "start", too_late)
        with LabRuntime() as lab:
            ports = {ApplicationServer: lab.application_server.port, PushService: lab.push_service.port}
            wanted = {ApplicationServer: kept.port, PushService: kept.push_port}
            assert ports.pop(server) not in (0, wanted.pop(server))
            assert ports == wanted, "the other one is as it was"
            assert PrivateAddresses.read(folder).port == lab.application_server.port
            assert PrivateAddresses.read(folder).push_port == lab.push_service.port


def test_who_asks_for_ports_gets_them(on_a_hub, monkeypatch):
    port, push_port = free_port(), free_port()
    monkeypatch.setenv("PUSHLAB_PUSH_PORT", str(push_port))
    with LabRuntime(port=port) as lab:
        assert (lab.application_server.port, lab.push_service.port) == (port, push_port)


def test_on_one_s_own_machine_nothing_is_secret(tmp_path):
    with LabRuntime(port=0, push_port=0, data=tmp_path) as lab:
        assert lab.application_server.url == f"http://127.0.0.1:{lab.application_server.port}/"
        assert lab.push_service.ws_url == f"ws://127.0.0.1:{lab.push_service.port}/"
        assert status(f"{lab.application_server.url}vapid") == 200
        assert not (tmp_path / NAME).exists()


def test_a_room_is_for_guests_and_never_private(monkeypatch, tmp_path):
    monkeypatch.setattr(network, "checked", lambda host: host)
    with pytest.raises(BadArgument, match=r"private is for this machine alone"):
        LabRuntime(data=tmp_path, host="10.77.0.1", private=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"page_secret": "short", "push_secret": "short"}', '{"port": 70000}', '{"x": 1}'],
)
def test_what_cannot_be_used_is_made_anew(tmp_path, content):
    (tmp_path / NAME).write_text(content, "utf-8")
    made = PrivateAddresses.read(tmp_path)
    assert made.is_private and len(made.page_secret) == 32 and made.port == 0
    assert PrivateAddresses.read(tmp_path) != made, "nothing is kept before it is written"
    made.write(tmp_path)
    assert PrivateAddresses.read(tmp_path) == made
