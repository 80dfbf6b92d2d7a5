# %% [markdown]
# # 02 · Subscribe: what a browser hands out, and to whom
#
# Before anybody can push, a browser has to hand out three things: an address to post to, a key to
# encrypt for, and a secret. Together they are a *subscription*. Here you take the six steps that
# lead to one, open the JSON that arrives, break it, and see what becomes of it when the server
# forgets or the key changes.

# %% [markdown]
# ## Where we are
#
# In lesson 01 the application server got its keys. Now the user agent makes its own.
#
# **What hurts without this.** A subscription comes from a stranger's page. A broken one is stored
# without a sound and fails weeks later, when you send. A lost one is a visitor whom you cannot
# reach, and who does not know it.
#
# **At the end you can** capture a subscription from a page, say what endpoint, p256dh and auth
# are and who knows each, check one, walk the six steps of permission, store and remove it.
#
# **Time:** 35 minutes. **Before this:** [00](00_start_here.ipynb); [01](01_keys.ipynb) helps.

# %%
import base64
import json
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from pushlab import Lab, PushlabError, PushSubscription, VapidKeys, base64url, byte_map, checks
from pushlab import examples, trace

lab = Lab()
print(lab)
good = examples.RFC8291.subscription.to_json()  # an example that all the world knows
web = build_opener(ProxyHandler({})).open  # the lab is on this machine: no proxy in between

# %% [markdown]
# ## The words
#
# | name | bytes | made by | who knows it |
# |---|---|---|---|
# | **endpoint** | a URL | push service | all three parties |
# | **p256dh**, a public key | 65 | user agent | user agent, application server |
# | its private half | 32 | user agent | user agent alone: no script of the page sees it |
# | **auth**, a secret | 16 | user agent | user agent, application server |
# | **applicationServerKey** | 65 | application server | all three parties |
# | **expirationTime** | number or null | push service | user agent, application server |
#
# *Look at* p256dh and auth: the push service has neither. It can carry your messages for years
# and read none.
#
# ## 1 · The page, and its six steps
#
# | step | who decides | how it fails |
# |---|---|---|
# | 1 a secure context | user agent | plain http from another machine |
# | 2 a browser that can | user agent | a browser inside an app; an iPhone without Home Screen |
# | 3 a service worker | user agent | wrong folder, wrong MIME type, not active *yet* |
# | 4 your permission | the person | asked too early, refused, private window |
# | 5 a subscription | push service | out of reach; another key than before |
# | 6 stored by the server | application server | broken JSON, an endpoint it does not allow |
#
# The page shows the same six. Walk them by hand if you like: open a browser in the panel and
# press its buttons slowly. The cells below do the same.

# %%
lab.panel()

# %%
browser = lab.open()
if browser.state != "unregistered":  # your own hand was quicker
    browser.unregister()
print(browser.state)

# %% [markdown]
# That is what the page says of itself: `unsupported` (step 1 or 2 failed), `unregistered`,
# `registered` (step 3 is done), `subscribed`, or `denied` (the person said no).
#
# ## 2 · Steps 1 and 2: may this page, can this browser?
#
# A secure context is https or, on your own machine, `http://localhost` and `http://127.0.0.1`:
# to a browser two *different* sites, each with its own permission.
#
# The cell fetches the page's script from the application server, as a real browser does (the
# virtual one has the same in Python). *Look for* the three names whose absence ends the story.

# %%
def shipped(file, begin, end="\n}"):
    """Return a piece of the page's own JavaScript, as a browser loads it."""
    with web(lab.application_server.url + file) as answer:
        text = answer.read().decode()
    start = text.index(begin)
    return text[start : text.index(end, start) + len(end)]

print(shipped("push.js", "export function missingParts"))

# %% [markdown]
# `in` asks without touching. Outside a secure context `navigator.serviceWorker` does not exist,
# and a page that does not ask dies of a TypeError.
#
# ## 3 · Step 3: a service worker, and an active one
#
# A push may come long after the page was closed, so a script stays behind for the browser to wake.
# `register()` resolves when the browser *has* that script; installing it takes longer, and
# `subscribe()` fails until it is active. *Look for* the line that waits.

# %%
print(shipped("push.js", "export async function register"))
if browser.state == "unregistered":  # or you have pressed the button yourself
    browser.register()
print(browser.state)
assert "registered" in [event.what for event in lab.journal.events()]  # the page reported it

# %% [markdown]
# The path is relative. A worker rules over the folder that it comes from: from `/js/sw.js` it
# would not reach a page at `/`.
#
# ## 4 · Steps 4, 5 and 6: one click
#
# One press of *Subscribe to push* takes all three. Here are their pieces.

# %%
for file, begin in (
    ("push.js", "export function askPermission"),
    ("push.js", "export async function subscribe"),
    ("server.js", "export function addSubscription"),
):
    print(shipped(file, begin), end="\n\n")

# %% [markdown]
# - **Permission** is the first thing in the click. Browsers ask only while they handle a gesture,
#   and one `await` before the question can lose it.
# - **`userVisibleOnly`** is a promise: every push shows something. Chromium insists on it.
# - **`applicationServerKey`** is the server's public key. Only its private half may send here from
#   now on ([RFC 8292 §4](https://www.rfc-editor.org/rfc/rfc8292#section-4)).
#
# We come back to that `catch`. Predict: in which order do the person and the two servers have
# their say?

# %% tags=["nbval-ignore-output"]
if browser.state == "subscribed":  # so that this cell may be run again
    browser.unsubscribe()
before = lab.journal.last
browser.subscribe()
story = [event.what for event in lab.journal.events(before)]
steps = ["permission granted", "GET /vapid", "subscribe", "endpoint", "POST /add-subscription"]
assert [what for what in story if what in steps] == steps  # in just this order
lab.diagram(after=before, title="Steps 4, 5 and 6")

# %% [markdown]
# The person, the application server (its key), the push service (the endpoint), the application
# server again. If the push service is out of reach (a firewall, Brave's setting, a phone without
# Google's services), `subscribe()` throws **AbortError** or waits for ever; hence `patiently`.
#
# The lab had answered the question beforehand. A person sees a prompt:
#
# | the person | `Notification.permission` | what you can do |
# |---|---|---|
# | allows | `granted` | subscribe, also tomorrow, without asking |
# | closes the prompt | `default` | ask again at a click; a few times at most |
# | blocks | `denied` | nothing, by script. Say where the browser's setting is |
#
# *Denied* stays denied. So ask when somebody has pressed a button that says what they will get,
# never when the page loads. With a screen, `lab.open(name="asked", grant=False)` opens a
# browser that asks you.
#
# ## 5 · What arrives
#
# The page sent `JSON.stringify(subscription)`. We write again what the application server stored
# of it. *Look for* the nesting. The values stay out of this notebook: whoever has the endpoint can
# try to ring, and whoever has `auth` can encrypt.

# %%
stored = lab.subscriptions()[-1]  # the newest
endpoint = stored.subscription.endpoint
members = stored.subscription.to_json()
print(list(members), list(members["keys"]))
for name, text in members["keys"].items():
    print(name, len(text), "characters of base64url")

# %% [markdown]
# Four characters carry three bytes: 87 carry 65, and 22 carry 16. base64url
# ([RFC 4648 §5](https://www.rfc-editor.org/rfc/rfc4648#section-5)) has `-` and `_` where base64
# has `+` and `/`, and browsers leave out the `=` at the end, which Python wants back. *Look at* the
# first byte. The picture shows the RFC's example key, not your browser's.

# %%
def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
ua_public, auth_secret = (decode(members["keys"][name]) for name in ("p256dh", "auth"))
print(len(ua_public), f"bytes, the first is {ua_public[0]:02x};", len(auth_secret), "bytes")
assert (ua_public, auth_secret) == (stored.subscription.p256dh, stored.subscription.auth)
cuts = ((0, 1, "04", "x and y follow in full"), (1, 33, "x", "32 bytes"), (33, 65, "y", "32 bytes"))
parts = [trace.Span(*cut, "SEC 1 §2.3.3") for cut in cuts]
byte_map(parts, decode(good["keys"]["p256dh"]), "p256dh of the RFC's example")

# %% [markdown]
# A point on the curve P-256, just as the VAPID key is: from the bytes nobody can tell which of the
# two is which. `auth` is no point, only 16 random bytes.
#
# ### Exercise 1 · `unpack`
#
# Write `unpack(subscription_json: str) -> tuple[str, bytes, bytes]`. In: the text that the page
# sends. Out: the endpoint as it is, p256dh, auth. Use `decode`, or the package's strict
# `base64url.decode`.

# %%
def unpack(subscription_json: str) -> tuple[str, bytes, bytes]:
    """Return endpoint, p256dh and auth: text, 65 bytes, 16 bytes."""
    ### BEGIN SOLUTION
    members = json.loads(subscription_json)
    keys = members["keys"]
    return members["endpoint"], base64url.decode(keys["p256dh"]), base64url.decode(keys["auth"])
    ### END SOLUTION

# %% tags=["check"]
checks.subscribe.unpack(unpack)

# %% [markdown]
# ## 6 · The endpoint decides
#
# You never choose a push service. The browser brings its own, and you learn it from the
# endpoint's host: `updates.push.services.mozilla.com`, `fcm.googleapis.com`, `web.push.apple.com`,
# `….notify.windows.com`; in the lab this machine, or the vendor's host that a lab Chromium
# names.
#
# The rest of the URL is for the push service alone: never cut it, never guess one. It is a
# *capability* ([RFC 8030 §8.3](https://www.rfc-editor.org/rfc/rfc8030#section-8.3)): to know it
# is to be allowed to use it. Logs and notebooks show the **origin**, not a character more.
#
# ### Exercise 2 · `origin`
#
# Write `origin(endpoint: str) -> str`: scheme, `://`, host in lower case, and the port unless it
# is the scheme's own (443 for https, 80 for http). No path, no slash at the end. This is the `aud`
# of lesson 04, where one character too many means 403.

# %%
from urllib.parse import urlsplit

def origin(endpoint: str) -> str:
    """Return scheme, host and port; the port only where it is not the usual one."""
    ### BEGIN SOLUTION
    url = urlsplit(endpoint)
    usual = {"https": 443, "http": 80}[url.scheme]
    port = "" if url.port in (None, usual) else f":{url.port}"
    return f"{url.scheme}://{url.hostname}{port}"
    ### END SOLUTION

# %% tags=["check"]
checks.subscribe.origin(origin)

# %% [markdown]
# ## 7 · Break it
#
# `PushSubscription.from_json` checks at once: what exists is valid. We bend the keys of the RFC's
# example in four well-known ways. Predict: which has the right lengths everywhere, and is wrong
# all the same?

# %%
right = good["keys"]
broken = {
    "swapped": {"p256dh": right["auth"], "auth": right["p256dh"]},
    "auth cut": right | {"auth": right["auth"][:-2]},
    "auth padded": right | {"auth": right["auth"] + "=="},
    "off the curve": right | {"p256dh": base64url.encode(b"\x04" + bytes(64))},
}
for what, keys in broken.items():
    try:
        PushSubscription.from_json(good | {"keys": keys})
    except PushlabError as error:
        print(f"{what}: {error.detail}")

# %% [markdown]
# The last: x = y = 0 is no point of P-256. Computing with such a point may give away a private
# key, so [RFC 8291 §7](https://www.rfc-editor.org/rfc/rfc8291#section-7) wants it checked. The
# padded one holds the right 16 bytes, but no browser writes padding: somebody has rewritten it on
# the way, and we would like to know who.
#
# ### Exercise 3 · `faults`
#
# Write `faults(subscription: dict) -> list[str]`. In: the parsed JSON; a key that is there is good
# base64url. Out: *all* its faults, in this order, or `[]`.
#
# | name | when |
# |---|---|
# | `no-endpoint` | the endpoint is missing or empty |
# | `endpoint-not-allowed` | it is there and does not begin with `https://` |
# | `no-keys` | `keys`, or p256dh or auth in it, is missing |
# | `bad-p256dh` | p256dh is there and not 65 bytes that begin with 04 |
# | `bad-auth` | auth is there and not 16 bytes |

# %%
def faults(subscription: dict) -> list[str]:
    """Name all that is wrong with a subscription."""
    ### BEGIN SOLUTION
    endpoint, keys = subscription.get("endpoint", ""), subscription.get("keys", {})
    p256dh, auth = (base64url.decode(keys.get(name, "")) for name in ("p256dh", "auth"))
    wrong = {"no-endpoint": not endpoint}
    wrong["endpoint-not-allowed"] = endpoint and not endpoint.startswith("https://")
    wrong["no-keys"] = not (p256dh and auth)
    wrong["bad-p256dh"] = p256dh and (len(p256dh), p256dh[0]) != (65, 4)
    wrong["bad-auth"] = auth and len(auth) != 16
    return [name for name in wrong if wrong[name]]
    ### END SOLUTION

# %% tags=["check"]
checks.subscribe.faults(faults)

# %% [markdown]
# ## 8 · Hand it over yourself
#
# To the application server a page is somebody who speaks HTTP, and so are you. It takes the
# RFC's example from us as from any page. Predict both statuses: of the first request, and of the
# same one again.

# %%
def post(route, value):
    headers = {"Content-Type": "application/json"}
    request = Request(lab.application_server.url + route, json.dumps(value).encode(), headers)
    try:
        with web(request) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        return error.code, json.load(error)

post("remove-subscription", good)  # so that this cell may be run again
for attempt in ("first", "again"):
    print(attempt, *post("add-subscription", good))

# %% [markdown]
# `201`, it is new; then `200`, known and updated. A subscription is stored under its endpoint, so
# to send it again does no harm.
#
# Now what a server must *not* take, and how to take one back. The second is well-formed and refused
# all the same: who posts to any address can be sent into your own network. Ours takes https, and
# plain http from the lab's push service alone.

# %%
relative, http = {"endpoint": "/push/1"}, {"endpoint": "http://push.example.net/1"}
half = {"p256dh": right["p256dh"]}
for wrong in (relative, http, {"keys": half}, {"keys": broken["swapped"]}):
    status, answer = post("add-subscription", good | wrong)
    print(status, answer["error"]["id"])
for attempt in ("first", "again"):
    status, answer = post("remove-subscription", {"endpoint": good["endpoint"]})
    print(f"remove, {attempt}:", status, answer.get("error", {}).get("id", "removed"))

# %% [markdown]
# An id for programs, and beside it a sentence for people. (No keys at all is no fault here: the
# lab stores such a subscription with a warning, and sends it messages without a payload.) To a
# page that wants the subscription gone, the last 404 is as good as a 200. In Python the same is
# `SubscriptionStore` with `save`, `get`, `all`, `remove`.
#
# ## 9 · Send it again at every page load
#
# Endpoints rotate, and servers forget. The page cannot know, so it sends its subscription
# *whenever it is loaded*. We make the server forget, and load the page. Predict: 200 or 201?

# %%
lab.application_server.store.remove(endpoint)  # as if last week's backup had been restored
before = lab.journal.last
browser = lab.open()  # the same browser loads the page anew
print(lab.wait_for("POST /add-subscription", before).detail["status"])
assert lab.subscriptions()[-1].subscription.endpoint == endpoint  # and nobody pressed a button

# %% [markdown]
# 201: mended before anybody noticed. Many examples send it once, at the click, and lose people
# ever after.
#
# ## 10 · Break it: another key
#
# Somebody deploys a new key pair: `GET /vapid` gives another key, and the page is loaded. A worker
# has one subscription, and that belongs to the old key, so `subscribe()` with the new one throws
# **InvalidStateError**. That is what the `catch` of section 4 is for: compare, unsubscribe,
# subscribe again. Predict: what stays of the old subscription?

# %%
lab.application_server.keys = VapidKeys.generate()  # GET /vapid gives this one now
browser = lab.open()
lab.run(browser.agent.subscribe())  # the page has switched its button on again
lab.application_server.keys = lab.keys  # the mistake is noticed, and the old key put back
fresh = lab.subscriptions()[-1].subscription
print("the same endpoint:", fresh.endpoint == endpoint)
print("the same p256dh:", fresh.p256dh == ua_public)
assert endpoint not in [one.subscription.endpoint for one in lab.subscriptions()]

# %% [markdown]
# Nothing stays. And now that the old key is back, this browser is subscribed for a key that nobody
# has. Predict what the push service says to a message, and whether that removes the subscription.

# %%
outcome = lab.notify(fresh.endpoint, "Are you there?")
print(outcome.status, outcome.kind)
assert lab.subscriptions()[-1].subscription == fresh  # a 403 removes nothing
browser = lab.open()
lab.run(browser.agent.subscribe())  # for the right key this time
print(lab.notify(lab.subscriptions()[-1].subscription.endpoint, "Hello again").status)
browser.close()  # a throw-away browser unsubscribes before it ends
assert browser not in lab.browsers

# %% [markdown]
# **403** is the sender's fault, so the subscription is kept; only 404 and 410 remove one. *Keep
# one key pair, and store with each subscription the key that it was made for*: ours does, in
# `stored.application_server_key`.
#
# ## By hand, and by the library
#
# **pywebpush** takes the same JSON, and must come to the bytes of `decode`. Then it gets the four
# broken ones. Predict how many it notices.

# %%
from pywebpush import WebPusher
theirs = WebPusher(good)
assert (theirs.receiver_key, theirs.auth_key) == (decode(right["p256dh"]), decode(right["auth"]))
for what, keys in broken.items():
    try:
        print(f"{what}: taken, auth is", len(WebPusher(good | {"keys": keys}).auth_key), "bytes")
    except Exception as error:
        print(f"{what}: {type(error).__name__}")

# %% [markdown]
# One. The library sends and does not keep; it is not its task. But an `auth` of 15 bytes encrypts
# without complaint, the push service answers 201, and the browser drops in silence what it cannot
# decrypt. *Check when you save, not when you send.*
#
# ## What you saw
#
# - Six steps, and four who decide: the browser, the person, the push service, your server.
# - An endpoint, 65 bytes that begin with 04, 16 secret bytes. The private key stays in the browser.
# - The endpoint decides where you send; it is shown as its origin.
# - Sent at every page load, a subscription mends what servers forget. It belongs to one key.
#
# **What we left out:** the encryption (03), the worker's `pushsubscriptionchange` (07), how to
# resolve a stranger's host safely, and what each vendor says (08).

# %% [markdown]
# ## Questions
#
# 1. A colleague stores the endpoint alone, to save space. What can she still send?
# 2. Somebody steals your table of subscriptions. Can he read messages that he recorded?
# 3. A site asks as soon as it is loaded, and most say no. Why does a better text come too late?
# 4. Two tabs of one site are open in one browser. How many subscriptions are there?
#
# <details><summary>Answers</summary>
#
# 1. A message without payload. For any text she needs p256dh and auth.
# 2. No: he lacks the browser's private key, and the one that the sender made for each message.
# 3. *Denied* stays denied: only the person can change it, in the browser's settings.
# 4. One. It belongs to the service worker, which both tabs share.
# </details>
#
# **Next:** [03 · Encrypt](03_encrypt.ipynb), where p256dh and auth are put to use, byte by byte.
