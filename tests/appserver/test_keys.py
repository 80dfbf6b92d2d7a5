"""VAPID keys in all their forms, byte-exact, with a private key that begins with a zero byte."""

import json
import logging
import os
import stat
import traceback

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from py_vapid import Vapid

from pushlab.appserver.key_sources import convert
from pushlab.appserver.keys import VapidKeys, parse_env
from pushlab.doctor.keys import examine_keys
from pushlab.errors import (
    BadBase64url,
    BadPrivateKey,
    BadSubject,
    KeyFileError,
    KeyFileExists,
    KeyFileMalformed,
    KeyFileMissing,
    KeyMismatch,
)
from pushlab.protocol import base64url, p256

RAW = bytes.fromhex("00853e799f052c6cfd3b76dbdd01dba23a4d53caa9a04abfe157d07b64f42f0b")
PRIVATE = "AIU-eZ8FLGz9O3bb3QHbojpNU8qpoEq_4VfQe2T0Lws"
PUBLIC = "BBoTxny-zDttduBC6XQA6NixTTFp4dFU_VnfNF9Jgn6d1QzOJaJlvCoCw29y28otvnpG5ZPFE8a1jbC1OeA9B8A"
OTHER = base64url.encode(p256.raw_public(p256.load_private(bytes(31) + b"\1")))

# The same key as `openssl ec` and `openssl pkcs8 -topk8` write it, the parameters in front too.
SEC1 = """\
-----BEGIN EC PARAMETERS-----
BggqhkjOPQMBBw==
-----END EC PARAMETERS-----
-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIACFPnmfBSxs/Tt2290B26I6TVPKqaBKv+FX0Htk9C8LoAoGCCqGSM49
AwEHoUQDQgAEGhPGfL7MO2124ELpdADo2LFNMWnh0VT9Wd80X0mCfp3VDM4lomW8
KgLDb3Lbyi2+ekblk8UTxrWNsLU54D0HwA==
-----END EC PRIVATE KEY-----
"""
PKCS8 = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgAIU+eZ8FLGz9O3bb
3QHbojpNU8qpoEq/4VfQe2T0LwuhRANCAAQaE8Z8vsw7bXbgQul0AOjYsU0xaeHR
VP1Z3zRfSYJ+ndUMziWiZbwqAsNvctvKLb56RuWTxRPGtY2wtTngPQfA
-----END PRIVATE KEY-----
"""
JWK = {
    "kty": "EC",
    "crv": "P-256",
    "d": PRIVATE,
    "x": base64url.encode(base64url.decode(PUBLIC)[1:33]),
    "y": base64url.encode(base64url.decode(PUBLIC)[33:]),
}
ENV = f"VAPID_PUBLIC_KEY={PUBLIC}\nVAPID_PRIVATE_KEY={PRIVATE}\nVAPID_SUBJECT=mailto:me@example.com\n"

posix = pytest.mark.skipif(os.name != "posix", reason="Windows has access lists, not modes")


def mode_of(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# --- forms -------------------------------------------------------------------------------------

FORMS = {
    "env": ENV.encode(),
    "env without the public half": f"VAPID_PRIVATE_KEY={PRIVATE}".encode(),
    "env as people write it": f"# mine\n\nexport VAPID_PRIVATE_KEY = '{PRIVATE}'\r\nX=1\n".encode(),
    "pkcs8": PKCS8.encode(),
    "sec1 with parameters": SEC1.encode(),
    "sec1": SEC1[SEC1.index("-----BEGIN EC PRIVATE") :].encode(),
    "jwk": json.dumps(JWK).encode(),
    "jwk without the public half": json.dumps({k: JWK[k] for k in ("kty", "crv", "d")}).encode(),
    "raw": RAW,
    "raw as base64url": PRIVATE.encode() + b"\n",
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_file_gives_the_same_key(form, tmp_path):
    path = tmp_path / "key"
    path.write_bytes(FORMS[form])
    path.chmod(0o600)
    keys = VapidKeys.load(path)
    assert p256.raw_private(keys.private_key) == RAW
    assert keys.application_server_key == PUBLIC
    assert keys.public == base64url.decode(PUBLIC)


def test_what_is_written_is_byte_exact():
    keys = VapidKeys.from_raw(RAW, subject="mailto:me@example.com")
    assert keys.to_env() == ENV
    assert keys.to_base64url() == base64url.encode(RAW)
    assert keys.to_pem() == PKCS8.encode()
    assert keys.to_jwk() == JWK


def test_every_form_comes_back():
    for _ in range(20):
        keys = VapidKeys.generate("https://example.com/contact")
        assert VapidKeys.from_env(parse_env(keys.to_env())) == keys
        assert VapidKeys.from_pem(keys.to_pem(), keys.subject) == keys
        assert VapidKeys.from_jwk(keys.to_jwk(), keys.subject) == keys
        assert VapidKeys.from_jwk(json.dumps(keys.to_jwk()), keys.subject) == keys
        assert hash(VapidKeys.from_pem(keys.to_pem(), keys.subject)) == hash(keys)
    assert VapidKeys.generate() != VapidKeys.generate()


def test_py_vapid_reads_our_pem_and_we_read_its():
    theirs = Vapid.from_pem(VapidKeys.from_raw(RAW).to_pem())
    assert theirs.private_key.private_numbers().private_value == int.from_bytes(RAW, "big")
    made = Vapid()
    made.generate_keys()
    ours = VapidKeys.from_pem(made.private_pem())
    assert ours.public == p256.raw_public(made.private_key)


def test_a_subject_is_checked_and_the_one_in_the_file_wins():
    with pytest.raises(BadSubject):
        VapidKeys.generate("mailto: me@example.com")
    assert VapidKeys.from_env(parse_env(ENV)).subject == "mailto:me@example.com"
    with pytest.raises(BadSubject):
        VapidKeys.from_env({"VAPID_PRIVATE_KEY": PRIVATE, "VAPID_SUBJECT": "me@example.com"})


def encrypted_pem() -> bytes:
    key = p256.load_private(RAW)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))


def pem_of(key) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


BAD_FORMS = {
    "a leading zero byte was dropped": (
        lambda: VapidKeys.from_raw(RAW[1:]),
        BadPrivateKey,
        "31 bytes",
    ),
    "zero": (lambda: VapidKeys.from_raw(bytes(32)), BadPrivateKey, "from 1"),
    "another public half": (
        lambda: VapidKeys.from_raw(RAW, base64url.decode(OTHER)),
        KeyMismatch,
        "65 bytes",
    ),
    "half a public half": (
        lambda: VapidKeys.from_raw(RAW, base64url.decode(PUBLIC)[:33]),
        KeyMismatch,
        "33 bytes",
    ),
    "no private key in the env": (
        lambda: VapidKeys.from_env({"VAPID_PUBLIC_KEY": PUBLIC}),
        KeyFileMalformed,
        "VAPID_PRIVATE_KEY",
    ),
    "another public half in the env": (
        lambda: VapidKeys.from_env({"VAPID_PRIVATE_KEY": PRIVATE, "VAPID_PUBLIC_KEY": OTHER}),
        KeyMismatch,
        "65 bytes",
    ),
    "padding in the env": (
        lambda: VapidKeys.from_env({"VAPID_PRIVATE_KEY": PRIVATE + "="}),
        BadBase64url,
        "VAPID_PRIVATE_KEY",
    ),
    "another public half in the jwk": (
        lambda: VapidKeys.from_jwk(JWK | {"y": JWK["x"]}),
        KeyMismatch,
        "65 bytes",
    ),
    "half a public half in the jwk": (
        lambda: VapidKeys.from_jwk({k: v for k, v in JWK.items() if k != "y"}),
        KeyMismatch,
        "33 bytes",
    ),
    "a public jwk": (
        lambda: VapidKeys.from_jwk({k: v for k, v in JWK.items() if k != "d"}),
        KeyFileMalformed,
        "only a public key",
    ),
    "a jwk with a number": (lambda: VapidKeys.from_jwk(JWK | {"d": 7}), BadBase64url, "d is not"),
    "a jwk of another curve": (
        lambda: VapidKeys.from_jwk(JWK | {"crv": "P-384"}),
        KeyFileMalformed,
        "P-256",
    ),
    "a jwk that is a list": (lambda: VapidKeys.from_jwk("[]"), KeyFileMalformed, "object"),
    "a jwk that is no json": (lambda: VapidKeys.from_jwk("{"), KeyFileMalformed, "JSON"),
    "a jwk with a member twice": (
        lambda: VapidKeys.from_jwk('{"d": "AA", "d": "AQ"}'),
        KeyFileMalformed,
        "JSON",
    ),
    "a jwk nested too deeply": (lambda: VapidKeys.from_jwk("[" * 99999), KeyFileMalformed, "JSON"),
    "an encrypted pem": (lambda: VapidKeys.from_pem(encrypted_pem()), KeyFileMalformed, "password"),
    "a pem cut short": (lambda: VapidKeys.from_pem(PKCS8[:150]), KeyFileMalformed, "private key"),
    "a pem with another public half": (
        lambda: VapidKeys.from_pem(PKCS8.replace("CAAQaE8Z8", "CAAQaE8Z9")),
        KeyFileMalformed,
        "PEM",
    ),
    "an rsa pem": (
        lambda: VapidKeys.from_pem(pem_of(rsa.generate_private_key(65537, 2048))),
        KeyFileMalformed,
        "not a P-256 key",
    ),
    "a pem of a curve that nobody knows": (
        lambda: VapidKeys.from_pem(PKCS8.replace("AwEHBG0w", "AwEKBG0w")),
        KeyFileMalformed,
        "unknown kind",
    ),
    "a pem of another curve": (
        lambda: VapidKeys.from_pem(pem_of(ec.generate_private_key(ec.SECP384R1()))),
        KeyFileMalformed,
        "secp384r1",
    ),
}


@pytest.mark.parametrize("case", BAD_FORMS)
def test_what_cannot_be_a_key_is_an_error(case):
    make, error, detail = BAD_FORMS[case]
    with pytest.raises(error) as caught:
        make()
    assert detail in caught.value.detail
    assert PRIVATE not in "".join(traceback.format_exception(caught.value))


def test_the_private_half_is_in_no_repr():
    keys = VapidKeys.from_raw(RAW)
    shown = f"{keys!r} {keys} {vars(keys)} {[keys]}"
    secret = int.from_bytes(RAW, "big")
    for form in (PRIVATE, RAW.hex(), str(secret), repr(RAW), JWK["d"]):
        assert form not in shown


# --- files -------------------------------------------------------------------------------------


@posix
def test_save_makes_a_file_of_mode_0600_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        VapidKeys.from_raw(RAW, subject="mailto:me@example.com").save(tmp_path / "vapid.env")
    finally:
        os.umask(before)
    assert mode_of(tmp_path / "vapid.env") == 0o600
    assert (tmp_path / "vapid.env").read_text() == ENV
    assert os.listdir(tmp_path) == ["vapid.env"], "no draft is left"


def test_save_does_not_write_over_a_file_unless_asked(tmp_path):
    path = tmp_path / "vapid.env"
    first, second = VapidKeys.generate(), VapidKeys.generate()
    first.save(path)
    with pytest.raises(KeyFileExists):
        second.save(path)
    assert VapidKeys.load(path) == first
    second.save(path, overwrite=True)
    assert VapidKeys.load(path) == second
    assert os.listdir(tmp_path) == ["vapid.env"]


def test_save_does_not_follow_a_link_to_another_file(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    link.symlink_to(target)
    with pytest.raises(KeyFileExists):
        VapidKeys.generate().save(link)
    assert not target.exists()


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    with pytest.raises(KeyFileError, match="cannot be written"):
        VapidKeys.generate().save(tmp_path / "nowhere" / "vapid.env")


def test_a_missing_path_never_makes_a_key(tmp_path):
    with pytest.raises(KeyFileMissing):
        VapidKeys.load(tmp_path / "vapid.env")
    assert os.listdir(tmp_path) == []


BAD_FILES = {
    "nothing": (b"", "an empty file"),
    "31 raw bytes": (b"\xff" * 31, "31 bytes"),
    "an env without keys": (b"X=1\n", "VAPID_PRIVATE_KEY"),
    "words": (b"hello there", "base64url"),
    "far too much": (b"A" * 70000, "larger"),
    "not utf-8": (b"VAPID_PRIVATE_KEY=\xff\xfe", "Windows-1252"),
    "a pem of nothing": (b"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n", "PEM"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_file_without_a_key_is_not_changed(case, tmp_path):
    content, detail = BAD_FILES[case]
    path = tmp_path / "file"
    path.write_bytes(content)
    path.chmod(0o755)
    for load in (VapidKeys.load, VapidKeys.load_or_generate):
        with pytest.raises(KeyFileMalformed) as caught:
            load(path)
        assert str(path) in caught.value.detail and detail in caught.value.detail
    assert path.read_bytes() == content
    assert mode_of(path) == 0o755, "a file that proved to be no key of ours keeps its mode"


def test_a_mismatch_in_a_file_names_the_file(tmp_path):
    path = tmp_path / "vapid.env"
    path.write_text(ENV.replace(PUBLIC, OTHER))
    path.chmod(0o600)
    with pytest.raises(KeyMismatch, match="vapid.env"):
        VapidKeys.load(path)


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_raw_bytes_may_have_a_line_break_after_them(tmp_path, end):
    for raw in (RAW, RAW[:-1] + b"\n"):
        (tmp_path / "key").write_bytes(raw + end)
        keys = VapidKeys.load(tmp_path / "key")
        assert keys == VapidKeys.from_raw(raw)
        assert convert(raw + end)[0] == keys and examine_keys(raw + end)[1] == keys


@pytest.mark.parametrize("content", [b"\2" + RAW[1:] + b"\n", RAW + b"\0", RAW + b"\n\n"])
def test_other_bytes_after_raw_ones_are_not_cut(tmp_path, content):
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(KeyFileMalformed):
        VapidKeys.load(tmp_path / "key")
    assert examine_keys(content)[1] is None


IN_PLACE_OF_A_PATH = {
    "base64url": PRIVATE,
    "hexadecimal": RAW.hex(),
    "PEM": PKCS8,
    "PEM with escapes": PKCS8.replace("\n", "\\n"),
    ".env": ENV,
    "too long": f"{ENV}# {'x' * 300}",
    "a zero": f"{PRIVATE}\0",
}


@pytest.mark.parametrize("text", IN_PLACE_OF_A_PATH.values(), ids=IN_PLACE_OF_A_PATH)
def test_a_key_in_place_of_its_path_is_not_repeated_and_names_no_file(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    for load in (VapidKeys.load, VapidKeys.load_or_generate):
        with pytest.raises(KeyFileMissing, match="the path of a file is wanted") as caught:
            load(text)
        told = "".join(traceback.format_exception(caught.value))
        for secret in (PRIVATE[:20], RAW.hex()[:20], "AIU+eZ8FLGz9O3bb"):
            assert secret not in told
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_no_key_file(tmp_path):
    with pytest.raises(KeyFileMalformed, match="cannot be read"):
        VapidKeys.load(tmp_path)


@posix
def test_load_warns_of_a_file_that_others_can_read_and_does_not_change_it(tmp_path, caplog):
    path = tmp_path / "vapid.env"
    path.write_text(ENV)
    path.chmod(0o644)
    with caplog.at_level(logging.WARNING):
        VapidKeys.load(path)
    assert "chmod 600" in caplog.text and PRIVATE not in caplog.text
    assert mode_of(path) == 0o644
    path.chmod(0o600)
    caplog.clear()
    VapidKeys.load(path)
    assert caplog.text == ""


@posix
def test_load_or_generate_makes_keys_once_and_restricts_an_existing_file(tmp_path):
    path = tmp_path / "vapid.env"
    made = VapidKeys.load_or_generate(path, "mailto:me@example.com")
    assert mode_of(path) == 0o600
    path.chmod(0o644)
    kept = VapidKeys.load_or_generate(path, "mailto:other@example.com")
    assert kept == made and kept.subject == "mailto:me@example.com"
    assert mode_of(path) == 0o600


def test_load_or_generate_keeps_the_keys_of_a_faster_process(tmp_path, monkeypatch):
    path = tmp_path / "vapid.env"
    quicker = VapidKeys.from_raw(RAW)
    generate = VapidKeys.generate.__func__

    def slow(cls, subject):
        quicker.save(path)
        return generate(cls, subject)

    monkeypatch.setattr(VapidKeys, "generate", classmethod(slow))
    assert VapidKeys.load_or_generate(path) == quicker
