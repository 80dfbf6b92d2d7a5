# %% [markdown]
# # 04 · Sign: a token that says who is posting
#
# A push service carries messages for millions of application servers, and it knows none of them.
# So your server hands it a small signed note with every request. The note says which push service
# it is for, until when it is valid, and whom to write to if something goes wrong. In this lesson you
# write and sign such a note by hand. Then you change sides, and decide whether to believe one.

# %% [markdown]
# ## Where we are
#
# In lesson 03 you made a body that only the browser can read. But an endpoint is just a URL:
# whoever learns it could post there. **VAPID** keeps strangers out. The letters stand for
# *Voluntary Application Server Identification*, and the specification is
# [RFC 8292](https://www.rfc-editor.org/rfc/rfc8292). It is voluntary because an application server
# may leave it out; lesson 05 shows what happens then.
#
# **What hurts without this.** The push service answers 401 or 403, and may explain next to nothing:
# Apple documents one word, `BadJwtToken`, for five different mistakes. Often the cause is a single
# byte in the claims, or a library that returns the signature in another format.
#
# **At the end you can** write and sign a token by hand, turn a signature from DER into the form that
# a token needs, verify a token as a push service does, and say why the key that signs must not be
# the key that encrypts.
#
# **Time:** 40 minutes. **Before this:** lesson 01. Of lesson 03 you need only one fact: an encrypted
# body carries a public key.

# %%
import json
from hashlib import sha256

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from pushlab import PushlabError, authorization, base64url, byte_map, checks, encrypt, examples
from pushlab import jws, p256, token_map, trace, vapid

private_key = p256.load_private(bytes(range(0x20, 0x40)))  # known to all: for lessons alone
public = p256.raw_public(private_key)
now = 1453500000  # ten in the evening, UTC, on 22 January 2016
print("Ready. This lesson starts no lab: it signs, and sends nothing.")

# %% [markdown]
# The setup cell does not call `time.time()`. Code that judges a lifetime should be given the time,
# so that it can be tested. Our clock stands still, a few hours before the RFC's example expires.
#
# ## The words
#
# | name | length | what it is | who knows it |
# |---|---|---|---|
# | private key | 32 bytes | makes signatures | the application server alone |
# | **k**, its public half | 65 bytes | verifies signatures; the page calls it `applicationServerKey` | all three parties |
# | header | 27 bytes | names the algorithm | both servers (application, push) |
# | claims | about 90 bytes | **aud**: for whom · **exp**: until when · **sub**: the contact | both servers |
# | signature, r‖s | 64 bytes | two numbers of 32 bytes, one after the other | both servers |
# | **t**, the token | about 240 characters | header, claims and signature in base64url | both servers |
#
# A token of this form is called a JSON Web Token, or **JWT**.
#
# ## 1 · What the token proves, and to whom
#
# The token proves to the **push service** that the holder of *k*'s private key signed it.
# The browser named that same *k* when it subscribed, so the push service can compare the two. The push
# service keeps the token to itself: the user agent never sees it
# ([RFC 8292 §4.2](https://www.rfc-editor.org/rfc/rfc8292#section-4.2)).
#
# You will often read that "VAPID encrypts the content". It does not. It does not even sign the
# content, because the body appears nowhere in the token. If somebody changes the body on its way, the
# browser notices, by the tag of lesson 03.

# %% [markdown]
# ## 2 · Header and claims, as exact bytes
#
# A token consists of two JSON texts and a signature
# ([RFC 8292 §2](https://www.rfc-editor.org/rfc/rfc8292#section-2)). The signature covers *bytes*, not
# values, so one more space makes another token. There are three claims, of which the RFC demands the
# first two:
#
# - **aud**, the audience: the *origin* of the endpoint. An origin is scheme and host, and the port
#   if it is not the usual one. It has no path and no slash at its end.
# - **exp**, the expiry: a *number* of seconds since 1970, at most 24 hours ahead. Take 12 hours,
#   because clocks differ.
# - **sub**, the subject: a `mailto:` or `https:` address at which a person can be reached. There is
#   no space after the colon.
#
# Each text is written in base64url, and a dot joins the two. The result is the *signing input*. *Look
# for* `eyJ`, which appears twice: in base64url, `{"` and a letter always begin like that, and that is
# how you recognise a JWT at a glance.

# %%
origin = "https://push.example.net"
header = b'{"typ":"JWT","alg":"ES256"}'
said = {"aud": origin, "exp": 1453523768, "sub": "mailto:push@example.com"}
claims = json.dumps(said, separators=(",", ":")).encode("ascii")
signing_input = f"{base64url.encode(header)}.{base64url.encode(claims)}"
print(len(header), "bytes of header,", len(claims), "of claims:", len(signing_input), "characters")
print(signing_input)
assert signing_input == examples.RFC8292.token.rpartition(".")[0]  # the RFC's own, to the letter

# %% [markdown]
# Anyone can read this: base64url is not encryption. And the assert shows that you have written the
# RFC's own example, apart from the signature.
#
# ## Exercise 1 · The claims
#
# Write `write_claims(endpoint: str, now: int, sub: str) -> bytes`: the claims for any endpoint, as
# compact JSON in the order aud, exp, sub. Let exp be 12 hours after `now`. A well-known article, *The
# Web Push Protocol*, prints `"exp": "1469618703"`, with quotes; but exp is a number.

# %%
def write_claims(endpoint: str, now: int, sub: str) -> bytes:
    """Return the claims for an endpoint as compact JSON, good for 12 hours."""
    ### BEGIN SOLUTION
    aud = "/".join(endpoint.split("/")[:3])
    said = {"aud": aud, "exp": now + 12 * 60 * 60, "sub": sub}
    return json.dumps(said, separators=(",", ":")).encode("ascii")
    ### END SOLUTION

# %% tags=["check"]
checks.sign.claims(write_claims)

# %% [markdown]
# ## 3 · Sign, and find something unexpected
#
# `ES256` is the name of the algorithm: ECDSA, the signature method for elliptic curves, on the
# curve P-256 and with the hash SHA-256. Its result is two numbers, r and s, of 32 bytes each.
#
# **Predict** the length of what the library returns. Then *look for* whether the length is always
# the same. (Section 7 explains `deterministic_signing`.)

# %%
ES256 = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
der = private_key.sign(signing_input.encode("ascii"), ES256)
others = {len(private_key.sign(bytes([number]), ES256)) for number in range(256)}
print(len(der), "bytes; 256 other messages give", sorted(others))

# %% [markdown]
# The length is 70 and not 64, and it is not even constant. Libraries return signatures in **DER**, the
# format in which certificates are written. DER puts a type and a length in front of each number, and
# in front of both together. *Look for* the three parts that are neither r nor s.

# %%
edges = [0, 2, 4, 4 + der[3], 6 + der[3], len(der)]  # r begins at 4
names = ["30, length", "02, length", "r", "02, length", "s"]
says = [f"a sequence of {der[1]} bytes", f"an integer of {der[3]} bytes", "without leading zeros"]
says += [f"an integer of {der[5 + der[3]]} bytes", "without leading zeros"]
parts = [trace.Span(*part, "RFC 3279 §2.2.3") for part in zip(edges, edges[1:], names, says)]
byte_map(parts, der, title="A signature in DER")

# %% [markdown]
# In this signature r and s have 32 bytes each, but that is not always so. Integers in DER have a sign.
# If the first bit of r is set, a byte `00` is put in front, so that r does not look negative. This
# happens in half of all signatures, and r then takes 33 bytes; the same holds for s. Hence the lengths
# 70, 71 and 72. DER also drops leading zero bytes, so now and then a signature has 69 bytes.
#
# Code that cuts at fixed places would pass a test with this one signature, and fail with three of
# every four others.
#
# ## Exercise 2 · From DER to r‖s
#
# In a token r and s have exactly 32 bytes each, leading zeros included
# ([RFC 7518 §3.4](https://www.rfc-editor.org/rfc/rfc7518#section-3.4)). This form is written r‖s: r,
# followed by s. Write `to_raw(der: bytes) -> bytes`, which returns these 64 bytes. Slice the bytes by
# hand, or use `utils.decode_dss_signature` of the library `cryptography`.

# %%
def to_raw(der: bytes) -> bytes:
    """Turn a DER signature into r ‖ s, 64 bytes."""
    ### BEGIN SOLUTION
    end = 4 + der[3]
    numbers = (int.from_bytes(part, "big") for part in (der[4:end], der[end + 2 :]))
    return b"".join(number.to_bytes(32, "big") for number in numbers)
    ### END SOLUTION

# %% tags=["check"]
checks.sign.to_raw(to_raw)

# %% [markdown]
# ## 4 · The token, and the header that carries it
#
# The token is the signing input, a second dot, and the signature in base64url. *Look for* its three
# parts: one that everybody could guess, one with your promises, and one that only you can make.

# %%
r, s = utils.decode_dss_signature(der)
signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
token = f"{signing_input}.{base64url.encode(signature)}"
assert len(signature) == 64 and len(token) == len(signing_input) + 1 + 86
token_map(token, title="A VAPID token")

# %% [markdown]
# The request carries the token in `Authorization`, with the public key beside it
# ([RFC 8292 §3](https://www.rfc-editor.org/rfc/rfc8292#section-3)). It is a *bearer* token, which
# means that whoever has it may use it. Somebody who copies it out of your log can post as you to this
# push service until it expires. That is why this package shortens a token when it prints one.

# %%
line = f"vapid t={token}, k={base64url.encode(public)}"
print(vapid.parse(line))
print(len(line), "characters in all")
assert line == authorization(token, public)

# %% [markdown]
# ## Exercise 3 · The whole token
#
# Write `sign(claims: bytes, private_key) -> str`, which returns the whole token: the header, the
# claims *exactly as given*, and the signature. The check uses a key and claims of its own, and
# verifies your token as a push service would. Signatures with and without random numbers are both
# valid.

# %%
def sign(claims: bytes, private_key: ec.EllipticCurvePrivateKey) -> str:
    """Return the token for these claims: three parts, joined by dots."""
    ### BEGIN SOLUTION
    start = f"{base64url.encode(header)}.{base64url.encode(claims)}"
    r, s = utils.decode_dss_signature(private_key.sign(start.encode("ascii"), ES256))
    return f"{start}.{base64url.encode(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"
    ### END SOLUTION

# %% tags=["check"]
checks.sign.token(sign)

# %% [markdown]
# ## 5 · Change sides: verify like a push service
#
# Now you are the push service, and you receive the token that
# [RFC 8292 §2.4](https://www.rfc-editor.org/rfc/rfc8292#section-2.4) prints. Check the signature
# first, because no claim means anything until the signature holds. The library verifies DER, so
# r‖s must be turned back.
#
# **Predict** the length of the DER form. It depends on which of the two numbers has its first bit
# set, and the last line prints how each begins.

# %%
theirs = examples.RFC8292
first, second, third = theirs.token.split(".")
raw = base64url.decode(third)
as_der = utils.encode_dss_signature(*(int.from_bytes(x, "big") for x in (raw[:32], raw[32:])))
key = p256.load_public(theirs.public)
key.verify(as_der, f"{first}.{second}".encode("ascii"), ES256)  # raises, or says nothing
print(len(raw), "bytes of r‖s,", len(as_der), "of DER: the signature holds")
print(f"r begins with {raw[0]:02x}, s with {raw[32]:02x}")

# %% [markdown]
# Both numbers have their first bit set: hence 72 bytes.
#
# `verify` returns nothing. It raises an exception if the signature is wrong, and otherwise all is
# well. Write your own code in the same way. If a function returned `False` for a forgery, one
# forgotten `if` would let the forgery in.
#
# Next come the claims, and they need a clock. **Predict** three outcomes:
#
# 1. at our `now`,
# 2. one second after exp, and
# 3. at a push service whose clock is a day behind.

# %%
promised = json.loads(base64url.decode(second))
assert promised["aud"] == origin and now < promised["exp"] <= now + 86400  # seconds of a day
credentials = authorization(theirs.token, theirs.public)
for moment in (now, promised["exp"] + 1, now - 86400):
    try:
        print(vapid.verify(credentials, origin=origin, now=moment))
    except PushlabError as error:
        print(str(error).partition(" Fault")[0])

# %% [markdown]
# The same bytes are valid, expired, or valid for too long, depending on the clock that judges them. A
# sender whose clock is far wrong gets the second or the third answer. Setting the clock mends that;
# changing the code does not.
#
# ## Exercise 4 · Believe or refuse
#
# Write `verify(authorization: str, endpoint_origin: str, now: int) -> dict`. It returns the claims of
# a valid token, and raises any exception you like for every other one. `vapid.parse` takes the header
# apart and gives you `.t` and `.k`; it also reads headers without a space after the comma, which some
# senders write. Sections 3 to 5 show everything else you need.

# %%
def verify(authorization: str, endpoint_origin: str, now: int) -> dict:
    """Return the claims of a token that holds. Raise for every other one."""
    ### BEGIN SOLUTION
    given = vapid.parse(authorization)
    token = jws.split(given.t)
    jws.verify(token, p256.load_public(given.k))
    if token.payload["aud"] != endpoint_origin or not now < token.payload["exp"] <= now + 86400:
        raise ValueError("another push service, or another time")
    return token.payload
    ### END SOLUTION

# %% tags=["check"]
checks.sign.verify(verify)

# %% [markdown]
# ## 6 · Break it: eleven tokens
#
# The next cells make eleven tokens with something wrong. The first seven are signed correctly, but
# what they *say* is wrong. The last four say the right things, but are signed wrongly, or (`alg`
# `none`) not at all. One of the eleven is accepted all the same, and its claims are printed.
# **Predict** which one.

# %%
wrong = {
    "exp as text": {"exp": "1453523768"},
    "exp 25 hours ahead": {"exp": now + 25 * 60 * 60},
    "exp a minute ago": {"exp": now - 60},
    "aud is my own site": {"aud": "https://www.example.com"},
    "aud with a slash": {"aud": origin + "/"},
    "aud with a path": {"aud": origin + "/push"},
    "sub with a space": {"sub": "mailto: push@example.com"},
}
broken = {name: json.dumps(said | change).encode() for name, change in wrong.items()}
broken = {name: jws.sign(header, text, private_key) for name, text in broken.items()}

# %%
flipped, no_alg = bytes([signature[0] ^ 1]) + signature[1:], b'{"typ":"JWT","alg":"none"}'
broken |= {
    "signature in DER": f"{signing_input}.{base64url.encode(der)}",
    "one bit flipped": f"{signing_input}.{base64url.encode(flipped)}",
    "another key": jws.sign(header, claims, p256.load_private(bytes(range(0x40, 0x60)))),
    "alg none": f"{base64url.encode(no_alg)}.{base64url.encode(claims)}.",
}
for name, forged in broken.items():
    try:
        print(name, vapid.verify(authorization(forged, public), origin=origin, now=now), sep="\n  ")
    except PushlabError as error:
        print(name, f"{error.status} {error}", sep="\n  ")

# %% [markdown]
# The token with a space in sub is accepted, because RFC 8292 §2.1 only recommends what sub should look
# like. Google's guide *Sending Messages* (2016) printed exactly that space. What do the vendors do?
#
# - **Mozilla** wants sub to be a text, and looks no further (source of autopush-rs, July 2026).
# - **Apple** refuses such a token with `403 BadJwtToken`, without naming the cause (reported by many
#   developers).
#
# That is why our `vapid.sign` refuses such a sub before anything is sent.
#
# Where the lab's push service says 403, Mozilla's says 401 (autopush-rs again). *Neither of them means
# that a subscription is dead.* Mend the token, and keep the subscriptions.
#
# ## 7 · The number k, once too often
#
# Each ECDSA signature needs a fresh secret number. Every book calls it k, although it has nothing
# to do with the *k* in the header. If this number is random, two tokens with the same claims have
# different signatures, and both are valid. What happens if two messages are signed with the *same*
# k?
#
# Signing takes three lines of integer arithmetic
# ([RFC 6979 §2.4](https://www.rfc-editor.org/rfc/rfc6979#section-2.4)). In them q is the order of the
# curve (the number of its points), x is the private key, and h is the hash of the message. Here is a
# careless signer, who uses the same k twice.

# %%
def careless(message: bytes, k: int = 4) -> tuple[int, int, int]:
    """Sign with a k that never changes. Return h, r and s."""
    q, x = p256.N, private_key.private_numbers().private_value
    h = int.from_bytes(sha256(message).digest(), "big")
    r = ec.derive_private_key(k, p256.CURVE).public_key().public_numbers().x % q
    return h, r, pow(k, -1, q) * (h + x * r) % q

(h1, r, s1), (h2, r2, s2) = careless(b"Monday's token"), careless(b"Tuesday's token")
verifies = private_key.public_key().verify  # raises, or says nothing
verifies(utils.encode_dss_signature(r, s1), b"Monday's token", ES256)
verifies(utils.encode_dss_signature(r2, s2), b"Tuesday's token", ES256)
print("the same r:", r == r2)

# %% [markdown]
# Both signatures are genuine, and everybody can see that their r is the same. An observer now has
# two equations with two unknowns, k and x. **Predict** what else the observer needs in order to sign
# in your name.

# %%
q = p256.N
k = (h1 - h2) * pow(s1 - s2, -1, q) % q
x = (s1 * k - h1) * pow(r, -1, q) % q
thief = ec.derive_private_key(x, p256.CURVE)
forged = jws.sign(header, claims, thief)
print("accepted:", vapid.verify(authorization(forged, public), origin=origin, now=now))
assert p256.raw_public(thief) == public  # the observer holds your private key

# %% [markdown]
# The observer needs nothing else. Two signatures and two lines of arithmetic reveal the private key.
# Sony's PlayStation 3 lost its key in this way (shown at 27C3, December 2010). RFC 6979 avoids the
# danger: it computes k from the key and the message. So another message gets another k, and the same
# claims always give the same token. That is what `deterministic_signing` asks for.
#
# ## 8 · Why two key pairs
#
# Your key for signatures and your key for encryption lie on the same curve. Why not use one pair for
# everything? [RFC 8292 §3.2](https://www.rfc-editor.org/rfc/rfc8292#section-3.2) forbids it. We do it
# anyway and encrypt with the VAPID key. *Look for* what somebody without any private key can see.

# %%
subscription, salt = examples.RFC8291.subscription, examples.RFC8291.salt
body = encrypt(b"Lunch?", subscription, as_private=private_key, salt=salt)
keyid = body[21:86]  # of the header, in the clear: lesson 03
print("keyid is k:", keyid == public)

# %% [markdown]
# Anybody can see that one pair does both. The RFC says that a push service *should* answer 400, but need
# not look. The lab's push service looks. Three reasons for two pairs:
#
# - **Lifetime.** The VAPID key stays for years, because it is your name. An encryption key lives for
#   one message, so a stolen one opens one message at most. With a single pair, whoever steals the key,
#   your subscriptions and a store of messages can read them all.
# - **Use.** The security proofs of ECDSA and of ECDH hold for keys that do nothing else.
# - **Reader.** k convinces the push service; keyid is for the user agent alone.
#
# ## 9 · By hand, and by the library
#
# The library pywebpush signs with its companion, py_vapid. We give py_vapid the claims in reverse
# order, and let py_vapid and pushlab each verify the other's token. *Look for* the one part that
# cannot be equal.

# %%
from py_vapid import Vapid
library = Vapid(private_key).sign(dict(reversed(said.items())))["Authorization"]
start, _, end = vapid.parse(library).t.rpartition(".")
assert start == signing_input  # the same header and claims, byte for byte: it sorts them
assert vapid.verify(library, origin=origin, now=now).exp == said["exp"]  # we believe it
assert Vapid.verify(line.replace(", ", ","))  # and it believes us, without the space
print("the same signature:", f"{start}.{end}" == token)
assert vapid.sign(vapid.Claims(**said), private_key) == token  # the package: all your bytes

# %% [markdown]
# The library's k is random, so its signature is new at every run. Remember two things about py_vapid
# (source of 1.9.6). `Vapid.verify` checks the signature alone, neither aud nor exp, and returns
# `False` for a forgery. And `sign` accepts an exp that is a text, without complaint.
#
# You do not have to sign every message. One token serves *every* subscription at an origin until it
# nears its expiry, and a push service can remember a token that it has verified
# ([RFC 8292 §5](https://www.rfc-editor.org/rfc/rfc8292#section-5)). Lesson 06 signs once for a whole
# class.

# %% [markdown]
# ## What you saw
#
# - A token is exact bytes: the header, the claims, and a signature over both. It says nothing about
#   the body.
# - Libraries return a signature in DER, mostly 70 to 72 bytes long; a token needs r‖s, 64 bytes.
#   Never cut DER at fixed places.
# - aud is an origin, exp is a number within 24 hours, and sub is a contact without a space.
# - A verifier checks the signature first, then aud, then exp by *its own* clock. If anything is
#   wrong, it raises.
# - Signing twice with the same k reveals the private key.
# - The key that signs never encrypts.
#
# **What we left out:** that a push service compares k with the key of the subscription (lesson 08
# signs with new keys, and is refused for every old subscription), JWTs with other algorithms, and the
# arithmetic of points on P-256.

# %% [markdown]
# ## Questions
#
# 1. Somebody reads one of your tokens in a log. What can they do with it, where, and for how long?
# 2. Your exp is right by your own clock, and Mozilla says that it is in the past. Which clock is
#    wrong?
# 3. You send to Firefox and to Chrome. How many tokens do you need today? How many key pairs?
#
# <details><summary>Answers</summary>
#
# 1. Until exp they can post as you to every endpoint that they know of that one push service. They
#    cannot write messages that a browser can decrypt, unless they also have p256dh and auth.
# 2. Most likely your machine's. If exp is only a few minutes ahead, a small error is enough.
# 3. Two tokens, one for each push service; each is renewed once or twice a day. One key pair serves
#    both. (The fresh pair that encrypts each message is not counted.)
# </details>
#
# **Next:** [05 · Send](05_send.ipynb), where token and body become a request.
