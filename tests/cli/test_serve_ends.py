"""``pushlab serve`` ends when it is asked to, whatever a push service is doing in that moment."""

import asyncio
import json
import os
import re
import sys
import time
import urllib.request
from contextlib import AsyncExitStack

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from pushlab.protocol import p256
from pushlab.protocol.subscription import PushSubscription
from pushlab.settings import patience

from ..appserver.hostile import LATE, LATE_WITH_TLS, NONE, STATUS, peer

SECONDS = 5
"""How long the end of the process may take."""

HOSTILE = {name: (talk, "http") for name, (talk, _) in STATUS.items()}
HOSTILE |= {name: (talk, "http") for name, talk in (LATE | NONE).items()}
HOSTILE |= {f"{name}, by TLS": (talk, "https") for name, talk in LATE_WITH_TLS.items()}


def post(url: str, value: object) -> None:
    """Post JSON; what is answered does not matter here."""
    request = urllib.request.Request(
        url, json.dumps(value).encode(), {"Content-Type": "application/json"}
    )
    try:
        urllib.request.urlopen(request, timeout=patience(60)).close()
    except OSError:
        pass  # The server has ended, or says that it does.


@pytest.mark.usefixtures("programs")
@pytest.mark.parametrize("sender", ["pushlab", "pywebpush"])
def test_sigterm_ends_it_while_every_push_service_is_hostile(run, tmp_path, sender):
    async def scenario():
        async with AsyncExitStack() as stack:
            busy, endpoints = asyncio.Semaphore(0), []

            def counted(talk):
                async def begin(reader, writer):
                    busy.release()
                    await talk(reader, writer)

                return begin

            for talk, scheme in HOSTILE.values():
                endpoints.append(await stack.enter_async_context(peer(counted(talk), scheme)))
            allowed = [f"--allow-endpoint={url.rpartition('/push/')[0]}" for url in endpoints]
            command = ["-m", "pushlab", "serve", "--port=0", "--push-port=0", f"--data={tmp_path}"]
            process = await asyncio.create_subprocess_exec(
                sys.executable, *command, f"--sender={sender}", *allowed, env=dict(os.environ),
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
            try:
                line = (await process.stdout.readline()).decode()
                page = re.search(r"http://\S+/", line)[0]
                ua_public = p256.raw_public(ec.generate_private_key(p256.CURVE))
                for endpoint in endpoints:
                    subscription = PushSubscription(endpoint, ua_public, bytes(16)).to_json()
                    await asyncio.to_thread(post, f"{page}add-subscription", subscription)
                sending = asyncio.ensure_future(asyncio.to_thread(post, f"{page}notify-all", {}))
                for _ in range(16):  # as many as pywebpush has threads
                    await busy.acquire()
                asked = time.monotonic()
                process.terminate()
                errors = (await process.communicate())[1]
                took = time.monotonic() - asked
                await sending
            finally:
                if process.returncode is None:
                    process.kill()
            assert (process.returncode, errors) == (0, b"")
            assert took < patience(SECONDS)

    run(scenario())
