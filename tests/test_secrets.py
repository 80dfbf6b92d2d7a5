"""Secrets stay where they are: the private key in its file, endpoints in the databases."""

import base64
import contextlib
import json
import logging
import os
import stat
import subprocess
import sys
import traceback
import urllib.error
import urllib.request

import pytest

from pushlab.appserver.keys import VapidKeys
from pushlab.errors import PushlabError
from pushlab.lab import authority
from pushlab.lab.runtime import LabRuntime
from pushlab.protocol import base64url
from pushlab.settings import DIRECT, patience

RAW = bytes.fromhex("5ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2")
KEYS = VapidKeys.from_raw(RAW, subject="mailto:test@example.com")


def spellings(secret: bytes) -> list[str]:
    """Return every way in which 32 bytes are commonly written down."""
    plain = base64.b64encode(secret).decode()
    return [
        base64url.encode(secret), plain.rstrip("="), secret.hex(), secret.hex(":"), secret.hex(" "),
        str(int.from_bytes(secret, "big")), repr(secret)[2:-1], str(list(secret))[1:-1],
    ]  # fmt: skip


FORBIDDEN = [*spellings(RAW), *KEYS.to_pem().decode().splitlines()[1:-1]]


def leaks(text: str, also: tuple[str, ...] = ()) -> list[str]:
    return [secret for secret in (*FORBIDDEN, *also) if secret in text]


@pytest.mark.parametrize("secret", range(len(FORBIDDEN)))
def test_a_leak_would_be_noticed(secret):
    assert leaks(f"key={FORBIDDEN[secret]};")


@pytest.mark.parametrize("sender", ["pushlab", "pywebpush"])
def test_a_whole_loop_tells_no_secret(tmp_path, sender, caplog, capfd):
    """The journal, the log at its most talkative, what is printed, and what each object shows."""
    data = tmp_path / "data"
    data.mkdir(0o700)
    KEYS.save(data / "vapid.env")
    caplog.set_level(0)
    caplog.set_level(0, "pushlab")
    with LabRuntime(port=0, push_port=0, data=data, sender=sender) as lab:
        browser = lab.open("virtual")
        browser.subscribe()
        endpoint = lab.subscriptions()[0].subscription.endpoint
        token = endpoint.rsplit("/", 1)[1]
        browser.notify_me()
        browser.wait_for_notification()
        lab.notify_all("to all")
        answers = [body_of(lab.page_url + route) for route in ROUTES]
        server = lab.application_server
        objects = [lab, lab.keys, server, server.sender, server.sender.context.client, server.store,
                   server.guard, lab.push_service, lab.push_service.broker, lab.journal,
                   *lab.subscriptions(), *server.runs(),
                   *lab.push_service.broker.mailbox._subscriptions.values()]  # fmt: skip
        shown = [text for each in objects for text in (repr(each), str(each))]
        shown += [repr(vars(each)) for each in (lab, server, lab.keys, server.sender)]
        browser.unsubscribe()
        story = [json.dumps(event.to_json()) for event in lab.journal.events()]
    said = [r.getMessage() + str(r.exc_text) for r in caplog.records if r.name.startswith("pushlab")]
    for text in (*answers, *shown, *story, *said, *capfd.readouterr()):
        assert not leaks(text, (token,)), text[:80]
    assert len(story) > 10 and any("encrypt" in one for one in story)
    kept = b"".join(path.read_bytes() for path in data.glob("*.sqlite3*"))
    assert RAW not in kept and not leaks(kept.decode("latin-1"))
    assert spellings(RAW)[0] in (data / "vapid.env").read_text(), "and there it is"


ROUTES = ["", "vapid", "health", "nothing", "notify-me", "page.js", "vapid.env", "..%2fvapid.env"]


def body_of(url: str) -> str:
    try:
        with DIRECT.open(url, timeout=patience(60)) as answer:
            return str(answer.headers) + answer.read().decode()
    except urllib.error.HTTPError as error:
        return str(error.headers) + error.read().decode()


PRIVATE = base64url.encode(RAW)
WRONG = {
    "cut short": lambda: VapidKeys.from_raw(RAW[:31]),
    "too long": lambda: VapidKeys.from_raw(RAW + b"\0"),
    "another public half": lambda: VapidKeys.from_env(
        {"VAPID_PRIVATE_KEY": PRIVATE, "VAPID_PUBLIC_KEY": base64url.encode(b"\4" + bytes(64))}
    ),
    "a bad character": lambda: VapidKeys.from_env({"VAPID_PRIVATE_KEY": PRIVATE + "!"}),
    "a pem without its end": lambda: VapidKeys.from_pem(KEYS.to_pem()[:-30]),
    "a jwk of another curve": lambda: VapidKeys.from_jwk(KEYS.to_jwk() | {"crv": "P-384"}),
    "a jwk with another point": lambda: VapidKeys.from_jwk(KEYS.to_jwk() | {"x": PRIVATE}),
    "a bad subject": lambda: VapidKeys.from_raw(RAW, subject="nobody"),
}


@pytest.mark.parametrize("case", WRONG)
def test_no_error_about_a_key_shows_it(case):
    with pytest.raises(PushlabError) as told:
        WRONG[case]()
    text = "".join(traceback.format_exception(told.value)) + repr(told.value)
    almost = (PRIVATE[:20], RAW.hex()[:30], PRIVATE[-20:])
    assert not leaks(text, almost)


@pytest.mark.usefixtures("programs")
def test_serve_prints_no_secret_and_keeps_what_it_keeps_to_itself(tmp_path):
    data = tmp_path / "new" / "data"
    command = [sys.executable, "-X", "dev", "-m", "pushlab", "serve", "--port", "0", "--push-port", "0"]
    with running([*command, "--data", str(data)]) as (process, page):
        private = VapidKeys.load(data / "vapid.env").to_jwk()["d"]
        browser = {"endpoint": "https://127.0.0.1:9/" + "s3cret" * 8, "keys": {}}
        browser["keys"] = {"p256dh": KEYS.application_server_key, "auth": "A" * 22}
        for route, value in (("add-subscription", browser), ("notify-me", browser), ("notify-all", {})):
            headers = {"Content-Type": "application/json"}
            request = urllib.request.Request(page + route, json.dumps(value).encode(), headers)
            body_of(request)
        if os.name == "posix":
            assert stat.S_IMODE(data.stat().st_mode) == 0o700
            modes = {}
            for path in data.iterdir():
                # A draft, or a journal, may be gone by now.
                with contextlib.suppress(FileNotFoundError):
                    modes[path.name] = stat.S_IMODE(path.stat().st_mode)
            del modes[authority.NAME]  # a certificate, which is public
            assert set(modes.values()) == {0o600} and "vapid.env" in modes, modes
            assert {"appserver.sqlite3", "pushservice.sqlite3"} <= set(modes)
        process.terminate()
        out, err = process.communicate(timeout=patience(60))
    assert private not in out + err and "s3cret" not in out + err
    assert process.returncode == 0


@contextlib.contextmanager
def running(command):
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process, process.stdout.readline().split()[2]
    finally:
        process.kill()
        process.communicate()


def test_the_log_has_no_place_of_its_own():
    """Nothing is printed unless somebody asks: in a notebook it would land in any cell."""
    handlers = logging.getLogger("pushlab").handlers
    assert any(isinstance(each, logging.NullHandler) for each in handlers)
