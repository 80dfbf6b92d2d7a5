# %% [markdown]
# # 03 · Encrypt: one message, by hand, to the byte
#
# A stranger carries your message: the push service. It must deliver what it cannot read. Here you
# seal the message that RFC 8291 prints as its example, one step at a time, and arrive at the very
# bytes of the RFC. Then you break them.

# %% [markdown]
# ## Where we are
#
# You hold a subscription (lesson 02): an endpoint, **p256dh** and **auth**.
#
# **What hurts without this.** Encryption that is wrong by one byte fails in the worst way: the
# push service says `201`, the browser throws the message away, and nobody tells you. Whoever can
# name each value finds the first that departs.
#
# **At the end you can** encrypt a message by hand as RFC 8291 says, read the header of any message,
# and say who notices which broken byte.
#
# **Time:** 40 minutes. **Before this:** lessons 01 and 02.

# %%
import hmac
import os
from unittest.mock import patch

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pywebpush import WebPusher

from pushlab import PushlabError, base64url, byte_map, checks, content_coding, decrypt
from pushlab import encryption, examples, message_map, p256, trace, trace_table

# %% [markdown]
# ## The words
#
# | name | bytes | what it is | who knows it |
# |---|---|---|---|
# | **ua_private** | 32 | made in `subscribe()` | user agent alone |
# | **ua_public** | 65 | its other half, p256dh | user agent, application server |
# | **auth_secret** | 16 | auth | user agent, application server |
# | **as_private** | 32 | made for *this message* | application server, for a moment |
# | **as_public** | 65 | its other half, sent along | everybody |
# | **salt** | 16 | random, for *this message* | everybody |
# | **ecdh_secret** | 32 | what the two key pairs share | both ends can compute it |
# | **IKM**, **PRK** | 32 | secrets on the way | both ends can compute them |
# | **CEK**, **NONCE** | 16, 12 | what AES-GCM seals with | both ends can compute them |
#
# ## 1 · Two key pairs and a secret
#
# The user agent made its pair once, when it subscribed. The application server makes one for each
# message and forgets it afterwards: an *ephemeral* key
# ([RFC 8291 §3.1](https://www.rfc-editor.org/rfc/rfc8291#section-3.1)).
#
# The VAPID key appears nowhere in this lesson. "VAPID encrypts the content" is a famous mistake:
# VAPID signs, for the push service (lesson 04). Encryption has other keys, because the push
# service must *not* read.
#
# We take the [example of RFC 8291 §5](https://www.rfc-editor.org/rfc/rfc8291#section-5): its values
# are printed, for you to compare. *Look for* the lengths of the table.

# %%
rfc = examples.RFC8291
ua_private, as_private = p256.load_private(rfc.ua_private), p256.load_private(rfc.as_private)
ua_public, as_public = p256.raw_public(ua_private), p256.raw_public(as_private)
auth_secret, salt, plaintext = rfc.auth_secret, rfc.salt, rfc.plaintext
print(len(ua_public), "and", len(as_public), "bytes of public keys")
print(len(auth_secret), "bytes of auth_secret,", len(salt), "of salt")
print(len(plaintext), "bytes to say:", plaintext.decode())
assert ua_public == rfc.ua_public and as_public == rfc.as_public  # halves that belong together

# %% [markdown]
# We print no private key, not even one from an RFC: a habit must hold in play to hold in earnest.
#
# ## 2 · One secret from two sides
#
# Elliptic-curve Diffie-Hellman takes *my* private key and *your* public key. Predict: the
# application server and the user agent put in quite different numbers. What do they get out?

# %%
ecdh_secret = as_private.exchange(ec.ECDH(), p256.load_public(ua_public))  # application server
there = ua_private.exchange(ec.ECDH(), p256.load_public(as_public))  # user agent
print(len(ecdh_secret), "bytes, and", "equal" if ecdh_secret == there else "different")
assert base64url.encode(ecdh_secret) == "kyrL1jIIOHEzg3sM2ZWRHDRB62YACZhhSlknJ672kSs"

# %% [markdown]
# The same 32 bytes, and they never travelled. Both public keys together do not give them. The text
# in the `assert` is what Appendix A of the RFC prints.
#
# ## 3 · Mix in the auth secret
#
# `auth_secret` is mixed in, so that knowing a public key is not enough to write to a user; both
# public keys are, so that the result belongs to exactly these two
# ([RFC 8291 §3.3](https://www.rfc-editor.org/rfc/rfc8291#section-3.3)).
#
# The tool is called HKDF, and it is two HMACs. *Extract*: HMAC(salt, secret). *Expand*: HMAC with
# what came out, over a text that names the purpose, and a counter byte `01`. We never need more
# than the 32 bytes of one HMAC, so the counter stays at 1.
#
# *Look for* the order of the two points, and for the byte between text and points.

# %%
def hmac_sha_256(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")

prk_key = hmac_sha_256(auth_secret, ecdh_secret)  # extract
key_info = b"WebPush: info\0" + ua_public + as_public
ikm = hmac_sha_256(prk_key, key_info + b"\1")  # expand
assert base64url.encode(ikm) == "S4lYMb_L0FxCeq0WhDx813KgSYqU26kOyzWUdsXYyrg"  # Appendix A

# %%
parts = [("WebPush: info", 13, "says what the key is for"), ("00", 1, "ends the text")]
parts += [("ua_public", 65, "the receiver comes first"), ("as_public", 65, "then the sender")]
spans, start = [], 0
for name, length, meaning in parts:
    spans.append(trace.Span(start, start + length, name, meaning, "RFC 8291 §3.3"))
    start += length
assert start == len(key_info)
byte_map(spans, key_info, "key_info")

# %% [markdown]
# Two bytes are easily lost: the `00` that ends the text belongs to key_info, and the `01` is the
# counter of HKDF, which a library's HKDF adds itself. Add it twice, or not at all, and nothing
# tells you.
#
# ### Exercise 1: key_info
#
# Write `make_key_info(ua_public: bytes, as_public: bytes) -> bytes`: two points of 65 bytes in,
# 144 bytes out, no counter. Try it without scrolling up.

# %%
def make_key_info(ua_public: bytes, as_public: bytes) -> bytes:
    """Return the info of RFC 8291 §3.3 for this pair of public keys."""
    ### BEGIN SOLUTION
    return b"WebPush: info" + b"\0" + ua_public + as_public
    ### END SOLUTION

# %% tags=["check"]
checks.encrypt.key_info(make_key_info)

# %% [markdown]
# ## 4 · A key and a nonce
#
# From here on it is [RFC 8188](https://www.rfc-editor.org/rfc/rfc8188#section-2.2), a coding for
# any HTTP body. It takes *some* secret, the IKM, and a fresh salt, and runs HKDF once more. One PRK
# gives two values, told apart by their texts.
#
# Predict: HMAC-SHA-256 always gives 32 bytes. Where do 16 and 12 come from?

# %%
prk = hmac_sha_256(salt, ikm)
cek_info, nonce_info = b"Content-Encoding: aes128gcm\0", b"Content-Encoding: nonce\0"
cek = hmac_sha_256(prk, cek_info + b"\1")[:16]
nonce = hmac_sha_256(prk, nonce_info + b"\1")[:12]
print(len(cek), "bytes of CEK,", len(nonce), "of NONCE")
assert base64url.encode(cek) == "oIhVW04MRdy2XN9CiKLxTg"  # Appendix A
assert base64url.encode(nonce) == "4h_95klXJ5E_qnoN"

# %% [markdown]
# They are cut off: AES-128 takes a key of 16 bytes, GCM a nonce of 12. Both ends derive the nonce,
# so it need not travel.
#
# ### Exercise 2: derive
#
# Write `derive(ecdh_secret, auth_secret, ua_public, as_public, salt) -> dict`: bytes in (32, 16,
# 65, 65, 16), and out come six values under the RFC's names: `"PRK_key"`, `"key_info"`, `"IKM"`,
# `"PRK"`, `"CEK"`, `"NONCE"`. You may use `hmac_sha_256`. The check names the first value that
# departs.

# %%
def derive(ecdh_secret, auth_secret, ua_public, as_public, salt) -> dict[str, bytes]:
    """Return every value from PRK_key to NONCE, RFC 8291 §3.4."""
    ### BEGIN SOLUTION
    values = {"PRK_key": hmac_sha_256(auth_secret, ecdh_secret)}
    values["key_info"] = b"WebPush: info\0" + ua_public + as_public
    values["IKM"] = hmac_sha_256(values["PRK_key"], values["key_info"] + b"\1")
    values["PRK"] = hmac_sha_256(salt, values["IKM"])
    values["CEK"] = hmac_sha_256(values["PRK"], b"Content-Encoding: aes128gcm\0\1")[:16]
    values["NONCE"] = hmac_sha_256(values["PRK"], b"Content-Encoding: nonce\0\1")[:12]
    return values
    ### END SOLUTION

# %% tags=["check"]
checks.encrypt.derive(derive)

# %% [markdown]
# ## 5 · Seal, and write the header
#
# A *record* is what is sealed at once. One byte marks the end of its data: `02` in the last
# record, `01` in others. A push message has one record, hence always `02`. Zeros may follow it, to
# hide how long the text is; we add none. AES-GCM encrypts, and adds a **tag** of 16 bytes which
# fits only these bytes under this key
# ([RFC 8188 §2](https://www.rfc-editor.org/rfc/rfc8188#section-2)).
#
# Before the record goes a **header** in the clear: what the user agent needs for the same
# computation, and has not got. *Look for* the four bytes of **rs**, and for the `04` with which
# every uncompressed point begins.

# %%
ciphertext = AESGCM(cek).encrypt(nonce, plaintext + b"\2", None)
header = salt + (4096).to_bytes(4, "big") + bytes([len(as_public)]) + as_public
print(len(header), "+", len(ciphertext), "bytes")
body = header + ciphertext
assert body == rfc.body  # the RFC's own message, to the byte
message_map(body, "The message of RFC 8291 §5")

# %% [markdown]
# That is it: 144 bytes, all of them the RFC's. (Its example request says `Content-Length: 145`, an
# erratum; trust your `len()`.)
#
# **rs** is the *record size*: at most so many bytes a record has. It is a limit, not a length.
# **idlen** counts the **keyid** that follows, and for push the keyid is as_public. Old tutorials
# put salt and key into HTTP headers: that was a draft, `aesgcm`, and is history.
#
# Here is the whole way once more. *Look for* what each value is made of. Only salt, auth_secret
# and the key pairs behind the first line are random.

# %%
steps = trace.trace(
    encryption.derive(ecdh_secret, auth_secret, ua_public, as_public, salt), plaintext
)
assert steps[-1].value == body  # the package computes what we wrote by hand
trace_table(steps, "RFC 8291, from the shared secret to the body")

# %% [markdown]
# ### Exercise 3: read a header
#
# Write `read_header(body: bytes) -> dict` for *any* aes128gcm body, also one whose keyid is
# not 65 bytes long. Out come `"salt"` (bytes), `"rs"` (int), `"keyid"` (bytes) and `"records"`
# (bytes: all that follows). Raise `ValueError` if the body ends inside its header: a Python slice
# never complains.

# %%
def read_header(body: bytes) -> dict:
    """Take an aes128gcm body apart, RFC 8188 §2.1."""
    ### BEGIN SOLUTION
    if len(body) < 21 or len(body) < 21 + body[20]:
        raise ValueError("the body ends inside its header")
    rs, end = int.from_bytes(body[16:20], "big"), 21 + body[20]
    return {"salt": body[:16], "rs": rs, "keyid": body[21:end], "records": body[end:]}
    ### END SOLUTION

# %% tags=["check"]
checks.encrypt.read_header(read_header)

# %% [markdown]
# ## 6 · What it costs
#
# 86 bytes of header, 1 of delimiter, 16 of tag: always 103. A push service has to take bodies up
# to 4096 bytes. Predict how much you may write, and who says no to one byte more. This time key and
# salt are fresh, as in real life.

# %%
fresh = {"as_private": ec.generate_private_key(ec.SECP256R1()), "salt": os.urandom(16)}
print(len(encryption.encrypt(bytes(3993), rfc.subscription, **fresh)), "bytes of body")
try:
    encryption.encrypt(bytes(3994), rfc.subscription, **fresh)
except PushlabError as error:
    print(error)

# %% [markdown]
# Here our own code says no, before a push service does with `413`. Bytes count, not characters:
# an emoji has four or more.
#
# ## 7 · Open it, as the user agent does
#
# Now change sides. The user agent has its keys and gets `body`. All the rest it computes. *Look
# for* the last byte of what comes out.

# %%
keyid = body[21:86]
shared = ua_private.exchange(ec.ECDH(), p256.load_public(keyid))
info = b"WebPush: info\0" + ua_public + keyid  # the same order on both sides
ikm_there = hmac_sha_256(hmac_sha_256(auth_secret, shared), info + b"\1")
keys = content_coding.derive(ikm_there, salt=body[:16])
padded = AESGCM(keys.cek).decrypt(keys.nonce, body[86:], None)
print(padded)
assert padded.rstrip(b"\0") == plaintext + b"\2"  # zeros off, then the delimiter must be 02

# %% [markdown]
# Sender and receiver both write ua_public first. "Mine first, then yours" would be natural on each
# side, and wrong on one.
#
# ## 8 · Break it
#
# Flip one bit in each part. Predict who notices: the push service, the user agent, nobody? One of
# the eight will surprise you. The package's `decrypt` does what you have just done, and says why
# it stops.

# %%
def user_agent(body: bytes) -> str:
    try:
        return decrypt(body, ua_private=ua_private, auth_secret=auth_secret).decode()
    except PushlabError as error:
        return type(error).__name__

for span in trace.spans(body):
    broken = bytearray(body)
    broken[span.start] ^= 1  # one bit of the part's first byte
    print(f"{span.name:8}{user_agent(bytes(broken))}")

# %% [markdown]
# The **push service** notices nothing: it has no key, and answers `201` to all eight. The **user
# agent** notices seven, and *silently shows nothing*: no push event, no error to your server. A
# BadKeyid means that keyid is no point on the curve any more.
#
# And **rs**? The tag covers the record, not the header. salt and keyid are guarded all the same,
# because CEK is derived from them. Nothing is derived from rs: it became enormous, one record still
# fits, and the text is shown. Real Firefox and Chromium do the same, with all eight.
#
# Those were accidents on the way. A *sender* who is mistaken makes a perfect tag, for what is
# wrong. Predict: which of these five can the user agent tell apart?

# %%
def sent(auth: bytes = auth_secret, points: bytes = ua_public + as_public, end: bytes = b"\2"):
    ikm = hmac_sha_256(hmac_sha_256(auth, ecdh_secret), b"WebPush: info\0" + points + b"\1")
    keys = content_coding.derive(ikm, salt)
    return header + AESGCM(keys.cek).encrypt(keys.nonce, plaintext + end, None)

assert user_agent(sent()) == plaintext.decode()  # without a mistake
print("points exchanged ", user_agent(sent(points=as_public + ua_public)))
print("somebody's auth  ", user_agent(sent(auth=bytes(range(0x20, 0x30)))))
print("delimiter 01     ", user_agent(sent(end=b"\1")))
print("no delimiter     ", user_agent(sent(end=b"")))
two = content_coding.encrypt(plaintext, ikm=ikm, salt=salt, rs=40, keyid=as_public)
print("two records      ", user_agent(two))

# %% [markdown]
# Exchanged points and a wrong auth look alike: *DecryptionFailed* means "some value departs", never
# which. So compare value by value with a known example, as the checks here do. A delimiter can
# only be looked at after the tag fits: *BadDelimiter* says that your keys are right.
#
# Two records are right by RFC 8188 and forbidden by
# [RFC 8291 §4](https://www.rfc-editor.org/rfc/rfc8291#section-4). We sent some to real browsers:
# Firefox shows them all the same, Chromium does not. "It works here" proves little.
#
# ## 9 · Never twice
#
# Suppose a sender uses key pair and salt twice. Then CEK and NONCE are the same, and GCM adds the
# same stream of bits to both texts. An eavesdropper has both bodies, and guesses one of the texts.
# *Look for* what the last line prints: it uses no key.

# %%
def xor(one: bytes, two: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, two, strict=True))

texts = b"Lunch is in the garden today.", b"The code is 4711; tell nobody"
twice = {"as_private": as_private, "salt": salt}
one, two = (encryption.encrypt(text, rfc.subscription, **twice)[86:-16] for text in texts)
assert xor(one, two)[:-1] == xor(*texts)  # the key has dropped out
print(xor(xor(one, two)[:-1], texts[0]).decode())  # from two ciphertexts and one guess

# %% [markdown]
# That is the *other* text, read without any key. It gets worse: such a pair also betrays what the
# tags are made with, and then forging begins. Hence
# [RFC 8188 §2.1](https://www.rfc-editor.org/rfc/rfc8188#section-2.1) wants a new salt whenever the
# IKM is the same, and RFC 8291 a new key pair for each message.
#
# ### Exercise 4: the whole of it
#
# Write `encrypt(plaintext: bytes, ua_public: bytes, auth_secret: bytes, as_private, salt: bytes) ->
# bytes`: the body, with rs 4096. `as_private` is a key object, as in section 1;
# `p256.raw_public(as_private)` gives its 65 bytes. Ten lines are enough.

# %%
def encrypt(plaintext, ua_public, auth_secret, as_private, salt) -> bytes:
    """Return the body of a push message, RFC 8291 §3 and §4."""
    ### BEGIN SOLUTION
    as_public = p256.raw_public(as_private)
    ecdh_secret = as_private.exchange(ec.ECDH(), p256.load_public(ua_public))
    prk_key = hmac_sha_256(auth_secret, ecdh_secret)
    ikm = hmac_sha_256(prk_key, b"WebPush: info\0" + ua_public + as_public + b"\1")
    prk = hmac_sha_256(salt, ikm)
    cek = hmac_sha_256(prk, b"Content-Encoding: aes128gcm\0\1")[:16]
    nonce = hmac_sha_256(prk, b"Content-Encoding: nonce\0\1")[:12]
    header = salt + (4096).to_bytes(4, "big") + bytes([65]) + as_public
    return header + AESGCM(cek).encrypt(nonce, plaintext + b"\2", None)
    ### END SOLUTION

# %% tags=["check"]
checks.encrypt.encrypt(encrypt)

# %% [markdown]
# ## 10 · By hand, and by pywebpush
#
# `pywebpush` is the field's own library. It draws key and salt inside, so `patch` makes it draw the
# RFC's, once. The second message has its own. *Look for* equal bytes, and for a surprise in the
# third.

# %%
pusher = WebPusher(rfc.subscription.to_json())
with patch("pywebpush.ec.generate_private_key", return_value=as_private):
    with patch("http_ece.os.urandom", return_value=salt):
        assert pusher.encode(plaintext)["body"] == body  # the same 144 bytes
print("the same", len(body), "bytes")
print("its own key and salt:", user_agent(pusher.encode(plaintext)["body"]))
print("4080 bytes of text:  ", user_agent(pusher.encode(bytes(4080))["body"]))

# %% [markdown]
# Your steps are pywebpush's. But it counts nothing: of too long a text it makes two records,
# without a word. Count before you send.
#
# ## What you saw
#
# - Two sides compute one secret from what each keeps and what the other shows.
# - Five HMACs lead to CEK and NONCE, three of them over a text that names the purpose.
# - 103 bytes around the text: a header in the clear, a delimiter, a tag.
# - The user agent alone notices damage, and says so to nobody. No receipt ever means "it was read".
# - Key pair and salt are for one message, or the texts lie open.
#
# **What we left out:** bodies of many records and their counter SEQ; how curve, AES and GHASH work
# inside; padding, without which the push service knows how long your text is; sending (05).

# %% [markdown]
# ## Questions
#
# 1. A thief has p256dh and auth. Can he read your messages? Can he write one that the browser can
#    decrypt? What stops him then?
# 2. A point (x, y) has a mirror image (x, p - y), also on the curve. ECDH gives the same
#    secret with it. If the push service mirrors as_public in your header, who notices, and in
#    which step?
# 3. You have deleted as_private. Can you still read what you sent?
#
# <details><summary>Answers</summary>
#
# 1. Not read: that takes ua_private. Write, yes. The push service stops him, because he cannot
#    sign with your VAPID key.
# 2. The user agent: key_info holds both points whole, so IKM departs and the tag does not fit. This
#    is why key_info holds them.
# 3. No. It takes ua_private now.
# </details>
#
# **Next:** [04 · Sign](04_sign.ipynb), with quite another key, for quite another reader.
