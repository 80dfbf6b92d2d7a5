"""RFC 8292: the example to the byte, every rule of §2 to §4, every bit, and py_vapid."""

import json

import py_vapid
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushlab.errors import (
    BadAudience,
    BadAuthorization,
    BadExpiry,
    BadPublicKey,
    BadSignature,
    BadSubject,
    BadToken,
    ExpiryTooFar,
    MissingAuthorization,
    TokenExpired,
    VapidError,
    WrongKey,
)
from pushlab.protocol import base64url, jws, p256, vapid
from pushlab.protocol.vapid import (
    Claims,
    Credentials,
    authorization,
    check_subject,
    parse,
    sign,
    unreachable,
    verify,
)

ORIGIN = "https://push.example.net"
NOW = 1453523700
DAY = 24 * 60 * 60
KEY = p256.load_private(bytes(range(0x20, 0x40)))
PUBLIC = p256.raw_public(KEY)
OTHER = p256.load_private(bytes(range(0x40, 0x60)))
TOKEN = sign(Claims(ORIGIN, NOW + 3600, "mailto:push@example.com"), KEY)


def header(payload: object, key=KEY, public=PUBLIC) -> str:
    """Sign any JSON value, or any text, as if it were claims."""
    text = payload if isinstance(payload, str) else json.dumps(payload)
    return authorization(jws.sign(vapid.HEADER, text.encode(), key), public)


def claims(**changes) -> dict:
    result = {"aud": ORIGIN, "exp": NOW + 3600, "sub": "mailto:push@example.com"} | changes
    return {name: value for name, value in result.items() if value is not ...}


@pytest.fixture
def example(vector):
    """The Authorization header of §2.4."""
    return f"vapid t={vector('rfc8292')['t']}, k={vector('rfc8292')['k']}"


def test_the_example_verifies(vector, example):
    expected = vector("rfc8292")["claims"]
    assert verify(example, origin=ORIGIN, now=NOW) == Claims(**expected)
    assert verify(parse(example), origin=ORIGIN, now=NOW) == Claims(**expected)


def test_the_example_is_written_to_the_byte(vector, example):
    values = vector("rfc8292")
    signing_input = values["t"].rpartition(".")[0]
    ours = sign(Claims(**values["claims"]), KEY)
    # The RFC's own private key is not published: all but the signature can be written again.
    assert ours.rpartition(".")[0] == signing_input
    assert len(ours) == len(values["t"])
    assert authorization(values["t"], base64url.decode(values["k"])) == example
    x, y = (base64url.decode(values["jwk"][name]) for name in "xy")
    assert parse(example) == Credentials(values["t"], b"\x04" + x + y)


def test_the_example_truncated_at_every_length(example, outcome):
    seen = {}
    for length in range(len(example)):
        seen[length] = outcome(verify, example[:length], origin=ORIGIN, now=NOW)
    assert {length for length, e in seen.items() if e is MissingAuthorization} == set(range(5))
    assert {e for length, e in seen.items() if length >= 5} == {BadAuthorization}
    assert outcome(verify, example, origin=ORIGIN, now=NOW) == Claims(
        ORIGIN, 1453523768, "mailto:push@example.com"
    )


def test_the_token_truncated_at_every_length(vector, outcome):
    token, k = vector("rfc8292")["t"], base64url.decode(vector("rfc8292")["k"])
    second_dot = token.rindex(".")
    for length in range(len(token)):
        result = outcome(verify, Credentials(token[:length], k), origin=ORIGIN, now=NOW)
        # A signature cut in the middle of a byte is no base64url; one cut between bytes is short.
        assert result in ((BadToken,) if length <= second_dot else (BadToken, BadSignature)), length


def test_the_example_with_every_bit_flipped(example, outcome, flips):
    # Scheme and names match in any case (RFC 9110 §11.1 and §11.2), and 0x20 is the bit of the case.
    letters = {0, 1, 2, 3, 4, example.index("t="), example.index("k=")}
    verified, errors = set(), set()
    for index, bit, flipped in flips(example.encode("ascii")):
        result = outcome(verify, flipped.decode("latin-1"), origin=ORIGIN, now=NOW)
        if isinstance(result, Claims):
            verified.add((index, bit))
        else:
            assert issubclass(result, VapidError)
            errors.add(result)
    assert verified == {(index, 5) for index in letters}
    assert errors == {MissingAuthorization, BadAuthorization, BadToken, BadSignature}


# V1
def test_the_signature_is_raw_and_not_der(outcome):
    signing_input, _, signature = TOKEN.rpartition(".")
    der = jws.der_signature(base64url.decode(signature))
    wrong = f"{signing_input}.{base64url.encode(der)}"
    assert outcome(verify, Credentials(wrong, PUBLIC), origin=ORIGIN, now=NOW) is BadSignature


def test_a_token_signed_with_another_key(outcome):
    assert outcome(verify, header(claims(), key=OTHER), origin=ORIGIN, now=NOW) is BadSignature


def test_no_claim_is_believed_before_the_signature_holds(outcome):
    for wrong in (claims(aud="https://evil.example"), claims(exp=0), claims(exp="x"), {}):
        assert outcome(verify, header(wrong, key=OTHER), origin=ORIGIN, now=NOW) is BadSignature


# V2
@pytest.mark.parametrize(
    "aud",
    [
        ...,
        None,
        True,
        1,
        "",
        {},
        {ORIGIN: ORIGIN},
        [],
        [[ORIGIN]],
        [None, 1, {}],
        "https://push.example.net/",
        "https://push.example.net:443",
        "https://push.example.net:8443",
        "http://push.example.net",
        "HTTPS://PUSH.EXAMPLE.NET",
        "https://push.example.net/push/JzLQ3raZ",
        "https://push.example.net.evil.example",
        "https://evil.example",
        ["https://evil.example"],
        "https://push.example.net\0",
    ],
)
def test_aud_is_not_the_origin(aud):
    with pytest.raises(BadAudience) as caught:
        verify(header(claims(aud=aud)), origin=ORIGIN, now=NOW)
    assert repr(ORIGIN) in caught.value.detail


@pytest.mark.parametrize(
    "aud, missing",
    [("https://push.example.net", True), ("https://push.example", False), ("", False)],
)
def test_aud_without_the_port_is_told_so(aud, missing):
    with pytest.raises(BadAudience) as caught:
        verify(header(claims(aud=aud)), origin=f"{ORIGIN}:8443", now=NOW)
    assert (
        "Set aud to https://push.example.net:8443: its port is missing" in str(caught.value)
    ) == missing


def test_aud_is_half_a_surrogate_pair():
    with pytest.raises(BadToken):
        verify(header(claims(aud="\ud800")), origin=ORIGIN, now=NOW)


@pytest.mark.parametrize("aud", [ORIGIN, [ORIGIN], ["https://other.example", 1, ORIGIN]])
def test_aud_includes_the_origin(aud):
    assert verify(header(claims(aud=aud)), origin=ORIGIN, now=NOW).aud == ORIGIN


# V3
@pytest.mark.parametrize("exp", [..., None, True, False, "", str(NOW + 3600), [], {}, [NOW + 3600]])
def test_exp_is_not_a_number(exp):
    with pytest.raises(BadExpiry):
        verify(header(claims(exp=exp)), origin=ORIGIN, now=NOW)


@pytest.mark.parametrize("exp", [NOW + 1, NOW + 0.5, NOW + DAY, float(NOW + DAY)])
def test_exp_is_within_a_day(exp):
    assert verify(header(claims(exp=exp)), origin=ORIGIN, now=NOW).exp == exp


@pytest.mark.parametrize("exp", [NOW, float(NOW), NOW - 1, 0, -1, -1.5, -1e308, "-1" + "0" * 98])
@pytest.mark.parametrize("now", [NOW, NOW + 0.25])
def test_exp_is_in_the_past(exp, now):
    with pytest.raises(TokenExpired):
        verify(header(f'{{"aud":"{ORIGIN}","exp":{exp}}}'), origin=ORIGIN, now=now)


@pytest.mark.parametrize("exp", [NOW + DAY + 1, NOW + DAY + 0.5, NOW * 1000, 1e308, "1" + "0" * 99])
def test_exp_is_too_far_ahead(exp):
    with pytest.raises(ExpiryTooFar):
        verify(header(f'{{"aud":"{ORIGIN}","exp":{exp}}}'), origin=ORIGIN, now=NOW)


@pytest.mark.parametrize(
    "exp, error",
    [
        ("9" * 100, ExpiryTooFar),
        ("-" + "9" * 99, TokenExpired),
        ("9" * 101, BadToken),  # more digits than are read here
        ("-" + "9" * 4000, BadToken),
        ("9" * 5000, BadToken),  # more digits than Python reads
        ("1e999", BadToken),  # more than a float holds
        ("-1e999", BadToken),
        ("NaN", BadToken),
        ("Infinity", BadToken),
        ("-Infinity", BadToken),
        ("١", BadToken),
        ("0x10", BadToken),
    ],
    ids=lambda value: str(value)[:12],
)
def test_exp_is_a_strange_number(exp, error):
    with pytest.raises(error):
        verify(header(f'{{"aud":"{ORIGIN}","exp":{exp}}}'), origin=ORIGIN, now=NOW)


@pytest.mark.parametrize(
    "changes, detail",
    [
        ({"aud": ...}, "aud is missing, not 'https://push.example.net'"),
        ({"aud": None}, "aud is null, not 'https://push.example.net'"),
        ({"aud": "https://a.b"}, "aud is 'https://a.b', not 'https://push.example.net'"),
        ({"exp": ...}, "exp is missing"),
        ({"exp": "60"}, "exp is '60'"),
        ({"exp": True}, "exp is true or false"),
        ({"exp": NOW - 10}, "exp is 10 s ago"),
        ({"exp": NOW + 90_000}, "exp is 90000 s ahead, over 86400"),
        ({"sub": []}, "sub is an array, not text"),
    ],
)
def test_an_error_says_what_was_seen(changes, detail):
    with pytest.raises(VapidError) as caught:
        verify(header(claims(**changes)), origin=ORIGIN, now=NOW)
    assert caught.value.detail == detail


# V4
@pytest.mark.parametrize("sub", [True, 1, [], {}, ["mailto:push@example.com"]])
def test_sub_is_not_text(sub):
    with pytest.raises(BadSubject):
        verify(header(claims(sub=sub)), origin=ORIGIN, now=NOW)


D = base64url.encode(bytes(range(1, 33)))
D_IN_HEX = bytes(range(1, 33)).hex()


@pytest.mark.parametrize(
    "sub",
    [
        D,
        f"{D}=",
        D_IN_HEX,
        D_IN_HEX.upper(),
        f"mailto:{D}",
        f"mailto: {D}",
        f"'{D}'",
        f"VAPID_PRIVATE_KEY={D}",
        "\n".join([D[:20], D[20:]]),
        ":".join(f"{byte:02x}" for byte in range(1, 33)),
    ],
)
def test_a_private_key_in_place_of_sub_is_named_and_not_repeated(sub):
    with pytest.raises(BadSubject) as caught:
        vapid.check_subject(sub)
    assert "is the private key, where a contact belongs" in str(caught.value)
    assert D[:20] not in str(caught.value) and D_IN_HEX[:20] not in str(caught.value).lower()


@pytest.mark.parametrize(
    ("sub", "seen"),
    [
        (D[:-1], "text of 42 characters"),
        (f"mailto:{D[:-1]}", "text of 49 characters"),
        (f"mailto:me@{D}.org x", "text of"),
        ("correct horse battery", "text of 21 characters"),
        ("me@example.com", "'me@example.com'"),
        # 32 characters with one beyond ASCII could be 32 bytes.
        ("mailto:jürgen.mueller@example.de", "is 'mailto:j"),
        ("Jürgen Müller, Web-Team Beispiel", "text of 32 characters"),
        ("mailto: me@example.com", "'mailto: me@example.com'"),
        ("http://example.com", "'http://example.com'"),
        ('"mailto:me@example.com"', "has quotes around it"),
        (["mailto:me@example.com"], "an array"),
    ],
)
def test_what_is_in_place_of_sub_is_shown_if_it_can_be_no_secret(sub, seen):
    with pytest.raises(BadSubject) as caught:
        vapid.check_subject(sub)
    assert seen in caught.value.detail
    assert D[:20] not in str(caught.value)


@pytest.mark.parametrize("aud", [D, D_IN_HEX, f"https://x.example/{D}"])
def test_a_private_key_in_place_of_aud_is_not_repeated(aud):
    with pytest.raises(BadAudience, match=f"aud is text of {len(aud)} characters") as caught:
        verify(header(claims(aud=aud)), origin=ORIGIN, now=NOW)
    assert aud not in str(caught.value)


@pytest.mark.parametrize("sub", [..., None, "", "mailto: a@example.com", "https://a.b/", "\0"])
def test_sub_is_only_a_recommendation_to_who_verifies(sub):
    expected = None if sub is ... else sub
    assert verify(header(claims(sub=sub)), origin=ORIGIN, now=NOW).sub == expected


@pytest.mark.parametrize(
    "sub",
    [
        None,
        "mailto:push@example.com",
        "mailto:push+lab@example.com?subject=push",
        "https://example.com",
        "https://example.com/contact",
    ],
)
def test_what_we_sign_as_sub(sub):
    token = sign(Claims(ORIGIN, NOW + 1, sub), KEY)
    assert verify(authorization(token, PUBLIC), origin=ORIGIN, now=NOW).sub == sub


@pytest.mark.parametrize(
    "sub",
    [
        "",
        "push@example.com",
        "mailto:",
        "mailto:push",
        "mailto: push@example.com",
        "mailto:push@example.com ",
        "mailto:push@example.com\n",
        "mailto:mailto:push@example.com",
        "mailto:push@@example.com",
        "mailto:püsh@example.com",
        "mailto:push@example.com\0",
        "https://",
        "https://example.com/a b",
        "mailto:<push@example.com>",
        "mailto://push@example.com",
        "https://<example.com>/",
        "http://example.com",
        "tel:112",
        "\ud800",
        True,
        [],
    ],
)
def test_what_we_do_not_sign_as_sub(sub):
    with pytest.raises(BadSubject):
        sign(Claims(ORIGIN, NOW + 1, sub), KEY)


@pytest.mark.parametrize(
    ("sub", "why"),
    [
        ("mailto:push@localhost", "special use"),
        ("mailto:push@raspberrypi.local", "special use"),
        ("mailto:push@z.invalid", "special use"),
        ("mailto:push@a.test?subject=push", "special use"),
        ("https://router.home.arpa/", "special use"),
        ("https://NAS.LAN./", "special use"),
        ("mailto:push@myhost", "without a dot"),
        ("https://intranet:8443/", "without a dot"),
        ("mailto:push@192.168.1.2", "an address"),
        ("mailto:push@[127.0.0.1]", "an address"),
        ("https://[::1]/", "an address"),
        ("mailto:push@example.com", ""),
        ("https://push.example.org/contact", ""),
        ("https://local.example.org/", ""),
    ],
)
def test_one_rule_says_which_contact_leads_nowhere(sub, why):
    check_subject(sub)
    assert (why in unreachable(sub)) if why else unreachable(sub) == ""


@pytest.mark.parametrize(
    ("exp", "error", "words"),
    [
        (43200, TokenExpired, "a duration"),
        (NOW * 1000, ExpiryTooFar, "milliseconds"),
        (NOW * 10**9, ExpiryTooFar, "nanoseconds"),
        (str(NOW + 60), BadExpiry, "as a JSON number"),
        (NOW - 60, TokenExpired, "60 s ago"),
        (10**90, ExpiryTooFar, "ahead"),
    ],
)
def test_an_exp_that_counts_something_else_is_named(exp, error, words):
    with pytest.raises(error, match=words):
        verify(header(claims(exp=exp)), origin=ORIGIN, now=NOW)


# V5
@pytest.mark.parametrize(
    "write",
    [
        "vapid t={t}, k={k}",
        "vapid t={t},k={k}",
        "vapid k={k}, t={t}",
        "vapid k={k},t={t}",
        "VAPID T={t}, K={k}",
        "Vapid   t={t} ,\tk={k}",
        "  vapid t={t}, k={k}  ",
        "vapid t = {t} , k = {k}",
        'vapid t="{t}", k="{k}"',
        "vapid ,, t={t},, k={k},,",
        'vapid t={t}, k={k}, more=1, more=2, q="a, b=c \\" "',
        "vapid realm=x, t={t}, k={k}",
    ],
)
def test_an_authorization_header(write):
    text = write.format(t=TOKEN, k=base64url.encode(PUBLIC))
    assert parse(text) == Credentials(TOKEN, PUBLIC)
    assert verify(text, origin=ORIGIN, now=NOW).exp == NOW + 3600


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "   ",
        "vapid-t={t}",
        "Bearer {t}",
        "WebPush {t}",
        "Basic QTpC",
        "t={t}, k={k}",
        "vapi t={t}, k={k}",
        "vapid\tt={t}, k={k}",
        "\ud800",
    ],
)
def test_no_vapid_authorization(text):
    with pytest.raises(MissingAuthorization):
        parse(text and text.format(t=TOKEN, k=base64url.encode(PUBLIC)))


@pytest.mark.parametrize(
    "text, detail",
    [
        ("vapid", "t is missing"),
        ("vapid ", "t is missing"),
        ("vapid ,", "t is missing"),
        ("vapid k={k}", "t is missing"),
        ("vapid t={t}", "k is missing"),
        ("vapid x={t}, k={k}", "t is missing"),
        ("vapid t={t}, t={t}, k={k}", "t appears twice"),
        ("vapid t={t}, T=x, k={k}", "t appears twice"),
        ("vapid t={t}, k={k}, k={k}", "k appears twice"),
        ("vapid t={t} k={k}", "no name=value at character 1 after the scheme"),
        ("vapid t={t}; k={k}", "no name=value at character 1 after the scheme"),
        ("vapid t=, k={k}", "no name=value at character 1 after the scheme"),
        ("vapid k={k}, t", "no name=value at character 92 after the scheme"),
        ("vapid {t}", "no name=value at character 1 after the scheme"),
        ('vapid k={k}, t="{t}', "no name=value at character 92 after the scheme"),
        ("vapid t={t}, k=", "no name=value"),
        ("vapid t={t}, k=BA1", "k is not base64url: the last of 3 characters has bits"),
        ("vapid t={t}, k=BA1H", "k is 3 bytes long, not 65"),
        ("vapid t={t}, k={k}=", "k is not base64url: padding at character 88 of 88"),
        ("vapid t={t}, k={k}\0", "no name=value"),
        ("vapid t={t}, k=\u0661", "no name=value"),
        ("vapid t={t}, k=\ud800", "no name=value"),
        ('vapid t={t}, k="\ud800"', "k is not base64url"),
        ("vapid t={t}, k={k}, " + "x" * 8192, "characters"),
        ("vapid " + "x=1," * 1_000_000, "characters"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_a_bad_authorization(text, detail):
    with pytest.raises(BadAuthorization) as caught:
        parse(text.format(t=TOKEN, k=base64url.encode(PUBLIC)))
    assert detail in caught.value.detail


@pytest.mark.parametrize(
    "text, why, hint",
    [
        ("vapid t={t}, k=BA/1Hx+A=", ": k ends at a /, which plain base64 has", "- for +, _ for /"),
        ("vapid k={k}, t=eyJ.a/b.c", ": t ends at a /, which plain base64 has", "- for +, _ for /"),
        ("vapid t={t}; k={k}", ": a ; follows t, and not a comma", "with a comma"),
        ("vapid t={t} k={k}", ": no comma follows t", "with a comma"),
        ('vapid t="{t}"k={k}', ": no comma follows t", "with a comma"),
        ("vapid {t}", ": the token has no name", "Write t= in front of it"),
        ("vapid t=, k={k}", ": t has no value, or one quote alone", "Send 'Authorization"),
        ("vapid t={t}, k={k}\0", ": k ends at a character that no parameter has", "Send 'Auth"),
        ("vapid secret={t}; k={k}", ": a ; follows a parameter, and not a comma", "with a comma"),
    ],
)
def test_what_ends_a_parameter_is_told_with_the_next_step(text, why, hint):
    with pytest.raises(BadAuthorization) as caught:
        parse(text.format(t=TOKEN, k=base64url.encode(PUBLIC)))
    assert caught.value.detail.endswith(why) and hint in caught.value.hint
    assert TOKEN[:30] not in str(caught.value) and "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "text, said",
    [
        ("Authorization: vapid t={t}, k={k}", "begins with the name of the header"),
        ("'authorization' : 'vapid t={t}, k={k}'", "begins with the name of the header"),
        ('"vapid t={t}, k={k}"', "quote in front of vapid"),
        ("Basic QTpC", "the scheme of the Authorization header is not vapid"),
    ],
)
def test_what_precedes_the_scheme_is_told(text, said):
    with pytest.raises(MissingAuthorization, match=said):
        parse(text.format(t=TOKEN, k=base64url.encode(PUBLIC)))


def test_what_is_no_text_is_refused_with_the_next_step():
    for value, said in ((authorization(TOKEN, PUBLIC).encode(), "bytes, and not text"), (7, "a number")):
        with pytest.raises(BadAuthorization, match=said) as caught:
            verify(value, origin=ORIGIN, now=NOW)
        assert TOKEN not in str(caught.value)
    with pytest.raises(BadToken, match=r"the token is bytes, and not text.*Call \.decode\(\) on it"):
        authorization(TOKEN.encode(), PUBLIC)
    with pytest.raises(BadToken, match="null"):
        authorization(None, PUBLIC)
    with pytest.raises(BadPublicKey, match=r"text of 87 characters, not bytes.*base64url\.decode"):
        authorization(TOKEN, base64url.encode(PUBLIC))


def test_a_long_authorization(outcome):
    text = f"{authorization(TOKEN, PUBLIC)}, more=".ljust(8192, "x")
    assert outcome(parse, text) == Credentials(TOKEN, PUBLIC)
    assert outcome(parse, text + "x") is BadAuthorization


@pytest.mark.parametrize("public", [bytes(65), b"\x04" + bytes(64), b"\x02" + PUBLIC[1:]])
def test_k_is_not_a_point(public):
    with pytest.raises(BadAuthorization):
        verify(header(claims(), public=public), origin=ORIGIN, now=NOW)


# RFC 8292 §5
def test_the_signature_of_a_token_that_is_used_again_is_verified_once(monkeypatch):
    again, check, checked = header(claims(jti="again")), jws.verify, []
    monkeypatch.setattr(jws, "verify", lambda *given: checked.append(check(*given)))
    for _ in range(3):
        verify(again, origin=ORIGIN, now=NOW, subscribed_key=PUBLIC)
    assert len(checked) == 1
    # All else is looked at each time.
    with pytest.raises(TokenExpired):
        verify(again, origin=ORIGIN, now=NOW + DAY, subscribed_key=PUBLIC)
    with pytest.raises(BadAudience):
        verify(again, origin="https://other.example.net", now=NOW, subscribed_key=PUBLIC)
    with pytest.raises(WrongKey):
        verify(again, origin=ORIGIN, now=NOW, subscribed_key=p256.raw_public(OTHER))
    # A token that is not valid is not remembered.
    forged = header(claims(jti="forged"), OTHER)
    for _ in range(2):
        with pytest.raises(BadSignature):
            verify(forged, origin=ORIGIN, now=NOW)
    assert len(checked) == 1


# V8, V9
def test_a_restricted_subscription(outcome):
    text = header(claims())
    other = p256.raw_public(OTHER)
    assert verify(text, origin=ORIGIN, now=NOW, subscribed_key=PUBLIC).exp == NOW + 3600
    for wrong in (other, PUBLIC[:-1], PUBLIC + b"\0", b"", bytes(65)):
        assert outcome(verify, text, origin=ORIGIN, now=NOW, subscribed_key=wrong) is WrongKey
    # The right k does not help if the token was signed with another private key.
    forged = header(claims(), key=OTHER)
    assert outcome(verify, forged, origin=ORIGIN, now=NOW, subscribed_key=PUBLIC) is BadSignature
    # Unsigned is 401, wrongly signed is 403.
    assert outcome(verify, None, origin=ORIGIN, now=NOW, subscribed_key=PUBLIC).status == 401
    assert {WrongKey.status, BadSignature.status, TokenExpired.status} == {403}


@pytest.mark.parametrize(
    "token", ["", "x", "a.b", "e30.e30.AA", "..", "\ud800", TOKEN + ".x", TOKEN + "A"]
)
def test_a_bad_token(token):
    with pytest.raises(VapidError):
        verify(Credentials(token, PUBLIC), origin=ORIGIN, now=NOW)


@pytest.mark.parametrize("alg", [None, "none", "HS256", "RS256", "ES384", "es256", True, ["ES256"]])
def test_another_algorithm(alg):
    token = jws.sign(json.dumps({"typ": "JWT", "alg": alg}).encode(), b"{}", KEY)
    with pytest.raises(BadToken):
        verify(Credentials(token, PUBLIC), origin=ORIGIN, now=NOW)


# V11
def test_the_same_claims_give_the_same_token():
    same = Claims(ORIGIN, NOW + 3600, "mailto:push@example.com")
    assert sign(same, KEY) == TOKEN
    assert sign(same, OTHER) != TOKEN


def test_claims_are_written_compactly_and_in_order():
    assert Claims(ORIGIN, 1).to_json() == b'{"aud":"https://push.example.net","exp":1}'
    written = Claims(ORIGIN, 1, "mailto:a@b.c").to_json()
    assert list(json.loads(written)) == ["aud", "exp", "sub"] and b" " not in written


def test_credentials_do_not_print_the_token():
    credentials = Credentials(TOKEN, PUBLIC)
    for printed in (str(credentials), repr(credentials), str([credentials])):
        assert TOKEN[:9] not in printed and TOKEN[-20:] not in printed
        assert f"({len(TOKEN)} characters)" in printed


subjects = st.sampled_from(["mailto:push@example.com", "https://example.com/contact"])
private_numbers = st.integers(1, p256.N - 1)


@given(private_numbers, st.integers(1, DAY), subjects)
def test_py_vapid_verifies_what_we_sign(number, ahead, sub):
    key = p256.load_private(number.to_bytes(32, "big"))
    text = authorization(sign(Claims(ORIGIN, NOW + ahead, sub), key), p256.raw_public(key))
    # py_vapid's own reader wants no space after the comma; RFC 8292 §3 has it in its example.
    assert py_vapid.Vapid02.verify(text.replace(", ", ","))
    assert verify(text, origin=ORIGIN, now=NOW) == Claims(ORIGIN, NOW + ahead, sub)


@given(private_numbers, st.integers(1, DAY))
def test_we_verify_what_py_vapid_signs(number, ahead):
    key = p256.load_private(number.to_bytes(32, "big"))
    theirs = py_vapid.Vapid02(key)
    signed = {"aud": ORIGIN, "exp": NOW + ahead, "sub": "mailto:push@example.com"}
    text = theirs.sign(signed)["Authorization"]
    public = p256.raw_public(key)
    assert verify(text, origin=ORIGIN, now=NOW, subscribed_key=public) == Claims(**signed)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from([ORIGIN, NOW + 60, "\ud800", "\0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
names = {"aud": json_values, "exp": json_values, "sub": json_values}


@given(json_values | st.fixed_dictionaries({}, optional=names), st.floats(0, 1e12))
def test_any_claims_are_claims_or_our_error(outcome, payload, now):
    for text in (json.dumps(payload), json.dumps(payload, ensure_ascii=False)):
        token = jws.sign(vapid.HEADER, text.encode("utf-8", "surrogatepass"), KEY)
        result = outcome(verify, authorization(token, PUBLIC), origin=ORIGIN, now=now)
        assert isinstance(result, Claims) or issubclass(result, VapidError)


@given(st.text() | st.text('tk="\\,= \tvapid.A0_\0\ud800').map("vapid ".__add__))
def test_any_header_is_credentials_or_our_error(outcome, text):
    result = outcome(verify, text, origin=ORIGIN, now=NOW)
    assert issubclass(result, VapidError)
