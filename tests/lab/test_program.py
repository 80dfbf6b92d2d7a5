"""A program of somebody else's: what it is told, how it is waited for, and that it leaves nothing."""

import asyncio
import json
import socket
import sys
import urllib.request

import psutil
import pytest

from pushlab.errors import LabStopped, PortTaken, ProgramFailed
from pushlab.lab import program as module
from pushlab.lab.program import Program
from pushlab.lab.runtime import LabRuntime
from pushlab.pushservice.app import PushService

ORIGINS = ["http://localhost:1", "http://127.0.0.1:2"]

# It answers with what it was told, and has a child that it never ends.
SERVER = """
import http.server, json, os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        told = dict(os.environ) | {"files": os.listdir(os.environ["DATA"]), "child": child.pid}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(told).encode())
    def log_message(self, *_):
        print("somebody asked")
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


@pytest.fixture
def script(tmp_path, programs):
    path = tmp_path / "server.py"
    path.write_text(SERVER, "utf-8")
    return path


def told(program: Program) -> dict:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(program.url) as answer:
        return json.load(answer)


def test_it_is_told_what_it_needs_and_ends_with_its_child_and_its_folder(script, run, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("OWN", "kept")
    program = Program(script, ORIGINS, {"MORE": "7"})
    run(program.start())
    env = told(program)
    child, data = psutil.Process(env["child"]), env["DATA"]
    assert env["TEST_PUSH_ORIGINS"].split() == ORIGINS and env["TEST_PUSH_ORIGIN"] == ORIGINS[0]
    assert (env["HTTP_PROXY"], env["OWN"], env["MORE"]) == ("", "kept", "7")
    assert [name for name in env["files"] if not name.startswith("pushlab-")] == []
    assert program.url == f"http://127.0.0.1:{env['PORT']}/" and repr(program).endswith("which runs>")
    program.stop()
    program.stop()
    psutil.wait_procs([child], timeout=30)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
    assert program.log.splitlines()[-1] == "somebody asked" and repr(program).endswith("ended>")
    assert not module.Path(data).exists()
    with pytest.raises(OSError, match="refused"), socket.socket() as probe:
        probe.connect(("127.0.0.1", program.port))


def test_a_port_that_is_held_is_not_given_to_a_program(monkeypatch):
    first = next(n for n in range(19_000, 19_900) if is_free(n) and is_free(n + 1))
    monkeypatch.setattr(module, "some_ports", lambda ports: [first, first + 1])
    with socket.create_server(("127.0.0.1", first)):
        assert module._free_port() == first + 1
        with (
            socket.create_server(("127.0.0.1", first + 1)),
            pytest.raises(PortTaken, match="are all taken"),
        ):
            module._free_port()


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.usefixtures("programs")
def test_a_program_that_cannot_serve_says_why(tmp_path, run, monkeypatch, leaves_nothing):
    monkeypatch.setattr(module, "START_SECONDS", 3)
    silent = "import time\nprint('not yet', flush=True)\ntime.sleep(600)"
    cases = {
        "": "it ended before it listened",
        "import nothing_of_that_name": r"ended before it listened; it says: ModuleNotFoundError: No mod",
        "raise SystemExit": "it ended before it listened",
        silent: r"did not listen at the port in PORT within .* s; it says: not yet",
    }
    with leaves_nothing():
        for text, said in cases.items():
            (tmp_path / "server.py").write_text(text, "utf-8")
            if text is not silent:
                monkeypatch.setattr(module, "START_SECONDS", 30)
            with pytest.raises(ProgramFailed, match=said):
                run(Program(tmp_path / "server.py", ORIGINS).start())
            monkeypatch.setattr(module, "START_SECONDS", 3)
        with pytest.raises(ProgramFailed, match="no-such-program cannot be run: No such file"):
            run(Program(["no-such-program"], ORIGINS).start())


def test_a_lab_s_program_gets_a_proxy_and_an_authority_and_ends_with_the_lab(script, tmp_path):
    with LabRuntime(port=0, push_port=0, data=tmp_path / "data") as lab:
        program = lab.serve([sys.executable, str(script)])
        env = told(program)
        assert env["TEST_PUSH_ORIGINS"] == lab.push_service.origin
        assert env["HTTPS_PROXY"] == env["https_proxy"] != ""
        authority = module.Path(env["REQUESTS_CA_BUNDLE"])
        assert authority.read_bytes() == lab.push_service.chromium.ca_pem
        assert told(lab.serve(script))["HTTPS_PROXY"] == env["HTTPS_PROXY"]
        browser = lab.open("virtual", page=program.url)
        assert program.log.splitlines()[-1] == "somebody asked" and browser.state == "unregistered"
    assert repr(program).endswith("ended>") and not authority.exists()


def test_a_program_that_fails_leaves_the_lab_as_it_was(script, tmp_path):
    with LabRuntime(port=0, push_port=0, data=tmp_path / "data") as lab:
        with pytest.raises(ProgramFailed):
            lab.serve(["no-such-program"])
        assert lab.running and told(lab.serve(script))


# What a learner's server does by the variables alone: requests asks the proxy, and trusts the authority.
POST = """
import http.server, os, requests
url = "https://fcm.googleapis.com/fcm/send/nobody"
print(requests.post(url, headers={"TTL": "1"}, timeout=30).status_code, flush=True)
try:
    print(requests.get("https://push.example.net/", timeout=30).status_code, flush=True)
except requests.exceptions.ProxyError as error:
    print("403" in str(error), flush=True)
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), None).serve_forever()
"""


@pytest.mark.usefixtures("programs")
def test_a_vendor_s_host_leads_to_the_lab_and_any_other_nowhere(tmp_path, run):
    (tmp_path / "server.py").write_text(POST, "utf-8")

    async def scenario():
        service = PushService()
        await service.start()
        programs = module.Programs(service)
        try:
            program = await programs.start(tmp_path / "server.py")
            return program.log.split()[:2]  # Python's server says more, of whoever looks at its port.
        finally:
            await programs.stop()
            await service.stop()

    status, refused = run(scenario())
    assert (status, refused) == ("404", "True")


LISTENS = """
import os, socket
server = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
while True:
    server.accept()
"""
SILENT = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture
def played(run, programs, leaves_nothing):
    """Run a coroutine function with the programs of a push service, and see that nothing is left."""

    def play(steps):
        async def whole():
            service = PushService()
            await service.start()
            programs = module.Programs(service)
            try:
                await steps(programs)
            finally:
                await programs.stop()
                await service.stop()

        with leaves_nothing():
            run(whole())

    return play


@pytest.mark.parametrize("listens", [True, False])
def test_a_stop_ends_a_program_that_is_starting(played, monkeypatch, listens):
    made, asked, stopped = [], asyncio.Event(), asyncio.Event()

    async def looked_at(program):
        made.append(psutil.Process(program._process._process.pid))
        asked.set()
        await stopped.wait()
        return listens

    monkeypatch.setattr(Program, "_listens", looked_at)

    async def steps(programs):
        starting = asyncio.create_task(programs.start(SILENT))
        await asked.wait()
        await programs.stop()
        stopped.set()
        with pytest.raises(LabStopped):
            await starting
        assert not made[0].is_running()
        with pytest.raises(LabStopped):
            await programs.start(SILENT)

    played(steps)


def test_a_stop_while_the_first_program_s_proxy_starts_leaves_nothing(played, monkeypatch):
    begun, go_on, start = asyncio.Event(), asyncio.Event(), module.Tunnel.start

    async def slowly(tunnel):
        begun.set()
        await go_on.wait()
        await start(tunnel)

    monkeypatch.setattr(module.Tunnel, "start", slowly)

    async def steps(programs):
        starting = asyncio.create_task(programs.start(SILENT))
        await begun.wait()
        stopping = asyncio.create_task(programs.stop())
        await asyncio.sleep(0)  # It has begun.
        go_on.set()
        with pytest.raises(LabStopped):
            await starting
        await stopping
        assert not programs._folder.path.exists()

    played(steps)


def test_two_programs_that_start_at_once_share_one_proxy(played):
    async def steps(programs):
        command = [sys.executable, "-c", LISTENS]
        both = await asyncio.gather(programs.start(command), programs.start(command))
        one, other = (program._environment["HTTPS_PROXY"] for program in both)
        assert one == other

    played(steps)


def test_a_proxy_that_could_not_start_is_started_for_the_next_program(played, monkeypatch):
    async def steps(programs):
        with monkeypatch.context() as broken:
            broken.setattr(module.Tunnel, "start", fails)
            with pytest.raises(OSError, match="it fails"):
                await programs.start([sys.executable, "-c", LISTENS])
        await programs.start([sys.executable, "-c", LISTENS])

    async def fails(tunnel):
        raise OSError("it fails")

    played(steps)


def test_a_program_that_cannot_be_stopped_keeps_no_other_one(played):
    async def steps(programs):
        command = [sys.executable, "-c", LISTENS]
        all_of_them = [await programs.start(command) for _ in range(3)]
        all_of_them[1].stop = fails
        with pytest.raises(RuntimeError, match="it fails"):
            await programs.stop()
        assert [repr(one).split()[-1] for one in all_of_them] == ["ended>", "runs>", "ended>"]
        assert not programs._folder.path.exists()
        del all_of_them[1].stop

    def fails():
        raise RuntimeError("it fails")

    played(steps)
