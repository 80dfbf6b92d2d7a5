"""Where keys come from: the environment before the file, and other tools' files when asked."""

import json
import re

import pytest

from pushlab.appserver import key_sources
from pushlab.appserver.key_sources import convert, find, set_subject
from pushlab.appserver.keys import DEFAULT_SUBJECT, NAMES, VapidKeys, parse_env
from pushlab.doctor import examine
from pushlab.doctor.findings import Level
from pushlab.errors import (
    BadSubject,
    KeyFileMalformed,
    KeyFileMissing,
    KeyMismatch,
)
from pushlab.protocol import base64url

RAW = bytes.fromhex("00853e799f052c6cfd3b76dbdd01dba23a4d53caa9a04abfe157d07b64f42f0b")
KEYS, OTHERS = VapidKeys.from_raw(RAW, subject="mailto:me@example.com"), VapidKeys.from_raw(RAW[::-1])
PUBLIC, PRIVATE = KEYS.application_server_key, base64url.encode(RAW)
MINE = {"VAPID_PRIVATE_KEY": PRIVATE, "VAPID_PUBLIC_KEY": PUBLIC}


# --- the environment -------------------------------------------------------------------------------


def test_keys_of_the_environment_come_before_the_file_and_no_file_is_made(tmp_path):
    path = tmp_path / "vapid.env"
    taken = find(path, MINE | {"VAPID_SUBJECT": "https://example.com/me"})
    assert (taken.keys.public, taken.keys.subject) == (KEYS.public, "https://example.com/me")
    assert taken.keys_from == taken.subject_from == "the environment"
    assert not path.exists()
    OTHERS.save(path)
    assert find(path, MINE).keys.public == KEYS.public
    assert find(path, {}).keys.public == OTHERS.public


def test_the_subject_of_the_environment_comes_before_that_of_the_file(tmp_path):
    path = tmp_path / "vapid.env"
    KEYS.save(path)
    taken = find(path, {"VAPID_SUBJECT": "mailto:us@example.com"})
    assert (taken.keys.public, taken.keys.subject) == (KEYS.public, "mailto:us@example.com")
    assert (taken.keys_from, taken.subject_from) == (str(path), "the environment")
    assert find(path, {}).subject_from == str(path)
    assert find(path, {"VAPID_SUBJECT": "  ", "VAPID_PRIVATE_KEY": ""}).keys == KEYS


def test_without_either_a_file_is_made_or_is_missing(tmp_path):
    path = tmp_path / "vapid.env"
    with pytest.raises(KeyFileMissing):
        find(path, {}, generate=False)
    taken = find(path, {})
    assert path.exists() and taken.subject_from == "the default"
    assert taken.keys.subject == DEFAULT_SUBJECT


@pytest.mark.parametrize(
    ("values", "error", "words"),
    [
        ({"VAPID_PRIVATE_KEY": RAW.hex()}, KeyFileMalformed, "hexadecimal"),
        ({"VAPID_PRIVATE_KEY": KEYS.to_pem().decode()}, KeyFileMalformed, "PEM"),
        ({"VAPID_PRIVATE_KEY": PUBLIC, "VAPID_PUBLIC_KEY": PRIVATE}, KeyFileMalformed, "other's name"),
        (MINE | {"VAPID_PUBLIC_KEY": OTHERS.application_server_key}, KeyMismatch, "65 bytes"),
        ({"VAPID_PRIVATE_KEY": "keys/private.pem"}, KeyFileMalformed, "path"),
    ],
)
def test_what_is_wrong_in_the_environment_is_said_and_the_file_is_not_taken(
    tmp_path, values, error, words
):
    KEYS.save(tmp_path / "vapid.env")
    with pytest.raises(error) as caught:
        find(tmp_path / "vapid.env", values)
    assert caught.value.detail.startswith("the environment: ") and words in str(caught.value)
    assert PRIVATE not in str(caught.value) and RAW.hex() not in str(caught.value)


ABOUT_KEYS = ("private-key-", "public-key-", "subject-")
NOT_AS_IN_A_FILE = [
    ({"VAPID_PRIVATE_KEY": f'"{PRIVATE}"'}, "VAPID_PRIVATE_KEY is a text in quotes"),
    ({"VAPID_PRIVATE_KEY": f"'{PRIVATE}'"}, "VAPID_PRIVATE_KEY is a text in quotes"),
    ({"VAPID_PRIVATE_KEY": f"{PRIVATE} # mine"}, "VAPID_PRIVATE_KEY is a text with a remark after it"),
    (MINE | {"VAPID_PUBLIC_KEY": f'"{PUBLIC}"'}, "VAPID_PUBLIC_KEY is a text in quotes"),
    (MINE | {"VAPID_SUBJECT": '"mailto:me@site.org"'}, "has quotes around it"),
    (MINE | {"VAPID_SUBJECT": "mailto:me@site.org # me"}, "has a space|# me"),
    ({"VAPID_PRIVATE_KEY": "\udcff\udcfe"}, "VAPID_PRIVATE_KEY is bytes that were read as if"),
    (MINE | {"VAPID_PUBLIC_KEY": "\udcff\udcfe"}, "VAPID_PUBLIC_KEY is bytes that were read as if"),
    (MINE | {"VAPID_SUBJECT": "\udcff\udcfe"}, "is text of 2 characters|has a letter beyond ASCII"),
]  # fmt: skip


@pytest.mark.parametrize(("values", "words"), NOT_AS_IN_A_FILE)
def test_a_variable_is_no_line_of_a_file_and_the_doctor_says_the_same(
    tmp_path, monkeypatch, values, words
):
    with pytest.raises((KeyFileMalformed, BadSubject), match=words) as caught:
        find(tmp_path / "vapid.env", values)
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    wrong = [finding for finding in examine(data=tmp_path) if finding.code.startswith(ABOUT_KEYS)]
    said = [finding.seen for finding in wrong if finding.level is Level.BAD]
    assert len(said) == 1 and re.search(words, said[0])
    assert PRIVATE not in f"{caught.value}{said}"


def test_the_doctor_examines_the_contact_that_comes_before_that_of_the_file(tmp_path, monkeypatch):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("VAPID_SUBJECT", "'mailto:me@site.org'")
    with pytest.raises(BadSubject):
        find(tmp_path / "vapid.env")
    assert "subject-not-a-contact" in [finding.code for finding in examine(data=tmp_path)]
    KEYS.save(tmp_path / "vapid.env", overwrite=True)
    assert "subject-not-a-contact" in [finding.code for finding in examine(data=tmp_path)]


@pytest.mark.parametrize(
    "value", ["plain", '"double"', "'single'", "a # b", "https://example.com/#me", "#", "\"both' # x"]
)
def test_a_variable_is_written_as_the_line_that_says_the_same(value):
    assert parse_env(key_sources.to_lines({"VAPID_SUBJECT": value})) in (
        {"VAPID_SUBJECT": value},
        {"VAPID_SUBJECT": "\"both'"},  # Neither quote can hold this one.
    )


# --- other tools' files ----------------------------------------------------------------------------

CONVERTED = {
    "web-push": json.dumps({"publicKey": PUBLIC, "privateKey": PRIVATE}).encode(),
    "web-push, by PowerShell": json.dumps({"publicKey": PUBLIC, "privateKey": PRIVATE}).encode("utf-16"),
    "exchanged": f"VAPID_PUBLIC_KEY={PRIVATE}\nVAPID_PRIVATE_KEY={PUBLIC}".encode(),
    "hexadecimal": RAW.hex().encode(),
    "yaml": f"vapid:\n  private_key: {PRIVATE}\n".encode(),
    "PEM": KEYS.to_pem(),
    "JWK": json.dumps(KEYS.to_jwk()).encode(),
    "ours": KEYS.to_env().encode(),
    "raw": RAW,
    "a lost zero byte, and the public key": json.dumps(
        {"publicKey": PUBLIC, "privateKey": base64url.encode(RAW[1:])}
    ).encode(),
}


@pytest.mark.parametrize("content", CONVERTED.values(), ids=CONVERTED)
def test_the_files_of_other_tools_become_the_same_keys(content):
    keys, form = convert(content)
    assert keys.public == KEYS.public and form
    assert PRIVATE not in form


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        (PUBLIC.encode(), KeyFileMalformed, "no private key"),
        # A key that lacks a character belongs to no public key, and both may be right but for that.
        (f"VAPID_PUBLIC_KEY={PUBLIC}\nVAPID_PRIVATE_KEY={PRIVATE[:-2]}".encode(), KeyFileMalformed,
         "41 characters long, and 43 are wanted"),
        (f"private={base64url.encode(RAW[2:] + RAW[:1])}\npublic={PUBLIC}".encode(), KeyFileMalformed,
         "the public key does not confirm it"),
        (b"hello there", KeyFileMalformed, "no private key is recognized"),
        (b"", KeyFileMalformed, "an empty file"),
        (base64url.encode(RAW[1:]).encode(), KeyFileMalformed, "no public key to confirm it"),
        (f"private={PRIVATE}\npublic={OTHERS.application_server_key}".encode(), KeyMismatch, "public"),
        (f"vapid_private={PRIVATE}\nvapid_subject=mailto:<me@example.com>".encode(), BadSubject, "sub"),
    ],
)  # fmt: skip
def test_nothing_is_guessed(content, error, words):
    with pytest.raises(error) as caught:
        convert(content)
    assert words in str(caught.value) and PRIVATE not in str(caught.value)


def test_of_several_pairs_it_is_said_which_one_was_taken():
    content = f"STAGING_VAPID_PRIVATE={OTHERS.to_base64url()}\nPROD_VAPID_PRIVATE={PRIVATE}\n".encode()
    keys, form = convert(content)
    assert keys.public == OTHERS.public
    assert form.endswith("of several private keys that of STAGING_VAPID_PRIVATE")


def test_an_address_without_mailto_gets_it_and_another_subject_comes_first():
    content = f"VAPID_PRIVATE={PRIVATE}\nVAPID_CLAIM_EMAIL=me@example.org\n".encode()
    assert convert(content)[0].subject == "mailto:me@example.org"
    assert convert(content, "https://example.org/")[0].subject == "https://example.org/"
    assert key_sources.contact("") == DEFAULT_SUBJECT


# --- the subject -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "before",
    [
        f"# mine\nDATABASE=x\nVAPID_PRIVATE_KEY={PRIVATE}\nexport VAPID_SUBJECT='mailto:a@b.c' # old\n",
        f"# mine\nDATABASE=x\nVAPID_PRIVATE_KEY={PRIVATE}",
    ],
)
def test_the_subject_is_written_and_the_other_lines_stay(tmp_path, before):
    path = tmp_path / "my.env"
    path.write_text(before)
    set_subject(path, "https://example.com/me")
    assert VapidKeys.load(path).subject == "https://example.com/me"
    kept = path.read_text()
    assert kept.startswith("# mine\nDATABASE=x\n") and parse_env(kept)["DATABASE"] == "x"
    set_subject(path, "https://example.com/me")
    assert path.read_text() == kept


def test_a_pem_has_no_place_for_a_subject(tmp_path):
    path = tmp_path / "key.pem"
    path.write_bytes(KEYS.to_pem())
    with pytest.raises(KeyFileMalformed, match="no place"):
        set_subject(path, "mailto:me@example.com")
    with pytest.raises(BadSubject):
        set_subject(path, "me")
    assert path.read_bytes() == KEYS.to_pem()
