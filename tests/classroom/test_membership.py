"""A learner joins, works and leaves: what the instructor's machine gets, and what it does not."""

import json
import stat
import threading
from dataclasses import asdict

import pytest
import trustme

from pushlab import Lab, checks
from pushlab.appserver.web.certificate import Certificate
from pushlab.classroom import membership as module
from pushlab.classroom import reporter
from pushlab.classroom.client import ClassClient
from pushlab.classroom.membership import MEMBERSHIP, Joined, Membership
from pushlab.errors import BadArgument, ExerciseError, FetchFailed
from pushlab.notebook.checks import guard
from pushlab.settings import patience

from .conftest import opened


@pytest.fixture
def membership(tmp_path, monkeypatch):
    """This process's membership, in a data folder of its own."""
    monkeypatch.setenv("PUSHLAB_DATA", str(tmp_path))
    fresh = Membership()
    monkeypatch.setattr(guard, "listeners", [fresh.attempted])
    monkeypatch.setattr("pushlab.notebook.MEMBERSHIP", fresh)
    yield fresh
    fresh._end()


@pytest.fixture
def lab(membership, tmp_path, monkeypatch):
    monkeypatch.setenv("PUSHLAB_BROWSER", "virtual")
    with Lab(port=0, push_port=0, data=tmp_path) as lab:
        yield lab


def wrong(function=lambda text: 1) -> None:
    with pytest.raises(ExerciseError):
        checks.start_here.body_length(function)


def states(room) -> list[tuple]:
    return [(one.name, one.state, one.step) for one in room.classroom.board().lines]


def test_a_kernel_listens_to_its_checks():
    assert MEMBERSHIP.attempted in guard.listeners


def test_nothing_is_sent_before_joining_and_after_leaving(room, membership, lab):
    wrong()
    assert membership.joined is None and states(room) == []
    joined = lab.join_class(room.url, name="Ada")
    for promise in ("step at which it differs", "never sends your code", "lab.leave_class()", "Ada"):
        assert promise in repr(joined)
    assert joined.secret not in repr(joined) and repr(joined) in repr(lab)
    for _ in range(3):
        wrong()
    assert membership.flush(patience(30))
    assert states(room) == [("Ada", "stuck", "body_length of 0 characters")]
    kept = lab.my_class.rows()
    assert kept["name"] == "Ada" and [row["attempt"] for row in kept["attempts"]] == [1, 2, 3]
    lab.leave_class()
    assert lab.my_class is None
    assert states(room) == [] and repr(joined) not in repr(lab)
    wrong()
    assert membership.flush(patience(30)) and states(room) == []
    lab.leave_class()  # A second time does nothing.


class NoBrowser:
    """A lab in which nobody has subscribed."""

    def newest_subscriptions(self, limit):
        return 0, ()


def test_a_lab_that_is_started_again_sends_what_waits_and_fetches_nudges(
    room, membership, tmp_path, monkeypatch
):
    monkeypatch.setattr(reporter, "PAUSES", (0.01,))
    membership.join(room.url, "Ada")

    def away(self, attempts):
        raise FetchFailed("no route")

    with monkeypatch.context() as patch:
        patch.setattr(ClassClient, "send", away)
        for _ in range(3):
            wrong()
        end = membership.follow(NoBrowser(), tmp_path)
        end()
        membership.follow(NoBrowser(), tmp_path)
    assert membership.flush(patience(30))
    assert states(room) == [("Ada", "stuck", "body_length of 0 characters")]
    room.classroom.nudge("look at the first byte")
    assert outcome(room) == "no browser"


def test_the_next_lesson_goes_on_without_a_lab(room, membership, tmp_path):
    other = Membership()
    membership.join(room.url, "Ada")
    kept = tmp_path / module.NAME
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    guard.listeners[:] = [other.attempted]  # Another kernel, of a lesson that starts no lab.
    wrong()
    assert other.flush(patience(30)) and len(states(room)) == 1
    membership.leave()
    wrong()
    assert other.joined is None and states(room) == []


def test_a_nudge_is_a_real_push_in_the_participant_s_own_browser(room, lab):
    browser = lab.open("virtual")
    browser.subscribe()
    lab.join_class(room.url, name="Ada")
    for _ in range(3):
        wrong()
    assert room_settles(room, "stuck")
    assert room.classroom.nudge("look at the first byte of the header") == 1
    shown = browser.wait_for_notification(body="look at the first byte of the header")
    assert shown.title == "From your instructor"
    assert outcome(room) == "sent"
    browser.unsubscribe()
    room.classroom.nudge("again", to=1)
    assert outcome(room) == "no browser"


def room_settles(room, state: str) -> bool:
    """Wait until the only participant is in this state."""
    return wait(room, lambda line: line.state == state)


def outcome(room) -> str:
    """Wait for what became of the nudge, and return it."""
    assert wait(room, lambda line: line.nudge not in ("", "waits"))
    return room.classroom.board().lines[0].nudge


def wait(room, holds) -> bool:
    changed = threading.Event()
    leave = room.classroom.changed.subscribe(changed.set)
    try:
        while not holds(room.classroom.board().lines[0]):
            if not changed.wait(patience(30)):
                return False
            changed.clear()
        return True
    finally:
        leave()


def test_a_room_by_https_is_trusted_by_the_file_that_the_participant_was_given(
    background, membership, tmp_path
):
    issuer = trustme.CA()
    made = issuer.issue_cert("127.0.0.1")
    made.cert_chain_pems[0].write_to_path(tmp_path / "lab.pem")
    made.private_key_pem.write_to_path(tmp_path / "lab.key")
    issuer.cert_pem.write_to_path(tmp_path / "issuer.pem")
    certificate = Certificate.load(tmp_path / "lab.pem", tmp_path / "lab.key")
    with opened(background, certificate=certificate) as room:
        with pytest.raises(FetchFailed, match="certificate"):
            membership.join(room.url, "Ada")
        for wrong_file in ("lab.key", "none.pem"):
            with pytest.raises(FetchFailed, match="cafile cannot be used"):
                membership.join(room.url, "Ada", tmp_path / wrong_file)
        membership.join(room.url, "Ada", tmp_path / "issuer.pem")
        wrong()
        assert membership.flush(patience(30)) and len(states(room)) == 1
        membership.leave()
        assert states(room) == []


def test_who_was_removed_is_in_no_class_any_more(room, membership, tmp_path):
    membership.join(room.url, "Ada")
    room.classroom.delete()
    wrong()
    reporter = membership._reporter
    if reporter:
        reporter._thread.join(patience(30))
    assert membership.joined is None and not (tmp_path / module.NAME).exists()


def test_leaving_while_the_instructor_is_away_sends_nothing_more(room, membership, tmp_path):
    joined = membership.join(room.url, "Ada")
    kept = tmp_path / module.NAME
    kept.write_text(json.dumps(asdict(joined) | {"url": "http://127.0.0.1:9/"}))
    with pytest.raises(FetchFailed, match="nothing is sent any more") as told:
        membership.leave()
    assert "again" in str(told.value)
    assert membership.joined is None and membership._reporter is None
    kept.write_text(json.dumps(asdict(joined) | {"reports": False}))
    assert membership.leave() is not None
    assert states(room) == [] and not kept.exists()


def test_who_joins_another_class_while_the_first_is_away_can_still_leave_the_first(
    room, membership, tmp_path
):
    first = membership.join(room.url, "Ada")
    kept = tmp_path / module.NAME
    kept.write_text(json.dumps(asdict(first) | {"url": "http://127.0.0.1:9/"}))
    second = membership.join(room.url, "Grace")
    assert [name for name, *_ in states(room)] == ["Ada", "Grace"]
    assert [one.secret for one in second.left] == [first.secret] and first.secret not in repr(second)
    with pytest.raises(FetchFailed, match="your rows are still there"):
        membership.leave()
    assert [name for name, *_ in states(room)] == ["Ada"], "the second, which answers, is left"
    kept.write_text(kept.read_text().replace("http://127.0.0.1:9/", room.url))
    membership.leave()
    assert states(room) == [] and not kept.exists()


def test_who_is_removed_from_the_second_class_can_still_leave_the_first(room, membership, tmp_path):
    first = membership.join(room.url, "Ada")
    kept = tmp_path / module.NAME
    kept.write_text(json.dumps(asdict(first) | {"url": "http://127.0.0.1:9/"}))
    membership._forget(membership.join(room.url, "Grace"))
    assert membership.joined is None
    assert json.loads(kept.read_text())["secret"] == first.secret


def test_a_notebook_that_hears_of_the_end_late_leaves_the_next_class_alone(room, membership):
    first = membership.join(room.url, "Ada")
    second = membership.join(room.url, "Ada")
    membership._forget(first)  # As a reporter does, of a kernel that still had the first secret.
    assert membership.joined == second
    membership._forget(second)
    assert membership.joined is None


@pytest.mark.parametrize(
    ("url", "name"),
    [("http://127.0.0.1:9/", "Ada"), ("", "\u202e")],
    ids=["no such class", "the same class, by a name of which nothing can be shown"],
)
def test_who_cannot_join_stays_in_the_class_before(room, membership, url, name):
    first = membership.join(room.url, "Ada")
    wrong()
    assert membership.flush(patience(30))
    with pytest.raises(FetchFailed, match="you have not joined"):
        membership.join(url or room.url, name)
    assert membership.joined == first
    assert [row["exercise"] for row in first.rows()["attempts"]] == ["body_length"]


def test_joining_again_under_another_name_leaves_the_first(room, membership):
    membership.join(room.url, "Ada")
    membership.join(room.url, "Grace")
    assert [name for name, *_ in states(room)] == ["Grace"]


@pytest.mark.parametrize(
    ("url", "name"),
    [("127.0.0.1:8292", "Ada"), (None, "Ada"), ("file:///etc/x", "Ada"), ("http://127.0.0.1:9/", ""),
     ("http://127.0.0.1:9/", None)],
)  # fmt: skip
def test_an_address_or_a_name_that_is_none_is_told_so(membership, url, name):
    with pytest.raises(BadArgument):
        membership.join(url, name)


def test_where_no_class_is_nobody_joins(membership, tmp_path):
    with pytest.raises(FetchFailed, match="you have not joined") as told:
        membership.join("http://127.0.0.1:9/", "Ada")
    assert "Lab(host=…)" in str(told.value)
    assert not (tmp_path / module.NAME).exists()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"url": "x", "name": "x", "secret": "x", "left": [{"url": 1}]}',
        '{"url": 1, "name": "x", "secret": "x"}',
        '{"url": "x"}',
        "\0",
        "x" * 70000,
    ],
)
def test_a_file_that_is_not_ours_is_no_class(membership, tmp_path, content):
    (tmp_path / module.NAME).write_text(content)
    assert membership.joined is None
    wrong()


def test_a_file_that_cannot_be_read_stops_no_check(membership, tmp_path):
    (tmp_path / module.NAME).mkdir()
    wrong()
    assert membership.joined is None


def test_what_is_shown_of_a_class_that_was_left():
    assert "You have left" in repr(Joined("http://x/", "Ada", "s", reports=False))
