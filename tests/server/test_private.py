"""What is behind a secret, and what is in front of it."""

import pytest
from tornado.httpclient import AsyncHTTPClient
from tornado.web import Application, RequestHandler

from pushlab.server.http import listen
from pushlab.server.limits import BoundedHTTPServer
from pushlab.server.private import PrivateAddress

SECRET = "K3ey_-" * 5


class Inside(RequestHandler):
    def get(self, name: str) -> None:
        self.finish(f"inside {self.request.path} {self.request.uri}")


class Outside(RequestHandler):
    def get(self, name: str) -> None:
        self.finish("outside")


@pytest.fixture(scope="module")
def ask(run_in_one_loop):
    """Send the target of a request to a private server, and return what answers."""
    private = PrivateAddress(
        f"/{SECRET}", Application([(r"(/.*)", Inside)]), Application([(r"(.*)", Outside)])
    )
    server, client = BoundedHTTPServer(private), AsyncHTTPClient(force_instance=True)
    listener = listen(0, "127.0.0.1")
    port = listener.getsockname()[1]

    async def start():
        server.add_socket(listener)

    async def stop():
        server.stop()
        client.close()
        await server.close_all_connections()

    run_in_one_loop(start())
    yield lambda target: run_in_one_loop(client.fetch(f"http://127.0.0.1:{port}{target}")).body.decode()
    run_in_one_loop(stop())


def test_who_has_the_secret_is_inside_and_nobody_there_sees_it(ask):
    for path, query in (("/", ""), ("/vapid", ""), ("/events", "?access_token=a"), (f"/{SECRET}/", "")):
        assert ask(f"/{SECRET}{path}{query}") == f"inside {path} {path}{query}"


def test_everybody_else_is_outside(ask):
    for target in (
        "/", "/vapid", f"/{SECRET}", f"/{SECRET}?/", f"/{SECRET}vapid", f"//{SECRET}/", f"/./{SECRET}/",
        f"/{SECRET[:-1]}/", f"/{SECRET[:-1]}x/", f"/{SECRET}x/", f"/{SECRET.lower()}/",
        f"/vapid/{SECRET}/", f"/?{SECRET}/", f"/%4B{SECRET[1:]}/", "/" + "é" * len(SECRET) + "/",
    ):  # fmt: skip
        assert ask(target) == "outside", target
