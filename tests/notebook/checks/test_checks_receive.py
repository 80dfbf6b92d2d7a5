"""The checks of lesson 07: right code passes, and each typical mistake is named."""

import hmac
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES

from pushlab.errors import NotYet
from pushlab.notebook.checks import receive
from pushlab.protocol import base64url, encryption, p256
from pushlab.protocol.examples import RFC8291
from pushlab.useragent.virtual import read

CHECKS = {
    "notification_of": receive.notification_of,
    "shown": receive.shown,
    "decrypt": receive.decrypt,
}


def said_of(check, function) -> str:
    with pytest.raises(NotYet) as told:
        check(function)
    return str(told.value)


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_a_stub_comes_through(check):
    def stub(*arguments):
        raise NotImplementedError("your turn")

    with pytest.raises(NotImplementedError, match="your turn"):
        check(stub)


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_nothing_returned_is_told(check):
    assert "None: does your function return something?" in said_of(check, lambda *arguments: None)


# ---- notification_of --------------------------------------------------------------------------


def notification_of(data, *, fallback="Push message", errors="replace", strict=True):
    """A right solution, with an argument for each mistake."""
    if data is None:
        return {"title": fallback, "options": {"body": "It came without a payload."}}
    text = data.decode("utf-8", errors)
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict) or (strict and not isinstance(value.get("title"), str)):
        return {"title": fallback, "options": {"body": text}}
    options = value.get("options")
    return {"title": value.get("title"), "options": options if isinstance(options, dict) else {}}


def json_alone(data):
    value = json.loads(data)
    return {"title": value["title"], "options": value.get("options", {})}


def test_the_decision_is_right():
    assert repr(receive.notification_of(notification_of)) == (
        "✓ 13 kinds of payload arrive, and each shows something."
    )


@pytest.mark.parametrize(
    ("wrong", "said"),
    {
        "json() alone": (json_alone, "json_alone(None) raises TypeError in line"),
        "strict UTF-8": (
            lambda data: notification_of(data, errors="strict"),
            "(b'caf\\xe9') raises UnicodeDecodeError in line",
        ),
        "bad bytes dropped": (
            lambda data: notification_of(data, errors="ignore"),
            "options for bytes that are not UTF-8 is not right yet. The fallback has a body alone",
        ),
        "JSON without title": (
            lambda data: notification_of(data, strict=False),
            "title for JSON without title should be a str, and yours is None",
        ),
        "another fallback": (
            lambda data: notification_of(data, fallback="Push"),
            "title for no payload should have 12 characters, and yours has 4",
        ),
        "always the fallback": (
            lambda data: notification_of(b"text"),
            "title for JSON with title and options has 12 characters. This payload brings",
        ),
        "hard-coded": (
            lambda data: {"title": "Train", "options": {"body": "Late"}},
            "options for JSON with title and options is not right yet. The sender's",
        ),
        "flat": (
            lambda data: {"title": "Train", "body": "Platform 9"},
            "the dict should have title and options, and no other member",
        ),
        "a tuple": (lambda data: ("Train", {}), "should be a dict, and yours is a tuple"),
    }.values(),
)
def test_a_wrong_decision_is_named(wrong, said):
    assert said in said_of(receive.notification_of, wrong)


@pytest.mark.parametrize(("what", "data", "title", "options"), receive.ARRIVALS)
def test_the_virtual_user_agent_decides_likewise(what, data, title, options):
    _, notification = read(data)
    assert (notification.title, notification.body) == (title, options.get("body", ""))
    assert (notification.tag, notification.data) == (options.get("tag", ""), options.get("data"))


# ---- shown ------------------------------------------------------------------------------------


def tag_of(message):
    return message["options"].get("tag")


def shown(messages):
    places = {}
    for number, message in enumerate(messages):
        places[tag_of(message) or number] = message
    return list(places.values())


def oldest(messages):
    screen = []
    for message in messages:
        if not tag_of(message) or tag_of(message) not in map(tag_of, screen):
            screen.append(message)
    return screen


def to_the_end(messages):
    screen = []
    for message in messages:
        screen = [m for m in screen if not tag_of(message) or tag_of(m) != tag_of(message)]
        screen.append(message)
    return screen


def changes_its_list(messages):
    screen = shown(messages)
    messages.clear()
    return screen


def test_the_screen_is_right():
    assert repr(receive.shown(shown)) == (
        "✓ The newest of a tag is shown, in its place; without a tag they pile up."
    )


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (oldest, "2 of 3 messages are shown. The oldest of a tag stays"),
        (to_the_end, "2 of 3 messages are shown. The newest goes to the end"),
        (
            lambda messages: list({tag_of(m): m for m in messages}.values()),
            "1 of 2 messages are shown. Those without a tag replace one another",
        ),
        (
            lambda messages: list(
                {m["options"].get("tag", n): m for n, m in enumerate(messages)}.values()
            ),
            "An empty tag counts as a tag",
        ),
        (
            lambda messages: list({m["title"]: m for m in messages}.values()),
            "1 of 2 messages are shown. The title decides what is replaced",
        ),
        (lambda messages: messages, "3 of 3 messages are shown. Nothing has been replaced"),
        (changes_its_list, "changes the list that it is given"),
        (lambda messages: messages[:1], "what is shown of 2 messages is not right yet"),
        (tuple, "should be a list, and yours is a tuple"),
    ],
)
def test_a_wrong_screen_is_named(wrong, said):
    assert said in said_of(receive.shown, wrong)


# ---- decrypt ----------------------------------------------------------------------------------


def decrypt(body, ua_private, auth_secret, *, wrong=""):
    """A right solution, written by hand, with an argument for each mistake."""

    def mac(key, message):
        return hmac.digest(key, message, "sha256")

    salt, as_public, sealed = body[:16], body[21:86], body[86:]
    ua_public = p256.raw_public(ua_private)
    ecdh_secret = ua_private.exchange(ec.ECDH(), p256.load_public(as_public))
    first, second = (as_public, ua_public) if wrong == "swap" else (ua_public, as_public)
    info = b"WebPush: info" + b"\0" * (wrong != "info") + first + second
    pair = (ecdh_secret, auth_secret) if wrong == "prk_key" else (auth_secret, ecdh_secret)
    prk = mac(salt, mac(mac(*pair), info + b"\1"))
    if wrong == "prk":
        prk = mac(mac(mac(*pair), info + b"\1"), salt)
    cek = mac(prk, b"Content-Encoding: aes128gcm\0\1")[: 32 if wrong == "cek" else 16]
    text = {"other text": b"aes128gcm\0", "no zero": b"nonce"}.get(wrong, b"nonce\0")
    nonce = mac(prk, b"Content-Encoding: " + text + b"\1")[: 32 if wrong == "uncut" else 12]
    if wrong == "record 1":
        nonce = nonce[:-1] + bytes([nonce[-1] ^ 1])
    if wrong == "tag":
        sealed = sealed[:-16]
    if wrong == "blind":  # AES-GCM is CTR with a tag, and this does not look at the tag.
        padded = Cipher(AES(cek), modes.CTR(nonce + b"\0\0\0\2")).decryptor().update(sealed[:-16])
    else:
        padded = AESGCM(cek).decrypt(nonce, sealed, None)
    cuts = {"delimiter": padded.rstrip(b"\0"), "last byte": padded[:-1], "nothing": padded}
    cuts["greedy"] = padded.rstrip(b"\0\2")
    return cuts.get(wrong, padded.rstrip(b"\0")[:-1])


def test_decryption_is_right():
    said = "✓ Two messages open, to the byte, and none with a changed bit."
    assert repr(receive.decrypt(decrypt)) == said


def test_the_lesson_s_message_is_one_that_the_library_opens():
    lesson = receive.LESSON
    body = receive._seal(receive._ikm(receive.INFO + lesson.ua_public + lesson.as_public))
    opened = encryption.decrypt(body, ua_private=lesson.ua_private, auth_secret=lesson.auth_secret)
    assert opened == lesson.plaintext


@pytest.mark.parametrize(
    ("wrong", "said"),
    {
        "swap": "In key_info as_public stands before ua_public",
        "info": "key_info has no zero byte",
        "prk_key": "For PRK_key, auth_secret is the key of the HMAC",
        "prk": "Print the length of each piece",
        "cek": "The CEK is not cut to 16 bytes",
        "other text": "The nonce is made with the text that belongs to the CEK",
        "no zero": "nonce_info has no zero byte",
        "uncut": "The nonce is not cut to 12 bytes",
        "record 1": "The nonce is that of record 1",
        "tag": "The tag is cut off",
        "blind": "decrypt has to raise an error here, and it returned 13 bytes",
        "delimiter": "plaintext (RFC 8188 §2) has 42 bytes. The delimiter 02 is still there",
        "last byte": "One byte was cut off; zeros of padding may follow the delimiter",
        "nothing": "The delimiter 02 is still there",
        "greedy": "Its own last byte is 02, and is gone",
    }.items(),
)
def test_a_wrong_decryption_is_named(wrong, said):
    assert said in said_of(receive.decrypt, lambda *given: decrypt(*given, wrong=wrong))


def test_a_hard_coded_plaintext_is_not_enough():
    said = said_of(receive.decrypt, lambda *given: RFC8291.plaintext)
    assert "plaintext (RFC 8188 §2) should have 13 bytes, and yours has 41" in said


def test_another_error_of_the_learner_s_is_named():
    def broken(body, ua_private, auth_secret):
        raise ValueError("Nonce must be between 8 and 128 bytes")

    said = said_of(receive.decrypt, broken)
    assert "broken(144 bytes, an ECPrivateKey, 16 bytes) raises ValueError in line" in said
    assert "Nonce must be between 8 and 128 bytes. Change your cell" in said


# ---- all of them ------------------------------------------------------------------------------

MISTAKES = [
    "swap", "info", "prk_key", "prk", "cek", "uncut", "tag", "blind", "delimiter", "nothing", "greedy",
]  # fmt: skip


def test_no_message_gives_the_answer():
    told = [
        said_of(receive.decrypt, lambda *given, wrong=wrong: decrypt(*given, wrong=wrong))
        for wrong in MISTAKES
    ]
    for secret in (RFC8291.plaintext, receive.LESSON.plaintext, receive.LESSON.ecdh_secret):
        for shape in (secret.hex(), base64url.encode(secret), repr(secret), repr(secret)[2:-1]):
            assert not any(shape in message for message in told)
    told = [said_of(receive.notification_of, json_alone), said_of(receive.shown, oldest)]
    ignoring = said_of(receive.notification_of, lambda data: notification_of(data, errors="ignore"))
    told.append(ignoring)
    assert not any("caf" in message or "1:0" in message for message in told)
