"""The filter that keeps Chromium from asking which networks there are, on a Linux that has none."""

import subprocess
import sys

import pytest

from pushlab.useragent.chromium import offline
from pushlab.useragent.chromium.browser import Chromium

ASK = """
import socket
for family, kind, protocol in [(16, 3, 0), (16, 3, 15), (2, 1, 0)]:
    try:
        socket.socket(family, kind, protocol).close()
        print("yes", end=" ")
    except OSError as error:
        print(error.errno == 97 and "refused", end=" ")
"""

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or offline.platform.machine() not in offline.MACHINES,
    reason="only Linux has such filters",
)


def test_one_question_is_refused_and_every_other_socket_is_there():
    ask = [sys.executable, "-c", ASK]
    behind = [sys.executable, "-I", "-S", offline.__file__, *ask]
    assert subprocess.run(ask, capture_output=True, text=True).stdout == "yes yes yes "
    assert subprocess.run(behind, capture_output=True, text=True).stdout == "refused yes yes "


@pytest.mark.parametrize("interfaces", [["lo"], ["lo", "down0"], ["lo", "eth0"]])
def test_it_is_offline_when_no_interface_but_the_loopback_is_up(monkeypatch, interfaces):
    monkeypatch.setattr(offline.socket, "if_nameindex", lambda: list(enumerate(interfaces)))
    monkeypatch.setattr(offline, "_up", lambda name: name == "eth0")
    assert offline.is_offline() == ("eth0" not in interfaces)


def test_the_loopback_does_not_count():
    assert offline._up("lo") is False


@pytest.mark.parametrize("is_offline", [True, False])
def test_only_then_it_starts_by_way_of_the_filter(monkeypatch, tmp_path, is_offline):
    monkeypatch.setattr(offline, "is_offline", lambda: is_offline)
    started = Chromium(None)._program(tmp_path / "chromium")
    assert (offline.__file__ in started) == is_offline
    assert started[-1] == str(tmp_path / "chromium")
