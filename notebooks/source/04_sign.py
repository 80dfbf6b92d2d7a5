# %% [markdown]
# # 04 · Sign: a token that says who is posting
#
# The push service carries messages for millions of application servers and knows none of them.
# So you hand it a small signed note: *for this push service, until then, whom to write to in case
# of trouble*. Here you write and sign that note by hand, then change sides and decide whether to
# believe one.

# %% [markdown]
# ## Where we are
#
# Lesson 03 made a body that only the browser can read. But an endpoint is a mere URL: whoever
# learns it could post there. **VAPID** ([RFC 8292](https://www.rfc-editor.org/rfc/rfc8292)) is
# the lock on that letter box.
#
# **What hurts without this.** A 401 or 403 with next to no explanation: Apple says `BadJwtToken`
# to most mistakes. Often it is one byte in the claims, or a library that answers in another
# format.
#
# **At the end you can** write and sign a token, turn DER into r‖s, verify a token as a push
# service does, and say why the key that signs is not the key that encrypts.
#
# **Time:** 40 minutes. **Before this:** lesson 01; of lesson 03 only that a body carries a key.

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

# %% [markdown]
# No `time.time()`: whoever tests a lifetime passes the clock in. Ours stands still, some hours
# before the RFC's example expires.
#
# ## The words
#
# | name | length | what it is | who knows it |
# |---|---|---|---|
# | private key | 32 bytes | signs | application server alone |
# | **k**, its public half | 65 bytes | verifies; the page's `applicationServerKey` | all three |
# | header | 27 bytes | which algorithm | both servers |
# | claims | about 90 bytes | **aud** for whom, **exp** until when, **sub** contact | both servers |
# | signature r‖s | 64 bytes | two numbers of 32 bytes | both servers |
# | **t**, the token | about 240 characters | all of it, in base64url | both servers |
#
# ## 1 · What the token proves, and to whom
#
# It proves to the **push service** that the sender holds the private half of *k*. The browser
# named that *k* when it subscribed, so the push service can compare. It keeps the token to itself:
# the user agent never sees it
# ([RFC 8292 §4.2](https://www.rfc-editor.org/rfc/rfc8292#section-4.2)).
#
# "VAPID encrypts the content" is a popular sentence, and wrong. It does not even sign the content:
# the body appears nowhere in the token. A changed body is found by the browser, with the tag of
# lesson 03.

# %% [markdown]
# ## 2 · Header and claims, as exact bytes
#
# A token is a JWT: two JSON texts and a signature
# ([RFC 8292 §2](https://www.rfc-editor.org/rfc/rfc8292#section-2)). Not values are signed but
# *bytes*, so a space more is another token. Three claims:
#
# - **aud**: the *origin* of the endpoint. Scheme, host, port if unusual. No path, no final slash.
# - **exp**: a *number* of seconds since 1970, at most 24 hours ahead. Take 12: clocks differ.
# - **sub**: `mailto:` or `https:`, so that a person can reach you. No space after the colon.
#
# Both texts become base64url, and a dot joins them: the *signing input*. *Look for* `eyJ`, twice:
# that is how `{"` begins in base64url, and how you recognise a JWT across the room.

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
# Anyone can read it: base64url hides nothing. And you have written the RFC's example so far.
#
# ## Exercise 1 · The claims
#
# Write `write_claims(endpoint: str, now: int, sub: str) -> bytes`: the claims for any endpoint, as
# compact JSON in the order aud, exp, sub; exp is 12 hours after `now`. A famous article prints
# `"exp": "1469618703"`. Do not copy it.

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
# `ES256` means ECDSA on P-256 with SHA-256. The result is two numbers, r and s, of 32 bytes each.
# Predict the length of what the library returns; then *look for* whether it is always the same.
# (`deterministic_signing`: section 7.)

# %%
ES256 = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
der = private_key.sign(signing_input.encode("ascii"), ES256)
others = {len(private_key.sign(bytes([number]), ES256)) for number in range(256)}
print(len(der), "bytes; 256 other messages give", sorted(others))

# %% [markdown]
# Not 64, and not even constant. Libraries speak **DER**, the language of certificates, which
# wraps the two numbers in tags and lengths. *Look for* the three parts that are neither r nor s.

# %%
edges = [0, 2, 4, 4 + der[3], 6 + der[3], len(der)]  # r begins at 4
names = ["30, length", "02, length", "r", "02, length", "s"]
says = [f"a sequence of {der[1]} bytes", f"an integer of {der[3]} bytes", "without leading zeros"]
says += [f"an integer of {der[5 + der[3]]} bytes", "without leading zeros"]
parts = [trace.Span(*part, "RFC 3279 §2.2.3") for part in zip(edges, edges[1:], names, says)]
byte_map(parts, der, title="A signature in DER")

# %% [markdown]
# Here each has 32 bytes. But integers in DER have a sign: if the first bit of r is set, a `00`
# goes in front, lest r be negative. That makes 33 bytes, half of the time; likewise s. Hence 70, 71
# or 72. Leading zero bytes are dropped: 69 now and then. Code that cuts at fixed places passes its
# test with this signature, then fails three times out of four.
#
# ## Exercise 2 · From DER to r‖s
#
# A token wants r and s with 32 bytes each, zeros kept, nothing between
# ([RFC 7518 §3.4](https://www.rfc-editor.org/rfc/rfc7518#section-3.4)). Write
# `to_raw(der: bytes) -> bytes`, 64 bytes. Slice by hand, or let `utils` of cryptography do it.

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
# A second dot, the signature in base64url, done. *Look for* three parts: what everybody can guess,
# what you promise, what only you can make.

# %%
r, s = utils.decode_dss_signature(der)
signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
token = f"{signing_input}.{base64url.encode(signature)}"
assert len(signature) == 64 and len(token) == len(signing_input) + 1 + 86
token_map(token, title="A VAPID token")

# %% [markdown]
# The request carries it in `Authorization`, with the public key beside it
# ([RFC 8292 §3](https://www.rfc-editor.org/rfc/rfc8292#section-3)). A token is a *bearer* token:
# until it expires, whoever copies it out of your log can post as you. So the package shortens
# what it prints.

# %%
line = f"vapid t={token}, k={base64url.encode(public)}"
print(vapid.parse(line))
print(len(line), "characters in all")
assert line == authorization(token, public)

# %% [markdown]
# ## Exercise 3 · The whole token
#
# Write `sign(claims: bytes, private_key) -> str`: header, claims *just as given*, signature. The
# check has a key and claims of its own, and verifies as a push service would. Your signature may
# use random numbers or not; both hold.

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
# Before you is a token of 2016, the one that
# [RFC 8292 §2.4](https://www.rfc-editor.org/rfc/rfc8292#section-2.4) prints. First the signature,
# because no claim is worth reading before it holds. r‖s goes back to DER. Predict the length: which
# of the two numbers has its first bit set?

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
# `verify` returns nothing. It raises, or all is well. Keep that habit: a function that returns
# `False` for a forgery is one forgotten `if` away from letting it in.
#
# Then the claims, and these need a clock. Predict the three outcomes: at our `now`, one second
# after exp, and with the push service's clock a day behind.

# %%
promised = json.loads(base64url.decode(second))
assert promised["aud"] == origin and now < promised["exp"] <= now + 86400  # seconds of a day
credentials = authorization(theirs.token, theirs.public)
for moment in (now, promised["exp"] + 1, now - 86400):
    try:
        print(vapid.verify(credentials, origin=origin, now=moment))
    except PushlabError as error:
        print(error)

# %% [markdown]
# The same bytes are fine, too old, or too fresh: validity is a matter between a token and a
# clock. A machine whose clock is off gets both of these errors, and no change to the code will
# mend it.
#
# ## Exercise 4 · Believe or refuse
#
# Write `verify(authorization: str, endpoint_origin: str, now: int) -> dict`: the claims of a token
# that holds, and an exception, any, for every other. `vapid.parse` takes the header apart
# (`.t`, `.k`; some senders write no space after the comma). The rest is sections 3 to 5.

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
# Predict which of them is accepted (and so shows its claims): one is. The first seven are signed
# correctly, and what they *say* is wrong. The last four make the right claims, and are signed
# wrongly.

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
# The space got through: RFC 8292 only recommends what sub should be. A library's own README shows
# that very space. Mozilla and Google do not look at sub; Apple does, and answers 403 `BadJwtToken`
# without naming it. So our `vapid.sign` refuses such a sub before anything is sent.
#
# Where we say 403, Mozilla says 401. *None of these means that a subscription is dead.* Repair the
# token; delete nobody.
#
# ## 7 · The number k, once too often
#
# Each ECDSA signature needs a fresh secret number, which every book calls k (no relation to the
# *k* in the header). If it is random, two tokens with the same claims differ, and both verify. And
# if two messages get the *same* k? Signing is three lines of integers
# ([RFC 6979 §2.4](https://www.rfc-editor.org/rfc/rfc6979#section-2.4): q is the order of the
# curve, x the private key, h the hash). Somebody careless signs twice.

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
# Both are genuine, and a passer-by sees the same r. He has two equations with two unknowns, k and
# x. Predict what else he needs to sign in your name.

# %%
q = p256.N
k = (h1 - h2) * pow(s1 - s2, -1, q) % q
x = (s1 * k - h1) * pow(r, -1, q) % q
thief = ec.derive_private_key(x, p256.CURVE)
forged = jws.sign(header, claims, thief)
print("accepted:", vapid.verify(authorization(forged, public), origin=origin, now=now))
assert p256.raw_public(thief) == public  # he holds your private key

# %% [markdown]
# Nothing. Two signatures, two lines, and the key is out. A games console lost its signing key just
# so in 2010. RFC 6979 computes k from key and message: no random number, no repetition, and the
# same token for the same claims.
#
# ## 8 · Why two key pairs
#
# Both are points of one curve, so why not one pair for everything?
# [RFC 8292 §3.2](https://www.rfc-editor.org/rfc/rfc8292#section-3.2) forbids it. We do it all the
# same: the VAPID key encrypts. *Look for* what somebody sees who has no private key at all.

# %%
subscription, salt = examples.RFC8291.subscription, examples.RFC8291.salt
body = encrypt(b"Lunch?", subscription, as_private=private_key, salt=salt)
keyid = body[21:86]  # of the header, in the clear: lesson 03
print("keyid is k:", keyid == public)

# %% [markdown]
# A push service compares 65 bytes with 65 bytes and answers 400; the lab's does. Three reasons:
#
# - **Lifetime.** The VAPID key stays for years: it is your name. The encrypting key lives for one
#   message, so a stolen one opens one at most. With one pair, whoever steals key and database
#   opens the whole archive.
# - **Use.** What is proved of ECDSA and of ECDH is proved for keys that do only that.
# - **Reader.** k convinces the push service; keyid is for the user agent alone.
#
# ## 9 · By hand, and by the library
#
# pywebpush signs with its companion py_vapid. We hand it the claims backwards, and each side reads
# the other's token. *Look for* the one part that cannot be equal.

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
# Its k is random, so its signature is new at every run. Mind two things: `Vapid.verify` looks at
# the signature alone, neither at aud nor at exp; and py_vapid signs an exp that is text without
# complaint.
#
# Nor need you sign each message: one token serves *every* subscription at an origin until it nears
# its end, and a push service can remember what it has verified
# ([RFC 8292 §5](https://www.rfc-editor.org/rfc/rfc8292#section-5)). Lesson 06 signs once for all.

# %% [markdown]
# ## What you saw
#
# - A token is exact bytes: header, claims, and r‖s over both. It says nothing about the body.
# - Libraries sign in DER, 70 to 72 bytes; a token wants 64. Never cut at fixed places.
# - aud is an origin, exp a number within 24 hours, sub a contact without a space.
# - A verifier takes the signature first, then aud, then exp at *its* clock; and it raises.
# - One repeated k reveals the private key. The key that signs never encrypts.
#
# **What we left out:** that a push service compares k with the subscription's key (lesson 08
# regenerates keys and loses everyone); JWTs with other algorithms; how P-256 adds points.

# %% [markdown]
# ## Questions
#
# 1. Somebody reads one of your tokens in a log. What can he do, where, and for how long?
# 2. Your exp is right by your clock, and Mozilla says that it is past. Who is to blame?
# 3. You send to Firefox and Chrome. How many tokens do you need today? How many key pairs?
#
# <details><summary>Answers</summary>
#
# 1. Post as you to endpoints that he knows, of that one push service, until exp. He cannot make
#    messages that a browser can read, unless he also has p256dh and auth.
# 2. Your machine's clock, most likely. With exp only minutes ahead, a small error is enough.
# 3. One token for each push service, renewed once or twice. One key pair for all; the fresh one
#    that each message is encrypted with is not counted.
# </details>
#
# **Next:** [05 · Send](05_send.ipynb), where token and body become a request.
