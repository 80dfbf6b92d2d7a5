# %% [markdown]
# # 01 · Keys: one pair that names your server
#
# One number of 32 bytes is all that makes you *you* towards every push service in the world. From
# it follow 65 bytes that everybody may know, and that every subscription is tied to. Here you make
# both, spell them in five ways, break them in more, and learn to tell at a glance which is which.

# %% [markdown]
# ## Where we are
#
# In lesson 00 the browser fetched a key *before* it asked for an endpoint. You now make that key.
#
# **What hurts without this.** Keys go wrong early and are noticed late: a PEM where the browser
# wants 65 bytes, a zero byte that got lost in one key of 256, a pair that was made anew overnight
# and silenced every subscriber. The messages one then gets speak of anything but the key.
#
# **At the end you can** make a P-256 key pair, spell it raw, in base64url, as PEM, JWK and `.env`,
# say why the browser wants 65 bytes that begin with 04, keep the pair safe, and recognise a broken
# key.
#
# **Time:** 35 minutes. **Before this:** lesson 00. No mathematics beyond the remainder of a
# division.

# %%
import base64
import json
import os
from contextlib import chdir
from hashlib import sha256
from tempfile import TemporaryDirectory

from cryptography.hazmat.primitives.asymmetric import ec
from py_vapid import Vapid

from pushlab import PushlabError, VapidKeys, base64url, byte_map, checks, examples, p256, trace

# %% [markdown]
# ## The words
#
# | name | length | what it is | who knows it |
# |---|---|---|---|
# | **private key**, `d` | 32 bytes | a number, not 0; it signs | application server alone |
# | **public key**, a point | 65 bytes | `04`, then x and y; it verifies | all three parties |
# | **x**, **y** | 32 bytes each | the two numbers of the point | all three parties |
# | **applicationServerKey** | 87 characters | the 65 bytes as base64url | all three parties |
# | **DER** | 91 bytes if public | the point, after 26 bytes that name the curve | OpenSSL and kin |
# | **PEM** | text | DER in plain base64, between two lines of dashes | files, mostly |
# | **JWK** | JSON | x, y and d, each as base64url | browsers, web libraries |
# | **`.env`** | 3 lines | both keys in base64url, and a contact address | application server alone |
#
# The curve has three names as well: *P-256* (NIST), *secp256r1* (SEC), *prime256v1* (OpenSSL).

# %% [markdown]
# ## 1 · A pair, and whose
#
# The pair of this lesson is the *application server's*
# ([RFC 8292 §2](https://www.rfc-editor.org/rfc/rfc8292#section-2), called VAPID). It **signs**
# requests and encrypts nothing, whatever some well-known tutorials say. Messages are encrypted for
# another pair, the browser's: its public half is p256dh, also a point on P-256. Hence the
# confusion.
#
# Your own server gets a random pair, once in its life. For the lesson we take a private key that
# one recognises in any dump, `20 21 22 …`. Never use that one outside.

# %%
fresh = ec.generate_private_key(ec.SECP256R1())  # for your own server: once
private = bytes(range(0x20, 0x40))  # for this lesson
private_key = ec.derive_private_key(int.from_bytes(private, "big"), ec.SECP256R1())
public_key = private_key.public_key()
print(len(private), "bytes,", public_key.key_size, "bits, on", public_key.curve.name)
assert fresh.public_key() != public_key  # random: no two are the same

# %% [markdown]
# The public key follows from the private one in a millisecond. The other way takes longer than
# anybody has. This notebook prints no private key, not even that of the lesson: outputs get
# saved, shared and pushed, and the habit should be in your fingers before it matters.
#
# ## 2 · A point on a curve
#
# A public key is a pair of numbers (x, y) that satisfies one equation,
# y² = x³ − 3x + b, where only the remainder after division by a prime p counts
# ([NIST SP 800-186 §3.2.1.3](https://csrc.nist.gov/pubs/sp/800/186/final) has p and b). Python's
# integers are long enough, so we ask the public key that
# [RFC 8292 §2.4](https://www.rfc-editor.org/rfc/rfc8292#section-2.4) prints.

# %%
P = 2**256 - 2**224 + 2**192 + 2**96 - 1
B = 0x5AC635D8_AA3A93E7_B3EBBD55_769886BC_651D06B0_CC53B0F6_3BCE3C3E_27D2604B

def on_curve(raw: bytes) -> bool:
    x, y = int.from_bytes(raw[1:33], "big"), int.from_bytes(raw[33:], "big")
    return max(x, y) < P and (y**2 - (x**3 - 3 * x + B)) % P == 0

assert on_curve(examples.RFC8292.public)  # 256 bits of agreement: no accident

# %% [markdown]
# Now **break it**: one bit of the last byte of y. Predict: does the length betray it? The first
# byte? And who would notice, a decoder of base64url or only somebody who calculates?

# %%
off_curve = examples.RFC8292.public[:-1] + bytes([examples.RFC8292.public[-1] ^ 1])
print(len(off_curve), "bytes,", "on the curve:", on_curve(off_curve))
try:
    p256.load_public(off_curve)
except PushlabError as error:
    print(error)

# %% [markdown]
# Only calculating shows it. For one x just two y fit, y and p − y, so a changed bit never leads to
# another valid point by accident. Whoever skips the check can be led to calculate on a weaker
# curve, and to give away a private key that way: hence
# [RFC 8291 §7](https://www.rfc-editor.org/rfc/rfc8291#section-7) asks for it.
#
# ## 3 · The 65 bytes
#
# As bytes the point is x and y one after the other, big-endian, behind a byte that says how they
# are written ([RFC 8292 §3.2](https://www.rfc-editor.org/rfc/rfc8292#section-3.2) refers to X9.62
# for it). *Look for* the one byte that is the same in every key.

# %%
public = p256.raw_public(public_key)
parts = [
    trace.Span(0, 1, "04", "uncompressed: x and y follow in full", "SEC 1 §2.3.3"),
    trace.Span(1, 33, "x", "32 bytes, big-endian", "SEC 1 §2.3.3"),
    trace.Span(33, 65, "y", "32 bytes, big-endian", "SEC 1 §2.3.3"),
]
byte_map(parts, public, title="The public key of this lesson")

# %% [markdown]
# **Why 04?** Since y follows from x but for its sign, a point can also be *compressed*: `02` or
# `03` for the sign, then x, 33 bytes in all. Web push decided for the form that needs no square
# root: `04`, both numbers, 65 bytes. Without the `04` it is 64 bytes that mean nothing to a
# browser.
#
# **Exercise 1.** Write `raw_public(key: ec.EllipticCurvePublicKey) -> bytes` yourself: 65 bytes.
# The two integers are `key.public_numbers().x` and `.y`. One key in 128 has a zero byte at the
# front of x or y; the check has two of them.

# %%
def raw_public(key: ec.EllipticCurvePublicKey) -> bytes:
    """Return the uncompressed point: 04, x, y."""
    ### BEGIN SOLUTION
    numbers = key.public_numbers()
    return b"\x04" + numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")
    ### END SOLUTION


# %% tags=["check"]
checks.keys.raw_public(raw_public)

# %% [markdown]
# ## 4 · base64url
#
# Headers, JSON and `.env` files carry text. Base64 cuts the bits into groups of six and writes a
# character for each. Its `+`, `/` and `=` mean something else in URLs and headers, so base64url
# writes `-` and `_` instead ([RFC 4648 §5](https://www.rfc-editor.org/rfc/rfc4648#section-5)), and
# web push leaves the padding away. Predict: how many characters do 65 bytes take, and how do *all*
# keys begin, if all begin with the byte `00000100`?

# %%
alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
bits = "".join(f"{byte:08b}" for byte in public)
sixes = [bits[start : start + 6].ljust(6, "0") for start in range(0, len(bits), 6)]
text = "".join(alphabet[int(six, 2)] for six in sixes)
print(len(bits), "bits,", len(text), "characters")
assert text == base64url.encode(public)
for key in (public, examples.RFC8292.public, examples.RFC8291.ua_public):
    print(base64url.encode(key)[:6] + "…")

# %% [markdown]
# 87 characters, and a test for the eye: **`B`, then a letter from `A` to `P`**. The first six bits
# `000001` are `B`; of the next six the first two are zero, and 16 letters are left. What begins
# otherwise is no raw public key.
#
# 87 × 6 is 522, two bits more than 65 bytes have. The last character carries two spare bits, and
# they should be zero. **Break it**: set them, put a line break in front, and ask Python's decoder.

# %%
for last in "stuv":  # 101100, 101101, 101110, 101111; the real key ends with an s
    other = base64url.encode(examples.RFC8292.public)[:-1] + last
    assert base64.urlsafe_b64decode("\n" + other + "=") == examples.RFC8292.public
try:
    base64url.decode(other)
except PushlabError as error:
    print(error)

# %% [markdown]
# Python takes all four, line break included, for one key. Firefox and Chromium, when we asked
# them, took the four endings as well, but no line break. So one key has several names, and whoever
# compares keys as *text*, in a database perhaps, sees strangers. A strict decoder allows one
# spelling a key.
#
# **Exercise 2.** Write `b64url(data: bytes) -> str` and a strict
# `b64url_decode(text: str) -> bytes`, with Python's `base64` (which speaks the plain kind) or bit
# by bit. For every other spelling, `b64url_decode` raises `ValueError`. A hint: what must come out
# if you encode again?

# %%
def b64url(data: bytes) -> str:
    """Write bytes as base64url without padding."""
    ### BEGIN SOLUTION
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")
    ### END SOLUTION


def b64url_decode(text: str) -> bytes:
    """Read base64url without padding. Raise ValueError for any other spelling."""
    ### BEGIN SOLUTION
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if b64url(data) != text:
        raise ValueError("not the one spelling")
    return data
    ### END SOLUTION


# %% tags=["check"]
checks.keys.b64url(b64url, b64url_decode)

# %% [markdown]
# ## 5 · One pair, five spellings
#
# Sooner or later each library, secret store and colleague hands you another spelling. `VapidKeys`
# is the pair together with a contact address, and speaks all five. We print lengths, no values:
# every one of these texts holds the private key.

# %%
keys = VapidKeys(private_key)
spelled = {"raw": private, "base64url": base64url.encode(private)}
spelled |= {"PEM": keys.to_pem(), "JWK": json.dumps(keys.to_jwk()), ".env": keys.to_env()}
for name, form in spelled.items():
    print(f"{name:9} {len(form):3} {'bytes' if isinstance(form, bytes) else 'characters'}")

# %% [markdown]
# And back. The `.env` has three lines: `VAPID_PUBLIC_KEY`, `VAPID_PRIVATE_KEY`, `VAPID_SUBJECT`.
# What is read from them has to fit together: a public half of another pair is refused here, and
# not by a push service next week.

# %%
env = dict(line.split("=", 1) for line in spelled[".env"].splitlines())
print(len(env), "names")
assert keys == VapidKeys.from_raw(spelled["raw"])
assert keys == VapidKeys.from_raw(base64url.decode(spelled["base64url"]))
assert keys == VapidKeys.from_pem(spelled["PEM"])
assert keys == VapidKeys.from_jwk(spelled["JWK"])
assert keys == VapidKeys.from_env(env)  # five spellings, one pair

# %% [markdown]
# **Exercise 3.** Write `to_jwk(key: ec.EllipticCurvePrivateKey) -> dict[str, str]`, the pair as a
# JSON Web Key ([RFC 7518 §6.2](https://www.rfc-editor.org/rfc/rfc7518#section-6.2)): `kty` is
# `EC`, `crv` is `P-256`; `x`, `y` and `d` are 32 bytes each, as base64url (`base64url.encode` is
# at hand). The numbers are in `key.private_numbers()`: `private_value`, and `public_numbers` for x
# and y.

# %%
def to_jwk(key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    """Return the pair as a JSON Web Key, private half included."""
    ### BEGIN SOLUTION
    numbers = key.private_numbers()
    point = numbers.public_numbers
    values = {"x": point.x, "y": point.y, "d": numbers.private_value}
    texts = {name: base64url.encode(n.to_bytes(32, "big")) for name, n in values.items()}
    return {"kty": "EC", "crv": "P-256"} | texts
    ### END SOLUTION


# %% tags=["check"]
checks.keys.to_jwk(to_jwk)

# %% [markdown]
# ## 6 · Broken keys, and who notices
#
# The classic: a tool wrote a PEM, and the PEM, or the DER in it, went to the browser. Predict where
# in those 91 bytes the 65 are.

# %%
pem = Vapid.from_raw(base64url.encode(private).encode()).public_pem().decode().splitlines()
der = base64.b64decode("".join(pem[1:-1]))
print(pem[0], pem[1][:4] + "…", len(der), "bytes")
assert der[26:] == public  # the end of it: 26 bytes only say "a point on P-256"
try:
    p256.load_public(der)
except PushlabError as error:
    print(error)

# %% [markdown]
# `MFkw` is how every P-256 DER of a *public* key begins. `MIGH` or `MHcC` is a **private** one: if
# you see that in the source of a page, it is a leak. This is what the lab's two browsers said to
# `subscribe()` when we gave them such keys:
#
# | applicationServerKey | Firefox | Chromium |
# |---|---|---|
# | a PEM; `+`, `/`, `=`, a line break | InvalidCharacterError | InvalidCharacterError |
# | DER (91 bytes); x and y without 04 (64) | InvalidAccessError | InvalidAccessError |
# | compressed (33) | AbortError | InvalidAccessError |
# | off the curve | InvalidAccessError | AbortError |
# | a spare bit at the end | takes it | takes it |
#
# In Chromium `InvalidAccessError` reads *The provided applicationServerKey is not valid*. An
# `AbortError` is the *push service's* word: the browser let the key pass, the lab's push service
# did not. Chromium calls that *push service error*, and people search their network for it. (Both
# take the 87 characters as text: the helper with `atob` that so many pages copied is not needed
# any more.)
#
# Private keys break more quietly. A number has no leading zeros, and many programs write no more
# bytes than the number needs. Predict: how many of 25600 keys lose a byte? And do two functions of
# *one* library agree on such a key?

# %%
numbers = (sha256(count.to_bytes(4, "big")).digest() for count in range(25_600))
print(sum(number[0] == 0 for number in numbers), "of 25600 begin with 00")
short = bytes(range(0x21, 0x40))  # 00 21 22 … 3f, after the 00 was dropped
theirs = Vapid.from_raw(base64url.encode(short).encode())
assert p256.raw_public(theirs.private_key) == VapidKeys.from_raw(b"\0" + short).public
for read, form in ((Vapid.from_string, base64url.encode(short)), (VapidKeys.from_raw, short)):
    try:
        read(form)
    except (ValueError, PushlabError) as error:
        print(str(error).split(". ")[0])

# %% [markdown]
# About one in 256. py_vapid's `from_raw` forgives it. Its `from_string`, to which pywebpush passes
# your setting, takes 31 bytes for DER and *could not deserialize key data*. So the same program
# works for 255 people and never for one. The cure is to put the zero back in front, and to write
# 32 bytes from then on.
#
# **Exercise 4.** Write `what_is(text: str) -> str`, a doctor for public keys. The first of these
# that fits: `"pem"` (it begins with five dashes), `"not-base64url"`, `"not-65-bytes"`, `"not-04"`,
# `"off-curve"`, and else `"ok"`. `base64url.decode` raises `PushlabError`; `on_curve` is further
# up.

# %%
def what_is(text: str) -> str:
    """Say what is wrong with an applicationServerKey, or ok."""
    ### BEGIN SOLUTION
    if text.startswith("-----"):
        return "pem"
    try:
        raw = base64url.decode(text)
    except PushlabError:
        return "not-base64url"
    if len(raw) != 65 or raw[0] != 4:
        return "not-65-bytes" if len(raw) != 65 else "not-04"
    return "ok" if on_curve(raw) else "off-curve"
    ### END SOLUTION


# %% tags=["check"]
checks.keys.what_is(what_is)

# %% [markdown]
# ## 7 · Keep it
#
# Three rules. The file is **yours alone** (mode 0600). It is **never in git**: put its name into
# `.gitignore` first, and ask `git check-ignore vapid.env`. And it is **never made anew**:
# endpoints are tied to the public key, so a new pair is a stranger to every subscription there is.
# *Look for* how `save` holds the first and the third.

# %%
with TemporaryDirectory() as folder, chdir(folder):
    keys.save("vapid.env")
    print(f"mode {os.stat('vapid.env').st_mode & 0o777:04o}")
    assert VapidKeys.load("vapid.env") == keys
    try:
        VapidKeys.generate().save("vapid.env")
    except PushlabError as error:
        print(error)

# %% [markdown]
# Now a slip of the finger in a setting, `vapit` for `vapid`. Predict what py_vapid says to a path
# where nothing is. *Look for* what lies in the folder afterwards, for its mode, and whether that
# is our key.

# %%
os.umask(0o022)  # as on most machines: others may read what I write
with TemporaryDirectory() as folder, chdir(folder):
    new = p256.raw_public(Vapid.from_file("vapit.pem").private_key)
    print(os.listdir(), f"{os.stat('vapit.pem').st_mode & 0o777:04o}", new == public)
    try:
        VapidKeys.load("vapit.env")
    except PushlabError as error:
        print(error)

# %% [markdown]
# It says nothing. It makes a **new** pair, in a file that everybody on the machine can read, and
# goes on. The server starts, new visitors subscribe and are happy, and every message to an old one
# is refused. A container that starts with an empty disk does the same. A missing key has to be an
# error. (pywebpush takes a path where nothing is for the key itself. Its error: *Incorrect
# padding*.)
#
# ## 8 · By hand, and by the library
#
# The point once more by hand, straight from the two integers, now in hexadecimal. py_vapid shows
# its own version when it signs, as `k` of the header that lesson 04 takes apart. *Look for* the
# same bytes.

# %%
point = public_key.public_numbers()
by_hand = bytes.fromhex(f"04{point.x:064x}{point.y:064x}")
claims = {"aud": "https://push.example.net", "sub": "mailto:push@example.com"}
signer = Vapid.from_raw(base64url.encode(private).encode())
k = signer.sign(claims)["Authorization"].partition("k=")[2]
assert base64url.decode(k) == by_hand == keys.public  # three ways, the same 65 bytes
print(k == keys.application_server_key, len(k))

# %% [markdown]
# ## What you saw
#
# - A private key is a number of 32 bytes; the public one is a point that satisfies an equation.
# - Browsers want 65 bytes, `04` x y: 87 characters of base64url that begin with `B` and `A` to `P`.
# - One pair has many spellings. Length and first characters tell which one you have before you.
# - A lost zero byte, a padded text and a PEM are noticed by different parties, and in other words.
# - A pair is made once. Whoever makes it anew silences everybody.
#
# **What we left out:** how the point follows from the number (point multiplication, which you
# should never write yourself), keys in hardware, and PEM files with a password.
#
# ## Questions
#
# 1. Your server runs as two processes, and each made its own pair at its start. What do you see?
# 2. Somebody copied your private key. Does a new pair lock the thief out?
# 3. Three colleagues send you a key each: `MIGH…`, `BFz0…`, and 86 characters that begin with `xl`.
#    What do you tell them?
#
# <details><summary>Answers</summary>
#
# 1. About half of your messages get a 403: they are signed with the pair that a subscription was
#    not made for. Which half changes with the load.
# 2. No. Old subscriptions go on accepting the old key, and whoever also has the endpoints can send
#    to them. Each page has to unsubscribe, and to subscribe again with the new key.
# 3. To the first: that was your private key, in DER; now it is two people's. To the second: thank
#    you, and I shall check that it has 87 characters and lies on the curve. To the third: 86
#    characters are 64 bytes, so the `04` is missing.
# </details>
#
# **Next:** [02 · Subscribe](02_subscribe.ipynb), where a browser answers with two keys of its own.
