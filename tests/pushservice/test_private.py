"""A private push service: browsers that were told its secret, and senders that were told an endpoint."""

import pytest
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

SECRET = "s" * 32


def without_secret(url: str) -> str:
    assert f"/{SECRET}" in url
    return url.replace(f"/{SECRET}", "")


def test_only_who_has_the_secret_gets_in_and_endpoints_stay_reachable(bench, http):
    async def scenario(bench):
        agent, sender, subscription = await bench.subscribed()
        assert SECRET not in subscription.endpoint, "an endpoint is for strangers"
        posted = await sender.send(subscription, b"hello", ttl=60)
        assert posted.code == 201 and SECRET not in posted.headers["Location"]
        assert agent.read(await agent.notification()) == b"hello"
        withdrawn = await http(HTTPRequest(posted.headers["Location"], "DELETE"))
        assert withdrawn.code == 204

        origin, ws_url = bench.service.origin, bench.service.ws_url
        with pytest.raises(HTTPClientError) as refused:
            await websocket_connect(without_secret(ws_url))
        assert refused.value.code == 403
        routes = {rule.matcher.regex.pattern.rstrip("$") for rule in _rules(bench.service)}
        assert len(routes) == 11, "with the routes for tests"
        for route in sorted(routes):
            for method, body in (("GET", None), ("POST", b"{}")):
                at = origin + route.replace("([A-Za-z0-9_-]+)", "x" * 32)
                answer = await http(HTTPRequest(at, method, body=body))
                expected = (404, 405) if route.startswith(("/wpush/", "/m/")) else (403,)
                assert answer.code in expected, (method, route)
                assert SECRET not in answer.body.decode()
        https = await http(
            HTTPRequest(f"{bench.service.https_origin}/", validate_cert=False)
        )  # Its front page would tell the address.
        assert https.code == 404 and SECRET not in https.body.decode()

    bench(scenario, secret=SECRET, control=True)


def _rules(service):
    every = service._application().wildcard_router.rules
    return [rule for rule in every if hasattr(rule.matcher, "regex")]


def test_a_chromium_needs_numbers_that_this_service_gave_out(open_bench, run, tmp_path):
    database = f"sqlite:///{tmp_path}/push.sqlite3"

    async def scenario():
        async with open_bench(database=database, secret=SECRET) as bench:
            browser, sender, subscription = await bench.logged_in()
            await sender.send(subscription, b"hello", ttl=60)
            assert browser.read(await browser.message()) == b"hello"
            for made_up in (
                (browser.android_id, browser.security_token ^ 1),
                (browser.android_id ^ 1, browser.security_token),
                (4711, 4712),
            ):
                stranger = await bench.browser(like=browser)
                stranger.android_id, stranger.security_token = made_up
                answer = await stranger.post_form(stranger.form(sender.key))
                assert (answer.code, answer.body) == (401, b"Error=AUTHENTICATION_FAILED")
                await _is_refused(stranger)
                # Checkin gives it numbers of its own, if it knows where that is.
                await stranger.check_in()
                assert (stranger.android_id, stranger.security_token) != made_up
                await stranger.log_in()
        async with open_bench(database=database, secret=SECRET) as later:
            again = await later.browser(like=browser)
            await again.log_in()
        async with open_bench(database=database, secret="t" * 32) as other:
            await _is_refused(await other.browser(like=browser))
        async with open_bench(database=database) as public:
            # On one's own machine a browser stays what it was told to be by another run.
            await (await public.browser(like=browser)).log_in()

    run(scenario())


async def _is_refused(browser) -> None:
    with pytest.raises((EOFError, ConnectionError)):
        await browser.log_in()


def test_the_two_numbers_are_of_62_bits_each(bench):
    async def scenario(bench):
        numbers = set()
        for _ in range(50):
            browser = await bench.browser()
            numbers |= {browser.android_id, browser.security_token}
        assert len(numbers) == 100
        assert all(0 < number <= 2**62 for number in numbers)
        assert len({number >> 54 for number in numbers}) > 50, "the upper bits vary as well"

    bench(scenario, secret=SECRET)
