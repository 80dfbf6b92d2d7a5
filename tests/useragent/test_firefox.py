"""What is Firefox's own: its preferences. The rest is in ``test_browser.py``."""

import json

from pushlab.useragent import firefox_profile


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
    ]
    assert len(written) == len(lines) == sum(map(len, tables)) + 2
