# %% [markdown]
# # 02 · Subscribe: what a browser hands out, and whose it is
#
# Before anybody can push, a browser has to hand out three things: an address to post to, a key to
# encrypt for, and a secret. Together they are a *subscription*. Here you take the six steps that
# lead to one, open the JSON that arrives, and build the routes that keep it, for people who log out
# and share machines.

# %% [markdown]
# ## Where we are
#
# In lesson 01 the application server got its keys. Now the user agent makes its own.
#
# **What hurts without this.** A server stores a broken subscription without complaint, and sending
# fails weeks later. When a subscription is lost, you cannot reach its owner. When it is tied to the
# wrong person, Bob sees Alice's message.
#
# **At the end you can** ask for permission well, capture a subscription, say who knows each part,
# check, store, update and remove it, tie it to a person and a session, protect the routes, and say
# what each platform allows.
#
# **Time:** 40 minutes. **Before this:** [00](00_start_here.ipynb); [01](01_keys.ipynb) helps.

# %%
import base64, json, os, socket, sys, tempfile
from http.cookiejar import CookieJar
from subprocess import PIPE, Popen
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPCookieProcessor, ProxyHandler, Request, build_opener
from pywebpush import WebPusher
from pushlab import Lab, PushSubscription, VapidKeys, base64url, byte_map, checks
from pushlab import examples, starter_file, trace
lab = Lab()
print(lab)
good = examples.RFC8291.subscription.to_json()  # a public example, from the RFC

# %% [markdown]
# ## The words
#
# | name | bytes, or form | made by | who knows it |
# |---|---|---|---|
# | **endpoint** | a URL | push service | all three parties |
# | **p256dh**, a public key | 65 | user agent | user agent, application server |
# | the private half of p256dh | 32 | user agent | user agent alone |
# | **auth**, a secret | 16 | user agent | user agent, application server |
# | **applicationServerKey** | 65 | application server | all three parties |
# | **expirationTime** | ms since 1970, or null | user agent | user agent, application server |
#
# The push service has neither p256dh nor auth: it can carry your messages for years and read none.
# `expirationTime` is null in Firefox 153 and Chromium 156 (measured). Store it, and do not rely on it.
#
# ## 1 · The page, and its six steps
#
# | step | who decides | how it fails |
# |---|---|---|
# | 1 a secure context | user agent | plain http from another machine |
# | 2 a browser with web push | user agent | a browser inside an app; an iPhone without Home Screen |
# | 3 a service worker | user agent | wrong folder, wrong MIME type, not active *yet* |
# | 4 permission | the person | asked too early, refused, private window |
# | 5 a subscription | user agent, push service | another key: `InvalidStateError`; push service out of reach: no answer, for ever |
# | 6 stored | application server | broken JSON, an endpoint that it does not allow |
#
# Walk them in the panel if you like; the cells below do the same.

# %%
lab.panel()

# %%
browser = lab.open()
if browser.state != "unregistered":  # you have pressed the buttons yourself
    browser.unregister()
print(browser.state)

# %% [markdown]
# ## 2 · A page to copy
#
# This is `app.js` of the [starter](starter/), a small app with nothing of the lab in it. *Look for*
# the answers to these questions:
#
# - What does a click on the button do first?
# - When does the page send its subscription to the server? There are two moments.
# - What happens if the server's key has changed?

# %%
starter_file("app.js")

# %% [markdown]
# - The click begins with `Notification.requestPermission()`. Firefox (since 72) and Safari ask only
#   while they handle a click or a key (Mozilla's and WebKit's release notes), and an `await` before the
#   question can lose that moment. Chrome also asks without a click. Do not rely on that.
# - The page sends the subscription when it is made, and again at *each visit*.
# - If the server's key has changed, the page ends the old subscription and makes a new one. It does the
#   same when the server answers 410.
# - `userVisibleOnly` promises that every push shows something. Chromium 156 refuses to subscribe
#   without it; Firefox 153 does not check it (measured).
#
# **Ask well.** The answer *no* lasts: only the person can change it, in the browser's settings. So
# explain first, in your own words, what will come and how often, beside a button. Ask the browser when
# somebody has pressed that button. A person who closes the prompt has not said no, so you may ask at
# another click. But a prompt that was closed three times is blocked in Chrome
# [for a week or so](https://chromestatus.com/feature/6443143280984064) (documented, 2021). Chrome shows
# a quiet icon in its place to people who usually refuse, and on sites that most people refuse
# ([documented, 2020](https://blog.chromium.org/2020/01/introducing-quieter-permission-ui-for.html)).
# The prompt looks different on each platform, so do not show a picture of it. Older
# articles pass a callback to `requestPermission()`; the promise is enough today.
#
# The next cell presses *Subscribe* on the lab's page. Predict the order in which the person and the two
# servers are asked.

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
# The person is asked first, then the application server (for its key), then the push service (for an
# endpoint), then the application server again. The key is public, so it may also be in the page.
#
# ## 3 · What each platform allows
#
# | where | what it needs | how we know |
# |---|---|---|
# | Firefox, Chrome, Edge on a desktop | permission | measured on Linux with Firefox 153 and Chromium 156; the others: MDN 2025 |
# | the same on Android | permission | MDN 2025 |
# | Safari on a Mac | macOS 13, Safari 16, a gesture | WebKit's blog, 2022-06 |
# | iPhone, iPad | iOS or iPadOS 16.4, a web app on the Home Screen, a gesture | WebKit's blog, 2023-02 |
# | a browser inside an app (WebView) | impossible | MDN 2025 |
# | a private window | Firefox: `subscribe()` never ends; Chromium: `AbortError` | measured, the same versions |
# | a frame of another site | open a page of your own instead | MDN 2025: no prompt there |
# | Brave | its setting for Google's push messaging | reported, 2024 |
#
# **What browsers take back:** Chrome removes the permission of sites that send much and are seldom
# visited (Chromium's blog, 2025-10). Firefox 153 ends a subscription after 15 silent pushes with no
# page open (measured). When a site's service worker is unregistered, its subscription ends with it (Push
# API). After that the endpoint answers 404 or 410, and the next visit starts anew. **Older articles are
# out of date:** Google's FCM has replaced GCM, and needs no account; Edge is a Chromium; Safari has web
# push beside its own older API (Apple, WWDC 2022); and iOS has web push.
#
# ## 4 · What arrives
#
# We look at what the lab's application server has stored. The values stay out of this notebook: an
# endpoint is an address that only you should know, and whoever has p256dh and auth can encrypt for this
# browser.

# %%
stored = lab.subscriptions()[-1]  # the newest
endpoint = stored.subscription.endpoint
members = stored.subscription.to_json()
print(list(members), list(members["keys"]))
for name, text in members["keys"].items():
    print(name, len(text), "characters of base64url")

# %% [markdown]
# Four characters carry three bytes: 87 carry 65, and 22 carry 16. base64url (RFC 4648 §5) has `-` and
# `_` in place of `+` and `/`. Browsers leave out the `=` at the end, and Python's decoder demands it.
# *Look at* the first byte. The picture shows the RFC's key, not your browser's.

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
# p256dh is a point on the curve P-256, as the VAPID key is. `auth` is 16 random bytes.
#
# ### Exercise 1 · `unpack`
#
# Write `unpack(subscription_json: str) -> tuple[str, bytes, bytes]`. In: the text that the page
# sends. Out: the endpoint as it is, p256dh, auth.

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
# ## 5 · The endpoint decides
#
# You never choose a push service. The browser brings its own, and you see it in the endpoint's host:
# `updates.push.services.mozilla.com`, `fcm.googleapis.com`, `web.push.apple.com`,
# `….notify.windows.com`. Whoever knows the whole URL may post there (RFC 8030 §8.3), unless the
# subscription is tied to a VAPID key, as ours is. Logs and notebooks show the **origin** alone all the
# same.
#
# ### Exercise 2 · `origin`
#
# Write `origin(endpoint: str) -> str`: scheme, `://`, host in lower case, and the port unless it is
# the scheme's own (443 for https, 80 for http). No path, no slash at the end. Lesson 04 needs it.

# %%
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
# ## 6 · Break it, and see who notices
#
# We bend the keys of the RFC's example in four ways. The lab checks when it stores, and pywebpush
# takes the same JSON when it sends. Predict: how many of the four does each of them notice?

# %%
right, auth = good["keys"], good["keys"]["auth"]
broken = {"swapped": {"p256dh": auth, "auth": right["p256dh"]}}
broken |= {"auth cut": right | {"auth": auth[:-2]}, "auth padded": right | {"auth": auth + "=="}}
broken["off the curve"] = right | {"p256dh": base64url.encode(b"\x04" + bytes(64))}  # x = y = 0
for what, keys in broken.items():
    for who, take in (("lab", PushSubscription.from_json), ("pywebpush", WebPusher)):
        try:
            take(good | {"keys": keys})
            print(f"{what}: taken by {who}")
        except Exception as error:
            print(f"{what}: refused by {who} ({type(error).__name__})")

# %% [markdown]
# The lab notices all four. pywebpush notices one, the swapped keys: checking what you store is not its
# task. An `auth` of 15 bytes encrypts without complaint, the push service answers 201, and the browser
# drops what it cannot decrypt. *So check keys when you save.* The padded `auth` holds the right bytes,
# but no browser writes padding: somebody has rewritten it on the way.
#
# ### Exercise 3 · `faults`
#
# Write `faults(subscription: dict) -> list[str]`. In: the parsed JSON; you may trust that its keys are
# valid base64url. Out: *all* its faults, in this order, or `[]`.
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
# ## 7 · Whose subscription is it?
#
# A subscription belongs to a *browser*. A person has several, and a machine in a library has many
# people. The lab's routes take a bare endpoint from anybody, because everybody here is you. A real
# server ties it to a **session**: one person, in one browser. These are the starter's routes, in
# Tornado and SQLite; any language and framework will do. *Look for* what ends a subscription.

# %%
parts = "class AddSubscription", "class RemoveSubscription", "class NotifyMe"
starter_file("server.py", "SCHEMA", *parts)

# %% [markdown]
# - **Several devices**: one row for each session. `NotifyMe` queues a message for each.
# - **Log-out** deletes the session, and the database deletes its subscription with it. The page then
#   unsubscribes and closes what is still shown. If a session expires without a log-out, the messages
#   stop all the same.
# - **Upsert**: the endpoint is the primary key, so a page may send it at each visit.
# - **The next person** in the same browser sends the same endpoint. Before it is stored, the server
#   deletes the row of the person before, with the messages that wait for it.
# - **To know an endpoint is not to own it**: a known endpoint with other keys is refused.
#
# We run `python server.py`, and play two people, each with a cookie. Predict the statuses.

# %%
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    here = f"http://127.0.0.1:{probe.getsockname()[1]}"
where = os.environ | {"PORT": here.rpartition(":")[2], "DATA": tempfile.mkdtemp()}
program = Popen([sys.executable, starter_file("server.py").path], env=where, stderr=PIPE)
program.stderr.readline()  # it writes a line when it listens
def say(cookies, route, value, site=here):
    request = Request(f"{here}/{route}", json.dumps(value).encode(), {"Origin": site})
    try:
        return build_opener(ProxyHandler({}), HTTPCookieProcessor(cookies)).open(request).status
    except HTTPError as error:
        return error.code

# %%
alice, bob = CookieJar(), CookieJar()
print("without a session:", say(alice, "add-subscription", good))
for cookies, name in ((alice, "alice"), (bob, "bob")):
    say(cookies, "login", {"name": name, "password": f"{name}'s password"})
print("new, and known:", say(alice, "add-subscription", good), say(alice, "add-subscription", good))
print("with Alice's cookie, from another site:", say(alice, "notify-me", {}, "https://evil.example"))
print("Bob removes Alice's:", say(bob, "remove-subscription", good))
print("Bob has none:", say(bob, "notify-me", {}))
inside = {"endpoint": "http://192.168.0.1/", "keys": right}
print("an endpoint in our network:", say(alice, "add-subscription", inside), "by http")
print("by https:", say(alice, "add-subscription", inside | {"endpoint": "https://192.168.0.1/"}))

# %% [markdown]
# - **401**: no session.
# - **201**, then **200**: new, then known.
# - **403**: a form on another site may post to your server with Alice's cookie (CSRF). Two things
#   protect her: the server compares the header `Origin`, which no page can forge; and the cookie is
#   `SameSite=Lax`, so the browser leaves it out of such a post.
# - Bob's removal gets **200** and removes nothing, since the row is not his. **409**: he has no device.
# - The last two are a warning: http is refused (**400**), but https to the same address is taken
#   (**201**). *Check endpoints when you send, too*: a name that was public yesterday may lead into your
#   network today. The starter looks at the address of each connection that it has opened.
#
# ### Exercise 4 · `respond`
#
# Write `respond(kept: dict, user: str | None, route: str, body: dict) -> int`. `kept` maps an endpoint
# to `{"user": …, "keys": …}`; change it, and return the status:
#
# - nobody is logged in (`None`): 401
# - `add-subscription`, with `endpoint` and `keys`: 201, or 200 if it was known; it is this user's now.
#   Known with other keys: 409, and nothing changes
# - `remove-subscription`, with `endpoint`: 200; 404 if it is not this user's (the starter says 200)
# - `notify-me`: 202; 409 if this user has no subscription

# %%
def respond(kept: dict, user: str | None, route: str, body: dict) -> int:
    """Change ``kept`` as the route says, and return the status."""
    ### BEGIN SOLUTION
    endpoint = body.get("endpoint")
    known, mine = kept.get(endpoint), [one for one in kept if kept[one]["user"] == user]
    if user and route == "add-subscription" and known and known["keys"] != body["keys"]:
        return 409
    if user and route == "add-subscription":
        kept[endpoint] = {"user": user, "keys": body["keys"]}
        return 200 if known else 201
    if user and route == "remove-subscription":
        return 200 if endpoint in mine and kept.pop(endpoint) else 404
    return 401 if not user else 202 if mine else 409
    ### END SOLUTION

# %% tags=["check"]
checks.subscribe.respond(respond)

# %% [markdown]
# ## 8 · At each visit, and another key
#
# 1. The lab's server forgets the subscription, and we only load the page.
# 2. The server gets another key. We load the page and press *Subscribe*, because the page offers it.
#
# Predict for each: does the endpoint stay the same?

# %%
lab.application_server.store.remove(endpoint)  # as if last week's backup had been restored
before = lab.journal.last
browser = lab.open()  # the same browser loads the page anew
print("forgotten:", lab.wait_for("POST /add-subscription", before).detail["status"])
assert lab.subscriptions()[-1].subscription.endpoint == endpoint  # and nobody pressed a button
lab.application_server.keys = VapidKeys.generate()  # GET /vapid gives this one now
browser = lab.open()
lab.run(browser.agent.subscribe())
lab.application_server.keys = lab.keys  # the mistake is noticed, and the right key put back
fresh = lab.subscriptions()[-1].subscription
print("same endpoint, p256dh:", fresh.endpoint == endpoint, fresh.p256dh == ua_public)
print("signed with the right key again:", lab.notify(fresh.endpoint, "Are you there?").status)

# %% [markdown]
# After the server forgot, the endpoint is the same, and the server stored it as new: 201, before
# anybody noticed. With another key, endpoint and p256dh are both new. And people who subscribed during
# the mistake have a subscription for the wrong key. When the server signs with the right one again,
# their push service answers **403**. That is the sender's fault, so the subscription is kept; only 404
# and 410 remove one. The next visit mends it. *Keep one key pair, and
# store with each subscription the key that it was made for.* Lesson 01 changes keys with care.

# %%
program.terminate()
program.communicate()
browser = lab.open()
lab.run(browser.agent.subscribe())  # for the right key this time
print(lab.notify(lab.subscriptions()[-1].subscription.endpoint, "Hello again").status)
browser.close()  # a throw-away browser unsubscribes before it ends

# %% [markdown]
# ## What you saw
#
# - Six steps, and four who decide: browser, person, push service, your server.
# - An endpoint, 65 bytes that begin with 04, 16 secret bytes. The private key stays in the browser.
# - A row belongs to a session. Log-out ends it, and every route asks whose it is.
# - Check keys when you save, and addresses also when you send.
# - Sent at each visit, a subscription mends what servers forget.
#
# **What we left out:** the encryption (03), what ends a subscription without you and
# `pushsubscriptionchange` (07b), what each vendor says (08).

# %% [markdown]
# ## Questions
#
# 1. A colleague stores the endpoint alone, to save space. What can she still send?
# 2. Somebody steals your table of subscriptions. Can he read messages that he recorded?
# 3. Two tabs of one site are open in one browser. How many subscriptions are there?
#
# <details><summary>Answers</summary>
#
# 1. A message without payload. For any text she needs p256dh and auth.
# 2. No: he lacks the browser's private key, and the one that the sender made for each message.
# 3. One. It belongs to the service worker's registration, which both tabs share.
# </details>
#
# **Next:** [03 · Encrypt](03_encrypt.ipynb), where p256dh and auth are put to use, byte by byte.
