"""The doctor: every finding is provoked, good input has none, none shows a secret; exit statuses."""

import base64
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections import namedtuple
from html.parser import HTMLParser
from importlib import metadata
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from pushlab.appserver import key_sources
from pushlab.appserver.keys import DEFAULT_SUBJECT, VapidKeys
from pushlab.cli.commands import main
from pushlab.doctor import examine, machine, network
from pushlab.doctor.claims import examine_claims, examine_subject
from pushlab.doctor.findings import Level, Report, bad, hint, ok
from pushlab.doctor.keys import examine_key_file, examine_keys
from pushlab.doctor.options import examine_options
from pushlab.doctor.subscription import examine_subscription
from pushlab.errors import BadArgument, BrowserNotFound, KeyFileMalformed
from pushlab.notebook import Lab
from pushlab.protocol import base64url, p256
from pushlab.protocol.examples import RFC8291
from pushlab.settings import patience

NOW = 1_800_000_000
KEYS = VapidKeys(p256.load_private(RFC8291.as_private), "mailto:me@example.com")
OTHERS = VapidKeys(p256.load_private(RFC8291.ua_private))
PRIVATE, PUBLIC = base64url.encode(RFC8291.as_private), KEYS.application_server_key
P256DH, AUTH = base64url.encode(RFC8291.ua_public), base64url.encode(RFC8291.auth_secret)
ORIGIN = "https://updates.push.services.mozilla.com"
PATH = "/wpush/v2/gAAAA-this-part-is-a-capability"
SECRETS = (PRIVATE, AUTH, P256DH, PATH, "this-part-is", "pa55word", RFC8291.as_private.hex())
REAL = ORIGIN + PATH

SPKI = KEYS.private_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
PKCS8 = KEYS.private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
COMPRESSED = KEYS.private_key.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
REAL_ENDPOINT = "https://push.example.net/"
PUBLIC_PEM = KEYS.private_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
LOCKED_PEM = KEYS.private_key.private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"pa55word")
)
P384_PEM = ec.generate_private_key(ec.SECP384R1()).private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
)
RSA_PEM = rsa.generate_private_key(65537, 2048).private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
)


def codes(findings) -> list[str]:
    """Return the codes of the findings that are not "ok", and check what every finding must have."""
    findings = list(findings)
    for one in findings:
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", one.code) and one.seen
        assert "\n" not in one.fix
        if one.level is not Level.OK:
            assert one.fix and one.fault in ("application server", "user agent", "this machine"), one
    told = str(Report(tuple(findings))) + "".join(one.to_json() for one in findings)
    assert not [secret for secret in SECRETS if secret in told]
    return [one.code for one in findings if one.level is not Level.OK]


def env(private=PRIVATE, public=PUBLIC, subject="mailto:me@example.com") -> bytes:
    values = {"VAPID_PRIVATE_KEY": private, "VAPID_PUBLIC_KEY": public, "VAPID_SUBJECT": subject}
    return "".join(f"{name}={value}\n" for name, value in values.items() if value is not None).encode()


def jwk(**changed) -> bytes:
    return json.dumps({k: v for k, v in (KEYS.to_jwk() | changed).items() if v is not None}).encode()


def encode_padded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode()


# --- keys ----------------------------------------------------------------------------------------

GOOD_KEYS = {
    "env": env(),
    "exported": b"# mine\n" + b"".join(b"export %s\n" % line for line in env().splitlines()),
    "pem": KEYS.to_pem(),
    "sec1": KEYS.private_key.private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
    ),
    "jwk": jwk(),
    "byte order mark": b"\xef\xbb\xbf" + env(),
    "comments": env(PRIVATE + " # mine", f'"{PUBLIC}" # theirs'),
    "jwk-d-alone": jwk(x=None, y=None),
    "raw": RFC8291.as_private,
    "base64url": f"{PRIVATE}\n".encode(),
}
BAD_KEYS = [
    ("private-key-31-bytes", env(base64url.encode(RFC8291.as_private[1:]))),
    ("private-key-31-bytes", base64url.encode(RFC8291.as_private[1:]).encode()),
    ("private-key-31-bytes", b"\xff" * 31),
    ("private-key-31-bytes", jwk(d=base64url.encode(RFC8291.as_private[1:]))),
    ("private-key-length", env(base64url.encode(bytes(30)))),
    ("private-key-length", env(PRIVATE[:-1])),
    ("private-key-length", env(PRIVATE + "k")),
    ("public-key-length", env(public=PUBLIC[:-1])),
    ("public-key-length", env(public=PUBLIC + "k")),
    ("public-key-pasted-twice", env(public=PUBLIC + PUBLIC)),
    ("private-key-is-a-placeholder", env("YOUR_VAPID_PRIVATE_KEY")),
    ("private-key-is-hidden", env("[FILTERED]")),
    ("private-key-is-a-reference", env("op://vault/vapid/private")),
    ("private-key-is-a-path", b"WEBPUSH_VAPID_PRIVATE_KEY='private_key.pem'"),
    ("private-key-is-a-path", b'PUSH = {\n  "WP_PRIVATE_KEY": "private_key.pem"\n}'),
    ("private-key-missing", f"const key = urlB64ToUint8Array('{PUBLIC}');".encode()),
    ("private-key-missing", f"export const environment = {{ vapidPublicKey: '{PUBLIC}' }};".encode()),
    ("key-file-malformed", b'{"name": "x", "gcm_sender_id": "103953800507"}'),
    ("key-file-malformed", b"webpush.setVapidDetails('mailto:me@site.org', publicKey, privateKey);"),
    ("key-file-broken-lines", f"VAPID_PUBLIC_KEY={PUBLIC}VAPID_PRIVATE_KEY={PRIVATE}".encode()),
    ("private-key-is-pem", KEYS.to_pem().replace(b"-----BEGIN", b"----BEGIN")),
    ("private-key-length", b"\xff" * 40),
    ("private-key-in-hex", env(RFC8291.as_private.hex())),
    ("private-key-padded", env(encode_padded(RFC8291.as_private))),
    ("private-key-padded", encode_padded(RFC8291.as_private).encode()),
    ("private-key-plain-base64", env(base64.b64encode(b"\xfb" * 32).decode().rstrip("="))),
    ("private-key-not-base64url", env(PRIVATE[:-2] + "!!")),
    ("private-key-is-a-path", b"keys/private.pem"),
    ("d-padded", jwk(d=encode_padded(RFC8291.as_private))),
    ("private-key-missing", env(None)),
    ("private-key-missing", env("")),
    ("private-key-missing", PUBLIC.encode()),
    ("private-key-missing", env(PUBLIC)),
    ("private-key-missing", PUBLIC_PEM),
    ("private-key-missing", jwk(d=None)),
    ("private-key-is-der", env(base64url.encode(PKCS8))),
    ("private-key-is-der", PKCS8),
    ("private-key-is-pem", env(KEYS.to_pem().decode())),
    ("private-key-is-pem", env('"' + KEYS.to_pem().decode().replace("\n", "\\n") + '"')),
    ("public-key-is-pem", env(public=PUBLIC_PEM.decode())),
    ("public-key-is-der", env(public=base64url.encode(SPKI))),
    ("public-key-missing", env(public=None)),
    ("public-key-without-04", env(public=base64url.encode(KEYS.public[1:]))),
    ("public-key-not-a-point", env(public=base64url.encode(KEYS.public[:-1] + b"\0"))),
    ("public-key-padded", env(public=encode_padded(KEYS.public))),
    ("key-mismatch", env(public=OTHERS.application_server_key)),
    ("key-mismatch", jwk(x=OTHERS.to_jwk()["x"], y=OTHERS.to_jwk()["y"])),
    ("bad-private-key", bytes(32)),
    ("keys-exchanged", env(PUBLIC, PRIVATE)),
    ("key-file-of-another-tool", json.dumps({"publicKey": PUBLIC, "privateKey": PRIVATE}).encode()),
    ("key-file-of-another-tool", f"Public Key:\n{PUBLIC}\n\nPrivate Key:\n{PRIVATE}\n".encode()),
    ("key-file-of-another-tool", f"vapid:\n  private_key: {PRIVATE}\n".encode()),
    ("key-file-of-another-tool", f"WEB_PUSH_VAPID_PRIVATE_KEY={PRIVATE}".encode()),
    ("key-file-without-keys", json.dumps({"endpoint": REAL_ENDPOINT}).encode()),
    ("key-file-encoding", env().decode().encode("utf-16")),
    ("private-key-is-pem", env(base64.b64encode(KEYS.to_pem()).decode())),
    ("private-key-is-der", env(base64.b64encode(PKCS8).decode())),
    ("private-key-byte-list", env(str(list(RFC8291.as_private)))),
    ("private-key-is-a-variable", env("${VAPID_KEY}")),
    ("public-key-in-hex", env(public=KEYS.public.hex())),
    ("public-key-compressed", env(public=base64url.encode(COMPRESSED))),
    ("subject-unreachable", env(subject="mailto:me@raspberrypi.local")),
    ("subject-unreachable", env(subject="mailto:me@z.invalid")),
    ("subject-unreachable", env(subject="mailto:me@myhost")),
    ("subject-unreachable", env(subject="mailto:me@192.168.1.2")),
    ("subject-unreachable", env(subject="https://raspberrypi.local/")),
    ("subject-unreachable", env(subject="https://[fe80::1]/")),
    ("subject-not-a-contact", env(subject="mailto:<me@example.com>")),
    ("subject-not-a-contact", env(subject="mailto://me@example.com")),
    ("key-file-malformed", LOCKED_PEM),
    ("key-file-malformed", P384_PEM),
    ("key-file-malformed", RSA_PEM),
    ("key-file-malformed", b"-----BEGIN NONSENSE-----"),
    ("key-file-malformed", b"{not json"),
    ("key-file-malformed", jwk(crv="P-384")),
    ("subject-bare-email", env(subject="me@example.com")),
    ("subject-space", env(subject="mailto: me@example.com")),
    ("subject-doubled", env(subject="mailto:mailto:me@example.com")),
    ("subject-localhost", env(subject="mailto:me@localhost")),
    ("subject-localhost", env(subject="https://127.0.0.1/contact")),
    ("subject-missing", env(subject=None)),
    ("subject-not-a-contact", env(subject="http://example.com/")),
    ("subject-not-a-contact", env(subject="MAILTO:me@example.com")),
    ("subject-not-a-contact", env(subject="mailto:me@example.com,you@example.com")),
    ("subject-not-a-contact", env(subject="my-site.example.com")),
    ("subject-unreachable", env(subject="mailto:me@example..com")),
    ("subject-unreachable", env(subject="mailto:me@my_site.example.com")),
    ("subject-not-a-contact", env(subject=PRIVATE)),
]


@pytest.mark.parametrize("content", GOOD_KEYS.values(), ids=GOOD_KEYS)
def test_good_keys_give_no_finding_in_any_spelling(content):
    found, keys = examine_keys(content)
    assert codes(found) == [] and [one.code for one in found] == ["keys"]
    assert keys.public == KEYS.public


@pytest.mark.parametrize(("code", "content"), BAD_KEYS)
def test_each_fault_of_keys_is_found_and_it_alone(code, content):
    found, keys = examine_keys(content)
    assert codes(found) == [code]
    harmless = code.startswith(("subject-", "public-key-"))
    assert (keys is not None) == (harmless and not code.endswith("-is-pem"))


def test_two_faults_are_two_findings():
    found, _ = examine_keys(env(public=base64url.encode(SPKI), subject="me@example.com"))
    assert sorted(codes(found)) == ["public-key-is-der", "subject-bare-email"]


SAID_BY_BOTH = [
    b"WEBPUSH_VAPID_PRIVATE_KEY='private_key.pem'",
    b'PUSH = {\n  "WP_PRIVATE_KEY": "private_key.pem"\n}',
    f"const applicationServerKey = urlB64ToUint8Array('{PUBLIC}');".encode(),
    f"Key pair\n{PUBLIC}\nDate added\n".encode(),
    f'<meta name="key" content="{PUBLIC}">'.encode(),
    b"'private_key' => env('VAPID_PRIVATE_KEY'),",
    b'{"name": "x", "gcm_sender_id": "103953800507"}',
    b'{"aud": "https://push.example.net", "sub": "mailto:me@example.com"}',
    b'const firebaseConfig = {\n  apiKey: "x",\n  projectId: "x",\n};',
    b"hello there",
]


@pytest.mark.parametrize("content", SAID_BY_BOTH)
def test_the_doctor_says_of_a_file_what_the_import_says(content):
    found, keys = examine_keys(content)
    with pytest.raises(KeyFileMalformed) as refused:
        key_sources.convert(content)
    assert keys is None and found[0].seen == f"the key file: {refused.value.detail}"
    assert found[0].fix.rstrip(".") == str(refused.value.hint).rstrip(".")


def test_a_command_in_place_of_a_value_is_told_by_both():
    content = b"VAPID_PRIVATE_KEY=$(cat key)"
    with pytest.raises(KeyFileMalformed, match="is a reference to a value that is kept elsewhere"):
        key_sources.convert(content)
    assert "is a reference to a value that is kept elsewhere" in examine_keys(content)[0][0].seen


@pytest.mark.parametrize("mark", [3 * '"', "`", 3 * "'"])
def test_a_pem_in_code_is_read_by_the_doctor_and_by_the_import(mark):
    content = f"VAPID_PRIVATE_KEY = {mark}{KEYS.to_pem().decode()}{mark}".encode()
    found, keys = examine_keys(content)
    assert codes(found) == [] and keys.public == KEYS.public
    assert key_sources.convert(content)[0].public == KEYS.public


def test_apple_makes_a_fault_of_what_others_let_pass():
    for subject in (None, "mailto:me@localhost"):
        assert [one.level for one in examine_subject(subject)] == [Level.HINT]
        assert [one.level for one in examine_subject(subject, "Apple")] == [Level.BAD]
    assert codes(examine_subject(5)) == ["subject-not-text"]


@pytest.mark.skipif(os.name != "posix", reason="Windows has access lists instead of modes")
def test_a_key_file_that_others_can_read(tmp_path):
    path = tmp_path / "vapid.env"
    KEYS.save(path)
    assert codes(examine_key_file(path)) == []
    path.chmod(0o640)
    (finding,) = examine_key_file(path)
    assert finding.code == "key-file-exposed" and "640" in finding.seen
    assert finding.fix == f"chmod 600 {path}"


def test_a_key_file_that_git_knows(tmp_path, monkeypatch):
    assert shutil.which("git"), "this test asks git"
    # Git sets this variable in a hook, and the question is about another repository.
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    environment = {name: value for name, value in os.environ.items() if name[:4] != "GIT_"}

    def git(*command):
        command = ["git", "-C", tmp_path, *command]
        subprocess.run(command, check=True, capture_output=True, env=environment)

    path = tmp_path / "vapid.env"
    KEYS.save(path)
    assert codes(examine_key_file(path)) == []
    git("init")
    assert codes(examine_key_file(path)) == ["key-file-not-ignored"]
    (tmp_path / ".gitignore").write_text("*.env\n")
    assert codes(examine_key_file(path)) == []
    git("add", "--force", "vapid.env")
    assert codes(examine_key_file(path)) == ["key-file-in-git"]
    monkeypatch.setenv("PATH", str(tmp_path))
    assert codes(examine_key_file(path)) == [], "without git there is nothing to say"


# --- subscriptions -------------------------------------------------------------------------------


def sub(endpoint=REAL, p256dh=P256DH, auth=AUTH, **more) -> dict:
    keys = {"p256dh": p256dh, "auth": auth}
    return {"endpoint": endpoint, "expirationTime": None, "keys": keys} | more


GOOD_ENDPOINTS = {
    "Mozilla": REAL,
    "FCM": f"https://fcm.googleapis.com/fcm/send{PATH}",
    "Apple": f"https://web.push.apple.com{PATH}",
    "WNS": f"https://db5p.notify.windows.com/w/?token={PATH}",
    "this machine": f"http://127.0.0.1:8030{PATH}",
}
WHOLE_ENDPOINTS = [
    f"https://updates.push.services.mozilla.com/wpush/v2/gAAAAA{'x' * 177}",
    f"https://updates.push.services.mozilla.com/wpush/v1/gAAAAA{'x' * 134}",
    "https://fcm.googleapis.com/fcm/send/fv3jabydF5c:APA91bEc8gXeukGXEvq",
    "https://fcm.googleapis.com/wp/dHIoDxE7Hdg:APA91bH1Zj0kNa",
    "https://jmt17.google.com/fcm/send/pushlab-JzLQ3raZ",
    "https://web.push.apple.com/QFv8ZyLvrJzLQ3raZ_-",
    "https://wns2-par02p.notify.windows.com/w/?token=BQYAAAC%2fgk%2bHx2VWA%3d%3d",
]
OFF_CURVE = base64url.encode(RFC8291.ua_public[:-1] + bytes([RFC8291.ua_public[-1] ^ 1]))
BAD_SUBSCRIPTIONS = [
    ("not-a-subscription", "endpoint"),
    ("not-a-subscription", "[]"),
    ("no-endpoint", {"keys": sub()["keys"]}),
    ("no-endpoint", sub("")),
    ("bad-endpoint", sub("//no-scheme" + PATH)),
    ("bad-endpoint", sub(5)),
    ("bad-endpoint", sub("https://me:pa55word@fcm.googleapis.com" + PATH)),
    ("endpoint-http", sub(REAL.replace("https", "http"))),
    ("endpoint-private", sub("https://10.0.0.7" + PATH)),
    ("endpoint-private", sub("https://[fe80::1]" + PATH)),
    ("endpoint-unknown", sub("https://push.example.net" + PATH)),
    ("endpoint-unknown", sub("https://fcm.googleapis.com.example.net" + PATH)),
    ("endpoint-removed", sub("https://permanently-removed.invalid/fcm/send/x")),
    ("endpoint-removed", sub("https://gone.Invalid./")),
    ("endpoint-gcm", sub("https://android.googleapis.com/gcm/send/APA91b")),
    ("endpoint-reserved", sub("https://push.test" + PATH)),
    ("endpoint-reserved", sub("https://push.example" + PATH)),
    ("endpoint-shape", sub("https://updates.push.services.mozilla.com/")),
    ("endpoint-shape", sub("https://updates.push.services.mozilla.com/push/v1/x")),
    ("endpoint-shape", sub("https://fcm.googleapis.com/fcm/send/")),
    ("endpoint-shape", sub("https://fcm.googleapis.com/v1/projects/x/messages:send")),
    ("endpoint-shape", sub("https://web.push.apple.com/")),
    ("endpoint-shape", sub("https://db5p.notify.windows.com/?token=AwYAAAD8sfbD")),
    ("endpoint-decoded", sub("https://wns2-par02p.notify.windows.com/w/?token=BQYAAAC/gk+Hx2VWA==")),
    ("endpoint-percent", sub("https://wns2-par02p.notify.windows.com/w/?token=BQYAAAC%2fgk%2")),
    ("endpoint-encoded-twice", sub("https://wns2-par02p.notify.windows.com/w/?token=BQYAAAC%252fgk")),
    ("endpoint-cut", sub("https://fcm.googleapis.com/fcm/send/cTZ1oXk1...")),
    ("endpoint-cut", sub("https://fcm.googleapis.com/fcm/send/eN9...zCT")),
    ("endpoint-twice", sub(2 * f"https://fcm.googleapis.com/fcm/send{PATH}")),
    ("endpoint-placeholder", sub("https://fcm.googleapis.com/fcm/send/[redacted]")),
    ("endpoint-placeholder", sub("https://fcm.googleapis.com/fcm/send/XXXX")),
    ("endpoint-placeholder", sub("https://fcm.googleapis.com/fcm/send/***")),
    ("endpoint-placeholder", sub("https://fcm.googleapis.com/fcm/send/{token}/")),
    ("endpoint-placeholder", sub("https://fcm.googleapis.com/fcm/send/%3Ctoken%3E")),
    ("endpoint-placeholder", sub("https://web.push.apple.com/YOUR_TOKEN")),
    ("bad-endpoint", sub(f"[{REAL}]({REAL})")),
    ("bad-endpoint", sub(REAL.replace(":", "%3A", 1))),
    ("endpoint-shape", sub("https://api.push.apple.com/3/device/00fc13adff78")),
    ("endpoint-gcm", sub("https://gcm-http.googleapis.com/gcm/send/APA91b")),
    ("endpoint-private", sub("https://push.home.arpa/up")),
    ("endpoint-escaped", sub("https://wns2-par02p.notify.windows.com/w/?a=1&amp;token=BQYAAAC%2f")),
    ("endpoint-cut", sub(f"https://updates.push.services.mozilla.com/wpush/v2/gAAAAA{'x' * 160}")),
    ("endpoint-cut", sub("https://fcm.googleapis.com/fcm/send/".ljust(255, "x"))),
    ("no-keys", {"endpoint": REAL}),
    ("no-keys", sub(auth=None)),
    ("no-keys", sub(keys=[P256DH, AUTH])),
    ("keys-swapped", sub(p256dh=AUTH, auth=P256DH)),
    ("keys-swapped p256dh-padded auth-padded", sub(p256dh=AUTH + "==", auth=P256DH + "=")),
    ("p256dh-not-text", sub(p256dh=[4, 5])),
    ("p256dh-padded", sub(p256dh=P256DH + "=")),
    ("p256dh-plain-base64", sub(p256dh=P256DH.replace("_", "/").replace("-", "+"))),
    ("p256dh-not-base64url", sub(p256dh=P256DH[:-1] + "!")),
    ("p256dh-truncated", sub(p256dh=P256DH[:64])),
    ("p256dh-too-long", sub(p256dh=base64url.encode(bytes([4, *range(69)])))),
    ("p256dh-is-der", sub(p256dh=base64url.encode(SPKI))),
    ("p256dh-encoded-twice", sub(p256dh=base64url.encode(P256DH.encode()))),
    ("p256dh-without-04", sub(p256dh=base64url.encode(RFC8291.ua_public[1:]))),
    ("p256dh-in-hex", sub(p256dh=RFC8291.ua_public.hex())),
    ("p256dh-byte-list", sub(p256dh=str(list(RFC8291.ua_public)))),
    ("p256dh-with-spaces", sub(p256dh=f" {P256DH}")),
    ("p256dh-is-an-object", sub(p256dh="[object ArrayBuffer]")),
    ("auth-is-undefined", sub(auth="undefined")),
    ("auth-encoded-twice", sub(auth=base64url.encode(AUTH.encode()))),
    ("auth-in-hex", sub(auth=RFC8291.auth_secret.hex())),
    ("auth-is-the-public-key", sub(auth=P256DH)),
    ("subscription-wrapped", {"subscription": sub()}),
    ("subscription-in-an-array", [sub()]),
    ("subscription-json-in-json", json.dumps(json.dumps(sub()))),
    ("keys-flat", {"endpoint": REAL, "p256dh": P256DH, "auth": AUTH}),
    ("keys-flat", {"endpoint": REAL, "publicKey": P256DH, "authToken": AUTH}),
    ("keys-in-a-text", sub(keys=json.dumps(sub()["keys"]))),
    ("keys-named-otherwise", sub(keys={"publicKey": P256DH, "authSecret": AUTH})),
    ("file-encoding", json.dumps(sub()).encode("utf-16")),
    ("p256dh-off-the-curve", sub(p256dh=OFF_CURVE)),
    ("p256dh-is-the-vapid-key", sub(p256dh=PUBLIC)),
    ("auth-not-text", sub(auth=7)),
    ("auth-padded", sub(auth=AUTH + "==")),
    ("auth-plain-base64", sub(auth=AUTH.replace("_", "/"))),
    ("auth-truncated", sub(auth=AUTH[:16])),
    ("auth-too-long", sub(auth=base64url.encode(bytes(17)))),
    ("bad-expiration-time", sub(expirationTime="tomorrow")),
    ("expiration-time-in-seconds", sub(expirationTime=NOW + 60)),
    ("expiration-time-in-microseconds", sub(expirationTime=(NOW + 60) * 10**6)),
    ("bad-expiration-time", sub(expirationTime=str((NOW + 60) * 1000))),
    ("expiration-time-for-null", sub(expirationTime=0)),
    ("expiration-time-for-null", sub(expirationTime=1_400_000_000_000)),
    ("bad-expiration-time", sub(expirationTime=-1)),
    ("p256dh-is-of-a-header", sub(p256dh=f"p256ecdsa={PUBLIC}")),
    ("auth-is-of-a-header", sub(auth="WebPush eyJ0.eyJh.c2ln")),
    ("subscription-expired", sub(expirationTime=(NOW - 60) * 1000)),
    ("made-for-another-key", sub(applicationServerKey=OTHERS.application_server_key)),
    ("made-for-another-key", sub(options={"applicationServerKey": OTHERS.application_server_key})),
    ("made-for-another-key", sub(applicationServerKey=list(OTHERS.public))),
    ("application-server-key-unreadable", sub(applicationServerKey=[4, 5])),
    ("application-server-key-unreadable", sub(applicationServerKey={})),
    ("application-server-key-unreadable", sub(options={"applicationServerKey": {}})),
    ("application-server-key-unreadable", sub(applicationServerKey="undefined")),
    ("application-server-key-unreadable", sub(applicationServerKey=True)),
    ("application-server-key-unreadable", sub(applicationServerKey=PRIVATE)),
]


@pytest.mark.parametrize("endpoint", GOOD_ENDPOINTS.values(), ids=GOOD_ENDPOINTS)
def test_a_good_subscription_gives_no_finding(endpoint):
    good = sub(endpoint, expirationTime=(NOW + 60) * 1000, applicationServerKey=PUBLIC)
    for source in (good, json.dumps(good), json.dumps(good).encode()):
        assert codes(examine_subscription(source, NOW, KEYS)) == []
    (finding,) = examine_subscription(good, NOW)
    vendor = {url: name for name, url in GOOD_ENDPOINTS.items()}[endpoint]
    assert finding.seen.endswith(f"push service: {vendor}")


@pytest.mark.parametrize("endpoint", WHOLE_ENDPOINTS)
def test_an_endpoint_as_its_vendor_makes_it_gives_no_finding(endpoint):
    assert codes(examine_subscription(sub(endpoint), NOW)) == []


def test_what_is_known_of_a_vendor_says_when_it_is_older_than_two_years():
    years = 2 * 366 * 24 * 3600
    for now, old in ((NOW, False), (max(NOW, 1_790_000_000) + years, True)):
        found = [
            *examine_subscription(sub("https://fcm.googleapis.com/"), now),
            *examine_options({"ttl": 0, "topic": "topic"}, now=now),
            *examine_options({"ttl": 2_500_000}, "FCM", now),
            *examine_options({"ttl": 3_000_000}, "Mozilla", now),
            *examine_claims({"aud": "https://web.push.apple.com", "exp": now + 9.5}, now),
        ]
        codes_found = [one.code for one in found]
        assert codes_found == [
            "endpoint-shape", "ttl-zero", "topic-length", "ttl-over-28-days", "ttl-over-30-days",
            "exp-fraction", "subject-missing",
        ]  # fmt: skip
        # Google's manual has no date.
        assert ["not dated" in one.source for one in found] == 3 * [False] + [True] + 3 * [False]
        told = ["more than two years ago" in one.source for one in found]
        assert told == 3 * [old] + [False] + 3 * [old]


def test_what_is_known_of_a_vendor_is_told_with_its_source_and_no_path_is_shown():
    (finding,) = examine_subscription(sub("https://fcm.googleapis.com/secret-in-a-path"), NOW)
    assert finding.level == "hint" and "secret" not in str(finding)
    assert finding.source == "RFC 8030 §4; reported by senders to FCM, June 2026"


@pytest.mark.parametrize(("code", "source"), BAD_SUBSCRIPTIONS)
def test_each_fault_of_a_subscription_is_found_and_it_alone(code, source):
    assert codes(examine_subscription(source, NOW, KEYS)) == code.split()


@pytest.mark.parametrize(
    "spelling",
    [
        PUBLIC,
        base64.urlsafe_b64encode(KEYS.public).decode(),
        base64.b64encode(KEYS.public).decode(),
        KEYS.public.hex(),
        list(KEYS.public),
        {str(number): byte for number, byte in enumerate(KEYS.public)},
        {"type": "Buffer", "data": list(KEYS.public)},
    ],
    ids=["base64url", "padded", "base64", "hexadecimal", "bytes", "Uint8Array", "Buffer"],
)
def test_the_key_of_a_subscription_is_the_same_in_any_spelling(spelling):
    for members in ({"applicationServerKey": spelling}, {"options": {"applicationServerKey": spelling}}):
        assert codes(examine_subscription(sub(**members), NOW, KEYS)) == []
        others = VapidKeys.from_raw(bytes(range(32)))
        assert codes(examine_subscription(sub(**members), NOW, others)) == ["made-for-another-key"]


def test_a_key_of_a_subscription_that_cannot_be_read_is_no_other_key():
    for key in ({}, PRIVATE, "undefined", None, b"\xff"):
        for finding in examine_subscription(sub(applicationServerKey=key), NOW, KEYS):
            assert finding.level is not Level.BAD
            assert finding.level is Level.OK or "applicationServerKey is" in finding.seen
            assert PRIVATE not in str(finding)


def test_a_sentence_is_whole():
    asked = [
        (examine_keys(env(None))[0], "private-key-missing", "stops working."),
        (examine_subscription(sub("https://10.0.0.7" + PATH), NOW), "endpoint-private", "posts there"),
        (examine_subscription(sub(p256dh=OFF_CURVE), NOW), "p256dh-off-the-curve", "store it."),
        (
            examine_subscription(sub(expirationTime=NOW + 60), NOW),
            "expiration-time-in-seconds",
            "seconds.",
        ),
        (
            examine_subscription(sub(applicationServerKey=PUBLIC), NOW, OTHERS),
            "made-for-another-key",
            "subscribe again.",
        ),
    ]
    for findings, code, end in asked:
        (finding,) = (one for one in findings if one.code == code)
        assert end in (finding.seen[-11:] + finding.fix[-16:])


@pytest.mark.parametrize(
    "path",
    ["fcm.googleapis.com/fcm/send", "fcm.googleapis.com/v1/projects/x/messages:send",
     "api.push.apple.com/3/device/00fc13ad", "api.sandbox.push.apple.com/3/device/00fc13ad"],
)  # fmt: skip
def test_a_vendor_s_own_api_is_no_web_push(path):
    (finding,) = examine_subscription(sub(f"https://{path}"), NOW)
    assert finding.level is Level.BAD and "own API, and not web push" in finding.seen
    assert "pushManager.subscribe()" in finding.fix


@pytest.mark.parametrize(
    "time",
    [0, 1_400_000_000_000, False, -1, -62135596800000, "0001-01-01T00:00:00Z", "1/1/0001 12:00:00 AM",
     "1970-01-01T00:00:00.000Z", "null", "undefined", "", "0"],
)  # fmt: skip
def test_a_time_that_stands_for_null_removes_no_subscription(time):
    (finding,) = examine_subscription(sub(expirationTime=time), NOW)
    accepted = time in (0, 1_400_000_000_000) and time is not False
    assert finding.level is (Level.HINT if accepted else Level.BAD)
    assert finding.fault == "application server" and "null" in finding.fix
    assert "Remove it" not in finding.fix


def test_all_faults_of_a_subscription_are_found_at_once():
    past = (NOW - 60) * 1000
    source = sub("http://example.net/", P256DH[:40], AUTH + "==", expirationTime=past)
    wanted = ["endpoint-http", "p256dh-truncated", "auth-padded", "subscription-expired"]
    assert codes(examine_subscription(source, NOW)) == wanted


# --- claims and options --------------------------------------------------------------------------


def claim(**changed) -> dict:
    good = {"aud": ORIGIN, "exp": NOW + 3600, "sub": "mailto:me@example.com"}
    return {name: value for name, value in (good | changed).items() if value is not None}


BAD_CLAIMS = [
    ("claims-not-an-object", "[]"),
    ("claims-not-an-object", "{"),
    ("aud-missing", claim(aud=None)),
    ("aud-not-text", claim(aud=[ORIGIN])),
    ("aud-not-an-origin", claim(aud="updates.push.services.mozilla.com")),
    ("aud-not-an-origin", claim(aud="https://exa mple.net")),
    ("aud-slash", claim(aud=ORIGIN + "/")),
    ("aud-path", claim(aud=REAL)),
    ("aud-path", claim(aud="https://me:pa55word@example.net")),
    ("aud-spelling", claim(aud=ORIGIN + ":443")),
    ("aud-spelling", claim(aud=ORIGIN.replace("https", "HTTPS"))),
    ("aud-spelling", claim(aud=ORIGIN.replace("push", "PUSH"))),
    ("aud-another-origin", claim(aud="https://www.example.com")),
    ("exp-missing", claim(exp=None)),
    ("exp-text", claim(exp=str(NOW + 3600))),
    ("exp-not-a-number", claim(exp=True)),
    ("exp-not-a-number", claim(exp=float("nan"))),
    ("exp-milliseconds", claim(exp=NOW * 1000)),
    ("exp-milliseconds", claim(exp=10**400)),
    ("exp-microseconds", claim(exp=NOW * 10**6)),
    ("exp-nanoseconds", claim(exp=NOW * 10**9)),
    ("exp-ticks", claim(exp=(NOW + 62135596800) * 10**7)),
    ("exp-since-2001", claim(exp=NOW - 978307200)),
    ("exp-duration", claim(exp=43200)),
    ("exp-duration", claim(exp=60)),
    ("exp-duration", claim(exp=43200000)),
    ("exp-fraction", claim(exp=NOW + 300.25)),
    ("exp-fraction", claim(exp=NOW + 300.0)),
    ("exp-text", claim(exp="2027-01-15T08:00:00Z")),
    ("file-encoding", json.dumps(claim()).encode("utf-16")),
    ("exp-past", claim(exp=NOW)),
    ("exp-past", claim(exp=0)),
    ("exp-past", claim(exp=NOW - 7200)),
    ("exp-past", claim(exp=-(10**400))),
    ("exp-too-far", claim(exp=NOW + 86401)),
    ("exp-over-12-h", claim(exp=NOW + 86400)),
    ("subject-missing", claim(sub=None)),
    ("subject-not-text", claim(sub=["mailto:me@example.com"])),
]
BAD_OPTIONS = [
    ("options-not-an-object", "60"),
    ("file-encoding", '{"ttl": 60}'.encode("utf-16")),
    ("options-not-an-object", "{"),
    ("ttl-missing", {}),
    ("bad-ttl", {"ttl": "60"}),
    ("bad-ttl", {"ttl": -1}),
    ("ttl-zero", {"ttl": 0}),
    ("ttl-over-30-days", {"ttl": 2592001}),
    ("bad-urgency", {"ttl": 1, "urgency": "urgent"}),
    ("bad-topic", {"ttl": 1, "topic": "a" * 33}),
    ("bad-topic", {"ttl": 1, "topic": "new mail"}),
    ("topic-length", {"ttl": 1, "topic": "topic"}),
    ("option-unknown", {"ttl": 1, "Urgency": "high"}),
]


@pytest.mark.parametrize(("code", "source"), BAD_CLAIMS)
def test_each_fault_of_claims_is_found_and_it_alone(code, source):
    assert codes(examine_claims(source, NOW, ORIGIN, "Mozilla")) == [code]


def test_good_claims_give_no_finding():
    for source in (
        claim(),
        json.dumps(claim()),
        claim(exp=NOW + 43200),
        claim(sub="https://example.com/me"),
    ):
        assert codes(examine_claims(source, NOW, ORIGIN)) == []
    assert codes(examine_claims(claim(aud="http://127.0.0.1:8030"), NOW)) == []


def test_without_a_subscription_aud_is_held_against_the_push_services_that_are_known():
    assert codes(examine_claims(claim(), NOW)) == []
    assert codes(examine_claims(claim(aud="https://www.example.com"), NOW)) == ["aud-unknown"]
    assert codes(examine_claims(claim(aud="http://fcm.googleapis.com"), NOW)) == ["aud-not-https"]


@pytest.mark.parametrize(("code", "source"), BAD_OPTIONS)
def test_each_fault_of_options_is_found_and_it_alone(code, source):
    assert codes(examine_options(source)) == [code]


def test_a_ttl_that_is_a_point_in_time_is_told():
    assert codes(examine_options({"ttl": NOW + 3600}, now=NOW)) == ["ttl-point-in-time"]


def test_the_labs_own_contact_is_told_where_a_vendor_would_write_to_it():
    assert codes(examine_subject(DEFAULT_SUBJECT, "FCM")) == ["subject-default"]
    assert codes(examine_subject(DEFAULT_SUBJECT)) == codes(examine_subject("mailto:me@site.org", "FCM"))


def test_good_options_give_no_finding():
    good = {"ttl": 60, "urgency": "high", "topic": "news"}
    assert codes(examine_options(good)) == codes(examine_options(json.dumps(good))) == []


@pytest.mark.parametrize(
    ("vendor", "options"), [("WNS", {"ttl": 0}), ("WNS", {}), ("Apple", {"ttl": 1, "topic": "topic"})]
)
def test_what_one_vendor_refuses_is_bad_there_and_a_hint_elsewhere(vendor, options):
    assert [one.level for one in examine_options(options, vendor)] == [Level.BAD]
    assert [one.level for one in examine_options(options, "FCM")] == [Level.HINT]


# --- the surroundings ----------------------------------------------------------------------------


@pytest.fixture
def quiet(monkeypatch, tmp_path):
    """A machine without a fault: no lab, no proxy, a data folder of its own, and two browsers."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    for name in network.BUNDLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PUSHLAB_PORT", "0")
    monkeypatch.setenv("PUSHLAB_PUSH_PORT", "0")
    monkeypatch.setenv("PUSHLAB_DATA", str(tmp_path))
    monkeypatch.delenv("PUSHLAB_FIREFOX", raising=False)
    monkeypatch.delenv("PUSHLAB_CHROMIUM", raising=False)
    script = tmp_path / "browser"
    script.write_text("#!/bin/sh\necho 'Some Browser 140.0.1esr'\n")
    script.chmod(0o755)
    monkeypatch.setattr(machine.firefox, "find", lambda: script)
    monkeypatch.setattr(machine.chromium, "find", lambda: script)
    monkeypatch.setattr(os, "geteuid", lambda: 1000, raising=False)
    about = {"Requires-Python": ">=3.11"}
    monkeypatch.setattr(metadata, "metadata", lambda name: about)
    requires = ["tornado<7,>=6.4", "absent>=1; extra == 'test'"]
    monkeypatch.setattr(metadata, "requires", lambda name: requires)
    return monkeypatch


def surroundings() -> list[str]:
    return codes(examine())


@pytest.fixture
def garbage():
    """Give the port of a program that does not speak HTTP."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            for _ in range(2):  # The question about a lab, and the probe of the port.
                connection, _ = server.accept()
                with connection:
                    connection.settimeout(patience(60))
                    connection.recv(4096)
                    connection.sendall(b"SSH-2.0-none\r\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(patience(60))
        assert not thread.is_alive()


def test_good_surroundings_give_no_finding(quiet):
    report = examine()
    assert codes(report) == [] and report.good
    seen = "\n".join(one.seen for one in report)
    assert "version 140.0.1esr" in seen and "tornado" in seen and "absent" not in seen


def test_the_order_is_the_same_each_time(quiet):
    assert [one.code for one in examine()] == [one.code for one in examine()]


def test_python_and_packages_are_held_against_the_bounds_of_the_metadata(quiet):
    quiet.setattr(metadata, "metadata", lambda name: {"Requires-Python": ">=3.99"})
    quiet.setattr(metadata, "requires", lambda name: ["tornado<2", "pushlab-is-not-there>=1"])
    assert surroundings() == ["python-version", "package-missing", "package-version"]

    def gone(name):
        raise metadata.PackageNotFoundError(name)

    quiet.setattr(metadata, "metadata", gone)
    assert surroundings() == ["pushlab-not-installed"]


def test_no_browser(quiet):
    def nothing():
        raise BrowserNotFound("none was found")

    quiet.setattr(machine.firefox, "find", nothing)
    assert surroundings() == [], "one real browser is enough"
    quiet.setattr(machine.chromium, "find", nothing)
    assert surroundings() == ["no-browser"]
    quiet.setenv("PUSHLAB_CHROMIUM", "/no/such/program")
    assert surroundings() == ["browser-variable"]


@pytest.mark.skipif(os.name != "posix", reason="Windows' browsers are not asked for their version")
def test_a_browser_that_does_not_run(quiet, tmp_path):
    (tmp_path / "browser").write_text("#!/bin/sh\nexit 3\n")
    assert surroundings() == ["browser-broken"] * 2
    (tmp_path / "browser").write_bytes(b"\x7fELF, but not really")
    assert surroundings() == ["browser-broken"] * 2


def test_root(quiet):
    quiet.setattr(os, "geteuid", lambda: 0, raising=False)
    assert surroundings() == ["root"]


def test_the_data_folder(quiet, tmp_path):
    quiet.setenv("PUSHLAB_DATA", str(tmp_path / "not" / "made" / "yet"))
    assert surroundings() == []
    quiet.setattr(os, "access", lambda path, mode: False)
    assert surroundings() == ["data-not-writable"]
    quiet.setenv("PUSHLAB_DATA", str(tmp_path / "browser"))
    assert surroundings() == ["data-not-a-folder"]


def test_a_full_disk(quiet):
    usage = namedtuple("usage", "total used free")
    quiet.setattr(shutil, "disk_usage", lambda path: usage(2**30, 2**30 - 2**20, 2**20))
    assert surroundings() == ["disk-nearly-full"]


def test_ports(quiet, garbage):
    quiet.setenv("PUSHLAB_PORT", str(garbage))
    assert surroundings() == ["port-taken"]
    for wrong in ("eighty", "65536", "-1"):
        quiet.setenv("PUSHLAB_PORT", wrong)
        assert surroundings() == ["port-not-a-number"]


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_a_proxy_that_no_sender_uses(quiet, name):
    quiet.setenv(name, "http://me:pa55word@proxy.example:3128")
    quiet.setenv("NO_PROXY", "127.0.0.1,localhost")
    assert surroundings() == ["proxy-not-used"]
    (finding,) = [one for one in network.examine_network() if one.code == "proxy-not-used"]
    assert finding.seen.startswith(f"{name.upper()} is set") and "pa55word" not in str(finding)
    quiet.setenv("NO_PROXY", "*")
    assert surroundings() == []


def test_a_proxy_that_would_take_127_0_0_1(quiet):
    quiet.setenv("http_proxy", "http://me:pa55word@proxy.example:3128")
    assert surroundings() == ["proxy-takes-loopback"]
    quiet.setenv("no_proxy", "localhost,127.0.0.1")
    assert surroundings() == []


def test_certificates_that_are_not_there(quiet, tmp_path):
    quiet.setenv("SSL_CERT_FILE", str(tmp_path / "gone.pem"))
    assert surroundings() == ["certificates-missing"]


def test_the_clock(quiet):
    assert codes(network.examine_network(now=0)) == ["clock-behind"]
    assert codes(network.examine_network(now=network.WRITTEN)) == []


@pytest.mark.parametrize(
    ("code", "url"),
    [
        ("page-insecure", "http://10.77.0.1:8292/"),
        ("page-insecure", "http://me:pa55word@lab.example" + PATH),
        ("page-insecure", "http://localhost.example.com/"),
        ("page-not-served", "file:///home/me/index.html"),
        ("page-not-served", "http://[::1"),
        ("page-localhost", "http://localhost:8292/"),
    ],
)
def test_an_origin_without_push(code, url):
    assert codes(network.examine_page(url)) == [code]


@pytest.mark.parametrize(
    "url", ["https://lab.example/", "http://127.0.0.1:1/", "http://[::1]:1/", "http://a.localhost/"]
)
def test_an_origin_with_push(url):
    assert codes(network.examine_page(url)) == []


def test_a_key_file_that_cannot_be_read_is_a_finding_where_nobody_named_it(quiet, tmp_path):
    (tmp_path / "vapid.env").mkdir()
    assert surroundings() == ["key-file-unreadable"]
    with pytest.raises(IsADirectoryError):
        examine(keys=tmp_path / "vapid.env")


def test_keys_of_the_environment_are_those_that_are_looked_at(quiet, tmp_path):
    OTHERS.save(tmp_path / "vapid.env")
    quiet.setenv("VAPID_PRIVATE_KEY", PRIVATE)
    quiet.setenv("VAPID_SUBJECT", "mailto:me@example.com")
    report = examine()
    assert codes(report) == ["public-key-missing"]
    assert "keys-of-the-environment" in [one.code for one in report]
    quiet.setenv("VAPID_PRIVATE_KEY", KEYS.to_pem().decode())
    assert codes(examine()) == ["private-key-is-pem"]


def test_the_vendor_of_the_subscription_decides_what_is_bad(quiet):
    claims = {"aud": "https://web.push.apple.com", "exp": 1}
    given = {"keys": KEYS, "claims": claims, "options": {"topic": "topic"}}
    levels = {
        vendor: {one.code: str(one.level) for one in examine(subscription=sub(endpoint), **given)}
        for vendor, endpoint in GOOD_ENDPOINTS.items()
    }
    watched = ("subject-missing", "ttl-missing", "topic-length", "aud-another-origin")
    assert {vendor: tuple(map(found.get, watched)) for vendor, found in levels.items()} == {
        "Mozilla": ("hint", "hint", "hint", "bad"),
        "FCM": ("hint", "hint", "hint", "bad"),
        "Apple": ("bad", "hint", "bad", None),
        "WNS": ("hint", "bad", "hint", "bad"),
        "this machine": ("hint", "hint", "hint", "bad"),
    }


def test_the_subject_is_looked_at_in_keys_that_are_loaded_and_in_claims_for_apple(quiet):
    lonely = VapidKeys(KEYS.private_key, "mailto:me@localhost")
    apple = sub(GOOD_ENDPOINTS["Apple"])
    assert [one.level for one in examine(keys=lonely) if "subject" in one.code] == [Level.HINT]
    found = examine(keys=lonely, subscription=apple)
    assert [one.level for one in found if "subject" in one.code] == [Level.BAD]
    found = examine_claims({"aud": "https://web.push.apple.com", "exp": NOW + 9}, NOW)
    assert [(one.code, one.level) for one in found] == [("subject-missing", Level.BAD)]


# --- the lab -------------------------------------------------------------------------------------


def test_a_lab_looks_at_itself(quiet, tmp_path):
    with Lab(port=0, push_port=0, data=tmp_path / "data") as lab:
        report = lab.doctor()
        assert codes(report) == []
        assert {"lab", "page", "keys", "clock"} <= {one.code for one in report}

        lab.open("virtual").subscribe()
        stored = lab.subscriptions()[0]
        assert codes(lab.doctor(stored)) == codes(lab.doctor(stored.subscription)) == []
        both = ["stored-for-other-keys", "made-for-another-key"]
        assert codes(lab.doctor(stored, keys=OTHERS)) == both

        right = {"aud": stored.subscription.origin, "exp": 1, "sub": "mailto:me@example.com"}
        assert codes(lab.doctor(stored, claims=right, options={"ttl": 1})) == ["exp-duration"]
        wrong = right | {"aud": lab.page_url.rstrip("/")}
        assert codes(lab.doctor(stored, claims=wrong)) == ["aud-another-origin", "exp-duration"]
        endpoint = stored.subscription.endpoint
        assert endpoint.rsplit("/", 1)[1] not in lab.doctor(stored)._repr_html_()

        far = network.examine_network(now=NOW * 2, port=lab.application_server.port)
        assert codes(far) == ["clock-differs"]
    assert "lab" not in [one.code for one in lab.doctor()], "it has stopped"


def test_files_serve_as_well_as_values(quiet, tmp_path):
    file = tmp_path / "subscription.json"
    file.write_text(json.dumps(sub(auth=AUTH + "==")))
    (tmp_path / "my.env").write_bytes(env())
    (tmp_path / "my.env").chmod(0o600)
    with Lab(port=0, push_port=0, data=tmp_path / "data") as lab:
        assert codes(lab.doctor(str(file), keys=str(tmp_path / "my.env"))) == ["auth-padded"]
        with pytest.raises(FileNotFoundError):
            lab.doctor("nowhere.json")
        twice = json.dumps(json.dumps(sub()))
        assert codes(lab.doctor(twice, keys=str(tmp_path / "my.env"))) == ["subscription-json-in-json"]


@pytest.mark.parametrize(
    "source",
    [REAL, f"curl -X POST {REAL}", f"vapid t=eyJ0eXAiOiJKV1QifQ.e30.AAAA, k={PUBLIC}", PRIVATE],
)
def test_what_is_no_path_is_named_and_not_repeated(tmp_path, source):
    for given in ("subscription", "claims", "options"):
        with pytest.raises(BadArgument, match="the path of a file is wanted") as caught:
            examine(**{given: source}, data=tmp_path)
        assert not [secret for secret in SECRETS if secret in str(caught.value)]
    with pytest.raises(BadArgument, match="the private key itself"):
        examine(keys=Path(PRIVATE), data=tmp_path)


def test_a_public_key_alone_in_the_environment_is_a_hint(tmp_path, monkeypatch):
    KEYS.save(tmp_path / "vapid.env")
    monkeypatch.setenv("VAPID_PUBLIC_KEY", OTHERS.application_server_key)
    assert "public-key-alone" in codes(examine(data=tmp_path))


# --- the report ----------------------------------------------------------------------------------


def test_a_byte_order_mark_makes_no_path_of_json(quiet, tmp_path):
    told = [codes(examine(data=tmp_path, **{what: "\ufeff[]"})) for what in ("claims", "options")]
    assert [one[-1:] for one in told] == [["claims-not-an-object"], ["options-not-an-object"]]
    twice = "\ufeff" + json.dumps(json.dumps(sub()))
    told = codes(examine(data=tmp_path, subscription=twice))
    assert told[-1:] == ["subscription-json-in-json"]


def test_a_report_is_text_a_line_a_finding_and_says_how_many():
    worth, wrong = ("b", "so so", "user agent", "", "Look."), ("c", "no", "push service", "RFC 1", "Do.")
    report = Report((ok("a", "fine"), hint(*worth), bad(*wrong)))
    assert (
        str(report)
        == repr(report)
        == (
            "ok   fine\n"
            "hint so so. Fault: user agent.\n     Look.\n"
            "BAD  no (RFC 1). Fault: push service.\n     Do.\n"
            "1 ok, 1 hint, 1 bad"
        )
    )
    assert len(report) == 3 and not report.good
    assert report.next_step == "Do.", "the first fault's"
    other = hint("d", "hm", "user agent", "", "Try.")
    assert Report((hint(*worth), other)).next_step == "Try.", "the last hint's"
    assert str(Report(())) == "0 ok, no hint, nothing bad"


def test_what_a_file_says_stays_on_its_line_and_cannot_steer_the_terminal():
    assert str(ok("a", "x\nBAD\x1b[2Jy\u202e")) == "ok   x?BAD?[2Jy?"


def test_the_table_escapes_and_has_the_colours_of_the_theme():
    html = Report((bad("c", "<script>alert(1)</script>", "a & b", '"', "<b>"),))._repr_html_()
    assert "<script" not in html and "&lt;script&gt;" in html and "a &amp; b" in html

    found = []

    class Cells(HTMLParser):
        def handle_starttag(self, tag, attributes):
            found.append((tag, dict(attributes).get("style", "")))

    Cells().feed(html)
    assert {tag for tag, _ in found} == {"table", "thead", "tbody", "tr", "th", "td", "p"}
    assert all("--jp-" in style for tag, style in found if tag in ("th", "td", "p"))


def test_each_finding_that_the_doctor_can_make_is_provoked_here():
    folder = Path(sys.modules["pushlab.doctor"].__file__).parent
    # What it says of a whole request is provoked in tests/doctor.
    # These two examine a captured request, and tests/doctor provokes their findings.
    parts = [path for path in folder.glob("*.py") if path.stem not in ("request", "authorization")]
    source = "\n".join(path.read_text("utf-8") for path in parts)
    source = source.replace('bad("ttl-text"', "")  # An example of a docstring.
    made = set(re.findall(r'\b(?:bad|hint|level|fault)\(\s*f?"([a-z0-9{}()_-]+)"', source))
    made |= set(re.findall(r'\bcode(?:, fix)? = "([a-z0-9-]+)"', source))
    assert len(made) > 70
    here = Path(__file__).parent
    of_rooms = [here / "doctor" / "test_room.py", here / "endtoend" / "test_room.py"]
    tests = "".join(path.read_text("utf-8") for path in (Path(__file__), *of_rooms))
    told = set(re.findall(r'"([a-z0-9]+(?:-[a-z0-9]+)*)"', tests))
    missing = {
        code for code in made
        if not any(re.fullmatch(rf"(.+-)?{re.sub(r'{.*?}', '.+', code)}", one) for one in told)
    }  # fmt: skip
    assert not missing


# --- the command ---------------------------------------------------------------------------------


@pytest.fixture
def command(tmp_path, quiet):
    def run(*arguments, **environment) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", "pushlab", "doctor", *map(str, arguments)],
            capture_output=True, text=True, timeout=patience(120), env={**os.environ, **environment},
        )  # fmt: skip

    for name in ("PUSHLAB_FIREFOX", "PUSHLAB_CHROMIUM"):
        quiet.setenv(name, str(tmp_path / "browser"))
    return run


def test_exit_status_0_when_nothing_is_bad(command, tmp_path):
    (tmp_path / "good.json").write_text(json.dumps(sub()))
    (tmp_path / "good.env").write_bytes(env())
    (tmp_path / "good.env").chmod(0o600)
    given = ["--subscription", tmp_path / "good.json", "--keys", tmp_path / "good.env"]
    done = command(*given, "--options", '{"ttl": 60}', "--page", "http://127.0.0.1:8292/")
    assert done.returncode == 0 and done.stderr == "", done.stdout
    assert done.stdout.splitlines()[-1].endswith("nothing bad")
    assert not [secret for secret in SECRETS if secret in done.stdout]


def test_exit_status_1_when_something_is_bad_and_one_object_a_line(command, tmp_path):
    (tmp_path / "bad.json").write_text(json.dumps(sub(p256dh=AUTH, auth=P256DH)))
    (tmp_path / "claims.json").write_text(json.dumps(claim(aud=REAL)))
    paths = ["--subscription", tmp_path / "bad.json", "--claims", tmp_path / "claims.json"]
    done = command(*paths, "--json")
    assert done.returncode == 1 and done.stderr == ""
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(list(line) == ["code", "level", "seen", "fault", "source", "fix"] for line in lines)
    found = {line["code"] for line in lines if line["level"] == "bad"}
    assert {"keys-swapped", "aud-path"} <= found
    assert not [secret for secret in SECRETS if secret in done.stdout]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--subscription", "nowhere.json"],
        ["--keys", "."],
        ["--claims", "nowhere"],
        ["--options", ""],
        ["--fly"],
    ],
)
def test_exit_status_2_when_it_was_asked_wrongly(arguments, capsys):
    try:
        status = main(["doctor", *arguments])
    except SystemExit as ended:  # argparse's way
        status = ended.code
    said = capsys.readouterr()
    assert (status, said.out) == (2, "") and said.err


def test_a_room_s_address_is_examined_with_the_next_thing_to_do_at_the_end(quiet, capsys):
    assert main(["doctor", "--host", "127.0.0.1"]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[-1].startswith("Next: Take an address in the room's network: ")
    assert main(["doctor"]) == 0 and "Next:" not in capsys.readouterr().out


def test_the_lab_is_found_past_a_proxy(command, tmp_path):
    with Lab(port=0, push_port=0, data=tmp_path / "data") as lab:
        port = str(lab.application_server.port)
        # Nothing listens at port 9, so what goes to that proxy is lost.
        done = command("--json", PUSHLAB_PORT=port, http_proxy="http://127.0.0.1:9")
    found = {json.loads(line)["code"] for line in done.stdout.splitlines()}
    assert {"lab", "proxy-takes-loopback"} <= found and "port-taken" not in found


def test_a_file_that_is_far_too_large_is_not_read(command, tmp_path):
    (tmp_path / "large").write_bytes(bytes(70000))
    done = command("--keys", tmp_path / "large")
    assert done.returncode == 2 and "large" in done.stderr


@pytest.mark.parametrize("path", ["push/xxx", "push/[a]", "p/{x}", "p/a...b", "p?to=https://a.example/"])
def test_nothing_is_said_of_a_path_on_this_machine(path):
    assert codes(examine_subscription(sub(endpoint=f"http://localhost:8080/{path}"), NOW)) == []
