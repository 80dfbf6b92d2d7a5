"""Objects that draw themselves: in a real IPython, in every mimetype, without a secret."""

import subprocess
import sys
import textwrap
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import pushlab
from pushlab import inspect
from pushlab.appserver.delivery.response import NetworkFault, PushResponse
from pushlab.appserver.explain.outcome import Outcome, explain
from pushlab.doctor.inspection import Receiver
from pushlab.errors import PlaintextTooLong
from pushlab.journal import Party
from pushlab.notebook import rich
from pushlab.notebook.pictures.sequence import COLOURS
from pushlab.protocol import base64url, content_coding, encryption, trace, vapid
from pushlab.protocol.content_coding import Header
from pushlab.protocol.delivery import PushOptions, PushRequest, build_request
from pushlab.protocol.examples import RFC8291, RFC8292
from pushlab.protocol.subscription import PushSubscription
from pushlab.protocol.vapid import Claims
from pushlab.settings import patience
from tests.notebook.drawn import check, in_html, parsed, placed, texts

EVIL = '</text><script>alert("&\'")</script>\x00\x1b[31m\u202e\ud800\r\n\t'
OPTIONS = PushOptions(ttl=60, urgency="high", topic="upd")
AUTHORIZATION = vapid.authorization(RFC8292.token, RFC8292.public)
REQUEST = build_request(RFC8291.subscription, RFC8291.body, AUTHORIZATION, OPTIONS)
CLAIMS = Claims("https://push.example.net", 1453523768, "mailto:push@example.com")
DERIVATION = encryption.derive(
    bytes(range(32)), RFC8291.auth_secret, RFC8291.ua_public, RFC8291.as_public, RFC8291.salt
)
CREATED = PushResponse(
    201,
    (
        ("Location", "https://push.example.net/message/QWxhZGRpbjpvcGVuIHNlc2FtZQ"),
        ("Link", '</receipt/abcdef>; rel="urn:ietf:params:push:receipt"'),
        ("TTL", "60"),
        ("Date", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("Server", "a push service"),
    ),
    b"",
    "Created",
)
RECEIVER, NOW = Receiver(RFC8291.ua_private, RFC8291.auth_secret), 1453500000
THINGS = {
    "request": REQUEST,
    "request without body": build_request(RFC8291.subscription, None, AUTHORIZATION, PushOptions()),
    "subscription": RFC8291.subscription,
    "claims": CLAIMS,
    "credentials": vapid.parse(AUTHORIZATION),
    "options": OPTIONS,
    "response": CREATED,
    "outcome": explain(PushResponse(410, reason="Gone")),
    "header": Header.parse(RFC8291.body),
    "derivation": DERIVATION,
    "content keys": content_coding.derive(bytes(16), bytes(16)),
}
INSPECTED = inspect(REQUEST, receiver=RECEIVER, at=NOW)
"""Its picture shows the part of a token that anybody may read: ``test_inspection`` looks for secrets."""


@pytest.fixture(scope="module")
def display(tmp_path_factory):
    """Give what an IPython makes of the last line of a cell: mimetype to text."""
    quiet = Config({"HistoryManager": {"enabled": False}})
    home = str(tmp_path_factory.mktemp("ipython"))
    shell = InteractiveShell.instance(ipython_dir=home, config=quiet)
    formatter = shell.display_formatter
    formatter.active_types = formatter.format_types  # As in a notebook; a terminal has text only.
    pushlab.load_ipython_extension(shell)
    yield lambda thing: formatter.format(thing)[0]
    InteractiveShell.clear_instance()


@pytest.mark.parametrize(
    "thing", [*THINGS.values(), INSPECTED, INSPECTED[0]], ids=[*THINGS, "inspected", "inspection"]
)
def test_an_object_is_a_picture_and_its_own_words(display, thing):
    shown = display(thing)
    assert set(shown) == {"text/html", "text/plain"}
    assert "".join(shown["text/plain"].split()) == "".join(repr(thing).split())
    check(in_html(shown["text/html"]))
    assert in_html(shown["text/html"]) == rich.draw(thing)
    assert shown == display(thing)


SECRETS = {
    "path of the endpoint": RFC8291.endpoint.rsplit("/", 1)[1],
    "auth": base64url.encode(RFC8291.auth_secret),
    "auth in hexadecimal": RFC8291.auth_secret.hex(),
    "token": RFC8292.token,
    "signature": RFC8292.token.rsplit(".", 1)[1],
    "message's URL": "QWxhZGRpbjpvcGVuIHNlc2FtZQ",
    "ecdh_secret": DERIVATION.ecdh_secret.hex(),
    "cek": DERIVATION.cek.hex(),
    "ikm": DERIVATION.ikm.hex(),
}


@pytest.mark.parametrize("thing", THINGS.values(), ids=THINGS)
def test_no_secret_is_shown(display, thing):
    shown = display(thing)
    if thing is CREATED:
        del shown["text/plain"]  # A dataclass's own words: everything that came.
    together = "".join(unquote("".join(shown.values())).split())
    for name, secret in SECRETS.items():
        for part in {secret, secret[:20], secret[-20:], repr(secret)}:
            assert part not in together, name


@pytest.mark.parametrize(
    ("thing", "party"),
    [
        (REQUEST, Party.APPLICATION_SERVER),
        (RFC8291.subscription, Party.USER_AGENT),
        (CREATED, Party.PUSH_SERVICE),
        (CLAIMS, Party.APPLICATION_SERVER),
        (explain(CREATED), Party.APPLICATION_SERVER),
    ],
)
def test_the_bar_has_the_colour_of_the_party(thing, party):
    bar = list(placed(parsed(rich.draw(thing)), "rect"))[1]
    assert bar.element.get("fill") == COLOURS[party]


def test_a_request_says_what_each_header_is():
    said = texts(rich.draw(REQUEST))
    assert said[:3] == [
        "PushRequest: application server → push service", "POST", "RFC 8030 §5",
    ]  # fmt: skip
    assert "https://push.example.net/…" in said
    assert "vapid t=eyJ0eXAi…, k=BA1Hxzyi…" in said
    for name in REQUEST.headers:
        meaning, rfc = rich.REQUEST_HEADERS[name.lower()]
        assert {name, meaning, rfc} <= set(said)
    assert {"60", "high", "upd", "aes128gcm"} <= set(said)
    assert {"salt · 16 bytes · RFC 8188 §2.1", "144 bytes"} <= set(said)


@pytest.mark.parametrize("body", [b"x", b"hello", bytes(87), bytes(5000)])
def test_a_body_that_is_none_is_drawn_all_the_same(body):
    request = PushRequest("https://push.example.net/p", {"Content-Encoding": "aesgcm"}, body)
    said = texts(rich.draw(request))
    assert any(text.startswith("not the body of a push message: ") for text in said)


@pytest.mark.parametrize("name", ["Authorization", "authorization", "X-Authorization", "Cookie"])
def test_a_token_is_cut_in_whatever_header_it_is(name):
    request = PushRequest("https://push.example.net/p", {name: f"WebPush {RFC8292.token}"}, b"")
    drawn = rich.draw(request)
    assert "WebPush eyJ0eXAi…" in drawn and RFC8292.token[:12] not in drawn


def test_a_subscription_says_lengths_and_who_knows_them():
    said = texts(rich.draw(RFC8291.subscription))
    assert {"62 characters", "65 bytes", "16 bytes", RFC8291.subscription.label} <= set(said)
    together = " ".join(said)
    assert "known to user agent and application server, not to the push service" in together
    late = PushSubscription(RFC8291.endpoint, RFC8291.ua_public, RFC8291.auth_secret, 1e12)
    assert "2001-09-09 01:46:40 UTC" in texts(rich.draw(late))


@pytest.mark.parametrize("exp", [0, -1, 1.5, 10**40, 10**400, float("inf"), float("nan")])
def test_claims_with_any_time(exp):
    check(rich.draw(Claims("https://push.example.net", exp)))


def test_claims_say_the_time_and_what_is_signed():
    said = texts(rich.draw(CLAIMS))
    assert "until when: 2016-01-23 04:36:08 UTC; at most 24 hours ahead" in said
    assert str(CLAIMS) in "".join(said)


def test_a_response_shows_what_matters_and_counts_the_rest():
    said = texts(rich.draw(CREATED))
    assert {"201 Created", "The push service has the message.", "2 other headers"} <= set(said)
    assert {"https://push.example.net/…", '</…>; rel="urn:ietf:params:push:receipt"'} <= set(said)
    refused = PushResponse(403, (("Retry-After", "5"),), b'{"reason":"BadJwtToken"}')
    assert {"403", '{"reason":"BadJwtToken"}', "5"} <= set(texts(rich.draw(refused)))


def test_an_outcome_says_each_thing_once():
    said = texts(rich.draw(explain(PushResponse(410, reason="Gone"))))
    assert said[1:] == [
        "kind", "1 request", "RFC 9110 §15.5.11", "gone", "410 Gone: The subscription has ended.",
        "fault", "nobody's",
        "next", "Nothing is broken. Remove the subscription: it will never work again",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "outcome",
    [
        explain(NetworkFault(7, "refused")),
        explain(PlaintextTooLong("4000 bytes")),
        explain(PushResponse(999)),
        explain(PushResponse(403, body=EVIL.encode("utf-8", "replace"))),
        Outcome("retry", None, EVIL, EVIL, EVIL[:20], EVIL, EVIL, 3),
        Outcome("accepted", 201, ""),
    ],
)
def test_every_outcome_can_be_drawn(outcome):
    check(rich.draw(outcome))


def test_a_derivation_shows_formulas_and_lengths():
    said = texts(rich.draw(DERIVATION))
    for _, name, formula, rfc in trace.DERIVATION:
        assert {name, formula, rfc} <= set(said)
    keys = texts(rich.draw(THINGS["content keys"]))
    assert "NONCE" in keys and "IKM" not in keys


@pytest.mark.parametrize("keyid", [b"", b"a1", RFC8291.as_public, bytes(255)])
def test_a_header_is_drawn_to_the_byte(keyid):
    drawn = rich.draw(Header(bytes(16), 4096, keyid))
    check(drawn)
    assert f"keyid · {len(keyid)} bytes · RFC 8291 §4" in texts(drawn)


def hostile(said: str) -> list[object]:
    headers = ((said, said), ("Location", said), ("Link", said))
    body = said.encode("utf-8", "replace")
    return [
        PushRequest("https://push.example.net/p", {said: said, "TTL": said}, body),
        Claims(said, 1, said),
        PushResponse(200, headers, body, said),
        vapid.Credentials(said, bytes(65)),
    ]


@pytest.mark.parametrize("thing", hostile(EVIL), ids=lambda thing: type(thing).__name__)
def test_a_stranger_s_text_is_only_text(thing):
    drawn = rich.draw(thing)
    check(drawn)  # which allows no element that is not ours
    assert not {"\x00", "\x1b", "\u202e", "\ud800", "\r"} & set(drawn)


@given(st.text())
def test_any_text_can_be_drawn(said):
    for thing in hostile(said):
        check(rich.draw(thing))


def test_every_type_that_ipython_is_told_of_can_be_drawn():
    told = {f"{module}.{name}" for module, names in pushlab._DRAWN.items() for name in names}
    assert told == {f"{kind.__module__}.{kind.__name__}" for kind in rich.DRAWINGS}
    assert rich.draw(object()) is None


CELL = """
    import sys
    from IPython.core.interactiveshell import InteractiveShell
    shell = InteractiveShell.instance(history_manager=None) if {shell} else None
    {first}
    loaded = [name for name in sys.modules if name.startswith("pushlab")]
    assert "pushlab.notebook" not in loaded, loaded
    if shell:
        shell.display_formatter.active_types = shell.display_formatter.format_types
        from pushlab.protocol.delivery import PushOptions
        print(sorted(shell.display_formatter.format(PushOptions())[0]))
"""


@pytest.mark.usefixtures("programs")
@pytest.mark.parametrize(
    "first", ["import pushlab", "from pushlab import PushRequest", "import pushlab.protocol.vapid"]
)
def test_any_import_in_a_notebook_is_enough_and_loads_no_pictures_yet(first, tmp_path):
    code = textwrap.dedent(CELL.format(shell=True, first=first))  # noqa: S604  IPython's shell
    env = {"IPYTHONDIR": str(tmp_path), "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=env, cwd=tmp_path,
        timeout=patience(120),
    )  # fmt: skip
    assert done.stderr == "" and done.stdout == "['text/html', 'text/plain']\n"


@pytest.mark.parametrize("before", ["", "import IPython; "])
def test_without_a_shell_nothing_is_told_and_ipython_is_not_loaded(before):
    code = f"import sys; {before}import pushlab; print('IPython' in sys.modules)"
    program = [sys.executable, "-c", code]
    done = subprocess.run(program, capture_output=True, text=True, timeout=patience(120))
    assert done.stderr == "" and done.stdout.strip() == str(bool(before))
