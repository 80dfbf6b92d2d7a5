"""``pushlab keys``, and how all commands speak of files that cannot be read."""

import json
import os
import stat

import pytest

from pushlab.appserver.keys import VapidKeys
from pushlab.cli.commands import main
from pushlab.doctor import examine
from pushlab.protocol import base64url

RAW = bytes(range(1, 33))
KEYS = VapidKeys.from_raw(RAW)
PUBLIC, PRIVATE = KEYS.application_server_key, base64url.encode(RAW)
WEB_PUSH = json.dumps({"publicKey": PUBLIC, "privateKey": PRIVATE})


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    for name in ("VAPID_PRIVATE_KEY", "VAPID_PUBLIC_KEY", "VAPID_SUBJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PUSHLAB_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def test_a_file_of_web_push_is_imported_and_its_private_key_is_not_printed(tmp_path, data, capsys):
    source = tmp_path / "keys.json"
    source.write_text(WEB_PUSH, "utf-16")
    assert main(["keys", "--import", str(source), "--subject", "mailto:me@example.org"]) == 0
    printed = capsys.readouterr().out
    assert "web-push" in printed and PUBLIC in printed and PRIVATE not in printed
    kept = VapidKeys.load(data / "vapid.env")
    assert (kept.public, kept.subject) == (KEYS.public, "mailto:me@example.org")
    if os.name == "posix":
        assert stat.S_IMODE((data / "vapid.env").stat().st_mode) == 0o600
    assert main(["keys", "--import", str(source)]) == 0, "the same keys may be imported again"


def test_other_keys_are_never_written_over(tmp_path, data, capsys):
    assert main(["keys"]) == 0
    before = (data / "vapid.env").read_bytes()
    (tmp_path / "keys.json").write_text(WEB_PUSH)
    assert main(["keys", "--import", str(tmp_path / "keys.json")]) == 2
    assert "--file NEW" in capsys.readouterr().err
    assert (data / "vapid.env").read_bytes() == before
    assert main(["keys", "--import", str(tmp_path / "keys.json"), "--file", str(tmp_path / "new")]) == 0


def test_keys_says_what_it_took_from_where(data, monkeypatch, capsys):
    monkeypatch.setenv("VAPID_PRIVATE_KEY", PRIVATE)
    monkeypatch.setenv("VAPID_SUBJECT", "mailto:me@example.org")
    assert main(["keys"]) == 0
    printed = capsys.readouterr().out
    assert "come from the environment" in printed and PUBLIC in printed
    assert main(["keys", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["keys_from"] == facts["subject_from"] == "the environment" and not facts["made"]
    assert not (data / "vapid.env").exists()
    assert main(["keys", "--file", str(data / "mine.env")]) == 0
    assert PUBLIC not in capsys.readouterr().out, "a file that is named is what is asked for"


def test_a_public_key_alone_in_the_environment_is_told(data, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("VAPID_PUBLIC_KEY", PUBLIC)
    monkeypatch.setenv("VAPID_PRIVAT_KEY", PRIVATE)
    words = "VAPID_PUBLIC_KEY is in the environment without VAPID_PRIVATE_KEY"
    for _ in ("made", "found"):
        assert main(["keys"]) == 0
        assert words in capsys.readouterr().err
    assert "public-key-alone" in [finding.code for finding in examine(data=data)]
    assert main(["keys", "--file", str(data / "vapid.env")]) == 0
    assert capsys.readouterr().err == "", "a file that is named is what is asked for"
    KEYS.save(data / "vapid.env", overwrite=True)
    assert main(["keys"]) == 0
    assert capsys.readouterr().err == "", "it is the same key"
    assert "public-key-alone" not in [finding.code for finding in examine(data=data)]


def test_the_subject_is_written_into_the_file(data, capsys):
    assert main(["keys", "--subject", "mailto:me@example.org"]) == 0
    assert main(["keys", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert facts["subject"] == "mailto:me@example.org" and not facts["made"]
    assert main(["keys", "--subject", "me"]) == 2
    assert "mailto:" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [
        ["send", "nosuch.json"],
        ["send", "."],
        ["send", "/dev/zero"],
        ["send", "--file", "nosuch.env", "SUBSCRIPTION"],
        ["keys", "--file", "."],
        ["keys", "--import", "nosuch.json"],
        ["keys", "--import", "."],
        ["doctor", "--subscription", "nosuch.json"],
        ["doctor", "--keys", "."],
    ],
    ids=" ".join,
)
@pytest.mark.skipif(os.name != "posix", reason="/dev/zero, and a folder opened as a file")
def test_a_file_that_cannot_be_read_is_one_line_and_status_2(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "SUBSCRIPTION").write_text("{}")
    assert main(command) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.startswith("pushlab: ") and said.err.count("\n") == 1
    assert "cannot be read" in said.err


SUBSCRIPTION = '{"endpoint":"https://push.example.net/s3cret","keys":{"auth":"BTBZMqHH6r4Tts7J_aSIgg"}}'


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["keys", "--file", PRIVATE], "the private key itself"),
        (["keys", "--file", PRIVATE, "--subject", "mailto:me@example.org"], "the private key itself"),
        (["keys", "--import", PRIVATE], "the private key itself"),
        (["keys", "--import", KEYS.to_pem().decode()], "the private key itself"),
        (["keys", "--subject", PRIVATE], "the private key"),
        (["keys", "--subject", RAW.hex()], "the private key"),
        (["keys", "--subject", f"mailto:{PRIVATE}"], "the private key"),
        (["keys", "--subject", KEYS.to_pem().decode()], "characters that cannot be shown"),
        (["doctor", "--keys", PRIVATE], "the private key itself"),
        (["doctor", "--keys", KEYS.to_pem().decode()], "the private key itself"),
        (["doctor", "--subscription", SUBSCRIPTION], "JSON"),
        (["doctor", "--claims", PRIVATE], "the private key itself"),
        (["send", SUBSCRIPTION], "JSON"),
        (["send", "--file", PRIVATE, "SUBSCRIPTION"], "the private key itself"),
        (["inspect", "curl https://push.example.net/s3cret"], "a URL"),
        (["inspect", "SUBSCRIPTION", "--receiver", PRIVATE], "the private key itself"),
    ],
)
def test_a_key_or_json_in_place_of_a_path_is_named_and_not_repeated(
    command, words, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "SUBSCRIPTION").write_text("{}")
    try:
        status = main(command)
    except SystemExit as ended:  # argparse's own
        status = ended.code
    assert status == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.startswith("pushlab: ") and said.err.count("\n") == 1
    assert words in said.err
    pem = KEYS.to_pem().decode().splitlines()[1]
    for secret in (PRIVATE, RAW.hex(), pem, "s3cret", "BTBZMqHH"):
        assert secret not in said.err
    assert [path.name for path in tmp_path.iterdir() if path.name != "data"] == ["SUBSCRIPTION"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"endpoint": ""}'.encode("utf-16"), "UTF-16"),
        (b'{"subscription": {"endpoint": "https://push.example.net/"}}', "member subscription"),
        (b"[]", "array"),
        (b"\xff", "UTF-8"),
        (b"", "not JSON"),
    ],
)
def test_send_names_the_file_and_what_is_wrong_with_it(tmp_path, capsys, content, words):
    (tmp_path / "s.json").write_bytes(content)
    assert main(["keys"]) == 0
    assert main(["send", str(tmp_path / "s.json")]) == 2
    said = capsys.readouterr().err
    assert "s.json: " in said and words in said and said.count("\n") == 1
