"""What is pasted where a key belongs: each spelling of a random key is asked for its name."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import example, given
from hypothesis import strategies as st

from pushlab.protocol import base64url, p256
from pushlab.protocol.examples import RFC8291
from pushlab.protocol.spelling import Kind, advise, recognize

from . import writers

KEYS = st.integers(1, p256.N - 1).map(lambda number: p256.load_private(number.to_bytes(32, "big")))
RAW = {Kind.PUBLIC: writers.public_of, Kind.PRIVATE: writers.private_of}
KEY = p256.load_private(RFC8291.as_private)
PUBLIC, PRIVATE = (base64url.encode(raw(KEY)) for raw in RAW.values())
AUTH = base64url.encode(RFC8291.auth_secret)


def secrets_of(key) -> list[str]:
    private = writers.private_of(key)
    return [base64url.encode(private), private.hex(), repr(private)[2:-1], str(list(private))]


@given(KEYS, st.sampled_from(writers.FORMS), st.sampled_from(sorted(writers.WRITINGS)))
def test_each_spelling_of_a_random_key_is_recognized_by_name(key, form, writing):
    name, kind, made = form
    text = writers.WRITINGS[writing](made(key))
    found = recognize(text)
    assert (found.kind, found.raw) == (kind, RAW[kind](key))
    if name:  # The structure of the bytes says more than the way in which they are written.
        assert found.name == name
    for said in (found.name, found.what, found.turn, repr(found)):
        assert not [secret for secret in secrets_of(key) if secret in said]


@given(KEYS, st.sampled_from(sorted(writers.WRITINGS)))
def test_the_name_of_a_spelling_comes_back(key, writing):
    for raw in (writers.public_of(key), writers.private_of(key)):
        text, name = writers.WRITINGS[writing](raw), writing.partition(" ")[0]
        if name == "plain-base64" and not set(text) & set("+/"):
            name = "padded"  # Without + and / the two alphabets are one.
        assert recognize(text).name == name


@given(KEYS, st.sampled_from(writers.FORMS[:2]), st.sampled_from(sorted(writers.OF_BASE64)))
def test_what_was_made_of_plain_base64_is_undone(key, form, writing):
    _, kind, made = form
    text = writers.OF_BASE64[writing](writers.as_base64(made(key)))
    found = recognize(text)
    assert (found.kind, found.raw, found.name) == (kind, made(key), writing)


@given(KEYS)
def test_a_form_that_turned_plus_into_space(key):
    text = writers.as_base64(writers.public_of(key))
    found = recognize(text.replace("+", " "))
    assert found.raw == writers.public_of(key)
    assert found.name == ("spaces-for-plus" if "+" in text else recognize(text).name)


@given(KEYS, st.sampled_from(writers.PEMS), st.sampled_from(sorted(writers.PEM_WRITINGS)))
def test_a_pem_in_any_wrapping(key, pem, writing):
    kind, made = pem
    found = recognize(writers.PEM_WRITINGS[writing](made(key).decode()))
    assert (found.kind, found.raw, found.name) == (kind, RAW[kind](key), "is-pem")


@given(KEYS)
def test_a_number_that_lost_or_gained_a_byte(key):
    raw = writers.private_of(key)
    if raw[0] >= 0x80:
        found = recognize(b"\0" + raw)
        assert (found.name, found.raw) == ("with-sign", raw)
    if not raw[0]:
        found = recognize(raw[1:])
        assert (found.name, found.raw) == ("31-bytes", raw)


@example(bytes([10] * 16), "byte-list without brackets")  # as hexadecimal it would be 16 times 0x10
@example(b"!" * 16, "python-bytes")  # every byte is a character that can be printed
@given(st.binary(min_size=16, max_size=16), st.sampled_from(sorted(writers.WRITINGS)))
def test_an_auth_secret_in_every_writing(secret, writing):
    text = writers.WRITINGS[writing](secret)
    found = recognize(text)
    assert (found.kind, found.raw) == (Kind.AUTH, secret), text


# --- advice --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", Kind)
def test_there_is_no_advice_for_what_is_right(kind):
    right = {Kind.PUBLIC: PUBLIC, Kind.PRIVATE: PRIVATE, Kind.AUTH: AUTH}[kind]
    assert advise(right, kind) is None and advise(base64url.decode(right), kind) is None


MISPLACED = [
    (PRIVATE, Kind.PUBLIC, "is-the-private-key", "make a new pair"),
    (PUBLIC, Kind.PRIVATE, "is-the-public-key", "Exchange the two"),
    (PUBLIC, Kind.AUTH, "is-the-public-key", "16 bytes"),
    (AUTH, Kind.PUBLIC, "is-the-auth-secret", "65 bytes"),
    (AUTH, Kind.PRIVATE, "is-the-auth-secret", "32 bytes"),
    (KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(), Kind.PUBLIC,
     "is-the-private-key", "make a new pair"),
    (writers.spki(KEY, Encoding.PEM).decode(), Kind.PRIVATE, "is-the-public-key", "Exchange"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "wanted", "name", "words"), MISPLACED)
def test_a_key_in_the_place_of_another_is_named_and_never_repeated(text, wanted, name, words):
    found = advise(text, wanted)
    assert found.name == name and words in found.turn
    told = " ".join(found)
    assert PRIVATE not in told and AUTH not in told and PUBLIC not in told


THINGS = [
    ("is-undefined", "undefined"),
    ("is-undefined", "null"),
    ("is-an-object", "[object ArrayBuffer]"),
    ("is-an-object", "<_io.BytesIO object at 0x7f0000000000>"),
    ("is-a-placeholder", "YOUR_PRIVATE_KEY"),
    ("is-a-placeholder", "<your-private-key>"),
    ("is-a-placeholder", "xxxxx"),
    ("is-a-variable", "${VAPID_PRIVATE_KEY}"),
    ("is-a-variable", "process.env.VAPID_PRIVATE_KEY"),
    ("is-a-token", "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJhdWQiOiJ4In0.c2lnbmF0dXJl"),
    ("is-a-token", "WebPush eyJ0eXAiOiJKV1QifQ.eyJhdWQiOiJ4In0.c2lnbmF0dXJl"),
    ("is-a-firebase-key", "AAAAabcdefg:APA91b" + 134 * "x"),
    ("is-a-firebase-token", "dHIoDxE7HdgdHIoDxE7Hdg:APA91b" + 134 * "x"),
    ("is-an-api-key", "AIza" + 35 * "y"),
    ("is-a-sender-id", "103953800507"),
    ("is-an-ssh-key", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA me@example.com"),
    ("is-pem-cut", "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg"),
    ("is-a-uuid", "1a2b3c4d-0000-4000-8000-000000000000"),
    ("is-a-contact", "mailto:me@example.com"),
    ("is-a-url", "https://push.example.net/secret"),
    ("is-a-path", "private_key.pem"),
    ("is-a-path", "/etc/keys/vapid"),
    ("is-a-path", r"C:\keys\private.pem"),
    ("is-json", '{"kty":"EC"}'),
]


@pytest.mark.parametrize(("name", "text"), THINGS)
def test_a_text_that_is_no_key_is_named(name, text):
    for wanted in Kind:
        found = advise(text, wanted)
        assert found.name == name and found.what and found.turn


def pem(key, locked: bytes = b"") -> str:
    lock = BestAvailableEncryption(locked) if locked else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock).decode()


OTHERS = {
    "P-384": pem(ec.generate_private_key(ec.SECP384R1())),
    "secp256k1": pem(ec.generate_private_key(ec.SECP256K1())),
    "Ed25519": pem(ed25519.Ed25519PrivateKey.generate()),
    "RSA": pem(rsa.generate_private_key(65537, 2048)),
    "RSA, public": rsa.generate_private_key(65537, 2048).public_key().public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
}  # fmt: skip


@pytest.mark.parametrize("key", OTHERS.values(), ids=OTHERS)
def test_a_key_of_another_kind_is_none_for_web_push(key):
    assert advise(key, Kind.PRIVATE).name == "another-key"


def test_a_password_is_asked_for():
    found = advise(pem(KEY, b"pa55word"), Kind.PRIVATE)
    assert found.name == "locked" and "openssl" in found.turn
    # The older form has the password's parameters in front of the bytes, RFC 1421.
    text = KEY.private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(b"x")
    )
    for form in (text.decode(), text.decode().replace("\n", "\r\n"), text.decode().replace("\n", "\\n")):
        found = advise(form, Kind.PRIVATE)
        assert found.name == "is-pem-locked" and "password" in found.what and "openssl" in found.turn


@pytest.mark.parametrize("text", ["hello there", "push", "Grüße", "a" * 10000, "\0", "AAAAA"])
def test_nothing_is_said_of_what_is_not_known(text):
    assert advise(text, Kind.PRIVATE) is None and not recognize(text).kind


def test_bytes_that_became_text_without_being_encoded_are_told():
    point = p256.raw_public(p256.load_private(bytes(31) + b"\1"))
    assert advise(point.decode("latin-1"), Kind.PUBLIC).name == "raw-characters"
    assert advise(bytes(range(16)).decode("latin-1"), Kind.AUTH).name == "raw-characters"
    assert advise(point.decode("utf-8", "replace"), Kind.PUBLIC).name == "is-mojibake"
    assert advise({}, Kind.PUBLIC).name == "is-an-empty-object"
    assert advise(list(point), Kind.PUBLIC).name == "byte-list"
    assert advise({"type": "Buffer", "data": list(point)}, Kind.PUBLIC).name == "byte-list"
    assert advise("BGsX0fLhLEJH-Lzm5WOkQPJ3A32BLeszoPShOUXYmMKW...", Kind.PUBLIC).name == "is-shortened"


def test_a_private_key_as_one_number_is_told():
    number = int.from_bytes(bytes(range(1, 33)), "big")
    found = recognize(str(number))
    assert (found.name, found.raw) == ("in-decimal", bytes(range(1, 33)))
    assert recognize(str(2**256)).shape is None


@pytest.mark.parametrize("value", [None, 7, [4, 5], {"0": 4}])
def test_only_texts_and_bytes_are_looked_at(value):
    assert advise(value, Kind.PUBLIC) is None


@pytest.mark.parametrize("raw", [bytes(range(0x20, 0x40)), b"A private key of 32 characters, ?"[:32]])
def test_a_key_of_printable_bytes_is_one_if_it_is_nothing_else(raw):
    """Nobody draws such a key, but people make one up for a test."""
    found = recognize(base64url.encode(raw))
    assert (found.kind, found.raw, found.name) == (Kind.PRIVATE, raw, "")
    assert recognize(raw).kind is None, "this is a text"


# --- a key that was damaged on its way -----------------------------------------------------------

WANTED = {Kind.PUBLIC: 87, Kind.PRIVATE: 43, Kind.AUTH: 22}
DAMAGED = [
    (Kind.PRIVATE, -1, 0),
    (Kind.PRIVATE, -2, 0),
    (Kind.PRIVATE, -3, 0),
    (Kind.PRIVATE, 0, 1),
    (Kind.PRIVATE, 0, 2),
    (Kind.AUTH, -1, 0),
    (Kind.AUTH, 0, 3),
    (Kind.PUBLIC, -2, 0),
    (Kind.PUBLIC, 0, 2),
]


@pytest.mark.parametrize(("kind", "cut", "more"), DAMAGED)
def test_a_character_too_few_or_too_many_is_counted(kind, cut, more):
    text = {Kind.PUBLIC: PUBLIC, Kind.PRIVATE: PRIVATE, Kind.AUTH: AUTH}[kind]
    text = text[: cut or None] + more * "k"
    found = advise(text, kind)
    assert found.name == "length"
    assert found.what == f"{len(text)} characters long, and {WANTED[kind]} are wanted"
    assert found.turn == "Copy it again, from the first character to the last."


@given(KEYS)
def test_a_cut_key_is_no_number_without_its_leading_zero(key):
    private = base64url.encode(writers.private_of(key))
    for text in (private[:-1], private[1:]):
        found = advise(text, Kind.PRIVATE)
        # Without its first character a key may be the whole bytes of a shorter number.
        assert (found.name == "length" and "zero byte" not in found.turn) or found.name == "31-bytes"
        assert "Copy it again" in found.turn and "last character" not in found.what


MENDED = {
    "with-dashes": lambda text: text.replace("-", "\u2013"),
    "with-dashes, others": lambda text: text.replace("-", "\u2011"),
    "markdown-escaped": lambda text: text.replace("_", "\\_"),
    "quoted-printable": lambda text: "3D" + text,
    "pasted-twice": lambda text: text + text,
}


@pytest.mark.parametrize("how", MENDED)
@pytest.mark.parametrize("raw", [b"\xfb\xef\xbe" * 10 + b"\xfb\xef", p256.raw_public(
    p256.load_private(bytes(30) + b"\x04\x02"))], ids=["private", "public"])  # fmt: skip
def test_what_programs_do_to_a_key_is_undone(how, raw):
    text = base64url.encode(raw)
    assert "-" in text or "_" in text
    changed = MENDED[how](text)
    if changed != text:
        found = recognize(changed)
        assert (found.name, found.raw) == (how.partition(",")[0], raw)


LINES = pem(KEY).strip().split("\n")
PEMS = {
    "marked-lines >": "\n".join(f"> {line}" for line in LINES),
    "marked-lines in a mail": "You wrote:\n" + "\n".join(f"> {line}" for line in LINES) + "\nThanks",
    "marked-lines +": "\n".join(f"+{line}" for line in LINES),
    "marked-lines 1": "\n".join(f"{at}  {line}" for at, line in enumerate(LINES, 1)),
    "marked-lines #": "\n".join(f"# {line}" for line in LINES),
    "line-by-line": "\n".join(f'    "{line}\\n" +' for line in LINES),
    "line-by-line of C": "const char *key =\n" + "\n".join(f'"{line}\\n"' for line in LINES) + ";",
    "with-markup": "<br>\n".join(LINES),
    "with-markup <p>": "".join(f"<p>{line}</p>" for line in LINES),
    "with-dashes": pem(KEY).replace("--", "\u2014"),
    "with-dashes, mixed": pem(KEY).replace("-----", "\u2014\u2013\u2014"),
    "pem-boundaries four": pem(KEY).replace("-----BEGIN", "----BEGIN"),
    "pem-boundaries six": pem(KEY).replace("-----END", "------END"),
    "pem-boundaries nbsp": pem(KEY).replace("BEGIN PRIVATE", "BEGIN\u00a0PRIVATE"),
    "pem-names": pem(KEY).replace("BEGIN PRIVATE", "BEGIN EC PRIVATE"),
    "pem-begin": "\n".join(LINES[1:]),
}


@pytest.mark.parametrize("name", PEMS)
def test_a_pem_with_something_at_its_lines_is_named_and_read(name):
    found = recognize(PEMS[name])
    assert found.raw == writers.private_of(KEY) and found.kind is Kind.PRIVATE
    assert found.layers[0].name == name.split()[0].rstrip(",") and "a private key" in found.what
    assert found.what.count("PEM text") == 1


def test_a_longer_text_is_not_asked_to_be_copied_again():
    assert advise(91 * "Ab1", Kind.PRIVATE).turn == "Put the private key there."
    assert advise("00" + bytes(range(1, 33)).hex(), Kind.PRIVATE).what == "hexadecimal"
