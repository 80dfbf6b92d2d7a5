"""The panel, driven in process: real parties, a virtual user agent, and no front end."""

import asyncio
import re
import threading
import time
from html import unescape

import ipywidgets as widgets
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from pushlab import Lab
from pushlab.appserver.broadcast.sender import Counts
from pushlab.errors import TimedOut
from pushlab.journal import Party
from pushlab.notebook import markup
from pushlab.notebook.panel import answers
from pushlab.notebook.panel import panel as panel_module
from pushlab.protocol import p256
from pushlab.protocol.subscription import PushSubscription, label_of
from pushlab.settings import patience
from pushlab.useragent.base import Notification

UA, AS = Party.USER_AGENT, Party.APPLICATION_SERVER


@pytest.fixture
def lab(tmp_path, monkeypatch):
    monkeypatch.setenv("PUSHLAB_BROWSER", "virtual")
    with Lab(port=0, push_port=0, data=tmp_path) as lab:
        yield lab


@pytest.fixture
def panel(lab):
    return lab.panel()


def until(widget: widgets.Widget, holds, trait: str = "value"):
    """Wait until the trait's value is such that ``holds(value)``; return it."""
    changed = threading.Event()
    widget.observe(lambda change: changed.set(), trait)
    deadline = time.monotonic() + patience(60)
    while not holds(value := getattr(widget, trait)):
        assert changed.wait(deadline - time.monotonic()), f"{trait} is still {value!r}"
        changed.clear()
    return value


def press(panel, name: str) -> str:
    """Press a button, wait until its action is over, and return what the panel then says."""
    button = panel.buttons[name]
    button.click()
    until(button, lambda disabled: not disabled, "disabled")
    return panel.result.value


def words(html: str) -> str:
    """Return the words of HTML as they are seen: apart where a block or a span ends."""
    return " ".join(unescape(re.sub("<[^>]+>", "", re.sub("<(div|br|/span)", r" <\1", html))).split())


def every_widget(widget: widgets.Widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from every_widget(child)


def all_text(panel) -> str:
    return "\n".join(str(getattr(one, "value", "")) for one in every_widget(panel.box))


# --- the whole loop -------------------------------------------------------------------------------


def test_the_whole_loop_by_its_buttons(lab, panel):
    assert "opened the client page" in press(panel, "open-virtual")
    assert "Virtual subscribed" in press(panel, "subscribe")
    until(panel.subscriptions, lambda html: "Virtual" in html and "Notify me" in html)
    # Now, for the diagram shows the newest events alone, and this one is not among them for long.
    until(panel.diagram, lambda svg: ">subscribe<" in svg)
    assert "201 Created" in press(panel, "notify-me")
    until(panel.notifications, lambda html: "Hello, Notifications!" in html)
    assert "1 accepted" in press(panel, "notify-all")
    for said in ("POST message", "push message", "acknowledge"):
        until(panel.diagram, lambda svg, said=said: f">{said}<" in svg)
    for said in ("subscribe", "POST message", "push message", "acknowledge"):
        until(panel.log, lambda html, said=said: said in html)
    assert "Virtual unsubscribed" in press(panel, "unsubscribe")
    until(panel.subscriptions, lambda html: "Nobody is subscribed" in html)
    assert "was closed" in press(panel, "close-browser")
    until(panel.notifications, lambda html: "no browser open" in html)


def test_subscribe_opens_a_browser_if_none_is_open_and_may_be_pressed_twice(lab, panel):
    assert "Virtual subscribed" in press(panel, "subscribe")
    assert "was subscribed already" in press(panel, "subscribe")
    assert len(lab.subscriptions()) == len(lab.browsers) == 1


def test_the_message_is_the_one_in_the_form(lab, panel):
    press(panel, "subscribe")
    panel.composer.title.value, panel.composer.body.value = "Lunch?", "In <b>ten</b> minutes"
    panel.composer.ttl.value, panel.composer.urgency.value = "60", "high"
    panel.composer.topic.value = "food"
    assert "201 Created" in press(panel, "notify-me")
    shown = lab.browsers[-1].wait_for_notification()
    assert (shown.title, shown.body) == ("Lunch?", "In <b>ten</b> minutes")
    sent = lab.wait_for("POST message").detail
    assert (sent["ttl"], sent["urgency"], sent["topic"]) == (60, "high", "food")
    until(panel.notifications, lambda html: "In &lt;b&gt;ten&lt;/b&gt; minutes" in html)


def test_the_bytes_of_a_message_are_counted_as_it_is_written(panel):
    form = panel.composer
    payload = b'{"title":"Hello, Notifications!","options":{"body":"ID: 1"}}'
    assert f"{len(payload)} bytes as JSON, {3993 - len(payload)} of 3993 left" in form.counter.value
    form.body.value = "🎉"  # four bytes in the place of five
    assert f"{3993 - len(payload) + 1} of 3993 left" in form.counter.value
    form.body.value = "a" * (3993 - len(payload) + 5)
    assert "0 of 3993 left · 4096 bytes on the way" in form.counter.value
    form.body.value += "é"
    assert "✗" in form.counter.value and "3995 bytes" in form.counter.value


def test_what_is_too_long_is_refused_before_anything_is_sent(lab, panel):
    press(panel, "subscribe")
    panel.composer.body.value = "a" * 4000
    before = lab.journal.last
    assert "RFC 8291 §4" in press(panel, "notify-me")
    assert "POST message" not in [event.what for event in lab.journal.events(before)]


def test_the_bar_counts_what_is_done_and_says_what_it_counts(lab, panel):
    for name in ("One", "Two", "Three"):
        lab.open("virtual", name=name).subscribe()
    assert panel.progress.value == ""
    press(panel, "notify-all")
    html = until(panel.progress, lambda html: "3 of 3 messages have an outcome" in html)
    assert '<progress max="3" value="3" aria-label="Notify all">' in html


def test_the_application_server_s_name_is_shown_and_its_secret_is_not(lab, panel):
    assert lab.keys.application_server_key[:12] in panel.keys.value
    assert "65 bytes, 87 characters" in panel.keys.value
    assert lab.keys.to_jwk()["d"] not in all_text(panel)


@pytest.fixture
def two(lab, panel):
    """Two browsers that cells have opened and subscribed."""
    browsers = [lab.open("virtual", name=name) for name in ("Ada", "Bob")]
    for browser in browsers:
        browser.subscribe()
    for one in panel.recipient.widget, panel.browser.widget:
        until(one, lambda options: len(options) == 2, "options")
    return browsers


def test_notify_me_goes_to_the_one_that_is_chosen_and_to_no_other(lab, panel, two):
    for chosen, other in (two, two[::-1]):
        panel.recipient.choose(label_of(chosen.endpoint))
        panel.composer.body.value = f"for {chosen.name}"
        said = press(panel, "notify-me")
        assert f"the lab’s {chosen.name} · {label_of(chosen.endpoint)}: 201 Created" in said
        chosen.wait_for_notification(body=f"for {chosen.name}")
        assert f"for {chosen.name}" not in [one.body for one in other.notifications()]
        until(panel.subscriptions, lambda html: html.count("← Notify me") == 1)
    press(panel, "notify-all")
    for one in two:
        one.wait_for_notification(body=f"for {two[1].name}")


def test_the_buttons_are_for_the_browser_that_is_chosen(lab, panel, two):
    ada, bob = two
    until(panel.browser.widget, lambda options: len(options) == 2, "options")
    panel.browser.choose(ada)
    assert "Ada unsubscribed" in press(panel, "unsubscribe")
    assert (ada.state, bob.state) == ("registered", "subscribed")
    assert "Ada was not subscribed" in press(panel, "unsubscribe")
    panel.browser.choose(bob)
    assert "Bob was subscribed already" in press(panel, "subscribe")
    assert "Bob was closed. It unsubscribed first" in words(press(panel, "close-browser"))
    assert lab.browsers == [ada]
    until(panel.browser.widget, lambda label: label == "Ada", "label")
    assert "Ada subscribed" in press(panel, "subscribe")


def test_who_gets_the_message_follows_the_browser_that_is_chosen(lab, panel, two):
    for browser in (*two, two[0]):
        panel.browser.choose(browser)
        until(panel.recipient.widget, lambda value, one=browser: value == label_of(one.endpoint))
    panel.recipient.choose(label_of(two[1].endpoint))
    third = lab.open("virtual", name="Eve")
    third.subscribe()
    until(panel.recipient.widget, lambda options: len(options) == 3, "options")
    assert panel.recipient.chosen == label_of(two[1].endpoint), "what is chosen stays chosen"


def without_painters(panel) -> None:
    """End the painters, so that the test itself decides who offers what, and when."""
    for view in panel._views:
        view.close()
    for view in panel._views:
        view._thread.join(patience(60))
        assert not view._thread.is_alive()


def test_a_page_that_does_not_answer_is_left_out_of_no_list_and_stops_no_message(
    lab, panel, two, monkeypatch
):
    ada, bob = two
    without_painters(panel)
    monkeypatch.setattr(answers, "LOOK_SECONDS", 60)
    panel._offer_recipients()
    panel.browser.choose(ada)
    panel._offer_recipients()
    panel.recipient.choose(label_of(bob.endpoint))
    before = panel.recipient.widget._options_labels
    assert len([label for label in before if "the lab’s" in label]) == 2

    async def never():
        await asyncio.Event().wait()

    with monkeypatch.context() as patch:
        patch.setattr(ada.agent, "endpoint", never)
        patch.setattr(answers, "LOOK_SECONDS", 0.5)
        assert "the lab’s Bob" in (said := press(panel, "notify-me")) and "201 Created" in said
        assert panel.recipient.widget._options_labels == before
    panel._offer_recipients()
    assert panel.recipient.widget.label.startswith("the lab’s Bob"), "what is chosen stays chosen"


def test_a_page_that_does_not_answer_hides_no_notification_of_another(lab, panel, two, monkeypatch):
    async def refuse():
        raise TimedOut("The browser did not answer Runtime.evaluate")

    monkeypatch.setattr(two[0].agent, "notifications", refuse)
    press(panel, "notify-all")
    both = ("Runtime.evaluate", "Hello, Notifications!")
    until(panel.notifications, lambda html: all(one in html for one in both))
    assert "Runtime.evaluate" not in panel.result.value


def test_a_page_that_hangs_holds_up_nothing_and_is_asked_again(lab, panel, two, monkeypatch):
    ada, _ = two
    without_painters(panel)
    panel._offer_recipients()
    panel.browser.choose(ada)
    monkeypatch.setattr(panel_module.settings, "has_screen", lambda: False)
    monkeypatch.setattr(ada, "kind", "firefox")
    pictures = [b"first", b"second"]

    async def next_picture():
        return pictures.pop(0)

    async def never():
        await asyncio.Event().wait()

    def paint() -> tuple[bool, str]:
        """Paint once, in a thread: so a test that fails does not hang."""
        late = []
        painter = threading.Thread(target=lambda: late.append(panel._paint_browsers()), daemon=True)
        painter.start()
        painter.join(patience(60))
        assert late, "it still waits for the page"
        return late[0], words(panel.notifications.value)

    def is_shown(png: bytes) -> bool:
        seen = panel.screen.box.layout.display is None
        return seen and panel.screen.picture.value == markup.screen(png, "Ada")

    monkeypatch.setattr(answers, "LOOK_SECONDS", 60)
    monkeypatch.setattr(ada.agent, "screenshot", next_picture)
    late, said = paint()
    assert not late and "Ada showed" in said and is_shown(b"first")
    for hangs in ("notifications", "screenshot"):
        with monkeypatch.context() as patch:
            patch.setattr(ada.agent, hangs, never)
            patch.setattr(answers, "LOOK_SECONDS", 1)
            late, said = paint()
        assert late and "the page in Ada did not answer within" in said
        assert is_shown(b"first") and "Ada showed" in said, "the last that is known"
    late, said = paint()
    assert not late and "did not answer" not in said and is_shown(b"second")


def test_an_older_list_is_not_offered_after_a_newer_one(lab, panel, monkeypatch):
    """The test's thread stands for a painter that has read the list, and comes late."""
    ada, bob = (lab.open("virtual", name=name) for name in ("Ada", "Bob"))
    ada.subscribe()
    without_painters(panel)
    read, go = threading.Event(), threading.Event()
    offer, follow = panel.recipient.offer_subscriptions, panel.recipient.follow
    painter = threading.Thread(target=panel._offer_recipients)

    def offer_late(*lists):
        if threading.current_thread() is painter:
            read.set()
            go.wait(1)  # The click waits for the painter, so the time is always over.
        offer(*lists)

    def let_the_painter_go_on(label):
        follow(label)
        if threading.current_thread() is not painter:
            go.set()
            painter.join(patience(60))

    monkeypatch.setattr(panel.recipient, "offer_subscriptions", offer_late)
    monkeypatch.setattr(panel.recipient, "follow", let_the_painter_go_on)
    painter.start()
    assert read.wait(patience(60))
    bob.subscribe()
    panel._offer_browsers()
    panel.browser.choose(bob)
    assert f"the lab’s Bob · {label_of(bob.endpoint)}: 201 Created" in press(panel, "notify-me")
    bob.wait_for_notification()


def test_a_browser_that_the_lab_has_not_opened_is_told_apart(lab, panel, two):
    ours = lab.subscriptions()[0].subscription
    elsewhere = f"{lab.push_service.origin}/wpush/v2/{0:043}"
    other, key = PushSubscription(elsewhere, ours.p256dh, ours.auth), lab.keys.application_server_key
    for subscription in (ours, other):
        lab.application_server.store.save(subscription, key, "Firefox")
    panel.refresh()
    labels = until(panel.recipient.widget, lambda labels: len(labels) == 3, "_options_labels")
    assert f"Firefox · {other.label}" in labels and f"the lab’s Firefox · {ours.label}" in labels


def test_what_cells_do_is_seen_in_the_panel(lab, panel):
    browser = lab.open("virtual")
    browser.subscribe()
    until(panel.subscriptions, lambda html: "Virtual" in html)
    browser.notify_me()
    until(panel.notifications, lambda html: "Hello, Notifications!" in html)


def test_of_many_subscriptions_the_panel_reads_the_newest_and_the_count(lab, monkeypatch):
    store, key = lab.application_server.store, lab.keys.application_server_key
    ua_public = p256.raw_public(ec.generate_private_key(p256.CURVE))
    for number in range(25):
        endpoint = f"{lab.push_service.origin}/wpush/v2/{number:043}"
        store.save(PushSubscription(endpoint, ua_public, bytes(16)), key, f"Browser {number}")

    def every_row(*_, **__):
        raise AssertionError("it reads every row")

    monkeypatch.setattr(type(store), "batches", every_row)
    panel = lab.panel()
    html = until(panel.subscriptions, lambda html: "Browser 24" in html)
    assert "… 15 earlier" in html and "Browser 15" in html and "Browser 14" not in html
    html = until(panel.subscriptions, lambda html: html.count("← Notify me") == 1)
    assert html.index("Browser 24") < html.index("← Notify me")
    assert "bug" not in panel.result.value
    assert "404 Not Found" in press(panel, "notify-me"), "the newest, which no push service knows"
    until(panel.subscriptions, lambda html: "… 14 earlier" in html and "Browser 24" not in html)


# --- what goes wrong is said in the panel ---------------------------------------------------------


@pytest.mark.parametrize("name", ["notify-me", "notify-all"])
def test_nobody_to_notify_is_said_in_words(panel, name):
    assert "Nobody is subscribed" in press(panel, name)


def test_a_bad_topic_is_refused_before_anything_is_sent(lab, panel):
    press(panel, "subscribe")
    panel.composer.topic.value = "two words"
    assert "RFC 8030 §5.4" in press(panel, "notify-me")
    panel.composer.topic.value = ""
    press(panel, "notify-me")  # the same way, with a good topic, does send
    lab.wait_for("acknowledge")
    assert [event.what for event in lab.journal.events()].count("POST message") == 1


WRONG = [
    ("ttl", "-5", "ttl is negative"),
    ("ttl", "ten", "ttl is 'ten', not a whole number"),
    ("ttl", "1.5", "ttl is '1.5', not a whole number"),
    ("ttl", "99999999999", "ttl is over 2^31 seconds"),
    ("topic", "two words", "topic is"),
]


def test_what_cannot_be_sent_is_said_beside_its_field_and_is_not_sent(lab, panel, two):
    form, start = panel.composer, lab.journal.last
    for name, typed, said in WRONG:
        field, beside = getattr(form, name), getattr(form, f"{name}_fault")
        before, field.value = field.value, typed
        assert said in unescape(beside.value) and field.value == typed
        assert said in unescape(press(panel, "notify-me"))
        field.value = before
        assert beside.value == ""
    assert "POST message" not in [event.what for event in lab.journal.events(start)]
    assert "201 Created" in press(panel, "notify-me")


def test_an_empty_ttl_is_the_one_in_grey(panel):
    panel.composer.ttl.value = ""
    assert panel.composer.message()[2].ttl == int(panel.composer.ttl.placeholder) == 10000


def test_what_is_said_stays_true(lab, panel):
    """Each result says when it happened, and nothing that a later action could make false."""
    names = ["open-virtual", "subscribe", "notify-me", "notify-all", "unsubscribe", "close-browser"]
    for button in names:
        said = words(press(panel, button))
        assert re.match(r"\d\d:\d\d:\d\d ", said)
        assert not re.search(r"\bis (not )?(subscribed|closed|open|here)|not delivered yet", said)
        assert not re.search(r"[a-z][.!?][A-Z]", said), "two sentences run together"


@pytest.mark.parametrize("name", ["unsubscribe", "close-browser"])
def test_no_browser_is_said_in_words(panel, name):
    assert "no browser open" in press(panel, name)


def test_a_firefox_whose_window_was_closed_is_replaced(lab, monkeypatch, firefox_installed):
    monkeypatch.setenv("PUSHLAB_BROWSER", "firefox")
    monkeypatch.setattr(panel_module.settings, "has_screen", lambda: False)
    panel = lab.panel()
    press(panel, "open-firefox")
    first, before = lab.browsers[-1], lab.journal.last
    lab.run(first.agent._session.command("browser.close"))
    lab.wait_for("disconnect", after=before)
    assert "Firefox opened the client page" in press(panel, "open-firefox")
    assert len(lab.browsers) == 1 and lab.browsers[-1] is not first
    assert "Firefox subscribed" in press(panel, "subscribe")


def test_a_subscription_that_has_gone_is_explained_and_removed(lab, panel):
    press(panel, "subscribe")
    stored = lab.subscriptions()[0]
    lab.browsers[-1].unsubscribe()
    server = lab.application_server
    server.store.save(stored.subscription, stored.application_server_key)
    assert "410 Gone" in press(panel, "notify-me")
    until(panel.subscriptions, lambda html: "Nobody is subscribed" in html)


def test_a_bug_is_said_in_words_and_the_panel_goes_on(lab, panel, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(lab, "notify_all", lambda *_, **__: {}["<missing>"])
        said = press(panel, "notify-all")
    assert "KeyError" in said and "bug" in said and "<missing>" not in said
    assert "Nobody is subscribed" in press(panel, "notify-all")


def test_a_stopped_lab_says_so_and_its_buttons_are_off(lab, panel):
    assert not any(button.disabled for button in panel.buttons.values())
    lab.stop()
    assert "stopped" in panel.result.value
    assert all(button.disabled for button in panel.buttons.values())
    panel._worker._thread.join(patience(60))
    assert not panel._worker._thread.is_alive()
    lab.stop()


def test_a_click_that_comes_after_the_end_changes_nothing(lab, panel):
    """While cells run one after another, a click waits in the kernel's queue."""
    lab.stop()
    said = panel.result.value
    panel.buttons["notify-all"].click()
    assert panel.result.value == said and "Lab() again" in unescape(said)


def test_what_succeeds_after_the_end_does_not_hide_what_to_run_next(lab, panel, monkeypatch):
    begun, go = threading.Event(), threading.Event()

    def notify_all(*_, **__):
        begun.set()
        go.wait(patience(60))
        return Counts()

    monkeypatch.setattr(lab, "notify_all", notify_all)
    panel.buttons["notify-all"].click()
    assert begun.wait(patience(60))
    lab.stop()
    go.set()
    panel._worker._thread.join(patience(60))
    assert not panel._worker._thread.is_alive()
    assert "Lab() again" in unescape(panel.result.value)


def test_a_click_while_the_buttons_are_being_enabled_disables_them_all_again(lab, panel, monkeypatch):
    go, clicks = threading.Event(), []
    monkeypatch.setattr(lab, "notify_all", lambda *_, **__: go.wait(patience(60)))

    def click(change):
        if not change.new and not clicks:
            clicks.append(threading.Thread(target=panel.buttons["notify-all"].click))
            clicks[0].start()
            clicks[0].join(0.5)  # It ends at once, unless it waits for those who enable the buttons.

    first = next(iter(panel.buttons.values()))
    first.observe(click, "disabled")
    panel.buttons["open-virtual"].click()
    until(panel.result, lambda html: "“Notify all” is under way" in html)
    clicks[0].join(patience(60))
    assert all(button.disabled for button in panel.buttons.values())
    go.set()


# --- never in the way -----------------------------------------------------------------------------


def test_a_click_returns_before_its_action_ends_and_no_second_one_starts(lab, panel, monkeypatch):
    go, opened = threading.Event(), []

    def slowly(*args, **kwargs):
        opened.append(go.wait(patience(60)))
        return Lab.open(lab, *args, **kwargs)

    monkeypatch.setattr(lab, "open", slowly)
    panel.buttons["open-virtual"].click()
    assert opened == []  # or the click would have waited for go
    assert all(button.disabled for button in panel.buttons.values())
    assert "Open a virtual browser" in panel.result.value
    go.set()
    until(panel.buttons["open-virtual"], lambda disabled: not disabled, "disabled")
    assert opened == [True] and "opened the client page" in panel.result.value


def test_a_thousand_events_are_few_paintings(lab, panel):
    until(panel.diagram, lambda svg: svg)
    paintings = []
    panel.diagram.observe(lambda change: paintings.append(change.new), "value")
    began = time.monotonic()
    for number in range(1000):
        lab.journal.record(UA, UA, f"step {number}")
    last = until(panel.diagram, lambda svg: "step 999" in svg)
    assert "step 0<" not in last and "earlier" in last
    # One for each tenth of a second that it took here, and those under way at both ends.
    assert len(paintings) <= 10 * (time.monotonic() - began) + 2


# --- what is shown, and what never is -------------------------------------------------------------


def test_no_secret_is_ever_on_the_panel(lab, panel):
    press(panel, "subscribe")
    press(panel, "notify-me")
    lab.wait_for("acknowledge")
    until(panel.log, lambda html: "acknowledge" in html)
    subscription = lab.subscriptions()[0].subscription
    until(panel.subscriptions, lambda html: subscription.label in html)
    kept, text = subscription.to_json(), all_text(panel)
    assert kept["endpoint"].rsplit("/", 1)[-1] not in text
    assert kept["keys"]["auth"] not in text and kept["keys"]["p256dh"] not in text


def test_foreign_text_is_escaped_everywhere(lab, panel):
    evil = "<img src=x onerror=alert(1)>"
    press(panel, "subscribe")
    panel.composer.title.value = panel.composer.body.value = evil
    press(panel, "notify-me")
    lab.journal.record(UA, AS, evil, evil, status=evil)
    until(panel.notifications, lambda html: "onerror" in html)
    until(panel.log, lambda html: "onerror" in html)
    until(panel.diagram, lambda svg: "onerror" in svg)
    for display in (panel.notifications, panel.log, panel.diagram, panel.result):
        assert "<img" not in display.value
    assert "<img" not in markup.fault(ValueError(evil))
    assert "<img" not in markup.notifications([Notification(evil, evil)], evil, 0)


def test_every_widget_is_found_by_a_class_of_its_own(panel):
    names = [name for one in every_widget(panel.box) for name in getattr(one, "_dom_classes", ())]
    once = "panel open-virtual subscribe unsubscribe close-browser own-browser notify-me "
    once += "notify-all title body ttl urgency topic result subscriptions notifications screen "
    once += "diagram log counter keys progress show-iframe iframe browser recipient ttl-fault "
    once += "topic-fault view enlarge everyone"
    assert [name for name in once.split() if names.count(f"pushlab-{name}") != 1] == []


def test_a_newcomer_is_told_where_to_begin(panel):
    assert "Press “Open a virtual browser” to begin" in panel.result.value


def test_the_link_leads_to_the_client_page(lab, panel):
    assert f'href="{lab.page_url}"' in all_text(panel)


def test_without_a_jupyter_server_the_page_needs_a_tab_of_its_own(panel, monkeypatch):
    for name in ("JPY_PARENT_PID", "JUPYTERHUB_SERVICE_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    said = press(panel, "show-iframe")
    assert "cannot be shown here" in said and "sees no Jupyter server" in said
    assert panel.iframe.widget.value == "" and panel.iframe.widget.layout.display == "none"


def test_on_a_hub_the_link_and_the_frame_go_through_it(lab, monkeypatch):
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ada/")
    monkeypatch.delenv("JPY_PARENT_PID", raising=False)
    panel, url = lab.panel(), f"/user/ada/proxy/{lab.application_server.port}/"
    assert lab.page_url == url and f'href="{url}"' in all_text(panel)
    assert "The page opened below" in press(panel, "show-iframe")
    assert f'<iframe src="{url}"' in panel.iframe.widget.value
    assert panel.buttons["show-iframe"].description == "Put it away"
    assert "Its subscription stays" in press(panel, "show-iframe")
    assert panel.iframe.widget.value == ""
    # The lab's own browsers are on the kernel's machine, and no hub is in their way.
    assert "opened the client page" in press(panel, "open-virtual")


def test_a_notebook_shows_the_widget_and_keeps_the_same_words_each_time(lab, panel):
    bundle = panel._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert bundle["text/plain"] == repr(panel) == "Run this cell, and the panel appears here."
    assert lab.panel() is panel


@pytest.mark.parametrize(("screen", "may_choose"), [(True, True), (False, False)])
def test_a_window_can_be_declined_where_there_is_one(lab, monkeypatch, screen, may_choose):
    monkeypatch.setenv("PUSHLAB_BROWSER", "firefox")
    monkeypatch.setattr(panel_module.settings, "has_screen", lambda: screen)
    panel = lab.panel()
    assert (panel.headless in list(every_widget(panel.box))) is may_choose
    assert ("no screen here" in all_text(panel)) is not may_choose


@pytest.mark.parametrize("missing", [("FIREFOX",), ("CHROMIUM",), ("FIREFOX", "CHROMIUM")])
def test_what_is_installed_is_offered(lab, monkeypatch, missing, firefox_installed, chromium_installed):
    monkeypatch.delenv("PUSHLAB_BROWSER")
    for name in missing:
        monkeypatch.setenv(f"PUSHLAB_{name}", f"/nowhere/{name.lower()}")
    panel = lab.panel()
    offered = {name for name in panel.buttons if name.startswith("open-")}
    left = {"open-firefox", "open-chromium"} - {f"open-{name.lower()}" for name in missing}
    assert offered == (left or {"open-virtual"})
    assert ("No real browser is installed" in all_text(panel)) is (len(missing) == 2)


def test_two_real_browsers_side_by_side_show_the_same_message(
    lab, monkeypatch, firefox_installed, chromium_installed
):
    monkeypatch.delenv("PUSHLAB_BROWSER")
    monkeypatch.setattr(panel_module.settings, "has_screen", lambda: False)
    panel = lab.panel()
    for kind in ("firefox", "chromium"):
        assert "opened the client page" in press(panel, f"open-{kind}")
        assert f"{kind.capitalize()} subscribed" in press(panel, "subscribe")
    assert "2 accepted" in press(panel, "notify-all")
    html = until(panel.notifications, lambda html: html.count("Hello, Notifications!") == 2)
    assert "Firefox showed:" in html and "Chromium showed:" in html
    said = (">Firefox<", ">Chromium<", ">push message<")
    until(panel.diagram, lambda svg: all(one in svg for one in said))
    press(panel, "close-browser")
    assert [one.name for one in lab.browsers] == ["Firefox"]


def test_a_real_firefox_without_a_window_is_shown(lab, monkeypatch, firefox_installed):
    monkeypatch.setenv("PUSHLAB_BROWSER", "firefox")
    monkeypatch.setattr(panel_module.settings, "has_screen", lambda: False)
    panel = lab.panel()
    assert "Firefox opened the client page" in press(panel, "open-firefox")
    shown = until(panel.screen.picture, bool)
    assert (
        'src="data:image/png;base64,iVBORw0KGgo' in shown and 'alt="The client page in Firefox"' in shown
    )
    until(panel.screen.box.layout, lambda display: display is None, "display")
    press(panel, "subscribe")
    press(panel, "notify-me")
    until(panel.notifications, lambda html: "Hello, Notifications!" in html)
    press(panel, "close-browser")
    until(panel.screen.box.layout, lambda display: display == "none", "display")


# --- the lab as a notebook sees it ----------------------------------------------------------------


def test_the_lab_says_what_it_is_without_a_port(lab):
    assert repr(lab).startswith("The lab runs") and "127" not in repr(lab)
    lab.stop()
    assert "stopped" in repr(lab)


def test_the_diagram_begins_where_it_is_told_to(lab):
    lab.open("virtual").subscribe()
    before = lab.journal.last
    lab.notify_all()
    lab.wait_for("acknowledge")
    whole, part = lab.diagram(), lab.diagram(after=before, title="Notify all")
    assert ">subscribe<" in whole.markup and ">subscribe<" not in part.markup
    assert ">push message<" in part.markup and "Notify all" in part.markup
    assert "push message" in repr(part)


def test_counts_in_words():
    class Counts:
        accepted, gone, retried, failed, done = 3, 1, 2, 0, 4

    said = markup.counts(Counts)
    assert "4 subscriptions" in said and "3 accepted" in said and "1 gone and removed" in said
    assert "2 needed" in said and "failed" not in said
    Counts.failed = Counts.not_sent = 5
    assert "5 failed" in (said := markup.counts(Counts)) and "5 were not sent to" in said
