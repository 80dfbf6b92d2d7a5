"""Key files as other tools write them: each is read, named, and told how it becomes one of ours."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushlab.doctor.keys import examine_keys
from pushlab.protocol import base64url, p256
from pushlab.protocol.spelling import Kind, advise, key_file_reader

from . import writers

KEYS = st.integers(1, p256.N - 1).map(lambda number: p256.load_private(number.to_bytes(32, "big")))
SUBJECT = "mailto:me@example.com"


def halves(key) -> tuple[str, str]:
    return base64url.encode(writers.public_of(key)), base64url.encode(writers.private_of(key))


def jwk(key) -> dict[str, str]:
    x, y = (base64url.encode(half) for half in writers.halves(key))
    return {"kty": "EC", "crv": "P-256", "x": x, "y": y, "d": halves(key)[1]}


def pem(key) -> str:
    return writers.PEMS[1][1](key).decode()


def indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())


def openssl_text(key) -> str:
    def lines(raw: bytes) -> str:
        rows = [raw[i : i + 15].hex(":") for i in range(0, len(raw), 15)]
        return "    " + ":\n    ".join(rows) + "\n"

    private, public = writers.private_of(key), writers.public_of(key)
    return f"Private-Key: (256 bit)\npriv:\n{lines(private)}pub:\n{lines(public)}ASN1 OID: prime256v1\n"


WEB_PUSH = "the JSON of web-push generate-vapid-keys"
PRINTED = "the text that web-push generate-vapid-keys prints"
ENV, PHP, YAML, INI = (
    ".env with other names",
    "PHP or Ruby",
    "YAML, or lines like it",
    "TOML or INI",
)
BOTH = "a text that has both halves of a pair"
LINE = 39 * "="

# Name of the form, and how a tool writes a pair.
TOOLS = {
    "web-push --json": (WEB_PUSH, lambda p, s, k: json.dumps({"publicKey": p, "privateKey": s})),
    "web-push": (
        PRINTED,
        lambda p, s, k: f"\n{LINE}\n\nPublic Key:\n{p}\n\nPrivate Key:\n{s}\n\n{LINE}\n\n",
    ),
    "web-push on Windows": (
        PRINTED,
        lambda p, s, k: f"{LINE}\r\n\r\nPublic Key:\r\n{p}\r\n\r\nPrivate Key:\r\n{s}\r\n",
    ),
    "env": (ENV, lambda p, s, k: f"WEB_PUSH_PUBLIC_KEY={p}\nWEB_PUSH_PRIVATE_KEY={s}\n"),
    "env, commented": (ENV, lambda p, s, k: f"# mine\nVAPID_PUBLIC='{p}'\nVAPID_PRIVATE={s} # !\n"),
    "env, exported": (ENV, lambda p, s, k: f"export VAPID_PUB_KEY={p}\nexport VAPID_PRIV_KEY={s}\n"),
    "env with a PEM": (ENV, lambda p, s, k: f'PUSH_PUBLIC={p}\nPUSH_PRIVATE="{pem(k)}"\n'),
    "properties": (ENV, lambda p, s, k: f"vapid.public.key={p}\nvapid.private.key = {s}\n"),
    "yaml": (YAML, lambda p, s, k: f"vapid:\n  public_key: {p}\n  private_key: \"{s}\"\n"),
    "yaml, folded": (YAML, lambda p, s, k: f"public_key: >-\n  {p}\nprivate_key: |\n  {s}\n"),
    "yaml with a PEM": (
        YAML,
        lambda p, s, k: f"push:\n  private_key: |\n{indented(pem(k))}  public_key: {p}\n",
    ),
    "toml": (INI, lambda p, s, k: f'[vapid]\npublic_key = "{p}"\nprivate_key = \'{s}\'\n'),
    "ini": (INI, lambda p, s, k: f"[vapid]\npublic-key={p}\nprivate-key={s}\n"),
    "php": (PHP, lambda p, s, k: f"<?php return ['publicKey' => '{p}', 'privateKey' => '{s}'];"),
    "php print_r": (PHP, lambda p, s, k: f"Array (\n  [publicKey] => {p}\n  [privateKey] => {s}\n)\n"),
    "php var_dump": (
        PHP,
        lambda p, s, k: "".join(
            f'  ["{name}"]=>\n  string({len(value)}) "{value}"\n'
            for name, value in (("publicKey", p), ("privateKey", s))
        ),
    ),
    "ruby": (PHP, lambda p, s, k: f'{{:public_key=>"{p}", :private_key=>"{s}"}}'),
    "javascript": ("JavaScript", lambda p, s, k: f"const publicKey = '{p}', privateKey = '{s}';\n"),
    "python": (
        "Python",
        lambda p, s, k: f'PUSH = {{\n  "VAPID_PUBLIC_KEY": "{p}",\n  "VAPID_PRIVATE_KEY": "{s}",\n}}\n',
    ),
    "dotnet": ("JSON", lambda p, s, k: json.dumps({"Vapid": {"PublicKey": p, "PrivateKey": s}})),
    "jwks": ("a JWK set", lambda p, s, k: json.dumps({"keys": [{"kty": "RSA"}, jwk(k)]})),
    "jwks as a list": ("a JWK set", lambda p, s, k: json.dumps([jwk(k)])),
    "two jwks": (WEB_PUSH, lambda p, s, k: json.dumps({"privateKey": jwk(k), "publicKey": jwk(k)})),
    "two lines": (BOTH, lambda p, s, k: f"{p}\n{s}\n"),
    "xml": (BOTH, lambda p, s, k: f'<add key="Public" value="{p}"/><add key="Private" value="{s}"/>'),
    "markdown": (BOTH, lambda p, s, k: f"**Public Key**: `{p}`\n\n**Private Key**: `{s}`\n"),
    "csv": (BOTH, lambda p, s, k: f"publicKey,privateKey\n{p},{s}\n"),
    "env with JSON": (BOTH, lambda p, s, k: f"VAPID='{json.dumps({'publicKey': p, 'privateKey': s})}'"),
    "csv of names": (BOTH, lambda p, s, k: f'"id";"private";"public"\n7;"{s}";"{p}"\n'),
    "plist": (BOTH, lambda p, s, k: f"<key>Public</key><string>{p}</string>"
        f"<key>Private</key><string>{s}</string>"),
    "rust": ("code in Rust, Go, C or the like",
        lambda p, s, k: f'let public_key: &str = "{p}";\nlet private_key: &str = "{s}";\n'),
    "typescript": ("JavaScript",
        lambda p, s, k: f'const publicKey: string = "{p}", privateKey: string = "{s}"'),
    "a list of variables": (BOTH, lambda p, s, k: json.dumps(
        [{"name": "VAPID_PUBLIC_KEY", "value": p}, {"name": "VAPID_PRIVATE_KEY", "value": s}])),
    "bytes in JSON": (WEB_PUSH, lambda p, s, k: json.dumps(
        {"publicKey": list(writers.public_of(k)), "privateKey": list(writers.private_of(k))})),
    "Node's buffers in JSON": (WEB_PUSH, lambda p, s, k: json.dumps({
        "publicKey": {"type": "Buffer", "data": list(writers.public_of(k))},
        "privateKey": {"type": "Buffer", "data": list(writers.private_of(k))}})),
    "JSON in JSON": (f"{WEB_PUSH}, as JSON in JSON",
        lambda p, s, k: json.dumps(json.dumps({"publicKey": p, "privateKey": s}))),
    "a file in base64": (".env, in base64", lambda p, s, k: base64.b64encode(
        f"VAPID_PUBLIC_KEY={p}\nVAPID_PRIVATE_KEY={s}\n".encode()).decode()),
    "openssl ec -text": ("openssl ec -text prints", lambda p, s, k: openssl_text(k)),
    "env with a carriage return alone": (ENV, lambda p, s, k: f"PUBLIC_KEY={p}\rPRIVATE_KEY={s}\r"),
    "kubernetes": (
        YAML,
        lambda p, s, k: "".join(
            f"  VAPID_{name}_KEY: {base64.b64encode(value.encode()).decode()}\n"
            for name, value in (("PUBLIC", p), ("PRIVATE", s))
        ),
    ),
    "other secrets": (
        ENV,
        lambda p, s, k: (
            f"SECRET_KEY={base64url.encode(bytes(range(32)))}\n"
            f"APPLE_PRIVATE_KEY={base64url.encode(bytes(range(1, 33)))}\n"
            f"PUSH_PUBLIC_KEY={p}\nPUSH_PRIVATE_KEY={s}\n"
        ),
    ),
}  # fmt: skip


@given(KEYS, st.sampled_from(sorted(TOOLS)))
def test_each_tools_file_is_named_and_its_pair_is_found(key, tool):
    form, write = TOOLS[tool]
    public, private = halves(key)
    text = write(public, private, key)
    for content in (text, text.encode(), b"\xef\xbb\xbf" + text.encode(), text.encode("utf-16")):
        file = key_file_reader.read(content)
        assert file.form.endswith(form)
        assert file.private.spelling.raw == writers.private_of(key)
        assert file.public.spelling.raw == writers.public_of(key) and not file.exchanged
        assert file.advice.name == "of-another-tool" and "--import" in file.advice.turn
        told = f"{file!r} {file.advice} {file.lines}"
        assert private not in told and public not in told


# How a file has a private half alone: {s} is its text, {h} its bytes in hexadecimal, {d} as numbers.
ALONE = {
    "PHP's define": "define( 'VAPID_PRIVATE_KEY', '{s}' );",
    "Go's environment": 'os.Setenv("VAPID_PRIVATE_KEY", "{s}")',
    "Node's buffer": "privateKey: <Buffer {x}>",
    "Node's array": "{{ privateKey: Uint8Array(32) [ {n} ], n: 1 }}",
    "a PEM in Python": 'VAPID_PRIVATE_KEY = """{m}"""',
    "TypeScript": 'const privateKey: string = "{s}";',
    "TypeScript, or nothing": "let privateKey: string | undefined = '{s}'",
    "Python with a type": 'VAPID_PRIVATE_KEY: str = "{s}"',
    "Kotlin": 'val privateKey: String = "{s}"',
    "Rust": 'const PRIVATE_KEY: &\'static str = "{s}";',
    "Go": 'var privateKey string = "{s}"',
    "C": 'static const char private_key[] = "{s}";',
    "setx": 'setx VAPID_PRIVATE_KEY "{s}"',
    "setx for the machine": "setx VAPID_PRIVATE_KEY {s} /M",
    "fish": "set -x VAPID_PRIVATE_KEY {s}",
    "fish, everywhere": "set -gx VAPID_PRIVATE_KEY '{s}'; and echo",
    "csh": "setenv VAPID_PRIVATE_KEY {s}",
    "Dockerfile": "FROM python\nENV PORT 80\nENV VAPID_PRIVATE_KEY {s}\n",
    "Dockerfile with =": "FROM python\nENV VAPID_PRIVATE_KEY={s}\n",
    "Java": 'private static final String privateKey = "{s}";',
    "bytes in C": "unsigned char private_key[] = {{\n  {h}\n}};",
    "bytes in Go": "privateKey := []byte{{\n{h},\n}}",
    "bytes in Rust": "let private_key: [u8; 32] = [{h}];",
    "bytes in JavaScript": "const privateKey = new Uint8Array([{h}]);",
    "bytes in Node": "const privateKey = Buffer.from({d})",
    "bytes in Python": "private_key = bytes({d})",
    "bytes in Java": "byte[] privateKey = new byte[] {{ {h} }};",
}


@given(KEYS, st.sampled_from(sorted(ALONE)))
def test_a_private_half_alone_is_found_by_its_name(key, tool):
    raw = writers.private_of(key)
    text = ALONE[tool].format(
        s=base64url.encode(raw), h=writers.in_code(raw), d=list(raw), x=raw.hex(" "),
        n=", ".join(map(str, raw)), m=pem(key),
    )  # fmt: skip
    file = key_file_reader.read(text)
    assert file.private.spelling.raw == raw and not file.public, text
    assert file.private.name.lower().replace("_", "") in ("privatekey", "vapidprivatekey")
    assert file.advice.name == ("is-pem" if "PEM" in tool else "of-another-tool") and base64url.encode(
        raw
    ) not in str(file.advice)


def test_a_remark_in_a_dockerfile_is_none_of_its_lines():
    assert not key_file_reader.read(f"# ENV VAPID_PRIVATE_KEY {42 * 'A'}E\nENV PORT 80").has_private_key


BYTES = {
    "jwks",
    "jwks as a list",
    "two jwks",
    "bytes in JSON",
    "Node's buffers in JSON",
    "openssl ec -text",
}
"""Files that are made of the key, and not of its two texts."""


@given(KEYS, st.sampled_from(sorted(set(TOOLS) - BYTES)))
def test_halves_in_each_others_place_are_seen_in_every_file(key, tool):
    public, private = halves(key)
    if "PEM" in tool or TOOLS[tool][0] == BOTH:
        return  # There the key itself is written, or no name says which half it is.
    file = key_file_reader.read(TOOLS[tool][1](private, public, key))
    assert file.exchanged and file.advice.name == "keys-exchanged"
    assert "make a new pair" in file.advice.turn


@given(KEYS)
def test_the_private_half_of_a_jwk_set_is_called_as_it_is_there(key):
    file = key_file_reader.read(json.dumps({"keys": [jwk(key)]}))
    assert file.lines == "VAPID_PRIVATE_KEY=(the value of d)"


@given(KEYS)
def test_a_file_of_ours_needs_no_advice(key):
    public, private = halves(key)
    env = f"VAPID_PUBLIC_KEY={public}\nVAPID_PRIVATE_KEY={private}\nVAPID_SUBJECT={SUBJECT}\n"
    for content in (env, json.dumps(jwk(key)), pem(key), private, writers.private_of(key)):
        file = key_file_reader.read(content)
        assert file.private.spelling.raw == writers.private_of(key)
        assert file.advice is None or file.advice.name == "is-pem"
    assert key_file_reader.read(env).subject == SUBJECT


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ('{"type": "service_account", "private_key": "-----BEGIN PRIVATE KEY-----"}', "no-key-file"),
        ('{"endpoint": "https://push.example.net/", "keys": {}}', "no-key-file"),
        ('{"keys": [{"kty": "RSA"}]}', "no-key-file"),
        ("", "no-key-file"),
        (" \r\n", "no-key-file"),
        (b"\xff\xfe", "no-key-file"),
        ("<!DOCTYPE html>\n<title>Log in</title>", "no-key-file"),
        (b"PK\3\4" + bytes(60), "no-key-file"),
        (b"\x1f\x8b" + bytes(31), "no-key-file"),
        (b"0\x82\5\0\2\1\3" + bytes(range(80)), "no-key-file"),
        (b"\xfe\xed\xfe\xed" + bytes(30), "no-key-file"),
        ("-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQ\n", "is-a-pgp-key"),
        ("VAPID_PRIVATE_KEY=undefined", "is-undefined"),
        ("VAPID_PRIVATE_KEY=private.pem", "is-a-path"),
        (f"VAPID_PRIVATE_KEY={base64.b64encode(bytes(range(1, 33))).decode()}", "padded"),
    ],
)
def test_a_file_without_a_key_is_named_as_well(content, name):
    assert key_file_reader.read(content).advice.name == name


NAMED = {
    "csv": "publicKey,privateKey\n{p},{s}\n",
    "csv by rows": "private;{s}\npublic;{p}\n",
    "xml": "<keys><public>{p}</public><private>{s}</private></keys>",
    "plist": "<key>Private</key><string>{s}</string><key>Public</key><string>{p}</string>",
    "markdown": "| public | private |\n|---|---|\n| {p} | {s} |\n",
    "rust": 'let private_key: &str = "{s}"; let public_key: &str = "{p}";',
}


def test_halves_that_are_exchanged_are_told_wherever_there_are_names():
    key = p256.load_private(bytes(range(32)))
    public, private = halves(key)
    for template in NAMED.values():
        right = key_file_reader.read(template.format(p=public, s=private))
        assert right.advice.name == "of-another-tool"
        file = key_file_reader.read(template.format(p=private, s=public))
        assert file.exchanged and file.advice.name == "keys-exchanged"
        assert file.public.spelling.raw == writers.private_of(key)
    # Two lines without names have no place to be exchanged in.
    assert not key_file_reader.read(f"{private}\n{public}").exchanged


def test_a_private_key_with_a_name_for_pages_is_named():
    _, private = halves(p256.load_private(bytes(31) + b"\1"))
    for prefix in ("NEXT_PUBLIC_", "VITE_", "REACT_APP_"):
        file = key_file_reader.read(f"{prefix}VAPID_PRIVATE_KEY={private}")
        assert file.advice.name == "private-key-bundled" and "make a new pair" in file.advice.turn
    assert key_file_reader.read(f"VITE_VAPID_PUBLIC_KEY=x\nVAPID_PRIVATE_KEY={private}").advice is None


@pytest.mark.parametrize("content", ["hello", "{", "[1, 2]", "X=1", b"\0", b"\xff"])
def test_nothing_is_said_of_what_is_not_known(content):
    file = key_file_reader.read(content)
    assert file.advice is None and (not file.private or not file.private.spelling.kind)


def test_a_public_key_alone_lacks_its_private_half():
    public, _ = halves(p256.load_private(bytes(31) + b"\1"))
    for text in (public, f"Application Server Key = {public}", f"VAPID_PUBLIC={public}\nVAPID_PRIVATE="):
        file = key_file_reader.read(text)
        assert file.public.spelling.kind is Kind.PUBLIC and file.advice.name == "private-key-missing"


@pytest.mark.parametrize(
    "text",
    [
        "a.b-" * 16000,
        "a =\n" * 16000,
        '"a' * 30000,
        "a=-----BEGIN X-----" * 3000,
        "a: " * 20000,
        "\n" * 60000,
        "ENV " * 16000,
        "a=[" + "1," * 30000,
        "a=new " * 10000,
        "a: str " * 9000,
        '={"' * 20000,
        "f('a'," * 10000,
        "VAPID_SUBJECT=" * 4600,
        "a=bVAPID_SUBJECT=\n" * 3600,
        "a=f('" * 12000,
        "mailto:" * 9000,
    ],
    ids=range(16),
)
def test_a_hostile_file_takes_no_time(text):
    # Without bounds in the patterns, each of these takes minutes.
    assert not key_file_reader.read(text).public


def test_of_keys_that_are_there_twice_the_one_counts_that_the_lab_would_take():
    """An old key is often left above the new one, as a remark or as it was."""
    old, new = (writers.private_of(p256.load_private(bytes(31) + bytes([n]))) for n in (7, 8))
    old, new = base64url.encode(old), base64url.encode(new)
    for name, before, after in (
        ("VAPID_PRIVATE_KEY", f"VAPID_PRIVATE_KEY={old}", ""),
        ("VAPID_PRIVATE_KEY", f"#VAPID_PRIVATE_KEY={old}", f"# VAPID_PRIVATE_KEY={old}"),
        ("VAPID_PRIVATE_KEY", f"MY_VAPID_PRIVATE_KEY={old}", f"PUSH_PRIVATE_KEY={old}"),
        ("WEB_PUSH_PRIVATE_KEY", f"  # WEB_PUSH_PRIVATE_KEY={old}", f"; WEB_PUSH_PRIVATE_KEY={old}"),
        ("WEB_PUSH_PRIVATE_KEY", f"export WEB_PUSH_PRIVATE_KEY={old}", ""),
    ):
        file = key_file_reader.read(f"{before}\n{name}={new}\n{after}\n")
        assert file.private.name == name, before
        assert base64url.encode(file.private.spelling.raw) == new, (name, before)


@pytest.mark.parametrize("word", ["byte", "char", "u8", "string", "32-byte"])
def test_a_remark_makes_no_code_of_a_key_file(word):
    key = base64url.encode(bytes(range(1, 33)))
    content = f"# a {word} key\nVAPID_PRIVATE_KEY={key}\nVAPID_SUBJECT=mailto:me@site.org\n"
    assert key_file_reader.read(content).form == key_file_reader.ENV


# --- what is not there, and what is broken -------------------------------------------------------

PUBLIC, PRIVATE = halves(p256.load_private(bytes(range(1, 33))))
OTHERS = halves(p256.load_private(bytes(range(2, 34))))

PUBLIC_ALONE = [
    f"const applicationServerKey = urlB64ToUint8Array('{PUBLIC}');",
    f"export const environment = {{ vapidPublicKey: '{PUBLIC}' }};",
    f"Web Push certificates\nKey pair\n{PUBLIC}\nDate added\nJan 4, 2026\n",
    f'<meta name="vapid-public-key" content="{PUBLIC}">',
    f"Application Server Key = {PUBLIC}\n\nprivate_key.pem",
]


@pytest.mark.parametrize("text", PUBLIC_ALONE)
def test_a_point_in_any_text_is_a_public_key_without_its_private_one(text):
    file = key_file_reader.read(text)
    assert file.advice.name == "private-key-missing" and file.public.spelling.kind is Kind.PUBLIC


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("'private_key' => env('VAPID_PRIVATE_KEY'),", "is-a-reference"),
        ("VAPID_PRIVATE_KEY=${{ secrets.VAPID_PRIVATE_KEY }}", "is-a-reference"),
        ("vapid_private_key: !secret vapid_prv_key", "is-a-reference"),
        ("VAPID_PRIVATE_KEY=(sensitive value)", "is-hidden"),
        ("PUSH = {\n 'WP_PRIVATE_KEY': BASE_DIR + '/private_key.pem',\n}", "is-a-path"),
        (f"VAPID_PUBLIC_KEY={PUBLIC}\nVAPID_PRIVATE_KEY={PRIVATE[:-1]}", "length"),
        ('const firebaseConfig = {\n  apiKey: "AIza",\n  projectId: "x",\n};', "no-key-file"),
        ('{"aud": "https://push.example.net", "sub": "mailto:me@example.com"}', "no-key-file"),
        ('{"version": "1.0.0", "dependencies": {"web-push": "^3"}}', "no-key-file"),
    ],
)
def test_what_stands_in_the_place_of_a_key_is_named(text, name):
    assert key_file_reader.read(text).advice.name == name


BROKEN = {
    "public and private": (
        f"VAPID_PUBLIC_KEY={PUBLIC}VAPID_PRIVATE_KEY={PRIVATE}\n",
        "VAPID_PRIVATE_KEY",
    ),
    "subject and public": (
        f"VAPID_SUBJECT={SUBJECT}VAPID_PUBLIC_KEY={PUBLIC}\nVAPID_PRIVATE_KEY={PRIVATE}\n",
        "VAPID_PUBLIC_KEY",
    ),
    "another and private": (f"DEBUG=trueVAPID_PRIVATE_KEY={PRIVATE}\n", "VAPID_PRIVATE_KEY"),
    "all three": (
        f"VAPID_PUBLIC_KEY={PUBLIC}VAPID_SUBJECT={SUBJECT}\nA=bVAPID_PRIVATE_KEY={PRIVATE}",
        "VAPID_SUBJECT",
    ),
    "wrapped": (
        f"VAPID_PUBLIC_KEY={PUBLIC[:60]}\n{PUBLIC[60:]}\nVAPID_PRIVATE_KEY={PRIVATE}\n",
        "VAPID_PUBLIC_KEY goes on in the next line",
    ),
    "both are wrapped": (
        f"VAPID_PUBLIC_KEY={PUBLIC[:60]}\n{PUBLIC[60:]}\nVAPID_PRIVATE_KEY={PRIVATE[:9]}\n{PRIVATE[9:]}\n",
        "VAPID_PUBLIC_KEY goes on in the next line",
    ),
    "wrapped with a backslash": (
        f"VAPID_PRIVATE_KEY={PRIVATE[:20]}\\\n{PRIVATE[20:]}\n",
        "VAPID_PRIVATE_KEY goes on in the next line",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_lines_that_run_together_or_are_wrapped_are_told_and_read(name):
    text, words = BROKEN[name]
    file = key_file_reader.read(text)
    assert file.advice.name == "no-key-file" and file.advice.what.endswith(words)
    assert file.private.spelling.raw == bytes(range(1, 33))
    assert not file.subject or file.subject == SUBJECT
    assert PRIVATE not in str(file.advice) and PUBLIC not in str(file.advice)


@pytest.mark.parametrize(
    "text",
    [
        f"MY_VAPID_PRIVATE_KEY={PRIVATE}\nNEXT_PUBLIC_VAPID_PUBLIC_KEY={PUBLIC}\n",
        f"A=b VAPID_PRIVATE_KEY={PRIVATE} node server.js\n",
        f"URL=https://example.com/?a=b&VAPID_PUBLIC_KEY={PUBLIC}\nVAPID_PRIVATE_KEY={PRIVATE}\n",
        f"VAPID_PRIVATE_KEY={PRIVATE}\nsomething\n",
    ],
)
def test_lines_that_are_whole_are_not_told_to_be_broken(text):
    file = key_file_reader.read(text)
    assert file.has_private_key and not file.problem


CONTACTS = {
    "the call": "setVapidDetails('mailto:me@example.com', '{p}', '{s}')",
    "kubernetes": "- name: VAPID_PUBLIC_KEY\n  value: {p}\n- name: VAPID_PRIVATE_KEY\n  value: {s}\n"
    "- name: VAPID_SUBJECT\n  value: mailto:me@example.com\n",
    "a prompt": "VAPID_PUBLIC_KEY={p}%\nVAPID_PRIVATE_KEY={s}%\nVAPID_SUBJECT=mailto:me@example.com\n",
    "Go": 'o := Options{{\n Subscriber: "mailto:me@example.com",\n VAPIDPublicKey: "{p}",\n'
    ' VAPIDPrivateKey: "{s}"}}',
}


@pytest.mark.parametrize("template", CONTACTS.values(), ids=CONTACTS)
def test_the_contact_of_a_text_is_taken_with_its_pair(template):
    file = key_file_reader.read(template.format(p=PUBLIC, s=PRIVATE))
    assert file.subject == SUBJECT and not file.exchanged
    two = template.format(p=PUBLIC, s=PRIVATE) + "\nmailto:you@example.com"
    assert key_file_reader.read(two).subject in ("", SUBJECT)


@pytest.mark.parametrize("more", ["mailto:you@example.com", 'mailto:you@example.com "me@example.org"'])
def test_of_two_contacts_none_is_taken_and_a_full_stop_is_none(more):
    pair = f"setVapidDetails(mail, '{PUBLIC}', '{PRIVATE}') // mailto:me@example.com."
    assert key_file_reader.read(pair).subject == SUBJECT
    assert key_file_reader.read(f"{pair}\n{more}").subject == ""


@pytest.mark.parametrize(
    "text", ["VAPID_PRIVATE_KEY=", "MY_LONG_NAME_OF_A_KEY=\n", "https-push-service"]
)
def test_a_name_without_a_value_is_no_key_of_so_many_characters(text):
    assert "characters long" not in str(key_file_reader.read(text).problem)
    assert "characters long" not in str(advise(text, Kind.PRIVATE))


def test_a_text_with_words_like_those_of_claims_is_none():
    for text in ("Dear {name}, the audience subscribed", '{"a": "audience", "b": "subject"}'):
        assert "claims" not in key_file_reader.read(text).form


def test_a_call_has_its_arguments_in_one_order():
    file = key_file_reader.read(f"webpush.setVapidDetails(mail, '{PRIVATE}', '{PUBLIC}')")
    assert file.exchanged and file.advice.name == "keys-exchanged"
    assert not key_file_reader.read(f"setVapidDetails(mail, '{PUBLIC}', '{PRIVATE}')").exchanged


def test_several_pairs_in_a_file_are_noticed():
    two = [
        f"{name}_VAPID_PUBLIC_KEY={public}\n{name}_VAPID_PRIVATE_KEY={private}\n"
        for name, (public, private) in (("STAGING", OTHERS), ("PROD", (PUBLIC, PRIVATE)))
    ]
    assert key_file_reader.read("".join(two)).several
    assert not key_file_reader.read(two[0]).several and not key_file_reader.read(two[0] * 2).several
    assert not key_file_reader.read(f"APPLE_PRIVATE_KEY={OTHERS[1]}\n{two[1]}").several


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("YAML, or lines like it", "web-push-private-key: {s}\nweb-push-file: /var/cache/webpush.db\n"),
        ("code in Rust, Go, C or the like", 'const (\n\tprivateKey = "{s}"\n)\n'),
        ("code in JavaScript, Rust or Swift", 'let privateKey = "{s}"'),
        ("JavaScript", "const privateKey = '{s}'"),
        ("a JWK in a variable", "VAPID_KEYS='{j}'"),
    ],
)
def test_the_form_of_a_file_is_told(form, text):
    key = p256.load_private(bytes(range(1, 33)))
    file = key_file_reader.read(text.format(s=PRIVATE, j=json.dumps(jwk(key))))
    assert file.form == form and file.private.spelling.raw == bytes(range(1, 33))


def test_a_configuration_of_firebase_with_the_public_key_has_it():
    text = json.dumps({"apiKey": "x", "projectId": "p", "vapidKey": PUBLIC})
    assert key_file_reader.read(text).public and "no VAPID key" not in key_file_reader.read(text).problem


@pytest.mark.parametrize("more", ["ARGS=--key=VAPID_PRIVATE_KEY=x", "EXTRA=-e.VAPID_PUBLIC_KEY=1"])
def test_a_name_in_another_value_is_no_line_that_was_run_together(more):
    file = key_file_reader.read(f"VAPID_PUBLIC_KEY={PUBLIC}\nVAPID_PRIVATE_KEY={PRIVATE}\n{more}\n")
    assert file.has_private_key and not file.problem


@pytest.mark.parametrize("text", [
    "VAPID_PRIVATE_KEY=&#" + "1" * 5000, json.dumps({"push" * 4000: "x"}), "a" + "\n" * 16_000 + "a",
    '{"private":' + "[" * 986 + "]" * 986 + "}",
    "".join(f'"private_{at}": "{PRIVATE}" "public_{at}": "{PUBLIC[:-1]}A"\n' for at in range(200)),
])  # fmt: skip
def test_a_hostile_file_takes_no_time_and_raises_nothing(text):
    key_file_reader.read(text)
    examine_keys(text.encode())
