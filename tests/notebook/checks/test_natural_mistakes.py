"""What natural mistakes are told, in the very words, over all exercises of all lessons.

``natural_mistakes`` has the answers, each here with the sentence that it gets. Two more tests hand
every check whatever a function may return, and whatever it may raise: nothing ends in a traceback.
"""

import inspect
import itertools
import re
import subprocess
import sys

import pytest
from IPython.core.interactiveshell import InteractiveShell

from pushlab import checks
from pushlab.classroom.exercises import LESSONS
from pushlab.errors import ExerciseError, NotYet
from pushlab.notebook.checks import core, guard
from pushlab.settings import patience

from ..exercises import exercises

EXERCISES = sorted(f"{lesson.module}.{name}" for lesson in LESSONS for name in lesson.exercises)


def sentence(name: str, *answers) -> str:
    """Return what the check says, without what differs between two versions of Python or systems."""
    with pytest.raises(ExerciseError) as told:
        exercises()[name].check(*answers)
    assert told.value.__cause__ is None and told.value.__suppress_context__
    said = re.sub(r"in line \d+", "in line …", told.value.detail)
    said = re.sub(r"\(_ssl\.c:\d+\)|\[Errno \d+\] ", "", said)
    return re.sub(r"(recursion depth exceeded)[^.]*", r"\1", said)


@pytest.mark.parametrize("name", EXERCISES)
def test_the_lesson_s_own_solution_is_right(name):
    assert isinstance(exercises()[name].check(*exercises()[name].answers), core.Right)


def test_every_check_is_made_by_the_decorator_that_guards_it():
    for name in checks.LESSONS:
        module = getattr(checks, name)
        for function in vars(module).values():
            if inspect.isfunction(function) and (function.__doc__ or "").startswith("Check ``"):
                assert function.__code__.co_filename == "<check>", f"{name}.{function.__name__}"


def test_there_are_many_mistakes_and_some_for_each_exercise(mistakes):
    assert sum(map(len, mistakes.values())) > 100
    assert sorted(mistakes) == sorted(exercises()) == EXERCISES, "an exercise has no natural mistakes"
    assert all(len(wrong) >= 3 for wrong in mistakes.values())


@pytest.mark.parametrize("name", EXERCISES)
def test_each_natural_mistake_is_told_in_these_words(mistakes, name):
    told = {}
    for what, answers in mistakes[name].items():
        told[what] = sentence(name, *(answers if isinstance(answers, tuple) else (answers,)))
    assert told == TOLD[name]


# Whatever a function may return: of the right type and not, empty, endless, and of no use.
STRANGE = [
    None, True, 0, -1, 10**30, 1.5, float("nan"), "", "x", "\ud800", "é" * 5000, b"", b"x", b"\xff" * 65,
    b"{}", b"[]", '{"aud": 1}', "a.b.c", "e30.e30.e30", bytearray(65), memoryview(b"x"), [], [1], [None],
    ["x"], [[]], (), (1, 2, 3), ("x", b"x", b"x"), ("x", "x", "x"), {}, {"a": 1}, {"salt": 1, "rs": 1,
    "keyid": 1, "records": 1}, {"aud": [], "exp": [], "sub": []}, {"title": [], "options": []},
    {"title": "Train", "options": None}, {1: 2}, set(), {1}, frozenset(), object(), int, print, ...,
    NotImplemented, ValueError("x"), itertools.count(), range(3), iter([]),
]  # fmt: skip


@pytest.mark.parametrize("name", EXERCISES)
def test_whatever_is_returned_is_told_by_the_check_itself(name):
    answers = exercises()[name].answers

    def returns(value):
        async def awaited(*given, **named):
            return value

        return awaited if name == "notify_all.fan_out" else lambda *given, **named: value

    for value in STRANGE:
        try:
            said = sentence(name, returns(value), *answers[1:])
        except pytest.fail.Exception:
            raise AssertionError(f"{value!r} is believed") from None
        assert "can make nothing" not in said, f"{value!r}: {said}"
        assert len(said) < 300


RAISED = [
    ValueError("x" * 5000), KeyError("p256dh"), IndexError("index out of range"), OSError(2, "No"),
    AttributeError("'NoneType' object has no attribute 'x'"), ZeroDivisionError(), StopIteration(),
    UnicodeDecodeError("utf-8", b"\xe9", 0, 1, "no"), MemoryError(), RuntimeError("\x1b"),
    ExceptionGroup("some", [ValueError("x")]), KeyboardInterrupt(), SystemExit(1), NotYet("of its own"),
]  # fmt: skip


@pytest.mark.parametrize("name", EXERCISES)
def test_whatever_is_raised_is_told_with_the_learner_s_line(name):
    answers = exercises()[name].answers
    for error in RAISED:

        def fails(*given, error=error, **named):
            raise error

        async def fails_later(*given, error=error, **named):
            raise error

        said = sentence(name, fails_later if name == "notify_all.fan_out" else fails, *answers[1:])
        if not isinstance(error, NotYet):
            assert "in line …, `raise error`" in said
        assert len(said) < 420 and said.isprintable()


# --- what a traceback shows ------------------------------------------------------------------------

PROGRAM = """\
import traceback
from pushlab import checks

def body_length(text):
    return 86 + len(txet)

for wrong in body_length, lambda text: 1, []:
    try:
        checks.start_here.body_length(wrong)
    except Exception:
        print(traceback.format_exc())
"""


@pytest.mark.usefixtures("programs")
def test_python_s_own_traceback_shows_the_learner_s_line_and_nothing_of_the_check(tmp_path):
    program = tmp_path / "learner.py"
    program.write_text(PROGRAM, "utf-8")
    command = [sys.executable, str(program)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=patience(60), check=True)
    told = done.stdout.split("\n\n")[:3]
    for traceback in told:
        first, own, line, *_, last = traceback.strip().splitlines()
        assert first == "Traceback (most recent call last):" and own.startswith(f'  File "{program}"')
        assert line.strip() == "checks.start_here.body_length(wrong)"
        assert last.startswith("pushlab.errors.NotYet: ")
    assert "pushlab/notebook" not in done.stdout and "examine" not in done.stdout
    assert "raises NameError in line 5, `return 86 + len(txet)`" in told[0]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("return len(txet)", "Not yet. f('') raises NameError in line 2, `return len(txet)`: name"),
        ('raise NotImplementedError("your turn")', "Not yet. f raises NotImplementedError: it is your"),
    ],
)
def test_a_notebook_shows_a_sentence_alone(capsys, source, said):
    shell = InteractiveShell.instance()
    try:
        shell.run_cell(f"def f(text):\n    {source}")
        shell.run_cell("from pushlab import checks\nchecks.start_here.body_length(f)")
        shown = capsys.readouterr().out
    finally:
        InteractiveShell.clear_instance()
    assert said in shown and "Traceback" not in shown and ".py" not in shown


def test_a_fault_of_the_check_itself_is_a_sentence_too():
    @guard.check
    def broken(function):
        return core.Right(f"{1 / function():.0f}")

    assert repr(broken(lambda: 1)) == "✓ 1"
    with pytest.raises(NotYet, match=r"can make nothing of .*\(ZeroDivisionError: division by zero\)"):
        broken(lambda: 0)


def test_a_debugger_is_left_in_peace():
    frames = []
    sys.settrace(lambda frame, *_: frames.append(frame))
    try:
        assert guard.Guarded(sys.gettrace)() is not None
    finally:
        sys.settrace(None)
    assert frames
    assert sys.gettrace() is None
    guard.Guarded(lambda: 1)()
    assert sys.gettrace() is None


# --- the sentences ---------------------------------------------------------------------------------

TOLD: dict[str, dict[str, str]] = {
    "start_here.body_length": {
        "the stub": ("forgets_the_stub raises NotImplementedError: it is your turn"),
        "prints in place of returning": (
            "body_length of 0 characters (RFC 8291 §4) should be an int, and yours is None: does your"
            " function return something? What print(…) shows is not returned"
        ),
        "a name that is not there": (
            "misspells('') raises NameError in line …, `return 86 + len(txet) # noqa: F821 - the "
            "slip`: name 'txet' is not defined. If another cell defines that name, run that cell "
            "first"
        ),
        "calls itself": (
            "calls_itself('') raises RecursionError in line …, `def calls_itself(text):`: maximum "
            "recursion depth exceeded. The function calls itself, and nothing ends that"
        ),
        "no end": (
            "runs_on('') has run 1,000,000 lines and goes on in line …, `size += 1`. What ends its loop?"
        ),
        "SystemExit": ("leaves('') raises SystemExit in line …, `raise SystemExit`"),
        "an assert": ("asserts('') raises AssertionError in line …, `assert len(text) > 0`"),
        "interrupted": (
            "interrupted('') was interrupted in line …, `raise KeyboardInterrupt`. Does its loop come"
            " to an end?"
        ),
        "yield": (
            "body_length of 0 characters (RFC 8291 §4) should be an int, and yours is a generator: is"
            " there a yield where return belongs?"
        ),
        "an infinite generator": (
            "body_length of 0 characters (RFC 8291 §4) should be an int, and yours is a generator: is"
            " there a yield where return belongs?"
        ),
        "async def": (
            "a_coroutine('') gives a coroutine, and no value: write def in place of async def"
        ),
        "no argument": (
            "<lambda> cannot be called as <lambda>(''): too many positional arguments. Keep the line "
            "with def as the exercise gives it"
        ),
        "one argument more": (
            "<lambda> cannot be called as <lambda>(''): missing a required argument: 'size'. Keep the"
            " line with def as the exercise gives it"
        ),
        "the result in place of the function": (
            "the check needs your function itself, and got an int: give it the name of the function "
            "alone, with no parentheses and no quotes"
        ),
        "the name in quotes": (
            "the check needs your function itself, and got a str of 11: give it the name of the "
            "function alone, with no parentheses and no quotes"
        ),
        "characters for bytes": (
            "body_length of 14 characters (RFC 8291 §4) is not right yet. Characters are not bytes: "
            "encode the text in UTF-8 first."
        ),
        "the text alone": (
            "body_length of 0 characters (RFC 8291 §4) is not right yet. That is the text alone: a "
            "body has more than the text."
        ),
        "off by one": (
            "body_length of 0 characters (RFC 8291 §4) is not right yet. One byte marks the end of "
            "the text."
        ),
        "too long, and no error": (
            "body_length has to raise ValueError here, and it returned an int. 3994 bytes of text do "
            "not fit: a body has 4096 bytes at most."
        ),
        "a str": ("body_length of 0 characters (RFC 8291 §4) should be an int, and yours is a str of 3"),
        "a float": ("body_length of 0 characters (RFC 8291 §4) should be an int, and yours is a float"),
    },
    "start_here.messages": {
        "one text": ("messages should be a list, and yours is a str of 164"),
        "a generator": ("messages should be a list, and yours is a list_iterator"),
        "reversed": ("messages: they are all there, and the last comes first"),
        "notes as well": ("messages: a note that a party makes on its own is no message"),
        "the party, not its value": (
            "message 1 has 95 characters. Use party.value, the name for people."
        ),
        "who hears comes first": ("message 1 has 43 characters. Who speaks comes first."),
        "another arrow": (
            "message 1 has 44 characters. The arrow is one character: copy it from the exercise."
        ),
    },
    "keys.raw_public": {
        "hexadecimal": (
            "raw_public of a key (SEC 1 §2.3.3) should be bytes, and yours is a str of 130. It is the"
            " right value, written as text: return the bytes themselves"
        ),
        "base64url": (
            "raw_public of a key (SEC 1 §2.3.3) should be bytes, and yours is a str of 87. It is the "
            "right value, written as text: return the bytes themselves"
        ),
        "a list": (
            "raw_public of a key (SEC 1 §2.3.3) should be bytes, and yours is a list of 65. They are "
            "the right numbers: bytes(…) makes bytes of them"
        ),
        "a bytearray": (
            "raw_public of a key (SEC 1 §2.3.3) should be bytes, and yours is a bytearray. It holds "
            "the right bytes: bytes(…) makes bytes of it"
        ),
        "str() of bytes": (
            "raw_public of a key (SEC 1 §2.3.3) should be bytes, and yours is a str of 203. str(…) "
            "has written the bytes as Python's source does: leave it out"
        ),
        "leading zeros dropped": (
            "raw_public of a key with a small x (SEC 1 §2.3.3) has 64 bytes. x and y have 32 bytes "
            "each, zeros in front as well."
        ),
        "DER": (
            "raw_public of a key (SEC 1 §2.3.3) has 91 bytes. This is DER: the point is only its end."
        ),
        "bytes of an int": (
            '<lambda>(an ECPublicKey) raises OverflowError in line …, `"bytes of an int": lambda key:'
            " bytes(key.public_numbers().x),`: cannot fit 'int' into an index-sized integer"
        ),
    },
    "keys.b64url": {
        "padding": ("b64url of data of length 1 (RFC 4648 §5) has 4 characters. The padding has to go."),
        "plain base64": (
            "b64url of data of length 1 (RFC 4648 §5) has 4 characters. This is plain base64: two "
            "characters differ, and the padding has to go."
        ),
        "bytes": (
            "b64url of data of length 0 (RFC 4648 §5) should be a str, and yours is 0 bytes. It is "
            "the right text, as bytes: decode() makes a text of them"
        ),
        "str() of bytes": (
            "b64url of data of length 0 (RFC 4648 §5) has 3 characters. str(…) has written b'…' "
            "around it: decode() makes a text of bytes."
        ),
        "a decoder that wants padding": (
            "standard_decode('-w') raises binascii.Error in line …, `return "
            "base64.urlsafe_b64decode(text)`: Incorrect padding. Python's base64 decoders want "
            "padding, and base64url in web push has none: put it back first"
        ),
        "a decoder that takes all": (
            "b64url_decode of 88 characters has to raise ValueError here, and it returned 65 bytes. "
            "Padding is no part of base64url here."
        ),
        "only one of the two": ("forgets_the_stub raises NotImplementedError: it is your turn"),
    },
    "keys.what_is": {
        "ok and off-curve exchanged": (
            "what_is of text 1 of 11 (87 characters) (RFC 8292 §3.2) is not right yet. Two of your "
            "words have changed places: each stands where the other belongs"
        ),
        "capitals": (
            "what_is of text 1 of 11 (87 characters) (RFC 8292 §3.2) should be one of the 6 words: "
            "write it exactly as the exercise does"
        ),
        "no strict decoder": (
            "what_is of text 3 of 11 (88 characters) (RFC 8292 §3.2) is not right yet. A lenient "
            "decoder reads it, and browsers do not: be strict."
        ),
        "raises for what it cannot decode": (
            "<lambda>(a str of 87) raises binascii.Error in line …, `return "
            "base64.urlsafe_b64decode(text)`: Incorrect padding. Python's base64 decoders want "
            "padding, and base64url in web push has none: put it back first"
        ),
        "a bool": (
            "what_is of text 1 of 11 (87 characters) (RFC 8292 §3.2) should be a str, and yours is a "
            "bool"
        ),
    },
    "keys.to_jwk": {
        "numbers": ("x of key 1 (RFC 7518 §6.2) should be a str, and yours is an int"),
        "JSON": ("to_jwk of key 1 should be a dict, and yours is a str of 185"),
        "bytes as values": (
            "x of key 1 (RFC 7518 §6.2) should be a str, and yours is 43 bytes. It is the right text,"
            " as bytes: decode() makes a text of them"
        ),
        "kty in small letters": (
            "kty of key 1 (RFC 7518 §6.1) has 2 characters. Capital and small letters are not the "
            "same here."
        ),
        "no d": ("to_jwk of key 1: a member is missing, d"),
    },
    "subscribe.unpack": {
        "keys at the top": (
            "top_level_keys(a str of 247) raises KeyError in line …, `return "
            'subscription["endpoint"], subscription["p256dh"], subscription[…`: \'p256dh\'. No such '
            "name is in the dict: print its keys"
        ),
        "a decoder that wants padding": (
            "padded_decoder(a str of 247) raises binascii.Error in line …, `keys = {name: "
            "base64.b64decode(value) for name, value in subscription[…`: Incorrect padding. Python's "
            "base64 decoders want padding, and base64url in web push has none: put it back first"
        ),
        "a list": ("unpack should return a tuple of three, and yours is a list of 3"),
        "text not decoded": (
            "p256dh (RFC 8291 §3.1) should be bytes, and yours is a str of 87. It is the right value,"
            " written as text: return the bytes themselves"
        ),
        "exchanged": ("p256dh (RFC 8291 §3.1) has 16 bytes. p256dh and auth have changed places."),
    },
    "subscribe.origin": {
        "None for a port": (
            "origin of an endpoint with no port (RFC 6454 §6.2) has 29 characters. The URL names no "
            "port here, and None is not a port."
        ),
        "the host alone": (
            "origin of an endpoint with no port (RFC 6454 §6.2) has 16 characters. The scheme is "
            "missing."
        ),
        "a slash at the end": (
            "origin of an endpoint with no port (RFC 6454 §6.2) has 25 characters. There is a slash "
            "at the end."
        ),
    },
    "subscribe.respond": {
        "a text": ("a subscription from nobody: the status should be an int, and yours is a str of 3"),
        "always fine": "a subscription from nobody: the status is not 200",
        "nothing is kept": "Alice's phone: afterwards kept should have 1, and yours has 0",
        "forgets to return": (
            "a subscription from nobody: the status should be an int, and yours is None: does your "
            "function return something? What print(…) shows is not returned"
        ),
    },
    "subscribe.faults": {
        "one text": (
            "faults of the RFC's example, which is good should be a list, and yours is a str of 0"
        ),
        "the first alone": (
            "faults of one with p256dh and auth swapped: there should be 2, and you name 1. Go on "
            "after the first"
        ),
        "reversed": (
            "faults of one with p256dh and auth swapped: they are all there, in another order than "
            "the table's"
        ),
        "None for a good one": (
            "faults of the RFC's example, which is good should be a list, and yours is None: does "
            "your function return something? What print(…) shows is not returned"
        ),
        "keys without asking": ("faults of one with no endpoint: there should be 1, and you name 0"),
    },
    "encrypt.key_info": {
        "text and bytes": (
            '<lambda>(65 bytes, 65 bytes) raises TypeError in line …, `"text and bytes": lambda '
            'ua_public, as_public: "WebPush: info\\0" + ua_…`: can only concatenate str (not "bytes") '
            "to str. Text and bytes do not mix: encode() makes bytes of a text, decode() a text of "
            "bytes"
        ),
        "exchanged": (
            "key_info (RFC 8291 §3.3) has 144 bytes. The points are exchanged: ua_public is first."
        ),
        "base64url": (
            "key_info (RFC 8291 §3.3) should be bytes, and yours is a str of 192. It is the right "
            "value, written as text: return the bytes themselves"
        ),
    },
    "encrypt.derive": {
        "a tuple": ("derive should be a dict, and yours is a tuple of 6"),
        "not cut": (
            "CEK (RFC 8188 §2.2) should have 16 bytes, and yours has 32: its beginning is right"
        ),
        "hexadecimal": (
            "IKM (RFC 8291 §3.3) should be bytes, and yours is a str of 64. It is the right value, "
            "written as text: return the bytes themselves"
        ),
        "no PRK": ("PRK (RFC 8188 §2.2) is missing: HMAC-SHA-256(salt, IKM)"),
        "reversed": ("NONCE (RFC 8188 §2.3) has 12 bytes. It is right, and back to front."),
    },
    "encrypt.read_header": {
        "no look at the length": (
            "careless_header(20 bytes) raises IndexError in line …, `idlen = body[20]`: index out of "
            "range. It has to raise ValueError here. The body ends after 20 bytes, inside its header"
        ),
        "rs as bytes": (
            "rs (RFC 8188 §2.1) should be an int, and yours is 4 bytes. Those are its four bytes: "
            "make a number of them."
        ),
        "rs little-endian": (
            "rs (RFC 8188 §2.1) is not right yet. The first of its four bytes counts most: big-endian."
        ),
        "always 65": (
            "keyid, of a header whose idlen is 2, (RFC 8188 §2.1) has 51 bytes. idlen says how many "
            "bytes it has: not always 65."
        ),
        "a tuple": ("read_header should be a dict, and yours is a tuple of 4"),
    },
    "encrypt.encrypt": {
        "no delimiter": (
            "padded_plaintext (RFC 8188 §2) has no valid delimiter. The tag fits, so all your keys "
            "are right. What is sealed does not end in 02"
        ),
        "a delimiter as text": (
            "<lambda>(41 bytes, 65 bytes, 16 bytes, an ECPrivateKey, 16 bytes) raises TypeError in "
            'line …, `sealed = AESGCM(values["CEK"]).encrypt(values["NONCE"], plaintext + en…`: can\'t'
            " concat str to bytes. Text and bytes do not mix: encode() makes bytes of a text, "
            "decode() a text of bytes"
        ),
        "no header": ("body has 58 bytes. The header is missing, 86 bytes (RFC 8188 §2.1)"),
        "another def": (
            "too_few cannot be called as too_few(41 bytes, 65 bytes, 16 bytes, an ECPrivateKey, 16 "
            "bytes): too many positional arguments. Keep the line with def as the exercise gives it"
        ),
        "text": (
            "as_text(41 bytes, 65 bytes, 16 bytes, an ECPrivateKey, 16 bytes) raises TypeError in "
            'line …, `return plaintext + "\\2"`: can\'t concat str to bytes. Text and bytes do not mix:'
            " encode() makes bytes of a text, decode() a text of bytes"
        ),
        "one byte more": ("ciphertext (RFC 8188 §2) should have 58 bytes, and yours has 59"),
    },
    "sign.claims": {
        "text": ("the claims should be bytes, and yours is a str of 81. encode() makes bytes of a text"),
        "a dict": ("the claims should be bytes, and yours is a dict"),
        "spaces": ("the JSON of the claims has 86 bytes. JSON can do without its spaces."),
        "Python in place of JSON": ("the claims should be JSON, and these 86 bytes are not"),
        "milliseconds": (
            "exp (RFC 8292 §2) is not right yet. It counts seconds, and these are milliseconds."
        ),
        "24 hours": (
            "exp (RFC 8292 §2) is not right yet. The exercise asks for 12 hours. 24 leave no room for"
            " a clock that is slow."
        ),
    },
    "sign.to_raw": {
        "fixed places": (
            "r‖s of an r and an s whose first bit is set (RFC 7518 §3.4) has 64 bytes. r and s have "
            "no fixed place: a length stands before each."
        ),
        "DER still": (
            "r‖s of two plain numbers (RFC 7518 §3.4) has 70 bytes. This is DER still: take r and s "
            "out of it."
        ),
        "hexadecimal": (
            "r‖s of two plain numbers (RFC 7518 §3.4) should be bytes, and yours is a str of 128. It "
            "is the right value, written as text: return the bytes themselves"
        ),
        "a tuple of numbers": (
            "r‖s of two plain numbers (RFC 7518 §3.4) should be bytes, and yours is a tuple of 2"
        ),
    },
    "sign.token": {
        "bytes": ("the token should be a str, and yours is 242 bytes. decode() makes a text of bytes"),
        "padding": ("the signature: not base64url: padding at character 87 of 87"),
        "parts": ("the token should be a str, and yours is a list of 3"),
        "no signature": ("the token should have 3 parts with dots between, and yours has 2"),
    },
    "sign.verify": {
        "True": (
            "verify of a good token should be a dict, and yours is a bool. Return all its claims, as "
            "a dict."
        ),
        "no look at anything": (
            "verify of a signature with one bit flipped has to raise an error here, and it returned a"
            " dict"
        ),
        "False in place of an error": (
            "verify of no token at all has to raise an error here, and it returned a bool"
        ),
    },
    "send.headers": {
        "TTL as a number": ("TTL (RFC 8030 §5.2) should be a str, and yours is an int"),
        "Topic: None": ("Topic (RFC 8030 §5.4) is there, and none was asked for: leave it out"),
        "a list of pairs": ("headers() should be a dict, and yours is a list of 5"),
        "a byte string": (
            "Urgency (RFC 8030 §5.3) should be a str, and yours is 4 bytes. It is the right text, as "
            "bytes: decode() makes a text of them"
        ),
    },
    "send.what_next": {
        "retry and fix exchanged": (
            "what_next(429, '120') is not right yet. Two of your words have changed places: each "
            "stands where the other belongs"
        ),
        "a capital": (
            "what_next(201, None) should be one of the 4 words: write it exactly as the exercise does"
        ),
        "compares with None": (
            '<lambda>(201, None) raises TypeError in line …, `"retry" if retry_after > 0 else '
            "what_next(status, retry_after)`: '>' not supported between instances of 'NoneType' and "
            "'int'. An argument is None here: ask for that first"
        ),
        "removes upon 403": (
            "what_next(403, None) is not right yet. The fault is the sender's, and every subscriber "
            "gets the same answer: whoever removes upon it removes them all"
        ),
    },
    "send.send": {
        "https": (
            "over_https(a str of 51, a dict, 258 bytes) raises ssl.SSLError in line …, "
            '`connection.request("POST", f"{where.path}?{where.query}", body, header…`: [SSL: '
            "WRONG_VERSION_NUMBER] wrong version number . https is right in real life, but the lab "
            "answers by plain http on this machine: take http or https from the scheme of the URL"
        ),
        "another port": (
            "without_the_port(a str of 51, a dict, 258 bytes) raises ConnectionRefusedError in line "
            '…, `connection.request("POST", where.path, body, headers)`: Connection refused. Nobody '
            "listens there: take host and port from the URL, the port as well"
        ),
        "no query": ("The URL has lost its query, which is part of the endpoint"),
        "urllib raises": (
            "The server answered 410, and send() raised HTTPError 410: urllib raises it, and it is an"
            " answer all the same"
        ),
        "the whole answer": ("No request has arrived at the server"),
    },
    "notify_all.tokens_needed": {
        "a list": ("the result should be a set, and yours is a list of 4"),
        "host names": (
            "aud (RFC 8292 §2) is not right yet. These are host names. An origin is scheme, host and "
            "port."
        ),
        "whole endpoints": (
            "aud (RFC 8292 §2) is not right yet. These are whole endpoints: one token each, and none "
            "is for an origin."
        ),
        "as written": (
            "aud (RFC 8292 §2) is not right yet. 443 is the port of https: an origin leaves it out, or "
            "one push service gets two."
        ),
    },
    "notify_all.delay": {
        "milliseconds": (
            "delay(429, 1) (RFC 8030 §8.4) is not right yet. It counts seconds, and these are "
            "milliseconds."
        ),
        "doubled too early": (
            "delay(429, 1) (RFC 8030 §8.4) is not right yet. The first pause is base itself: the "
            "doubling comes later."
        ),
        "None is not compared": (
            "delay(429, 1) (RFC 8030 §8.4) should be a number, and yours is None. This may pass: try "
            "again."
        ),
        "no keyword": (
            "<lambda> cannot be called as <lambda>(503, 3, base=2): got an unexpected keyword "
            "argument 'base'. Keep the line with def as the exercise gives it"
        ),
    },
    "notify_all.fan_out": {
        "not awaited": (
            "The first in the list is a coroutine: write await before the call that gives it"
        ),
        "no async": ("no_coroutine has to be a coroutine function: async def"),
        "all at once": ("200 sends were in flight, and workers was 4"),
        "one by one": ("1 at a time was the most, and there could be 4"),
        "no end": (
            "in_a_hurry(a method, a generator, 4) has run 1,000,000 lines and goes on in line …, "
            "`while subscriptions:`. What ends its loop?"
        ),
    },
    "receive.shown": {
        "the given list": (
            "changes_the_list changes the list that it is given, and that belongs to its caller: work"
            " on a copy"
        ),
        "nothing replaced": ("3 of 3 messages are shown. Nothing has been replaced."),
        "titles alone": (
            "what is shown of 2 messages is not right yet. Is it the messages themselves, in their "
            "places?"
        ),
    },
    "receive.notification_of": {
        "JSON always": (
            "json_always(None) raises TypeError in line …, `message = json.loads(data)`: the JSON "
            "object must be str, bytes or bytearray, not NoneType. An argument is None here: ask for "
            "that first"
        ),
        "a title always": (
            "options for options that are no object should be a dict, and yours is a str of 4. The "
            "sender's options go on unchanged; what is not an object counts as none"
        ),
        "JSON text": (
            "the notification for JSON with title and options should be a dict, and yours is a str of 72"
        ),
    },
    "receive.decrypt": {
        "with the delimiter": ("plaintext (RFC 8188 §2) has 42 bytes. The delimiter 02 is still there."),
        "text": (
            "plaintext (RFC 8188 §2) should be bytes, and yours is a str of 41. They are the right "
            "characters: encode() makes bytes of a text"
        ),
        "another nonce": (
            "The tag does not fit. Print the length of each piece of the body, and then of each value"
            " (RFC 8291 §3.4)"
        ),
    },
    "error_clinic.triage": {
        "no lower()": (
            "triage() of a 400 from Apple is not right yet. Your code minds capital and small "
            "letters: compare in small letters alone"
        ),
        "the body alone": (
            "triage() of a 400 from Windows is not right yet. The body is empty here: the value of a "
            "header says why"
        ),
        "bytes and text": (
            '<lambda>(401, 92 bytes, a dict) raises TypeError in line …, `"bytes and text": lambda '
            'status, body, headers: "key" if "mismatch" in…`: a bytes-like object is required, not '
            "'str'. Text and bytes do not mix: encode() makes bytes of a text, decode() a text of "
            "bytes"
        ),
        "the text first": (
            "triage() of a 503 from somebody is not right yet. The words are in an order: here the "
            "status decides, before the text is looked at"
        ),
        "gone upon 403": (
            "triage() of a 403 from Google is not right yet. The fault is the sender's, and every "
            "subscriber gets the same answer: whoever removes upon it removes them all"
        ),
    },
    "error_clinic.claims_for": {
        "the given dict": (
            "into_the_given changes the dict that it is given, and that belongs to its caller: work "
            "on a copy"
        ),
        "24 hours": (
            "exp (RFC 8292 §2) is not right yet. The exercise asks for 12 hours. 24 leave no room for"
            " a clock that is slow."
        ),
        "minutes": (
            "exp (RFC 8292 §2) is not right yet. An hour has 3600 seconds, and you add 60 for each."
        ),
        "a str": (
            "exp (RFC 8292 §2) should be an int, and yours is a str of 10. Write a whole number, "
            "without quotes or fraction"
        ),
        "a clock of its own": (
            "exp (RFC 8292 §2) is not right yet. That is 12 hours from this machine's clock: the "
            "time is given to you, as an argument"
        ),
    },
    "error_clinic.keep": {
        "the other way round": (
            "keep(403) (RFC 8030 §7.3) is not right yet. Your answers are the other way round: you "
            "are asked whether it stays"
        ),
        "a word": ("keep(403) should be a bool, and yours is a str of 4"),
        "all refusals": (
            "keep(403) (RFC 8030 §7.3) is not right yet. The fault is the sender's, and every "
            "subscriber gets the same answer: whoever removes upon it removes them all"
        ),
    },
    "error_clinic.may_send": {
        "all at once": (
            "<lambda>(a str of 34, a list of 1) raises ValueError in line …, "
            '`endpoint.startswith("https://") and ip_address(addresses).is_global`: '
            "['34.107.243.93'] does not appear to be an IPv4 or IPv6 address. ip_address() takes "
            "one of the addresses at a time, and no name of a host"
        ),
        "not private": (
            "may_send() for a network behind a provider (RFC 8030 §8) is not right yet. Of "
            "100.64.0.1, is_private and is_global are both False: ask what you want to know"
        ),
        "any": (
            "may_send() for one address outside, one inside (RFC 8030 §8) is not right yet. A "
            "connection may go to any of a host's addresses, so each of them counts"
        ),
        "all of nothing": (
            "may_send() for a host without an address (RFC 8030 §8) is not right yet. There is "
            "nowhere to send to; and all() of nothing is True"
        ),
        "https anywhere": (
            "may_send() for https in the path alone (RFC 8030 §8) is not right yet. Only https "
            "keeps the token and the endpoint from whoever listens on the way"
        ),
        "http too": (
            "may_send() for plain http (RFC 8030 §8) is not right yet. Only https keeps the token "
            "and the endpoint from whoever listens on the way"
        ),
        "the list itself": (
            "may_send() for a push service should be a bool, and yours is a list. Of two values, and "
            "returns one: bool(…) makes True or False of it"
        ),
        "a text has no such attribute": (
            "<lambda>(a str of 34, a list of 1) raises AttributeError in line …, `one.is_global "
            "for one in addresses`: 'str' object has no attribute 'is_global'. The addresses are "
            "texts: ip_address(text) makes an address of one"
        ),
        "known prefixes": (
            "may_send() for the metadata of a cloud (RFC 8030 §8) is not right yet. 169.254.0.0/16 "
            "is link-local: a cloud keeps its machines' passwords there"
        ),
    },
    "operate.again": {
        "a pause": (
            "again(1, None, now, now + 3600) (RFC 8030 §8.4) is not right yet. It is a pause, and "
            "the time of the next attempt is asked for"
        ),
        "doubled too early": (
            "again(1, None, now, now + 3600) (RFC 8030 §8.4) is not right yet. The first pause is "
            "30 seconds, and each further one is twice the last"
        ),
        "deaf": (
            "again(1, '120', now, now + 3600) (RFC 8030 §8.4) is not right yet. Retry-After asked "
            "for longer than you wait"
        ),
        "no date": (
            "<lambda>(1, a str of 29, 1790000000, 1790003600) raises ValueError in line …, `at if "
            "(at := now + max(min(30 * 2 ** (tries - 1), 3600), int(header or…`: invalid literal "
            "for int() with base 10: 'Mon, 21 Sep 2026 14:18:20 GMT'. Retry-After may be a date, "
            "in GMT: the pause lasts from now until then"
        ),
        "Retry-After at most": (
            "again(4, '120', now, now + 3600) (RFC 8030 §8.4) is not right yet. Retry-After is the "
            "shortest pause that they ask for. Yours may be longer, never shorter"
        ),
        "believes that it can be read": (
            "<lambda>(2, 'soon', 1790000000, 1790003600) raises ValueError in line …, `if header is "
            "None or header.isdigit() or parsedate_to_datetime(header)`: Invalid date value or "
            'format "soon". What is neither seconds nor a date counts as absent, and must not end '
            "your worker"
        ),
        "gives up at what it cannot read": (
            "again(2, 'soon', now, now + 3600) (RFC 8030 §8.4) should be a time, and yours is None. "
            "What is neither seconds nor a date counts as absent, and must not end your worker"
        ),
        "never an end": (
            "again(1, None, now, now + 30) (RFC 8030 §8.4) should be None, and yours is an int. At "
            "its end a message is worthless: there is an attempt only before it"
        ),
        "as late as possible": (
            "again(1, None, now, now + 30) (RFC 8030 §8.4) should be None, and yours is an int. At "
            "its end a message is worthless: there is an attempt only before it"
        ),
        "no longest pause": (
            "again(12, None, now, now + 32400) (RFC 8030 §8.4) is not right yet. No pause of yours "
            "is longer than an hour"
        ),
        "a text": (
            "again(1, None, now, now + 3600) (RFC 8030 §8.4) should be an int, and yours is a str "
            "of 10. The first pause is 30 seconds, and each further one is twice the last"
        ),
    },
    "operate.diagnose": {
        "counts everybody": (
            "The board “nothing was sent” is not right yet. A vendor for which everything is 0 "
            "says nothing, and so do two"
        ),
        "any refusal": (
            "The board “one of many is refused” is not right yet. One message that is refused is "
            "that message's own trouble"
        ),
        "key and claims exchanged": (
            "The board “Monday” is not right yet. Two of your words have changed places: each "
            "stands where the other belongs"
        ),
        "no dead lane": (
            "The board “a lane is dead” is not right yet. Nothing failed, because nothing was "
            "tried: no error tells you of that"
        ),
        "all is the network": (
            "The board “Tuesday” is not right yet. The others accept, so it is neither your key "
            "nor your network"
        ),
        "a sentence": (
            "The board “all accept” should be one of the 6 words, and yours is 'it is the fine'"
        ),
        "a capital": (
            "The board “all accept” should be one of the 6 words: write it exactly as the exercise does"
        ),
        "nothing": (
            "The board “all accept” should be a str, and yours is None: does your function return "
            "something? What print(…) shows is not returned"
        ),
    },
    "processes.ranges": {
        "by the numbers": (
            "With 7 subscribers and 3 in a range: one range has nobody in it. Count subscribers, "
            "and not numbers: many are gone"
        ),
        "half open": (
            "With 7 subscribers and 3 in a range: somebody is in two ranges, and is sent to "
            "twice. The last number is in its range too"
        ),
        "indices": "With 7 subscribers and 3 in a range: somebody is in no range, and is never sent to",
        "the rest is lost": (
            "With 7 subscribers and 3 in a range: somebody is in no range, and is never sent to"
        ),
        "too long": (
            "With 7 subscribers and 3 in a range: one range has too many. Does it end before the "
            "next one begins?"
        ),
        "too short": (
            "With 7 subscribers and 3 in a range: there are more ranges than needed. Count "
            "subscribers, and not numbers: many are gone"
        ),
        "backwards": (
            "With 7 subscribers and 3 in a range: the ranges are right, and not in their order"
        ),
        "wider": (
            "With 7 subscribers and 3 in a range: somebody is in two ranges, and is sent to "
            "twice. The last number is in its range too"
        ),
        "lists": "Each range should be a tuple of two numbers: the first, and the last",
        "a generator": "the answer of ranges should be a list, and yours is a list_iterator",
        "nothing": (
            "the answer of ranges should be a list, and yours is None: does your function return "
            "something? What print(…) shows is not returned"
        ),
    },
    "processes.shares": {
        "to each the whole": (
            "shares(100, {'a': 1000, 'b': 1000}) gives 200 together, over 100. The push service "
            "sees all of your processes as one sender"
        ),
        "equal parts": (
            "shares(100, {'a': 1000, 'b': 1}): 49 of the window are used by nobody, while messages wait"
        ),
        "by what waits, rounded down": (
            "shares(100, {'a': 1000, 'b': 1}): somebody has 0, though a message waits there. It "
            "would wait for ever"
        ),
        "by what waits, rounded up": (
            "shares(100, {'a': 1000, 'b': 1}) gives 101 together, over 100. The push service sees "
            "all of your processes as one sender"
        ),
        "first come": (
            "shares(100, {'a': 1000, 'b': 1000}): somebody has 0, though a message waits there. "
            "It would wait for ever"
        ),
        "more than waits": "shares(100, {'a': 1000, 'b': 1}): b has 50, and only 1 wait there",
        "fractions": "Each share should be a whole number, and not below 0",
        "only the needy": "The workers are ['a', 'b', 'c'], and each has a share, if only 0",
        "a list": "the answer of shares should be a dict, and yours is a list of 1",
        "nothing": (
            "the answer of shares should be a dict, and yours is None: does your function return "
            "something? What print(…) shows is not returned"
        ),
    },
    "processes.outcomes": {
        "rows": "These are rows. Where a range was done again, a subscriber has two of them",
        "pairs": "A subscriber with two different outcomes is counted twice",
        "the last": "Whatever is written later, a subscriber that has accepted the message has it",
        "the first": "The later outcome counts, unless the message had been accepted before",
        "all subscribers": "outcomes([]) is not right yet: each subscriber counts once",
        "a number": "the answer of outcomes should be a dict, and yours is an int",
        "nothing": (
            "the answer of outcomes should be a dict, and yours is None: does your function "
            "return something? What print(…) shows is not returned"
        ),
    },
    "worker_life.workers": {
        "exchanged": "The two have changed places: the waiting one comes first",
        "nobody waits": (
            "an update under a page: the waiting worker is not right yet. The steps are [('file', "
            "1), ('open', 'A'), ('file', 2)]"
        ),
        "the newest is active": (
            "an update under a page: the active worker is not right yet. The steps are [('file', "
            "1), ('open', 'A'), ('file', 2)]"
        ),
        "a list": ("the answer of workers should be a tuple, and yours is a list of 2"),
        "the active one alone": (
            "the answer of workers should be a tuple, and yours is None: does your function return "
            "something? What print(…) shows is not returned"
        ),
        "pages do not count": (
            "an update under a page: the active worker is not right yet. The steps are [('file', "
            "1), ('open', 'A'), ('file', 2)]"
        ),
        "skip is forgotten": (
            "skipWaiting: the active worker is not right yet. The steps are [('file', 1), ('open', "
            "'A'), ('file', 2), ('skip', None)]"
        ),
    },
    "worker_life.my_worker": {
        "other quotes": (
            "The source is unchanged. replace() changes nothing if it does not find its first text:"
            " is that written as in the file, with the same quotes and spaces?"
        ),
        "no backticks": ("JavaScript fills ${title} in only between backticks: `🔔 ${title}`"),
        "no space": ("There is no bell with a space after it in the source"),
        "a bell alone": ("The message's own title is no longer shown"),
        "only the new line": (
            "Something is gone that the worker needs: a listener, or the call that shows"
        ),
        "bytes": (
            "the answer of my_worker should be a str, and yours is 316 bytes. decode() makes a text"
            " of bytes"
        ),
        "forgets to return": (
            "the answer of my_worker should be a str, and yours is None: does your function return "
            "something? What print(…) shows is not returned"
        ),
    },
    "your_server.is_good": {
        "raises": (
            "<lambda>(None, a tuple, a list of 1) raises TypeError in line …, `is_good(value, "
            "vendors, origins) if value[\"endpoint\"] else False`: 'NoneType' object is not "
            "subscriptable. An argument is None here: ask for that first"
        ),
        "the name anywhere": (
            "The answer to “a host that only ends like a vendor's” is not right yet. Where the host"
            " ends, the slash has to come: what follows may be anybody's domain."
        ),
        "urlsplit": (
            "The answer to “a backslash” is not right yet. urlsplit and requests disagree on a "
            "backslash: take only the characters that hosts have."
        ),
        "the endpoint alone": (
            "The answer to “no keys” is not right yet. Without keys nothing can be encrypted."
        ),
        "https alone": (
            "The answer to “at a test origin” is not right yet. A test origin is allowed as it is, "
            "with http and a port."
        ),
        "no dot": (
            "The answer to “a host that is a vendor's with letters before it” is not right yet. The"
            " dot belongs to it: notpush.apple.com is another host than push.apple.com."
        ),
        "everything": (
            "The answer to “http at a vendor” is not right yet. Without https anybody on the way "
            "can read and change it."
        ),
        "a text": (
            "The answer to “a subscription at Mozilla” should be a bool, and yours is a str of 4"
        ),
        "nothing": (
            "The answer to “a subscription at Mozilla” should be a bool, and yours is None: does "
            "your function return something? What print(…) shows is not returned"
        ),
    },
    "your_server.token_for": {
        "a slash": (
            "aud (RFC 8292 §2) has 42 characters. An origin ends before the first slash of the path."
        ),
        "no port": (
            "aud (RFC 8292 §2) has 16 characters. The port belongs to the origin where the endpoint"
            " has one."
        ),
        "a fraction": (
            "exp (RFC 8292 §2) should be an int, and yours is a float. It has a fraction: int() "
            "takes the whole number."
        ),
        "a day": (
            "exp (RFC 8292 §2) is not right yet. It is 24 hours ahead, and a push service whose "
            "clock is behind refuses it."
        ),
        "counts from nothing": (
            "exp (RFC 8292 §2) is not right yet. It counts from 1970, as now does: add now."
        ),
        "keeps nothing": (
            "the number of signatures after 60 seconds is not right yet. Another endpoint of the "
            "same push service needs no new token: keep it by aud"
        ),
        "keeps by endpoint": (
            "the number of signatures after 60 seconds is not right yet. Another endpoint of the "
            "same push service needs no new token: keep it by aud"
        ),
        "one for all": (
            "the number of signatures after 11.5 hours is not right yet. Another push service needs"
            " a token of its own"
        ),
        "one dict for all": (
            "the number of dicts is not right yet. py_vapid writes into the claims: give it a new "
            "dict each time"
        ),
        "never renews": (
            "the number of signatures after 11.5 hours is not right yet. A token that ends within "
            "the hour is renewed"
        ),
        "renews too early": (
            "the number of signatures after 10.9 hours is not right yet. A token with more than an "
            "hour left is still good"
        ),
        "sub by hand": ("the number of further claims is not right yet. sign adds sub by itself"),
        "no dict": ("sign takes a dict of claims, and got a str of 41"),
        "nothing": (
            "the header should be a str, and yours is None: does your function return something? "
            "What print(…) shows is not returned"
        ),
    },
}
