"""Texts in the place of a key: placeholders, hidden values, references; and none of them is a key."""

import random

import pytest

from pushlab.protocol import base64url
from pushlab.protocol.spelling import Kind, advise, recognize
from pushlab.protocol.spelling.things import sure_thing_of, thing_of

WORDS = (
    # Each of the first lines has 22 characters, as an auth secret has.
    "YOUR_VAPID_PRIVATE_KEY your_vapid_private_key your-vapid-private-key VAPID_PRIVATE_KEY_HERE "
    "BASE64_AUTH_SECRET_KEY generate-with-web-push your_subscription_auth <YOUR_VAPID_PRIVATE_KEY> "
    "private_key_here YourPrivateKey paste-your-private-key-here FILL_ME_IN TBD secret BLABLA <p256dh> "
    "(stringOf88Chars) (stringOf24Chars) ..... replace-me ADD_YOUR_PRIVATE_KEY_HERE PRIVATE_KEY "
    "your-key-1 ??? ______ xxxxxxxxxxxxxxxxxxxxxx"
)
PLACEHOLDERS = [*WORDS.split(), "<private key>", "[User auth]", "[User P256DH key]", "My Special Key"]

HIDDEN = [
    "[FILTERED]", "[REDACTED]", "<redacted>", "REDACTED", "(sensitive value)", "***", "********",
    "abcd****wxyz", "•••••••", "**REDACTED**", "(known after apply)", "ExPkCT2aMM" + 33 * "x",
    "XXXXXXXXXXXXXXXXXXabcd", "[value hidden]",
]  # fmt: skip

REFERENCES = [
    "${{ secrets.VAPID }}", "!secret vapid_prv_key", "!Ref VapidKey", "env('X')", 'os.getenv("X")',
    "ENV['X']", "ENV.fetch('X')", 'Deno.env.get("X")', 'System.get_env("X")', "config('push.key')",
    "import.meta.env.X", "var.vapid_private_key", "arn:aws:secretsmanager:eu-west-1:1:secret:vapid",
    "vault:secret/data/vapid#private", "ENC[AES256_GCM,data:abc,type:str]", "ENC(abcdefgh)",
    "@Microsoft.KeyVault(SecretUri=https://x.vault.azure.net/secrets/v)", "op://vault/vapid/private",
    "projects/x/secrets/vapid/versions/latest", "<%= ENV['X'] %>", "$(cat /run/secrets/vapid)",
]  # fmt: skip

PATHS = [
    "file:///etc/vapid/private.pem", "@private_key.pem", "BASE_DIR + '/private_key.pem'",
    "fs.readFileSync('vapid.pem')", "open('vapid.pem').read()", "readFile('a.pem').toString('utf8')",
    'os.path.join(BASE_DIR, "private_key.pem")',
]  # fmt: skip

CASES = [
    *(("is-a-placeholder", text) for text in PLACEHOLDERS),
    *(("is-hidden", text) for text in HIDDEN),
    *(("is-a-reference", text) for text in REFERENCES),
    *(("is-a-path", text) for text in PATHS),
    ("is-a-variable", "{{ vapid_private_key }}"),
    ("is-pem-cut", "MIGHAgEA\n-----END PRIVATE KEY-----"),
    ("is-pem-without-a-key", "-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----"),
    ("lost-its-case", "-----begin private key-----\nmigh\n-----end private key-----"),
    ("lost-its-case", "bcyopt0am1wz8cdf3j9k" * 4 + "m2x9qwe"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text"), CASES, ids=[text[:40] for _, text in CASES])
def test_a_text_in_the_place_of_a_key_is_named(name, text):
    for wanted in Kind:
        found = advise(text, wanted)
        assert found.name == name and found.what and found.turn
    assert recognize(text).kind is None and recognize(text).length == 0


def test_no_key_that_was_drawn_at_random_is_taken_for_a_thing():
    draw = random.Random(7)  # The same keys in each run.
    for _ in range(3_000):
        for size in (16, 32, 65):
            key = base64url.encode(draw.randbytes(size))
            assert sure_thing_of(key) is None, key


@pytest.mark.parametrize("text", ["push", "vapid", "hello there", "the web", "abc", "Grüße", ""])
def test_words_alone_are_no_placeholder(text):
    assert sure_thing_of(text) is None


@pytest.mark.parametrize(
    "word", ["webpush", "your-", "a_", "x", "*", "-", "env(", "my ", "key", "BEGIN "]
)
def test_a_long_text_is_looked_at_at_once(word):
    """A pattern that can split a text in several ways would take for ever on these."""
    text = word * (8000 // len(word)) + "!"
    assert sure_thing_of(text) is None and thing_of(text) is None


ROWS = ["x" * 87, "X" * 86, "x" * 43, "0" * 86, "YOUR_KEY_" + "X" * 70, "replace_with_your_32byte_key"]


@pytest.mark.parametrize("text", ROWS)
def test_a_row_of_one_letter_is_no_key_and_not_two_of_them(text):
    for wanted in (Kind.PUBLIC, Kind.PRIVATE):
        assert advise(text, wanted).name in ("is-a-placeholder", "is-hidden")
