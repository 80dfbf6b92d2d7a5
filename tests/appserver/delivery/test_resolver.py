"""A name whose owner lets everybody wait: it holds up no other request, and not the end."""

import json
import subprocess
import sys

import pytest

from pushlab.settings import patience

# A machine of its own: its resolver is a socket that never answers.
PROGRAM = """
import asyncio, json, socket, time
from pushlab.appserver.delivery.client import LibcurlPushClient
from pushlab.appserver.delivery.log import DeliveryLog
from pushlab.appserver.delivery.pywebpush_client import PywebpushClient
from pushlab.appserver.delivery.transport import CurlTransport
from pushlab.appserver.keys import VapidKeys
from pushlab.appserver.store import StoredSubscription
from pushlab.protocol.delivery import PushOptions
from pushlab.protocol.examples import RFC8291
from pushlab.protocol.subscription import PushSubscription

silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
silent.bind(("127.0.0.1", 53))
keys, known = VapidKeys.generate(), RFC8291.subscription
one = PushSubscription("https://push.example.net/x", known.p256dh, known.auth)

def make(seconds):
    if {sender!r} == "pywebpush":
        return PywebpushClient(keys, timeout=seconds)
    return LibcurlPushClient(keys, CurlTransport(timeout=seconds))

def begin(client):
    stored = StoredSubscription(one, "", "", 0)
    return client.send(client.prepare(stored, b"Hello", PushOptions(), DeliveryLog()))

async def main():
    first, client = make(3), make(600)
    code = (await begin(first)).code
    await first.close()
    began, under_way = time.monotonic(), begin(client)
    await asyncio.sleep(0.2)
    await client.close()
    [ended] = await asyncio.gather(under_way, return_exceptions=True)
    return [code, type(ended).__name__, time.monotonic() - began]

print(json.dumps(asyncio.run(main())), flush=True)
"""
MACHINE = """
ip link set lo up && mount --bind {folder}/resolv.conf /etc/resolv.conf &&
exec {python} {folder}/program
"""


@pytest.mark.parametrize("sender", ["pushlab", "pywebpush"])
def test_a_name_that_is_never_resolved(namespaces, tmp_path, sender):
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:30 attempts:1\n")
    (tmp_path / "program").write_text(PROGRAM.format(sender=sender))
    machine = MACHINE.format(folder=tmp_path, python=sys.executable)
    command = ["unshare", "--mount", "--net", "sh", "-c", machine]
    done = subprocess.run(command, capture_output=True, text=True, timeout=patience(25))
    assert (done.returncode, done.stderr) == (0, "")
    code, ended, seconds = json.loads(done.stdout)
    assert (code, ended) == (28, "LabStopped")
    assert seconds < patience(5)
