"""The client page with a real subscription: a real browser, and the lab's own push service."""

import pytest

from pushlab.appserver.keys import VapidKeys
from pushlab.errors import BrowserFailed

from .parties import DONE, started
from .test_page import UNREGISTER

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
    enabled: ids(".buttons button:enabled"),
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


def facts_of(parties) -> dict:
    return parties.evaluate(FACTS)


def endpoint_of(parties) -> str | None:
    return parties.evaluate(ENDPOINT)


@pytest.fixture(scope="module", params=["firefox", "chromium"])
def parties(request, artifacts):
    request.getfixturevalue(f"{request.param}_installed")
    with started(request.param) as parties:
        with artifacts.offer_world(parties.run, parties.journal, parties.browser):
            yield parties


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
    facts = facts_of(subscribed)
    assert facts["steps"] == ["done"] * 6
    assert facts["next"] == ["notify-me"]
    assert facts["enabled"] == ["unregister", "unsubscribe", "notify-me", "notify-all"]
    endpoint = ENDPOINTS[subscribed.kind]
    assert f"Service worker subscribed to push. Endpoint: {endpoint}" in facts["status"]
    subscribed.run(subscribed.browser.notify_me())
    shown = subscribed.run(subscribed.browser.wait_for_notification())
    assert shown.title == "Hello, Notifications!"
    subscribed.run(subscribed.browser.notify_all())
    assert "Notify all: 1 accepted" in facts_of(subscribed)["outcome"]


def test_the_endpoint_is_the_learners_to_see_and_nobody_elses(subscribed):
    subscribed.run(subscribed.browser.evaluate(LOGGED, "POST /add-subscription"))
    facts, endpoint = facts_of(subscribed), endpoint_of(subscribed)
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
    assert facts_of(subscribed)["whole"] == ""


# Called in the page, which is not told of it: to the page, another tab or the browser's settings did it.
UNSUBSCRIBE = """async () => {
  const registration = await navigator.serviceWorker.getRegistration();
  return (await registration.pushManager.getSubscription()).unsubscribe();
}"""


@pytest.mark.parametrize("button", ["unsubscribe", "notify_me"])
@pytest.mark.parametrize(
    ("ended", "said", "state", "highlighted"),
    [
        (UNSUBSCRIBE, "This browser is not subscribed any more", "registered", "subscribe"),
        (UNREGISTER, "This page has no service worker any more", "unregistered", "register"),
    ],
    ids=["unsubscribed", "unregistered"],
)
def test_a_button_for_a_subscription_that_another_tab_has_ended(
    button, ended, said, state, highlighted, subscribed
):
    assert subscribed.evaluate(ended) is True
    with pytest.raises(BrowserFailed, match=said):
        subscribed.run(getattr(subscribed.browser, button)())
    assert subscribed.run(subscribed.browser.state()) == state
    assert facts_of(subscribed)["next"] == [highlighted]


def test_a_tab_knows_what_another_one_has_stored(subscribed):
    subscribed.run(subscribed.browser.unsubscribe())
    with subscribed.browser.elsewhere():
        subscribed.run(subscribed.browser.enter_new_tab())
        subscribed.open()
        subscribed.run(subscribed.browser.subscribe())
        subscribed.run(subscribed.browser.close_tab())
    subscribed.evaluate(DONE)
    subscribed.run(subscribed.browser.notify_me())
    subscribed.run(subscribed.browser.wait_for_notification())


# Changes the name, and returns what the page says next.
RENAME = """() => new Promise((resolve) => {
  const outcome = document.getElementById("outcome");
  new MutationObserver(() => resolve(outcome.textContent)).observe(outcome, { childList: true });
  document.getElementById("name").dispatchEvent(new Event("change"));
})"""


def test_a_name_that_cannot_be_sent_changes_no_state(subscribed):
    keys, port = subscribed.server.keys, subscribed.server.port
    subscribed.run(subscribed.server.stop())
    said = subscribed.evaluate(RENAME)
    subscribed.start_server(keys, port)
    assert "The application server does not answer" in said
    assert "does not know this error" not in said
    assert subscribed.run(subscribed.browser.state()) == "subscribed"


def test_a_server_that_has_forgotten_is_told_again_at_the_next_visit(subscribed):
    keys, port = subscribed.server.keys, subscribed.server.port
    subscribed.run(subscribed.server.stop())
    subscribed.start_server(keys, port)
    with pytest.raises(BrowserFailed, match="No such subscription is stored here"):
        subscribed.run(subscribed.browser.notify_me())
    assert facts_of(subscribed)["next"] == ["subscribe"]
    subscribed.open()
    assert subscribed.server.store.count() == 1
    assert facts_of(subscribed)["steps"] == ["done"] * 6


def test_a_server_with_another_key(subscribed):
    port, old = subscribed.server.port, endpoint_of(subscribed)
    subscribed.run(subscribed.server.stop())
    subscribed.start_server(VapidKeys.generate(), port)
    subscribed.open()
    facts = facts_of(subscribed)
    assert subscribed.run(subscribed.browser.state()) == "subscribed"
    assert "another key" in facts["outcome"]
    assert facts["steps"][4] == "failed"
    assert "another application server key" in facts["subscriptionStep"]
    assert facts["next"] == ["subscribe"] and "notify-me" not in facts["enabled"]
    assert subscribed.server.store.count() == 0  # it could not be sent to anyway
    subscribed.run(subscribed.browser.subscribe())
    assert "Subscribed again" in facts_of(subscribed)["outcome"]
    assert endpoint_of(subscribed) != old
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
    old = endpoint_of(subscribed)
    subscribed.run(subscribed.browser.evaluate(GONE_UNNOTICED))
    with pytest.raises(BrowserFailed, match="The page says: "):
        subscribed.run(subscribed.browser.notify_me())
    assert subscribed.server.store.count() == 0
    facts = facts_of(subscribed)
    assert facts["steps"][5] == "next"
    assert facts["next"] == ["subscribe"]
    subscribed.run(subscribed.browser.subscribe())
    assert facts_of(subscribed)["steps"] == ["done"] * 6
    assert endpoint_of(subscribed) != old
    subscribed.run(subscribed.browser.notify_me())
    subscribed.run(subscribed.browser.wait_for_notification())


@pytest.mark.parametrize("parties", ["firefox"], indirect=True)
def test_a_push_service_that_starts_anew_makes_the_worker_subscribe_again(subscribed):
    """Firefox gets another id there, drops what it had, and wakes the worker up to say so.

    Chromium is told nothing: its subscription is gone with the push service that made it.
    """
    old, port = endpoint_of(subscribed), subscribed.push_service.port
    last = subscribed.journal.last
    subscribed.run(subscribed.push_service.stop())
    subscribed.start_push_service(port)
    subscribed.wait_for("remove subscription", after=last)
    assert endpoint_of(subscribed) != old
    assert subscribed.server.store.count() == 1  # the new one came, and then the old one went
    subscribed.evaluate(DONE)  # in the page that was open all the time
    subscribed.open()
    assert facts_of(subscribed)["steps"] == ["done"] * 6
    subscribed.run(subscribed.browser.notify_me())
    subscribed.run(subscribed.browser.wait_for_notification())
