"""The client page in a real Chromium: its states, its words, and what it does when things fail.

Chromium cannot subscribe here, because its push service is far away; a real subscription is in
``test_page_with_push.py``, and what browsers really say to each fault in ``test_faults.py``.
"""

import json

import pytest
from playwright.sync_api import Page, expect

from pushlab.journal import Party
from pushlab.pushservice.app import PushService
from pushlab.pushservice.autopush import AutopushHandler

from ..run.ports import free_port
from .conftest import before, permit, press, settle, visit

BUTTONS = ["register", "unregister", "subscribe", "unsubscribe", "notify-me", "notify-all"]


def state(page: Page) -> str:
    return page.locator("body").get_attribute("data-state")


def enabled(page: Page) -> list[str]:
    return [name for name in BUTTONS if page.locator(f"#{name}").is_enabled()]


def highlighted(page: Page) -> list[str]:
    return page.eval_on_selector_all("button.next", "buttons => buttons.map((one) => one.id)")


def step(page: Page, name: str) -> str:
    return page.locator(f"#step-{name}").get_attribute("data-state")


def steps(page: Page) -> list[str]:
    return page.eval_on_selector_all("#steps li", "items => items.map((one) => one.dataset.state)")


def registered(page: Page, url: str) -> None:
    permit(page, url, "granted")
    visit(page, url)
    press(page, "register")


# ---- the way to a subscription -------------------------------------------------------------------


def test_a_first_visit(page, server):
    visit(page, server.url)
    assert state(page) == "unregistered"
    assert enabled(page) == ["register", "notify-all"]
    assert highlighted(page) == ["register"]
    assert steps(page) == ["done", "done", "next", "waiting", "waiting", "waiting"]
    expect(page.locator("#status")).to_contain_text("No service worker is registered.")
    expect(page.locator("#outcome")).to_be_empty()


def test_register_reload_unregister(page, server):
    visit(page, server.url)
    press(page, "register")
    for reload in (False, True):
        if reload:
            page.reload()
            settle(page)
        assert state(page) == "registered"
        assert enabled(page) == ["unregister", "subscribe", "notify-all"]
        assert highlighted(page) == ["subscribe"]
        expect(page.locator("#status")).to_contain_text(
            f"Service worker registered. Scope: {server.url}"
        )
    press(page, "unregister")
    assert state(page) == "unregistered"
    press(page, "register")
    assert state(page) == "registered"


def test_another_tab_may_unregister(page, chromium, server):
    visit(page, server.url)
    press(page, "register")
    other = chromium.new_page()
    visit(other, server.url)
    press(other, "unregister")
    other.close()
    page.evaluate("dispatchEvent(new Event('focus'))")  # headless, no tab ever loses the focus
    page.wait_for_selector("body[data-state=unregistered]")


# Called in the page, which is not told of it: to the page, another tab or the browser's settings did it.
UNREGISTER = "() => navigator.serviceWorker.getRegistration().then((one) => one.unregister())"


def test_a_button_for_a_worker_that_another_tab_has_unregistered(page, server, journal):
    registered(page, server.url)
    for button in ("subscribe", "unregister"):
        if state(page) == "unregistered":
            press(page, "register")
        assert page.evaluate(UNREGISTER) is True
        press(page, button)
        expect(page.locator("#outcome")).to_contain_text("has no service worker any more")
        expect(page.locator("#outcome")).to_have_attribute("data-kind", "error")
        assert state(page) == "unregistered"
        assert highlighted(page) == ["register"]
    press(page, "register")
    reports = [event.detail for event in journal.events() if event.detail.get("action")]
    assert reports == [], "it is no error of the browser"


def test_the_permission_is_asked_for_within_the_click(page, server):
    """After an await ``window.event`` is no longer the click, and a browser may refuse to ask."""
    page.add_init_script("""
        Notification.requestPermission = async () => {
          window.askedDuring = window.event?.type;
          return "default";
        };
    """)
    visit(page, server.url)
    press(page, "register")
    press(page, "subscribe")
    assert page.evaluate("askedDuring") == "click"
    expect(page.locator("#outcome")).to_contain_text("closed without an answer")
    assert step(page, "permission") == "failed"
    assert highlighted(page) == ["subscribe"]  # to ask again


def test_the_log_tells_who_says_what_to_whom(page, server):
    visit(page, server.url)
    press(page, "register")
    press(page, "notify-all")
    rows = page.locator("#events li")
    expect(rows.filter(has_text="POST /notify-all").first).to_contain_text(
        "user agent → application server"
    )
    expect(rows.filter(has_text="registered").first).to_be_visible()
    assert rows.first.locator("time").get_attribute("datetime").endswith("Z")


def test_the_log_goes_on_when_the_server_comes_back(page, background, server):
    port = free_port()
    background.run(server.stop())
    background.run(server.start(port))
    visit(page, server.url)
    background.run(server.stop())
    expect(page.locator("#events[data-lost]")).to_be_attached()
    press(page, "notify-all")
    expect(page.locator("#outcome")).to_contain_text("The application server does not answer.")
    background.run(server.start(port))
    expect(page.locator("#events[data-lost]")).not_to_be_attached()
    press(page, "notify-all")
    expect(page.locator("#events li").filter(has_text="POST /notify-all")).to_be_visible()


MARKUP = "<img src=x onerror='window.run=1'><script>window.run=1</script><b>bold</b>"


def test_what_strangers_write_stays_text(page, proxy, journal):
    """A participant's name, a report's detail, an error's words: markup in them is not markup."""
    answer = json.dumps({"error": {"id": "no-subscriptions", "message": MARKUP}})
    proxy.answers["/notify-all"] = (409, "application/json", answer)
    visit(page, proxy.url)
    journal.record(Party.USER_AGENT, Party.APPLICATION_SERVER, MARKUP, MARKUP, name=MARKUP, error=MARKUP)
    expect(page.locator("#events li").last).to_contain_text(MARKUP)
    press(page, "notify-all")
    expect(page.locator("#outcome")).to_contain_text(MARKUP)
    assert page.locator("#events :is(img, script, b), #outcome :is(img, script, b)").count() == 0
    assert page.evaluate("window.run") is None
    # The policy would have stopped it, too: had it been markup, nothing would have run.
    page.evaluate("(markup) => { document.body.append(new Range().createContextualFragment(markup)) }",
                  "<i id=real></i>")  # fmt: skip
    assert page.locator("#real").count() == 1, "markup that is parsed would be seen"


# ---- what fails, in words ------------------------------------------------------------------------


def test_an_insecure_origin(page, proxy):
    proxy.keeps_host = False
    visit(page, proxy.url.replace("127.0.0.1", "lab.example"))
    assert state(page) == "unsupported"
    assert enabled(page) == ["notify-all"]
    assert steps(page) == ["failed"] + ["waiting"] * 5
    expect(page.locator("#step-secure")).to_contain_text("plain http from another machine")


def test_a_name_that_leads_here_without_being_ours(page, server, chromium):
    """DNS rebinding: a far name resolves to this machine, and its page would be of our origin."""
    tab = chromium.new_page()
    for route in ("", "vapid", "page.js", "health", "nothing"):
        answer = tab.goto(f"http://lab.example:{server.port}/{route}")
        assert (answer.status, answer.json()["error"]["id"]) == (421, "wrong-host")
    tab.close()
    visit(page, server.url)
    assert state(page) == "unregistered"


FOREIGN = """(url) => {
  const told = [];
  const post = (type, mode) =>
    fetch(url, {method: "POST", mode, body: "{}", headers: {"Content-Type": type}})
      .then((answer) => told.push(answer.type), () => told.push("failed"));
  return Promise.all([post("text/plain", "no-cors"), post("text/plain", "cors"),
    post("application/json", "cors")]).then(() => told);
}"""


@pytest.fixture
def foreign(proxy):
    """Pages of others on this machine: of another site, and of the same site at another port."""
    proxy.answers["/foreign"] = (200, "text/html", "<p>")
    return [f"{url}foreign" for url in (proxy.url.replace("127.0.0.1", "lab.example"), proxy.url)]


def test_a_page_of_another_origin_cannot_make_this_one_send(page, server, journal, chromium, foreign):
    tab = chromium.new_page()
    for url in foreign:
        tab.goto(url)
        before = len(journal.events())
        # Two answers that it may not even have, and a preflight that is given no permission.
        assert tab.evaluate(FOREIGN, server.url + "notify-all") == ["failed"] * 3
        refused = [event.detail for event in journal.events()[before:]]
        assert refused == [{"status": 403, "error": "cross-origin"}] * 2
    tab.close()
    visit(page, server.url)
    before = len(journal.events())
    told = page.evaluate(FOREIGN, "notify-all")
    errors = [event.detail.get("error") for event in journal.events()[before:]]
    assert errors.count("not-json") == 2 and None in errors, "and the third is taken"
    assert told == ["basic"] * 3, "its own page may read what it is answered"


def test_no_page_speaks_to_the_push_service_as_a_browser_does(
    chromium, background, monkeypatch, foreign
):
    opened = """(url) => new Promise((done) => { const socket = new WebSocket(url);
      socket.onopen = () => done("open"); socket.onerror = () => done("failed"); })"""
    service = PushService()
    background.run(service.start())
    tab = chromium.new_page()
    for url in foreign:
        tab.goto(url)
        assert tab.evaluate(opened, service.ws_url) == "failed"
    monkeypatch.delattr(AutopushHandler, "prepare")
    monkeypatch.setattr(AutopushHandler, "check_origin", lambda handler, origin: True)
    assert tab.evaluate(opened, service.ws_url) == "open"
    tab.close()
    background.run(service.stop())


@pytest.mark.parametrize("part", ["PushManager", "Notification"])
def test_a_browser_without(part, page, server):
    page.add_init_script(f"delete window.{part}")
    visit(page, server.url)
    assert state(page) == "unsupported"
    assert steps(page)[:3] == ["done", "failed", "waiting"]
    expect(page.locator("#step-supported")).to_contain_text(f"Missing here: {part},")


def test_a_browser_without_channels_between_tabs(page, server):
    page.add_init_script("delete window.BroadcastChannel")
    visit(page, server.url)
    press(page, "register")
    assert state(page) == "registered"


def test_a_browser_that_blocks_site_data(page, server):
    page.add_init_script("""
        ServiceWorkerContainer.prototype.getRegistration = async () => {
          throw new DOMException("The operation is insecure.", "SecurityError");
        };
    """)
    visit(page, server.url)
    assert state(page) == "unsupported"
    assert enabled(page) == []
    expect(page.locator("#outcome")).to_contain_text("cookies and site data")


def test_notifications_are_denied(page, server):
    permit(page, server.url, "denied")
    visit(page, server.url)
    assert state(page) == "denied"
    assert steps(page)[2:] == ["next", "failed", "waiting", "waiting"]
    press(page, "register")
    assert state(page) == "denied"
    assert enabled(page) == ["unregister", "notify-all"]
    assert step(page, "permission") == "failed"
    expect(page.locator("#permission")).to_have_text("denied")
    expect(page.locator("#step-permission")).to_contain_text("and allow notifications")
    permit(page, server.url, "granted")  # as in the browser's settings: the page notices
    page.wait_for_selector("body[data-state=registered]")
    assert step(page, "permission") == "done"


def test_the_servers_error_is_shown_in_its_words(page, server):
    visit(page, server.url)
    press(page, "notify-all")
    expect(page.locator("#outcome")).to_contain_text("Nobody is subscribed")
    expect(page.locator("#outcome")).to_have_attribute("data-kind", "error")
    press(page, "register")
    expect(page.locator("#outcome")).to_have_attribute("data-kind", "done")


LOGIN = (200, "text/html", "<title>Log in</title>")


def test_a_login_page_answers_instead_of_the_server(page, proxy):
    proxy.answers = {"/notify-all": LOGIN}
    visit(page, proxy.url)
    press(page, "notify-all")
    expect(page.locator("#outcome")).to_contain_text("Something other than the application server")
    expect(page.locator("#outcome")).to_contain_text("sign in again")


WORKERS = [
    ("missing", (404, "text/html", "no"), "TypeError"),
    ("mime-type", (200, "text/plain", "42"), "SecurityError"),
    ("broken", (200, "text/javascript", "not JavaScript"), "TypeError"),
    (
        "not-installed",
        (200, "text/javascript", "oninstall = (e) => e.waitUntil(fetch('x:'))"),
        "AbortError",
    ),
]


def test_a_worker_that_cannot_be_registered(page, server, background):
    for name, answer, said in WORKERS:
        with before(server.url, background) as proxy:  # an origin of its own, for a first registration
            proxy.answers = {"/sw.js": answer}
            visit(page, proxy.url)
            press(page, "register")
            assert state(page) == "unregistered", name
            assert step(page, "worker") == "failed", name
            expect(page.locator("#step-worker")).to_have_attribute("data-fault", f"worker-{name}")
            expect(page.locator("#step-worker")).to_contain_text(f"The error is “{said}: ")
            proxy.answers = {}
            press(page, "register")
            assert state(page) == "registered", name
            page.goto("about:blank")


ERRORS = [
    ("AbortError", "Registration failed - push service error", "a browser that the lab has started"),
    ("AbortError", "Registration failed - permission denied", "private window"),
    ("NotAllowedError", "Permission denied", "userVisibleOnly: true"),
    ("NotAllowedError", "User denied permission to use the Push API.", "Reset the permission"),
    ("InvalidStateError", "There is one with a different key", "unregister the worker"),
    ("InvalidStateError", "It has gone", "Reload this page"),
    ("InvalidAccessError", "The key is not valid", "65 bytes"),
    ("UnknownError", "Something new", "go through the steps again"),
]
FAIL = """([name, message]) => {
  PushManager.prototype.subscribe = async () => { throw new DOMException(message, name); };
}"""


def test_each_error_of_subscribe_has_its_advice(page, server):
    registered(page, server.url)
    for name, message, advice in ERRORS:
        page.evaluate(FAIL, [name, message])
        press(page, "subscribe")
        assert state(page) == "registered"
        assert steps(page)[3:] == ["done", "failed", "waiting"]
        expect(page.locator("#step-subscription")).to_contain_text(f"“{name}: {message}”")
        expect(page.locator("#outcome")).to_contain_text(advice)
        expect(page.locator("#events")).to_contain_text(f"action subscribe · error {name}")


def test_a_push_service_that_never_answers_is_not_waited_for_for_ever(page, server, monkeypatch):
    """So does Chromium behave with no network. The page's patience ends when the test says so."""
    monkeypatch.setenv("PUSHLAB_PATIENCE", "7")
    page.add_init_script("""
        const { setTimeout } = window;
        window.setTimeout = (run, delay, ...rest) => {
          if (delay < 20_000) return setTimeout(run, delay, ...rest);
          [window.endPatience, window.delay] = [run, delay];
        };
    """)
    registered(page, server.url)
    page.evaluate("delete window.endPatience")  # the timer of the registration, which is over
    page.click("#subscribe")
    page.wait_for_function("() => 'endPatience' in window")
    expect(page.locator("#subscribe")).to_have_attribute("aria-busy", "true")
    expect(page.locator("#outcome")).to_have_text("Subscribe to push …")
    assert enabled(page) == ["subscribe"]
    page.click("#subscribe")  # does nothing: one action at a time
    page.evaluate("endPatience()")
    settle(page)
    expect(page.locator("#outcome")).to_contain_text("“TimeoutError: No answer after 140 seconds.”")
    assert page.evaluate("delay") == 140_000
    expect(page.locator("#subscribe")).not_to_have_attribute("aria-busy", "true")
    assert steps(page)[4] == "failed"
    assert highlighted(page) == ["subscribe"]


@pytest.mark.parametrize("key", ["not base64url!", "AAAA"])
def test_a_key_that_is_none(key, page, proxy):
    proxy.answers = {"/vapid": (200, "text/plain", key)}
    registered(page, proxy.url)
    press(page, "subscribe")
    assert step(page, "subscription") == "failed"


# ---- behind a proxy ------------------------------------------------------------------------------


def test_the_page_stays_under_its_prefix(page, proxy):
    visit(page, proxy.url)
    press(page, "register")
    assert state(page) == "registered"
    expect(page.locator("#status")).to_contain_text(f"Scope: {proxy.url}")
    expect(page.locator("#events")).to_contain_text("registered")
    press(page, "notify-all")
    expect(page.locator("#outcome")).to_contain_text("Nobody is subscribed")
    assert set(proxy.elsewhere) <= {"/favicon.ico"}


def test_a_worker_of_the_whole_origin_is_not_ours(page, proxy):
    """JupyterLab may have one; the page neither counts it as its own nor removes it."""
    proxy.prefix, inner = "", proxy.url
    proxy.answers = {"/sw.js": (200, "text/javascript", "")}
    outer = inner.split("/user/")[0] + "/"
    visit(page, outer)
    press(page, "register")
    proxy.prefix, proxy.answers = "/user/alice/proxy/8292", {}
    visit(page, inner)
    assert state(page) == "unregistered"
    press(page, "register")
    press(page, "unregister")
    scope = page.evaluate("navigator.serviceWorker.getRegistration().then((one) => one.scope)")
    assert scope == outer


# ---- for everyone --------------------------------------------------------------------------------


def test_the_keyboard_walks_from_step_to_step(page, server):
    visit(page, server.url)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "register"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    page.wait_for_selector("body[data-state=registered]:not([data-busy])")
    assert page.evaluate("document.activeElement.id") == "subscribe"


def test_nothing_sticks_out(page, server):
    visit(page, server.url)
    press(page, "register")
    expect(page.locator("#events li").first).to_be_attached()
    for width in (1400, 768, 360, 320):
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_function("(width) => innerWidth === width", arg=width)
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_drawing_stays_still_for_those_who_want_that(page, server):
    told = page.locator("#events li").filter(has_text="POST /notify-all")
    for count, (wanted, moves) in enumerate([("no-preference", True), ("reduce", False)], 1):
        page.emulate_media(reduced_motion=wanted)
        visit(page, server.url)
        page.evaluate("""() => {
          const now = Date.now();
          Date.now = () => now; // An event that comes late moves nothing.
          window.moved = false;
          SVGElement.prototype.animate = () => { window.moved = true; };
        }""")
        press(page, "notify-all")
        expect(told).to_have_count(count)
        assert page.evaluate("moved") is moves


# ---- a registration whose worker comes late, or is replaced: Firefox does both after unregister() --
# A page cannot rely on an event for each change, so none is sent here.

# A registration that is in these states, one after the other. The page reads each of them some times.
REGISTER = """async (looks) => {
  const workers = {};
  const worker = (name) => (workers[name] ??= { state: "installing" });
  let look, asked = 0;
  const become = () => {
    look = looks.shift();
    for (const [name, state] of Object.entries(look.states ?? {})) worker(name).state = state;
  };
  const at = (place) => (look[place] ? worker(look[place]) : null);
  const registration = {
    get installing() {
      if (++asked % 3 === 0 && looks.length) become();
      return at("installing");
    },
    get waiting() { return at("waiting"); },
    get active() { return at("active"); },
  };
  navigator.serviceWorker.register = async () => registration;
  become();
  const { register } = await import("./push.js");
  return register().then(() => "active", (error) => error.message);
}"""
ENDED = {"active": "old", "states": {"old": "redundant"}}
NEW = {"active": "new", "states": {"new": "activated"}}
REPLACED = {"states": {"new": "redundant"}}


def test_register_waits_for_a_worker_that_comes_late_or_is_replaced(page, server):
    visit(page, server.url)
    assert page.evaluate(REGISTER, [NEW]) == "active"
    assert page.evaluate(REGISTER, [ENDED, {}, {"installing": "new"}, NEW]) == "active"
    other = {"active": "other", "states": {"other": "activated"}}
    assert page.evaluate(REGISTER, [{"installing": "new"}, REPLACED, other]) == "active"
    assert page.evaluate(REGISTER, [{"installing": "new"}, other]) == "active"  # nothing told
    thrown_away = "The worker was thrown away during installation."
    assert page.evaluate(REGISTER, [{"installing": "new"}, REPLACED]) == thrown_away
    before = {"active": "before", "states": {"before": "activated"}}
    failed = [before | {"installing": "new"}, before | REPLACED]
    assert page.evaluate(REGISTER, failed) == thrown_away


def test_a_clock_that_is_set_meanwhile_ends_no_wait(page, server):
    """One limit holds for the wait, and it is a timer."""
    page.add_init_script("""
        const { now } = Date;
        let hours = 0;
        Date.now = () => now() + 3_600_000 * hours++;
    """)
    visit(page, server.url)
    assert page.evaluate(REGISTER, [{"installing": "new"}, NEW]) == "active"
