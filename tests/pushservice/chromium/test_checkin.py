"""Checkin and registration: a browser gets its numbers, it subscribes, and nonsense is refused."""

import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from tornado.httpclient import HTTPRequest

from pushlab.protocol import base64url, p256
from pushlab.pushservice.chromium import messages
from pushlab.pushservice.chromium.checkin import Browsers
from pushlab.pushservice.mailbox import Mailbox, Subscription


def new_key() -> bytes:
    return p256.raw_public(ec.generate_private_key(ec.SECP256R1()).public_key())


# --- checkin --------------------------------------------------------------------------------------


def test_checkin_gives_two_numbers(bench):
    async def scenario(bench):
        browser = await bench.browser()
        response = await browser.check_in()
        assert response.code == 200
        assert response.headers["Content-Type"] == "application/x-protobuf"
        answer = messages.CHECKIN_RESPONSE.decode(response.body)
        assert answer["stats_ok"] == 1 and answer["time_msec"] == int(bench.clock() * 1000)
        assert 0 < answer["android_id"] < 2**63 and 0 < answer["security_token"] < 2**63
        assert bench.events() == []  # Nothing has happened yet that a learner would draw.

    bench(scenario)


def test_checkin_gives_a_browser_its_own_numbers_back(bench):
    async def scenario(bench):
        browser, other = await bench.browser(), await bench.browser()
        numbers = browser.android_id, browser.security_token
        await browser.check_in()
        assert (browser.android_id, browser.security_token) == numbers
        assert (other.android_id, other.security_token) != numbers
        # A browser with only one of the numbers is another browser.
        browser.security_token += 1
        await browser.check_in()
        assert browser.android_id != numbers[0]

    bench(scenario)


@pytest.mark.parametrize("body", [b"\xff", b"\x10", b"\x12\x05abc", b"{}" * 50_000])
def test_nonsense_for_a_checkin(bench, http, body):
    async def scenario(bench):
        response = await http(HTTPRequest(bench.service.chromium.checkin_url, "POST", {}, body))
        assert response.code == 400 and json.loads(response.body)["error"]["id"] == "bad-field"

    bench(scenario)


@pytest.mark.parametrize("path", ["checkin", "c2dm/register3"])
def test_only_post(bench, http, path):
    async def scenario(bench):
        response = await http(f"{bench.service.origin}/{path}")
        assert (response.code, response.headers["Allow"]) == (405, "POST")

    bench(scenario)


def test_names_for_people():
    browsers = Browsers(mailbox := Mailbox())
    assert browsers.display_name("anybody") == "Chromium"
    kept = Subscription("token", "stored", "channel", display_name="Chrome")
    mailbox.apply(mailbox.subscribe(kept))
    assert browsers.display_name("stored") == "Chrome"
    browsers.rename("stored", "Edge")
    assert browsers.display_name("stored") == "Edge"


# --- registration ---------------------------------------------------------------------------------


def test_subscribe(bench):
    async def scenario(bench):
        browser, key = await bench.browser(), new_key()
        response = await browser.post_form(browser.form(key))
        assert response.code == 200 and response.headers["Content-Type"].startswith("text/plain")
        name, token = response.body.decode().split("=")
        prefix, secret = token[:8], token[8:]
        assert (name, prefix) == ("token", "pushlab-") and len(base64url.decode(secret)) == 24
        kept = bench.service.broker.mailbox.subscription(token)
        assert (kept.key, kept.display_name) == (key, "Chromium")
        assert kept.channel == "org.chromium.linux wp:http://localhost:8000/#0F3C-V2"
        assert bench.events() == ["subscribe", "endpoint"]
        # The same request again returns the same subscription: Chromium repeats unanswered ones.
        assert (await browser.post_form(browser.form(key))).body.decode() == f"token={token}"

    bench(scenario)


def test_two_pages_and_two_browsers_have_subscriptions_of_their_own(bench):
    async def scenario(bench):
        one, other, key = await bench.browser(), await bench.browser(), new_key()
        made = [
            await one.subscribe(key),
            await one.subscribe(key, "http://localhost:9000/"),
            await other.subscribe(key),
        ]
        assert len({subscription.endpoint for subscription in made}) == 3

    bench(scenario)


def test_unsubscribe_and_subscribe_again(bench):
    async def scenario(bench):
        browser, sender, subscription = await bench.logged_in()
        await sender.send(subscription)
        await browser.unsubscribe(sender.key)
        assert (await sender.send(subscription)).code == 410
        assert bench.queue() == 0
        again = await browser.subscribe(sender.key)
        assert again.endpoint != subscription.endpoint
        assert (await sender.send(again)).code == 201
        # Deleting a subscription that does not exist is no error.
        await browser.unsubscribe(sender.key, "http://localhost:9000/")
        assert (await sender.send(again)).code == 201

    bench(scenario)


def test_a_browser_cannot_unsubscribe_another(bench):
    async def scenario(bench):
        _, sender, subscription = await bench.logged_in()
        await (await bench.browser()).unsubscribe(sender.key)
        assert (await sender.send(subscription)).code == 201

    bench(scenario)


def test_the_registration_of_the_browser_itself_leads_nowhere(bench):
    async def scenario(bench):
        browser = await bench.browser()
        form = {"app": "com.google.android.gms", "sender": "745476177629", "device": "1"}
        for fields in ({}, {"delete": "true"}):
            response = await browser.post_form(form | fields)
            assert response.code == 200 and response.body.startswith(b"token=")
        assert bench.service.broker.mailbox.counts() == (0, 0) and bench.events() == []

    bench(scenario)


@pytest.mark.parametrize(
    "authorization",
    ["", "AidLogin", "AidLogin 1", "AidLogin 0:0", "AidLogin -1:1", "AidLogin x:y", "Basic eDp5",
     f"AidLogin 1:{2**64}", f"AidLogin {10**30}:1", "vapid t=a, k=b"],
)  # fmt: skip
def test_a_bad_authorization(bench, authorization):
    async def scenario(bench):
        browser = await bench.browser()
        response = await browser.post_form(browser.form(new_key()), authorization)
        assert (response.code, response.body) == (401, b"Error=AUTHENTICATION_FAILED")
        assert bench.events() == []

    bench(scenario)


def test_the_token_of_another(bench):
    async def scenario(bench):
        browser, other = await bench.browser(), await bench.browser()
        mixed = f"AidLogin {browser.android_id}:{other.security_token}"
        response = await browser.post_form(browser.form(new_key()), mixed)
        assert response.code == 401
        assert (await browser.post_form(browser.form(new_key()))).code == 200

    bench(scenario)


def test_numbers_of_an_earlier_run_are_taken(bench):
    async def scenario(bench):
        browser = await bench.browser()
        response = await browser.post_form(browser.form(new_key()), "AidLogin 12:34")
        assert response.body.startswith(b"token=pushlab-")

    bench(scenario)


@pytest.mark.parametrize(
    "sender",
    ["", "745476177629", "*", "A" * 87, "BA", "!" * 87, base64url.encode(new_key()) + "="],
    ids=["empty", "a number", "a star", "no point", "short", "no base64url", "padded"],
)
def test_a_sender_that_is_no_key(bench, sender):
    async def scenario(bench):
        browser = await bench.browser()
        response = await browser.post_form(browser.form(b"", sender=sender))
        assert (response.code, response.body) == (200, b"Error=INVALID_SENDER")
        assert bench.events() == []

    bench(scenario)


NONSENSE = [
    b"",
    b"\xff\xfe",
    "app=%ff&X-subtype=wp:x",
    "&".join(f"f{number}=1" for number in range(200)),
    {"app": ""},
    {"app": "a b", "X-subtype": "wp:http://x/"},
    {"app": "x" * 100, "X-subtype": "wp:http://x/"},
    {"app": "org.chromium.linux", "X-subtype": "wp:" + "x" * 500},
    {"app": "org.chromium.linux", "X-subtype": "wp:http://x/ y"},
    {"app": "org.chromium.linux", "X-subtype": "wp:é"},
    {"app": "org.chromium.linux", "X-subtype": "wp:"},
]


@pytest.mark.parametrize("form", NONSENSE, ids=lambda form: str(form)[:40])
def test_nonsense_forms(bench, form):
    async def scenario(bench):
        response = await (await bench.browser()).post_form(form)
        assert (response.code, response.body) == (200, b"Error=INVALID_PARAMETERS")
        assert bench.service.broker.mailbox.counts() == (0, 0)

    bench(scenario)


def test_another_key_for_the_same_name(bench):
    async def scenario(bench):
        browser, sender, subscription = await bench.logged_in()
        response = await browser.post_form(browser.form(new_key()))
        assert response.body == b"Error=INVALID_PARAMETERS"
        assert (await sender.send(subscription)).code == 201

    bench(scenario)


def test_a_database_that_does_not_write_is_reported(bench):
    async def scenario(bench):
        browser = await bench.browser()
        with bench.service._store._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA query_only = 1")
            response = await browser.post_form(browser.form(new_key()))
            assert response.code == 500 and b"unable-to-write" in response.body
            assert response.headers["Content-Type"].startswith("application/json")
            connection.exec_driver_sql("PRAGMA query_only = 0")
        assert (await browser.post_form(browser.form(new_key()))).code == 200

    bench(scenario)


HEADFUL = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/156.0.0.0 Safari/537.36"


@pytest.mark.parametrize(
    "header, app, who",
    [
        (HEADFUL, "org.chromium.linux", "Chromium"),
        (HEADFUL, "com.chrome.macosx", "Chrome"),
        (HEADFUL.replace("Chrome/", "HeadlessChrome/"), "org.chromium.linux", "Chromium"),
        (HEADFUL + " Edg/156.0.0.0", "com.chrome.windows", "Edge"),
    ],
)
def test_what_the_journal_calls_it(bench, header, app, who):
    async def scenario(bench):
        browser = await bench.browser(header)
        await browser.post_form(browser.form(new_key(), app=app))
        await browser.log_in()
        assert [(e.what, e.who) for e in bench.journal.events()] == [
            ("subscribe", who), ("endpoint", who), ("connect", who)
        ]  # fmt: skip

    bench(scenario)


# --- the push resource at the vendor's hosts ------------------------------------------------------


@pytest.mark.parametrize("path", ["fcm/send", "wp", "preprod/wp"])
@pytest.mark.parametrize("host", ["jmt17.google.com", "fcm.googleapis.com"])
def test_every_endpoint_that_a_chromium_makes(bench, http, host, path):
    async def scenario(bench):
        browser, sender, subscription = await bench.logged_in()
        token = subscription.endpoint.rsplit("/", 1)[1]
        subscription = replace(subscription, endpoint=f"https://{host}/{path}/{token}")
        response = await sender.send(subscription, b"hello")
        assert response.code == 201
        assert browser.read(await browser.message()) == b"hello"
        location = response.headers["Location"]
        assert location.startswith(f"https://{host}/m/")
        listeners = bench.service.chromium
        assert (await http(HTTPRequest(location), listeners)).code == 200
        assert (await http(HTTPRequest(location, "DELETE"), listeners)).code == 204
        assert (await http(HTTPRequest(location), listeners)).code == 404

    bench(scenario)


def test_the_audience_is_the_vendors_origin(bench, http):
    async def scenario(bench):
        _, sender, subscription = await bench.logged_in()
        for aud, status in (
            ("https://jmt17.google.com", 201),
            ("https://fcm.googleapis.com", 403),
            (bench.service.origin, 403),
        ):
            request = sender.request(subscription, b"hello")
            request.headers["Authorization"] = sender.authorization(subscription, aud=aud)
            assert (await http(request, bench.service.chromium)).code == status

    bench(scenario)


@pytest.mark.parametrize("host", ["127.0.0.1", "jmt17.google.com.example.net", "xjmt17.google.com"])
def test_no_other_host_is_served(bench, http, host):
    async def scenario(bench):
        _, sender, subscription = await bench.logged_in()
        request = sender.request(subscription, b"hello")
        request.headers["Host"] = host
        response = await http(request, bench.service.chromium)
        assert response.code == 404
        assert json.loads(response.body)["error"]["id"] == "unknown-path"

    bench(scenario)


def test_an_endpoint_that_never_was(bench):
    async def scenario(bench):
        _, sender, subscription = await bench.logged_in()
        response = await sender.send(replace(subscription, endpoint=subscription.endpoint[:-1]))
        assert json.loads(response.body)["error"]["id"] == "unknown-push-resource"

    bench(scenario)
