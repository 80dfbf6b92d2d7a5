"""What is Chromium's own: its switches and its profile. The rest is in ``test_browser.py``."""

import asyncio
import base64
import json
import os
from hashlib import sha256
from types import SimpleNamespace

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pushlab.useragent.base import Notification
from pushlab.useragent.chromium import browser as module
from pushlab.useragent.chromium import profile as chromium_profile
from pushlab.useragent.chromium.browser import Chromium

LISTENERS = SimpleNamespace(
    checkin_url="http://127.0.0.1:8030/checkin",
    registration_url="http://127.0.0.1:8030/c2dm/register3",
    mcs_url="https://127.0.0.1:40443",
    spki="c3BraQ==",
)
ROOM = SimpleNamespace(**vars(LISTENERS) | {"checkin_url": "http://10.77.0.1:8030/checkin"})


def switches(tmp_path, headless=True):
    """Return what a Chromium is started with, as a mapping; a switch without a value has None."""
    given = chromium_profile.switches(LISTENERS, tmp_path, headless)
    assert all(switch.startswith("--") for switch in given)
    split = [switch.removeprefix("--").split("=", 1) for switch in given]
    assert len({name for name, *_ in split}) == len(given)
    return {name: value[0] if value else None for name, *value in split}


def test_the_switches_say_where_the_push_service_is_and_which_key_to_believe(tmp_path):
    given = switches(tmp_path)
    assert given["gcm-checkin-url"] == LISTENERS.checkin_url
    assert given["gcm-registration-url"] == LISTENERS.registration_url
    assert given["gcm-mcs-endpoint"] == LISTENERS.mcs_url
    assert given["ignore-certificate-errors-spki-list"] == LISTENERS.spki
    assert given["user-data-dir"] == str(tmp_path)
    assert "ignore-certificate-errors" not in given


def test_every_switch_of_the_tables_is_given(tmp_path):
    tables = chromium_profile.NETWORK | chromium_profile.QUIET | chromium_profile.FIRST_RUN
    given = switches(tmp_path)
    assert {name: value or None for name, value in tables.items()}.items() <= given.items()


def test_only_headless_is_without_a_window(tmp_path):
    assert switches(tmp_path)["headless"] == "new"
    assert "headless" not in switches(tmp_path, headless=False)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this system has no root")
@pytest.mark.parametrize(("user", "without"), [(0, True), (1000, False)])
def test_only_root_goes_without_the_sandbox(tmp_path, monkeypatch, user, without):
    monkeypatch.setattr(os, "geteuid", lambda: user)
    assert ("no-sandbox" in switches(tmp_path)) == without


def test_one_origin_may_be_treated_as_secure_and_is_reached_past_the_proxy(tmp_path):
    origin, name = "http://10.77.0.1:8292", "unsafely-treat-insecure-origin-as-secure"
    given = chromium_profile.switches(ROOM, tmp_path, True, origin)
    assert f"--{name}={origin}" in given and "--proxy-bypass-list=10.77.0.1" in given
    assert any(switch.endswith(", EXCLUDE 10.77.0.1") for switch in given)
    assert not {name, "proxy-bypass-list"} & switches(tmp_path).keys(), "none unless it is asked for"
    assert "10.77" not in str(chromium_profile.NETWORK), "and the next Chromium knows nothing of it"


def test_a_page_by_https_is_reached_and_its_certificate_accepted_by_its_key(tmp_path):
    pem = trustme.CA().issue_cert("lab.example").cert_chain_pems[0].bytes()
    made = x509.load_pem_x509_certificate(pem)
    der = made.public_bytes(Encoding.DER)
    given = chromium_profile.switches(ROOM, tmp_path, True, "https://lab.example:8292", der)
    assert "--proxy-bypass-list=10.77.0.1;lab.example" in given
    assert not [switch for switch in given if switch.startswith("--unsafely-treat")]
    info = made.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    key = base64.b64encode(sha256(info).digest()).decode()
    assert f"--ignore-certificate-errors-spki-list={LISTENERS.spki},{key}" in given


def granted(folder):
    preferences = json.loads((folder / "Default" / "Preferences").read_text())
    return preferences["profile"]["content_settings"]["exceptions"]["notifications"]


def test_a_grant_is_written_beside_what_the_profile_holds_already(tmp_path):
    chromium_profile.grant(tmp_path, ["http://127.0.0.1:8292"])
    assert granted(tmp_path) == {"http://127.0.0.1:8292,*": {"setting": 1}}
    path = tmp_path / "Default" / "Preferences"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"browser": {"kept": True}}))
    chromium_profile.grant(tmp_path, ["http://127.0.0.1:9000"])
    assert set(granted(tmp_path)) == {"http://127.0.0.1:8292,*", "http://127.0.0.1:9000,*"}
    assert json.loads(path.read_text())["browser"] == {"kept": True}


def test_preferences_that_cannot_be_read_are_begun_anew(tmp_path):
    (tmp_path / "Default").mkdir()
    (tmp_path / "Default" / "Preferences").write_text("{")
    chromium_profile.grant(tmp_path, ["http://127.0.0.1:8292"])
    assert len(granted(tmp_path)) == 1


def test_the_permission_of_a_kept_profile_is_there_before_anyone_grants_it_again(
    chromium_installed, tmp_path, run, serve
):
    async def scenario():
        async with serve([]) as port:
            page = f"http://127.0.0.1:{port}/"
            look = "() => Notification.permission"

            def without_a_grant():
                """Make a Chromium of its own object: it knows nothing but what the profile holds."""
                return Chromium(LISTENERS, profile=tmp_path, grant=False)

            async def permission(agent):
                await agent._command("Page.navigate", {"url": page})
                return await agent.evaluate(look)

            agent = without_a_grant()
            await agent.start()
            assert await permission(agent) != "granted"
            await agent._allow_notifications(page)
            await agent.close()
            agent = without_a_grant()
            await agent.start()
            assert await permission(agent) == "granted"
            await agent.close()

    run(scenario())


class Recorded(Chromium):
    """A Chromium without a program: the test tells what it displays and when its page answers."""

    def __init__(self):
        super().__init__(LISTENERS)
        self.asked, self.answers = asyncio.Event(), asyncio.Event()

    def _running(self):
        return SimpleNamespace(listen=lambda *_: None)

    async def _command(self, method, params):
        return {}

    async def evaluate(self, function, *arguments):
        self.asked.set()
        await self.answers.wait()
        return []

    def display(self, title):
        metadata = [{"key": "Title", "value": title}, {"key": "Body", "value": ""}]
        event = {"service": "notifications", "eventName": "Notification displayed"}
        self._note_event({"backgroundServiceEvent": event | {"eventMetadata": metadata}})


def test_what_an_interrupted_question_has_read_the_next_one_tells(monkeypatch, run):
    monkeypatch.setattr(module, "AFTER_DISPLAY", 0)
    monkeypatch.setattr(module, "DISPLAYED_KEPT", 2)

    async def scenario(meanwhile):
        agent = Recorded()
        await agent._record_notifications()
        agent.display("one")
        asking = asyncio.create_task(agent.notifications())
        await agent.asked.wait()
        for title in meanwhile:
            agent.display(title)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        agent.answers.set()
        return await agent.notifications()

    assert run(scenario([])) == [Notification("one", "")]
    assert run(scenario(["two"])) == [Notification("one", ""), Notification("two", "")]
    assert run(scenario(["two", "three"])) == [Notification("two", ""), Notification("three", "")]
