"""The ``pushlab`` command, run as a person runs it: in a process of its own."""

import io
import itertools
import json
import os
import re
import signal
import ssl
import stat
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import urlsplit

import certifi
import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import ec

from pushlab.cli import commands
from pushlab.cli.commands import main
from pushlab.lab.runtime import LabRuntime
from pushlab.protocol import p256
from pushlab.protocol.subscription import PushSubscription
from pushlab.settings import patience

from ..run.programs import started

PUSHLAB = [sys.executable, "-m", "pushlab"]


@contextmanager
def serving(data, *options, pipesize=-1, **environment):
    """Run ``pushlab serve`` on free ports; give both URLs and the process."""
    command = [*PUSHLAB, "serve", "--port", "0", "--push-port", "0", "--data", str(data), *options]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "pipesize": pipesize, "text": True}
    with started(command, env=os.environ | environment, **pipes) as process:
        try:
            line = process.stdout.readline()
            urls = re.fullmatch(r"application server (http://\S+)  push service (http://\S+)\n", line)
            assert urls, line + process.stderr.read()
            yield urls[1], urls[2], process
        finally:
            process.terminate()
            _, errors = process.communicate(timeout=patience(120))
    assert process.returncode == 0 and errors == "", errors


def lines_of(*arguments) -> list[dict]:
    done = subprocess.run([*PUSHLAB, *arguments], capture_output=True, text=True, timeout=patience(180))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("kind", ["virtual", "firefox"])
def test_demo_tells_the_whole_loop_and_ends_in_shown(kind, request):
    if kind != "virtual":
        request.getfixturevalue(f"{kind}_installed")
    lines = lines_of("demo", "--json", "--browser", kind)
    steps_are_in_order(lines, ["notify-me"])
    last = lines[-1]
    assert (last["step"], last["party"], last["user_agent"]) == ("shown", "user agent", kind)
    assert last["title"] == "Hello, Notifications!"
    assert re.fullmatch(r"ID: \d+", last["body"])


def steps_are_in_order(lines, sent):
    """Check one browser's lines: up to its subscription, and from the steps ``sent`` to the push."""
    steps = [line["step"] for line in lines]
    expected = ["keys", "open", "vapid", "subscribe", "endpoint", "store", *sent]
    expected += ["encrypt", "sign", "post", "accepted", "push"]
    rest = iter(steps)
    assert all(step in rest for step in expected), f"{expected} in this order, in {steps}"
    assert {"connect", "open", "permission", "received", "acknowledge"} <= set(steps)
    assert all(line["party"] in ("user agent", "push service", "application server") for line in lines)
    assert not re.search("/wpush/|/fcm/send/", json.dumps(lines)), "an endpoint is a secret"


def test_demo_with_two_browsers_sends_one_message_to_both(firefox_installed, chromium_installed):
    lines = lines_of("demo", "--json", "--browser", "firefox", "--browser", "chromium")
    second = [line["step"] for line in lines].index("open", 2)
    steps_are_in_order(lines[:2] + lines[second:], ["notify-all"])  # and Chromium's
    assert [line["host"] for line in lines if line["step"] == "route"] == ["jmt17.google.com"]
    counts = Counter((line["step"], line.get("who")) for line in lines)
    for name in ("Firefox", "Chromium"):
        for step in ("subscribe", "endpoint", "push", "acknowledge", "received"):
            assert counts[step, name] == 1, counts
    assert [line["step"] for line in lines].count("accepted") == 2
    shown = [line for line in lines if line["step"] == "shown"]
    assert [line["user_agent"] for line in shown] == ["firefox", "chromium"]
    assert len({(line["title"], line["body"]) for line in shown}) == 1, "one notify-all, one ID in both"


@pytest.mark.usefixtures("programs")
def test_demo_in_words():
    done = subprocess.run([*PUSHLAB, "demo", "--browser", "virtual"], capture_output=True, text=True)
    assert done.returncode == 0 and "\033" not in done.stdout
    first, *_, last = done.stdout.splitlines()
    assert first.startswith("application server ") and "65 bytes" in first
    assert last.startswith("user agent ") and "Hello, Notifications! ID: " in last
    assert "application server → push service" in done.stdout


def test_serve_prints_one_line_and_stops_when_asked(tmp_path):
    with serving(tmp_path, "--https-port", "0", "--control") as (page, push, process):
        with urllib.request.urlopen(page + "health", timeout=patience(60)) as answer:
            health = json.load(answer)["data"]
        assert health["push_service"] == push.replace("http", "ws")
        rest = iter(process.stdout.readline, "")
        said = next(line for line in rest if line.startswith("Senders by https: "))
        origin = re.match(r"Senders by https: (https://localhost:[0-9]+); ", said)[1]
        assert any(f"NODE_EXTRA_CA_CERTS={tmp_path}/push-service-ca.pem\n" in line for line in rest)
        assert any(f"{push}test/subscribe" in line for line in rest)
        status, made = post(push + "test/subscribe", {"https": True})
        assert status == 201 and made["subscription"]["endpoint"].startswith(origin + "/")
        process.send_signal(signal.SIGINT)
        assert process.wait(patience(120)) == 0


@pytest.mark.usefixtures("programs")
def test_serve_in_a_terminal_of_a_hub_says_where_the_page_is(tmp_path):
    hub = {"JUPYTERHUB_SERVICE_PREFIX": "/user/ada/"}
    with serving(tmp_path, "--control", **hub) as (page, push, process):
        behind = urlsplit(page)
        rest = iter(process.stdout.readline, "")
        opens = f"Open /user/ada/proxy/{behind.port}{behind.path} on this hub, or type"
        assert any(line.startswith(opens) for line in rest)
        said = next(line for line in rest if line.startswith("Tests of senders: "))
        assert post(re.search(r"http://\S+", said)[0], {})[0] == 201
        assert post(push + "test/subscribe", {})[0] == 403


@pytest.mark.usefixtures("programs")
def test_serve_goes_on_if_nobody_reads_its_log(tmp_path):
    with serving(tmp_path, pipesize=4096) as (page, _, process):
        # The system's pipe holds 64 KiB, and on Linux this one a page.
        for _ in range(150 if sys.platform == "linux" else 1500):
            with urllib.request.urlopen(page + "vapid", timeout=patience(60)):
                pass
        process.send_signal(signal.SIGINT)
        assert process.wait(patience(120)) == 0


@pytest.mark.usefixtures("programs")
def test_serve_with_a_database_of_your_own(tmp_path):
    database = tmp_path / "elsewhere.sqlite3"
    with serving(tmp_path / "data", "--database", f"sqlite:///{database}"):
        assert database.is_file()


@contextmanager
def push_endpoint(certificate=None):
    """Run a push endpoint on this machine; give its origin and the paths that were posted to."""
    paths = []

    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            paths.append(self.path)
            self.send_response(201)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Endpoint)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        # The handshake is not made in accept(), where its failure would be the server's.
        server.socket = context.wrap_socket(server.socket, True, do_handshake_on_connect=False)
        server.handle_error = lambda *_: None
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http{'s' if certificate else ''}://127.0.0.1:{server.server_port}", paths
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def post(url, value) -> tuple[int, dict]:
    """Post JSON; return the status and the answer's JSON, of an error too."""
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(value).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=patience(60)) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def subscription_at(origin) -> dict:
    ua_public = p256.raw_public(ec.generate_private_key(p256.CURVE))
    return PushSubscription(f"{origin}/push/JzLQ3raZ", ua_public, bytes(16)).to_json()


@pytest.mark.usefixtures("programs")
def test_serve_posts_to_a_test_endpoint_that_it_is_told_to_trust(tmp_path):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with push_endpoint(authority.issue_cert("127.0.0.1")) as (origin, paths):
        subscription = subscription_at(origin)
        allowed = ("--allow-endpoint", origin)
        with serving(tmp_path, *allowed, SSL_CERT_FILE=str(tmp_path / "ca.pem")) as (page, _, _):
            assert post(page + "add-subscription", subscription)[0] == 201
            status, answer = post(page + "notify-me", {"endpoint": subscription["endpoint"]})
            assert (status, answer["data"]["status"]) == (200, 201)
            status, answer = post(page + "notify-all", {})
            assert (status, answer["data"]["accepted"]) == (200, 1)
        assert paths == ["/push/JzLQ3raZ"] * 2
        # A lab that does not trust that authority sends nothing.
        with serving(tmp_path, *allowed, SSL_CERT_FILE=certifi.where()) as (page, _, _):
            status, answer = post(page + "notify-me", {"endpoint": subscription["endpoint"]})
            assert status == 502 and "certificate" in answer["error"]["message"]
        assert len(paths) == 2


@pytest.mark.usefixtures("programs")
def test_serve_takes_plain_http_from_endpoints_that_are_allowed_and_from_no_other(tmp_path):
    with push_endpoint() as (one, paths), push_endpoint() as (two, others):
        with serving(tmp_path, "--allow-endpoint", one, "--allow-endpoint", two) as (page, _, _):
            for origin in (one, two):
                assert post(page + "add-subscription", subscription_at(origin))[0] == 201
            assert post(page + "notify-all", {})[1]["data"]["accepted"] == 2
        assert len(paths) == len(others) == 1
        with serving(tmp_path / "fresh", "--allow-endpoint", one) as (page, _, _):
            assert post(page + "add-subscription", subscription_at(one))[0] == 201
            status, answer = post(page + "add-subscription", subscription_at(two))
            assert (status, answer["error"]["id"]) == (400, "endpoint-not-allowed")


@pytest.mark.parametrize(
    "origin",
    [
        "127.0.0.1:8443",
        "ftp://127.0.0.1",
        "http://127.0.0.1/push",
        "http://127.0.0.1:99999",
        "http://user@127.0.0.1",
        "http://127.0.0.1.example.net",
        "https://push.example.net",
        "http://",
    ],
)
def test_only_an_origin_of_this_machine_can_be_allowed(origin, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["serve", "--allow-endpoint", origin])
    assert stopped.value.code == 2
    assert "--allow-endpoint" in capsys.readouterr().err


@pytest.mark.usefixtures("programs")
def test_serve_in_a_vendors_flavour(tmp_path):
    with serving(tmp_path, "--flavour", "apple") as (_, push, _):
        request = urllib.request.Request(push + "wpush/v2/nobody", b"", {"TTL": "1"})
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=patience(60))
        with refused.value as answer:
            # RFC 8030 wants 404 there, and so the lab says without the option.
            assert (answer.status, answer.read()) == (400, b"")


def test_a_flavour_that_nobody_has_is_said_so(tmp_path, capsys):
    assert main(["serve", "--data", str(tmp_path), "--flavour", "vanilla"]) == 2
    assert "strict, mozilla, fcm, apple, wns" in capsys.readouterr().err


@pytest.mark.usefixtures("programs")
def test_a_port_that_another_lab_holds_is_said_so(tmp_path):
    with serving(tmp_path / "one") as (page, _, process):
        port = page.rstrip("/").rsplit(":", 1)[1]
        ports = ["--port", port, "--push-port", "0"]
        command = [*PUSHLAB, "serve", *ports, "--data", str(tmp_path / "two")]
        slow = os.environ | {"PUSHLAB_PATIENCE": "10"}  # The first may take longer to say what it is.
        second = subprocess.run(command, env=slow, capture_output=True, text=True, timeout=patience(120))
    assert second.returncode == 1
    assert f"another lab holds port {port}: " in second.stderr and "--port and" in second.stderr
    assert f"(process {process.pid})" in second.stderr
    assert "Traceback" not in second.stderr


def test_keys_are_made_once_and_never_printed(tmp_path, capsys):
    path = tmp_path / "vapid.env"
    assert main(["keys", "--file", str(path), "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["made"] and made["public_key"].startswith("B") and len(made["public_key"]) == 87
    assert main(["keys", "--file", str(path), "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again == made | {"made": False}
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert main(["keys", "--file", str(path)]) == 0
    printed = capsys.readouterr().out
    private = re.search(r"VAPID_PRIVATE_KEY=\"?([\w-]{43})", path.read_text())[1]
    assert private not in printed and made["public_key"] in printed


def test_send_reaches_a_subscription_in_a_file(tmp_path, capsys):
    with LabRuntime(port=0, push_port=0, data=tmp_path) as lab:
        browser = lab.open("virtual")
        browser.subscribe()
        subscription = lab.subscriptions()[0].subscription
        file = tmp_path / "subscription.json"
        file.write_text(json.dumps(subscription.to_json()))
        status = main(["send", str(file), "--file", str(tmp_path / "vapid.env"), "--body", "by hand"])
        printed = capsys.readouterr().out
        assert status == 0 and "201" in printed and subscription.endpoint not in printed
        assert browser.wait_for_notification(body="by hand").title == "Hello, Notifications!"
        browser.unsubscribe()
        assert main(["send", str(file), "--file", str(tmp_path / "vapid.env")]) == 1
        assert "410" in capsys.readouterr().out


def test_send_to_a_subscription_without_keys_says_that_it_went_without_its_payload(tmp_path, capsys):
    file, keys = tmp_path / "subscription.json", tmp_path / "vapid.env"
    assert main(["keys", "--file", str(keys)]) == 0
    with push_endpoint() as (origin, paths):
        file.write_text(json.dumps({"endpoint": f"{origin}/keyless"}))
        assert main(["send", str(file), "--file", str(keys)]) == 0
    assert paths == ["/keyless"]
    assert "The message went without its payload" in capsys.readouterr().out
    file.write_text(json.dumps({"endpoint": "https://push.example.net/p", "keys": {"auth": "A"}}))
    assert main(["send", str(file), "--file", str(keys)]) == 2
    assert "keys has no p256dh" in capsys.readouterr().err


def test_send_writes_the_message_as_the_lab_does(tmp_path, capsys):
    """As escapes of JSON, 700 Chinese characters took 4,239 bytes, and were refused."""
    ua_public = p256.raw_public(ec.generate_private_key(p256.CURVE))
    file, keys = tmp_path / "subscription.json", tmp_path / "vapid.env"
    assert main(["keys", "--file", str(keys)]) == 0
    with push_endpoint() as (origin, paths):
        file.write_text(json.dumps(PushSubscription(f"{origin}/p", ua_public, bytes(16)).to_json()))
        assert main(["send", str(file), "--file", str(keys), "--body", "通" * 700]) == 0
        assert main(["send", str(file), "--file", str(keys), "--body", "通" * 1400]) == 2
        assert main(["send", str(file), "--file", str(keys), "--body", "\udcff"]) == 2
    assert paths == ["/p"]
    said = capsys.readouterr().err
    assert "bytes long, over 3993" in said and "cannot be written as JSON" in said


def test_send_goes_to_no_address_of_this_network(tmp_path, capsys):
    ua_public = p256.raw_public(ec.generate_private_key(p256.CURVE))
    file, keys = tmp_path / "subscription.json", tmp_path / "vapid.env"
    assert main(["keys", "--file", str(keys)]) == 0
    for host in ("127.0.0.1:9", "localhost:9", "169.254.169.254", "[::1]:9"):
        made = PushSubscription(f"https://{host}/p", ua_public, bytes(16)).to_json()
        file.write_text(json.dumps(made))
        assert main(["send", str(file), "--file", str(keys)]) == 1
        assert "an address that is not public" in capsys.readouterr().out
    made["endpoint"] = "http://127.0.0.1:9/p"  # This looks like the lab's: it is tried.
    file.write_text(json.dumps(made))
    assert main(["send", str(file), "--file", str(keys)]) == 1
    assert "No server listens" in capsys.readouterr().out


def test_send_says_what_is_wrong_with_a_file(tmp_path, capsys):
    (tmp_path / "s.json").write_text("{}")
    main(["keys", "--file", str(tmp_path / "k.env")])
    assert main(["send", str(tmp_path / "s.json"), "--file", str(tmp_path / "k.env")]) == 2
    assert "endpoint" in capsys.readouterr().err


def test_browser_says_when_no_lab_answers(capsys):
    assert main(["browser", "firefox", "http://127.0.0.1:9/"]) == 1
    assert "no lab answers at http://127.0.0.1:9/" in capsys.readouterr().err


def test_browser_opens_the_page_of_a_running_lab(tmp_path, chromium_installed):
    with serving(tmp_path) as (page, _, _):
        is_open_until_ctrl_c(["browser", "chromium", page, "--headless"])


def test_join_opens_the_first_browser_with_a_name_for_the_page(tmp_path, firefox_installed):
    with serving(tmp_path) as (page, _, _):
        with urllib.request.urlopen(page + "events", timeout=patience(120)) as events:

            def connected():  # Firefox does so at its start, Chromium when a page subscribes.
                heard = ""
                while '"connect"' not in heard:
                    heard = events.readline().decode()

            command = ["join", page.rstrip("/"), "--name", "Ada", "--headless"]
            is_open_until_ctrl_c(command, connected)


def is_open_until_ctrl_c(command, then=lambda: None):
    """Run a command that opens a browser, and end it once the browser is there and ``then`` is done."""
    with started([*PUSHLAB, *command], stdout=subprocess.PIPE, text=True) as process:
        # Nothing is said of an exception: a page of this machine needs none.
        assert process.stdout.readline() == "Close the browser to end this.\n"
        then()
        process.send_signal(signal.SIGINT)
        assert process.wait(patience(120)) == 130


@pytest.mark.parametrize(
    "arguments",
    [["send", "{missing}"], ["keys", "--file", "{file}/k.env"], ["doctor", "--keys", "{missing}"]],
)
def test_a_file_that_is_not_there_is_said_in_one_line(tmp_path, monkeypatch, capsys, arguments):
    monkeypatch.setenv("PUSHLAB_DATA", str(tmp_path / "data"))
    main(["keys"])
    (tmp_path / "file").touch()
    names = {"missing": tmp_path / "missing", "file": tmp_path / "file"}
    capsys.readouterr()
    assert main([one.format_map(names) for one in arguments]) == 2
    said = capsys.readouterr().err
    assert said.startswith("pushlab: ") and said.count("\n") == 1 and str(tmp_path) in said


def test_each_enter_prints_a_new_link_for_the_instructor(monkeypatch, capsys):
    from pushlab.lab.invitation import Invitation

    codes = (f"CODE-{number}" for number in itertools.count(1))
    invitation = Invitation("http://192.0.2.7:8292/", "c2VjcmV0", codes.__next__)
    monkeypatch.setattr("sys.stdin", io.StringIO("\n\n"))
    monkeypatch.setattr("signal.signal", lambda *_: None)
    commands._invite(invitation)
    printed = capsys.readouterr().out
    assert re.findall("instructor +(http\\S+)", printed) == [
        f"http://192.0.2.7:8292/#code=CODE-{number}" for number in (1, 2, 3)
    ]
    assert "Press Enter for another one" in printed and "c2VjcmV0" not in printed


@pytest.mark.parametrize("host", ["0.0.0.0", "localhost"])
def test_serve_asks_for_one_address(tmp_path, capsys, host):
    assert main(["serve", "--host", host, "--data", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "This machine has" in said and "Give one IPv4 address" in said


def test_doctor_lists_what_it_looked_at(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PUSHLAB_DATA", str(tmp_path))
    main(["doctor"])
    printed = capsys.readouterr().out
    assert "ok   Python 3" in printed and "tornado" in printed and "port" in printed


@pytest.mark.usefixtures("programs")
def test_doctor_tells_of_a_running_lab_and_its_routes(tmp_path, monkeypatch, capsys):
    with serving(tmp_path) as (page, _, _):
        monkeypatch.setenv("PUSHLAB_PORT", page.rstrip("/").rsplit(":", 1)[1])
        monkeypatch.setenv("PUSHLAB_DATA", str(tmp_path))
        assert main(["doctor"]) == 0
    printed = capsys.readouterr().out
    assert "a lab runs at port" in printed
    assert "https://jmt17.google.com/…/pushlab-… → 127.0.0.1:" in printed


def test_doctor_finds_a_key_file_that_others_can_read(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PUSHLAB_DATA", str(tmp_path))
    main(["keys", "--file", str(tmp_path / "vapid.env")])
    (tmp_path / "vapid.env").chmod(0o644)
    assert main(["doctor"]) == 1
    assert "chmod 600" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql+psycopg://me:pa55word@127.0.0.1/lab", 'pip install "psycopg[binary]"'),
        ("pa55word", "cannot be read"),
    ],
)
def test_serve_says_what_is_wrong_with_a_database(tmp_path, monkeypatch, capsys, url, words):
    monkeypatch.setitem(sys.modules, "psycopg", None)  # as where it is not installed
    free = ("--port", "0", "--push-port", "0", "--data", str(tmp_path))
    assert main(["serve", *free, "--database", url]) == 2
    said = capsys.readouterr().err
    assert said.startswith("pushlab: ") and said.count("\n") == 1 and words in said
    assert "disk space" not in said and "pa55word" not in said


def test_unknown_command_says_what_there_is(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["fly"])
    assert stopped.value.code == 2
    assert "demo" in capsys.readouterr().err
