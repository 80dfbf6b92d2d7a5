"""Joining a room: which browser, at which page, with which exception, past which proxy."""

import pytest
import trustme

from pushlab.cli import join
from pushlab.cli.commands import main
from pushlab.errors import BadArgument, BrowserNotFound, LabError
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
    assert firefox._page == chromium._page == "", "this machine is secure as it is"


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


@pytest.fixture(scope="module")
def issuer():
    return trustme.CA()


@pytest.fixture(scope="module")
def secure_lab(issuer, tmp_path_factory):
    """Serve the page by https with a certificate of nobody's authority; give the lab and its file."""
    folder = tmp_path_factory.mktemp("secure")
    made = issuer.issue_cert("127.0.0.1")
    made.cert_chain_pems[0].write_to_path(folder / "lab.pem")
    made.private_key_pem.write_to_path(folder / "lab.key")
    issuer.cert_pem.write_to_path(folder / "issuer.pem")
    files = {"certfile": folder / "lab.pem", "keyfile": folder / "lab.key"}
    with LabRuntime(port=0, push_port=0, data=folder / "data", **files) as lab:
        yield lab, folder


@pytest.mark.parametrize("file", ["issuer.pem", "lab.pem"])
def test_a_page_by_https_is_trusted_by_the_file_that_the_participant_was_given(secure_lab, file):
    lab, folder = secure_lab
    for kind in ("firefox", "chromium"):
        browser = join.browser_for(lab.page_url, kind, folder / file, headless=True)
        assert browser._page == lab.page_url.rstrip("/"), "this page alone"
        assert browser._certificate == lab._certificate.der


def test_a_certificate_that_is_not_trusted_is_told_with_the_option_and_the_file(secure_lab, capsys):
    lab, _ = secure_lab
    assert main(["join", lab.page_url, "--browser", "firefox"]) == 1
    said = capsys.readouterr().err
    assert "is not trusted: unable to get local issuer certificate" in said
    assert "Ask your instructor for the file" in said and "add --cafile FILE to this command" in said


def test_a_file_that_does_not_fit_is_told_from_none(secure_lab, issuer, tmp_path):
    lab, folder = secure_lab
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    with pytest.raises(LabError, match=r"is not trusted: .* Give the certificate of this room's page"):
        join.browser_for(lab.page_url, "firefox", other)
    with pytest.raises(BadArgument, match=r"lab\.key holds no certificate\..* not a key"):
        join.browser_for(lab.page_url, "firefox", folder / "lab.key")
    name = lab.page_url.replace("127.0.0.1", "localhost")
    with pytest.raises(LabError, match=r"not valid for 'localhost'.* a name for which its certificate"):
        join.browser_for(name, "firefox", folder / "issuer.pem")


def test_real_browsers_get_a_message_from_a_page_with_a_certificate_of_one_s_own(
    secure_lab, firefox_installed, chromium_installed
):
    lab, _ = secure_lab
    for kind in ("firefox", "chromium"):
        browser = lab.open(kind, headless=True)
        browser.subscribe()
        browser.notify_me()
        assert browser.wait_for_notification().title == "Hello, Notifications!"
        browser.close()
