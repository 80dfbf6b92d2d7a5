"""Wrong arguments of every command: one line on standard error, and exit status 2.

The options are found by walking the parsers, so a new one without a row in the table fails.
"""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pushlab.cli import commands as the_commands
from pushlab.cli.commands import _options, main
from pushlab.cli.parser import parser
from pushlab.pushservice.flavours import Flavour
from pushlab.settings import patience

PUSHLAB = [sys.executable, "-m", "pushlab"]
LONG = "a" * 5000
URL = "http://127.0.0.1:9/"

FILES = ["{missing}", "{folder}", "{unreadable}", "{file}/k.env", "", LONG, "a\0b"]
"""Paths where a file is wanted that is there."""

FOLDERS = ["{file}", "{file}/data", "{unreadable}/data", "/proc/nowhere/data", "", LONG, "a\0b"]
"""Paths where a folder is wanted, which may be made."""

PORTS = ["-1", "65536", "70000", "1e3", "8_292", "٣", "abc", "", " ", "9" * 5000, "0x50", "a\0b"]
DATABASES = ["", "nonsense", "sqlite+nosuch:///x", "sqlite:////nowhere/at/all", "sqlite:///{file}",
             "postgresql://u:p@h:port/x", LONG, "a\0b", "a\nb"]  # fmt: skip
URLS = ["", "nonsense", "127.0.0.1:8292", "ftp://127.0.0.1/", "http://", "http://127.0.0.1:99999/",
        "http://127.0.0.1:0/", "http://[::1/", "http://user@127.0.0.1/", "http://a b/", "a\0b",
        "http://127.0.0.1\n.example/", "javascript:alert(1)"]  # fmt: skip
REPORTS = ["{folder}", "{file}/report", "", LONG, "a\0b"]
LOOPBACK_URLS = [*URLS, "http://192.0.2.1/", "https://push.example.net/"]
ORIGINS = ["", "127.0.0.1:8443", "https://push.example.net", "http://127.0.0.1/push", "a\0b", LONG]
CHOICES = ["", "netscape", LONG, "a\0b"]
TEXTS = ["", " ", "a\nb", "\x1b[2J", "\udcff", "a\0b"]
NAMES = ["a\nb", "\x1b[2J", "\udcff", "a\0b", LONG]
FLAG = ["=x"]

# By command: the arguments of each row, and the wrong values of each option. After a bar come further
# arguments, without which the command would miss something else.
BAD: dict[str, tuple[list[str], dict[str, list[str]]]] = {
    "demo": ([], {"--browser": CHOICES, "--json": FLAG}),
    "serve": (
        ["--port", "0", "--push-port", "0", "--data", "{data}"],
        {
            "--host": ["", "0.0.0.0", "localhost", "192.0.2.77", "1.2.3", "127.1", "::1", LONG, "a\0b"],
            "--port": PORTS,
            "--push-port": PORTS,
            "--https-port": PORTS,
            "--data": FOLDERS,
            "--database": DATABASES,
            "--sender": CHOICES,
            "--allow-endpoint": ORIGINS,
            "--flavour": CHOICES,
            "--control": FLAG,
            "--aud-without-port": FLAG,
            "--quiet": FLAG,
            "--certfile": [*FILES, "{binary}", "{file}"],
            "--keyfile": [*FILES, "{binary}", "{file}"],
            "--take-over": FLAG,
            "--processes": ["", "0", "-1", "x", "1.5", "1001", LONG, "a\0b"],
            "--cluster": ["", "x", "http://127.0.0.1:8786", "tcp://127.0.0.1", "tcp://192.0.2.7:8786",
                          "tls://127.0.0.1:99999", LONG, "a\0b"],
            "--cluster-ca": FILES,
            "--cluster-cert": FILES,
            "--cluster-key": FILES,
        },
    ),
    "browser": (
        [],
        {
            "kind": [f"{kind}|{URL}" for kind in ("", "virtual", LONG, "a\0b")],
            "url": [f"firefox|{url}" for url in URLS],
            "--profile": [f"{folder}|firefox|{URL}" for folder in FOLDERS],
            "--cafile": [f"{file}|firefox|{URL}" for file in [*FILES, "{binary}", "{file}"]],
            "--headless": FLAG,
        },
    ),
    "join": (
        [],
        {
            "--browser": [f"{kind}|{URL}" for kind in CHOICES],
            "--name": [f"{name}|{URL}" for name in NAMES],
            "url": URLS,
            "--profile": [f"{folder}|{URL}" for folder in FOLDERS],
            "--cafile": [f"{file}|{URL}" for file in [*FILES, "{binary}", "{file}"]],
            "--headless": FLAG,
        },
    ),
    "keys": (
        [],
        {
            "--file": ["{folder}", "{unreadable}", "{binary}", "{file}/k.env", "", LONG, "a\0b"],
            "--import": [f"{file}|--file|{{data}}/new.env" for file in [*FILES, "{binary}"]],
            "--subject": [f"{text}|--file|{{data}}/new.env"
                          for text in [*TEXTS, "nobody", "mailto:", "http://127.0.0.1/", LONG]],
            "--json": FLAG,
        },
    ),
    "subscription": (
        [],
        {
            "--data": ["{file}", "", LONG, "a\0b"],
            "--json": ["{folder}", "{file}/s.json", "{missing}/s.json", "", LONG, "a\0b"],
            "--https": FLAG,
            "--key": [*TEXTS, "BCVxsr7N", LONG, "private"],
        },
    ),
    "subscriptions": (
        [],
        {
            "--data": ["{file}", "{spoiled}", "", LONG, "a\0b"],
            "--database": DATABASES,
            "--json": FLAG,
            "--remove": ["", " ", f"{LONG}|--clear", "a\0b"],
            "--clear": FLAG,
        },
    ),
    "send": (
        ["--file", "{keys}"],
        {
            "subscription": [*FILES, "{binary}", "{file}", "{keys}"],
            "--file": [f"{file}|{{subscription}}" for file in [*FILES, "{binary}", "{file}"]],
            "--title": [f"{LONG}|{{subscription}}", "a\0b|{subscription}"],
            "--body": [f"{LONG}|{{subscription}}", "a\0b|{subscription}"],
            "--ttl": [f"{n}|{{subscription}}"
                      for n in ("-5", "abc", "", "1.5", "1_0", "9" * 5000, "a\0b")],
            "--urgency": [f"{kind}|{{subscription}}" for kind in CHOICES],
            "--topic": [f"{topic}|{{subscription}}" for topic in ("", "a b", "é", LONG, "a\0b")],
        },
    ),
    "doctor": (
        [],
        {
            "--subscription": FILES,
            "--keys": FILES,
            "--claims": FILES,
            "--options": FILES,
            "--page": TEXTS,
            "--host": TEXTS,
            "--port": PORTS,
            "--json": FLAG,
        },
    ),
    "inspect": (
        [],
        {
            "source": [*FILES, "{binary}", "{file}"],
            "--body": [f"{file}|{{request}}" for file in FILES],
            "--receiver": [f"{file}|{{request}}" for file in [*FILES, "{binary}", "{file}"]],
            "--at": [f"{at}|{{request}}" for at in ("-1", "nan", "inf", "soon", "", "9" * 5000, "a\0b")],
            "--show-secrets": FLAG,
            "--json": FLAG,
        },
    ),
    "conformance": (
        [],
        {
            "sender": ["a\0b"],
            "--subscribe": LOOPBACK_URLS,
            "--send": LOOPBACK_URLS,
            "--send-all": LOOPBACK_URLS,
            "--unsubscribe": LOOPBACK_URLS,
            "--subscribe-body": ["", " ", f"{{|--subscribe|{URL}", "a\0b"],
            "--send-body": ["", " ", f"{{|--subscribe|{URL}", "a\0b"],
            "--unsubscribe-body": ["", " ", f"{{|--subscribe|{URL}", "a\0b"],
            "--http": FLAG,
            "--port": PORTS,
            "--key": [f"{key}|--|true" for key in (*TEXTS, "AAAA", "B" * 87, LONG)],
            "--case": [f"{id}|--list" for id in (*TEXTS, "nosuch", "bytes.", LONG)],
            "--list": FLAG,
            "--json": FLAG,
            "--junit": [f"{file}|--|true" for file in REPORTS],
            "--html": [f"{file}|--|true" for file in REPORTS],
            "--seed": ["abc", "", "1.5", "1_0", "9" * 5000, "a\0b"],
        },
    ),
}  # fmt: skip
MORE = [
    [],
    ["fly"],
    [""],
    [LONG],
    ["--nosuch"],
    ["serve", "--nosuch"],
    ["serve", "left", "over"],
    ["serve", "--port"],
    ["serve", "--port", "8999", "--push-port", "8999"],
    ["serve", "--certfile", "{binary}"],
    ["browser"],
    ["browser", "firefox"],
    ["join"],
    ["send"],
    ["send", "{subscription}", "{subscription}"],
    ["subscriptions", "--data", "{data}", "--clear", "--remove", "ada"],
    ["keys", "--import", "{keys}", "--file", "{other_keys}"],
    ["conformance", "--port", "65535", "--", "true"],
    ["conformance", "--send", URL],
    ["conformance", "--subscribe", URL, "--", "true"],
]


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Make the files and folders that the table names."""
    at = tmp_path_factory.mktemp("places")
    listed = "missing folder unreadable file binary data spoiled keys other_keys subscription request"
    names = {name: at / name for name in listed.split()}
    for name in ("folder", "data", "spoiled"):
        names[name].mkdir()
    names["file"].write_text("neither JSON nor a key")
    names["binary"].write_bytes(bytes(range(256)) * 8)
    (names["spoiled"] / "appserver.sqlite3").write_bytes(b"this is no database" * 100)
    for name in ("keys", "other_keys"):
        assert main(["keys", "--file", str(names[name]), "--json"]) == 0
    key = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
    names["subscription"].write_text(
        f'{{"endpoint": "{URL}p", "keys": {{"p256dh": "{key}", "auth": "BTBZMqHH6r4Tts7J_aSIgg"}}}}'
    )
    names["request"].write_text("POST /p HTTP/1.1\r\nHost: push.example.net\r\nTTL: 15\r\n\r\n")
    if os.name == "posix" and os.geteuid():
        names["unreadable"].write_text("")
        names["unreadable"].chmod(0)
    else:  # Everything can be read: a path that leads in a circle cannot.
        names["unreadable"].symlink_to(names["unreadable"])
    return names


def commands():
    """Return the parser of each command, by its name."""
    whole = parser(dict.fromkeys(BAD, main))
    (action,) = (one for one in whole._actions if isinstance(one, argparse._SubParsersAction))
    return action.choices


def test_every_option_of_every_command_has_a_row():
    found = {
        name: {max(one.option_strings, key=len, default=one.dest) for one in one_command._actions}
        - {"--help"}
        for name, one_command in commands().items()
    }
    assert found == {name: set(options) for name, (_, options) in BAD.items()}


def rows(name):
    """Yield the arguments of each row of a command."""
    before, options = BAD[name]
    for option, values in options.items():
        for value in values:
            first, *after = value.split("|")
            if value == "=x":
                yield [name, *before, f"{option}=x"]
            elif option.startswith("--"):
                yield [name, *before, option, first, *after]
            else:
                yield [name, *before, first, *after]


def complaint_about(arguments, places, capsys) -> str:
    """Run a command in this process; return what it said on standard error, if it ended with 2."""
    filled = [re.sub(r"\{(\w+)\}", lambda found: str(places[found[1]]), one) for one in arguments]
    shown = [one[:60] for one in filled]
    try:
        status = main(filled)
    except SystemExit as stopped:
        status = stopped.code
    said = capsys.readouterr()
    assert status == 2, f"{shown} ended with {status}: {said.out[-300:]}{said.err[-300:]}"
    return said.err


@pytest.fixture
def one_parser(monkeypatch):
    """Build the parser once for all rows of a test: it takes ten times as long as to refuse one."""
    built = []

    def build(runs):
        built.extend([parser(runs)] if not built else [])
        return built[0]

    monkeypatch.setattr(the_commands, "parser", build)


@pytest.mark.usefixtures("one_parser")
@pytest.mark.parametrize("name", [*BAD, ""])
def test_a_wrong_argument_is_one_line_and_exit_status_2(name, places, capsys, monkeypatch):
    monkeypatch.setenv("PUSHLAB_DATA", str(places["data"]))
    monkeypatch.setenv("PUSHLAB_BROWSER", "firefox")
    for arguments in rows(name) if name else MORE:
        said = complaint_about(arguments, places, capsys)
        shown = [one[:60] for one in arguments]
        assert said.startswith("pushlab: ") and said.count("\n") == 1, (shown, said)
        assert len(said) < 1000 and "Traceback" not in said, (shown, said)
        assert not re.search("Lab\\(|[Kk]ernel", said), f"{shown}: words of a notebook: {said}"


def test_help_names_every_option_and_the_command_as_it_is_typed(capsys):
    for name in commands():
        with pytest.raises(SystemExit) as stopped:
            _options([name, "--help"])
        printed = capsys.readouterr().out
        assert stopped.value.code == 0 and f"usage: ./lab {name}" in printed
        assert all(option in printed for option in BAD[name][1] if option.startswith("--"))


def test_help_needs_nothing_that_is_not_python_s_own():
    """``-S`` leaves out site-packages, ``-I`` everything else that is not Python's own."""
    program = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r})\n"
        "from pushlab.cli.commands import main; main(['serve', '--help'])"
    )
    command = [sys.executable, "-I", "-S", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=patience(60))
    assert (done.returncode, done.stderr) == (0, "") and "--flavour" in done.stdout


def test_the_flavours_that_the_help_names_are_those_that_there_are(capsys):
    with pytest.raises(SystemExit):
        _options(["serve", "--help"])
    printed = capsys.readouterr().out
    assert all(flavour in printed for flavour in Flavour)
