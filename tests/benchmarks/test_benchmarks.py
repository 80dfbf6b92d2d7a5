"""Each benchmark runs with a handful of messages and verifies what came out: nothing is timed."""

import doctest
import json
import math
import shutil
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from pushlab.settings import patience

HERE = Path(__file__).parent
NGINX = shutil.which("nginx")


def rows_of(rows) -> dict:
    """Check that every row has figures, or says why not; return the rows by name."""
    for row in rows:
        assert bool(row.figures) != bool(row.note), row
        assert all(value >= 0 for value in row.figures.values()), row
    return {row.name: row for row in rows}


def test_encryption_is_decrypted(bench):
    encryption = bench("encryption")
    rows = rows_of(encryption.compare(messages=3, times=2))
    peers = {"http_ece encrypt", "pywebpush encode", "bare primitives"}
    assert set(rows) == {"pushlab encrypt"} | peers
    assert rows["pushlab encrypt"].ours == 1 and rows["pushlab encrypt"].rounds == 2


def test_encryption_of_somebody_else_s_is_found_out(bench):
    encryption, subscribers = bench("encryption"), bench("subscribers")
    people = [subscribers.Subscriber(f"https://push.example.net/push/{n}") for n in range(2)]
    for work, prepared in encryption.prepare(people).values():
        made = work(prepared)
        encryption.verify(work, made, people)
        # InvalidTag, ECEException or AssertionError.
        with pytest.raises(Exception):  # noqa: B017, PT011
            encryption.verify(work, made[::-1], people)
        with pytest.raises(AssertionError):
            encryption.verify(work, [made[0], made[0]], people)


@pytest.fixture(params=[None, "nginx"], ids=["stand-in", "nginx"])
def nginx(request):
    """What the endpoint is made of. Without nginx everything else is another's stand-in already."""
    if request.param and not NGINX:
        pytest.skip("nginx is not installed")
    return request.param


@pytest.mark.usefixtures("programs")
def test_notify_all_reaches_everybody_once(bench, nginx):
    notify_all = bench("notify_all")
    # Workers of ours take seconds to start: the million has some.
    some = [one for one in notify_all.FAST if one is not notify_all.OURS_TWICE]
    [only] = notify_all.compare("notify-all", some, [(3, 1)], nginx=nginx)
    rows = rows_of(only)
    assert len(rows) == len(some)
    ours = rows["pushlab notify_all"]
    assert ours.where.startswith(nginx or "our stand-in")
    assert rows["pywebpush webpush_async, 50 in flight"].ours > 0
    node = rows["node web-push, 50 in flight"]
    assert (node.note == "not installed") == (notify_all.node_with_web_push() is None)


@pytest.mark.usefixtures("programs")
def test_a_worker_is_killed_half_way_and_nobody_is_missed(bench, monkeypatch):
    million = bench("million")
    monkeypatch.setattr(million.postgres, "find", lambda: None)
    sqlite, [postgresql] = million.compare(3000, 20)
    assert [row.name for row in sqlite] == [million.ONE.name, million.ONE.name, million.TWO.name]
    # Who was missed, or is not recorded, or cannot read the message, is an error in there.
    assert all(row.figures["missed"] == 0 for row in sqlite)
    # This process, the worker that was killed, and those at the end: another may not have started.
    assert len([name for name in sqlite[-1].figures if name.startswith("peak")]) in (3, 4)
    assert postgresql.note == "not installed"


@pytest.mark.usefixtures("programs")
def test_sizes_come_one_after_the_other_and_rounds_are_counted(bench):
    notify_all = bench("notify_all")
    sizes = [(3, 1), (4, 2)]
    [first], [second] = notify_all.compare("notify-all", [notify_all.OURS], sizes, nginx=None)
    assert [(row.subscribers, row.rounds) for row in (first, second)] == sizes


@pytest.mark.usefixtures("programs")
def test_a_slow_endpoint_answers_late_and_everybody_is_reached(bench, nginx):
    notify_all = bench("notify_all")
    # With three subscribers it makes no difference how many more may be in flight.
    some = [one for one in notify_all.SLOW if one.in_flight <= 100 or one.sender == "node"]
    assert {one.sender for one in some} == {one.sender for one in notify_all.SLOW}
    [slow] = notify_all.compare("slow", some, [(3, 1)], delay=0.01, nginx=nginx)
    rows = rows_of(slow)
    assert rows["pushlab notify_all"].where.endswith("answers after 10 ms")


def test_without_nginx_the_stand_in_plays(bench, tmp_path):
    with bench("endpoint").PushEndpoint(tmp_path, [], nginx="no-such-program") as endpoint:
        assert endpoint.software.startswith("our stand-in")


def test_the_endpoint_counts_what_comes_twice_and_keeps_samples(bench, tmp_path, nginx):
    with bench("endpoint").PushEndpoint(tmp_path, [], nginx=nginx) as endpoint:
        trusted = ssl.create_default_context(cafile=endpoint.authority)
        headers = {"Content-Encoding": "aes128gcm", "TTL": "60"}

        def post(path: str) -> int:
            request = urllib.request.Request(endpoint.origin + path, b"sealed", headers)
            with urllib.request.urlopen(request, timeout=patience(60), context=trusted) as answer:
                return answer.status

        assert [post("/push/before"), post("/sample/before")] == [201, 201]
        assert endpoint.arrivals(2).accepted == 2
        endpoint.forget()
        assert [post("/push/one"), post("/push/one"), post("/sample/two")] == [201, 201, 201]
        arrivals = endpoint.arrivals(3)
        assert (arrivals.accepted, arrivals.subscribers) == (3, 2)
        [sample] = endpoint.samples()
        assert sample["path"] == "/sample/two" and bytes.fromhex(sample["body"]) == b"sealed"
        assert sample["headers"]["content-encoding"] == "aes128gcm"


@pytest.fixture
def audience(bench, tmp_path):
    """Give an audience of two, and the requests by which both would be reached."""
    subscribers, encryption = bench("subscribers"), bench("encryption")
    audience = subscribers.Audience(tmp_path, "https://127.0.0.1:8443", 2)
    from pushlab.appserver.delivery.client import Signer

    authorization = Signer(audience.keys).authorization(audience.origin)
    headers = {"content-encoding": "aes128gcm", "ttl": "60", "authorization": authorization}
    bodies = encryption.ours([one.subscription for one in audience.subscribers])
    requests = [
        {"path": one.endpoint.removeprefix(audience.origin), "headers": headers, "body": body.hex()}
        for one, body in zip(audience.subscribers, bodies, strict=True)
    ]
    return audience, requests


def test_the_samples_are_read(audience):
    audience, requests = audience
    assert audience.check(requests, 2) == 2


@pytest.mark.parametrize("fault", ["missing", "twice", "mixed up", "no token", "another token"])
def test_a_sample_that_is_not_right_is_no_figure(audience, fault):
    audience, requests = audience
    first, second = requests
    if fault == "missing":
        requests = [first]
    elif fault == "twice":
        requests = [first, second, first]
    elif fault == "mixed up":
        first["body"], second["body"] = second["body"], first["body"]
    else:
        token = second["headers"]["authorization"]
        second["headers"] = second["headers"] | {
            "authorization": "" if fault == "no token" else token.replace("t=e", "t=f")
        }
    # AssertionError, or what decrypt and verify raise.
    with pytest.raises(Exception):  # noqa: B017, PT011
        audience.check(requests, 2)


@pytest.mark.usefixtures("programs")
def test_startup_runs_every_step(bench):
    startup = bench("startup")
    assert set(rows_of(startup.compare(times=1))) == set(startup.STEPS)


@pytest.mark.parametrize("kind", ["firefox", "chromium"])
def test_latency_sends_into_a_real_browser(bench, kind, request):
    request.getfixturevalue(f"{kind}_installed")
    figures = bench("latency").measure(kind, messages=2).figures
    # A browser's clock and this machine's are two, and one of them may be set meanwhile.
    assert all(map(math.isfinite, figures.values())) and figures["push service ms"] > 0
    assert figures["fastest ms"] <= figures["POST to event ms"] <= figures["slowest ms"]


@pytest.mark.usefixtures("programs")
def test_hundreds_of_browsers_that_are_connected_at_once_get_one_message_each(bench, pytestconfig):
    crowd = bench("crowd")
    few, many = 20, 200
    if why := crowd.missing(many):
        pytest.skip(why)

    def processor_seconds_of(count: int) -> float:
        # Who gets none, or two, or what cannot be read, is an error in there.
        figures = crowd.measure(count, processes=1).figures
        assert 0 < figures["p50 ms"] <= figures["p95 ms"] <= figures["max ms"]
        return sum(figures[f"CPU {step}"] for step in ("connect", "subscribe", "notify-all"))

    took = processor_seconds_of(few)
    if not pytestconfig.option.quick and took:
        # Ten times as many are ten times the work. Work that grows with the square of the crowd is a
        # hundred times as much.
        assert processor_seconds_of(many) < 30 * took


def test_a_crowd_that_finds_no_room_says_so(bench, monkeypatch):
    crowd = bench("crowd")
    monkeypatch.setattr(crowd, "max_incoming", lambda: 56)
    assert "56 open sockets" in crowd.measure(57).note


def test_where_no_cable_can_be_pulled_the_table_says_why(bench, monkeypatch):
    """That every message arrives is seen in ``tests/endtoend/test_room.py``, with the same room."""
    outage = bench("outage")
    monkeypatch.setattr(outage, "why_not", lambda: "It takes root.")
    [table] = outage.main(quick=True)
    assert {(row.name, row.note) for row in table} == {(kind, "It takes root.") for kind in outage.REAL}


@pytest.mark.parametrize("name", ["report", "crowd"])
def test_the_examples_of_the_benchmarks(bench, name):
    assert doctest.testmod(bench(name), optionflags=doctest.NORMALIZE_WHITESPACE).failed == 0


@pytest.mark.usefixtures("programs")
def test_the_program_prints_a_table_and_writes_json(tmp_path):
    file = tmp_path / "folder" / "bench.json"
    command = [sys.executable, str(HERE), "encryption", "--quick", "--json", str(file)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert "pywebpush encode" in done.stdout and "ours is ×" in done.stdout
    written = json.loads(file.read_text("utf-8"))
    assert {row["benchmark"] for row in written["rows"]} == {"encryption alone"}
    assert written["machine"]["cores"] >= 1 and written["at"].endswith("Z")


@pytest.mark.usefixtures("programs")
def test_a_mistyped_name_says_what_there_is(tmp_path):
    command = [sys.executable, str(HERE), "encrypt", "--json", str(tmp_path / "bench.json")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and "notify-all" in done.stderr
    assert not (tmp_path / "bench.json").exists()
