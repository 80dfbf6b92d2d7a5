# %% [markdown]
# # 07 · Receive: the service worker, and what the browser does before it
#
# The message has travelled. Now it reaches a browser that may have no page open at all. The browser
# opens the seal and wakes a small script, whose one duty is to show something. You read that
# script, feed it well and badly, and in the end take the browser's place and open a message by
# hand.

# %% [markdown]
# ## Where we are
#
# **What hurts without this.** The push service said `201`, and nothing appears; or a grey "This
# site has been updated in the background" does. No server can tell you why: the fault is in the
# worker, or in the keys.
#
# **At the end you can** read and change a service worker that receives push, predict what it shows
# for any payload, replace a notification by its tag, say what a missing `waitUntil` costs, and
# decrypt by hand what the browser decrypts.
#
# **Time:** 35 minutes. **Before this:** lessons 02 and 05; for the last part 03.

# %%
import hmac
import json
from urllib.request import Request, urlopen

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from tornado.websocket import websocket_connect
from pushlab import Lab, PushOptions, PushSubscription, base64url, checks, p256
from pushlab import content_coding, encryption, examples, message_map

lab = Lab()
lab

# %% [markdown]
# ## The words
#
# | name | bytes | what it is | who knows it |
# |---|---|---|---|
# | **service worker** | a script | woken for an event, stopped after it | user agent, your server |
# | **`push` event** | | wakes it; `event.data` is the plaintext or `null` | user agent |
# | **plaintext** | 0 to 3993 | what you sealed: here JSON | both ends, nobody between |
# | **`waitUntil`** | | "keep me alive until this promise is settled" | worker and browser |
# | **`tag`** | text | which *shown* notification a new one replaces | both ends |
# | **Topic** | 1 to 32 | which *waiting* message a new one replaces | sender, push service |
# | **ua_private** | 32 | opens the seal; it never leaves the browser | user agent alone |
# | **auth_secret** | 16 | goes into every key | both ends |

# %% [markdown]
# ## 1 · What wakes the worker
#
# The browser starts a service worker for an event and may stop it some seconds after the last one.
# Variables are gone then. No page needs to be open. Subscribe and send in the panel if you like;
# the cell below it does the same.
#
# *Look for* two lines of the user agent alone: `push received`, then `notification shown`. Both are
# reports that our worker sends, because no server can see what happens there.

# %%
lab.panel()

# %% tags=["nbval-ignore-output"]
browser = lab.open()
if browser.state != "unregistered":  # your own hand was quicker
    browser.unregister()
browser.subscribe()  # so that ours is the newest
stored, before = lab.subscriptions()[-1], lab.journal.last
lab.notify(stored.subscription.endpoint, "Good morning", "The worker is awake.")
assert browser.wait_for_notification(title="Good morning").body == "The worker is awake."
lab.wait_for("notification shown", before)
story = [event.what for event in lab.journal.events(before)]
steps = ["push message", "push received", "notification shown"]
assert [what for what in story if what in steps] == steps  # in just this order
lab.diagram(after=before, title="One push")

# %% [markdown]
# The push service's arrow before them carried sealed bytes. **In between, the browser decrypted**:
# the worker only ever meets plaintext.
#
# ## 2 · Read the worker
#
# We ask the application server for the file, as the browser does each time the page is opened: one
# changed byte makes a new worker. *Look for* the line that hands a promise to `waitUntil`, and for
# the one that shows something.

# %%
import re

worker = urlopen(lab.application_server.url + "sw.js").read().decode()


def part(name):
    return re.search(rf"^(async )?function {name}\(.*?^}}", worker, re.M | re.S)[0]


wired = re.search(r'^addEventListener\("push",.*$', worker, re.M)[0]
print(wired, part("receive"), part("show"), sep="\n\n")
assert "event.waitUntil(receive(event.data))" in wired  # the whole promise, not a part of it

# %% [markdown]
# The listener is one line: *whatever `receive` still has to do, wait for it*. Within `receive` the
# notification comes **first**, the report to a server second: a phone that has just woken in a
# tunnel has no network. And `show` tries twice: options that a browser refuses must not cost the
# message.
#
# Old articles call `window.atob` or read `localStorage` here. A worker has no `window`; the handler
# throws, and nobody sees it.
#
# ## 3 · From JSON to a notification
#
# The payload is yours: no specification says that it is JSON. Our application server writes `title`
# and `options`, the two arguments of
# [`showNotification`](https://notifications.spec.whatwg.org/#service-worker-api). `data` is shown
# to nobody; it waits for the click. Here we post what the page's button posts, with more in it.
# *Look for* what the browser itself reports in the end.

# %%
def notify_me(title, **options):
    before = lab.journal.last
    wish = {"endpoint": stored.subscription.endpoint}
    wish["notification"] = {"title": title, "options": options}
    headers = {"Content-Type": "application/json"}
    urlopen(Request(lab.application_server.url + "notify-me", json.dumps(wish).encode(), headers)).close()
    lab.wait_for("notification shown", before)
    return browser.wait_for_notification(title=title, body=options["body"])


print(notify_me("Train 9", body="Platform 4", tag="train-9", data={"page": "/trains/9"}))

# %% [markdown]
# The four values that you sent. What they *look* like is the system's business, so put what matters
# into the title.
#
# ## 4 · Tag replaces what is shown, Topic what waits
#
# The train moves. Predict, after two more messages with the tag `train-9`: how many are shown, with
# which platform?

# %%
notify_me("Train 9", body="Platform 7", tag="train-9")
notify_me("Train 9", body="Platform 12", tag="train-9")
trains = [one for one in browser.notifications() if one.tag == "train-9"]
print(len(trains), "shown:", trains[0].body, trains[0].data)

# %% [markdown]
# One, the newest; and its `data` is gone with the old one, because a tag *replaces*, it merges
# nothing. The replacement also comes without a sound unless the options say `renotify: true`.
#
# Compare lesson 05: a **Topic** is a header, and the push service drops the older message *while it
# waits*. A **tag** is within the plaintext, and the browser swaps what is *on the screen*. A closed
# browser and three goals: without a topic three messages come, and the tag leaves one of them
# visible. Use both.
#
# ### Exercise: the screen
#
# `shown(messages: list[dict]) -> list[dict]`: what is on the screen after these messages, in the
# order of their places. A message is `{"title": …, "options": {…}}`. One with a tag takes the place
# of the shown one with the same tag. One without a tag, or with an empty one, goes to the end.
# Return the messages themselves, and leave the list that you are given as it is.

# %%
def shown(messages: list[dict]) -> list[dict]:
    """Return the messages that are on the screen at the end, in the order of their places."""
    ### BEGIN SOLUTION
    places = {}  # a dict keeps a key's place when its value changes
    for number, message in enumerate(messages):
        places[message["options"].get("tag") or number] = message
    return list(places.values())
    ### END SOLUTION

# %% tags=["check"]
checks.receive.shown(shown)

# %% [markdown]
# ## 5 · No payload, and a payload that is not JSON
#
# A body is optional: lesson 05 sent a request without one, with no `Content-Encoding` and nothing
# encrypted. In the worker `event.data` is then `null`, and a handler that says `event.data.json()`
# throws. Ours asks first. We send that, JSON that is cut off, and JSON without a title; `push`
# hands any bytes to the application server's sender. Predict what each shows.

# %%
def push(payload, to=stored):
    return lab.run(lab.application_server.sender.send(to, payload, PushOptions())).status


for payload, body in [
    (None, "It came without a payload."),
    (b'{"title": "Tra', '{"title": "Tra'),
    (b'{"body": "Late"}', '{"body": "Late"}'),
]:
    before = lab.journal.last
    print(push(payload), browser.wait_for_notification(body=body))
    lab.wait_for("notification shown", before)

# %% [markdown]
# Something appears each time. A handler with `event.data.json()` throws on the first two: message
# delivered, `push` event fired, **empty screen**. With the third it shows a notification named
# *undefined*. `text()` never throws: a byte that is not UTF-8 becomes `U+FFFD`. (Firefox does that.
# The Chromium that we tried gives the worker `null` for such bytes. So send UTF-8.)
#
# ### Exercise: the worker's decision
#
# `notification_of(data: bytes | None) -> dict`: what our worker shows, as
# `{"title": …, "options": …}`.
#
# - A JSON object whose `title` is text: that title, and its `options`; `{}` if those are missing or
#   no object.
# - `None`: title `Push message`, options `{"body": "It came without a payload."}`.
# - Everything else: title `Push message`, and as the `body` the text, with `U+FFFD` for what is not
#   UTF-8.

# %%
def notification_of(data: bytes | None) -> dict:
    """Return the title and the options that the worker shows for a payload."""
    ### BEGIN SOLUTION
    text = "It came without a payload." if data is None else data.decode("utf-8", "replace")
    try:
        title, options = json.loads(text)["title"], json.loads(text).get("options")
    except (ValueError, TypeError, LookupError):  # no JSON, no object, no title
        title = None
    if not isinstance(title, str):
        return {"title": "Push message", "options": {"body": text}}
    return {"title": title, "options": options if isinstance(options, dict) else {}}
    ### END SOLUTION

# %% tags=["check"]
checks.receive.notification_of(notification_of)

# %% [markdown]
# ## 6 · Without `waitUntil`
#
# A listener returns at once; its promises are settled later. Once it has returned, the browser may
# stop the worker, unless `waitUntil` was given a promise that is still open. Real browsers often
# leave it running for seconds, so the fault sleeps on your desk and wakes on your users' phones. A
# model does not wait. Here `yield` stands for `await`. Predict the two lists.

# %%
def show(screen):
    yield "await fetch(…)"
    screen.append("News")  # registration.showNotification("News")


def wake(listener):
    promises, screen = [], []
    listener(promises.append, screen)  # promises.append plays event.waitUntil
    for promise in promises:
        list(promise)  # the browser goes on until this promise is settled …
    return screen  # … and may stop the worker now

# %%
print("with   ", wake(lambda wait_until, screen: wait_until(show(screen))))
print("without", wake(lambda wait_until, screen: next(show(screen))))
assert all("waitUntil(" in line for line in re.findall(r"=> event.*", worker))  # ours never forgets

# %% [markdown]
# An empty screen has a price. `userVisibleOnly: true` promised that every push shows something.
# **Chromium** forgives a little, then shows *This site has been updated in the background* in your
# name. **Firefox** counts: with no page open and nothing shown, it ended our subscription at the
# fifteenth such message. **Safari** withdraws the permission after about three. Then the endpoint
# answers 410, and the sender's log is the first to show it.
#
# The word need not be missing: in `waitUntil(fetch(…))` a notification shown by another `.then` is
# not waited for. Use one `async` function, and hand over what it returns.

# %% [markdown]
# ## 7 · The click
#
# A click on a notification is another event, perhaps hours later, for a worker that starts afresh.
# *Look for* the two calls that a browser permits only right after a click. The click itself is
# yours, on a desktop that shows notifications: this lesson cannot press the system's own button.

# %%
print(part("comeForward"))
assert "event.notification.close()" in worker  # some systems leave it on the screen otherwise

# %% [markdown]
# *If a page of ours is open, come to it, else open one.* `includeUncontrolled` counts pages that
# were loaded before the worker took over. No `fetch` stands before `focus()` and `openWindow()`:
# the permission lasts a moment. To open `/trains/9`, one would read `event.notification.data`:
# variables do not survive until then.
#
# ## 8 · Be the browser: open it by hand
#
# Who decrypts? Not the worker. For once, let it be you. The key pair and the secret are the RFC's
# example, known to all. The endpoint is real: we say to the push service what Firefox says, `hello`
# and `register`, in JSON over a WebSocket.

# %%
socket = await websocket_connect(lab.push_service.ws_url)
await socket.write_message(json.dumps({"messageType": "hello", "use_webpush": True}))
await socket.read_message()
key = base64url.encode(lab.keys.public)
register = {"messageType": "register", "channelID": "lesson-07", "key": key}
await socket.write_message(json.dumps(register))
registered = json.loads(await socket.read_message())
print(registered["messageType"], registered["status"])

# %% [markdown]
# Registered, and the answer holds an endpoint. We store it with the two keys, as a page would have
# it stored, and send. Predict: does the application server notice that this browser is made of
# paper? *Look for* the 65 bytes of `as_public` in the map: x, y and the 04 before them.

# %% tags=["nbval-ignore-output"]
ua_private = p256.load_private(examples.RFC8291.ua_private)
ua_public, auth_secret = p256.raw_public(ua_private), examples.RFC8291.auth_secret
subscription = PushSubscription(registered["pushEndpoint"], ua_public, auth_secret)
store = lab.application_server.store
store.save(subscription, lab.keys.application_server_key)
outcome = lab.notify(subscription.endpoint, "For your eyes only", "The old bridge, at nine.")
frame = json.loads(await socket.read_message())
assert (outcome.status, frame["headers"]) == (201, {"encoding": "aes128gcm"})
body = base64url.decode(frame["data"])
message_map(body, title="What reaches the browser")

# %% [markdown]
# It does not: an endpoint and two keys are all that it knows of any browser. Your `ua_private` and
# the message's `as_public` give the secret that the sender got from `as_private` and `ua_public`
# ([RFC 8291 §3.1](https://www.rfc-editor.org/rfc/rfc8291#section-3.1)). From there on both compute
# the same, and so **`key_info` has `ua_public` first here as well**, though now it is your own. The
# second cell compares with the library, and lets pywebpush seal something too.

# %%
from pywebpush import WebPusher

as_public, sealed = body[21:86], body[86:]
sender = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), as_public)
ecdh_secret = ua_private.exchange(ec.ECDH(), sender)
prk_key = hmac.digest(auth_secret, ecdh_secret, "sha256")
key_info = b"WebPush: info\0" + ua_public + as_public
ikm = hmac.digest(prk_key, key_info + b"\1", "sha256")
keys = content_coding.derive(ikm, salt=body[:16])  # prk, cek and nonce: the rest of lesson 03
padded = AESGCM(keys.cek).decrypt(keys.nonce, sealed, None)
print(padded)

# %%
secrets = {"ua_private": ua_private, "auth_secret": auth_secret}
assert encryption.decrypt(body, **secrets) == padded[:-1]  # the same bytes
theirs = WebPusher(subscription.to_json()).encode(b"Hello from pywebpush", "aes128gcm")["body"]
print(encryption.decrypt(theirs, **secrets))

# %% [markdown]
# There it is, with `02` at its end: the delimiter. Zeros may follow it, to hide the length; a
# receiver takes them off, then exactly one `02`. If a bit has changed, AES-GCM gives nothing at
# all.
#
# ### Exercise: decrypt
#
# `decrypt(body: bytes, ua_private, auth_secret: bytes) -> bytes`: the whole way by yourself,
# without `content_coding`. `ua_private` is a key object as above; `p256.raw_public(ua_private)` are
# its 65 bytes. The texts are `Content-Encoding: aes128gcm` and `Content-Encoding: nonce`, each with
# a zero byte, then `01`. Zeros may follow the delimiter. With a changed bit it has to raise.

# %%
def decrypt(body: bytes, ua_private: ec.EllipticCurvePrivateKey, auth_secret: bytes) -> bytes:
    """Return the plaintext of a push message. RFC 8291 §3.4, RFC 8188 §2."""
    ### BEGIN SOLUTION
    salt, as_public, sealed = body[:16], body[21:86], body[86:]
    sender = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), as_public)
    prk_key = hmac.digest(auth_secret, ua_private.exchange(ec.ECDH(), sender), "sha256")
    key_info = b"WebPush: info\0" + p256.raw_public(ua_private) + as_public
    prk = hmac.digest(salt, hmac.digest(prk_key, key_info + b"\1", "sha256"), "sha256")
    cek = hmac.digest(prk, b"Content-Encoding: aes128gcm\0\1", "sha256")[:16]
    nonce = hmac.digest(prk, b"Content-Encoding: nonce\0\1", "sha256")[:12]
    return AESGCM(cek).decrypt(nonce, sealed, None).rstrip(b"\0")[:-1]
    ### END SOLUTION

# %% tags=["check"]
checks.receive.decrypt(decrypt)

# %% [markdown]
# ## 9 · 201, and nothing shows
#
# Bits seldom flip, but a row in your database may hold a stale `auth`. We send with sixteen wrong
# bytes, and then, as a control, with the right ones. Predict for the first: what does the push
# service answer, what does the browser tell it, and what does the worker see?

# %%
from dataclasses import replace

before = lab.journal.last
stale = replace(stored, subscription=replace(stored.subscription, auth=bytes(16)))
print(push(b'{"title": "Never seen"}', to=stale), lab.wait_for("acknowledge", before).what)
print(push(b'{"title": "Seen"}'), browser.wait_for_notification(title="Seen").title)
lab.wait_for("notification shown", before)
story = [event.what for event in lab.journal.events(before)]
print(story.count("push message"), "pushed,", story.count("push received"), "received")
assert "Never seen" not in [one.title for one in browser.notifications()]

# %% [markdown]
# `201`, and an acknowledgement: the push service cannot look inside, and the browser takes the
# message away, for it would not be better tomorrow. **The worker is not even woken**, and no
# application server learns of it. When an accepted message does not appear, ask first: did the
# `push` event fire? If so, look at the worker; if not, at the keys. We say goodbye in Firefox's
# words, so that no letter box stays behind, and close.

# %%
await socket.write_message(json.dumps({"messageType": "unregister", "channelID": "lesson-07"}))
await socket.read_message()
print(lab.notify(subscription.endpoint, "Still there?").status)
socket.close()
browser.close()

# %% [markdown]
# ## What you saw
#
# - The browser decrypts, then wakes the worker; the worker meets plaintext or `null`.
# - Show first, report later, and hand one promise for everything to `waitUntil`.
# - Any payload must show something.
# - A tag replaces what is shown, a Topic what waits.
# - A message that cannot be opened is accepted, acknowledged and dropped, in silence.
#
# **What we left out.** Buttons and pictures in a notification, which differ from system to system;
# `pushsubscriptionchange`, which the worker also handles; and Safari's
# [Declarative Web Push](https://webkit.org/blog/16535/meet-declarative-web-push/), a JSON payload
# with `"web_push": 8030` that the browser can show without any worker.

# %% [markdown]
# ## Questions
#
# 1. A handler begins with `const data = await (await fetch("/news")).json()` and then shows it.
#    Name two days on which it shows nothing.
# 2. The push service knows the endpoint, the body and the VAPID key. What does it lack to open the
#    message?
# 3. Why may a worker not keep the number of unread messages in a variable?
#
# <details><summary>Answers</summary>
#
# 1. A day without network when the message arrives from elsewhere than your server, and the day on
#    which the session has expired and `/news` answers with a login page: that is HTML, and no JSON.
# 2. `ua_private` (or `as_private`) and `auth_secret`. It has never had any of them.
# 3. It is stopped between two events. IndexedDB keeps things; a variable does not.
# </details>
#
# **Next:** [08 · Error clinic](08_error_clinic.ipynb), where you break each thing and read the
# answers.
