"""Lesson 07, Receive. Exercises: notification_of(data), shown(messages), decrypt(body, …)."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace

from pushlab.errors import NotYet
from pushlab.notebook.checks import core
from pushlab.notebook.checks.guard import Guarded, check
from pushlab.protocol import content_coding, encryption, p256
from pushlab.protocol.content_coding import LAST, TAG, Header, hmac_sha_256
from pushlab.protocol.examples import RFC8291

TITLE, NOTHING = "Push message", "It came without a payload."
TRAIN = b'{"title":"Train","options":{"body":"Late","tag":"a","data":[9]}}'

# What arrives, in words; its bytes; the title and the options that it must give.
ARRIVALS: list[tuple[str, bytes | None, str, dict]] = [
    ("JSON with title and options", TRAIN, "Train", {"body": "Late", "tag": "a", "data": [9]}),
    ("no payload", None, TITLE, {"body": NOTHING}),
    ("JSON with a title alone", '{"title":"Grüße"}'.encode(), "Grüße", {}),
    ("an empty title, which is text", b'{"title":""}', "", {}),
    ("options that are no object", b'{"title":"Bus","options":"late"}', "Bus", {}),
    ("plain text", b"The bus is late", TITLE, {"body": "The bus is late"}),
    ("a payload of no bytes", b"", TITLE, {"body": ""}),
    ("JSON that ends too early", b'{"title":"Bu', TITLE, {"body": '{"title":"Bu'}),
    ("JSON without title", b'{"body":"late"}', TITLE, {"body": '{"body":"late"}'}),
    ("a title that is a number", b'{"title":42}', TITLE, {"body": '{"title":42}'}),
    ("JSON that is a list", b'["title"]', TITLE, {"body": '["title"]'}),
    ("JSON that is null", b"null", TITLE, {"body": "null"}),
    ("bytes that are not UTF-8", b"caf\xe9", TITLE, {"body": "caf\ufffd"}),
]


@check
def notification_of(function: Callable[[bytes | None], dict]) -> core.Right:
    """Check ``notification_of(data: bytes | None) -> dict``. W3C Push API, PushMessageData."""
    for what, data, title, options in ARRIVALS:
        yours = function(data)
        core.type_is(f"the notification for {what}", yours, dict)
        if set(yours) != {"title", "options"}:
            raise NotYet(f"For {what} the dict should have title and options, and no other member")
        own = {} if title == TITLE else {"This payload brings a title of its own.": TITLE}
        core.text_is(f"title for {what}", yours["title"], title, mistakes=own)
        hint = "The sender's options go on unchanged; what is not an object counts as none"
        if title == TITLE:
            hint = "The fallback has a body alone, and it shows what came"
        core.value_is(f"options for {what}", yours["options"], options, hint=hint)
    return core.Right(f"{len(ARRIVALS)} kinds of payload arrive, and each shows something.")


def _note(title: str, **options: str) -> dict:
    return {"title": title, "options": options}


STREAMS: list[list[dict]] = [
    [],
    [_note("Hello"), _note("Goodbye")],
    [_note("Hello", tag="a"), _note("Hello", tag="b")],
    [_note("0:0", tag="match"), _note("Mail", tag="mail"), _note("1:0", tag="match")],
    [_note("A", tag=""), _note("B", tag=""), _note("0:0", tag="match"), _note("C")]
    + [_note("1:0", tag="match"), _note("1:1", tag="match"), _note("C")],
]


@check
def shown(function: Guarded) -> core.Right:
    """Check ``shown(messages: list[dict]) -> list[dict]``. Notifications API, show steps."""
    for messages in STREAMS:
        yours, right = function.pure(messages), _screen(messages)
        core.type_is(f"what is shown of {len(messages)} messages", yours, list)
        for sentence, wrong in _wrong_screens(messages).items():
            if yours == wrong != right:
                raise NotYet(f"{len(yours)} of {len(messages)} messages are shown. {sentence}")
        name = f"what is shown of {len(messages)} messages"
        core.value_is(name, yours, right, hint="Is it the messages themselves, in their places?")
    return core.Right("The newest of a tag is shown, in its place; without a tag they pile up.")


def _tag(message: dict) -> str:
    return message["options"].get("tag", "")


def _screen(messages: list[dict]) -> list[dict]:
    # In a dict, a key keeps its place when its value is replaced.
    return list({_tag(m) or number: m for number, m in enumerate(messages)}.values())


def _wrong_screens(messages: list[dict]) -> dict[str, list[dict]]:
    newest = {_tag(message): message for message in messages}
    titles = {message["title"]: message for message in messages}
    oldest = {_tag(message): message for message in reversed(messages)}
    empty = {m["options"].get("tag", number): m for number, m in enumerate(messages)}
    return {
        "Nothing has been replaced.": messages,
        "The oldest of a tag stays; the newest should take its place.": [
            m for m in messages if not _tag(m) or m is oldest[_tag(m)]
        ],
        "The newest goes to the end; it should take the place of the one that it replaces.": [
            m for m in messages if not _tag(m) or m is newest[_tag(m)]
        ],
        "Those without a tag replace one another; they should pile up.": list(newest.values()),
        "An empty tag counts as a tag; it should count as none.": list(empty.values()),
        "The title decides what is replaced; the tag should.": list(titles.values()),
    }


LESSON = SimpleNamespace(
    plaintext=b"ends in 02: \x02",  # No delimiter, though it looks like one.
    zeros=5,
    ua_private=p256.load_private(bytes(range(0x20, 0x40))),
    ua_public=p256.raw_public(p256.load_private(bytes(range(0x20, 0x40)))),
    as_public=p256.raw_public(p256.load_private(bytes(range(0x40, 0x60)))),
    ecdh_secret=bytes.fromhex("8235b5c3288c22ce3e26792c3b51b7e802c1d2749e2036f807b62557037ea621"),
    auth_secret=bytes(range(0x10, 0x20)),
    salt=bytes(range(0x60, 0x70)),
)
INFO = b"WebPush: info\0"
KEYS = LESSON.ua_public, LESSON.as_public


@check
def decrypt(function: Callable[[bytes, object, bytes], bytes]) -> core.Right:
    """Check ``decrypt(body, ua_private, auth_secret) -> bytes``. RFC 8291 §3.4, §4."""
    known, own = p256.load_private(RFC8291.ua_private), LESSON.ua_private
    _opens(function, RFC8291.body, known, RFC8291.auth_secret, RFC8291.plaintext, 0)
    body = _seal(_ikm(INFO + KEYS[0] + KEYS[1]))
    _opens(function, body, own, LESSON.auth_secret, LESSON.plaintext, LESSON.zeros)
    why = "A changed bit must never give a plaintext: the tag tells"
    for at in (90, 0, len(body) - 1):
        flipped = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
        core.raises("decrypt", Exception, function, flipped, own, LESSON.auth_secret, why=why)
    return core.Right("Two messages open, to the byte, and none with a changed bit.")


def _opens(
    function: Callable[[bytes, object, bytes], bytes],
    body: bytes,
    ua_private: object,
    auth_secret: bytes,
    plaintext: bytes,
    zeros: int,
) -> None:
    try:
        yours = function(body, ua_private, auth_secret)
    except NotYet as told:
        # These two errors do not say which value is wrong. Every other sentence is passed on.
        if type(told.__cause__).__name__ not in ("InvalidTag", "DecryptionFailed"):
            raise
        raise NotYet(f"The tag does not fit. {_mistake(function)}") from None
    padded = plaintext + LAST + bytes(zeros)
    mistakes = {
        "The delimiter 02 is still there.": plaintext + LAST,
        "The delimiter 02 and the padding are still there.": padded,
        "One byte was cut off; zeros of padding may follow the delimiter.": padded[:-1],
        "Its own last byte is 02, and is gone: there is one delimiter.": plaintext.rstrip(LAST),
    }
    core.bytes_are("plaintext", yours, plaintext, mistakes=mistakes, rfc="RFC 8188 §2")


def _mistake(function: Callable[[bytes, object, bytes], bytes]) -> str:
    """Name the mistake. A body is sealed with each: a function with that mistake can decrypt it."""
    for sentence, body in _mistaken():
        try:
            function(body, LESSON.ua_private, LESSON.auth_secret)
        except NotYet:
            continue  # It is not this mistake.
        return sentence
    return "Print the length of each piece of the body, and then of each value (RFC 8291 §3.4)"


def _mistaken() -> Iterator[tuple[str, bytes]]:
    turn = "In key_info as_public stands before ua_public; on either side ua_public comes first"
    yield f"{turn} (RFC 8291 §3.3)", _seal(_ikm(INFO + KEYS[1] + KEYS[0]))
    yield "key_info has no zero byte after its text", _seal(_ikm(INFO[:-1] + KEYS[0] + KEYS[1]))
    turned = "For PRK_key, auth_secret is the key of the HMAC and ecdh_secret its message"
    swapped = _ikm(INFO + KEYS[0] + KEYS[1], LESSON.ecdh_secret, LESSON.auth_secret)
    yield f"{turned} (RFC 8291 §3.3)", _seal(swapped)
    ikm = _ikm(INFO + KEYS[0] + KEYS[1])
    yield "The tag is cut off: AES-GCM wants it behind the sealed text", _seal(ikm) + bytes(TAG)
    keys = content_coding.derive(ikm, LESSON.salt)
    uncut, other = (hmac_sha_256(keys.prk, i + b"\1") for i in (keys.nonce_info, keys.cek_info))
    no_zero = hmac_sha_256(keys.prk, keys.nonce_info[:-1] + b"\1")
    yield "The CEK is not cut to 16 bytes (RFC 8188 §2.2)", _seal(ikm, cek=other)
    next_one = content_coding.record_nonce(keys.nonce, 1)
    for sentence, nonce in (
        ("The nonce is not cut to 12 bytes", uncut),
        ("The nonce is made with the text that belongs to the CEK", other[:12]),
        ("nonce_info has no zero byte after its text", no_zero[:12]),
        ("The nonce is that of record 1, and records count from 0", next_one),
    ):
        yield f"{sentence} (RFC 8188 §2.3)", _seal(ikm, nonce=nonce)


def _ikm(key_info: bytes, key: bytes = LESSON.auth_secret, message: bytes = LESSON.ecdh_secret) -> bytes:
    return hmac_sha_256(hmac_sha_256(key, message), key_info + b"\1")


def _seal(ikm: bytes, cek: bytes = b"", nonce: bytes = b"") -> bytes:
    keys = content_coding.derive(ikm, LESSON.salt)
    header = bytes(Header(LESSON.salt, encryption.RECORD_SIZE, LESSON.as_public))
    padded = LESSON.plaintext + LAST + bytes(LESSON.zeros)
    aes_gcm = content_coding.aead(cek or keys.cek)
    return header + aes_gcm.encrypt(nonce or keys.nonce, padded, None)
