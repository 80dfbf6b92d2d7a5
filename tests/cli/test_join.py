"""Joining a room: which browser, at which page, with which exception, past which proxy."""

import pytest

from pushlab.cli import join
from pushlab.errors import BrowserNotFound, LabError
from pushlab.lab import browser
from pushlab.lab.runtime import LabRuntime
from pushlab.useragent.chromium.browser import Chromium
from pushlab.useragent.firefox.browser import Firefox

ROOM = "http://192.168.1.20:8292"


@pytest.fixture
def lab(tmp_path):
    with LabRuntime(port=0, push_port=0, data=tmp_path) as lab:
        yield lab


def test_a_browser_is_made_for_the_push_service_that_the_lab_names(lab):
    firefox = join.browser_for(lab.page_url, "firefox", headless=True)
    assert isinstance(firefox, Firefox) and firefox._push_url == lab.push_service.ws_url
    chromium = join.browser_for(lab.page_url, "chromium", headless=True)
    assert isinstance(chromium, Chromium)
    assert chromium._listeners.mcs_url == lab.push_service.chromium.mcs_url
    assert chromium._listeners.spki == lab.push_service.chromium.spki
    assert firefox._trusted == chromium._trusted == "", "this machine is secure as it is"


@pytest.mark.parametrize("written", [ROOM, f"{ROOM}/", f"{ROOM}/#token=secret"])
def test_the_address_may_be_written_as_it_was_seen(written):
    assert join.page_of(written, "") == f"{ROOM}/"
    assert join.page_of(written, "Ada & Grace") == f"{ROOM}/#name=Ada%20%26%20Grace"


@pytest.mark.parametrize(
    ("url", "trusted"),
    [
        (ROOM, ROOM),
        ("http://192.168.1.20:80/", "http://192.168.1.20"),
        ("https://192.168.1.20:8292/", ""),
        ("http://localhost:8292/", ""),
    ],
)
def test_only_a_page_from_elsewhere_over_plain_http_needs_an_exception(url, trusted):
    assert browser.trusted_origin(url) == trusted
    assert bool(join.weakened(url, "firefox", None)) == bool(trusted)


def test_the_exception_is_told_as_wide_as_it_is(tmp_path):
    assert "every page from 192.168.1.20 as secure" in join.weakened(ROOM, "firefox", None)
    assert f"treats {ROOM} as secure" in join.weakened(ROOM, "chromium", None)
    assert "thrown away" in join.weakened(ROOM, "firefox", None)
    assert f"{tmp_path} is kept" in join.weakened(ROOM, "firefox", tmp_path)


def test_no_proxy_is_asked_for_what_is_near(lab, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    assert join.push_service_of(lab.page_url) == lab.push_service.ws_url


def test_a_proxy_is_asked_for_what_is_far(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(LabError, match="refused"):
        join.push_service_of("http://lab.example.net:8292/")


def test_the_first_browser_that_is_installed_is_taken(monkeypatch):
    monkeypatch.setattr(join, "installed_browsers", lambda: ["chromium"])
    assert join.first_installed() == "chromium"
    monkeypatch.setattr(join, "installed_browsers", lambda: ["virtual"])
    with pytest.raises(BrowserNotFound, match="Install one of them"):
        join.first_installed()
