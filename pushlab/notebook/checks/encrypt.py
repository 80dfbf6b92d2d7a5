"""Checks of lesson 03, Encrypt: key_info, derive, read_header, encrypt.

Each check calls the learner's function twice: with the RFC's example, which the lesson shows, and
with keys that it does not show. A function that is right only for the example does not compute its
result.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import SimpleNamespace

from pushlab.errors import BadDelimiter, DecryptionFailed, NotYet
from pushlab.notebook.checks.core import Right, bytes_are, raises, steps_are, type_is, value_is
from pushlab.notebook.checks.guard import check
from pushlab.protocol import base64url, content_coding, encryption, examples, p256, trace
from pushlab.protocol.content_coding import hmac_sha_256

ASKED = ("PRK_key", "key_info", "IKM", "PRK", "CEK", "NONCE")
HARD_CODED = "That is the RFC's example, and the arguments are others here: compute it."


def _case(example: SimpleNamespace, ecdh_secret: str) -> SimpleNamespace:
    case = SimpleNamespace(**vars(example))
    case.key = p256.load_private(example.as_private)
    case.as_public = p256.raw_public(case.key)
    case.points = (p256.raw_public(p256.load_private(example.ua_private)), case.as_public)
    case.secrets = (base64url.decode(ecdh_secret), case.auth_secret, *case.points, case.salt)
    case.values = encryption.derive(*case.secrets)
    return case


RFC = _case(examples.RFC8291, "kyrL1jIIOHEzg3sM2ZWRHDRB62YACZhhSlknJ672kSs")
_LESSON_KEYS = SimpleNamespace(
    ua_private=bytes(range(0x20, 0x40)), as_private=bytes(range(0x40, 0x60)),
    auth_secret=bytes(range(0x60, 0x70)), salt=bytes(range(0x70, 0x80)),
    plaintext="Caffè? ☕ At four, downstairs.".encode(),
)  # fmt: skip
OTHER = _case(_LESSON_KEYS, "gjW1wyiMIs4-JnksO1G36ALB0nSeIDb4B7YlVwN-piE")


@check
def key_info(function: Callable[[bytes, bytes], bytes]) -> Right:
    """Check ``make_key_info(ua_public, as_public) -> bytes``, RFC 8291 §3.3."""
    for case in (RFC, OTHER):
        _compare({"key_info": function(*case.points)}, case, ["key_info"])
    return Right("key_info is right: 144 bytes, for any two keys.")


@check
def derive(function: Callable[..., Mapping[str, bytes]]) -> Right:
    """Check ``derive(ecdh_secret, auth_secret, ua_public, as_public, salt)``, RFC 8291 §3.4."""
    for case in (RFC, OTHER):
        yours = function(*case.secrets)
        type_is("derive", yours, dict)
        _compare(yours, case, ASKED)
    return Right("Six values, from PRK_key to NONCE, are right for two sets of keys.")


@check
def read_header(function: Callable[[bytes], Mapping]) -> Right:
    """Check ``read_header(body) -> dict`` of salt, rs, keyid and records, RFC 8188 §2.1."""
    rfc = "RFC 8188 §2.1"
    secret, salt = bytes(range(0x20, 0x30)), bytes(range(0x30, 0x40))
    seal = partial(content_coding.encrypt, b"I am the walrus", ikm=secret, salt=salt, rs=25)
    for body in (examples.RFC8291.body, seal(keyid=b"a1"), seal()):
        header = content_coding.Header.parse(body)
        yours = function(body)
        type_is("read_header", yours, dict)
        for name in ("salt", "rs", "keyid", "records"):
            if name not in yours:
                raise NotYet(f"{name} ({rfc}) is missing in what read_header returns")
        bytes_are("salt", yours["salt"], header.salt, rfc=rfc)
        four = body[16:20]
        wrong: dict[str, object] = {
            "Those are its four bytes: make a number of them.": four,
            "The first of its four bytes counts most: big-endian.": int.from_bytes(four, "little"),
            "It begins at byte 16, after the salt.": int.from_bytes(body[:4]),
            "It has four bytes: 16 to 19.": body[16],
        }
        value_is("rs", yours["rs"], header.rs, mistakes=wrong, rfc=rfc)
        where = f"keyid, of a header whose idlen is {len(header.keyid)},"
        fixed = {"idlen says how many bytes it has: not always 65.": body[21:86]}
        more = {"It begins after idlen, which does not belong to it.": body[20 : len(header)]}
        bytes_are(where, yours["keyid"], header.keyid, mistakes=fixed | more, rfc=rfc)
        fixed = {"A header has 86 bytes only if its keyid has 65.": body[86:]}
        bytes_are("records", yours["records"], body[len(header) :], mistakes=fixed, rfc=rfc)
    for length in (20, 21, 85):
        why = f"The body ends after {length} bytes, inside its header"
        raises("read_header", ValueError, function, examples.RFC8291.body[:length], why=why)
    return Right("Salt, rs, keyid and records are right, for keyids of 65, 2 and 0 bytes.")


@check
def encrypt(function: Callable[..., bytes]) -> Right:
    """Check ``encrypt(plaintext, ua_public, auth_secret, as_private, salt)``, RFC 8291 §4."""
    for case in (RFC, OTHER):
        public = {"salt": case.salt, "as_public": case.as_public}
        right = encryption.seal(case.plaintext, ikm=case.values.ikm, **public)
        yours = function(case.plaintext, case.points[0], case.auth_secret, case.key, case.salt)
        type_is("body", yours, bytes)
        if case is OTHER and yours == examples.RFC8291.body:
            raise NotYet(f"body has {len(yours)} bytes. {HARD_CODED}")
        if yours == right[86:]:
            raise NotYet(f"body has {len(yours)} bytes. The header is missing, 86 bytes (RFC 8188 §2.1)")
        _compare_headers(yours, right, case)
        _open(yours, right, case)
        bytes_are("body", yours, right, rfc="RFC 8291 §4")
    return Right("The body is right, byte for byte, for two sets of keys: 103 bytes and the text.")


def _compare(yours: Mapping[str, bytes], case: SimpleNamespace, names: Sequence[str]) -> None:
    """Find the first value that differs, and name the mistake if it is a typical one."""
    mistakes = _mistakes(case)
    for step in (step for step in trace.trace(case.values) if step.name in names):
        if step.name in yours:
            known = mistakes[step.name]
            bytes_are(step.name, yours[step.name], step.value, mistakes=known, rfc=step.rfc)
        steps_are(yours, [step])  # Raises NotYet if the value is missing.


def _compare_headers(yours: bytes, right: bytes, case: SimpleNamespace) -> None:
    rs = {"Its bytes are in the wrong order: big-endian puts the high ones first.": right[19:15:-1]}
    keyid = {
        "That is ua_public. The user agent has that already: send as_public.": case.points[0],
        "It begins after idlen: is idlen written twice?": right[20:85],
        "The 04 with which a point begins is missing.": right[22:86] + yours[85:86],
    }
    for name, start, end, mistakes in (
        ("salt", 0, 16, {}), ("rs", 16, 20, rs), ("idlen", 20, 21, {}), ("keyid", 21, 86, keyid)
    ):  # fmt: skip
        bytes_are(name, yours[start:end], right[start:end], mistakes=mistakes, rfc="RFC 8188 §2.1")


def _open(yours: bytes, right: bytes, case: SimpleNamespace) -> None:
    """Decrypt the body as the user agent does, and name the fault. A browser would report none."""
    missing = len(right) - len(yours)
    rfc = "(RFC 8188 §2)"
    if missing >= content_coding.TAG:
        raise NotYet(f"ciphertext {rfc} lacks {missing} bytes. The tag alone has 16")
    try:
        content_coding.decrypt(yours, ikm=case.values.ikm)
        return
    except BadDelimiter:
        said = "The tag fits, so all your keys are right. What is sealed does not end in 02"
        raise NotYet(f"padded_plaintext {rfc} has no valid delimiter. {said}") from None
    except DecryptionFailed:
        pass  # Find out below which mistake gives a key that opens it.
    if missing:
        wanted = len(right) - 86
        raise NotYet(f"ciphertext {rfc} should have {wanted} bytes, and yours has {wanted - missing}")
    exchanged = b"WebPush: info\0" + case.as_public + case.points[0] + b"\1"
    for sentence, ikm in {
        "The points in key_info are exchanged.": hmac_sha_256(case.values.prk_key, exchanged),
        "It is the shared secret itself: mix in auth_secret.": case.secrets[0],
        "It is PRK_key: mix in key_info.": case.values.prk_key,
    }.items():
        try:
            content_coding.decrypt(yours, ikm=ikm)
        except (DecryptionFailed, BadDelimiter):
            continue
        raise NotYet(f"IKM (RFC 8291 §3.3) differs. {sentence}")
    said = "its tag does not fit. A value from PRK_key to NONCE differs: exercise 2 names which"
    raise NotYet(f"ciphertext {rfc} does not open, {said}")


def _mistakes(case: SimpleNamespace) -> dict[str, dict[str, bytes]]:
    """Compute what typical mistakes give, each from right values before it."""
    ecdh_secret, auth_secret, ua_public, as_public, salt = case.secrets
    values, mac = case.values, hmac_sha_256
    info, points = values.key_info, ua_public + as_public
    key_and_message = "HMAC takes {} as its key and {} as its message: yours are exchanged.".format
    mistakes = {
        "PRK_key": {
            key_and_message("auth_secret", "ecdh_secret"): mac(ecdh_secret, auth_secret),
            "That took salt, which comes later. Here it is auth_secret.": mac(salt, ecdh_secret),
        },
        "key_info": {
            "The points are exchanged: ua_public is first.": info[:14] + as_public + ua_public,
            "The 00 between the text and the points is missing.": b"WebPush: info" + points,
            "The 01 at its end is HKDF's counter. It belongs to the HMAC.": info + b"\1",
            "The space after the colon is missing.": b"WebPush:info\0" + points,
            "That text is of the draft aesgcm.": b"Content-Encoding: auth\0" + points,
        },
        "IKM": {
            "The counter 01 after key_info is missing.": mac(values.prk_key, info),
            "The counter 01 is there twice.": mac(values.prk_key, info + b"\1\1"),
            key_and_message("PRK_key", "key_info ‖ 01"): mac(info + b"\1", values.prk_key),
        },
        "PRK": {
            key_and_message("salt", "IKM"): mac(values.ikm, salt),
            "That took auth_secret again. Here it is salt.": mac(auth_secret, values.ikm),
        },
    }
    full = {}
    for name, info, length in (("CEK", values.cek_info, 16), ("NONCE", values.nonce_info, 12)):
        full[name] = mac(values.prk, info + b"\1")
        no_zero = mac(values.prk, info[:-1] + b"\1")
        mistakes[name] = {
            f"It is not cut: keep the first {length} bytes of what HMAC gives.": full[name],
            "The counter 01 after its info is missing.": mac(values.prk, info)[:length],
            "The 00 that ends the text of its info is missing.": no_zero[:length],
            "HMAC took IKM as its key. Here it is PRK.": mac(values.ikm, info + b"\1")[:length],
        }
    mistakes["CEK"]["That is made with the text of NONCE."] = full["NONCE"][:16]
    mistakes["NONCE"]["That is made with the text of CEK."] = full["CEK"][:12]
    if case is OTHER:
        for step in trace.trace(RFC.values):
            mistakes.get(step.name, {})[HARD_CODED] = step.value
    return mistakes
