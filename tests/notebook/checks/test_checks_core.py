"""What every check shows, and what it never shows."""

import base64

import pytest
from IPython.core.interactiveshell import InteractiveShell

from pushlab import checks
from pushlab.errors import NotYet
from pushlab.notebook.checks import core
from pushlab.protocol import base64url
from pushlab.protocol.trace import Step

SECRET = bytes(range(0x20, 0x30))


def told(check, *arguments, **named) -> str:
    with pytest.raises(NotYet) as reason:
        check(*arguments, **named)
    assert SECRET.hex() not in str(reason.value) and repr(SECRET) not in str(reason.value)
    return str(reason.value)


@pytest.mark.parametrize(
    ("yours", "said"),
    [
        (SECRET[:-1], "CEK (RFC 8188 §2.2) should have 16 bytes, and yours has 15"),
        (SECRET + b"\1", "should have 16 bytes, and yours has 17"),
        (SECRET[:5] + b"\0" + SECRET[6:], "has 16 bytes, as it should, and differs at byte 5"),
        (SECRET[::-1], "has 16 bytes. It is written backward."),
        (SECRET.hex(), "should be bytes, and yours is a str of 32"),
        (bytearray(SECRET), "should be bytes, and yours is a bytearray"),
        (None, "None: does your function return something?"),
    ],
)
def test_bytes_that_depart(yours, said):
    mistakes = {"It is written backward.": SECRET[::-1]}
    arguments = ("CEK", yours, SECRET)
    assert said in told(core.bytes_are, *arguments, mistakes=mistakes, rfc="RFC 8188 §2.2")


def test_bytes_that_are_right():
    assert core.bytes_are("CEK", SECRET, bytes(SECRET)) is None


@pytest.mark.parametrize(
    ("yours", "said"),
    [
        ("abc", "should have 4 characters, and yours has 3"),
        ("aXcd", "has 4 characters, as it should, and differs at character 1"),
        ("Xbc", "yours has 3; it differs at character 0"),
        ("dcba", "has 4 characters. Backward."),
        (b"abcd", "should be a str, and yours is 4 bytes"),
    ],
)
def test_text_that_departs(yours, said):
    answer = told(core.text_is, "t", yours, "abcd", mistakes={"Backward.": "dcba"})
    assert said in answer and "abcd" not in answer


@pytest.mark.parametrize(
    ("yours", "right", "said"),
    [
        ("60", 60, "exp should be an int, and yours is a str of 2. No quotes."),
        (60.0, 60, "exp should be an int, and yours is a float"),
        (True, 1, "exp should be an int, and yours is a bool"),
        (61, 60, "exp is not right yet. No quotes."),
        (1, None, "exp should be None, and yours is an int"),
    ],
)
def test_a_value_that_departs(yours, right, said):
    assert said in told(core.value_is, "exp", yours, right, hint="No quotes.")


def test_the_first_step_that_departs_is_named():
    steps = [Step(name, SECRET, "formula", "RFC 8291 §3") for name in ("PRK_key", "IKM", "PRK")]
    right = {step.name: SECRET for step in steps}
    core.steps_are(right, steps)
    assert told(core.steps_are, right | {"IKM": SECRET[1:]}, steps).startswith("IKM (RFC 8291 §3)")
    assert told(core.steps_are, {"PRK_key": SECRET}, steps).startswith("IKM (RFC 8291 §3) is missing")


def test_what_has_to_be_refused():
    core.raises("decode", ValueError, int, "x")
    said = told(core.raises, "decode", ValueError, int, "7", why="It is no letter.")
    assert "decode has to raise ValueError here, and it returned an int. It is no letter." in said
    with pytest.raises(ZeroDivisionError):  # Another exception is the learner's own.
        core.raises("divide", ValueError, lambda: 1 / 0)


def test_a_notebook_shows_one_line_and_no_way_through_the_check(capsys):
    shell = InteractiveShell.instance()
    try:
        shell.run_cell("from pushlab.notebook.checks import core\ncore.bytes_are('CEK', b'', b'1')")
        shown = capsys.readouterr().out
    finally:
        InteractiveShell.clear_instance()
    assert "Not yet. CEK should have 1 byte, and yours has 0." in shown
    assert "Traceback" not in shown and "core.py" not in shown


def test_right_is_green_and_escaped():
    right = core.Right("<b> is right.")
    assert repr(right) == "✓ <b> is right."
    assert "&lt;b&gt; is right." in right._repr_html_() and core.GREEN in right._repr_html_()


def test_every_lesson_has_its_checks():
    for name in checks.LESSONS:
        assert getattr(checks, name).__name__ == f"pushlab.notebook.checks.{name}"
    with pytest.raises(AttributeError, match="no checks named 'cooking'"):
        _ = checks.cooking


KEY = bytes(range(0x70, 0x90))


@pytest.mark.parametrize(
    ("yours", "said"),
    [
        (KEY.hex().encode(), "It is hexadecimal. Write the same bytes as base64url."),
        (base64.b64encode(KEY).rstrip(b"="), "It is plain base64"),
        (base64.urlsafe_b64encode(KEY), "It is base64url with padding."),
        (repr(list(KEY)).encode(), "It is a list of numbers"),
        (b"\0" + bytes([0x90, *KEY[1:]]), "should have 32 bytes, and yours has 33"),
    ],
)
def test_the_right_bytes_in_another_spelling_are_named(yours, said):
    assert said in told(core.bytes_are, "d", yours, KEY)


def test_the_right_text_in_another_spelling_is_named():
    right = base64url.encode(KEY)
    assert "It is hexadecimal" in told(core.text_is, "d", KEY.hex(), right)
    assert "It is a text in quotes" in told(core.text_is, "d", f'"{right}"', right)
    assert "differs at character" in told(core.text_is, "d", right[:-1] + "A", right)
