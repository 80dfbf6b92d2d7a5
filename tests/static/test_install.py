"""The page as an app: what a real Chromium finds wrong before it offers to install it."""

import json

from .conftest import visit


def asked(page, method: str) -> dict:
    return page.context.new_cdp_session(page).send(f"Page.{method}")


def errors(page) -> list[str]:
    """Return what stands in the way. A profile of a test may be one that installs nothing at all."""
    found = asked(page, "getInstallabilityErrors")["installabilityErrors"]
    return [error["errorId"] for error in found if error["errorId"] != "in-incognito"]


def test_chromium_reads_the_manifest(page, server):
    visit(page, server.url)
    answer = asked(page, "getAppManifest")
    assert (answer["url"], answer["errors"]) == (f"{server.url}manifest.webmanifest", [])
    assert json.loads(answer["data"])["short_name"] == "pushlab"
    told = answer["manifest"]
    assert (told["startUrl"], told["scope"], told["id"]) == (server.url,) * 3
    assert told["display"] == "kStandalone"


def test_chromium_would_install_the_page(page, server):
    visit(page, server.url)
    assert errors(page) == []


def test_behind_a_proxy_the_app_is_the_page_and_not_what_is_around_it(page, proxy):
    visit(page, proxy.url)
    assert errors(page) == []
    told = asked(page, "getAppManifest")["manifest"]
    assert (told["startUrl"], told["scope"], told["id"]) == (proxy.url,) * 3
    assert proxy.elsewhere == []


def test_the_control_an_app_without_icons(page, proxy):
    bare = {"name": "bare", "start_url": "./", "display": "standalone", "icons": []}
    kind = "application/manifest+json"
    proxy.answers["/manifest.webmanifest"] = (200, kind, json.dumps(bare))
    visit(page, proxy.url)
    assert errors(page) != []
