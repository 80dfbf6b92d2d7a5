"""The checks of lesson 03: right code passes, and typical mistakes are named without the answer."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pushlab.errors import NotYet
from pushlab.notebook.checks import encrypt as checks
from pushlab.protocol import encryption, examples, p256
from pushlab.protocol.content_coding import hmac_sha_256 as mac

CEK_INFO, NONCE_INFO = b"Content-Encoding: aes128gcm\0", b"Content-Encoding: nonce\0"
CASES = (checks.RFC, checks.OTHER)


def key_info(ua_public, as_public, text=b"WebPush: info\0", end=b""):
    return text + ua_public + as_public + end


def derive(ecdh_secret, auth_secret, ua_public, as_public, salt, **wrong):
    """Derive with one mistake: a value computed as ``wrong`` says, the ones after it from that."""
    found = {}
    for name, right in {
        "PRK_key": lambda v: mac(auth_secret, ecdh_secret),
        "key_info": lambda v: key_info(ua_public, as_public),
        "IKM": lambda v: mac(v["PRK_key"], v["key_info"] + b"\1"),
        "PRK": lambda v: mac(salt, v["IKM"]),
        "CEK": lambda v: mac(v["PRK"], CEK_INFO + b"\1")[:16],
        "NONCE": lambda v: mac(v["PRK"], NONCE_INFO + b"\1")[:12],
    }.items():
        given = (ecdh_secret, auth_secret, ua_public, as_public, salt)
        found[name] = wrong[name](found, *given) if name in wrong else right(found)
    return found


def read_header(body):
    if len(body) < 21 or len(body) < 21 + body[20]:
        raise ValueError("too short")
    end = 21 + body[20]
    rs = int.from_bytes(body[16:20], "big")
    return {"salt": body[:16], "rs": rs, "keyid": body[21:end], "records": body[end:]}


def encrypt(plaintext, ua_public, auth_secret, as_private, salt, **wrong):
    """Encrypt by hand, with a mistake in one of the parts."""
    as_public = p256.raw_public(as_private)
    ecdh_secret = as_private.exchange(ec.ECDH(), p256.load_public(ua_public))
    values = derive(ecdh_secret, auth_secret, ua_public, as_public, salt, **wrong.get("values", {}))
    end = wrong.get("end", b"\2")
    sealed = AESGCM(values["CEK"]).encrypt(values["NONCE"], plaintext + end, None)
    rs, keyid = wrong.get("rs", (4096).to_bytes(4, "big")), wrong.get("keyid", as_public)
    if keyid == "ua_public":
        keyid = ua_public
    return salt + rs + bytes([65]) + keyid + sealed


def fails(check, function) -> str:
    """Return what the check says. No message contains a right value, in any spelling."""
    with pytest.raises(NotYet) as caught:
        check(function)
    said = str(caught.value)
    for case in CASES:
        public = {"salt": case.salt, "as_public": case.as_public}
        body = encryption.seal(case.plaintext, ikm=case.values.ikm, **public)
        for value in [getattr(case.values, name) for name in vars(case.values)] + [body, body[86:]]:
            text = base64.urlsafe_b64encode(value).decode().rstrip("=")
            for spelling in (value.hex(), value.hex(" "), text, repr(value)):
                assert spelling not in said
    return said


# --- what is right --------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES)
def test_the_shared_secrets_written_down_are_those_of_the_keys(case):
    assert case.key.exchange(ec.ECDH(), p256.load_public(case.points[0])) == case.secrets[0]


@pytest.mark.parametrize(
    ("check", "function", "said"),
    [
        (checks.key_info, key_info, "key_info is right: 144 bytes, for any two keys."),
        (checks.derive, derive, "Six values, from PRK_key to NONCE, are right for two sets of keys."),
        (checks.read_header, read_header, "Salt, rs, keyid and records are right, for keyids of 65, 2 and 0 bytes."),
        (checks.encrypt, encrypt, "The body is right, byte for byte, for two sets of keys: 103 bytes and the text."),
    ],
)  # fmt: skip
def test_the_right_answer_passes(check, function, said):
    assert repr(check(function)) == f"✓ {said}"


@pytest.mark.parametrize("check", [checks.key_info, checks.derive, checks.read_header, checks.encrypt])
def test_a_stub_says_so_itself(check):
    def stub(*_):
        raise NotImplementedError("your turn")

    with pytest.raises(NotImplementedError, match="your turn"):
        check(stub)


@pytest.mark.parametrize("check", [checks.key_info, checks.derive, checks.read_header, checks.encrypt])
def test_returning_nothing_is_named(check):
    assert "None: does" in fails(check, lambda *_: None)


# --- what is typically wrong ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda ua, app: key_info(app, ua), "144 bytes. The points are exchanged"),
        (lambda ua, app: key_info(ua, app, b"WebPush: info"), "143 bytes. The 00 between"),
        (lambda ua, app: key_info(ua, app, end=b"\1"), "145 bytes. The 01 at its end"),
        (lambda ua, app: key_info(ua, app, b"WebPush:info\0"), "143 bytes. The space"),
        (lambda ua, app: key_info(ua, app, b"Content-Encoding: auth\0"), "draft aesgcm"),
        (lambda ua, app: key_info(ua, app, b"webpush: info\0"), "differs at byte 0"),
        (lambda ua, app: key_info(ua[1:], app), "should have 144 bytes, and yours has 143"),
        (lambda ua, app: key_info(ua, app).hex(), "should be bytes, and yours is a str of 288"),
        (lambda ua, app: checks.RFC.values.key_info, "That is the RFC's example"),
    ],
)
def test_key_info_names_the_mistake(function, said):
    message = fails(checks.key_info, function)
    assert message.startswith("key_info (RFC 8291 §3.3) ") and said in message


@pytest.mark.parametrize(
    ("name", "wrong", "said"),
    [
        ("PRK_key", lambda v, e, a, u, p, s: mac(e, a), "yours are exchanged"),
        ("PRK_key", lambda v, e, a, u, p, s: mac(s, e), "That took salt"),
        ("key_info", lambda v, e, a, u, p, s: key_info(p, u), "The points are exchanged"),
        ("key_info", lambda v, e, a, u, p, s: key_info(u, p, b"WebPush: info"), "The 00 between"),
        ("IKM", lambda v, e, a, u, p, s: mac(v["PRK_key"], v["key_info"]), "01 after key_info is missing"),
        ("IKM", lambda v, e, a, u, p, s: mac(v["PRK_key"], v["key_info"] + b"\1\1"), "twice"),
        ("IKM", lambda v, e, a, u, p, s: mac(v["key_info"] + b"\1", v["PRK_key"]), "PRK_key as its key"),
        ("PRK", lambda v, e, a, u, p, s: mac(v["IKM"], s), "salt as its key and IKM as its message"),
        ("PRK", lambda v, e, a, u, p, s: mac(a, v["IKM"]), "auth_secret again"),
        ("CEK", lambda v, e, a, u, p, s: mac(v["PRK"], CEK_INFO + b"\1"), "32 bytes. It is not cut"),
        ("CEK", lambda v, e, a, u, p, s: mac(v["PRK"], CEK_INFO)[:16], "01 after its info is missing"),
        ("CEK", lambda v, e, a, u, p, s: mac(v["PRK"], NONCE_INFO + b"\1")[:16], "the text of NONCE"),
        ("CEK", lambda v, e, a, u, p, s: mac(v["PRK"], b"Content-Encoding: aesgcm\0\1")[:16], "differs at byte"),
        ("CEK", lambda v, e, a, u, p, s: mac(v["IKM"], CEK_INFO + b"\1")[:16], "Here it is PRK"),
        ("NONCE", lambda v, e, a, u, p, s: mac(v["PRK"], NONCE_INFO + b"\1"), "32 bytes. It is not cut"),
        ("NONCE", lambda v, e, a, u, p, s: mac(v["PRK"], NONCE_INFO + b"\1")[:16], "should have 12 bytes, and yours has 16"),
        ("NONCE", lambda v, e, a, u, p, s: mac(v["PRK"], NONCE_INFO[:-1] + b"\1")[:12], "The 00 that ends"),
        ("NONCE", lambda v, e, a, u, p, s: mac(v["PRK"], CEK_INFO + b"\1")[:12], "the text of CEK"),
    ],
)  # fmt: skip
def test_derive_names_the_first_step_that_departs_and_the_mistake(name, wrong, said):
    message = fails(checks.derive, lambda *given: derive(*given, **{name: wrong}))
    assert message.startswith(f"{name} (RFC 8") and said in message


def test_derive_has_to_be_a_dict_with_every_value_and_computed():
    assert "a tuple" in fails(checks.derive, lambda *given: tuple(derive(*given).values()))

    def without_prk(*given):
        return {name: value for name, value in derive(*given).items() if name != "PRK"}

    assert fails(checks.derive, without_prk).startswith("PRK (RFC 8188 §2.2) is missing")
    said = fails(checks.derive, lambda *_: derive(*checks.RFC.secrets))
    assert said.startswith("PRK_key") and checks.HARD_CODED in said


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (lambda body: {"salt": body[:15]}, "salt (RFC 8188 §2.1) should have 16 bytes"),
        (lambda body: {"rs": int.from_bytes(body[16:20], "little")}, "rs (RFC 8188 §2.1) is not right"),
        (lambda body: {"rs": body[16:20]}, "should be an int, and yours is 4 bytes"),
        (lambda body: {"keyid": body[21:86]}, "idlen is 2, (RFC 8188 §2.1) has"),
        (lambda body: {"keyid": body[20 : 21 + body[20]]}, "It begins after idlen"),
        (lambda body: {"records": body[86:]}, "only if its keyid has 65"),
        (lambda body: {"records": body[:0]}, "records (RFC 8188 §2.1) should have"),
    ],
)  # fmt: skip
def test_read_header_names_the_field(changed, said):
    assert said in fails(checks.read_header, lambda body: read_header(body) | changed(body))


def test_read_header_has_to_return_every_field_and_refuse_half_a_header():
    missing = fails(checks.read_header, lambda body: {"salt": body[:16]})
    assert missing.startswith("rs (RFC 8188 §2.1) is missing")

    def careless(body):
        length = body[20] if len(body) > 20 else 0
        rs = int.from_bytes(body[16:20], "big")
        keyid, records = body[21 : 21 + length], body[21 + length :]
        return {"salt": body[:16], "rs": rs, "keyid": keyid, "records": records}

    said = fails(checks.read_header, careless)
    assert "has to raise ValueError" in said and "after 20 bytes, inside its header" in said


def of(name, wrong):
    return {"values": {name: wrong}}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"rs": (4096).to_bytes(4, "little")}, "rs (RFC 8188 §2.1) has 4 bytes. Its bytes are in the wrong"),
        ({"rs": (4010).to_bytes(4, "big")}, "rs (RFC 8188 §2.1) has 4 bytes, as it should"),
        ({"keyid": "ua_public"}, "That is ua_public"),
        ({"keyid": examples.RFC8291.as_public[1:]}, "The 04 with which"),
        ({"keyid": b"\x41" + examples.RFC8291.as_public}, "idlen written twice"),
        ({"end": b""}, "no valid delimiter. The tag fits"),
        ({"end": b"\1"}, "no valid delimiter. The tag fits"),
        ({"end": b"\2\0\0"}, "body (RFC 8291 §4) should have 144 bytes, and yours has 146"),
        (of("key_info", lambda v, e, a, u, p, s: key_info(p, u)), "The points in key_info are exchanged"),
        (of("IKM", lambda v, e, a, u, p, s: e), "mix in auth_secret"),
        (of("IKM", lambda v, e, a, u, p, s: v["PRK_key"]), "mix in key_info"),
        (of("NONCE", lambda v, e, a, u, p, s: bytes(12)), "does not open, its tag does not fit"),
    ],
)  # fmt: skip
def test_encrypt_says_which_part_departs(wrong, said):
    assert said in fails(checks.encrypt, lambda *given: encrypt(*given, **wrong))


def test_encrypt_misses_what_is_cut_off_and_knows_what_was_copied():
    for cut in (16, 50):
        said = fails(checks.encrypt, lambda *given, cut=cut: encrypt(*given)[:-cut])
        assert said.startswith(f"ciphertext (RFC 8188 §2) lacks {cut} bytes")
    assert checks.HARD_CODED in fails(checks.encrypt, lambda *_: examples.RFC8291.body)
    assert "salt (RFC 8188 §2.1) should have 16 bytes, and yours has 0" in fails(
        checks.encrypt, lambda *_: b""
    )
