"""The routes of a class: who may what, over HTTP, and what a participant who lies gets."""

import json
import re
import socket
import threading
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from pushlab.classroom import rate, routes
from pushlab.classroom.attempt import Attempt
from pushlab.classroom.client import ClassClient, Refused
from pushlab.classroom.reporter import Reporter
from pushlab.fetch import Reply, fetch
from pushlab.settings import patience

from .conftest import TOKEN, opened, told

INSTRUCTOR = {
    "GET class": None, "GET class/events": None, "GET class/export": None,
    "POST class/nudge": {"stuck": True, "body": "x"}, "POST class/remove": {"number": 1},
    "POST class/delete": {}, "POST notify-one": {"label": "x"},
}  # fmt: skip
PARTICIPANT = {
    "POST class/attempts": {"attempts": []}, "GET class/mine": None, "GET class/nudges": None,
    "POST class/nudges": {"number": 1, "outcome": "sent"}, "POST class/leave": {},
}  # fmt: skip


def ask(room, route: str, value: object = None, secret: str = "", **more: str) -> Reply:
    """Ask a route as ``"GET class"`` names it, with a secret as Bearer."""
    method, _, path = route.partition(" ")
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    if method == "POST":
        headers["Content-Type"] = "application/json"
    body = json.dumps(value).encode() if method == "POST" else None
    return fetch(room.url + path, seconds=patience(30), headers=headers | more, body=body)


def data(reply: Reply) -> dict:
    assert reply.status in (200, 201), (reply.status, reply.body)
    return json.loads(reply.body)["data"]


def error(reply: Reply) -> tuple[int, str]:
    return reply.status, json.loads(reply.body)["error"]["id"]


def board(room) -> dict:
    return data(ask(room, "GET class", secret=TOKEN))["board"]


# --- who may what ---------------------------------------------------------------------------------


def test_every_route_is_somebody_s(room):
    known = {row[0] for row in room.classroom.routes(room.server)}
    listed = {f"/{name.partition(' ')[2]}" for name in INSTRUCTOR | PARTICIPANT} - {"/notify-one"}
    assert known == listed | {"/class/join"}


def test_only_the_instructor_s_token_reads_and_deletes(room):
    ada = room.join("Ada")
    for route, value in INSTRUCTOR.items():
        for secret in ("", ada.secret):  # Not more: wrong tokens are counted.
            assert error(ask(room, route, value, secret)) == (401, "instructor-only"), route
    assert len(board(room)["lines"]) == 1


def test_only_a_participant_s_own_secret_is_a_participant(room):
    room.join("Ada")
    for route, value in PARTICIPANT.items():
        for secret in ("", "wrong", TOKEN):
            reply = ask(room, route, value, secret)
            assert error(reply) == (401, "not-in-class"), route
            named = ', error="invalid_token"' if secret else ""  # RFC 6750 §3.1
            assert reply.headers["WWW-Authenticate"] == f'Bearer realm="pushlab"{named}'


def test_without_a_room_there_is_no_class(background):
    from pushlab.appserver.app import ApplicationServer
    from pushlab.appserver.keys import VapidKeys

    server = ApplicationServer(keys=VapidKeys.generate())
    background.run(server.start())
    reply = fetch(f"{server.url}class", seconds=patience(30))
    background.run(server.stop())
    assert error(reply) == (404, "unknown-path")


def test_other_pages_and_other_types_are_refused(room):
    for route, value in (INSTRUCTOR | PARTICIPANT | {"POST class/join": {"name": "x"}}).items():
        if route.startswith("POST"):
            foreign = ask(room, route, value, TOKEN, Origin="https://evil.example")
            assert error(foreign) == (403, "cross-origin"), route
    plain, body = {"Content-Type": "text/plain"}, b'{"name": "Eve"}'
    reply = fetch(f"{room.url}class/join", seconds=patience(30), headers=plain, body=body)
    assert error(reply)[0] == 415


# --- a class ---------------------------------------------------------------------------------------


def test_what_a_participant_reports_is_on_the_board_and_theirs_to_read_and_delete(room):
    ada, grace = room.join("Ada"), room.join("Grace")
    ada.send([told(1, "03.derive", step="PRK")])
    grace.send([told(1, "03.derive", "passed")])
    assert [(one["name"], one["state"]) for one in board(room)["lines"]] == [
        ("Ada", "working"), ("Grace", "done"),
    ]  # fmt: skip
    mine = ada.mine()
    assert (mine["name"], [one["step"] for one in mine["attempts"]]) == ("Ada", ["PRK"])
    ada.leave()
    assert [one["name"] for one in board(room)["lines"]] == ["Grace"]
    with pytest.raises(Refused, match="401"):
        ada.mine()
    data(ask(room, "POST class/delete", {}, TOKEN))
    assert board(room)["lines"] == []
    with pytest.raises(Refused, match="401"):
        grace.send([told(2, "03.derive", "passed")])


def test_the_export_is_a_file_of_either_kind(room):
    room.join("=1+1").send([told(1, "03.derive", step="@x")])
    for form, kind in (("csv", "text/csv"), ("json", "application/json")):
        reply = ask(room, f"GET class/export?format={form}", secret=TOKEN)
        assert reply.headers.get_content_type() == kind
        assert reply.headers["Content-Disposition"] == f'attachment; filename="class.{form}"'
    assert b"1,'=1+1,03,derive,1,differs,'@x," in ask(room, "GET class/export", secret=TOKEN).body
    assert error(ask(room, "GET class/export?format=xls", secret=TOKEN)) == (400, "bad-field")


def test_the_board_comes_again_at_each_change(room, monkeypatch):
    monkeypatch.setattr(routes.BoardEventsHandler, "pause", 0.01)
    with socket.create_connection(("127.0.0.1", urlsplit(room.url).port), patience(30)) as stream:
        request = f"GET /class/events?access_token={TOKEN} HTTP/1.1\r\nHost: localhost\r\n\r\n"
        stream.sendall(request.encode())
        lines = stream.makefile("rb")

        def next_board() -> dict:
            line = next(line for line in lines if line.startswith(b"data: "))
            return json.loads(line[6:])

        assert next_board()["lines"] == []
        ada = room.join("Ada")
        assert [one["name"] for one in next_board()["lines"]] == ["Ada"]
        ada.send([told(1, "03.derive", step="PRK")])
        assert next_board()["trips"] == [
            {"lesson": "03", "exercise": "derive", "step": "PRK", "people": 1}
        ]


def test_a_restart_keeps_the_class_and_its_participants(background, tmp_path):
    with opened(background, tmp_path / "class.sqlite3") as first:
        ada = first.join("Ada")
        ada.send([told(1, "03.derive", step="PRK")])
        before = board(first)
    with opened(background, tmp_path / "class.sqlite3") as again:
        assert board(again) == before
        ada = replace(ada, url=again.url)
        ada.send([told(2, "03.derive", "passed")])
        assert [one["state"] for one in board(again)["lines"]] == ["done"]


# --- nudges ----------------------------------------------------------------------------------------


def test_a_nudge_reaches_the_one_who_waits_for_it(room):
    ada, grace = room.join("Ada"), room.join("Grace")
    for number in range(3):
        ada.send([told(number + 1, "03.derive", step="PRK")])
    found: list = []
    waits = threading.Thread(target=lambda: found.append(ada.next_nudge(0)))
    waits.start()
    nudge = {"stuck": True, "body": "look at the\n first byte " + "x" * 300}
    assert data(ask(room, "POST class/nudge", nudge, TOKEN))["participants"] == 1
    waits.join(patience(30))
    assert found[0].title == "From your instructor" and found[0].body.startswith(
        "look at the first byte"
    )
    assert len(found[0].body) == 200
    ada.tell_outcome(found[0], "sent")
    assert [(one["name"], one["nudge"]) for one in board(room)["lines"]] == [
        ("Ada", "sent"),
        ("Grace", ""),
    ]
    number = board(room)["lines"][1]["number"]
    one = {"participants": [number, 99], "body": "you", "title": "Hello"}
    assert data(ask(room, "POST class/nudge", one, TOKEN))["participants"] == 1
    assert (grace.next_nudge(0).title, grace.next_nudge(0).body) == ("Hello", "you")


def test_a_second_request_for_nudges_ends_the_first_and_no_wait_is_endless(room, monkeypatch):
    ada = room.join("Ada")
    found: list = []
    first = threading.Thread(target=lambda: found.append(ada.next_nudge(0)))
    first.start()
    monkeypatch.setattr(routes, "NUDGE_WAIT", 0.1)
    while first.is_alive():
        assert ada.next_nudge(0) is None
    assert found == [None]


def test_nobody_says_what_became_of_another_s_nudge(room):
    ada, eve = room.join("Ada"), room.join("Eve")
    ask(room, "POST class/nudge", {"participants": [1], "body": "x"}, TOKEN)
    nudge = ada.next_nudge(0)
    eve.tell_outcome(nudge, "sent")
    assert board(room)["lines"][0]["nudge"] == "waits"
    assert error(ask(room, "POST class/nudges", {"number": 1, "outcome": "<b>"}, ada.secret))[0] == 400


@pytest.mark.parametrize(
    "value",
    [
        {}, {"body": "x"}, {"stuck": False, "body": "x"}, {"participants": "all", "body": "x"},
        {"participants": [True], "body": "x"}, {"stuck": True}, {"stuck": True, "body": " \u202e "},
        {"stuck": True, "body": 3}, {"stuck": True, "body": "x", "title": 3},
    ],
)  # fmt: skip
def test_a_nudge_to_nobody_or_without_words_is_refused(room, value):
    assert error(ask(room, "POST class/nudge", value, TOKEN)) == (400, "bad-field")


# --- a participant who lies ------------------------------------------------------------------------


def test_another_s_name_is_shown_as_another_s(room):
    room.join("Ada").send([told(1, "03.derive", "passed")])
    room.join("Ada").send([told(2**52, "03.derive", step="PRK")])
    assert [(one["name"], one["state"]) for one in board(room)["lines"]] == [
        ("Ada · 2", "working"), ("Ada", "done"),
    ]  # fmt: skip


def test_markup_and_formulas_and_huge_fields_are_short_text(room):
    room.join("<script>alert(1)</script>")
    room.join("=cmd|' /C calc'!A0")
    room.join("x " * 30_000)
    names = [one["name"] for one in board(room)["lines"]]
    assert names[:2] == ["<script>alert(1)</script>", "=cmd|' /C calc'!A0"]
    assert all(len(name) <= 40 for name in names)
    assert error(ask(room, "POST class/join", {"name": "x" * 70_000})) == (413, "request-too-large")
    eve = room.join("Eve")
    eve.send([told(1, "03.derive", step="<img src=x onerror=alert(1)> " * 100)])
    assert len(board(room)["lines"][0]["step"]) <= 81


@pytest.mark.parametrize("attempts", ["x", [1], [{}], None, [told(1, "99.made_up")]])
def test_attempts_of_another_shape_are_refused_whole(room, attempts):
    eve = room.join("Eve")
    given = [told(1, "03.derive", "passed"), *attempts] if isinstance(attempts, list) else attempts
    assert error(ask(room, "POST class/attempts", {"attempts": given}, eve.secret)) == (400, "bad-field")
    assert board(room)["lines"][0]["state"] == "joined"


def test_a_million_attempts_are_refused_and_hold_up_nobody(room):
    eve, ada = room.join("Eve"), room.join("Ada")
    too_many = [told(number, "03.derive", step="PRK") for number in range(1, routes.AT_ONCE + 2)]
    with pytest.raises(Refused, match=f"not an array of at most {routes.AT_ONCE}"):
        eve.send(too_many)
    number = 0
    with pytest.raises(Refused) as refused:
        for _ in range(1_000_000):
            number += routes.AT_ONCE
            eve.send([told(number + one, "03.derive", step="PRK") for one in range(routes.AT_ONCE)])
    assert refused.value.status == 429 and number <= 2 * rate.BURST
    reply = ask(room, "POST class/attempts", {"attempts": too_many[:50]}, eve.secret)
    assert int(reply.headers["Retry-After"]) > 0
    ada.send([told(1, "03.derive", "passed")])
    assert board(room)["trips"][0]["people"] == 1


def test_nobody_joins_and_leaves_without_end(room, monkeypatch):
    monkeypatch.setattr(rate, "BURST", 20)
    monkeypatch.setattr(room.classroom, "_rates", rate.RateLimiter(clock=lambda: 0.0))
    joined = 0
    with pytest.raises(Refused) as refused:
        for _ in range(1000):
            room.join("Eve").leave()
            joined += 1
    assert refused.value.status == 429 and 0 < joined <= rate.BURST
    assert board(room)["lines"] == []


def test_replays_count_once(room):
    eve = room.join("Eve")
    for _ in range(5):
        eve.send([told(1, "03.derive", step="PRK")])
    assert board(room)["lines"][0]["attempts"] == 1


def test_no_secret_is_in_the_journal_or_on_the_board(room):
    ada = room.join("Ada")
    ada.send([told(1, "03.derive", step="PRK")])
    ada.next_nudge.__self__.leave()
    told_of = str([event.to_json() for event in room.server.journal.events()])
    assert re.search("POST /class/join", told_of) and re.search("POST /class/leave", told_of)
    assert ada.secret not in told_of and "Ada" not in told_of
    room.join("Grace")
    assert not re.search(r"secret|digest", json.dumps(board(room)))


# --- the participant's thread ------------------------------------------------------------------------


def test_a_reporter_and_this_server_understand_each_other(room):
    reporter = Reporter(ClassClient(room.url, room.join("Ada").secret))
    for step in ("PRK", "PRK", "PRK"):
        reporter.add(Attempt("03", "derive", "differs", step))
    assert reporter.flush(patience(30))
    reporter.close()
    [line] = board(room)["lines"]
    assert (line["state"], line["attempts"], line["step"]) == ("stuck", 3, "PRK")
