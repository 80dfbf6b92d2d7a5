"""The page in a room: a participant's name, what is the instructor's alone, and who is here."""

import re

import pytest
import trustme
from playwright.sync_api import Page, Route, expect

from pushlab.appserver.app import ApplicationServer
from pushlab.appserver.keys import VapidKeys
from pushlab.appserver.participants import digest_of
from pushlab.appserver.web.certificate import Certificate
from pushlab.errors import InstructorOnly, TooManyGuesses, WrongCode
from pushlab.protocol.delivery import PushOptions
from pushlab.protocol.examples import RFC8291
from pushlab.protocol.subscription import PushSubscription
from pushlab.pushservice.app import PushService

from .conftest import before, press, visit

TOKEN = "dG9rZW4tb2YtdGhlc2UtdGVzdHM"


class Away:
    """A user agent that has subscribed, and is not connected."""

    user_agent, display_name = "a secret name", "Firefox"


@pytest.fixture
def push_service(background):
    """The lab's push service, which is asked who is there."""
    service = PushService()
    background.run(service.start())
    yield service
    background.run(service.stop())


@pytest.fixture
def room(background, journal, push_service):
    """An application server that asks for an instructor's token."""
    server = ApplicationServer(
        keys=VapidKeys.generate(),
        journal=journal,
        instructor_token=TOKEN,
        push_origins=[push_service.origin],
    )
    background.run(server.start())
    yield server
    background.run(server.stop())


@pytest.fixture
def certificate(tmp_path):
    """Give the two files of a certificate whose issuer no browser knows."""
    made = trustme.CA().issue_cert("127.0.0.1")
    made.cert_chain_pems[0].write_to_path(tmp_path / "lab.pem")
    made.private_key_pem.write_to_path(tmp_path / "lab.key")
    return tmp_path / "lab.pem", tmp_path / "lab.key"


def link_of(room) -> str:
    """Return a new instructor's link."""
    return f"{room.url}#code={room.access.new_code()}"


def lead(page: Page, room, url: str) -> None:
    """Make the page at ``url`` an instructor's, where a proxy does not pass on who asks for that."""
    token = room.access.exchange(room.access.new_code(), "192.0.2.7")
    visit(page, url)
    page.evaluate("(token) => sessionStorage.setItem('pushlab-token', token)", token)
    visit(page, url)


def asked(page: Page) -> list[str]:
    """Note the path of each request from now on."""
    paths: list[str] = []
    page.on("request", lambda request: paths.append(request.url.rpartition("/")[2]))
    return paths


# ---- a participant -------------------------------------------------------------------------------


def test_a_participant_may_not_notify_all_and_is_told_who_may(page, room):
    paths = asked(page)
    visit(page, room.url)
    expect(page.locator("#notify-all")).to_be_disabled()
    expect(page.locator("#instructors")).to_contain_text("Only the instructor can use Notify all")
    expect(page.locator("#log-shut")).to_contain_text("on the instructor’s screen")
    expect(page.locator("#room")).to_be_hidden()
    press(page, "register")
    expect(page.locator("#notify-all")).to_be_disabled()
    assert not any(path.startswith(("events", "subscriptions")) for path in paths), paths


def test_on_one_s_own_machine_nothing_of_a_room_is_shown(page, server):
    visit(page, server.url)
    expect(page.locator("#notify-all")).to_be_enabled()
    for part in ("guest", "who", "instructors", "log-shut", "room"):
        expect(page.locator(f"#{part}")).to_be_hidden()


CANNOT = {
    "delete globalThis.PushManager": "open this address in an ordinary window",
    "delete globalThis.PushManager; navigator.standalone = false": "as the page is on its Home Screen",
}


def test_a_participant_reads_what_this_browser_can_do_and_what_it_cannot(page, room, background):
    """Two sentences, for each that the page can tell from the others; `guest.js` has them."""
    said = page.locator("#guest")
    visit(page, room.url)
    expect(said).to_contain_text("which ./lab join has opened")
    with before(room.url, background) as proxy:
        proxy.keeps_host = False
        far = proxy.url.replace("127.0.0.1", "lab.example")
        visit(page, far)
        expect(said).to_contain_text("browsers give push only to a page that came by https")
        lead(page, room, far)
        expect(said).to_be_hidden()
    for script, words in CANNOT.items():
        with page.context.browser.new_context() as context:
            context.add_init_script(script)
            other = context.new_page()
            visit(other, room.url)
            expect(other.locator("#guest")).to_contain_text(words)


def test_a_page_with_a_certificate_of_one_s_own_says_so_past_the_warning(page, background, certificate):
    """Chromium gives such a page no worker, and names neither the certificate nor who can help."""
    loaded = Certificate.load(*certificate)
    server = ApplicationServer(keys=VapidKeys.generate(), instructor_token=TOKEN, certificate=loaded)
    background.run(server.start())
    try:
        with page.context.browser.new_context(ignore_https_errors=True) as context:
            page = context.new_page()
            visit(page, server.url)
            said, outcome = page.locator("#guest"), page.locator("#outcome")
            expect(said).to_contain_text("without internet, here and at the instructor's")
            context.set_offline(True)
            page.evaluate("dispatchEvent(new Event('focus'))")
            expect(said).to_contain_text("You cannot subscribe as long as")
            context.set_offline(False)
            press(page, "register")
            expect(said).to_contain_text("gives no service worker to a page whose certificate")
            expect(outcome).to_have_attribute("data-fault", "certificate-not-trusted")
            expect(outcome).to_contain_text(f"./lab join {server.url} --cafile FILE")
    finally:
        background.run(server.stop())


def test_a_name_is_kept_by_the_browser_and_not_by_the_address_bar(page, room):
    visit(page, f"{room.url}#name=Ada%20Lovelace")
    expect(page.get_by_label("Your name")).to_have_value("Ada Lovelace")
    assert page.url == room.url
    visit(page, room.url)
    expect(page.get_by_label("Your name")).to_have_value("Ada Lovelace")
    page.get_by_label("Your name").fill("<b>Grace</b>")
    page.get_by_label("Your name").press("Enter")
    page.reload()
    expect(page.get_by_label("Your name")).to_have_value("<b>Grace</b>")


# ---- the instructor ------------------------------------------------------------------------------


def subscribed(background, push_service, room, name: str) -> str:
    """Keep a subscription of that name, for which two messages wait; return its endpoint."""
    return background.run(_subscribe(push_service, room, name))


async def _subscribe(push_service, room, name: str) -> str:
    made = push_service.broker.subscribe(Away(), "channel", None)
    for _ in range(2):
        await push_service.broker.accept(made, b"", PushOptions(ttl=60))
    keys = RFC8291.subscription
    subscription = PushSubscription(push_service.endpoint(made.token), keys.p256dh, keys.auth)
    room.subscribe(subscription, name)
    room.room.joined(subscription.endpoint, "Firefox")
    return subscription.endpoint


def test_the_instructor_sees_who_is_here_and_whom_a_message_reached(
    page, room, push_service, background
):
    endpoint = subscribed(background, push_service, room, "Ada <i>")
    visit(page, link_of(room))
    assert page.url == room.url, "nothing for the projector"
    expect(page.locator("#notify-all")).to_be_enabled()
    expect(page.locator("#log-shut")).to_be_hidden()
    room.journal.record("push service", "push service", "keep message", "Firefox")
    row = page.locator("#room tbody tr")
    expect(row).to_have_count(1)
    assert row.locator("td").all_inner_texts() == ["Ada <i>", "Firefox", "away", "2", "", "Notify"]

    async def reach() -> None:
        room.room.sending(endpoint, b"hello")
        room.room.received(endpoint, digest_of(b"hello"), "Firefox")
        room.journal.record("user agent", "user agent", "push received", "Firefox")

    background.run(reach())
    expect(row.locator("td").nth(4)).to_contain_text("✓")
    expect(page.locator("#room .sum")).to_contain_text("1 subscribed, 0 connected, 1 reached")
    assert endpoint not in page.content()
    page.reload()
    expect(page.locator("#room")).to_be_visible()  # The tab keeps the token.


REFRESH = """async () => {
  const { refreshRoom } = await import("./room.js");
  refreshRoom(document.getElementById("room"));
}"""
# Notes what the table of participants says each time it is painted.
NOTE_EACH = """() => {
  const table = document.querySelector("#room tbody");
  window.painted = [];
  const note = () => painted.push(table.querySelector("td").textContent);
  new MutationObserver(note).observe(table, { childList: true });
}"""


def test_an_answer_that_comes_late_replaces_no_newer_one(page, server):
    """In a page that is no room's, so that no event asks for the participants as well."""
    visit(page, server.url)
    page.evaluate(NOTE_EACH)
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    def ask() -> Route:
        count = len(held)
        page.evaluate(REFRESH)
        while len(held) == count:
            page.evaluate("0")
        return held[-1]

    def answer(route: Route, name: str) -> None:
        participant = {"name": name, "browser": "Firefox", "label": "a1", "waiting": 0}
        with page.expect_response("**/subscriptions"):
            route.fulfill(json={"data": {"participants": [participant]}})

    page.route("**/subscriptions", hold)
    first, second = ask(), ask()
    answer(second, "newer")
    page.wait_for_function("() => painted.length === 1")
    answer(first, "older")
    answer(ask(), "newest")
    page.wait_for_function("() => painted.at(-1) === 'newest'")
    assert page.evaluate("painted") == ["newer", "newest"]


def test_a_link_that_is_opened_where_the_page_already_is_counts(page, room):
    visit(page, room.url)
    expect(page.locator("#notify-all")).to_be_disabled()
    page.goto(link_of(room))  # Another fragment alone: browsers load nothing anew.
    expect(page.locator("#notify-all")).to_be_enabled()


def test_a_session_of_another_lab_ends_the_log_once_and_in_words(page, room):
    paths = asked(page)
    page.clock.install()
    page.add_init_script("sessionStorage.setItem('pushlab-token', 'of-yesterday')")
    visit(page, room.url)
    expect(page.locator("#log-shut")).to_be_visible()
    expect(page.locator("#notify-all")).to_be_disabled()
    page.clock.fast_forward("01:00")  # Far beyond the time after which a lost log is opened anew.
    expect(page.locator("#outcome")).to_contain_text("the instructor's until the lab was started again")
    assert [path for path in paths if path.startswith("events")] == []


def test_a_lab_that_was_started_again_takes_the_instructor_s_page_away_in_words(
    page, room, background, journal, push_service
):
    visit(page, link_of(room))
    expect(page.locator("#notify-all")).to_be_enabled()
    background.run(room.stop())
    again = ApplicationServer(
        keys=room.keys, journal=journal, instructor_token="YW5vdGhlcg",
        push_origins=[push_service.origin],
    )  # fmt: skip
    background.run(again.start(room.port))
    expect(page.locator("#outcome")).to_contain_text("until the lab was started again")
    expect(page.locator("#notify-all")).to_be_disabled()
    expect(page.locator("#room")).to_be_hidden()
    expect(page.locator("#log-shut")).to_be_visible()
    visit(page, link_of(again))
    expect(page.locator("#notify-all")).to_be_enabled()
    background.run(again.stop())


def test_a_request_of_an_earlier_session_ends_in_words_and_not_in_headers(page, room):
    """The lab has been started again, and the page finds out when Notify all is pressed."""
    visit(page, link_of(room))
    page.evaluate("sessionStorage.setItem('pushlab-token', 'of-yesterday')")
    press(page, "notify-all")
    expect(page.locator("#outcome")).to_contain_text("Only the instructor's page may do this")
    expect(page.locator("#outcome")).not_to_contain_text("Bearer")
    expect(page.locator("#notify-all")).to_be_disabled()


def test_people_are_told_no_words_of_a_header(page, room):
    """What a room's server refuses is said twice: to a program with headers, to a person without."""
    visit(page, room.url)
    for error in (InstructorOnly, WrongCode, TooManyGuesses):
        shown = page.evaluate(
            """async ([id, message]) => {
              const { explain } = await import("./explain.js");
              const { what, todo } = explain({ id, message }, {});
              return `${what} ${todo}`;
            }""",
            [error.code, str(error())],
        )
        assert not re.search("Authorization|Bearer|Retry-After|TOKEN|RFC", shown), shown
        assert "press Enter in the terminal" in shown


def test_the_instructor_s_page_says_how_to_join(page, room):
    visit(page, link_of(room))
    expect(page.locator("#join")).to_have_text(f"./lab join {room.url.rstrip('/')} --name NAME")
    expect(page.locator("#phones")).to_be_hidden()


def test_the_instructor_s_page_needs_no_push_of_its_own(page, room, background):
    """By plain http from another machine browsers give no push. To the instructor that is no fault."""
    with before(room.url, background) as proxy:
        proxy.keeps_host = False
        far = proxy.url.replace("127.0.0.1", "lab.example")
        lead(page, room, far)
        expect(page.locator("body")).to_have_attribute("data-state", "unsupported")
        expect(page.locator("#outcome")).to_have_attribute("data-kind", "note")
        expect(page.locator("#outcome")).to_contain_text("You lead the room from this page")
        expect(page.locator("#notify-all")).to_be_enabled()
        for part in ("steps", "subscribe", "notify-me"):
            expect(page.locator(f"#{part}")).to_be_hidden()
        page.evaluate("sessionStorage.clear()")
        visit(page, far)  # The control: to a participant it is a fault.
        expect(page.locator("#outcome")).to_have_attribute("data-kind", "error")
        expect(page.locator("#steps")).to_be_visible()


def test_a_link_works_once(page, room, chromium):
    link = link_of(room)
    visit(page, link)
    expect(page.locator("#notify-all")).to_be_enabled()
    other = chromium.new_page()
    visit(other, link)
    expect(other.locator("#outcome")).to_contain_text("has been used already")
    expect(other.locator("#outcome")).to_contain_text("earlier start of the lab")
    expect(other.locator("#outcome")).to_contain_text("press Enter in the terminal")
    expect(other.locator("#notify-all")).to_be_disabled()
    assert other.url == room.url
    visit(other, link_of(room))
    expect(other.locator("#notify-all")).to_be_enabled()
    # The tab that has used a link may be given it again, from the history for one.
    page.goto(link)
    expect(page.locator("#notify-all")).to_be_enabled()
    expect(page.locator("#outcome")).not_to_contain_text("used already")
    other.close()


def test_what_the_browser_keeps_is_not_the_token(page, room):
    visit(page, link_of(room))
    expect(page.locator("#notify-all")).to_be_enabled()
    kept = page.evaluate(
        "() => JSON.stringify([location.href, document.cookie, {...sessionStorage}, {...localStorage}])"
    )
    assert "pushlab-token" in kept and TOKEN not in kept


def test_a_link_that_holds_a_token_is_refused_and_says_why(page, room):
    visit(page, f"{room.url}#token={TOKEN}")
    expect(page.locator("#outcome")).to_contain_text("keep it in its history")
    expect(page.locator("#notify-all")).to_be_disabled()
    assert page.url == room.url and page.evaluate("sessionStorage.length") == 0
