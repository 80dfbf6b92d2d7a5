"""VAPID keys: a P-256 key pair identifies an application server, RFC 8292.

A subscription is bound to the public key for ever. With a new pair, no message reaches the
subscriptions that were made before. So nothing here makes keys by accident: a missing file is an
error, and an existing file is overwritten only on request.

The private key is stored in a file that only its owner can read. It appears in no repr, log or
message.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from pushlab.appserver import private_file
from pushlab.errors import (
    BadBase64url,
    FormatError,
    KeyFileExists,
    KeyFileMalformed,
    KeyMismatch,
    MalformedJson,
    NotUtf8,
    PushlabError,
)
from pushlab.protocol import base64url, p256, strict_json, utf8, vapid
from pushlab.protocol.spelling import key_file, key_file_reader
from pushlab.protocol.spelling.shapes import raw_private

DEFAULT_SUBJECT = "mailto:pushlab@example.com"
"""The contact for the operators of push services. Replace it: example.com is reserved (RFC 2606)."""

NAMES = ("VAPID_PUBLIC_KEY", "VAPID_PRIVATE_KEY", "VAPID_SUBJECT")


VALUE = re.compile(r"\"([^\"]*)\"(?:\s*#.*)?|'([^']*)'(?:\s*#.*)?|(.*?)(?:\s+#.*)?")
"""A value of a .env: in quotes, or bare, and then perhaps a comment."""


class VapidKeys:
    """A key pair and a contact.

    ``private_key``: a P-256 key; ``subject``: a ``mailto:`` or ``https:`` URI. Raises
    KeyFileMalformed (another curve) and BadSubject. Source: RFC 8292 §2 and §3.2.

    >>> keys = VapidKeys.from_raw(bytes(31) + b"\\1")
    >>> keys
    <VapidKeys BGsX0fLh… mailto:pushlab@example.com>
    >>> len(keys.public), len(keys.application_server_key)
    (65, 87)
    """

    def __init__(self, private_key: ec.EllipticCurvePrivateKey, subject: str = DEFAULT_SUBJECT):
        if private_key.curve.name != p256.CURVE.name:
            raise KeyFileMalformed(f"the key is on {private_key.curve.name}, and VAPID needs P-256")
        vapid.check_subject(subject)
        self.private_key = private_key
        self.subject = subject
        self.public = p256.raw_public(private_key)
        self.application_server_key = base64url.encode(self.public)

    def __repr__(self) -> str:
        return f"<VapidKeys {self.application_server_key[:8]}… {self.subject}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, VapidKeys):
            return NotImplemented
        return (self.public, self.subject) == (other.public, other.subject)

    def __hash__(self) -> int:
        return hash((self.public, self.subject))

    # --- forms ---------------------------------------------------------------------------------

    @classmethod
    def generate(cls, subject: str = DEFAULT_SUBJECT) -> "VapidKeys":
        """Make a new pair. ``subject``: a ``mailto:`` or ``https:`` URI. Raises BadSubject."""
        return cls(ec.generate_private_key(p256.CURVE), subject)

    @classmethod
    def from_raw(
        cls, private: bytes, public: bytes | None = None, subject: str = DEFAULT_SUBJECT
    ) -> "VapidKeys":
        """Read the raw form.

        ``private``: 32 bytes, leading zeros kept; ``public``: 65 bytes, or None to compute them.
        Raises BadPrivateKey, KeyMismatch, BadSubject. Source: RFC 7518 §6.2.2.1.

        >>> VapidKeys.from_raw(b"\\1")
        Traceback (most recent call last):
        pushlab.errors.BadPrivateKey: the private key is 1 bytes long, not 32 ...
        """
        keys = cls(p256.load_private(private), subject)
        if public is not None and public != keys.public:
            raise KeyMismatch(f"the public key ({len(public)} bytes) does not belong to the private key")
        return keys

    @classmethod
    def from_env(cls, values: Mapping[str, str]) -> "VapidKeys":
        """Read VAPID_PRIVATE_KEY, and VAPID_PUBLIC_KEY and VAPID_SUBJECT if they are set.

        Keys are base64url. Raises KeyFileMalformed, BadBase64url, BadPrivateKey, KeyMismatch,
        BadSubject.

        >>> VapidKeys.from_env({"VAPID_PRIVATE_KEY": 42 * "A" + "E"})
        <VapidKeys BGsX0fLh… mailto:pushlab@example.com>
        """
        if not values.get("VAPID_PRIVATE_KEY"):
            raise KeyFileMalformed("there is no VAPID_PRIVATE_KEY")
        public = values.get("VAPID_PUBLIC_KEY")
        return cls.from_raw(
            _decode("VAPID_PRIVATE_KEY", values["VAPID_PRIVATE_KEY"]),
            _decode("VAPID_PUBLIC_KEY", public) if public else None,
            values.get("VAPID_SUBJECT") or DEFAULT_SUBJECT,
        )

    @classmethod
    def from_pem(cls, pem: str | bytes, subject: str = DEFAULT_SUBJECT) -> "VapidKeys":
        """Read a PEM: PKCS #8 (``PRIVATE KEY``) or SEC 1 (``EC PRIVATE KEY``), not encrypted.

        Raises KeyFileMalformed, BadSubject. Source: RFC 5958, RFC 5915.
        """
        try:
            key = load_pem_private_key(pem.encode() if isinstance(pem, str) else pem, password=None)
        except TypeError:
            raise KeyFileMalformed("the PEM is encrypted with a password") from None
        except ValueError:
            raise KeyFileMalformed("the PEM does not hold a private key") from None
        except UnsupportedAlgorithm:
            raise KeyFileMalformed("the PEM holds a key of an unknown kind, not a P-256 key") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise KeyFileMalformed(f"the PEM holds {type(key).__name__}, not a P-256 key")
        return cls(key, subject)

    @classmethod
    def from_jwk(cls, jwk: Mapping[str, Any] | str, subject: str = DEFAULT_SUBJECT) -> "VapidKeys":
        """Read a JSON Web Key with its private half.

        Raises KeyFileMalformed, BadBase64url, BadPrivateKey, KeyMismatch, BadSubject.
        Source: RFC 7518 §6.2.
        """
        members = _members(jwk)
        if (members.get("kty"), members.get("crv")) != ("EC", "P-256"):
            raise KeyFileMalformed("the JWK does not have kty EC and crv P-256")
        if "d" not in members:
            raise KeyFileMalformed("the JWK has no d: it is only a public key")
        public = None
        if "x" in members or "y" in members:
            public = b"\x04" + b"".join(_decode(name, members.get(name, "")) for name in "xy")
        return cls.from_raw(_decode("d", members["d"]), public, subject)

    def to_env(self) -> str:
        """Return the text of a ``.env`` file, private key included."""
        values = (self.application_server_key, self.to_base64url(), self.subject)
        return "".join(f"{name}={value}\n" for name, value in zip(NAMES, values, strict=True))

    def to_base64url(self) -> str:
        """Return the private key alone, 32 bytes, in the form that most libraries take."""
        return base64url.encode(p256.raw_private(self.private_key))

    def to_pem(self) -> bytes:
        """Return the private key as PKCS #8 PEM, not encrypted. Source: RFC 5958."""
        return self.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def to_jwk(self) -> dict[str, str]:
        """Return the pair as a JSON Web Key, private half included. Source: RFC 7518 §6.2."""
        x, y, d = self.public[1:33], self.public[33:], p256.raw_private(self.private_key)
        return {"kty": "EC", "crv": "P-256"} | {
            name: base64url.encode(value) for name, value in (("x", x), ("y", y), ("d", d))
        }

    # --- files ---------------------------------------------------------------------------------

    def save(self, path: str | Path, overwrite: bool = False) -> None:
        """Write a ``.env`` file of mode 0600, completely or not at all.

        Raises KeyFileExists, or KeyFileError if the folder cannot be written.
        """
        private_file.write(Path(path), self.to_env().encode(), overwrite)

    @classmethod
    def load(cls, path: str | Path, subject: str = DEFAULT_SUBJECT) -> "VapidKeys":
        """Read a ``.env``, a PEM, a JWK, 32 raw bytes, or those 32 bytes as base64url.

        ``subject``: used if the file has none. The file is not changed; if other users can read it,
        the log says so. Raises KeyFileMissing (no keys are made), KeyFileMalformed, KeyMismatch,
        BadSubject.
        """
        keys = cls._read(Path(path), subject)
        if private_file.is_exposed(Path(path)):
            private_file.warn_exposed(Path(path))
        return keys

    @classmethod
    def _read(cls, path: Path, subject: str) -> "VapidKeys":
        content = private_file.read(path)
        try:
            return cls._from_bytes(content, subject)
        except (FormatError, KeyFileMalformed, KeyMismatch) as reason:
            raise explained(str(path), content, reason) from None

    @classmethod
    def load_or_generate(cls, path: str | Path, subject: str = DEFAULT_SUBJECT) -> "VapidKeys":
        """Load the keys at a path; make and save them only if there is no file.

        An existing key file gets mode 0600. Raises what load() and save() raise.
        """
        path = Path(path)
        if not private_file.exists(path):
            private_file.check_path(path)  # A new file would be named by the key.
            try:
                cls.generate(subject).save(path)
            except KeyFileExists:
                pass  # Another process was faster. Its keys are read below.
        keys = cls._read(path, subject)
        private_file.restrict_permissions(path)
        return keys

    @classmethod
    def _from_bytes(cls, content: bytes, subject: str) -> "VapidKeys":
        if raw := raw_private(content):
            return cls.from_raw(raw, subject=subject)
        text = utf8.decode(content).strip()
        if "-----BEGIN" in text:
            return cls.from_pem(text, subject)
        if text.startswith("{"):
            return cls.from_jwk(text, subject)
        if "=" in text:
            return cls.from_env({"VAPID_SUBJECT": subject} | parse_env(text))
        return cls.from_raw(_decode("the key", text), subject=subject)


def explained(place: str, content: bytes, reason: PushlabError) -> PushlabError:
    """Make the error about a file, or another place: what it holds instead, if that is recognized."""
    if isinstance(reason, KeyMismatch):
        return KeyMismatch(f"{place}: {reason.detail}")
    if found := key_file_reader.read(content).advice:
        # What is wrong with a JWK does not matter where the file is no JWK, and the alphabet no more
        # where the text is too long or too short.
        is_whole = found.name in key_file.WHOLE_FILE or found.name.endswith("length")
        detail = "" if is_whole else f"{reason.detail}: "
        return KeyFileMalformed(f"{place}: {detail}{found.what}", hint=found.turn)
    hint = reason.hint if isinstance(reason, NotUtf8) else ""
    return KeyFileMalformed(f"{place}: {reason.detail}", hint=hint)


def parse_env(text: str) -> dict[str, str]:
    """Read the lines NAME=value of a ``.env`` file: comments, ``export`` and quotes allowed.

    A comment after a value begins with a space and #, so that a URL may have its fragment.

    >>> parse_env("# mine\\nexport VAPID_SUBJECT='mailto:me@example.com'\\n")
    {'VAPID_SUBJECT': 'mailto:me@example.com'}
    """
    values = {}
    for line in text.splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and not name.startswith("#"):
            found = VALUE.fullmatch(value.strip())
            values[name.strip()] = next(filter(None, found.groups()), "") if found else value.strip()
    return values


def _decode(name: str, text: object) -> bytes:
    try:
        return base64url.decode(text)
    except BadBase64url as reason:
        raise BadBase64url(f"{name} is not base64url: {reason.detail}") from None


def _members(jwk: Mapping[str, Any] | str) -> Mapping[str, Any]:
    members: object = jwk
    if isinstance(jwk, str):
        try:
            members = strict_json.parse(jwk)
        except MalformedJson:
            raise KeyFileMalformed("the JWK is not JSON") from None
    if not isinstance(members, Mapping):
        raise KeyFileMalformed("the JWK is not a JSON object")
    return members
