"""``pushlab serve --processes 2`` sends from processes of its own, and leaves none of them behind."""

import asyncio
import json
import os
import re
import signal
import sys
import urllib.request
from contextlib import asynccontextmanager

import psutil
import pytest

from pushlab.settings import patience

from ..appserver.conftest import Subscriber, scripted


def post(url: str, value: object) -> dict:
    """Post JSON, and return the answer."""
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(value).encode(), headers)
    with urllib.request.urlopen(request, timeout=patience(60)) as response:
        return json.load(response)


@asynccontextmanager
async def served(folder, service):
    """Run the command in a session of its own; give it, and the address of its page."""
    command = ["-m", "pushlab", "serve", "--port=0", "--push-port=0", f"--data={folder}", "--quiet"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, "--processes=2", f"--allow-endpoint={service.origin}",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        line = (await process.stdout.readline()).decode()
        yield process, re.search(r"http://\S+/", line)[0]
    finally:
        if process.returncode is None:
            process.kill()


@pytest.mark.usefixtures("programs")
@pytest.mark.skipif(os.name != "posix", reason="Windows has no signals like these")
@pytest.mark.parametrize("how", ["Ctrl-C", "kill -9"])
def test_it_ends_with_all_its_processes(run, tmp_path, how):
    async def scenario():
        async with scripted() as service, served(tmp_path, service) as (process, page):
            for name in "abc":
                subscription = Subscriber(service.endpoint(name)).subscription.to_json()
                await asyncio.to_thread(post, f"{page}add-subscription", subscription)
            answer = await asyncio.to_thread(post, f"{page}notify-all", {})
            assert answer["data"]["accepted"] == 3 == len(service.received)
            workers = psutil.Process(process.pid).children(recursive=True)
            assert len(workers) >= 2
            if how == "Ctrl-C":
                os.killpg(process.pid, signal.SIGINT)  # as a terminal does, to each of them
                _, errors = await process.communicate()
                assert (process.returncode, errors) == (0, b"")
            else:
                process.kill()
                await process.communicate()
            _, alive = await asyncio.to_thread(psutil.wait_procs, workers, patience(20))
            assert alive == []

    run(scenario())
