"""What is Firefox's own: its preferences. The rest is in ``test_browser.py``."""

import json
import stat
from hashlib import sha256

from pushlab.useragent.firefox import profile as firefox_profile


def test_the_profile_holds_every_preference_and_where_the_push_service_is(tmp_path):
    firefox_profile.write(tmp_path / "new", "ws://10.77.0.1:8030/")
    lines = (tmp_path / "new" / "user.js").read_text().splitlines()
    written = dict(
        json.loads(f"[{line.removeprefix('user_pref(').removesuffix(');')}]") for line in lines
    )
    assert written["dom.push.serverURL"] == "ws://10.77.0.1:8030/"
    assert written["network.proxy.no_proxies_on"] == "10.77.0.1"
    tables = [
        firefox_profile.PUSH,
        firefox_profile.QUIET,
        firefox_profile.NETWORK,
        firefox_profile.FIRST_RUN,
        firefox_profile.ONE_PAGE,
    ]
    assert len(written) == len(lines) == sum(map(len, tables)) + 2


def test_nobody_else_reads_the_address_of_the_push_service(tmp_path):
    kept = tmp_path / "kept"
    kept.mkdir(0o755)
    (kept / "user.js").touch(0o644)  # An earlier version wrote it so.
    for folder in (tmp_path / "new", kept):
        firefox_profile.write(folder, "ws://127.0.0.1:8030/SECRET/")
        assert stat.S_IMODE((folder / "user.js").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def test_one_host_may_be_treated_as_secure_and_is_reached_past_the_proxy(tmp_path):
    def allowed(page="", certificate=b"") -> set[str]:
        firefox_profile.write(tmp_path, "ws://10.77.0.1:8030/", page, certificate)
        lines = (tmp_path / "user.js").read_text().splitlines()
        return {line for line in lines if "allowlist" in line or "no_proxies_on" in line}

    near = 'user_pref("network.proxy.no_proxies_on", "10.77.0.1");'
    assert allowed() == {near}
    # A bare host: with a scheme or a port, Firefox would pass it over without a word.
    secure = 'user_pref("dom.securecontext.allowlist", "10.77.0.1");'
    assert allowed("http://10.77.0.1:8292") == {near, secure}
    both = near.replace("10.77.0.1", "10.77.0.1, lab.example")
    assert allowed("https://lab.example:8292") == {both}, "https needs no exception"
    assert not (tmp_path / "cert_override.txt").exists()
    assert allowed("https://lab.example", b"DER") == {both}
    digest = sha256(b"DER").digest().hex(":").upper()
    accepted = f"lab.example:443:\tOID.2.16.840.1.101.3.4.2.1\t{digest}\t\n"
    assert (tmp_path / "cert_override.txt").read_text() == accepted
