# %% [markdown]
# # 03 · Encrypt: one message, by hand, to the byte
#
# The push service carries your message, and it is a stranger: it must deliver what it cannot read.
# In this lesson you encrypt the message that RFC 8291 prints as its example. You do it one step at a
# time, and arrive at exactly the bytes of the RFC. Then you break them.

# %% [markdown]
# ## Where we are
#
# You hold a subscription (lesson 02): an endpoint, **p256dh** and **auth**.
#
# **What hurts without this.** Encryption that is wrong by one byte fails in the worst way: the push
# service says `201`, the browser throws the message away, and nobody tells you. If you can name each
# value on the way, you can find the first one that differs.
#
# **At the end you can** encrypt a message by hand as RFC 8291 says, read the header of any encrypted
# message, and say who notices which broken byte.
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
print("Ready. This lesson starts no lab: it encrypts, and sends nothing.")

# %% [markdown]
# ## The words
#
# | name | bytes | what it is | who knows it |
# |---|---|---|---|
# | **ua_private** | 32 | the private key that `subscribe()` made | the user agent alone |
# | **ua_public** | 65 | its public half, which the subscription calls p256dh | user agent, application server |
# | **auth_secret** | 16 | a random secret, which the subscription calls auth | user agent, application server |
# | **as_private** | 32 | a private key made for *this message* | the application server, for a moment |
# | **as_public** | 65 | its public half, sent along with the message | everybody |
# | **salt** | 16 | random bytes, made for *this message* | everybody |
# | **ecdh_secret** | 32 | the secret that each side computes with the other's public key | both ends |
# | **PRK** | 32 | *pseudorandom key*: what HKDF extracts from a secret | both ends compute it |
# | **IKM** | 32 | *input keying material*: the secret that RFC 8188 starts from | both ends compute it |
# | **CEK** | 16 | *content encryption key*: the key for AES-GCM | both ends compute it |
# | **NONCE** | 12 | a *number used once*: the other input of AES-GCM | both ends compute it |
#
# Three tools appear in this lesson. **HMAC** is a hash with a key: without the key nobody can compute
# it. **HKDF** derives keys from a secret by means of HMAC. **AES-GCM** encrypts a text, and adds a
# *tag* by which the receiver notices any change.
#
# ## 1 · Two key pairs and a secret
#
# The user agent made its pair once, when it subscribed. The application server makes a new pair for
# each message, and forgets it afterwards. Such a key is called *ephemeral*
# ([RFC 8291 §3.1](https://www.rfc-editor.org/rfc/rfc8291#section-3.1)).
#
# The VAPID key appears nowhere in this lesson. "VAPID encrypts the content" is a common mistake:
# VAPID signs, and the signature is for the push service (lesson 04). Encryption uses other keys,
# because the push service must *not* be able to read.
#
# We take the [example of RFC 8291 §5](https://www.rfc-editor.org/rfc/rfc8291#section-5), because the
# RFC prints all its values, and you can compare. *Look for* the lengths that the table promises.

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
# We print no private key, not even one from an RFC. What you do in exercises becomes your habit at
# work.
#
# ## 2 · One secret from two sides
#
# Elliptic-curve Diffie-Hellman (ECDH) combines *my* private key with *your* public key. So the
# application server and the user agent put in quite different numbers. **Predict** what each of
# them gets out.

# %%
ecdh_secret = as_private.exchange(ec.ECDH(), p256.load_public(ua_public))  # application server
there = ua_private.exchange(ec.ECDH(), p256.load_public(as_public))  # user agent
print(len(ecdh_secret), "bytes, and", "equal" if ecdh_secret == there else "different")
assert base64url.encode(ecdh_secret) == "kyrL1jIIOHEzg3sM2ZWRHDRB62YACZhhSlknJ672kSs"

# %% [markdown]
# Both get the same 32 bytes, and these bytes never travelled. Somebody who knows both public keys
# still cannot compute them. The text in the `assert` is what Appendix A of the RFC prints.
#
# ## 3 · Mix in the auth secret
#
# Two more things are mixed in ([RFC 8291 §3.3](https://www.rfc-editor.org/rfc/rfc8291#section-3.3)):
#
# - `auth_secret`, so that knowing a public key is not enough to encrypt for a user, and
# - both public keys, so that the result belongs to exactly these two parties.
#
# HKDF does this in two steps, and each is one HMAC. *Extract* computes HMAC(salt, secret); its result
# is a PRK. Here auth_secret serves as the salt, and the RFC calls the result PRK_key. *Expand*
# computes an HMAC with the PRK as its key, over some bytes that name the purpose, called `info`, and a
# counter byte. One HMAC gives 32 bytes, and we never need more, so the counter is always `01`.
#
# *Look for* the order of the two public keys, and for the byte between the text and the keys.

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
# Two bytes are easily lost. The `00` that ends the text belongs to key_info. The `01` is HKDF's
# counter, and a library's HKDF adds it for you. If you add it twice, or leave it out, no error
# appears: you get another key.
#
# ### Exercise 1: key_info
#
# Write `make_key_info(ua_public: bytes, as_public: bytes) -> bytes`. It takes two public keys of 65
# bytes and returns 144 bytes, without the counter. Try it without scrolling up.

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
# The rest follows [RFC 8188](https://www.rfc-editor.org/rfc/rfc8188#section-2.2), which describes
# `aes128gcm`, a way to encrypt any HTTP body. It takes *some* secret, the IKM, and a fresh salt, and
# runs HKDF once more. From the pseudorandom key (PRK) we derive two values, CEK and NONCE. Their
# `info` texts keep them apart.
#
# **Predict**: HMAC-SHA-256 always gives 32 bytes. Where do the lengths 16 and 12 come from?

# %%
prk = hmac_sha_256(salt, ikm)
cek_info, nonce_info = b"Content-Encoding: aes128gcm\0", b"Content-Encoding: nonce\0"
cek = hmac_sha_256(prk, cek_info + b"\1")[:16]
nonce = hmac_sha_256(prk, nonce_info + b"\1")[:12]
print(len(cek), "bytes of CEK,", len(nonce), "of NONCE")
assert base64url.encode(cek) == "oIhVW04MRdy2XN9CiKLxTg"  # Appendix A
assert base64url.encode(nonce) == "4h_95klXJ5E_qnoN"

# %% [markdown]
# Of each 32 bytes we keep the first 16 or 12, because AES-128 takes a key of 16 bytes, and RFC 8188
# gives GCM a nonce of 12. Both ends derive the nonce, so it does not have to travel.
#
# ### Exercise 2: derive
#
# Write `derive(ecdh_secret, auth_secret, ua_public, as_public, salt) -> dict`. Its five arguments are
# bytes, with the lengths 32, 16, 65, 65 and 16. The dict has six values under the RFC's names:
# `"PRK_key"`, `"key_info"`, `"IKM"`, `"PRK"`, `"CEK"` and `"NONCE"`. You may use `hmac_sha_256`. The
# check names the first value that differs.

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
# AES-GCM encrypts one *record* at a time
# ([RFC 8188 §2](https://www.rfc-editor.org/rfc/rfc8188#section-2)). After the text of a record comes
# one byte, the *delimiter*. It is `02` in the last record, and `01` in every record before it. A push
# message has exactly one record, so its delimiter is always `02`. Zero bytes may follow the delimiter,
# to hide how long the text is; we add none. AES-GCM then adds a **tag** of 16 bytes, which fits only
# these bytes under this key and nonce.
#
# In front of the record stands a **header** that is not encrypted. It holds what the browser still
# lacks to compute the same keys. *Look for* the four bytes of **rs**, and for the `04` with which
# every uncompressed public key begins.

# %%
ciphertext = AESGCM(cek).encrypt(nonce, plaintext + b"\2", None)
header = salt + (4096).to_bytes(4, "big") + bytes([len(as_public)]) + as_public
print(len(header), "+", len(ciphertext), "bytes")
body = header + ciphertext
assert body == rfc.body  # the RFC's own message, to the byte
message_map(body, "The message of RFC 8291 §5")

# %% [markdown]
# You have written all 144 bytes of the RFC's message. (The request that the RFC prints says
# `Content-Length: 145`, although its body has 144 bytes. Trust your `len()`.)
#
# **rs** is the *record size*: no encrypted record may be longer. It is a limit, not a length: this
# record has 58 bytes. **idlen** is the length of the **keyid** that follows it, and for web push the
# keyid is as_public. Old tutorials put salt and key into HTTP headers. They describe `aesgcm`, the
# content coding of an early draft.
#
# The next table shows the whole way once more. *Look for* what each value is made of. Only the salt,
# auth_secret and the two key pairs are random; everything else is computed from them and the text.

# %%
steps = trace.trace(
    encryption.derive(ecdh_secret, auth_secret, ua_public, as_public, salt), plaintext
)
assert steps[-1].value == body  # the package computes what we wrote by hand
trace_table(steps, "RFC 8291, from the shared secret to the body")

# %% [markdown]
# ### Exercise 3: read a header
#
# Write `read_header(body: bytes) -> dict` for *any* aes128gcm body, including one whose keyid is not
# 65 bytes long. The dict has `"salt"` (bytes), `"rs"` (int), `"keyid"` (bytes) and `"records"`
# (bytes: everything after the header). Raise `ValueError` if the body ends inside its header. You
# have to look yourself, because a Python slice never complains.

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
# The header takes 86 bytes, the delimiter 1 and the tag 16: together always 103. A push service must
# not answer `413` (*too large*) to a body of up to 4096 bytes
# ([RFC 8030 §7.2](https://www.rfc-editor.org/rfc/rfc8030#section-7.2)). **Predict** how long your text
# may be, and who refuses one byte more. This time key and salt are fresh, as in real life.

# %%
fresh = {"as_private": ec.generate_private_key(ec.SECP256R1()), "salt": os.urandom(16)}
print(len(encryption.encrypt(bytes(3993), rfc.subscription, **fresh)), "bytes of body")
try:
    encryption.encrypt(bytes(3994), rfc.subscription, **fresh)
except PushlabError as error:
    print(error)

# %% [markdown]
# Your text may have 3993 bytes: 4096 − 103. Our own code refuses one byte more, before a push service
# could answer `413`. What counts is bytes and not characters: most emoji take four bytes or more.
#
# ## 7 · Open it, as the user agent does
#
# Now you are the user agent. You have your own keys, and you receive `body`. Everything else you
# compute. *Look for* the last byte of the result.

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
# Sender and receiver both write ua_public first. "Mine first, then yours" would seem natural on both
# sides, and would be wrong on one of them.
#
# ## 8 · Break it
#
# The next cell flips one bit in each of the eight parts that section 5 shows. **Predict** for each
# part who notices: the push service, the user agent, or nobody. One of the eight will surprise you.
# The package's `decrypt` does what you have just done by hand, and says why it stops.

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
# The **push service** has no key, so it cannot check the tag. Lesson 05 sends a message that nobody
# can decrypt, and gets `201` for it. The **user agent** notices seven of the eight, and shows nothing:
# there is no push event, and your server is not told. *BadKeyid* means that the keyid is no longer a
# public key of 65 bytes on the curve.
#
# And **rs**? The tag covers the record but not the header. A change of the salt is noticed all the
# same, because CEK is computed from it; a change of idlen or keyid leaves no valid key. But nothing is
# computed from rs. It became enormous, the one record still fits, and the text is shown. Firefox 153
# and Chromium 156 did the same with all eight when we tried them.
#
# Those were accidents on the way. A mistaken *sender* is another matter: it computes a perfect tag,
# but for the wrong content or with the wrong key. **Predict** which of these five mistakes the user
# agent can tell apart:
#
# 1. the two public keys are exchanged in key_info
# 2. the auth of another subscription
# 3. delimiter `01`
# 4. no delimiter
# 5. two records

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
# The user agent tells three groups apart: 1 and 2, 3 and 4, and 5. Mistakes 1 and 2 look alike:
# *DecryptionFailed* means that some value differs, but not which. So compare value by value with a
# known example, as the checks here do. Mistakes 3 and 4 are both *BadDelimiter*, which comes only
# after the tag has fitted: your keys are right.
#
# Two records are correct by RFC 8188, and forbidden for web push by
# [RFC 8291 §4](https://www.rfc-editor.org/rfc/rfc8291#section-4). We sent such a message to two real
# browsers. Firefox 153 shows it all the same, and Chromium 156 does not. So "it works in my browser"
# proves little.
#
# ## 9 · Never twice
#
# Suppose a sender uses the same key pair and the same salt for two messages. Then CEK and NONCE are
# the same too, and GCM adds the same stream of bits to both texts. An eavesdropper has both bodies and
# can guess one of the texts. *Look for* what the last line prints without using any key.

# %%
def xor(one: bytes, two: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, two, strict=True))

texts = b"Lunch is in the garden today.", b"The code is 4711; tell nobody"
twice = {"as_private": as_private, "salt": salt}
one, two = (encryption.encrypt(text, rfc.subscription, **twice)[86:-16] for text in texts)
assert xor(one, two)[:-1] == xor(*texts)  # the key has dropped out
print(xor(xor(one, two)[:-1], texts[0]).decode())  # from two ciphertexts and one guess

# %% [markdown]
# The last line prints the *other* text. It gets worse: reusing a nonce also reveals the key from which
# GCM computes its tags, and with it anybody can forge messages. That is why
# [RFC 8188 §2.1](https://www.rfc-editor.org/rfc/rfc8188#section-2.1) asks for a new salt whenever the
# IKM is the same, and RFC 8291 asks for a new key pair for each message.
#
# ### Exercise 4: the whole of it
#
# Write `encrypt(plaintext: bytes, ua_public: bytes, auth_secret: bytes, as_private, salt: bytes) ->
# bytes`. It returns the body, with an rs of 4096. `as_private` is a key object, as in section 1, and
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
# `pywebpush` is the library that most Python senders use. It generates key and salt itself, so for one
# message we use `patch` to give it the RFC's key and salt. The second message has a key and a salt of
# its own. *Look for* equal bytes, and for a surprise in the third message.

# %%
pusher = WebPusher(rfc.subscription.to_json())
with patch("pywebpush.ec.generate_private_key", return_value=as_private):
    with patch("http_ece.os.urandom", return_value=salt):
        assert pusher.encode(plaintext)["body"] == body  # the same 144 bytes
print("the same", len(body), "bytes")
print("its own key and salt:", user_agent(pusher.encode(plaintext)["body"]))
print("4080 bytes of text:  ", user_agent(pusher.encode(bytes(4080))["body"]))

# %% [markdown]
# Your steps are the steps of pywebpush. But pywebpush does not count (tried with 2.5.0): it turns a
# text that is too long into two records, without an error. So count before you send.
#
# ## What you saw
#
# - Two sides compute one secret, each from its own private key and the other's public key.
# - Five HMACs lead to CEK and NONCE. In three of them an `info` text names the purpose.
# - 103 bytes surround the text: a header that is not encrypted, a delimiter, and a tag.
# - Only the user agent notices damage, though not in rs, and your server never learns of it. (Firefox
#   tells its push service that it could not decrypt; lesson 05 shows the code.) No answer to your
#   server ever means "it was read".
# - A key pair and a salt serve one message. If they serve two, both texts can be read.
#
# **What we left out:** bodies of many records, each with its own nonce; how the curve, AES and GCM
# work inside; padding, without which the push service knows how long your text is; and sending, which
# is lesson 05.

# %% [markdown]
# ## Questions
#
# 1. A thief has p256dh and auth. Can the thief read your messages? Can the thief write a message that
#    the browser can decrypt? What stops such a message?
# 2. A point (x, y) has a mirror image (x, p - y), which is also on the curve, and ECDH gives the same
#    secret with it. If the push service replaces as_public in your header by its mirror image, who
#    notices, and in which step?
# 3. You have deleted as_private. Can you still read what you sent?
#
# <details><summary>Answers</summary>
#
# 1. The thief cannot read them: that takes ua_private. The thief can write one. What stops it is the
#    push service, if the subscription was made with your VAPID key: the thief cannot sign with it.
# 2. The user agent notices. key_info holds both public keys whole, so IKM differs and the tag does not
#    fit. This is why key_info holds them.
# 3. No. Reading it now takes ua_private, which only the browser has.
# </details>
#
# **Next:** [04 · Sign](04_sign.ipynb), with another key, and for another reader.
