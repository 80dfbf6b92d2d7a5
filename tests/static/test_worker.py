"""The service worker in a real Chromium, to which DevTools hands the plaintext.

The encryption is left out, because no push service reaches this Chromium. So these tests are about the
worker's own logic alone.
"""

import json
from collections import Counter

import pytest
from playwright.sync_api import Page, Worker, expect

from pushlab.appserver.keys import VapidKeys
from pushlab.appserver.notification import Notification
from pushlab.settings import patience

from .conftest import permit, press, settle, visit

SHOWN = """async () => {
  const registration = await navigator.serviceWorker.getRegistration();
  const ask = () => registration.getNotifications();
  const shown = await navigator.locks.request("notifications", ask);
  return shown.map(({ title, body, tag, data, icon }) => ({ title, body, tag, data, icon }));
}"""

DECLARED = Notification("Hello", {"body": "ID: 7"}).payload("https://lab.example/").decode()


class Listening:
    """A page whose worker is registered and may show notifications."""

    def __init__(self, page: Page, url: str):
        self.page, self.url = page, url
        permit(page, url, "granted")
        visit(page, url)
        self._session = page.context.new_cdp_session(page)
        registrations: dict[str, str] = {}
        self._session.on(
            "ServiceWorker.workerRegistrationUpdated",
            lambda event: registrations.update(
                {each["scopeURL"]: each["registrationId"] for each in event["registrations"]}
            ),
        )
        self._session.send("ServiceWorker.enable")
        press(page, "register")
        while url not in registrations:  # DevTools tells in its own time
            page.evaluate("0")
        self._registration = registrations[url]

    def deliver(self, data: str) -> None:
        """Let a push event happen. An empty string is a push without a payload."""
        self._session.send(
            "ServiceWorker.deliverPushMessage",
            {"origin": self.url.rstrip("/"), "registrationId": self._registration, "data": data},
        )

    def shows(self, count: int) -> list[dict]:
        """Wait until the page lists that many notifications; return those of the browser."""
        expect(self.page.locator("#notifications li")).to_have_count(count)
        return self.page.evaluate(SHOWN)

    @property
    def worker(self) -> Worker:
        return next(each for each in self.page.context.service_workers if self.url in each.url)


@pytest.fixture
def listening(page, server) -> Listening:
    return Listening(page, server.url)


PUSHES = [
    ('{"title": "Hello", "options": {"body": "ID: 7"}}', "Hello", "ID: 7"),
    ('{"title": "Hello"}', "Hello", ""),
    ('{"title": "Hello", "options": null}', "Hello", ""),
    ('{"title": "Hello", "body": "ID: 7"}', "Hello", "ID: 7"),
    ('{"title": "Hello", "body": "ID: 7", "options": {"tag": "a"}}', "Hello", "ID: 7"),
    ('{"title": "Hello", "body": "no", "options": {"body": "ID: 7"}}', "Hello", "ID: 7"),
    ('{"title": "Hello", "body": 7}', "Hello", ""),
    (DECLARED, "Hello", "ID: 7"),
    ('{"web_push": 8030}', "Push message", '{"web_push": 8030}'),
    ("Just text, ünïcode ✓", "Push message", "Just text, ünïcode ✓"),
    ("<img src=x onerror=alert(1)>", "Push message", "<img src=x onerror=alert(1)>"),
    ('{"title": 7}', "Push message", '{"title": 7}'),
    ("null", "Push message", "null"),
    ("[1, 2]", "Push message", "[1, 2]"),
    ('{"title": "Hello', "Push message", '{"title": "Hello'),
    ("", "Push message", "It came without a payload."),
]


def test_every_push_is_shown(listening):
    shown: Counter[tuple[str, str]] = Counter()
    for count, (data, title, body) in enumerate(PUSHES, 1):
        listening.deliver(data)
        notifications = listening.shows(count)
        now = Counter((one["title"], one["body"]) for one in notifications)
        assert now - shown == {(title, body): 1}, data
        assert {one["icon"] for one in notifications} == {listening.url + "icon.png"}
        listed = listening.page.locator("#notifications li").all_inner_texts()
        assert Counter(listed) == Counter("\n".join(filter(None, one)) for one in now.elements())
        shown = now


FORGETFUL = """() => {
  PushManager.prototype.getSubscription = () => Promise.reject(new DOMException("no", "AbortError"));
}"""


def test_a_push_is_shown_and_told_though_the_worker_does_not_know_its_subscription(listening, journal):
    listening.worker.evaluate(FORGETFUL)
    listening.deliver('{"title": "Hello"}')
    assert [one["title"] for one in listening.shows(1)] == ["Hello"]
    listening.page.wait_for_function(
        "() => document.getElementById('events').textContent.includes('shown')"
    )
    whats = [event.what for event in journal.events()]
    assert "notification shown" in whats and "push received" not in whats


# Asks again and again which notifications are shown, as a page does that is told of every step.
ASK_ALL_THE_TIME = """async () => {
  const { notificationsShown } = await import("./push.js");
  window.asking = true;
  window.asked = 0;
  (async () => { for (; window.asking; window.asked++) await notificationsShown(); })();
}"""


# A page that stands still for longer than the worker waits for the lock would lose a notification.
WAIT_LONG = """() => {
  const { timeout } = AbortSignal;
  AbortSignal.timeout = (milliseconds) => timeout.call(AbortSignal, 1000 * milliseconds);
}"""


def test_a_page_that_asks_meanwhile_makes_the_browser_forget_nothing(listening):
    listening.worker.evaluate(WAIT_LONG)
    listening.page.evaluate(ASK_ALL_THE_TIME)
    for number in range(40):
        # Slow or not, it asks in between.
        listening.page.wait_for_function("(number) => window.asked >= number", arg=number)
        listening.deliver(f"message {number}")
    shown = listening.shows(40)
    listening.page.evaluate("() => { window.asking = false; }")
    assert {one["body"] for one in shown} == {f"message {number}" for number in range(40)}


@pytest.mark.parametrize("lock", ["held", "missing"])
def test_a_push_is_shown_when_there_is_no_lock_to_be_had(listening, lock):
    """A page that has stopped in the middle of its question, or a browser without such locks."""
    if lock == "held":
        listening.page.evaluate(
            "() => void navigator.locks.request('notifications', () => new Promise(() => {}))"
        )
    else:
        listening.worker.evaluate("() => { LockManager.prototype.request = undefined; }")
    listening.deliver("All the same")
    body = (
        "registration => registration.getNotifications().then((shown) => shown.map((one) => one.body))"
    )
    listed = f"() => navigator.serviceWorker.getRegistration().then({body})"
    expect(listening.page.locator("#events li").last).to_contain_text("shown")
    assert listening.page.evaluate(listed) == ["All the same"]


def test_the_senders_options_are_kept_or_left_out_if_the_browser_refuses_them(listening):
    options = {"body": "b", "tag": "t", "data": {"id": 7}, "icon": "icon.svg"}
    listening.deliver(json.dumps({"title": "Hello", "options": options}))
    (shown,) = listening.shows(1)
    assert shown == {"title": "Hello", **options, "icon": listening.url + "icon.svg"}
    # A tag replaces what is shown.
    for body in ("one", "two"):
        listening.deliver(json.dumps({"title": "Hello", "options": {"body": body, "tag": "t"}}))
        expect(listening.page.locator("#notifications")).to_contain_text(body)
    assert [each["body"] for each in listening.shows(1)] == ["two"]
    # ``renotify`` without a tag is a TypeError, and does not keep the message back.
    listening.deliver('{"title": "Hello", "options": {"body": "b", "renotify": true}}')
    (shown,) = (each for each in listening.shows(2) if each["tag"] == "")
    assert (shown["title"], shown["body"]) == ("Hello", "b")
    expect(listening.page.locator("#events")).to_contain_text("error TypeError")


def test_the_worker_reports_what_it_did_and_never_what_it_was_told(listening, journal):
    listening.deliver('{"title": "Secret title", "options": {"body": "Secret body"}}')
    listening.shows(1)
    expect(listening.page.locator("#events li").last).to_contain_text("shown")
    told = [event for event in journal.events() if event.source == event.target]
    assert ["received" in told[-2].what, "shown" in told[-1].what] == [True, True]
    assert "Secret" not in " ".join(f"{event} {event.detail}" for event in told)


def test_a_push_is_shown_with_the_server_away(listening, background, server):
    background.run(server.stop())
    listening.deliver("Nobody listens")
    (shown,) = listening.shows(1)
    assert shown["body"] == "Nobody listens"


def test_a_push_is_shown_behind_a_login_page(page, proxy):
    listening = Listening(page, proxy.url)
    proxy.answers = {"/report": (403, "text/html", "<title>Log in</title>")}
    listening.deliver("Still here")
    (shown,) = listening.shows(1)
    assert shown["body"] == "Still here"


# ---- a click: browsers allow focus and openWindow only after a real one, so these two are recorded

RECORD = """() => {
  self.done = [];
  WindowClient.prototype.focus = async function () { done.push(`focus ${this.url}`); };
  Clients.prototype.openWindow = async (url) => { done.push(`open ${url}`); };
}"""


# A page that has been left may be listed a moment longer. Asked again for so many seconds at most.
NO_PAGE_LEFT = """async (seconds) => {
  const windows = { type: "window", includeUncontrolled: true };
  for (const end = Date.now() + 1000 * seconds; Date.now() < end; ) {
    const pages = await clients.matchAll(windows);
    if (!pages.some((page) => page.url.startsWith(registration.scope))) return true;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return false;
}"""


def test_a_click_focuses_an_open_page(listening):
    listening.worker.evaluate(RECORD)
    assert listening.worker.evaluate("comeForward().then(() => done)") == [f"focus {listening.url}"]
    expect(listening.page.locator("#events li").last).to_contain_text("notification clicked")


def test_a_click_opens_a_page_where_none_is_open(listening):
    worker = listening.worker
    worker.evaluate(RECORD)
    listening.page.goto("about:blank")
    assert worker.evaluate(NO_PAGE_LEFT, patience(60)), "the browser still lists the page"
    assert worker.evaluate("comeForward().then(() => done)") == [f"open {listening.url}"]


# ---- a subscription that changes: this Chromium reaches no push service, so subscribe() is recorded

CHANGE = """async ([oldKey, newKey, left]) => {
  self.done = [];
  const bytes = (text) => {
    const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    return Uint8Array.from(plain, (one) => one.charCodeAt(0)).buffer;
  };
  const made = (name, key) => ({
    endpoint: `https://push.example.net/${name}`,
    options: { applicationServerKey: bytes(key) },
    unsubscribe: async () => done.push(`unsubscribe ${name}`),
  });
  PushManager.prototype.getSubscription = async () => left && made("left", left);
  PushManager.prototype.subscribe = async ({ applicationServerKey }) => {
    done.push(`subscribe ${encoded(applicationServerKey)}`);
    return { endpoint: "https://push.example.net/again" };
  };
  self.send ??= fetch;
  self.fetch = (route, options) => {
    const { endpoint, event } = JSON.parse(options.body ?? "{}");
    if (options.body) done.push(`${route} ${endpoint ?? event}`);
    return send(route, options);
  };
  const change = {
    oldSubscription: oldKey && made("old", oldKey),
    newSubscription: newKey && made("new", newKey),
  };
  await subscribeAgain(change).catch(() => done.push("failed"));
  return done;
}"""
EARLIER = VapidKeys.from_raw(bytes(31) + b"\1").application_server_key
TAKEN = (200, "application/json", '{"data": {"success": true}}')
LOG_IN = "<title>Log in</title>"
NOT_TAKEN = [
    (400, "application/json", '{"error": {"id": "bad-keys", "message": "p256dh"}}'),
    (503, "application/json", '{"error": {"id": "busy", "message": "busy"}}'),
    (403, "text/html", LOG_IN),
    (200, "text/html", LOG_IN),
    (302, "text/html", "manifest.webmanifest"),
]
"""Answers of the application server, or of another in its place. The last leads to a file of ours."""


@pytest.fixture
def changing(page, proxy) -> Listening:
    """A worker whose server takes and removes every subscription."""
    listening = Listening(page, proxy.url)
    proxy.answers = dict.fromkeys(("/add-subscription", "/remove-subscription"), TAKEN)
    return listening


def change(listening, old, new=None, left=None) -> list[str]:
    done = listening.worker.evaluate(CHANGE, [old, new, left])
    return [one.replace("https://push.example.net/", "") for one in done]


def test_after_a_key_rotation_the_worker_subscribes_with_the_server_s_new_key(changing, server):
    now = server.keys.application_server_key
    again = [
        f"subscribe {now}",
        "add-subscription again",
        "report subscribed",
        "remove-subscription old",
    ]
    assert change(changing, EARLIER) == again
    # What the browser has made with the earlier key is ended first.
    assert change(changing, EARLIER, new=EARLIER) == ["unsubscribe new", *again]
    assert change(changing, EARLIER, left=EARLIER) == ["unsubscribe left", *again]


def test_a_subscription_that_is_for_the_server_s_key_is_kept(changing, server):
    now = server.keys.application_server_key
    added = ["add-subscription new", "report subscribed"]
    assert change(changing, now, new=now) == [*added, "remove-subscription old"]
    assert change(changing, None, new=now) == added


def test_what_the_server_does_not_take_replaces_nothing(changing, server, proxy):
    now = server.keys.application_server_key
    for answer in NOT_TAKEN:
        proxy.answers["/add-subscription"] = answer
        assert change(changing, now, new=now) == ["add-subscription new", "failed"], answer


def test_the_pages_hear_which_endpoint_the_server_has_stored(changing, server, proxy):
    changing.page.evaluate("""() => {
      window.heard = [];
      const tabs = new BroadcastChannel(new URL("./", location).href);
      tabs.addEventListener("message", ({ data }) => heard.push(data));
    }""")
    now = server.keys.application_server_key
    proxy.answers["/add-subscription"] = NOT_TAKEN[0]
    change(changing, now, new=now)  # of this one they hear nothing
    proxy.answers["/add-subscription"] = TAKEN
    change(changing, EARLIER)
    changing.page.wait_for_function("() => heard.length > 0")
    assert changing.page.evaluate("heard") == ["https://push.example.net/again"]


def test_an_old_endpoint_that_the_server_keeps_or_has_forgotten_changes_nothing(changing, server, proxy):
    now = server.keys.application_server_key
    done = ["add-subscription new", "report subscribed", "remove-subscription old"]
    for answer in NOT_TAKEN:
        proxy.answers["/remove-subscription"] = answer
        assert change(changing, now, new=now) == done, answer


def test_where_the_server_does_not_answer_the_old_key_is_used(listening, server, background):
    background.run(server.stop())
    again = [f"subscribe {EARLIER}", "add-subscription again", "failed"]
    assert change(listening, EARLIER) == again


def test_what_another_answers_in_the_server_s_place_is_no_key(changing, proxy):
    for answer in NOT_TAKEN:
        proxy.answers["/vapid"] = answer
        assert change(changing, EARLIER)[0] == f"subscribe {EARLIER}", answer


# ---- a changed worker ----------------------------------------------------------------------------


def test_a_changed_worker_is_used_at_once(page, proxy):
    proxy.answers = {"/sw.js": (200, "text/javascript", "// an older version")}
    visit(page, proxy.url)
    press(page, "register")
    old = page.evaluate("navigator.serviceWorker.ready.then((one) => one.active.scriptURL)")
    assert old == proxy.url + "sw.js"
    assert page.evaluate("navigator.serviceWorker.controller") is None
    proxy.answers = {}
    page.reload()  # a browser looks for a new version at each visit
    settle(page)
    page.wait_for_function("() => navigator.serviceWorker.controller !== null")
