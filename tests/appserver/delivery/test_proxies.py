"""A proxy of the environment is told where a request has found no way, and never used."""

import os

import pytest

from pushlab.appserver.delivery.proxies import unused_proxy

VENDOR = "https://updates.push.services.mozilla.com"


@pytest.fixture(autouse=True)
def no_proxy_yet(monkeypatch):
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


def test_without_a_proxy_nothing_is_told():
    assert unused_proxy(VENDOR) == ""


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_a_proxy_is_told_by_its_variable_alone(monkeypatch, name):
    monkeypatch.setenv(name, "http://me:pa55word@proxy.corp.example:3128")
    told = unused_proxy(VENDOR)
    assert told.startswith(f"{name.upper()} is set") and "corp" not in told and "pa55word" not in told


def test_no_proxy_is_heeded_and_an_http_proxy_is_none_for_https(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.corp.example:3128")
    assert unused_proxy(VENDOR) == ""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.corp.example:3128")
    monkeypatch.setenv("NO_PROXY", "push.services.mozilla.com,127.0.0.1")
    assert unused_proxy(VENDOR) == unused_proxy("https://127.0.0.1:8030") == ""
    assert unused_proxy("https://fcm.googleapis.com")
