"""The socket of a Jupyter server: who may listen at it, and what becomes of it."""

import http.client
import os
import socket
import stat
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from pushlab.lab import page_socket
from pushlab.lab.page_socket import ENTRY, VARIABLE, PageSocket, server_entry


@pytest.fixture
def entry(monkeypatch):
    """Make the entry of a Jupyter server, which is this process; its kernel is this process, too."""
    monkeypatch.setenv(VARIABLE, "")
    deleting = []
    monkeypatch.setattr(page_socket.atexit, "register", deleting.append)
    yield server_entry()
    for delete in deleting:
        delete()


def test_the_entry_leads_to_a_socket_in_a_folder_of_this_user_alone(entry):
    path = Path(entry["unix_socket"])
    assert entry["command"] == [] and entry["absolute_url"] is False
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700 and not path.exists()
    assert os.environ[VARIABLE] == str(path), "what the server starts has this variable"
    taken = PageSocket.take()
    try:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert taken.listener.getsockname() == str(path)
    finally:
        taken.release()
    assert not path.exists()
    taken.release()  # A second call does nothing.


def test_one_lab_has_it_at_a_time_and_a_killed_one_leaves_nothing(entry):
    first = PageSocket.take()
    try:
        assert PageSocket.take() is None
    finally:
        first.release()
    code = "import os; from pushlab.lab.page_socket import PageSocket; PageSocket.take(); os._exit(9)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 9
    assert Path(entry["unix_socket"]).exists(), "the socket of the killed one"
    second = PageSocket.take()
    assert second is not None
    second.release()


def test_no_socket_where_somebody_else_could_be(entry, monkeypatch, tmp_path):
    folder = Path(entry["unix_socket"]).parent
    folder.chmod(0o750)
    assert PageSocket.take() is None, "the group may look in"
    folder.chmod(0o700)
    link = tmp_path / "link"
    link.symlink_to(folder)
    long = tmp_path / ("x" * 120)
    long.mkdir(0o700)
    for path in ("", "socket", f"{link}/socket", f"{tmp_path}/missing/socket", f"{long}/socket"):
        monkeypatch.setenv(VARIABLE, path)
        monkeypatch.chdir(tmp_path)
        tmp_path.chmod(0o755)
        assert PageSocket.take() is None, path
    monkeypatch.delenv(VARIABLE)
    assert PageSocket.take() is None


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")
def test_no_socket_in_a_folder_of_another_user(entry):
    folder = Path(entry["unix_socket"]).parent
    os.chown(folder, 65534, -1)
    try:
        assert PageSocket.take() is None
    finally:
        os.chown(folder, 0, -1)


def test_pyproject_names_the_entry():
    """An environment that an earlier version was installed in does not know it yet."""
    named = entry_points(group="jupyter_serverproxy_servers", name=ENTRY)
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8")
    assert f'{ENTRY} = "pushlab.lab.page_socket:server_entry"' in text
    assert all(one.load() is server_entry for one in named)


def test_the_page_is_there_and_needs_no_secret(entry, tmp_path):
    from pushlab.lab.runtime import LabRuntime

    with LabRuntime(port=0, push_port=0, data=tmp_path, private=True) as lab:
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(entry["unix_socket"])
        connection.request("GET", "/vapid")
        assert connection.getresponse().read().decode() == lab.keys.application_server_key
        connection.close()
        assert lab.jupyter_entry == ENTRY
    assert not Path(entry["unix_socket"]).exists()
    with LabRuntime(port=0, push_port=0, data=tmp_path) as lab:
        assert lab.jupyter_entry == "" and not Path(entry["unix_socket"]).exists()
