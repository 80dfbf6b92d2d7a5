"""A GET that nothing can flood, hold up or confuse: a hostile server, and everybody who asks one."""

import gzip
import json
import socket
import threading
import time
from contextlib import contextmanager, suppress

import pytest

from pushlab import settings
from pushlab.cli import join
from pushlab.doctor.network import examine_network
from pushlab.errors import FetchFailed, LabError
from pushlab.fetch import MAX_BODY, data_of, fetch, fetch_data, is_text, is_texts, or_null
from pushlab.lab.jupyter import Jupyter
from pushlab.lab.ports import is_lab
from pushlab.settings import patience

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
SECONDS = 0.5


@contextmanager
def serving(*sent: bytes, endless: bytes = b"", pause: float | None = None, paths=None):
    """Answer every request with these bytes, then with ``endless`` again and again; give the port.

    ``pause``: seconds before each further byte; None keeps no pause, and closes at the end.
    """
    ended, answering = threading.Event(), []

    def answer(connection: socket.socket) -> None:
        connection.settimeout(patience(30))
        with connection, suppress(OSError):
            head = connection.recv(65536)
            # Who was cut off reads no more, and the system tells no sender soon.
            connection.settimeout(1)
            if paths is not None:
                paths.append(head.split()[1].decode())
            for part in sent:
                connection.sendall(part)
            while endless and not ended.wait(pause or 0):
                connection.sendall(endless)

    def serve() -> None:
        with suppress(OSError):
            while True:
                one = threading.Thread(target=answer, args=[listener.accept()[0]])
                answering.append(one)
                one.start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            ended.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for one in answering:
                one.join()


def framed(body: bytes, *headers: bytes) -> bytes:
    length = b"Content-Length: %d\r\n" % len(body)
    return HEAD + length + b"".join(header + b"\r\n" for header in headers) + b"\r\n" + body


def data(**members) -> bytes:
    return framed(json.dumps({"data": members}).encode())


ENDLESS = {
    "a body": {"sent": [HEAD + b"\r\n"], "endless": b" " * 65536},
    "chunks": {
        "sent": [HEAD + b"Transfer-Encoding: chunked\r\n\r\n"],
        "endless": b"10000\r\n" + b" " * 65536 + b"\r\n",
    },
    "a size of a chunk": {
        "sent": [HEAD + b"Transfer-Encoding: chunked\r\n\r\n"],
        "endless": b"0" * 65536,
    },
    "trailers": {
        "sent": [HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n"],
        "endless": b"A: b\r\n" * 1000,
    },
    "a header": {"sent": [HEAD], "endless": b"A" * 65536},
    "headers": {"sent": [HEAD], "endless": b"A: b\r\n" * 1000},
    "a status line": {"sent": [], "endless": b"H" * 65536},
    "preliminary answers": {"sent": [], "endless": b"HTTP/1.1 100 Continue\r\n\r\n" * 1000},
}
DRIPS = {
    "a status line": {"sent": [], "endless": b"H", "pause": 0.05},
    "a header": {"sent": [HEAD], "endless": b"A", "pause": 0.05},
    "a body": {"sent": [HEAD + b"\r\n"], "endless": b" ", "pause": 0.05},
    "a body of known length": {
        "sent": [HEAD + b"Content-Length: 9999\r\n\r\n"],
        "endless": b" ",
        "pause": 0.05,
    },
    "chunks": {
        "sent": [HEAD + b"Transfer-Encoding: chunked\r\n\r\n"],
        "endless": b"1\r\n \r\n",
        "pause": 0.05,
    },
}


@pytest.mark.parametrize("what", ENDLESS)
def test_what_does_not_end_is_cut_off(what, leaves_nothing):
    how = dict(ENDLESS[what])
    with leaves_nothing(), serving(*how.pop("sent"), **how) as port, pytest.raises(FetchFailed):
        fetch(f"http://127.0.0.1:{port}/", seconds=SECONDS)


@pytest.mark.parametrize("what", DRIPS)
def test_what_drips_ends_at_the_deadline(what, leaves_nothing):
    how = dict(DRIPS[what])
    with leaves_nothing(), serving(*how.pop("sent"), **how) as port:
        began = time.monotonic()
        with pytest.raises(FetchFailed) as failed:
            fetch(f"http://127.0.0.1:{port}/", seconds=SECONDS)
        took = time.monotonic() - began
    assert "no complete answer came within 0.5 s" in str(failed.value)
    assert SECONDS <= took < patience(SECONDS + 2)


def test_a_body_may_be_as_long_as_the_limit_and_no_longer():
    for length in (MAX_BODY, MAX_BODY + 1):
        with serving(framed(b" " * length)) as port:
            url = f"http://127.0.0.1:{port}/"
            if length == MAX_BODY:
                assert len(fetch(url, seconds=patience(10)).body) == MAX_BODY
            else:
                with pytest.raises(FetchFailed, match="longer than 65536 bytes"):
                    fetch(url, seconds=patience(10))


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd", "ftp://127.0.0.1/", "data:,x", "http://", "nothing", "", "http://[::1",
        "http://127.0.0.1:70000/", "http://127.0.0.1:x/", "http://127.0.0.1:9/\r\nX: y", "http://ü\0/",
        "http://127.0.0.1:9/",
    ],
)  # fmt: skip
def test_what_is_no_url_or_is_not_there_is_a_plain_error(url):
    with pytest.raises(FetchFailed):
        fetch(url, seconds=patience(5))


@pytest.mark.parametrize("target", ["file:///etc/passwd", "http://127.0.0.1:{port}/elsewhere", "//x"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(status, target):
    paths: list[str] = []
    sent = [b"HTTP/1.1 %d Moved\r\nContent-Length: 0\r\n" % status]
    with serving(*sent, b"Location: " + target.encode() + b"\r\n\r\n", paths=paths) as port:
        url = f"http://127.0.0.1:{port}/"
        assert fetch(url, seconds=patience(10)).status == status
        with pytest.raises(FetchFailed, match=f"redirect .{status}.*not followed"):
            fetch_data(url, seconds=patience(10), name=is_text)
    assert paths == ["/", "/"]


BAD_BODIES = {
    "no JSON": b"<html>",
    "nothing": b"",
    "not UTF-8": b'{"data": {"name": "\xff"}}',
    "deep": b"[" * 60_000,
    "deep objects": b'{"data":' * 8000,
    "a huge number": b'{"data": {"name": ' + b"9" * 60_000 + b"}}",
    "a huge exponent": b'{"data": {"name": 1e99999}}',
    "NaN": b'{"data": {"name": NaN}}',
    "a name twice": b'{"data": {"name": "pushlab", "name": "x"}}',
    "an array": b"[]",
    "text": b'"data"',
    "null": b"null",
    "data is null": b'{"data": null}',
    "data is an array": b'{"data": ["name"]}',
    "no data": b"{}",
    "half a surrogate": b'{"data": {"name": "\\ud800"}}',
}
WRONG = [None, 7, 1.5, True, [], {}, "\x1b[31m", "ü", "line\nline"]


@pytest.mark.parametrize("what", BAD_BODIES)
def test_a_body_that_is_no_answer_of_a_lab_is_a_plain_error(what):
    with serving(framed(BAD_BODIES[what])) as port, pytest.raises(FetchFailed) as failed:
        fetch_data(f"http://127.0.0.1:{port}/", seconds=patience(10), name=is_text)
    assert str(failed.value).isprintable() and len(str(failed.value)) < 200


def test_a_compressed_answer_is_not_unpacked():
    bomb = gzip.compress(b'{"data": {"name": "' + b" " * 10_000_000 + b'"}}')
    with serving(framed(bomb, b"Content-Encoding: gzip")) as port:
        reply = fetch(f"http://127.0.0.1:{port}/", seconds=patience(10))
        assert reply.body == bomb
        with pytest.raises(FetchFailed, match="compressed"):
            data_of(reply, name=is_text)


@pytest.mark.parametrize("status", [204, 400, 404, 500])
def test_another_status_is_a_plain_error(status):
    with serving(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status) as port:
        with pytest.raises(FetchFailed, match=f"status {status}"):
            fetch_data(f"http://127.0.0.1:{port}/", seconds=patience(10), name=is_text)


def test_types_of_members():
    assert is_text("pushlab") and is_texts([]) and is_texts(["a", "b"]) and or_null(is_text)(None)
    assert is_text("ü → ü") and not any(is_text(value) for value in WRONG if value != "ü")
    assert not is_texts(["a", 1]) and not is_texts("text")


# --- who asks -------------------------------------------------------------------------------------

HEALTH = {"name": "pushlab", "push_service": "ws://127.0.0.1:9/", "room": False, "routes": []}


@pytest.mark.parametrize("value", [*WRONG[1:], "", "http://127.0.0.1:9/", "ws://", "file:///etc/passwd",
    "ws://user@127.0.0.1:9/", "ws://127.0.0.1:70000/", "wss:x", "ws://[::1"])  # fmt: skip
def test_join_refuses_a_push_service_that_is_none(value):
    with serving(data(**HEALTH | {"push_service": value})) as port, pytest.raises(LabError):
        join.push_service_of(f"http://127.0.0.1:{port}")


@pytest.mark.parametrize("name", ["checkin_url", "registration_url", "mcs_url", "spki"])
@pytest.mark.parametrize(
    "value", [*WRONG, "", "https://evil.example/", "x" * 44, f"{'A' * 43}=,{'B' * 43}="]
)
def test_join_gives_a_chromium_nothing_that_it_should_not_have(name, value):
    good = dict.fromkeys(("checkin_url", "registration_url", "mcs_url"), "https://127.0.0.1:9/")
    good["spki"] = "A" * 43 + "="
    with serving(data(**good)) as port:
        assert vars(join.listeners_of(f"ws://127.0.0.1:{port}/")) == good
    with serving(data(**good | {name: value})) as port, pytest.raises(LabError):
        join.listeners_of(f"ws://127.0.0.1:{port}/")


def test_a_lab_elsewhere_leads_to_no_program_of_this_machine(monkeypatch):
    monkeypatch.setattr(join, "ask", lambda url, **members: HEALTH)
    assert join.push_service_of("http://127.0.0.1:8292") == HEALTH["push_service"]
    with pytest.raises(LabError, match="names no push service that this browser can use"):
        join.push_service_of("http://192.0.2.7:8292")


@pytest.mark.parametrize("how", [ENDLESS["a body"], DRIPS["a body"], DRIPS["a status line"]])
def test_everybody_who_asks_has_an_answer_in_time(how, monkeypatch):
    monkeypatch.setattr(settings, "patience", lambda seconds: 0.3)
    monkeypatch.setattr("pushlab.lab.jupyter.patience", lambda seconds: 0.3)
    how = dict(how)
    with serving(*how.pop("sent"), **how) as port:
        began = time.monotonic()
        assert not is_lab("127.0.0.1", port)
        assert "port-taken" in [finding.code for finding in examine_network(port=port)]
        assert not Jupyter("/", True, f"http://127.0.0.1:{port}/").passes("http://127.0.0.1:8292/")
        with pytest.raises(LabError, match="no lab answers at"):
            join.push_service_of(f"http://127.0.0.1:{port}/")
        assert time.monotonic() - began < patience(10)


@pytest.mark.parametrize("member", HEALTH)
@pytest.mark.parametrize("value", WRONG)
def test_the_doctor_and_the_question_who_holds_a_port_take_every_type(member, value):
    with serving(data(**HEALTH | {member: value})) as port:
        is_lab("127.0.0.1", port)
        assert examine_network(port=port)


def test_a_lab_that_holds_a_port_is_known():
    with serving(data(**HEALTH)) as port:
        assert is_lab("127.0.0.1", port)
        assert "lab" in [finding.code for finding in examine_network(port=port)]
