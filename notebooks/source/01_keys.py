# %% [markdown]
# # 01 · Keys: one pair that names your server
#
# Your server shows who it is with one number of 32 bytes, which it keeps secret. From this number
# follow 65 bytes that everybody may know, and every subscription is tied to them. In this lesson you
# make both, write them in five ways, break them in more, and learn to recognise each of them at a
# glance. At the end you change your keys and see who is lost.

# %% [markdown]
# ## Where we are
#
# In lesson 00 the browser fetched a public key *before* it asked for an endpoint. Now you make that key.
#
# **What hurts without this.** Mistakes with keys are made early and noticed late. Somebody gives the
# browser a PEM file where it wants 65 bytes. A zero byte is lost, in one key of 256. A server makes a
# new pair overnight, and no subscriber hears from it until the next visit. The error messages rarely
# mention the key.
#
# **At the end you can** make a P-256 key pair, write it raw, in base64url, as PEM, JWK and `.env`, say
# why the browser wants 65 bytes that begin with 04, keep the pair safe, recognise a broken key, and
# change keys without losing the subscribers who still visit.
#
# **Time:** 40 minutes. **Before this:** lesson 00. The only mathematics is the remainder of a division.

# %%
import base64, json, os
from contextlib import chdir
from hashlib import sha256
from tempfile import TemporaryDirectory
from unittest.mock import patch
from cryptography.hazmat.primitives.asymmetric import ec
from py_vapid import Vapid
from pywebpush import WebPushException, webpush
from pushlab import Lab, PushlabError, VapidKeys, base64url, byte_map, checks, examples, p256, trace
print("Ready: everything that this lesson needs is here.")

# %% [markdown]
# ## The words
#
# | name | length | what it is | who knows or reads it |
# |---|---|---|---|
# | **private key**, `d` | 32 bytes | a number; it makes signatures | the application server alone |
# | **public key**, a point | 65 bytes | `04`, then x and y; it verifies signatures | all three parties |
# | **x**, **y** | 32 bytes each | the two numbers of the point | all three parties |
# | **applicationServerKey** | 87 characters | the 65 bytes as base64url | all three parties |
# | **DER** | 91 bytes if public | the point, after 26 bytes that name the curve | OpenSSL and others |
# | **PEM** | text | DER in plain base64, between two lines of dashes | OpenSSL and others, from files |
# | **JWK** | JSON | x, y and d, each as base64url | browsers, web libraries |
# | **`.env`** | 3 lines | both keys in base64url, and a contact address | the application server alone |
#
# The curve has three names as well: *P-256* (NIST), *secp256r1* (SEC) and *prime256v1* (OpenSSL).

# %% [markdown]
# ## 1 · A pair, and whose
#
# The pair of this lesson belongs to the *application server*, and is called the VAPID key pair
# ([RFC 8292 §2](https://www.rfc-editor.org/rfc/rfc8292#section-2)). It **signs**: each request carries
# a token that was signed with this pair (lesson 04). It encrypts nothing. Messages are encrypted for
# another pair, which belongs to the browser. The public half of that one is called p256dh, and it is a
# point on P-256 too. That is why people confuse the two pairs.
#
# Your own server gets a random pair, once in its life. For this lesson we take a private key that you
# recognise wherever it appears: `20 21 22 …`. Never use it outside of this lesson.

# %%
fresh = ec.generate_private_key(ec.SECP256R1())  # for your own server: once
private = bytes(range(0x20, 0x40))  # for this lesson
private_key = ec.derive_private_key(int.from_bytes(private, "big"), ec.SECP256R1())
public_key = private_key.public_key()
print(len(private), "bytes,", public_key.key_size, "bits, on", public_key.curve.name)
assert fresh.public_key() != public_key  # random: no two are the same

# %% [markdown]
# Computing the public key from the private one is quick. Computing the private key from the public one
# would take longer than anybody has. This notebook prints no private key, not even this one: outputs
# are saved, shared and published, so make it a habit before it matters.
#
# ## 2 · A point on a curve
#
# A public key is a pair of numbers (x, y) that satisfies one equation: y² = x³ − 3x + b. Only the
# remainder after division by a prime number p counts.
# ([NIST SP 800-186 §3.2.1.3](https://csrc.nist.gov/pubs/sp/800/186/final) gives p and b.) Python's
# integers are long enough, so we can test the public key that
# [RFC 8292 §2.4](https://www.rfc-editor.org/rfc/rfc8292#section-2.4) prints.

# %%
P = 2**256 - 2**224 + 2**192 + 2**96 - 1
B = 0x5AC635D8_AA3A93E7_B3EBBD55_769886BC_651D06B0_CC53B0F6_3BCE3C3E_27D2604B

def on_curve(raw: bytes) -> bool:
    x, y = int.from_bytes(raw[1:33], "big"), int.from_bytes(raw[33:], "big")
    return max(x, y) < P and (y**2 - (x**3 - 3 * x + B)) % P == 0

assert on_curve(examples.RFC8292.public)  # 256 bits of agreement: no accident

# %% [markdown]
# Now **break it**: the next cell changes one bit of y. **Predict** what would notice the change:
#
# 1. a test of the length
# 2. a test of the first byte
# 3. a decoder of base64url
# 4. only somebody who computes the equation

# %%
off_curve = examples.RFC8292.public[:-1] + bytes([examples.RFC8292.public[-1] ^ 1])
print(len(off_curve), "bytes,", "on the curve:", on_curve(off_curve))
try:
    p256.load_public(off_curve)
except PushlabError as error:
    print(error)

# %% [markdown]
# The equation alone (4) shows the change: length, first byte and base64url are as before. For each x at
# most two values of y fit, y and p − y. So it practically never happens that a changed bit leads to
# another valid point. A program that skips this test can be led to compute on a weaker curve, and to
# reveal a private key in this way. Therefore
# [RFC 8291 §7](https://www.rfc-editor.org/rfc/rfc8291#section-7) asks for the test.
#
# ## 3 · The 65 bytes
#
# As bytes, a point is x and then y, each with its most significant byte first. In front of the two
# numbers stands a byte that says how they are written
# ([RFC 8292 §3.2](https://www.rfc-editor.org/rfc/rfc8292#section-3.2) refers to X9.62 for it). We write
# the bytes by hand, and let a library do the same. *Look for* the one byte that is the same in every
# key.

# %%
point = public_key.public_numbers()
public = bytes.fromhex(f"04{point.x:064x}{point.y:064x}")  # by hand
assert public == p256.raw_public(public_key)  # as the library cryptography writes it
parts = [
    trace.Span(0, 1, "04", "uncompressed: x and y follow in full", "SEC 1 §2.3.3"),
    trace.Span(1, 33, "x", "32 bytes, big-endian", "SEC 1 §2.3.3"),
    trace.Span(33, 65, "y", "32 bytes, big-endian", "SEC 1 §2.3.3"),
]
byte_map(parts, public, title="The public key of this lesson")

# %% [markdown]
# **Why 04?** If you know x, then y is one of two numbers. So a point can also be *compressed*: a byte
# `02` or `03` says which of the two it is, and x follows, 33 bytes in all. Web push uses the form from
# which nobody has to compute y: `04`, then both numbers, 65 bytes. Without the `04` there are 64 bytes,
# and browsers refuse them (section 6).
#
# **Exercise 1.** Write `raw_public(key: ec.EllipticCurvePublicKey) -> bytes` yourself. It returns 65
# bytes. The two integers are `key.public_numbers().x` and `.y`. In one key of 128, x or y begins with
# a zero byte, and the check has two of those.

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
# Headers, JSON and `.env` files carry text, so bytes must be written as text. Base64 cuts the bits into
# groups of six and writes one character for each group. Three of its characters, `+`, `/` and `=`, mean
# something else in URLs and headers. So base64url writes `-` and `_` for the first two
# ([RFC 4648 §5](https://www.rfc-editor.org/rfc/rfc4648#section-5)), and web push leaves out the third.
#
# **Predict**: how many characters do 65 bytes take? And how do *all* public keys begin, if the first
# byte of each is `00000100`?

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
# A key takes 87 characters. And there is a test for the eye: a key begins with **`B`**, and then comes
# **a letter from `A` to `P`**. The first six bits, `000001`, are always `B`. Of the next six, the first
# two are zero, which leaves 16 letters. A text that begins otherwise is not a raw public key.
#
# 87 characters of six bits are 522 bits, two more than 65 bytes have. The last two bits of the last
# character are therefore unused, and they should be zero. **Break it**: set them, put a line break in
# front, and ask Python's decoder.

# %%
for last in "stuv":  # 101100, 101101, 101110, 101111; the real key ends with an s
    other = base64url.encode(examples.RFC8292.public)[:-1] + last
    assert base64.urlsafe_b64decode("\n" + other + "=") == examples.RFC8292.public
try:
    base64url.decode(other)
except PushlabError as error:
    print(error)

# %% [markdown]
# Python accepts all four texts, line break included, and returns the same key. Firefox 153 and Chromium
# 156 accepted the four endings too when we tried them, but no line break. So one key can be written in
# several ways. If a program compares keys as *text*, in a database perhaps, one key looks like several
# different ones. A strict decoder accepts one text for each key.
#
# **Exercise 2.** Write `b64url(data: bytes) -> str` and a strict `b64url_decode(text: str) -> bytes`.
# Use Python's module `base64`, or work bit by bit. For every text but the right one, `b64url_decode`
# raises `ValueError`. A hint: what must come out if you encode the result again?

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
# ## 5 · One pair, written in five ways
#
# Sooner or later, each library, secret store and colleague hands you a key in another form. `VapidKeys`
# is a pair together with a contact address. It reads all five forms, and the next cell writes them. A
# `.env` file has three lines, `VAPID_PUBLIC_KEY`, `VAPID_PRIVATE_KEY` and `VAPID_SUBJECT`. In
# production the same three usually are environment variables, and `os.environ` has them.
#
# We print lengths and no values, because every one of these texts holds the private key. *Look for*
# what the asserts promise: all five are the same pair.

# %%
keys = VapidKeys(private_key)
spelled = {"raw": private, "base64url": base64url.encode(private)}
spelled |= {"PEM": keys.to_pem(), "JWK": json.dumps(keys.to_jwk()), ".env": keys.to_env()}
for name, form in spelled.items():
    print(f"{name:9} {len(form):3} {'bytes' if isinstance(form, bytes) else 'characters'}")
env = dict(line.split("=", 1) for line in spelled[".env"].splitlines())
with patch.dict(os.environ, env):  # as the settings of a container do it
    assert keys == VapidKeys.from_env(os.environ)
assert keys == VapidKeys.from_raw(base64url.decode(spelled["base64url"]))
assert keys == VapidKeys.from_pem(spelled["PEM"]) == VapidKeys.from_jwk(spelled["JWK"])

# %% [markdown]
# When both halves are given, they have to belong together. `VapidKeys` refuses the public half of
# another pair at once. Otherwise a push service would find the mistake, perhaps next week.
#
# **Exercise 3.** Write `to_jwk(key: ec.EllipticCurvePrivateKey) -> dict[str, str]`, which returns the
# pair as a JSON Web Key ([RFC 7518 §6.2](https://www.rfc-editor.org/rfc/rfc7518#section-6.2)). In it
# `kty` is `EC` and `crv` is `P-256`, while `x`, `y` and `d` are 32 bytes each, written with
# `base64url.encode`. The numbers are in `key.private_numbers()`: d is its `private_value`, and x and y
# are in its `public_numbers`.

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
# The most common mistake: a tool wrote a PEM file, and that text, or the DER inside of it, was given to
# the browser. **Predict** where in these 91 bytes the 65 bytes are.

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
# An uncompressed P-256 *public* key in DER begins with `MFkw`. If you read `MIGH` or `MHcC` at the
# beginning, it is a **private** one. If you see that in the source of a page, the key has leaked.
#
# We gave such keys to `subscribe()` in the lab's two browsers (Firefox 153, Chromium 156), and this is
# what they said:
#
# | applicationServerKey | Firefox | Chromium |
# |---|---|---|
# | a PEM; `+`, `/`, `=`, a line break | InvalidCharacterError | InvalidCharacterError |
# | DER (91 bytes); x and y without 04 (64) | InvalidAccessError | InvalidAccessError |
# | compressed (33) | AbortError | InvalidAccessError |
# | not on the curve | InvalidAccessError | AbortError |
# | an unused bit set at the end | accepts it | accepts it |
#
# In Chromium the text of `InvalidAccessError` is *The provided applicationServerKey is not valid*. An
# `AbortError` here means that the browser accepted the key and the *push service* refused it. Chromium
# says *push service error*. Senders report the same words from Brave, and from networks that block
# Google (lesson 08b, case 21). So look at the key first, and at the network next. (Both browsers take
# the 87 characters as text. For them, the helper with `atob` in so many pages is no longer needed.)
#
# Broken private keys are harder to notice. A number has no leading zeros, and many programs write only
# as many bytes as the number needs. **Predict**: how many of 25,600 keys lose a byte? And do two
# functions of *one* library agree about such a key?

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
# 97 of the 25,600 keys lose a byte: about one in 256. And the two functions of py_vapid disagree.
# `from_raw` accepts the short key. `from_string`, to which pywebpush passes your setting, mistakes 31
# bytes for DER and fails with *could not deserialize key data*. So the same program works for 255
# people and fails for one. To mend such a key, put the zero byte back in front, and always write 32
# bytes from then on.
#
# **Exercise 4.** Write `what_is(text: str) -> str`, which says what is wrong with a public key. It
# returns the first of these that is true: `"pem"` (the text begins with five dashes),
# `"not-base64url"`, `"not-65-bytes"`, `"not-04"`, `"off-curve"`, and otherwise `"ok"`.
# `base64url.decode` raises `PushlabError`, and you find `on_curve` in section 2.

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
# Three rules keep a pair safe:
#
# - Only you may read the file (mode 0600).
# - The file is never in git. Put its name into `.gitignore` first, and ask `git check-ignore vapid.env`.
# - The pair is not made anew by accident. Endpoints are tied to the public key, so with a new pair your
#   server is a stranger to every subscription.
#
# *Look for* how `save` follows the first and the third.

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
# Now somebody mistypes a file's name, `vapit` for `vapid`. **Predict** what py_vapid says to a path
# where there is no file. *Look for* the file that is in the folder afterwards, for its mode, and
# whether the key in it is ours.

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
# py_vapid says nothing. It makes a **new** pair, writes it to a file that everybody on the machine can
# read, and continues. The server starts, new visitors subscribe, and every message to an old subscriber
# is refused. The same happens to a container that starts with an empty disk. So a missing key must be
# an error. (pywebpush is different: if there is no file at a path, it takes the path itself for a key.
# Its error then depends on the characters of that path, and never says that the file is missing.)
#
# ## 8 · Change keys without losing subscribers
#
# Sometimes a pair has to be changed, because the private key was stolen. We do it in the lab, with two
# virtual browsers that have subscribed with the lab's own pair. First the wrong way: the server signs
# everything with a new pair. **Predict** the two answers.

# %%
lab, new = Lab(database="sqlite://"), VapidKeys.generate()  # in memory: two visitors alone
early, late = (lab.open("virtual", name=name) for name in ("Early", "Late"))
for browser in (early, late):
    browser.subscribe()

def send(row, pair: VapidKeys) -> int:
    signer, claims = Vapid(pair.private_key), {"sub": pair.subject}
    try:
        return webpush(row.subscription.to_json(), "Hello", signer, claims, ttl=60).status_code
    except WebPushException as error:
        return error.response.status_code
print([send(row, new) for row in lab.subscriptions()])

# %% [markdown]
# Both answers are 403, because both subscriptions were made for the old key. (Other push services say
# 400 or 401 where the lab's says 403; lesson 08 lists them.) *The subscriptions are not dead*: remove
# none of them.
#
# The right way keeps both pairs for a while. Each row of the database says which key it was made for,
# and that pair signs. The page gives the new key to everybody who visits: it unsubscribes, and
# subscribes again. Early visits today. *Look for* how many rows are left with the old key.

# %%
pairs = {pair.application_server_key: pair for pair in (lab.keys, new)}
lab.application_server.keys = new  # GET /vapid gives the new key from now on
early.unsubscribe()
early.subscribe()
for row in lab.subscriptions():
    pair = pairs[row.application_server_key]  # the pair that this row was made for
    print(send(row, pair), "new key" if pair == new else "old key")
lab.stop()

# %% [markdown]
# Everybody is reached, and one row is left with the old key. It is Late's, who has not visited yet. You
# decide how long you wait. When you retire the old pair, you can no longer reach those who have not
# visited by then, until their next visit. Nothing can be done about that: only the browser can
# subscribe, and for that the page or its worker must run.
#
# Waiting does not lock out a thief. As long as an old subscription exists, its push service accepts the
# old key. So after a theft, unsubscribe people as soon as they visit, and wait weeks, not years.

# %% [markdown]
# ## What you saw
#
# - A private key is a number of 32 bytes. The public key is a point that satisfies an equation.
# - Browsers want 65 bytes, `04` x y. In base64url these are 87 characters, which begin with `B` and a
#   letter from `A` to `P`.
# - One pair can be written in many ways. The length and the first characters tell which one you see.
# - A lost zero byte, a padded text and a PEM are noticed by different parties, with different errors.
# - A server that makes a new pair is a stranger to all its subscribers. A planned change keeps both
#   pairs until people have visited.
#
# **What we left out:** how the point follows from the number (point multiplication, which you
# should never write yourself), keys in hardware, and PEM files with a password.
#
# ## Questions
#
# 1. Your server runs as two processes, and each made its own pair when it started. What do you see?
# 2. Somebody copied your private key. Does a new pair lock the thief out?
# 3. Three colleagues send you a key each: `MIGH…`, `BFz0…`, and 86 characters that begin with `xl`.
#    What do you tell them?
#
# <details><summary>Answers</summary>
#
# 1. About half of your messages are refused, with 400, 401 or 403. They are signed with the pair that
#    the subscription was not made for. Which ones are refused depends on which process sends them.
# 2. No. Old subscriptions still accept the old key, and a thief who also has the endpoints can send to
#    them. Each page has to unsubscribe, and to subscribe again with the new key.
# 3. To the first: that was your private key, in DER, and now two people have it. To the second: thank
#    you, I shall check that it has 87 characters and is on the curve. To the third: 86 characters are 64
#    bytes, so the `04` is missing.
# </details>
#
# **Next:** [02 · Subscribe](02_subscribe.ipynb), where a browser answers with two keys of its own.
