"""Every way to write a key that the recogniser has a name for, made from a key of any test's choice."""

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from pushlab.protocol import base64url, p256
from pushlab.protocol.spelling import Kind

Key = ec.EllipticCurvePrivateKey


def public_of(key: Key) -> bytes:
    return p256.raw_public(key)


def private_of(key: Key) -> bytes:
    return p256.raw_private(key)


def private_bytes(key: Key, encoding: Encoding, form: PrivateFormat) -> bytes:
    return key.private_bytes(encoding, form, NoEncryption())


def spki(key: Key, encoding: Encoding = Encoding.DER) -> bytes:
    return key.public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)


def halves(key: Key) -> tuple[bytes, bytes]:
    return public_of(key)[1:33], public_of(key)[33:]


# What the bytes are: name, what they are for, and how they are made.
FORMS: list[tuple[str, Kind, Callable[[Key], bytes]]] = [
    ("", Kind.PUBLIC, public_of),
    ("", Kind.PRIVATE, private_of),
    ("is-der", Kind.PUBLIC, spki),
    ("is-der", Kind.PRIVATE, lambda key: private_bytes(key, Encoding.DER, PrivateFormat.PKCS8)),
    (
        "is-der",
        Kind.PRIVATE,
        lambda key: private_bytes(key, Encoding.DER, PrivateFormat.TraditionalOpenSSL),
    ),
    ("without-04", Kind.PUBLIC, lambda key: public_of(key)[1:]),
    ("hybrid", Kind.PUBLIC, lambda key: bytes([6 + public_of(key)[64] % 2]) + public_of(key)[1:]),
    (
        "compressed",
        Kind.PUBLIC,
        lambda key: key.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint),
    ),
    ("y-before-x", Kind.PUBLIC, lambda key: b"\4" + halves(key)[1] + halves(key)[0]),
    ("little-endian", Kind.PUBLIC, lambda key: b"\4" + halves(key)[0][::-1] + halves(key)[1][::-1]),
    ("with-00", Kind.PUBLIC, lambda key: b"\0" + public_of(key)),
    ("pair", Kind.PRIVATE, lambda key: private_of(key) + public_of(key)),
    ("pair", Kind.PRIVATE, lambda key: public_of(key)[1:] + private_of(key)),
]


def as_base64url(raw: bytes) -> str:
    return base64url.encode(raw)


def as_base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def in_code(raw: bytes) -> str:
    """Write bytes as source code does: 0x04, 0x6b."""
    return ", ".join(f"0x{byte:02x}" for byte in raw)


# How the bytes are written. Each name is that of the writing, unless the bytes have a name already.
WRITINGS: dict[str, Callable[[bytes], str]] = {
    "": as_base64url,
    "padded": lambda raw: base64.urlsafe_b64encode(raw).decode(),
    "plain-base64": as_base64,
    "encoded-twice": lambda raw: as_base64url(as_base64url(raw).encode()),
    "in-hex": bytes.hex,
    "in-hex 0x": lambda raw: f"0x{raw.hex().upper()}",
    "in-hex with colons": lambda raw: raw.hex(":"),
    "in-hex in base64": lambda raw: as_base64(raw.hex().encode()),
    "byte-list": lambda raw: str(list(raw)),
    "byte-list of Java": lambda raw: str([byte - 256 if byte > 127 else byte for byte in raw]),
    "byte-list in hexadecimal": lambda raw: f"[{in_code(raw)}]",
    "byte-list in hexadecimal, without brackets": in_code,
    "byte-list of C": lambda raw: f"{{ {in_code(raw)}, }};",
    "byte-list of Go, in code": lambda raw: f"[]byte{{{in_code(raw)}}}",
    "byte-list of Go, as it prints it": lambda raw: str(list(raw)).replace(",", ""),
    "byte-list of C#": lambda raw: f"new byte[] {{{in_code(raw)}}}",
    "byte-list of Node's code": lambda raw: f"Buffer.from({list(raw)})",
    "byte-list without brackets": lambda raw: ",".join(map(str, raw)),
    "byte-list as an object": lambda raw: json.dumps({str(i): byte for i, byte in enumerate(raw)}),
    "byte-list of Node": lambda raw: json.dumps({"type": "Buffer", "data": list(raw)}),
    "byte-list as Node prints it": lambda raw: f"<Buffer {raw.hex(' ')}>",
    "byte-list as a console prints it": lambda raw: f"Uint8Array({len(raw)}) {list(raw)}",
    "python-bytes": repr,
    "python-bytes of text": lambda raw: repr(as_base64url(raw).encode()),
    "quoted": lambda raw: f'"{as_base64url(raw)}"',
    "quoted with a comma": lambda raw: f"'{as_base64url(raw)}',",
    "with-comma": lambda raw: f"{as_base64url(raw)};",
    "with-comma a quote": lambda raw: f'{as_base64url(raw)}"',
    "with-comma a quote in front": lambda raw: f"'{as_base64url(raw)}",
    "with-spaces": lambda raw: f" {as_base64url(raw)}\r\n",
    "with-spaces in lines": lambda raw: as_base64url(raw)[:20] + "\n  " + as_base64url(raw)[20:],
    "with-spaces that nobody sees": lambda raw: "\ufeff" + as_base64url(raw) + "\u200b",
    "with-scheme": lambda raw: f"base64:{as_base64url(raw)}",
    "with-scheme data:": lambda raw: f"data:application/octet-stream;base64,{as_base64url(raw)}",
    "with-name": lambda raw: f"VAPID_KEY={as_base64url(raw)}",
    "with-name in JSON": lambda raw: f"applicationServerKey: {as_base64url(raw)}",
}
# These change nothing unless the text has a character that they change, so it is base64 with padding.
OF_BASE64: dict[str, Callable[[str], str]] = {
    "percent-encoded": lambda text: quote(text, safe=""),
    "escaped": lambda text: text.replace("+", r"\u002B").replace("/", r"\/").replace("=", r"\u003D"),
    "html-escaped": lambda text: html.escape(text).replace("=", "&#61;").replace("+", "&#x2B;"),
}
PEMS: list[tuple[Kind, Callable[[Key], bytes]]] = [
    (Kind.PUBLIC, lambda key: spki(key, Encoding.PEM)),
    (Kind.PRIVATE, lambda key: private_bytes(key, Encoding.PEM, PrivateFormat.PKCS8)),
    (Kind.PRIVATE, lambda key: private_bytes(key, Encoding.PEM, PrivateFormat.TraditionalOpenSSL)),
]
PEM_WRITINGS: dict[str, Callable[[str], str]] = {
    "as it is": lambda pem: pem,
    "in one line": lambda pem: pem.replace("\n", ""),
    "with \\n": lambda pem: pem.replace("\n", "\\n"),
    "with \\n, in quotes": json.dumps,
    "with spaces": lambda pem: pem.replace("\n", " "),
    "in base64": lambda pem: base64.b64encode(pem.encode()).decode(),
    "in base64 with lines": lambda pem: base64.encodebytes(pem.encode()).decode(),
    "in hexadecimal": lambda pem: pem.encode().hex(),
}
