"""The client page with a real subscription: a real browser, and the lab's own push service."""

import asyncio
from dataclasses import dataclass, field

import pytest

from pushlab.appserver.app import ApplicationServer
from pushlab.appserver.keys import VapidKeys
from pushlab.appserver.route import Route
from pushlab.background import BackgroundLoop
from pushlab.errors import BrowserFailed
from pushlab.journal import Event, Journal
from pushlab.pushservice.app import PushService
from pushlab.pushservice.fcm import TOKEN_PREFIX
from pushlab.useragent.chromium import Chromium
from pushlab.useragent.firefox import Firefox

MAKE = {
    "firefox": lambda service: Firefox(service.ws_url),
    "chromium": lambda service: Chromium(service.chromium),
}
ENDPOINTS = {"firefox": "http://127.0.0.1:", "chromium": "https://jmt17.google.com/"}

FACTS = """() => {
  const text = (id) => document.getElementById(id).textContent;
  const ids = (selector) => [...document.querySelectorAll(selector)].map((each) => each.id);
  return {
    outcome: text("outcome"),
    status: text("status"),
    whole: text("whole-subscription"),
    events: text("events"),
    next: ids("button.next"),
    enabled: ids("button:enabled"),
    steps: [...document.querySelectorAll("#steps li")].map((each) => each.dataset.state),
    subscriptionStep: text("step-subscription"),
  };
}"""

ENDPOINT = """async () => {
  const registration = await navigator.serviceWorker.getRegistration();
  return (await registration.pushManager.getSubscription())?.endpoint;
}"""


LOGGED = """(what) => new Promise((resolve) => {
  const log = document.getElementById("events");
  const look = () => log.textContent.includes(what) && resolve();
  new MutationObserver(look).observe(log, { childList: true });
  look();
})"""


@dataclass
class Parties:
    """The three parties, each started anew at will on the port that it had."""

    background: BackgroundLoop
    journal: Journal = field(default_factory=Journal)
    kind: str = ""
    browser: Firefox | Chromium | None = None
    push_service: PushService | None = None
    server: ApplicationServer | None = None

    def run(self, coroutine):
        return self.background.run(coroutine)

    def start_push_service(self, port: int = 0) -> None:
        """Start a push service that has never heard of anyone."""
        self.push_service = PushService(journal=self.journal)
        self.run(self.push_service.start(port))

    def start_server(self, keys: VapidKeys, port: int = 0) -> None:
        """Start an application server that knows no subscription."""
        door = self.push_service.chromium
        authority = door.ca_pem.decode()
        self.server = ApplicationServer(
            keys=keys,
            journal=self.journal,
            push_origins=[self.push_service.origin],
            routes=[Route(host, TOKEN_PREFIX, door.tls_port, authority) for host in door.hosts],
        )
        self.run(self.server.start(port))

    def open(self) -> None:
        self.run(self.browser.open(self.server.url))

    def facts(self) -> dict:
        return self.run(self.browser.evaluate(FACTS))

    def endpoint(self) -> str | None:
        return self.run(self.browser.evaluate(ENDPOINT))

    def wait_for(self, what: str, after: int) -> None:
        """Wait for an event of this name with a number greater than ``after``."""

        async def wait() -> None:
            found, loop = asyncio.Event(), asyncio.get_running_loop()

            def look(event: Event) -> None:
                if event.what == what and event.number > after:
                    loop.call_soon_threadsafe(found.set)

            unsubscribe = self.journal.subscribe(look)
            for event in self.journal.events(after):
                look(event)
            await found.wait()
            unsubscribe()

        self.run(wait())


@pytest.fixture(scope="module", params=["firefox", "chromium"])
def parties(request):
    request.getfixturevalue(f"{request.param}_installed")
    parties = Parties(BackgroundLoop(), kind=request.param)
    parties.start_push_service()
    parties.browser = MAKE[request.param](parties.push_service)
    parties.background.run(parties.browser.start(), timeout=90)
    yield parties
    parties.run(parties.browser.close())
    parties.run(parties.push_service.stop())
    parties.background.stop()


@pytest.fixture
def subscribed(parties):
    """Parties whose browser has subscribed, at an origin that it has never seen before."""
    parties.start_server(VapidKeys.generate())
    parties.open()
    parties.run(parties.browser.register())
    parties.run(parties.browser.subscribe())
    yield parties
    parties.run(parties.server.stop())


def test_subscribed_and_notified(subscribed):
    assert subscribed.run(subscribed.browser.state()) == "subscribed"
    facts = subscribed.facts()
    assert facts["steps"] == ["done"] * 6
    assert facts["next"] == ["notify-me"]
    assert facts["enabled"] == ["unregister", "unsubscribe", "notify-me", "notify-all"]
    endpoint = ENDPOINTS[subscribed.kind]
    assert f"Service worker subscribed to push. Endpoint: {endpoint}" in facts["status"]
    subscribed.run(subscribed.browser.notify_me())
    shown = subscribed.run(subscribed.browser.wait_for_notification())
    assert shown.title == "Hello, Notifications!"
    subscribed.run(subscribed.browser.notify_all())
    assert "Notify all: 1 accepted" in subscribed.facts()["outcome"]


def test_the_endpoint_is_the_learners_to_see_and_nobody_elses(subscribed):
    subscribed.run(subscribed.browser.evaluate(LOGGED, "POST /add-subscription"))
    facts, endpoint = subscribed.facts(), subscribed.endpoint()
    assert endpoint in facts["whole"]
    token = endpoint.rsplit("/", 1)[1]
    assert token not in facts["status"]
    assert token not in facts["events"]
    assert '"auth"' in facts["whole"] and '"p256dh"' in facts["whole"]


@pytest.mark.parametrize("button", ["unsubscribe", "unregister"])
def test_the_server_hears_that_it_is_over(button, subscribed):
    assert subscribed.server.store.count() == 1
    subscribed.run(getattr(subscribed.browser, button)())
    assert subscribed.server.store.count() == 0
    left = {"unsubscribe": "registered", "unregister": "unregistered"}[button]
    assert subscribed.run(subscribed.browser.state()) == left
    assert subscribed.facts()["whole"] == ""


def test_a_server_that_has_forgotten_is_told_again_at_the_next_visit(subscribed):
    keys, port = subscribed.server.keys, subscribed.server.port
    subscribed.run(subscribed.server.stop())
    subscribed.start_server(keys, port)
    with pytest.raises(BrowserFailed, match="No such subscription is stored here"):
        subscribed.run(subscribed.browser.notify_me())
    assert subscribed.facts()["next"] == ["subscribe"]
    subscribed.open()
    assert subscribed.server.store.count() == 1
    assert subscribed.facts()["steps"] == ["done"] * 6


def test_a_server_with_another_key(subscribed):
    port, old = subscribed.server.port, subscribed.endpoint()
    subscribed.run(subscribed.server.stop())
    subscribed.start_server(VapidKeys.generate(), port)
    subscribed.open()
    facts = subscribed.facts()
    assert subscribed.run(subscribed.browser.state()) == "subscribed"
    assert "another key" in facts["outcome"]
    assert facts["steps"][4] == "failed"
    assert "another application server key" in facts["subscriptionStep"]
    assert facts["next"] == ["subscribe"] and "notify-me" not in facts["enabled"]
    assert subscribed.server.store.count() == 0  # it could not be sent to anyway
    subscribed.run(subscribed.browser.subscribe())
    assert "Subscribed anew" in subscribed.facts()["outcome"]
    assert subscribed.endpoint() != old
    subscribed.run(subscribed.browser.notify_me())
    subscribed.run(subscribed.browser.wait_for_notification())


GONE_UNNOTICED = """async () => {
  const { prototype } = PushManager;
  const { getSubscription, subscribe } = prototype;
  const registration = await navigator.serviceWorker.getRegistration();
  const gone = await registration.pushManager.getSubscription();
  await gone.unsubscribe();
  prototype.getSubscription = async () => gone; // the browser has not noticed,
  prototype.subscribe = async function (options) {
    prototype.getSubscription = getSubscription; // until it makes a new one
    return subscribe.call(this, options);
  };
}"""


def test_a_subscription_that_only_the_browser_still_believes_in(subscribed):
    old = subscribed.endpoint()
    subscribed.run(subscribed.browser.evaluate(GONE_UNNOTICED))
    with pytest.raises(BrowserFailed, match="The page says: "):
        subscribed.run(subscribed.browser.notify_me())
    assert subscribed.server.store.count() == 0
    facts = subscribed.facts()
    assert facts["steps"][5] == "next"
    assert facts["next"] == ["subscribe"]
    subscribed.run(subscribed.browser.subscribe())
    assert subscribed.facts()["steps"] == ["done"] * 6
    assert subscribed.endpoint() != old
    subscribed.run(subscribed.browser.notify_me())
    subscribed.run(subscribed.browser.wait_for_notification())


@pytest.mark.parametrize("parties", ["firefox"], indirect=True)
def test_a_push_service_that_starts_anew_makes_the_worker_subscribe_again(subscribed):
    """Firefox gets another id there, drops what it had, and wakes the worker up to say so.

    Chromium is told nothing: its subscription is gone with the push service that made it.
    """
    old, port = subscribed.endpoint(), subscribed.push_service.port
    last = subscribed.journal.events()[-1].number
    subscribed.run(subscribed.push_service.stop())
    subscribed.start_push_service(port)
    subscribed.wait_for("remove subscription", after=last)
    assert subscribed.endpoint() != old
    assert subscribed.server.store.count() == 1  # the new one came, and then the old one went
    subscribed.open()
    assert subscribed.facts()["steps"] == ["done"] * 6
    subscribed.run(subscribed.browser.notify_me())
    subscribed.run(subscribed.browser.wait_for_notification())
