"""A full disk and a database that another program holds: each is said so, and nothing is lost.

Both are real: a file system of a megabyte, and a second connection with a transaction of its own.
"""

import os
import sqlite3
import subprocess
from contextlib import closing, contextmanager

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from pushlab.errors import BrowserFailed
from pushlab.protocol import p256
from pushlab.protocol.subscription import PushSubscription
from pushlab.useragent.virtual import VirtualUserAgent

from .killed import Sender, Served


@contextmanager
def small_disk(folder):
    """Mount a file system of one megabyte."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "pushlab-test", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root can mount a small disk (the tests of the stores have a small database)")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@contextmanager
def full(folder):
    """Fill the disk to its last byte."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        while True:
            file.write(bytes(1024))
    try:
        yield
    finally:
        filler.unlink()


@contextmanager
def locked(folder):
    """Hold both databases, as a program for looking at databases does."""
    paths = [folder / f"{name}.sqlite3" for name in ("pushservice", "appserver")]
    with closing(sqlite3.connect(paths[0])) as one, closing(sqlite3.connect(paths[1])) as other:
        for connection in (one, other):
            connection.execute("BEGIN EXCLUSIVE")
        yield


@pytest.fixture(params=["full", "locked"])
def fault(request, tmp_path):
    """Give the folder of a lab; what goes wrong there; status, id, words and Retry-After of it."""
    if request.param == "locked":
        yield tmp_path, locked, (503, "database-locked", "5"), "database is locked"
    else:
        with small_disk(tmp_path) as folder:
            yield folder, full, (500, "unable-to-write-database", None), "is full"


def somebody(number: int) -> dict:
    point = p256.raw_public(ec.generate_private_key(ec.SECP256R1()))
    return PushSubscription(f"https://push.example.net/{number}", point, os.urandom(16)).to_json()


@pytest.mark.usefixtures("programs")
def test_every_write_is_refused_in_words_and_nothing_is_lost(run, fault):
    folder, wrong, error, words = fault
    unable = (500, "unable-to-save-subscription", None)
    save_error = error if error[1] == "database-locked" else unable

    async def scenario(served: Served):
        agent = VirtualUserAgent(served.ws_url)
        await agent.start()
        await agent.open(served.page_url)
        await agent.register()
        await agent.subscribe()
        [stored] = served.subscriptions().values()
        sender = Sender(served)
        await agent.disconnect()
        assert (await sender.post(stored, b"kept")).status == 201
        assert (await served.ask("add-subscription", somebody(1))).status == 201

        with wrong(folder):
            answer = await sender.post(stored, b"refused")
            said = answer.body.decode()
            assert (answer.status, answer.header("Retry-After")) == (error[0], error[2])
            assert f'"{error[1]}"' in said and words in said and "Fault: push service" in said

            for number in (1, 2):
                reply = await served.ask("add-subscription", somebody(number))
                assert reply.error == save_error
            message = reply.json["error"]["message"]
            assert words in message and "Fault: application server" in message
            reply = await served.ask("notify-all", {})
            assert reply.error == error and words in reply.json["error"]["message"]

            newcomer = VirtualUserAgent(served.ws_url)
            await newcomer.start()
            await newcomer.open(served.page_url)
            await newcomer.register()
            with pytest.raises(BrowserFailed, match=f"refused to register: {error[0]}"):
                await newcomer.subscribe()
            await newcomer.close()

            await agent.connect()
            await agent._push._closed.wait()  # It has acknowledged, and that cannot be written.
            assert list(agent.received) == [b"kept"]

        await agent.disconnect()
        assert (await sender.post(stored, b"and now")).status == 201
        await agent.connect()
        await agent.wait_for_notification("and now")
        assert list(agent.received) == [b"kept", b"and now"], "shown once, though it came twice"
        assert (await served.ask("add-subscription", somebody(2))).status == 201
        endpoints = [f"https://push.example.net/{number}" for number in (1, 2)]
        assert list(served.subscriptions()) == [stored.subscription.endpoint, *endpoints]
        await agent.close()
        await sender.close()

    async def whole():
        async with Served(folder) as served:
            await scenario(served)

    run(whole(), timeout=60)
