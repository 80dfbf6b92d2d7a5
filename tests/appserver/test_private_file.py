"""Files that hold a secret: whole or not there, for their owner alone; no other file touched."""

import errno
import os
import stat

import pytest

from pushlab.appserver import private_file
from pushlab.errors import KeyFileError, KeyFileExists


def test_a_write_that_fails_leaves_the_old_file_and_no_draft(tmp_path, monkeypatch):
    path = tmp_path / "secret"
    private_file.write(path, b"old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(KeyFileError, match="No space left"):
        private_file.write(path, b"new", overwrite=True)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["secret"]


@pytest.mark.parametrize("code", [errno.EPERM, errno.ENOTSUP, errno.EACCES, errno.EINVAL])
def test_where_there_are_no_links_a_file_gets_its_name_all_the_same(tmp_path, monkeypatch, code):
    def refuse(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(private_file.os, "link", refuse)
    path = tmp_path / "key.pem"
    private_file.write(path, b"new")
    assert path.read_bytes() == b"new" and stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(KeyFileExists):
        private_file.write(path, b"newer")
    assert path.read_bytes() == b"new" and list(tmp_path.iterdir()) == [path]


def test_create_refuses_a_name_that_is_taken(tmp_path):
    (tmp_path / "taken").touch()
    with pytest.raises(FileExistsError):
        private_file.create(tmp_path / "taken")


@pytest.mark.skipif(os.name != "posix", reason="Windows has access lists, not modes")
def test_restrict_permissions_changes_only_a_plain_file_of_our_own(tmp_path, caplog):
    plain, pipe = tmp_path / "plain", tmp_path / "pipe"
    plain.touch()
    plain.chmod(0o640)
    os.mkfifo(pipe)
    pipe.chmod(0o644)
    private_file.restrict_permissions(plain)
    private_file.restrict_permissions(pipe)
    assert stat.S_IMODE(plain.stat().st_mode) == 0o600
    assert stat.S_IMODE(pipe.stat().st_mode) == 0o644
    assert "pipe" in caplog.text and "plain" not in caplog.text


@pytest.mark.skipif(os.name != "posix", reason="Windows has access lists, not modes")
def test_restrict_permissions_leaves_the_file_of_another_user(tmp_path, monkeypatch, caplog):
    path = tmp_path / "theirs"
    path.touch()
    path.chmod(0o644)
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    private_file.restrict_permissions(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert "chmod 600" in caplog.text
