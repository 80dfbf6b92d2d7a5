"""What the page says when the browser refuses: each fault provoked in Firefox and in Chromium.

Every test names the row of ``static/faults.js`` that the page takes. Beside it stands the control:
once the fault is taken away, the same page in the same browser gets its subscription.
"""

import asyncio
import json
import re
from pathlib import Path

import pytest

from pushlab.appserver.keys import VapidKeys
from pushlab.errors import BrowserFailed
from pushlab.protocol import base64url
from pushlab.protocol.delivery import PushOptions
from pushlab.useragent.page import SETTLED

from .conftest import Proxy, before
from .parties import DONE, FAR, Parties, started

SHOWN = """() => {
  const { textContent: said, dataset } = document.getElementById("outcome");
  const steps = [...document.querySelectorAll("#steps li")].map((each) => ({
    id: each.id.replace("step-", ""),
    state: each.dataset.state,
    fault: each.dataset.fault ?? null,
    clinic: each.dataset.clinic ?? null,
    said: each.querySelector(".advice").textContent,
  }));
  const { kind, fault = null, clinic = null } = dataset;
  return { said, kind, fault, clinic, steps };
}"""

# What the page shows next is of the next press, also where the same goes wrong as before.
FORGET = """() => {
  const outcome = document.getElementById("outcome");
  outcome.textContent = "";
  for (const name of Object.keys(outcome.dataset)) delete outcome.dataset[name];
}"""

UNCAUGHT = """
  window.uncaught = [];
  addEventListener("error", ({ message }) => uncaught.push(message));
  addEventListener("unhandledrejection", ({ reason }) => uncaught.push(String(reason)));
"""

TABLE = (Path(__file__).parents[2] / "static" / "faults.js").read_text(encoding="utf-8")


class Patient:
    """A page that something is wrong with, behind a proxy that may be what is wrong."""

    def __init__(self, parties: Parties, proxy: Proxy):
        self.parties, self.proxy, self.browser = parties, proxy, parties.browser
        self.url = proxy.url
        self.broken = parties.before_the_page
        self._opened = False

    def open(self, permission: str = "granted", url: str = "") -> None:
        url = url or self.url
        if permission != "granted":
            self.browser._grant = False
            origin = "/".join(url.split("/")[:3])
            self.parties.run(self.browser.permit(permission, origin))
        self.parties.run(self.browser.open(url))
        self.browser._grant = True

    def press(self, *buttons: str) -> None:
        for button in buttons:
            self.parties.run(self.browser.press(button))

    def click_by_script(self, button: str) -> None:
        """Click as no person does, and wait until the page is through with it."""
        self.parties.evaluate("(id) => document.getElementById(id).click()", button)
        self.parties.evaluate(SETTLED)

    def fails(self, button: str) -> dict:
        """Press a button whose action goes wrong; return what the page shows then."""
        self.parties.evaluate(FORGET)
        with pytest.raises(BrowserFailed, match="The page says: "):
            self.press(button)
        return self.shown()

    def fails_late(self, button: str) -> dict:
        """Press a button whose action has no end, and have the page lose its patience with it."""

        async def press() -> None:
            pressing = asyncio.ensure_future(self.browser.press(button))
            await self.browser.evaluate("() => losePatience()")
            await pressing

        with pytest.raises(BrowserFailed, match="The page says: "):
            self.parties.run(press())
        return self.shown()

    def shown(self) -> dict:
        assert self.parties.evaluate("() => window.uncaught") == []
        return self.parties.evaluate(SHOWN)

    def state(self) -> str:
        return self.parties.run(self.browser.state())

    def is_well(self) -> None:
        """The control: without the fault this page, in this browser, is subscribed in the end."""
        self.proxy.answers = {}
        self.open()
        if self.state() == "unregistered":
            self.press("register")
        if self.state() == "registered":
            self.press("subscribe")
        # Firefox may be starting the worker anew: the page paints it when it is active.
        self.parties.evaluate(DONE)
        shown = self.shown()
        assert self.state() == "subscribed"
        assert [step["state"] for step in shown["steps"]] == ["done"] * 6
        assert [shown["fault"]] + [step["fault"] for step in shown["steps"]] == [None] * 7


def step(shown: dict, name: str) -> dict:
    return next(each for each in shown["steps"] if each["id"] == name)


def assert_says(shown: dict, row: str, at: str) -> None:
    """The sentence is shown whole, in the outcome and at its step, under the name of its row."""
    assert (shown["fault"], shown["kind"]) == (row, "error")
    assert (step(shown, at)["state"], step(shown, at)["fault"]) == ("failed", row)
    assert step(shown, at)["said"] == shown["said"]
    assert shown["clinic"] == step(shown, at)["clinic"]


@pytest.fixture(scope="module", params=["firefox", "chromium"])
def parties(request, artifacts):
    request.getfixturevalue(f"{request.param}_installed")
    with started(request.param) as parties:
        parties.run(parties.browser.add_script(UNCAUGHT))
        with artifacts.offer_world(parties.run, parties.journal, parties.browser):
            yield parties


@pytest.fixture
def patient(parties):
    # Each has an origin of its own, and so whatever a test leaves in the browser is no other's.
    parties.start_server(VapidKeys.generate())
    with before(parties.server.url, parties.background) as proxy:
        yield Patient(parties, proxy)
    parties.run(parties.server.stop())


# ---- a secure context, and a browser that can ----------------------------------------------------


def test_an_insecure_origin(patient):
    patient.proxy.keeps_host = False
    port = patient.proxy.url.split(":")[2].split("/")[0]
    path = patient.proxy.prefix + "/"
    patient.browser._grant = False
    patient.open(url=f"http://{FAR}:{port}{path}", permission="granted")
    shown = patient.shown()
    assert patient.state() == "unsupported"
    assert_says(shown, "insecure-origin", "secure")
    assert f"http://{FAR}:{port} is plain http from another machine" in shown["said"]
    assert f"open http://127.0.0.1:{port}{path} " in shown["said"]
    assert f"./lab join http://{FAR}:{port}{path} " in shown["said"]
    assert f"./lab serve --host {FAR} --certfile" in shown["said"]
    patient.is_well()


WITHOUT = [
    ("delete window.PushManager", "no-push-here", "Missing here: PushManager"),
    ("delete window.Notification", "no-push-here", "Missing here: Notification"),
    ("delete Navigator.prototype.serviceWorker", "no-push-here", "Missing here: serviceWorker"),
    (  # as on iOS
        "delete window.PushManager; Object.defineProperty(navigator, 'standalone', { value: false })",
        "not-on-home-screen",
        "Add to Home Screen",
    ),
]


def test_a_browser_without_what_push_needs(patient):
    for script, row, words in WITHOUT:
        with patient.broken(script):
            patient.open()
            shown = patient.shown()
            assert patient.state() == "unsupported", script
            assert_says(shown, row, "supported")
            assert words in shown["said"]
    patient.is_well()


PREFERENCES = [
    ("dom.push.enabled", False, "no-push-here"),
    ("dom.serviceWorkers.enabled", False, "no-push-here"),
    ("network.cookie.cookieBehavior", 2, "site-data-blocked"),
    ("dom.push.connection.enabled", False, "push-service-error"),
]


@pytest.mark.parametrize("parties", ["firefox"], indirect=True)
def test_a_firefox_that_is_told_otherwise_in_about_config(patient):
    for preference, value, row in PREFERENCES:
        with patient.parties.preferring(preference, value):
            patient.open()
            shown = patient.shown()
            if row == "push-service-error":
                patient.press("register")
                shown = patient.fails("subscribe")
            found = [shown["fault"]] + [each["fault"] for each in shown["steps"]]
            assert row in found, preference
    patient.is_well()


def refusing(action: str, error: str) -> str:
    """A page whose browser refuses an action of its container of workers, with this error."""
    return f"ServiceWorkerContainer.prototype.{action} = async () => {{ throw {error}; }};"


# As Chromium says it, where a person has blocked cookies and site data.
BLOCKED = """new DOMException(
  "Failed to get a ServiceWorkerRegistration: The user denied permission to use Service Worker.",
  "NotSupportedError")"""


STATUS = """() => [
  ...["registration", "subscription"].map((id) => document.getElementById(id).textContent),
  document.querySelectorAll("[aria-busy], #notifications:not([data-unknown])").length,
]"""
NOT_SAID = "This browser does not say whether a service worker is registered."


def test_site_data_is_blocked(patient):
    with patient.broken(refusing("getRegistration", BLOCKED)):
        patient.open()
        assert patient.shown()["fault"] == "site-data-blocked"
        assert patient.state() == "unsupported"
        assert patient.parties.evaluate(STATUS) == [NOT_SAID, "", 0]
    patient.open()
    patient.parties.evaluate(f"() => {{ {refusing('register', BLOCKED)} }}")
    assert_says(patient.fails("register"), "site-data-blocked", at="worker")
    patient.open()
    assert NOT_SAID not in patient.parties.evaluate(STATUS)
    patient.parties.evaluate(f"() => {{ {refusing('getRegistration', BLOCKED)} }}")
    assert patient.fails("register")["fault"] == "site-data-blocked"
    assert patient.parties.evaluate(STATUS) == [NOT_SAID, "", 0]
    patient.is_well()


UNLISTED = """
  ServiceWorkerRegistration.prototype.getNotifications = async () => {
    throw new DOMException("Not today.", "UnknownError");
  };"""
UNTIL_UNKNOWN = """async () => {
  const list = document.getElementById("notifications");
  while (!("unknown" in list.dataset)) await new Promise(requestAnimationFrame);
  return getComputedStyle(list, "::before").content;
}"""


def test_notifications_that_are_not_listed_stop_nothing(patient):
    before_it = patient.parties.journal.last
    with patient.broken(UNLISTED):
        patient.open()
        patient.press("register")
        assert "Not known" in patient.parties.evaluate(UNTIL_UNKNOWN)
        patient.press("subscribe")
        assert patient.state() == "subscribed"
        assert patient.shown()["kind"] == "done"
    patient.parties.wait_for("error", before_it)
    errors = [one for one in patient.parties.journal.events(before_it) if one.what == "error"]
    assert {"action": "list", "error": "UnknownError"} in [one.detail for one in errors]
    patient.is_well()
    assert not patient.parties.evaluate("() => 'unknown' in notifications.dataset")


# ---- a service worker ----------------------------------------------------------------------------


WORKERS = [
    ((404, "text/html", "no"), "worker-missing"),
    ((403, "text/html", "<title>Log in</title>"), "worker-refused"),
    ((502, "text/html", "<title>502 Bad Gateway</title>"), "worker-refused"),
    ((0, "", ""), "worker-not-fetched"),
    ((302, "", "other.js"), "worker-moved"),
    ((200, "text/plain", ""), "worker-mime-type"),
    ((200, "text/html", "<title>Log in</title>"), "worker-mime-type"),
    ((200, "text/javascript", "not JavaScript"), "worker-broken"),
    ((200, "text/javascript", "throw new Error('no')"), "worker-broken"),
    (
        (200, "text/javascript", "oninstall = (e) => e.waitUntil(Promise.reject(1))"),
        "worker-not-installed",
    ),
]


WIDER = """
  const { register } = ServiceWorkerContainer.prototype;
  ServiceWorkerContainer.prototype.register = function (script, options) {
    return register.call(this, script, { ...options, scope: "/" });
  };
"""


def test_a_worker_that_cannot_be_registered(patient):
    patient.open()
    for answer, row in WORKERS:
        patient.proxy.answers = {"/sw.js": answer, "/other.js": (200, "text/javascript", "")}
        assert_says(patient.fails("register"), row, at="worker")
        assert patient.state() == "unregistered", answer
    patient.proxy.answers = {}
    patient.parties.evaluate(f"() => {{ {WIDER} }}")  # than its folder
    assert_says(patient.fails("register"), "worker-scope", at="worker")
    assert patient.state() == "unregistered"
    patient.is_well()


ENDLESS = "oninstall = (e) => e.waitUntil(new Promise((end) => { onmessage = end; }));"
END = """async () => {
  let registration;
  while (!registration) { // Firefox may tell of it a moment later
    const all = await navigator.serviceWorker.getRegistrations();
    registration = all.find(({ installing }) => installing);
  }
  registration.installing.postMessage("");
  await registration.unregister();
}"""

# The page is patient for as long as the test wants.
PATIENT = """
  const { setTimeout } = window;
  let told, ends = [];
  window.setTimeout = (run, delay, ...rest) => {
    if (delay < 20_000) return setTimeout(run, delay, ...rest);
    ends.push(run);
    told?.();
  };
  window.losePatience = async () => {
    if (!ends.length) await new Promise((resolve) => (told = resolve));
    do { // An action may wait twice, one time after the other.
      ends.splice(0).forEach((end) => end());
      await new Promise((resolve) => setTimeout(resolve, 20));
    } while ("busy" in document.body.dataset);
  };
"""


def test_a_worker_whose_installation_does_not_end(patient):
    patient.proxy.answers = {"/sw.js": (200, "text/javascript", ENDLESS)}
    with patient.broken(PATIENT):
        patient.open()
        for button in ("register", "unregister"):  # the one waits for the other
            assert_says(patient.fails_late(button), "worker-not-installed", at="worker")
    patient.parties.evaluate(END)
    patient.is_well()


# A Firefox that has just ended a worker, and starts another, is like this for some moments.
WITHOUT_WORKER_AT_FIRST = """
  const { active } = Object.getOwnPropertyDescriptors(ServiceWorkerRegistration.prototype);
  const opened = Date.now();
  Object.defineProperty(ServiceWorkerRegistration.prototype, "active", {
    get() { return Date.now() - opened < 500 ? null : active.get.call(this); },
  });
"""
BEGIN = "() => navigator.serviceWorker.register('sw.js').then(() => {})"
FINISH = """async () => {
  const registration = await navigator.serviceWorker.getRegistration();
  registration.installing.postMessage("");
  for (const end = Date.now() + 20_000; Date.now() < end; ) {
    if (document.body.dataset.state !== "unregistered") return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}"""


def test_a_page_that_is_opened_while_the_worker_is_installed(patient):
    """It waits for a moment, says what is, and looks again as soon as the worker is active."""
    patient.proxy.answers = {"/sw.js": (200, "text/javascript", ENDLESS)}
    patient.open()
    patient.parties.evaluate(BEGIN)
    patient.open()
    assert patient.state() == "unregistered"
    patient.parties.evaluate(FINISH)
    assert patient.state() == "registered"
    with patient.broken(WITHOUT_WORKER_AT_FIRST):
        patient.open()
        assert patient.state() == "registered"
    patient.is_well()


# ---- the permission ------------------------------------------------------------------------------


def test_the_permission_was_denied_earlier_and_when_asked(patient):
    patient.open("denied")
    patient.press("register")
    fault = step(patient.shown(), "permission")
    assert (patient.state(), fault["state"], fault["fault"]) == (
        "denied", "failed", "permission-denied",
    )  # fmt: skip
    assert "allow notifications" in fault["said"]
    with patient.broken("""
        const { permission } = Object.getOwnPropertyDescriptors(Notification);
        let asked = false;
        const { requestPermission } = Notification;
        Notification.requestPermission = () => { asked = true; return requestPermission(); };
        Object.defineProperty(Notification, "permission", {
          get: () => (asked ? permission.get.call(Notification) : "default"),
        });
    """):
        patient.open("denied")
        assert_says(patient.fails("subscribe"), "permission-denied", at="permission")
        assert patient.state() == "denied"
    patient.is_well()


def test_it_is_asked_for_without_a_click(patient):
    patient.open()
    patient.press("register")
    patient.open("prompt")  # anew, so that no click lasts
    patient.click_by_script("subscribe")
    assert_says(patient.shown(), "no-user-gesture", at="permission")
    assert patient.state() == "registered"
    patient.is_well()


def test_the_question_is_closed_without_an_answer(patient):
    patient.open()
    patient.press("register")
    with patient.broken('Notification.requestPermission = async () => "default";'):
        patient.open("prompt")
        assert_says(patient.fails("subscribe"), "permission-not-answered", at="permission")
    patient.is_well()


def test_in_a_frame_of_another_site(patient):
    patient.proxy.dropped = {"content-security-policy"}  # which keeps the page out of such frames
    frame = f'<body data-state="frame"><iframe src="{patient.url}" height="900"></iframe>'
    patient.proxy.answers = {"/around": (200, "text/html", frame)}
    around = patient.url.replace("127.0.0.1", "localhost") + "around"
    patient.parties.run(patient.browser.permit("prompt", patient.url.split("/user")[0]))
    with patient.browser.elsewhere():
        patient.open("prompt", around)
        patient.parties.run(patient.browser.enter_frame())
        patient.parties.evaluate(SETTLED)
        patient.click_by_script("register")
        fault = step(patient.parties.evaluate(SHOWN), "permission")
        assert (fault["state"], fault["fault"]) == ("failed", "cross-origin-frame")
        assert patient.url in fault["said"]
        assert patient.state() == "denied"
    patient.proxy.dropped = set()
    patient.is_well()


# ---- a subscription ------------------------------------------------------------------------------


def subscribing(instead: str) -> str:
    """A page whose subscribe() does something else: ``subscribe`` is the browser's own."""
    return f"""
        const {{ subscribe }} = PushManager.prototype;
        PushManager.prototype.subscribe = async function (options) {{ {instead} }};
    """


def subscribing_with(key: bytes) -> str:
    """A page that subscribes with this key, whatever the application server's is."""
    told = f"{{ ...options, applicationServerKey: new Uint8Array({list(key)}) }}"
    return subscribing(f"return subscribe.call(this, {told});")


def unsubscribed(patient: Patient) -> None:
    patient.open()
    patient.press("register")


def test_without_userVisibleOnly(patient):
    forgetful = "delete options.userVisibleOnly; return subscribe.call(this, options);"
    with patient.broken(subscribing(forgetful)):
        unsubscribed(patient)
        if patient.parties.kind == "firefox":  # which does not ask for it
            patient.press("subscribe")
            assert patient.state() == "subscribed"
        else:
            assert_says(patient.fails("subscribe"), "not-user-visible", at="subscription")
            assert patient.state() == "registered"
    patient.is_well()


def test_the_permission_goes_away_in_between(patient):
    unsubscribed(patient)
    with patient.broken('Notification.requestPermission = async () => "granted";'):
        patient.open("prompt")
        patient.click_by_script("subscribe")  # upon a real click, Firefox asks now
        shown = patient.shown()
        assert (shown["fault"], step(shown, "permission")["state"]) == ("permission-lost", "next")
        assert "The error is “NotAllowedError: " in shown["said"]
    patient.is_well()


POINT = VapidKeys.generate().public
COMPRESSED = bytes([2]) + POINT[1:33]
OFF_CURVE = POINT[:-1] + bytes([POINT[-1] ^ 1])
# What the browser itself lets pass, and the push service does not.
REFUSED_KEYS = {"firefox": COMPRESSED, "chromium": OFF_CURVE}


# What other browsers say, and what no test can bring about in these two.
ELSEWHERE = [
    ("InvalidStateError", "Subscribing for push requires an active service worker",
     "worker-not-active"),
    ("AbortError", "Registration failed - no Service Worker", "worker-not-active"),
    ("InvalidStateError", "Document is detached from window", "page-outdated"),
    ("InvalidStateError", "Provided applicationServerKey does not match the key.", "another-key"),
    ("AbortError", "Failed due to internal database error", "profile-damaged"),
    ("NotAllowedError", "Reached maximum push subscription count", "too-many-subscriptions"),
    ("AbortError", "Registration failed - storage error", "profile-damaged"),
    ("AbortError", "Registration failed - push service not available", "no-push-service"),
    ("AbortError", "No connection to push daemon", "no-push-service"),
    ("NotAllowedError", "User denied permission to use the Push API.", "refused-though-allowed"),
]  # fmt: skip


def said(name: str, text: str):
    return lambda kind: subscribing(f'throw new DOMException("{text}", "{name}");')


REFUSALS = [
    (lambda kind: subscribing_with(REFUSED_KEYS[kind]), "push-service-error", "AbortError: "),
    (
        lambda kind: subscribing_with(REFUSED_KEYS[kind]) + "navigator.brave = {};",
        "brave-setting",
        "AbortError: ",
    ),
    (lambda kind: subscribing_with(bytes(64)), "bad-public-key", "InvalidAccessError: "),
    *((said(name, text), row, f"{name}: ") for name, text, row in ELSEWHERE),
    (
        lambda kind: subscribing('throw new DOMException("The moon is full.", "DataCloneError");'),
        "unknown",
        "DataCloneError: The moon is full.”",
    ),
]
KEEP = "() => { window.kept = PushManager.prototype.subscribe; }"
AS_BEFORE = "() => { PushManager.prototype.subscribe = kept; delete navigator.brave; }"


def test_a_subscription_that_is_refused(patient):
    unsubscribed(patient)
    patient.parties.evaluate(KEEP)
    for script, row, error in REFUSALS:
        patient.parties.evaluate(f"() => {{ {script(patient.parties.kind)} }}")
        shown = patient.fails("subscribe")
        assert_says(shown, row, at="subscription")
        assert f"The error is “{error}" in shown["said"]
        assert ("This page does not know this error." in shown["said"]) == (row == "unknown")
        assert patient.state() == "registered"
        patient.parties.evaluate(AS_BEFORE)
    patient.is_well()


def test_another_key_at_the_server(patient):
    patient.is_well()
    patient.parties.server.keys = VapidKeys.generate()
    patient.open()
    shown = patient.shown()
    assert_says(shown, "another-key", at="subscription")
    assert patient.state() == "subscribed"
    patient.press("subscribe")
    patient.is_well()


def test_another_key_and_the_page_does_not_help(patient):
    patient.is_well()
    with patient.broken(subscribing_with(POINT)):
        patient.open()

        async def forget():
            for stored in list(patient.parties.server.store.all()):
                patient.parties.server.store.remove(stored.subscription.endpoint)

        patient.parties.run(forget())
        assert patient.fails("notify-me")["fault"] == "unknown-subscription"
        shown = patient.fails("subscribe")
        assert (shown["fault"], shown["clinic"]) == ("another-key", "19")
        assert "The error is “InvalidStateError: " in shown["said"]
    patient.is_well()


BAD_KEYS = {
    "PEM": "-----BEGIN PUBLIC KEY-----",
    "DER": base64url.encode(bytes(26) + POINT),
    "without 04": base64url.encode(POINT[1:]),
    "compressed": base64url.encode(COMPRESSED),
    "off the curve": base64url.encode(OFF_CURVE),
}


def test_a_bad_public_key_and_none(patient):
    unsubscribed(patient)
    for what, key in BAD_KEYS.items():
        patient.proxy.answers = {"/vapid": (200, "text/plain", key)}
        assert_says(patient.fails("subscribe"), "bad-public-key", at="subscription")
        assert patient.state() == "registered", what
    patient.proxy.answers = {"/vapid": (200, "text/html", "<title>Log in</title>")}
    shown = patient.fails("subscribe")
    assert_says(shown, "no-public-key", at="subscription")
    assert "sign in again" in shown["said"]
    patient.is_well()


def test_before_the_worker_is_active(patient):
    """Chromium refuses; Firefox subscribes a worker that is still being installed."""
    early = """
        const early = await navigator.serviceWorker.register("early.js", { scope: "early/" });
        return subscribe.call(early.pushManager, options);
    """
    with patient.broken(subscribing(early)):
        patient.proxy.answers = {"/early.js": (200, "text/javascript", ENDLESS)}
        unsubscribed(patient)
        if patient.parties.kind == "firefox":
            patient.press("subscribe")
        else:
            assert_says(patient.fails("subscribe"), "worker-not-active", at="subscription")
            assert patient.state() == "registered"
    patient.parties.evaluate(END)
    patient.is_well()


@pytest.mark.parametrize("parties", ["chromium"], indirect=True)
def test_in_a_private_window(patient):
    """A Firefox asks a person there, and headless nobody answers."""
    with patient.browser.elsewhere():
        patient.parties.run(patient.browser.enter_private_window(patient.url.split("/user")[0]))
        patient.parties.run(patient.browser.add_script(UNCAUGHT))
        patient.browser._grant = False
        patient.open()
        patient.press("register")
        assert_says(patient.fails("subscribe"), "private-window", at="subscription")
        assert patient.state() == "registered"
    patient.is_well()


# ---- stored by the server, and messages ----------------------------------------------------------


def test_the_server_does_not_store_it(patient):
    unsubscribed(patient)
    error = {"error": {"id": "unable-to-save-subscription", "message": "The disk is full."}}
    patient.proxy.answers = {"/add-subscription": (500, "application/json", json.dumps(error))}
    shown = patient.fails("subscribe")
    assert_says(shown, "not-stored", at="server")
    assert "The disk is full." in shown["said"]
    assert patient.state() == "subscribed"
    patient.is_well()


ROTATE = """async () => {
  const { pushManager } = await navigator.serviceWorker.getRegistration();
  const old = await pushManager.getSubscription();
  const { options, endpoint } = old;
  await old.unsubscribe();
  const { applicationServerKey } = options;
  const fresh = await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey });
  return [endpoint, fresh.endpoint];
}"""


def test_an_endpoint_that_rotates_is_sent_again_at_the_next_load(patient):
    """Case 20: nobody tells the server that the endpoint is another one, except the page."""
    patient.is_well()
    old, new = patient.parties.evaluate(ROTATE)

    async def stored():
        return [each.subscription.endpoint for each in patient.parties.server.store.all()]

    assert patient.parties.run(stored()) == [old] != [new]
    patient.is_well()  # opens the page, and presses nothing
    assert new in patient.parties.run(stored())
    patient.press("notify-me")
    patient.parties.run(patient.browser.wait_for_notification())


NOTED = """(row) => new Promise((resolve) => {
  const outcome = document.getElementById("outcome");
  const look = () => outcome.dataset.fault === row && resolve(outcome.dataset.kind);
  new MutationObserver(look).observe(outcome, { attributes: true });
  look();
})"""


def push(patient: Patient, payload: str) -> None:
    async def send():
        (stored,) = patient.parties.server.store.all()
        await patient.parties.server.sender.send(stored, payload.encode(), PushOptions())

    patient.parties.run(send())


def test_json_that_does_not_parse(patient):
    patient.is_well()
    push(patient, "Just text")
    patient.parties.run(patient.browser.wait_for_notification("Just text"))
    assert patient.shown()["fault"] is None  # text is no fault
    push(patient, '{"title": "Hello')
    assert patient.parties.evaluate(NOTED, "json-does-not-parse") == "note"
    patient.parties.run(patient.browser.wait_for_notification('{"title": "Hello'))
    shown = patient.shown()
    assert "updated in the background" in shown["said"] and shown["clinic"] == "25"
    patient.press("notify-me")
    assert patient.shown()["fault"] is None


def test_options_that_the_browser_refuses(patient):
    patient.is_well()
    options = {"body": "b", "renotify": True}  # without a tag
    push(patient, json.dumps({"title": "Hello", "options": options}))
    patient.parties.run(patient.browser.wait_for_notification("b"))
    if patient.parties.kind == "chromium":
        assert patient.parties.evaluate(NOTED, "options-refused") == "note"


# ---- the last one, because a Chromium trusts no push service but the one it was started with -----


IMPATIENT = """
  const { setTimeout } = window;
  window.setTimeout = (run, delay, ...rest) => setTimeout(run, Math.min(delay, 3000), ...rest);
"""


def test_the_push_service_is_away(patient):
    """Both browsers go on trying and say nothing, so it is the page that loses patience."""
    patient.is_well()
    patient.press("unsubscribe")
    port = patient.parties.push_service.port
    patient.parties.run(patient.parties.push_service.stop())
    with patient.broken(IMPATIENT):
        patient.open()
        shown = patient.fails("subscribe")
    assert_says(shown, "push-service-silent", at="subscription")
    assert "TimeoutError" in shown["said"]
    assert patient.state() == "registered"
    patient.parties.start_push_service(port)


# ---- the table itself ----------------------------------------------------------------------------

ROWS = re.findall(r'\{ id: "([\w-]+)", clinic: (\d+), at: "(\w+)"', TABLE)


def test_each_row_has_a_name_of_its_own_and_a_case_of_the_clinic():
    names = [name for name, _, _ in ROWS]
    assert len(names) == len(set(names)) == TABLE.count("    means: ")
    assert {int(case) for _, case, _ in ROWS} == {9, *range(19, 27)}


PROVOKING = ("test_faults.py", "test_room.py")


def test_each_row_is_provoked_in_a_browser():
    """Here, or in ``test_room.py``, where the page is another machine's."""
    tests = "".join(Path(__file__).with_name(name).read_text("utf-8") for name in PROVOKING)
    assert [name for name, _, _ in ROWS if f'"{name}"' not in tests] == []
