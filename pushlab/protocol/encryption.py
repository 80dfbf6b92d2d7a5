"""The encryption of a push message, RFC 8291: one user agent can read it, the push service cannot.

The application server makes a key pair for this one message. From its private half and the user
agent's public key (p256dh), Diffie-Hellman computes a shared secret. The auth secret, which is part
of the subscription, is mixed in. The result is IKM, the input keying material of aes128gcm
(RFC 8188). The public half of the pair is sent in the header of the body, as keyid.

    as_private, ua_public ─ECDH→ ecdh_secret ─┐
                                 auth_secret ─┴→ PRK_key ──┐
                        ua_public, as_public ──→ key_info ─┴→ IKM ─┐
                                                             salt ─┴→ PRK ─→ CEK, NONCE
"""

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec

from pushlab.errors import (
    BadAuth,
    BadKeyid,
    BadPublicKey,
    NoKeys,
    PlaintextTooLong,
    TooManyRecords,
    TruncatedRecord,
)
from pushlab.protocol import content_coding, p256
from pushlab.protocol.content_coding import Header, LengthsOnly, hmac_sha_256
from pushlab.protocol.subscription import AUTH_SECRET, PushSubscription

RECORD_SIZE = 4096
"""The rs that we write. A message is one record, so any rs that is large enough will do."""

OVERHEAD = 86 + 1 + 16
"""Bytes of header, delimiter and tag: a body is longer than its plaintext by so many."""

MAX_BODY = 4096
"""Bytes of a body that every push service must accept. It may refuse more, RFC 8030 §7.2."""

MAX_PLAINTEXT = MAX_BODY - OVERHEAD
"""3993 bytes, RFC 8291 §4."""


@dataclass(frozen=True, repr=False)
class Derivation(LengthsOnly):
    """Every value that is computed from the secrets up to the key and nonce of one message.

    The names are those of RFC 8291 §3.4 in lower case, in the order in which they are computed.
    """

    ecdh_secret: bytes
    auth_secret: bytes
    ua_public: bytes
    as_public: bytes
    salt: bytes
    prk_key: bytes
    key_info: bytes
    ikm: bytes
    prk: bytes
    cek_info: bytes
    cek: bytes
    nonce_info: bytes
    nonce: bytes


@dataclass(frozen=True, repr=False)
class Agreement(LengthsOnly):
    """What Diffie-Hellman gives for one message. ``as_public``: 65 bytes; ``ecdh_secret``: 32."""

    as_public: bytes
    ecdh_secret: bytes


# https://www.rfc-editor.org/rfc/rfc8291#section-3.1
def agree(subscription: PushSubscription, as_private: ec.EllipticCurvePrivateKey) -> Agreement:
    """Agree on a secret with one user agent, by Diffie-Hellman.

    ``as_private``: a key made for this message alone. Raises NoKeys. Source: RFC 8291 §3.1.

    >>> private = p256.load_private((1).to_bytes(32, "big"))
    >>> subscription = PushSubscription(
    ...     "https://push.example.net/p", p256.raw_public(private), bytes(16))
    >>> agree(subscription, private)
    <Agreement as_public=65 bytes, ecdh_secret=32 bytes>
    """
    if subscription.ua_public is None:
        raise NoKeys
    # ecdh_secret = ECDH(as_private, ua_public)
    ecdh_secret = as_private.exchange(ec.ECDH(), subscription.ua_public)
    return Agreement(p256.raw_public(as_private), ecdh_secret)


# https://www.rfc-editor.org/rfc/rfc8291#section-3.3
def combine(
    ecdh_secret: bytes, auth_secret: bytes, ua_public: bytes, as_public: bytes
) -> tuple[bytes, bytes, bytes]:
    """Combine the shared secret and the auth secret: return PRK_key, key_info and IKM.

    ``ecdh_secret``: 32 bytes; ``auth_secret``: 16; ``ua_public``, ``as_public``: 65 each. Raises
    BadAuth, BadPublicKey. Source: RFC 8291 §3.3.

    >>> prk_key, key_info, ikm = combine(bytes(32), bytes(16), bytes(65), bytes(65))
    >>> key_info[:14]
    b'WebPush: info\\x00'
    """
    if len(auth_secret) != AUTH_SECRET:
        raise BadAuth(f"auth is {len(auth_secret)} bytes long, not {AUTH_SECRET}")
    for name, point in (("ua_public", ua_public), ("as_public", as_public)):
        if len(point) != p256.POINT:
            raise BadPublicKey(f"{name} is {len(point)} bytes long, not {p256.POINT}")
    # PRK_key = HMAC-SHA-256(auth_secret, ecdh_secret)
    prk_key = hmac_sha_256(auth_secret, ecdh_secret)
    # key_info = "WebPush: info" ‖ 0x00 ‖ ua_public ‖ as_public
    key_info = b"WebPush: info\0" + ua_public + as_public
    # IKM = HMAC-SHA-256(PRK_key, key_info ‖ 0x01)
    ikm = hmac_sha_256(prk_key, key_info + b"\1")
    return prk_key, key_info, ikm


# https://www.rfc-editor.org/rfc/rfc8291#section-3.4
def derive(
    ecdh_secret: bytes, auth_secret: bytes, ua_public: bytes, as_public: bytes, salt: bytes
) -> Derivation:
    """Derive the key and the nonce of one message, and keep every intermediate value.

    ``ecdh_secret``: 32 bytes; ``auth_secret``: 16; ``ua_public``, ``as_public``: 65 each; ``salt``:
    16. Raises BadAuth, BadPublicKey, TruncatedHeader (a salt of another length).
    Source: RFC 8291 §3.4.

    >>> derivation = derive(bytes(32), bytes(16), bytes(65), bytes(65), bytes(16))
    >>> derivation.cek_info
    b'Content-Encoding: aes128gcm\\x00'
    >>> len(derivation.cek), len(derivation.nonce)
    (16, 12)
    """
    prk_key, key_info, ikm = combine(ecdh_secret, auth_secret, ua_public, as_public)
    keys = content_coding.derive(ikm, salt)
    return Derivation(
        ecdh_secret=ecdh_secret,
        auth_secret=auth_secret,
        ua_public=ua_public,
        as_public=as_public,
        salt=salt,
        prk_key=prk_key,
        key_info=key_info,
        ikm=ikm,
        prk=keys.prk,
        cek_info=keys.cek_info,
        cek=keys.cek,
        nonce_info=keys.nonce_info,
        nonce=keys.nonce,
    )


# https://www.rfc-editor.org/rfc/rfc8291#section-4
def encrypt(
    plaintext: bytes,
    subscription: PushSubscription,
    *,
    as_private: ec.EllipticCurvePrivateKey,
    salt: bytes,
) -> bytes:
    """Encrypt a message for one subscription, and return the body.

    ``plaintext``: at most 3993 bytes; ``as_private``: a key made for this message alone; ``salt``:
    16 random bytes made for this message alone. Raises NoKeys, BadPlaintext (text, for example),
    PlaintextTooLong, TruncatedHeader (a salt of another length). Source: RFC 8291 §3 and §4.

    >>> ua_private = p256.load_private((1).to_bytes(32, "big"))
    >>> ua_public = p256.raw_public(ua_private)
    >>> subscription = PushSubscription("https://push.example.net/p", ua_public, bytes(16))
    >>> as_private = p256.load_private((2).to_bytes(32, "big"))
    >>> body = encrypt(b"Hello", subscription, as_private=as_private, salt=bytes(16))
    >>> len(body) == 16 + 4 + 1 + 65 + len(b"Hello") + 1 + 16
    True
    """
    return encrypt_agreed(plaintext, subscription, agree(subscription, as_private), salt=salt)


def encrypt_agreed(
    plaintext: bytes, subscription: PushSubscription, agreement: Agreement, *, salt: bytes
) -> bytes:
    """Do the second part of encrypt(), after agree(): the part that is no elliptic curve.

    Raises what encrypt() raises. Source: RFC 8291 §3.3 and §4.
    """
    p256dh, auth = subscription.p256dh, subscription.auth
    if p256dh is None or auth is None:
        raise NoKeys
    _, _, ikm = combine(agreement.ecdh_secret, auth, p256dh, agreement.as_public)
    return seal(plaintext, ikm=ikm, salt=salt, as_public=agreement.as_public)


# https://www.rfc-editor.org/rfc/rfc8291#section-4
def seal(plaintext: bytes, *, ikm: bytes, salt: bytes, as_public: bytes) -> bytes:
    """Write the body of a push message from its IKM: one record, with as_public as the keyid.

    ``plaintext``: at most 3993 bytes; ``ikm``: 32 bytes; ``salt``: 16; ``as_public``: 65. Raises
    BadPlaintext, PlaintextTooLong, TruncatedHeader (a salt of another length). Source: RFC 8291 §4.

    >>> body = seal(b"Hello", ikm=bytes(32), salt=bytes(16), as_public=bytes(65))
    >>> print(Header.parse(body).rs, len(body) == 86 + len(b"Hello") + 1 + 16)
    4096 True
    """
    content_coding.check_plaintext(plaintext)
    if len(plaintext) > MAX_PLAINTEXT:
        raise PlaintextTooLong(f"the plaintext is {len(plaintext)} bytes long, over {MAX_PLAINTEXT}")
    return content_coding.encrypt(plaintext, ikm=ikm, salt=salt, rs=RECORD_SIZE, keyid=as_public)


# https://www.rfc-editor.org/rfc/rfc8291#section-4
def read_header(body: bytes) -> tuple[Header, ec.EllipticCurvePublicKey]:
    """Read the header of a push message and the sender's key, and check that one record follows.

    Raises TruncatedHeader, BadRecordSize, BadKeyid, TruncatedRecord, TooManyRecords.
    Source: RFC 8291 §4.

    >>> read_header(bytes(20))
    Traceback (most recent call last):
    pushlab.errors.TruncatedHeader: the body is 20 bytes long, and its header has at least 21 ...
    """
    header = Header.parse(body)
    try:
        as_public = p256.load_public(header.keyid)
    except BadPublicKey as reason:
        raise BadKeyid(f"keyid: {reason.detail}") from None
    length = len(body) - len(header)
    if length < content_coding.MIN_RECORD:
        raise TruncatedRecord(f"the record is {length} bytes long")
    if length > header.rs:
        raise TooManyRecords(f"{length} bytes follow the header, and a record has {header.rs}")
    return header, as_public


# https://www.rfc-editor.org/rfc/rfc8291#section-3.4
def derive_received(
    body: bytes, *, ua_private: ec.EllipticCurvePrivateKey, auth_secret: bytes
) -> Derivation:
    """Derive the key and the nonce of a message that was received, with every intermediate value.

    ``auth_secret``: 16 bytes. Raises what read_header() raises, and BadAuth. Source: RFC 8291 §3.4.

    >>> ua_private = p256.load_private((1).to_bytes(32, "big"))
    >>> body = seal(b"", ikm=bytes(32), salt=bytes(16), as_public=p256.raw_public(ua_private))
    >>> len(derive_received(body, ua_private=ua_private, auth_secret=bytes(16)).cek)
    16
    """
    header, as_public = read_header(body)
    # ecdh_secret = ECDH(ua_private, as_public)
    ecdh_secret = ua_private.exchange(ec.ECDH(), as_public)
    return derive(ecdh_secret, auth_secret, p256.raw_public(ua_private), header.keyid, header.salt)


# https://www.rfc-editor.org/rfc/rfc8291#section-4
def decrypt(body: bytes, *, ua_private: ec.EllipticCurvePrivateKey, auth_secret: bytes) -> bytes:
    """Decrypt the body of a push message, as the user agent does.

    ``auth_secret``: 16 bytes. Raises what read_header() raises, and BadAuth, DecryptionFailed,
    BadDelimiter. Source: RFC 8291 §3 and §4.

    >>> ua_private = p256.load_private((1).to_bytes(32, "big"))
    >>> ua_public = p256.raw_public(ua_private)
    >>> subscription = PushSubscription("https://push.example.net/p", ua_public, bytes(16))
    >>> as_private = p256.load_private((2).to_bytes(32, "big"))
    >>> body = encrypt(b"Hello", subscription, as_private=as_private, salt=bytes(16))
    >>> decrypt(body, ua_private=ua_private, auth_secret=bytes(16))
    b'Hello'
    """
    header, as_public = read_header(body)
    # ecdh_secret = ECDH(ua_private, as_public)
    ecdh_secret = ua_private.exchange(ec.ECDH(), as_public)
    _, _, ikm = combine(ecdh_secret, auth_secret, p256.raw_public(ua_private), header.keyid)
    return content_coding.decrypt(body, ikm=ikm)
