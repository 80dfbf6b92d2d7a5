"""The connections that virtual user agents share: kept, bounded, closed, and led nowhere else."""

import asyncio
import socket

import pytest
from tornado.web import RequestHandler

from pushlab.errors import BrowserFailed
from pushlab.useragent.http_client import MAX_BACKGROUND, MAX_BODY, HttpClient
from pushlab.useragent.virtual import VirtualUserAgent

NOWHERE = "ws://127.0.0.1:1/"


def routes(peers, **pages):
    """Return a route for each page, whose handler notes the peer of each request."""

    def handler(answer):
        class Page(RequestHandler):
            async def get(self):
                peers.append(self.request.connection.context.address)
                await answer(self)

        return Page

    return [(f"/{name}", handler(answer)) for name, answer in pages.items()]


def in_use() -> bool:
    """Say whether there is a client in this loop. A test that closes no user agent leaves its own."""
    return asyncio.get_running_loop() in HttpClient._clients


def ends(connection: socket.socket) -> bool:
    """Read what the other end has sent, until it closes the connection."""
    while connection.recv(65536):
        pass
    return True


async def nothing(page):
    page.finish()


def test_user_agents_use_a_connection_again_also_anothers(run, serve):
    peers = []

    async def scenario():
        async with serve(routes(peers, ok=nothing)) as port:
            agents = [VirtualUserAgent(NOWHERE) for _ in range(5)]
            for agent in agents * 2:
                await agent.open(f"http://127.0.0.1:{port}/ok")
            for agent in agents:
                await agent.close()
        assert len(peers) == 10 and len(set(peers)) == 1
        assert not in_use()

    run(scenario())


def test_an_answer_over_the_bound_is_not_read(run, serve):
    async def big(page):
        for _ in range(3):
            page.write(bytes(MAX_BODY // 2))
            await page.flush()  # in chunks: no Content-Length announces how much there is

    async def just(page):
        page.write(bytes(MAX_BODY - 1))
        await page.flush()

    async def scenario():
        async with serve(routes([], big=big, just=just)) as port:
            agent = VirtualUserAgent(NOWHERE)
            await agent.open(f"http://127.0.0.1:{port}/just")
            with pytest.raises(BrowserFailed, match="does not answer"):
                await agent.open(f"http://127.0.0.1:{port}/big")
            await agent.close()

    run(scenario())


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1:1/"])
def test_no_other_scheme_is_fetched(run, url):
    async def scenario():
        agent = VirtualUserAgent(NOWHERE)
        with pytest.raises(BrowserFailed, match=r"not answer.*(disabled|not supported)"):
            await agent.open(url)
        await agent.close()

    run(scenario())


def test_no_proxy_is_asked_for_this_machine(run, serve, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1/")
    monkeypatch.delenv("no_proxy", raising=False)
    peers = []

    async def scenario():
        async with serve(routes(peers, ok=nothing)) as port:
            agent = VirtualUserAgent(NOWHERE)
            await agent.open(f"http://127.0.0.1:{port}/ok")
            await agent.close()
        assert len(peers) == 1

    run(scenario())


def test_a_request_that_is_given_up_does_not_hold_the_client(run):
    async def scenario():
        with socket.create_server(("127.0.0.1", 0)) as silent:
            agent = VirtualUserAgent(NOWHERE)
            opening = asyncio.create_task(agent.open(f"http://127.0.0.1:{silent.getsockname()[1]}/"))
            connection, _ = await asyncio.to_thread(silent.accept)
            with connection:
                opening.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await opening
                await agent.close()
                assert await asyncio.to_thread(ends, connection)
        assert not in_use()

    run(scenario())


def test_a_client_is_closed_only_when_nobody_waits_for_it(run, serve):
    asked, go_on = asyncio.Event(), asyncio.Event()

    async def held(page):
        asked.set()
        await go_on.wait()

    async def scenario():
        async with serve(routes([], held=held)) as port:
            agent = VirtualUserAgent(NOWHERE)
            opening = asyncio.create_task(agent.open(f"http://127.0.0.1:{port}/held"))
            await asked.wait()
            await agent.close()
            assert not opening.done() and in_use()
            go_on.set()
            await opening
        assert not in_use()

    run(scenario())


def test_the_reports_of_a_crowd_leave_the_way_to_others(run, serve):
    reported, go_on = [], asyncio.Event()

    class Report(RequestHandler):
        async def post(self):
            reported.append(self.request.body)
            await go_on.wait()

    async def scenario():
        async with serve([*routes([], ok=nothing), ("/report", Report)]) as port:
            page = f"http://127.0.0.1:{port}/ok"
            crowd = [VirtualUserAgent(NOWHERE) for _ in range(3 * MAX_BACKGROUND)]
            for agent in crowd:
                await agent.open(page)
            for agent in crowd:
                agent._on_push(b"hello")
            for _ in range(5):
                await crowd[0].open(page)
            assert len(reported) == MAX_BACKGROUND
            go_on.set()
            for agent in crowd:
                await agent.close()
            assert len(reported) == 2 * len(crowd)

    run(scenario())
