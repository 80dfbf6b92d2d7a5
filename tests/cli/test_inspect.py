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


@pytest.mark.parametrize("name", ["/etc/hostname", "../body.bin", "a/../../body.bin", "link", "a\0b"])
def test_an_http_file_names_no_file_elsewhere(tmp_path, name, capsys):
    """Somebody else may have written it, and would have other files of this machine shown."""
    (tmp_path / "body.bin").write_bytes(RFC.body)
    (folder := tmp_path / "folder").mkdir()
    (folder / "link").symlink_to(tmp_path / "body.bin")
    path = folder / "request.http"
    path.write_bytes(HEAD.replace(b"POST /p", b"POST https://push.example.net/p") + f"< {name}".encode())
    assert main(["inspect", str(path), *AT]) in (1, 2)
    said = capsys.readouterr()
    assert "144 bytes" not in said.out and ("--body" in said.err or "\0" in name)


def test_json_holds_nothing_that_steers_a_terminal(tmp_path, capsys):
    path = tmp_path / "request"
    path.write_bytes(HEAD.replace(b"aes128gcm", b"\x9b31m"))
    assert main(["inspect", str(path), "--json", *AT]) == 1
    assert capsys.readouterr().out.rstrip("\n").isprintable()


def test_more_than_is_read_of_standard_input_is_said(monkeypatch, capsys):
    monkeypatch.setattr("pushlab.cli.inspect.MAX_SIZE", 1000)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"x" * 1001)))
    assert main(["inspect", "-"]) == 2
    assert "larger than 1000 bytes" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"Dear all", b"{}", b"\n" * 10**6, b"//\n" * 10**6])
def test_what_is_no_request_ends_with_2_and_one_line(tmp_path, content, capsys):
    # The time it takes grows with the lines and not with their square, or this would not end.
    path = tmp_path / "file"
    path.write_bytes(content)
    assert main(["inspect", str(path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_files_that_are_not_there_end_in_one_line(tmp_path, captured, capsys):
    gone = str(tmp_path / "gone")
    for arguments in ([gone], [str(captured), "--body", gone], [str(captured), "--receiver", gone]):
        assert main(["inspect", *arguments]) in (1, 2)
        assert gone in (said := capsys.readouterr().err) and said.count("\n") == 1
