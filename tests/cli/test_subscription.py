"""``pushlab subscription``: a user agent without a page, as whoever tests a sender uses it."""

import os
import signal
import stat
import subprocess
import sys
import urllib.request
from contextlib import contextmanager

import pytest

from pushlab.appserver.delivery.sender import send_once
from pushlab.appserver.keys import VapidKeys
from pushlab.cli.commands import main
from pushlab.lab.data_folder import NAME, DataFolderLock
from pushlab.lab.runtime import LabRuntime
from pushlab.protocol.delivery import PushOptions
from pushlab.protocol.subscription import PushSubscription
from pushlab.settings import patience

PUSHLAB = [sys.executable, "-m", "pushlab", "subscription"]


@contextmanager
def running(lab, *options, by=()):
    """Run the command, which is killed at the end of the block if it has not ended; give the process."""
    command = [*by, *PUSHLAB, "--data", str(lab.data), *options]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


def send(lab, subscription: PushSubscription, payload: bytes | None, keys=None) -> int:
    """Send as an application server does, and return the status."""
    own = [lab.push_service.origin]
    sending = send_once(keys or lab.keys, subscription, payload, PushOptions(ttl=60), own)
    return lab.run(sending).status


@pytest.mark.usefixtures("programs")
def test_in_the_background_of_a_script_ctrl_c_does_not_end_it_and_sigterm_ends_it_in_order(tmp_path):
    background = ("sh", "-c", 'trap "" INT; exec "$@"', "sh")
    with (
        LabRuntime(port=0, push_port=0, data=tmp_path / "data") as lab,
        running(lab, by=background) as process,
    ):
        subscription = PushSubscription.from_json(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        assert send(lab, subscription, b"still there") == 201
        assert "still there" in process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        rest, advice = process.communicate(timeout=patience(60))
        assert (process.returncode, rest) == (0, "") and "Traceback" not in advice, advice
        assert send(lab, subscription, b"late") == 410


@pytest.mark.usefixtures("programs")
def test_it_stays_and_shows_what_arrives_until_it_is_stopped_or_the_lab_is(tmp_path):
    with LabRuntime(port=0, push_port=0, data=tmp_path / "lab data") as lab:
        with running(lab) as process:
            subscription = PushSubscription.from_json(process.stdout.readline())
            assert subscription.origin == lab.push_service.origin
            for payload, shown in (
                ("Grüße \x1b[2J\n🎉".encode(), "17 bytes: Grüße [2J 🎉\n"),
                (b"\xff\x00", "2 bytes, which are not text: ff 00\n"),
                (None, "a message without a payload\n"),
                (b"x" * 3993, f"3993 bytes: {'x' * 400}…\n"),
            ):
                assert send(lab, subscription, payload) == 201
                assert process.stdout.readline().partition("  ")[2] == shown
            spoiled = urllib.request.Request(
                subscription.endpoint, b"x" * 200, {"TTL": "60", "Content-Encoding": "aes128gcm"}
            )
            urllib.request.urlopen(spoiled, timeout=patience(60)).close()
            assert "a message that cannot be decrypted: " in process.stdout.readline()
            process.send_signal(signal.SIGINT)
            rest, advice = process.communicate(timeout=patience(60))
            assert (process.returncode, rest) == (0, "") and "Traceback" not in advice
            assert "Ctrl-C" in advice and send(lab, subscription, b"late") == 410
        file, keys = tmp_path / "subscription.json", VapidKeys.generate()
        options = ("--json", str(file), "--https", "--key", keys.application_server_key)
        with running(lab, *options) as process:
            told = process.stdout.readline()
            subscription = PushSubscription.from_json(file.read_bytes())
            assert subscription.endpoint not in told and str(file) in told
            assert stat.S_IMODE(file.stat().st_mode) == 0o600 or os.name != "posix"
            assert subscription.origin == lab.push_service.https_origin
            plain = PushSubscription(
                subscription.endpoint.replace(subscription.origin, lab.push_service.origin),
                subscription.p256dh,
                subscription.auth,
            )
            assert send(lab, plain, b"by another", lab.keys) == 403
            assert send(lab, plain, b"mine", keys) == 201
            assert process.stdout.readline().endswith("  4 bytes: mine\n")
            lab.stop()
            _, advice = process.communicate(timeout=patience(60))
            assert process.returncode == 1 and "pushlab: the lab has stopped" in advice
            assert f"NODE_EXTRA_CA_CERTS='{lab.ca_file}'" in advice, "the folder has a space"
            assert lab.ca_file.read_bytes() == lab.push_service.ca_pem


def test_without_a_lab_it_says_so(tmp_path, capsys):
    def complaint() -> str:
        assert main(["subscription", "--data", str(tmp_path)]) == 1
        said = capsys.readouterr()
        assert said.out == ""
        return said.err

    expected = f"pushlab: no lab runs with the data folder {tmp_path}"
    assert expected in complaint() and not (tmp_path / NAME).exists()
    lock = DataFolderLock(tmp_path)
    lock.note(9, "secret", push_service="ws://127.0.0.1:9/", https="https://localhost:9")
    assert "The push service does not answer" in complaint()
    kept = (tmp_path / NAME).read_bytes()
    lock.release()
    assert expected in complaint()
    (tmp_path / NAME).write_bytes(kept)  # as after a kill
    assert expected in complaint()
    DataFolderLock(tmp_path).release()
