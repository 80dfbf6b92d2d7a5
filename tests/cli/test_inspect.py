"""``pushlab inspect``: a file in, an account of it out, and an exit status."""

import io
import json

import pytest

from pushlab.cli.commands import main
from pushlab.protocol import base64url, examples

RFC, TOKEN = examples.RFC8291, examples.RFC8292
HEAD = (
    "POST /p/JzLQ3raZJfFB HTTP/1.1\r\nHost: push.example.net\r\nTTL: 15\r\n"
    "Content-Encoding: aes128gcm\r\n"
    f"Authorization: vapid t={TOKEN.token}, k={base64url.encode(TOKEN.public)}\r\n\r\n"
).encode()
AT = ["--at", "1453500000"]


@pytest.fixture
def captured(tmp_path):
    path = tmp_path / "request"
    path.write_bytes(HEAD + RFC.body)
    return path


@pytest.fixture
def receiver(tmp_path):
    path = tmp_path / "receiver.json"
    keys = {"private": base64url.encode(RFC.ua_private), "auth": base64url.encode(RFC.auth_secret)}
    path.write_text(json.dumps(keys))
    return path


def test_a_request_that_is_right(captured, receiver, capsys):
    assert main(["inspect", str(captured), "--receiver", str(receiver), *AT]) == 0
    said = capsys.readouterr().out
    assert "https://push.example.net/…" in said and "plaintext, 41 bytes" in said
    assert "watermelon" not in said
    assert main(["inspect", str(captured), "--receiver", str(receiver), "--show-secrets", *AT]) == 0
    assert "watermelon" in capsys.readouterr().out


def test_a_fault_ends_with_1(captured, capsys):
    assert main(["inspect", str(captured)]) == 1, "the RFC's token has expired long ago"
    assert "exp is" in capsys.readouterr().out


def test_json_for_programs(captured, capsys):
    assert main(["inspect", str(captured), "--json", *AT]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert [part[2] for part in json.loads(line)["body"]][:2] == ["salt", "rs"]


def test_standard_input_and_a_body_by_itself(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(HEAD)))
    body = tmp_path / "body.txt"
    body.write_text(RFC.body.hex(" "))
    assert main(["inspect", "-", "--body", str(body), *AT]) == 0
    assert "144 bytes" in (said := capsys.readouterr().out) and "hexadecimal" in said


def test_an_http_file_names_its_body(tmp_path, capsys):
    (tmp_path / "body.bin").write_bytes(RFC.body)
    path = tmp_path / "requests.http"
    part = HEAD.replace(b"POST /p", b"POST https://push.example.net/p") + b"< ./body.bin\r\n"
    path.write_bytes(part + b"###\r\n" + part)
    assert main(["inspect", str(path), *AT]) == 0
    assert capsys.readouterr().out.count("Body: 144 bytes") == 2


@pytest.mark.parametrize("content", [b"", b"Dear all", b"{}"])
def test_what_is_no_request_ends_with_2_and_one_line(tmp_path, content, capsys):
    path = tmp_path / "file"
    path.write_bytes(content)
    assert main(["inspect", str(path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_files_that_are_not_there_end_in_one_line(tmp_path, captured, capsys):
    gone = str(tmp_path / "gone")
    for arguments in ([gone], [str(captured), "--body", gone], [str(captured), "--receiver", gone]):
        assert main(["inspect", *arguments]) in (1, 2)
        assert gone in (said := capsys.readouterr().err) and said.count("\n") == 1
