"""``examine(…)`` in a notebook: a server is started, examined and ended; a table says what was found."""

import re
import signal
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from pushlab import examine
from pushlab.conformance.case import Result, Verdict
from pushlab.conformance.table import CASES
from pushlab.errors import BadArgument
from pushlab.notebook.examination import Examined

ROOT = Path(__file__).parents[2]

# The app of the examination's own tests, started as a learner's is: with variables.
APP = """
import os, sys
sys.path.insert(0, ROOT)
origins = [part for origin in os.environ["TEST_PUSH_ORIGINS"].split() for part in ("--allow", origin)]
sys.argv[1:] = ["--port", os.environ["PORT"], *origins, *sys.argv[1:]]
from tests.conformance.broken.app import main
main()
"""


@pytest.fixture
def app(tmp_path, programs):
    path = tmp_path / "app.py"
    path.write_text(APP.replace("ROOT", repr(str(ROOT))), "utf-8")
    return path


def test_a_right_app_passes_and_a_broken_one_is_told_what_to_do(app, leaves_nothing):
    cases = "bytes.coding", "token.aud-exact", "safety.same-endpoint-twice"
    with leaves_nothing():
        right = examine(app, *cases)
        broken = examine([sys.executable, str(app), "--fault", "token.aud-exact"], *cases)
    assert right.passed == list(cases) and right.failed == right.not_reached == []
    assert repr(right).splitlines()[0] == "✓ bytes.coding               the coding aes128gcm"
    assert repr(right).endswith("\n3 pass")
    assert broken.failed == ["token.aud-exact"] and "bytes.coding" in broken.passed
    [fix] = [case.fix for case in CASES if case.id == "token.aud-exact"]
    assert f"MUST: {fix}" in broken._repr_html_() and fix not in right._repr_html_()


def test_a_reply_that_nobody_waits_for_any_more_is_not_logged(app, caplog):
    """A kernel shows a log below the cell that runs. The slow endpoint holds the reply up."""
    assert examine(app, "many.one-slow").passed == ["many.one-slow"]
    assert caplog.messages == []


def test_a_program_that_does_not_serve_is_a_result_for_each_case(tmp_path, programs, leaves_nothing):
    script = tmp_path / "server.py"
    script.write_text("raise ValueError('my fault')", "utf-8")
    with leaves_nothing():
        found = examine(script)
    assert found.not_reached == [case.id for case in CASES]
    first, counted = repr(found).splitlines()
    assert "it says: ValueError: my fault" in first and counted == f"{len(CASES)} not reached"


BROKEN = """
import http.server, json, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        return json.loads("{}")["endpoint <b>"]
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


def test_what_a_server_raises_is_shown_below_the_table(tmp_path, programs):
    """Its traceback goes to a log that nobody sees: the table alone would say "no reply"."""
    script = tmp_path / "server.py"
    script.write_text(BROKEN, "utf-8")
    found = examine(script, "bytes.ascii")
    assert repr(found).splitlines()[-1] == "The program's last error: KeyError: 'endpoint <b>'"
    assert "KeyError: &#x27;endpoint &lt;b&gt;&#x27;" in found._repr_html_()
    assert "in do_POST" in found.log
    fine = Examined(Result(one.case, Verdict.PASS, "") for one in found)
    fine.log = found.log
    assert repr(fine).splitlines()[-1] == "1 pass"


def test_an_unknown_case_starts_nothing(tmp_path):
    with pytest.raises(BadArgument, match=r"there is no case .*bytes\.none.*conformance --list"):
        examine(tmp_path / "nothing.py", "bytes.none")


def words_of(process) -> str:
    """Return its command line, or nothing if it has just ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def test_an_interrupt_ends_the_program_too(app, leaves_nothing):
    """As the button of JupyterLab does, which interrupts the kernel."""
    me = psutil.Process()

    def interrupt():
        while not any("app.py" in words_of(child) for child in me.children()):
            time.sleep(0.01)
        signal.raise_signal(signal.SIGINT)

    children = me.children(recursive=True)
    with leaves_nothing():
        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            examine(app)
        thread.join()
    assert [one for one in me.children(recursive=True) if one not in children] == []


# --- the table -------------------------------------------------------------------------------------


def results(verdicts: dict[Verdict, int], why: str = "because") -> Examined:
    """Return results of the table's first cases, with so many of each verdict."""
    each = [verdict for verdict, number in verdicts.items() for _ in range(number)]
    return Examined(Result(case, verdict, why) for case, verdict in zip(CASES, each, strict=False))


def test_a_short_table_has_a_row_for_each_and_a_long_one_for_what_did_not_pass():
    short = results({Verdict.PASS: 2, Verdict.FAIL: 1, Verdict.WARN: 1, Verdict.NOT_REACHED: 1})
    assert short._repr_html_().count("<tr>") == 5
    assert [line[0] for line in repr(short).splitlines()] == ["✓", "✓", "✗", "!", "?", "2"]
    long = results({Verdict.PASS: 30, Verdict.FAIL: 2, Verdict.NA: 3})
    html = long._repr_html_()
    assert html.count("<tr>") == 2 and html.count(">✓<") == 30 and html.count(">–<") == 3
    assert re.findall(r"<b>(\w+)</b>&ensp;", html) == ["bytes", "token", "headers"]
    assert len(repr(long).splitlines()) == 6


def test_what_a_server_says_is_text_and_no_html():
    html = results({Verdict.FAIL: 1}, "<script>alert(1)</script> & more")._repr_html_()
    assert "<script>" not in html and "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in html


def test_each_colour_is_the_theme_s_and_has_one_for_other_viewers():
    html = results(dict.fromkeys(Verdict, 1))._repr_html_()
    colours = re.findall(r"color:([^;\"]+)", html)
    assert len(set(colours)) == 4
    assert all(re.fullmatch(r"var\(--jp-[\w-]+, #[0-9a-f]{6}\)", colour) for colour in colours)
