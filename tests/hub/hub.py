"""A real JupyterHub on this machine, with its proxy."""

import json
import os
import secrets
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

from pushlab.settings import patience
from pushlab.useragent.process import guard

from ..notebook.jupyter import WITHOUT
from ..run import kernels
from ..run.ports import free_port

HERE = Path(__file__).parent
PROXY = HERE / "node_modules/.bin/configurable-http-proxy"
LOG = "jupyterhub.log"


class Hub:
    """A hub that runs: ``url`` ends in a slash, and ``home`` has a folder for each user.

    ``runtime`` has one with the connection files of each user's kernels.
    """

    def __init__(self, home: Path, runtime: Path, port: int):
        self.home, self.runtime, self.token = home, runtime, secrets.token_hex(16)
        self.url = f"http://127.0.0.1:{port}/"

    def ask(self, path: str, method: str = "GET", token: str = "", **headers: str) -> tuple[int, bytes]:
        """Send a request below the hub's address. Return status and body; a redirect is not followed."""
        if token:
            headers["Authorization"] = f"token {token}"
        body = b"{}" if method == "POST" else None
        request = urllib.request.Request(self.url + path, body, headers, method=method)
        request.add_unredirected_header("Content-Type", "application/json")
        try:
            with _PLAIN.open(request, timeout=patience(60)) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read()

    def api(self, path: str, method: str = "GET") -> dict:
        """Ask the hub's API as its administrator."""
        status, body = self.ask(f"hub/api/{path}", method, self.token)
        assert status < 300, (path, status, body)
        return json.loads(body or b"{}")

    def token_of(self, user: str) -> str:
        """Return a token with which a program of this user may do what the user may."""
        return self.api(f"users/{user}/tokens", "POST")["token"]

    def start(self, *users: str) -> None:
        """Start the servers of users side by side, and wait until they serve."""
        for user in users:
            self.api(f"users/{user}/server", "POST")
        self.wait(lambda: all((self._server(user) or {}).get("ready") for user in users))

    def stop(self, user: str) -> None:
        """Stop a user's server; wait until it has ended.

        Its kernels end a moment later: each looks once a second whether the server is still there.
        """
        self.api(f"users/{user}/server", "DELETE")
        self.wait(lambda: self._server(user) is None)

    def run(self, user: str, code: str) -> str:
        """Run a cell in a new kernel of a user's server, and return what it prints."""
        status, body = self.ask(f"user/{user}/api/kernels", "POST", self.token_of(user))
        assert status == 201, body
        with kernels.attached(self.runtime / user / f"kernel-{json.loads(body)['id']}.json") as client:
            return kernels.printed(client, code)

    def _server(self, user: str) -> dict | None:
        return self.api(f"users/{user}")["servers"].get("")

    def serves(self) -> bool:
        """Say whether the hub answers."""
        try:
            return self.ask("hub/api/")[0] == 200
        except OSError:
            return False

    def wait(self, condition) -> None:
        """Wait until a condition is true; fail with the hub's log if it does not become so."""
        deadline = time.monotonic() + patience(120)
        while not condition():
            assert time.monotonic() < deadline, (self.home / LOG).read_text("utf-8")
            time.sleep(0.1)


def _end(process: subprocess.Popen) -> None:
    process.terminate()  # The hub stops the users' servers before it ends.
    process.wait(timeout=patience(120))


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


_PLAIN = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect)


@contextmanager
def running(home: Path, environment: dict[str, str]) -> Iterator[Hub]:
    """Start a hub, whose users have this in the environment. Its log is in ``home / LOG``."""
    with kernels.folder() as runtime:
        port, hub_port, api_port = free_port(), free_port(), free_port()
        hub = Hub(home, runtime, port)
        told = {
            "home": str(home), "runtime": str(runtime), "token": hub.token,
            "port": port, "hub_port": hub_port, "api_port": api_port,
            "seconds": int(patience(120)), "environment": environment, "arguments": [WITHOUT],
        }  # fmt: skip
        if kernels.connection(runtime / "somebody" / f"kernel-{uuid4()}-ipc"):
            told["arguments"].append("--KernelManager.transport=ipc")
        ip = "127.0.0.1"
        proxy = [PROXY, "--ip", ip, "--port", str(port), "--api-ip", ip, "--api-port", str(api_port)]
        proxy += ["--error-target", f"http://{ip}:{hub_port}/hub/error"]
        jupyterhub = [sys.executable, "-m", "jupyterhub", "-f", HERE / "jupyterhub_config.py"]
        environment = os.environ | {"CONFIGPROXY_AUTH_TOKEN": hub.token}
        environment["PUSHLAB_TEST_HUB"] = json.dumps(told)
        with ExitStack() as undo:
            log = undo.enter_context((home / LOG).open("wb"))
            own = {"env": environment, "cwd": home, "stdout": log, "stderr": log}
            group = 0
            for command in (proxy, jupyterhub):
                process = subprocess.Popen(command, process_group=group, **own)
                undo.callback(_end, process)
                if not group:
                    # If the tests are killed, everything in the group ends all the same.
                    group, watch = process.pid, guard(process.pid)
                    undo.callback(watch.communicate)
                    undo.callback(watch.kill)
            hub.wait(lambda: process.poll() is not None or hub.serves())
            assert process.poll() is None, (home / LOG).read_text("utf-8")
            yield hub
