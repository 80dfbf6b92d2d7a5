# %% [markdown]
# # 07 · Receive: what the browser does with a message, and what your worker must do
#
# The message reaches a browser, and perhaps none of your pages is open there. The browser decrypts
# the message and starts a small script of yours, the *service worker*. The script has one duty: to
# show something. You read this script, send it good and bad messages, and at the end you take the
# browser's place and decrypt a message by hand.

# %% [markdown]
# ## Where we are
#
# **What hurts without this.** The push service said `201`, and nothing appears. No server can tell
# you why.
#
# **At the end you can** write a service worker that receives push, predict what it shows for any
# payload, replace a notification by its tag, say what a missing `waitUntil` costs, handle a click,
# and decrypt by hand what the browser decrypts.
#
# **Time:** 35 minutes. **Before this:** lessons 02 and 05; for section 8 also 03.

# %%
import hmac
import json
from urllib.request import Request, urlopen

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from tornado.websocket import websocket_connect
from pushlab import Lab, PushOptions, PushSubscription, base64url, checks, p256, starter_file
from pushlab import content_coding, encryption, examples, message_map

lab = Lab()
lab

# %% [markdown]
# ## The words
#
# | name | bytes | what it is | who knows it |
# |---|---|---|---|
# | **service worker** | a script | the browser starts it for an event and stops it afterwards | user agent, your server |
# | **`push` event** | | starts the worker; `event.data` holds the plaintext, or is `null` | user agent |
# | **plaintext** | 0 to 3993 | what you encrypted: here JSON | sender and worker |
# | **`waitUntil`** | | "keep me running until this promise is settled" | worker and browser |
# | **`tag`** | text | a new notification replaces the *shown* one with the same tag | sender and worker |
# | **Topic** | 1 to 32 | a new message replaces the *waiting* one with the same topic | sender, push service |
# | **ua_private** | 32 | the private key that opens the message; it never leaves the browser | user agent alone |
# | **auth_secret** | 16 | a secret that goes into the encryption keys | user agent, application server |

# %% [markdown]
# ## 1 · What starts the worker
#
# A browser starts a service worker for an event, and may stop it a few seconds after the last one. The
# worker's variables are gone then. No page needs to be open.
#
# Subscribe and send in the panel if you like; the cell below it does the same. In the diagram, *look
# for* two steps that no server can see, and that the lab's worker reports: `push received`,
# `notification shown`.

# %%
lab.panel()

# %% tags=["nbval-ignore-output"]
browser = lab.open()
if browser.state != "unregistered":  # you have pressed the buttons yourself
    browser.unregister()
browser.subscribe()  # now this browser's subscription is the newest
stored, before = lab.subscriptions()[-1], lab.journal.last
lab.notify(stored.subscription.endpoint, "Good morning", "The worker is awake.")
assert browser.wait_for_notification(title="Good morning").body == "The worker is awake."
lab.wait_for("notification shown", before)
story = [event.what for event in lab.journal.events(before)]
steps = ["push message", "push received", "notification shown"]
assert [what for what in story if what in steps] == steps  # in just this order
lab.diagram(after=before, title="One push")

# %% [markdown]
# The arrow from the push service carried encrypted bytes. The worker received plaintext. **The
# browser decrypted in between**, before it started the worker.
#
# ## 2 · Read a worker, whole
#
# This is `sw.js` of the [starter](starter/), a small app that you may copy. The lab's own worker is
# built alike, but reads another form of JSON (section 3), and reports. *Look for* the listeners, and
# for what each one hands to `waitUntil`.

# %%
starter_file("sw.js")

# %% [markdown]
# - `push`: the listener is one line. It hands the promise for *all* of its work to `waitUntil`.
# - `receive` shows the notification and does nothing before it. A worker that fetches something first
#   may show nothing: a phone that has just woken up in a tunnel has no network.
# - `read` never throws, whatever arrives.
# - `here` turns the sender's `url` into a page of your own site, and of no other.
#
# Older articles use `window` or `localStorage` here. A worker has neither: the code throws, and nobody
# sees the error.
#
# ## 3 · From JSON to a notification
#
# The payload's form is your decision: no specification says that it is JSON. The lab's application
# server sends `title` and `options`, the two arguments of `showNotification`. The option `data` is
# shown to nobody: the browser keeps it with the notification, for the click.
#
# We post what the page's button posts, with more in it. What does the browser report in the end?

# %%
def notify_me(title, **options):
    before = lab.journal.last
    wish = {"endpoint": stored.subscription.endpoint}
    wish["notification"] = {"title": title, "options": options}
    url, headers = lab.application_server.url + "notify-me", {"Content-Type": "application/json"}
    urlopen(Request(url, json.dumps(wish).encode(), headers)).close()
    lab.wait_for("notification shown", before)
    return browser.wait_for_notification(title=title, body=options["body"])


print(notify_me("Train 9", body="Platform 4", tag="train-9", data={"page": "/trains/9"}))

# %% [markdown]
# The browser reports the four values that you sent. The operating system decides what they look
# like, so put what matters into the title. And remember the lock screen, which anybody can read:
# "You have a new message" is safe there; a bank balance is not.
#
# ## 4 · A tag replaces what is shown, a topic what waits
#
# The platform changes. Predict, after two more messages with the tag `train-9`:
#
# - How many notifications are shown?
# - Which platform do they name?
# - What is their `data`?

# %%
notify_me("Train 9", body="Platform 7", tag="train-9")
notify_me("Train 9", body="Platform 12", tag="train-9")
trains = [one for one in browser.notifications() if one.tag == "train-9"]
print(len(trains), "shown:", trains[0].body, trains[0].data)

# %% [markdown]
# One notification is shown, the newest. Its `data` is `None`, because a tag *replaces* the old
# notification and merges nothing. The new one makes no sound unless the options say
# `renotify: true` (Notifications API).
#
# A topic (lesson 05) is a header, and the push service drops the older message *while it waits*. A
# tag is in the plaintext, and the browser replaces what is *on the screen*. Think of three goals while
# the browser is closed. Without a topic, three messages arrive when it opens, and the tag leaves one of
# them visible. With both, one message arrives.
#
# ### Exercise 1 · The screen
#
# `shown(messages: list[dict]) -> list[dict]`: what is on the screen after these messages, in the
# order of their places. A message is `{"title": …, "options": {…}}`.
#
# - A message with a tag takes the place of the shown one with the same tag.
# - A message without a tag, or with an empty one, goes to the end.
#
# Return the messages themselves, and do not change the list that you are given.

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
# ## 5 · No payload, and payloads that are not JSON
#
# A push message may come without a body. In the worker, `event.data` is then `null`, and the lab's
# worker checks for that. We send no payload, JSON that is cut off, and JSON without a title. Predict
# what the worker shows for each.

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
# For no payload the worker shows a sentence of its own, for the other two the text as it came. A handler
# that begins with `event.data.json()` would throw for the first two: the `push` event fires, and **the
# screen stays empty**. For the third it would show the title *undefined*. `event.data` has five methods,
# and you may call several of them:
#
# | method | gives | for text that is not JSON | for bytes that are not UTF-8 |
# |---|---|---|---|
# | `json()` | the parsed value | throws SyntaxError | parses what `text()` gives, or throws |
# | `text()` | a string | the text | a string with `U+FFFD` where it is wrong |
# | `arrayBuffer()` | the bytes | the bytes | the bytes |
# | `bytes()` | the bytes, as a `Uint8Array` (MDN) | the same | the same |
# | `blob()` | a Blob with the bytes, its type empty | the same | the same |
#
# That is the Push API, and Firefox 153 as far as we tried it. In Chromium 156, `event.data` itself is
# `null` if the payload is not UTF-8. In both, a payload of no bytes gives `null`
# ([07b](07b_worker_life.ipynb) runs it). So send UTF-8, and check `event.data` before you use it.
#
# ### Exercise 2 · The worker's decision
#
# `notification_of(data: bytes | None) -> dict`: what a simple worker shows for a payload, as
# `{"title": …, "options": …}`.
#
# - For a JSON object whose `title` is text: that title, and its `options`; `{}` if those are
#   missing or no object.
# - For `None`: the title `Push message`, the options `{"body": "It came without a payload."}`.
# - For everything else: the title `Push message`, and the text as the `body`, with `U+FFFD` for
#   what is not UTF-8.

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
# ## 6 · Without `waitUntil`, and without a notification
#
# A listener returns at once, and its promises are settled later. Once the listener has returned, the
# browser may stop the worker, unless `waitUntil` was given a promise that is still pending. On your
# desk this fault hides itself: a browser often leaves the worker running for a few seconds, and longer
# while its developer tools are open. A phone may stop it sooner.
#
# The model below stops at once. In `show`, `yield` stands for `await`. Predict what is on the screen at
# the end, with `waitUntil` and without.

# %%
def show(screen):
    yield "await fetch(…)"
    screen.append("News")  # registration.showNotification("News")


def wake(listener):
    promises, screen = [], []
    listener(promises.append, screen)  # promises.append plays event.waitUntil
    for promise in promises:
        list(promise)  # the browser waits until this promise is settled …
    return screen  # … and may stop the worker now

# %%
print("with   ", wake(lambda wait_until, screen: wait_until(show(screen))))
print("without", wake(lambda wait_until, screen: next(show(screen))))
lines = starter_file("sw.js").split("\n")
listeners = [line for line in lines if line.startswith("addEventListener")]
assert all("waitUntil" in line for line in listeners if "click" not in line)  # ours never forget

# %% [markdown]
# With `waitUntil` the screen shows *News*; without, it stays empty. The promise can also be the wrong
# one: `waitUntil(fetch(…))` does not wait for a notification that another `.then` shows. Hand over the
# promise of one `async` function that does everything.
#
# With `userVisibleOnly: true` you promised that every push shows something. What browsers do with a
# *silent push*, one that shows nothing:
#
# | browser | what happens | how we know |
# |---|---|---|
# | Firefox | 15 end the subscription (no page open); fewer, days after a visit | measured, 153; its source |
# | Chrome | it shows *This site has been updated in the background* | documented; 24 in our headless Chromium 156 showed nothing |
# | Safari | the third ends the subscription | Apple, for a beta: "after three push events" (WWDC 2022, session 10098); WebKit's source |
#
# ## 7 · The click
#
# A click on a notification is another event. It may come hours later, to a worker that has been
# started anew. *Look for* the two calls that a browser permits only for a moment after a click.

# %%
print(starter_file("sw.js", 'addEventListener("notificationclick"', "async function open("))

# %% [markdown]
# *If the page is open, come to it; otherwise open it.* The details:
#
# - `notification.close()`: on some systems a clicked notification stays on the screen otherwise.
# - `includeUncontrolled: true` also finds pages that were loaded before the worker took over.
# - `client.url` is a whole URL. It never equals a path such as `/trains/9`, so `here` makes whole URLs.
# - No `fetch` before `focus()` or `openWindow()`: the permission for them lasts a moment.
# - What the click needs is in `notification.data`: no variable lives until then.
# - `event.action` names the button that was pressed, if the notification has `actions`. Not every
#   system shows buttons, so a click without an action must be enough.
# - Swiping a notification away is the event `notificationclose`. Do not count on it: a system may
#   remove a notification and tell nobody.
#
# No cell can click. Our tests click on a notification of Firefox 153, and Firefox opens the page. A
# Chromium without a screen has nothing to click on, so there the tests call `open` itself.
#
# ## 8 · Be the browser: open it by hand
#
# Who decrypts? For once, you. The key pair and the secret are the example of RFC 8291. The endpoint
# is the lab's: we tell its push service what Firefox tells it, `hello` and `register`, in JSON over a
# WebSocket.

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
# The answer holds an endpoint. We store it with the two keys, as a page would, and send. Predict: does
# the application server notice that this browser is only a few lines of Python? *Look for* the 65
# bytes of `as_public` in the map: 04, x and y.

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
# The application server notices nothing: of any browser it knows an endpoint and two keys. Now
# decrypt. Your `ua_private` and the message's `as_public` give the secret that the sender computed
# from `as_private` and `ua_public` (RFC 8291 §3.1). From there on, both sides compute the same. That
# is why **`key_info` has `ua_public` first on this side too**, although it is now your own key. The
# second cell compares your result with the library's, and opens a message that pywebpush encrypted.

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
# The plaintext is there, with the delimiter `02` at its end. Zeros may follow the `02`, to hide the
# length. A receiver removes the zeros, and then exactly one `02`. If a single bit has changed,
# AES-GCM gives no plaintext at all.
#
# ### Exercise 3 · Decrypt
#
# `decrypt(body: bytes, ua_private, auth_secret: bytes) -> bytes`: the whole way, without
# `content_coding`. `p256.raw_public(ua_private)` gives the 65 bytes of the key object `ua_private`. The
# two `info` texts are `Content-Encoding: aes128gcm` and `Content-Encoding: nonce`, each followed by a
# zero byte, and then by HKDF's counter `01`. If a bit has changed, the function has to raise.

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
# A row in your database may hold an old `auth`. We send with sixteen wrong bytes and then, as a
# control, with the right ones. Predict for the first message:
#
# - What does the push service answer?
# - What does the browser tell the push service?
# - What does the worker see?

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
# The push service answers `201`, because it cannot look inside. The browser acknowledges the message
# (Firefox with the code 101, which says that it could not decrypt). **The worker is not even
# started**, and no application server learns of it. When an accepted message does not appear, ask:
#
# 1. Did the `push` event fire? If not, the device was away, or the keys are wrong.
# 2. Did `showNotification()` resolve? If it rejected, its options are wrong.
# 3. It resolved, and you see nothing? Then the operating system hides it: a switch for this browser,
#    Focus, Do Not Disturb. No web page can find that out, so ask the person to look there.
#
# We unregister in Firefox's words, so that no subscription is left behind. The next message gets `410`.

# %%
await socket.write_message(json.dumps({"messageType": "unregister", "channelID": "lesson-07"}))
await socket.read_message()
print(lab.notify(subscription.endpoint, "Still there?").status)
socket.close()
browser.close()

# %% [markdown]
# ## What you saw
#
# - The browser decrypts and then starts the worker; the worker gets plaintext or `null`.
# - Show first, report later, and hand one promise for everything to `waitUntil`.
# - Show something for every payload.
# - A message that cannot be decrypted is accepted, acknowledged and dropped. Your server and your worker
#   are not told.
#
# **What we left out.** The worker's own life, `pushsubscriptionchange`, declarative messages and the
# browsers' tools come in 07b. Buttons and pictures differ from system to system; MDN lists them.

# %% [markdown]
# ## Questions
#
# 1. A handler begins with `const data = await (await fetch("/news")).json()` and then shows `data`.
#    Name two situations in which it shows nothing.
# 2. Why must a worker not keep the number of unread messages in a variable?
#
# <details><summary>Answers</summary>
#
# 1. Your server is down or out of reach; or the session has expired, so that `/news` answers with a
#    login page: that is HTML, and `json()` throws.
# 2. The browser may stop the worker between two events, and then the variable is lost. IndexedDB keeps
#    the number.
# </details>
#
# **Next:** [07b · The worker's life](07b_worker_life.ipynb): installed, waiting, active, and gone.
