"""Where the page is, for each place in which a notebook is read."""

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from pushlab.lab.jupyter import Jupyter, below, here, jupyter, page_url

PLAIN = "http://127.0.0.1:8292/"
PARENT = {"JPY_PARENT_PID": "4711"}
LAPTOP = {"url": "http://localhost:8888/", "hostname": "localhost", "token": "secret"}
AT_A_PATH = {"url": "http://127.0.0.1:8888/user/x/", "hostname": "127.0.0.1", "token": "secret"}
REMOTE = {"url": "http://0.0.0.0:8888/", "hostname": "0.0.0.0", "token": "secret"}
HUB = {"JUPYTERHUB_SERVICE_PREFIX": "/user/ada/", "JUPYTERHUB_HOST": ""}
BINDER = {
    "JUPYTERHUB_SERVICE_PREFIX": "/user/pushlab-3xk2v9/",
    "JUPYTERHUB_BASE_URL": "/",
    "JUPYTERHUB_HOST": "",
    "BINDER_LAUNCH_HOST": "https://binder.example/",
}
PUBLIC = HUB | {"JUPYTERHUB_PUBLIC_URL": "https://hub.example/user/ada/"}
ONLY_THE_HUB_S = HUB | {"JUPYTERHUB_PUBLIC_URL": "https://hub.example/"}


@pytest.fixture
def runtime(tmp_path):
    """Return a function that writes the runtime file of the server that started this kernel."""

    def write(found):
        if found is not None:
            text = found if isinstance(found, str) else json.dumps(found)
            (tmp_path / "jpserver-4711.json").write_text(text, "utf-8")
        return tmp_path

    return write


@pytest.mark.parametrize(
    "environment, found, expected",
    [
        ({}, None, PLAIN),
        (PARENT, None, PLAIN),  # a test or nbconvert runs the notebook
        (PARENT, LAPTOP, PLAIN),
        ({}, REMOTE, PLAIN),  # somebody else's server
        (PARENT, "{", PLAIN),
        (PARENT, [], PLAIN),
        ({"JPY_PARENT_PID": "../4711"}, REMOTE, PLAIN),
        (PARENT, AT_A_PATH, "/user/x/proxy/8292/"),
        (PARENT, REMOTE, "/proxy/8292/"),
        (HUB, None, "/user/ada/proxy/8292/"),
        (HUB | PARENT, AT_A_PATH, "/user/ada/proxy/8292/"),
        (BINDER, None, "/user/pushlab-3xk2v9/proxy/8292/"),
        (PUBLIC, None, "https://hub.example/user/ada/proxy/8292/"),
        (ONLY_THE_HUB_S, None, "/user/ada/proxy/8292/"),
    ],
)
def test_the_page_s_address(environment, found, expected, runtime):
    assert page_url(PLAIN, jupyter(environment, runtime(found))) == expected


@pytest.mark.parametrize("url", ["http://10.77.0.1:8292/", "https://127.0.0.1:8292/"])
def test_what_the_proxy_cannot_reach_keeps_its_address(url):
    assert page_url(url, jupyter(HUB)) == url


def test_a_frame_goes_through_the_proxy_on_a_laptop_too(runtime):
    server = jupyter(PARENT, runtime(LAPTOP))
    assert server.near
    assert server.url + below(PLAIN) == "/proxy/8292/"


def test_the_token_is_in_no_repr(runtime):
    assert "secret" not in repr(jupyter(PARENT, runtime(LAPTOP)))


def test_this_process_has_no_jupyter_before_it(monkeypatch, tmp_path):
    for name in ("JUPYTERHUB_SERVICE_PREFIX", "JPY_PARENT_PID"):
        monkeypatch.delenv(name, raising=False)
    assert here() is None
    monkeypatch.setenv("JPY_PARENT_PID", "4711")
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    assert here() is None
    (tmp_path / "jpserver-4711.json").write_text(json.dumps(AT_A_PATH), "utf-8")
    assert here().url == "/user/x/"


@pytest.mark.parametrize(
    "status, kind, passes",
    [
        (200, "application/json", True),
        (200, "text/html", False),
        (404, "text/html", False),
        (403, "text/html", True),
        (500, "text/html", False),
    ],
)
def test_whether_the_proxy_is_there(status, kind, passes):
    asked = []

    class Server(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, self.headers["Authorization"], self.headers["Host"]))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Server) as server:
        Thread(target=server.handle_request).start()
        inner = f"http://127.0.0.1:{server.server_port}/user/x/"
        assert Jupyter("/user/x/", False, inner, "secret").passes(PLAIN) == passes
    assert asked == [("/user/x/proxy/8292/health", "token secret", "127.0.0.1:8292")]
    assert Jupyter("/user/x/", False, inner).passes(PLAIN) is False  # nobody listens any more
    assert Jupyter("/user/ada/", False).passes(PLAIN) is True  # nobody can be asked
