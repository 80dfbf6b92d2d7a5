"""Secrets cannot be guessed, and the page of another site gets nothing from this server."""

import json
import math
import re
import stat

import pytest
from tornado.httpclient import HTTPRequest

from pushlab.protocol import base64url
from pushlab.pushservice.broker import new_secret
from pushlab.pushservice.chromium.checkin import TOKEN_PREFIX
from pushlab.server.http import PAGE_HEADERS

ENOUGH = 120
"""Bits. RFC 8030 §8.3 asks that nobody can guess a capability URL; W3C's finding on such says 120."""


def bits_seen(secrets: list[bytes]) -> float:
    """Return how many bits of these secrets were seen to vary evenly; each is of one length."""
    size, bits = len(secrets[0]), 0.0
    for place in range(size * 8):
        ones = sum(secret[place // 8] >> place % 8 & 1 for secret in secrets)
        # Five standard deviations: of a million honest bits one is missed now and then.
        bits += abs(ones - len(secrets) / 2) < 5 * math.sqrt(len(secrets)) / 2
    return bits


def test_a_secret_is_192_random_bits_in_base64url():
    made = [new_secret() for _ in range(2000)]
    assert len(set(made)) == len(made) and all(re.fullmatch(r"[\w-]{32}", one) for one in made)
    assert bits_seen([base64url.decode(one) for one in made]) >= ENOUGH
    counted = [number.to_bytes(24, "big") for number in range(2000)]
    assert bits_seen(counted) < ENOUGH, "a counter would be noticed"


def test_endpoints_and_messages_of_both_browsers_are_such_secrets(bench):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        browser, chromium_sender, chromium = await bench.logged_in()
        firefox = [subscription.endpoint]
        for number in range(2, 5):
            firefox.append((await agent.subscribe(sender.key, f"channel-{number}")).endpoint)
        tokens = [url.rsplit("/", 1)[1] for url in [*firefox, chromium.endpoint]]
        assert tokens[-1].startswith(TOKEN_PREFIX)
        tokens[-1] = tokens[-1].removeprefix(TOKEN_PREFIX)
        for who, to in ((sender, subscription), (chromium_sender, chromium)):
            answer = await who.send(to, b"x", ttl=60)
            tokens.append(answer.headers["Location"].rsplit("/", 1)[1])
        assert len(set(tokens)) == len(tokens)
        assert {8 * len(base64url.decode(token)) for token in tokens} == {192}
        # The secret names of the browsers: with one of them, anybody could receive its messages.
        assert len(bytes.fromhex(agent.uaid)) * 8 >= ENOUGH
        known = browser.android_id, browser.security_token
        assert all(2**40 < number <= 2**62 for number in known), "62 bits each"

    bench(scenario)


# --- pages of others ----------------------------------------------------------------------------

PATHS = ["/", "/chromium", "/nothing", "/m/" + "A" * 32]


@pytest.mark.parametrize("path", [*PATHS, "/wpush/v2/" + "A" * 32, "/checkin", "/c2dm/register3"])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "DELETE"])
def test_a_host_of_others_is_refused_on_every_path(shared_bench, http, path, method):
    async def scenario(bench):
        url, told = bench.service.origin + path, bench.journal.events()
        for host in ("evil.example", "evil.example:8030", "127.0.0.1.evil.example"):
            request = HTTPRequest(url, method, {"Host": host}, allow_nonstandard_methods=True)
            answer = await http(request)
            assert answer.code == 421
            assert json.loads(answer.body)["error"]["id"] == "wrong-host"
        assert bench.journal.events() == told
        request = HTTPRequest(url, method, {"Host": "localhost:1"}, allow_nonstandard_methods=True)
        assert (await http(request)).code != 421

    shared_bench(scenario)


def test_a_websocket_for_a_host_of_others_is_refused(bench, http):
    async def scenario(bench):
        upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
                   "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Host": "evil.example"}  # fmt: skip
        assert (await http(HTTPRequest(bench.service.origin + "/", headers=upgrade))).code == 421
        assert await (await bench.stranger(Host="localhost")).hello()

    bench(scenario)


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_tells_a_browser_to_do_nothing_with_it(shared_bench, http, path):
    async def scenario(bench):
        headers = (await http(bench.service.origin + path)).headers
        assert PAGE_HEADERS.items() <= dict(headers).items()
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert not [name for name in headers if name.lower().startswith("access-control")]

    shared_bench(scenario)


def test_the_database_is_for_its_owner_alone(open_bench, run, tmp_path):
    path = tmp_path / "push.sqlite3"

    async def scenario():
        async with open_bench(database=f"sqlite:///{path}") as bench:
            _, sender, subscription = await bench.subscribed()
            await sender.send(subscription)
            files = sorted(tmp_path.glob("push.sqlite3*"))
            assert len(files) == 3, "the write-ahead log and its index too"
            return {stat.S_IMODE(file.stat().st_mode) for file in files}

    assert run(scenario()) == {0o600}
