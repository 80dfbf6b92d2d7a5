"""A key, JSON or a command in place of a path is named, never repeated; a path is told as it is."""

import errno
import json

import pytest

from pushlab.appserver.keys import VapidKeys
from pushlab.protocol.spelling.paths import cannot_be_read, in_place_of, not_a_path

KEYS = VapidKeys.from_raw(
    bytes.fromhex("00853e799f052c6cfd3b76dbdd01dba23a4d53caa9a04abfe157d07b64f42f0b")
)
D, P = KEYS.to_base64url(), KEYS.application_server_key
SUBSCRIPTION = '{"endpoint":"https://push.example.net/1","keys":{"auth":"BTBZMqHH6r4Tts7J_aSIgg"}}'
TOKEN = "eyJ0eXAiOiJKV1QifQ.eyJhdWQiOiJodHRwczovL3B1c2giLCJleHAiOjF9.c2lnbmF0dXJl"
NO_PATHS = {
    "private key": [
        D, f"{D}=", bytes(range(1, 33)).hex(), KEYS.to_pem().decode(), f"VAPID_PRIVATE_KEY={D}",
        KEYS.to_pem().decode().replace("\n", "\\n"),
    ],
    "public key": [P],
    "JSON": [json.dumps(KEYS.to_jwk()), SUBSCRIPTION, SUBSCRIPTION[:-2], "[1, 2]"],
    "token": [TOKEN, f"vapid t={TOKEN}, k={P}", f"-H 'Authorization: vapid t={TOKEN}, k={P}'"],
    "URL": [
        "https://push.example.net/wpush/v2/secret", "https:/push.example.net/wpush/v2/secret",
        "curl -X POST https://push.example.net/secret", "fetch('https://push.example.net/secret')",
    ],
    "several lines": [KEYS.to_env()],
    "no path has": ["a\0b", "\ud800"],
    "40 characters": [D[1:-2]],
    "as keys have them": [f"keys/{D[1:-1]}", f"/home/me/{bytes(range(21)).hex()}"],
    "a text of 300 characters": ["x" * 300],
    "a text of 301 characters": ["x." + "y" * 299],
}  # fmt: skip
PATHS = [
    "",
    ".",
    "x.env",
    "keys",
    "vapid_keys_production2",
    "keys@2026.env",
    "/home/me/projects/webpush/config/vapid/keysfile",
    "[slug].json",
    "~/keys/" + 64 * "a" + "/vapid.env",
    "C:\\Users\\me\\vapid.env",
    "./keys/private.pem",
    "a folder/with spaces, and a comma.txt",
    "\udcff.env",
    "12345678",
    "/srv/data:/vapid.env",
    "Übungen/webpush/keys/vapid_a.env",
    "secrets/webpush/production/vapid_privatekey",
    "keys/production/server_one/vapid_private_k",
    "/srv/classroom_web_push_autumn_2025_group_b_morning_keys",
]


@pytest.mark.parametrize(
    ("what", "text"), [(what, text) for what in NO_PATHS for text in NO_PATHS[what]]
)
def test_what_is_no_path_is_named_and_not_repeated(what, text):
    assert what in not_a_path(text)
    said = cannot_be_read(text, FileNotFoundError(errno.ENOENT, "No such file or directory"))
    assert "the path of a file is wanted" in said
    assert text not in said and text[:20] not in said


@pytest.mark.parametrize("text", PATHS)
def test_a_path_is_told(text):
    assert not_a_path(text) == ""
    missing = FileNotFoundError(errno.ENOENT, "No such file or directory")
    assert cannot_be_read(text, missing) == f"{text} cannot be read: No such file or directory"


def test_what_is_there_is_no_key_whatever_its_name():
    fault = PermissionError(errno.EACCES, "Permission denied")
    assert in_place_of(D, fault) == "" and cannot_be_read(D, fault).endswith(": Permission denied")
