"""``pushlab subscriptions``: what is stored is listed, and nothing of it is a secret."""

import json
import re

import pytest

from pushlab.appserver.store import SubscriptionStore
from pushlab.cli.commands import main
from pushlab.protocol import base64url, p256
from pushlab.protocol.subscription import PushSubscription

P256DH = p256.raw_public(p256.load_private(bytes(31) + b"\1"))
AUTH = bytes(range(16))
ADA = PushSubscription("https://push.example.net/p/JzLQ3raZJfFBR0aqvOMs", P256DH, AUTH)
KEYLESS = PushSubscription("http://127.0.0.1:8030/wpush/v2/BR0aqvOMsLrt54w4rJUsV")
SECRETS = ("JzLQ3raZ", "BR0aqvOM", base64url.encode(P256DH), base64url.encode(AUTH), "wpush")


@pytest.fixture
def data(tmp_path):
    """Make a data folder with two subscriptions."""
    url = f"sqlite:///{tmp_path / 'appserver.sqlite3'}"
    store = SubscriptionStore(url, ["http://127.0.0.1:8030"], clock=lambda: 1_800_000_000.0)
    store.save(ADA, "KEY", "Ada")
    store.save(KEYLESS, "KEY", "Bo\x1b[31m")
    store.close()
    return tmp_path


def test_they_are_listed_without_a_secret(data, capsys):
    assert main(["subscriptions", "--data", str(data)]) == 0
    head, ada, keyless, end = capsys.readouterr().out.splitlines()
    assert re.split("  +", head) == ["label", "name", "since", "push service"]
    assert re.fullmatch(rf"{ADA.label}  Ada +2027-01-1\d \d\d:\d\d  https://push\.example\.net", ada)
    assert keyless.startswith(KEYLESS.label) and "without keys" in keyless and keyless.isprintable()
    assert end == f"2 subscriptions in {data / 'appserver.sqlite3'}"
    assert not any(secret in ada + keyless for secret in SECRETS)


def test_as_json_each_is_a_line(data, capsys):
    assert main(["subscriptions", "--data", str(data), "--json"]) == 0
    printed = capsys.readouterr().out
    first, second = map(json.loads, printed.splitlines())
    assert first == {
        "label": ADA.label, "name": "Ada", "push_service": "https://push.example.net",
        "since": "2027-01-15T08:00:00+00:00", "keys": True,
    }  # fmt: skip
    assert (second["label"], second["keys"]) == (KEYLESS.label, False)
    assert not any(secret in printed for secret in SECRETS)


def test_one_is_removed_by_its_label_and_then_all(data, capsys):
    def left() -> list[str]:
        capsys.readouterr()
        main(["subscriptions", "--data", str(data), "--json"])
        return [json.loads(line)["label"] for line in capsys.readouterr().out.splitlines()]

    database = ["--database", f"sqlite:///{data / 'appserver.sqlite3'}"]
    assert main(["subscriptions", *database, "--remove", "00000000"]) == 2
    assert "no subscription has the label 00000000" in capsys.readouterr().err
    assert left() == [ADA.label, KEYLESS.label]
    assert main(["subscriptions", *database, "--remove", ADA.label]) == 0
    assert left() == [KEYLESS.label]
    assert main(["subscriptions", "--data", str(data), "--clear"]) == 0
    assert left() == []


def test_a_folder_without_a_lab_is_left_as_it_is(tmp_path, capsys):
    folder = tmp_path / "none"
    assert main(["subscriptions", "--data", str(folder)]) == 0
    assert "No subscription is stored" in capsys.readouterr().out
    assert main(["subscriptions", "--data", str(folder), "--json"]) == 0
    assert capsys.readouterr().out == "" and not folder.exists()
    with pytest.raises(SystemExit):
        main(["subscriptions", "--remove", "0d385654", "--clear"])
