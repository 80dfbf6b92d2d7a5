# %% [markdown]
# # 08b · Error clinic, second sitting: the list, the page, the worker, the phone
#
# Much of what goes wrong with web push happens before a message is sent or after it was accepted:
# on your server's list, in the page, in the service worker, on somebody's phone. Most of these
# patients bring no status code. You break pages and workers in real browsers, read what *they* say,
# and mend it.

# %% [markdown]
# ## Where we are
#
# **What hurts without this.** One bad night empties your list of subscribers. A page that asks for
# push does nothing, and the console says `AbortError`. A stranger makes your server call addresses
# inside your own network.
#
# **At the end you can** keep subscribers through a bad night, name the cause when a browser refuses
# to subscribe or shows nothing, say what an iPhone needs and why a message is late, and refuse an
# endpoint that leads into your own network.
#
# **Time:** 40 minutes. **Before this:** [08](08_error_clinic.ipynb), the first sitting;
# [07](07_receive.ipynb) and [07b](07b_worker_life.ipynb) help.

# %%
import json, os, requests, threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from py_vapid import Vapid
from pywebpush import WebPushException, webpush
from pushlab import Lab, PushlabError, PushOptions, PushResponse, PushSubscription, VapidKeys
from pushlab import checks, explain, starter_file
os.environ["no_proxy"] = "127.0.0.1"  # The lab is right here: no proxy in between.
lab = Lab(database="sqlite://")  # in memory: nobody is in it but this lesson's patients
lab

# %% [markdown]
# ## The words
#
# | name | what it is | when it is wrong |
# |---|---|---|
# | **subscription** | endpoint, p256dh, auth: one browser, one key | 404 or 410; for another key 400, 401 or 403 |
# | **applicationServerKey** | the public VAPID key that `subscribe()` gets | `InvalidStateError`, `InvalidAccessError`, `AbortError` |
# | **permission** | `granted`, `denied`, or `default` for no answer yet | `NotAllowedError` |
# | **service worker** | the script that gets the `push` event | `SecurityError`, `TypeError`; or a silent push |
# | **userVisibleOnly** | the promise that each push shows something | `NotAllowedError` |
# | **Urgency** | whether a push service may wake a phone | minutes late |
#
# The numbers of the cases go on from the first sitting. For the first two we need three devices. All
# of them subscribe, and then *Earlier* unsubscribes. *Look for* three statuses: only one is not 201.

# %%
def by_library(text, to, keys=lab.keys, **options):
    signer, claims = Vapid(keys.private_key), {"sub": keys.subject}
    try: got = webpush(to.to_json(), text, signer, claims, timeout=9, ttl=60, **options)
    except WebPushException as error: got = error.response
    return PushResponse(got.status_code, tuple(got.headers.items()), got.content, got.reason)

phones = [lab.open("virtual", name=name) for name in ("Earlier", "Phone", "Tablet")]
for one in phones: one.subscribe()
people = {one.name: one.agent.subscription for one in phones}
phones[0].unsubscribe()
print({who: by_library("Good morning", to).status for who, to in people.items()})

# %% [markdown]
# ## Cases 17, 18 · "One bad night, and nobody is left"
#
# *Earlier* is really gone, and comes first on the list. Then, at night, somebody starts the server with
# new keys. *Predict*:
#
# 1. Is `if answer:` true for a 410?
# 2. How many people does a loop without `try` reach?
# 3. Who is left in the morning, if *refused* means *removed*?
# 4. Do `strict` and four vendors agree on the status of a subscription that is gone? (second cell)

# %%
reached, monday = [], VapidKeys.generate()
try:
    for who, to in people.items():
        webpush(to.to_json(), "18", Vapid(lab.keys.private_key), {"sub": lab.keys.subject})
        reached.append(who)
except WebPushException as error:
    answer = error.response
print(answer.status_code, "· if answer:", bool(answer), "· is not None:", answer is not None)
print("no try:", reached, "· cured:", [by_library("18", to).status for to in people.values()])
night = {who: explain(by_library("17", to, monday)).kind for who, to in people.items()}
print(night)
print("left, if only gone goes:", [who for who, kind in night.items() if kind != "gone"])

# %%
for name in ["strict", "mozilla", "fcm", "apple", "wns"]:
    lab.push_service.flavour = name
    seen = explain(by_library("17", people["Earlier"]))
    print(f"{name:<8}", seen.status, *seen.text.split(" It says: ")[1:], f"[{seen.source}]")
lab.push_service.flavour = "strict"

# %% [markdown]
# 1. No: to `requests`, every answer with a status of 400 or more is *false*. So `if answer:` skips the
#    410, and dead subscriptions pile up. Ask `is not None`.
# 2. None: without a `try` *inside* the loop, one dead subscription silences all after it.
# 3. Nobody: two were refused with 403, for the new key. **A 403 says something about you, a 410
#    something about them.** The old key can be put back; a deleted subscription cannot.
# 4. All five lines say 410, but we know only Mozilla's and Google's answers: the others are the lab's
#    own. RFC 8030 asks for 404 when a subscription has *expired*; a vendor may say 410 then. So a
#    sender treats both alike.
#
# ### Exercise 1 · `keep(status) -> bool`
#
# In: the status of an answer. Out: `True` if the subscription stays. Only two statuses end one
# ([RFC 8030 §7.3](https://www.rfc-editor.org/rfc/rfc8030#section-7.3) names one, vendors use the
# other).

# %%
def keep(status: int) -> bool:
    """Say whether the subscription stays."""
    ### BEGIN SOLUTION
    return status not in (404, 410)
    ### END SOLUTION

# %% tags=["check"]
checks.error_clinic.keep(keep)

# %% [markdown]
# ## A page to break
#
# The next cases happen in a browser. These cells serve a small site from this notebook, as in
# [07b](07b_worker_life.ipynb). Its worker is a naive one, as many articles have it. Then we open the
# real browsers of this machine: `visit()` loads the page in each, and `ask(function)` calls a JavaScript
# function there. (A virtual browser has no JavaScript. Without a real one, the cells of cases 19 and 21
# to 25 give no answers; the executed solution shows those of Firefox 153 and Chromium 156.)

# %%
WORKER = """addEventListener("push", (event) =>
  event.waitUntil(registration.showNotification(event.data.json().title)));"""
PAGE = """<!doctype html><body data-state="ready"><script>
  said = []; onmessage = ({ data }) => said.push(data); navigator.serviceWorker?.register("/sw.js");
  subscribe = (manager, key, options) => manager.subscribe({
    userVisibleOnly: true, applicationServerKey: new Uint8Array(key), ...options,
  }).then(() => "subscribed", (error) => `${error.name}: ${error.message}`);</script>"""
FILES, asked = {"/": PAGE, "/sw.js": WORKER, "/plain.js": WORKER, "/js/sw.js": WORKER}, []

# %%
class Site(BaseHTTPRequestHandler):
    def do_GET(self):
        asked.append(self.path)
        kind = "plain" if "plain" in self.path else "javascript" if ".js" in self.path else "html"
        self.reply(200 if self.path in FILES else 404, "Content-Type", f"text/{kind}")
    def reply(self, status, header, value):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(status), self.send_header(header, value), self.end_headers()
        self.wfile.write(FILES.get(self.path, "").encode())
    def log_message(self, *_): pass
site = ThreadingHTTPServer(("127.0.0.1", 0), Site)
threading.Thread(target=site.serve_forever, daemon=True).start()

# %% tags=["nbval-ignore-output"]
opened = [lab.open(), lab.open("another")]
real = [one for one in opened if one.kind != "virtual"]

def visit(path=""):
    for one in real:
        lab.run(one.agent.open(f"http://127.0.0.1:{site.server_port}/{path}"))

def ask(function, *values):
    return {one.name: lab.run(one.agent.evaluate(function, *values)) for one in real}
visit()

# %% [markdown]
# ## Case 19 · "Subscribe does nothing for some of us"
#
# For an hour the server gave out another key. Whoever subscribed in that hour is tied to that key. Now
# the old key is back, and the *browser* notices first. `attempt` calls `subscribe()` with a key: that of
# the wrong hour, today's, today's as DER, and today's again after an `unsubscribe()`. *Predict* which of
# the four attempts fail, and whether an error names the cause.

# %% tags=["nbval-ignore-output"]
SUBSCRIBE = """async (key, fresh, options) => {
  const { pushManager } = await navigator.serviceWorker.ready;
  if (fresh) await (await pushManager.getSubscription())?.unsubscribe();
  return subscribe(pushManager, key, options); }"""
def attempt(what, key, fresh=False, **options):
    said = ask(SUBSCRIBE, list(key), fresh, options)
    print(what, *[f"\n   {who}: {words}" for who, words in said.items()])
der = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200") + lab.keys.public
for what, key in ("the wrong hour", monday.public), ("today's key", lab.keys.public), ("DER", der):
    attempt(what, key)
attempt("cured", lab.keys.public, fresh=True)

# %% [markdown]
# The second and the third attempt fail, and both errors name the cause. For today's key both browsers
# throw `InvalidStateError`: there is a subscription for *another* key. For the DER they throw
# `InvalidAccessError`: that is not a raw key.
#
# **The cure** is in the page: compare `subscription.options.applicationServerKey` with today's key,
# and if they differ, unsubscribe and subscribe again. The [starter](starter/) does so at each visit.
#
# ## Case 20 · "After the backup, this week's people are missing"
#
# Last week's backup was restored, so this week's rows are lost. We take a row out of the database, and
# then load the lab's page again. *Predict* who notices the loss.

# %%
browser = lab.open()
browser.subscribe()
def known(): return [row.subscription.endpoint for row in lab.subscriptions()]
endpoint = browser.endpoint
lab.application_server.store.remove(endpoint)
print("lost: ", endpoint not in known(), "· the browser is", browser.state)
before, browser = lab.journal.last, lab.open()  # the page is loaded again
status = lab.wait_for("POST /add-subscription", before).detail["status"]
print("cured:", endpoint in known(), "·", status)

# %% [markdown]
# Nobody notices it: neither the browser nor the push service nor the server. The page mends the loss
# by sending its subscription *at each load*: the 201 means that the row is new. That also helps when a
# browser has replaced its endpoint, which it may do at any time (Push API).
#
# ## Cases 21, 22 · "The browser refuses, and says why"
#
# - **21.** Permission was given, and the worker is active. The browser asked *its push service* for an
#   endpoint, and got none. We bring that about with two wrong keys, one off the curve, one compressed.
#   Each of them passes the check of one browser, and fails at that browser's push service.
# - **22.** Permission was given, and `subscribe()` was called without `userVisibleOnly`.
#
# *Predict*: which browser itself refuses which of the three? Does an `AbortError` name the cause?

# %% tags=["nbval-ignore-output"]
visit()
off_curve = lab.keys.public[:-1] + bytes([lab.keys.public[-1] ^ 1])
compressed = bytes([2]) + lab.keys.public[1:33]
attempt("21 off the curve", off_curve, fresh=True)
attempt("21 compressed", compressed, fresh=True)
attempt("22 not userVisibleOnly", lab.keys.public, fresh=True, userVisibleOnly=False)
attempt("cured", lab.keys.public, fresh=True)

# %% [markdown]
# **21.** Firefox itself refuses the key off the curve, and Chromium the compressed one: both errors name
# the key. The other two attempts reach a push service, and end with an `AbortError`, which does not name
# the key. Its words differ, and so do the causes:
#
# | what the browser says | cause | how we know |
# |---|---|---|
# | *push service error* | Brave: switch on *Use Google services for push messaging* | reported: brave/brave-browser #12850, 2020; #41930, 2024 |
# | the same | the network blocks Google: a firewall, some countries | reported: alienzhou/learning-pwa #6, 2020 |
# | the same, or *Error retrieving push subscription* | the push service refuses the key | measured: the cell above |
# | *push service not available* | Electron has no push service in it | reported: electron/electron #6697; #44707, 2024 |
# | *permission denied* | a private window of Chromium | measured, 156 |
# | *no active Service Worker* | the worker is still being installed (case 24) | measured, Chromium 156 |
# | nothing, for ever | the push service is out of reach | measured, 153 and 156 |
#
# **The cure:** in your page, give `subscribe()` a time limit, show the browser's own words, and offer
# to try later. Your server can do nothing: no message has been sent yet.
#
# **22.** Chromium 156 refuses with `NotAllowedError`, and Firefox 153 does not mind. Three other causes
# look the same to the person, who sees no prompt, or no effect. What tells the four apart:
#
# | cause | what a page can see | how we know |
# |---|---|---|
# | an earlier *no* | `Notification.permission` is `denied` before you ask | Notifications API; measured, both |
# | a click lost by an `await` | the permission stays `default`, and there was no prompt | Firefox 72's release notes; WebKit, 2022 |
# | a private window | Chromium: `AbortError`; Firefox: `subscribe()` never ends | measured, 153 and 156 |
# | no `userVisibleOnly` | the permission is `granted`, and `subscribe()` throws | measured: the cell above |
#
# **The cure:** only the person can take back a *no*, in the browser's settings; tell them where. Call
# `Notification.requestPermission()` first in the click handler, before any `await`.
#
# ## Case 23 · "It works on my machine"
#
# - The page is shown in a frame of another site.
# - The page came by plain http from another machine.
# - You subscribed at `127.0.0.1`, and the page is now opened at `localhost`.
#
# Our page at `127.0.0.1` has permission and a worker. In a frame inside it we show a page of
# `localhost`, the same server. *Predict* what the frame gets when it asks for permission, and how many
# workers it has.

# %% tags=["nbval-ignore-output"]
FILES["/around"] = PAGE + f'<iframe src="http://localhost:{site.server_port}/frame"></iframe>'
FILES["/frame"] = """<script>(async () => parent.postMessage({
  answer: await Notification.requestPermission(),
  workers: (await navigator.serviceWorker.getRegistrations()).length }, "*"))()</script>"""
HEARD = """async () => { while (!said.length) await new Promise((go) => setTimeout(go, 20));
  return said[0]; }"""
visit("around")
for who, frame in ask(HEARD).items(): print(who, "· the frame:", frame)

# %% [markdown]
# The frame has no worker, though it is as secure as the page: to a browser, `localhost` and `127.0.0.1`
# are two *origins*, and a worker and its subscription belong to one of them alone. Firefox 153 answers
# `denied` at once, without a prompt. Chromium 156 gives the frame the answer of the page around it:
# `granted` here, and `denied` if that page has no permission (measured in the lab's tests). So your
# widget in somebody else's page cannot ask. **The cure:** let it open a tab of your own site.
#
# By plain http from another machine, `isSecureContext` is false, and a browser offers no service worker
# (Service Workers §6.1; the lab's tests try it with Firefox 153 and Chromium 156). Only https helps. You
# meet this first when you try with a phone; `./lab serve --host ADDRESS --certfile PEM --keyfile PEM` serves
# the lab by https.
#
# ## Case 24 · "The worker is there, and subscribe fails"
#
# - The script is missing (404), or comes as `text/plain`.
# - The script is in `/js/`, and is registered for the whole site.
# - `subscribe()` is called while the worker is still being installed.
#
# *Predict* the error's name for each of the four. In one of them the two browsers differ.

# %% tags=["nbval-ignore-output"]
REGISTER = """(script, scope) => navigator.serviceWorker.register(script, scope && { scope })
  .then(() => "registered", (e) => e.name)"""
EARLY = """async (key) => { const slow = { scope: "/slow/" };
  return subscribe((await navigator.serviceWorker.register("/slow.js", slow)).pushManager, key); }"""
FILES["/slow.js"] = "oninstall = (e) => e.waitUntil(new Promise((go) => setTimeout(go, 2000)));"
for script, scope in ("/gone.js", None), ("/plain.js", None), ("/js/sw.js", "/"), ("/sw.js", None):
    print(script, scope or "", ask(REGISTER, script, scope))
print("too early", ask(EARLY, list(lab.keys.public)))

# %% [markdown]
# A missing script is a `TypeError`; the wrong type and the wide scope are both `SecurityError`. The last
# script is right: it is the control. If `subscribe()` comes too early, Chromium throws `AbortError: …
# no active Service Worker`, and Safari `InvalidStateError` (WebKit's source), while Firefox subscribes a worker
# that is still being installed.
#
# **The cure:** serve the script from the top of the site, as `text/javascript`. Look at the error of
# `register()` first, then `await navigator.serviceWorker.ready`, which never fails and may never end
# ([07b](07b_worker_life.ipynb), section 2).
#
# ## Case 25 · "This site has been updated in the background"
#
# Here the `push` event *does* come, and the worker shows nothing. We send half a JSON text and then a
# whole one, titled *One*, to the naive worker. Then the [starter's](starter/) worker gets the same, with
# the title *Two*. *Predict* what each browser shows in the end.

# %%
KEYS = """async () => JSON.stringify(
  await (await navigator.serviceWorker.ready).pushManager.getSubscription())"""
UPDATE = """async () => { const registration = await navigator.serviceWorker.ready;
  await registration.update();
  while (registration.installing || registration.waiting)
    await new Promise((go) => setTimeout(go, 20)); }"""
def stored():
    made = [PushSubscription.from_json(text) for text in ask(KEYS).values()]
    for one in made: lab.application_server.store.save(one, lab.keys.application_server_key)
    return [row for row in lab.subscriptions() if row.subscription in made]

# %% tags=["nbval-ignore-output"]
rows, server = stored(), lab.application_server
for worker, last in ("naive", "One"), ("starter", "Two"):
    for row in rows:
        for payload in b'{"title": "Tra', json.dumps({"title": last}).encode():
            lab.run(server.sender.send(row, payload, PushOptions()))
    for one in real:
        one.wait_for_notification(title=last)
        print(worker, one.name, [shown.title for shown in one.notifications()])
    if worker == "naive":
        FILES["/sw.js"] = str(starter_file("sw.js"))
        ask(UPDATE)

# %% [markdown]
# The naive worker shows *One* alone: reading half a JSON text throws, and nobody sees that. The
# starter's worker shows the broken payload too, as text under the title *News*. **The cure:** show
# *something* for any payload, and hand the promise for all of it to `waitUntil`. Without that call, the
# browser may stop the worker before it shows anything; [07](07_receive.ipynb), section 6, has a model.
#
# What a silent push costs (the table in 07 has more): Chrome shows the sentence of this case's title in
# your name (documented by Google), Firefox 153 ends the subscription after 15 of them (measured), and
# Safari after the third (WebKit's source; Apple, WWDC 2022).
#
# ## Case 26 · "Not on my iPhone"
#
# We have no iPhone here, so this is Apple's word (WebKit's blog, 2023-02 and 2025-03). Push needs:
#
# 1. iOS or iPadOS 16.4 or later, and a manifest whose `display` is `standalone` or `fullscreen`.
# 2. The person adds the site to the Home Screen, and opens it *there*. A tab has no `PushManager`.
# 3. The page asks for permission when a button is tapped.
#
# From iOS 18.4 a *declarative* message needs no worker: the browser itself reads what to show. We can
# try its form, because the lab's worker reads it too. We send two, one of them with a natural mistake.
# *Predict* what the virtual phone shows for each.

# %%
print(starter_file("manifest.webmanifest"))
tapped = {"title": "News", "navigate": "https://example.com/"}
for number in "8030", 8030:
    by_library(json.dumps({"web_push": number, "notification": tapped}), people["Phone"])
by_library("26 is over", people["Phone"])
phones[1].wait_for_notification("26 is over")
print("as text, as a number:", [one.title for one in phones[1].notifications()[-3:-1]])

# %% [markdown]
# With `web_push` as text the message is not declarative, and the worker shows it as an unknown payload.
# With the number, it shows *News*. In Safari, too, a message that is not declarative goes to the
# worker's `push` event (same blog, 2025-03).
#
# **The cure:** tell people with an iPhone how to add the site to the Home Screen, and offer your button
# only where `"PushManager" in window`.
#
# If it worked once and stopped, think of silent pushes first (case 25). The endpoint then answers 404
# or 410, and the next visit subscribes anew.
#
# ## Case 27 · "Our server calls addresses that it should not know"
#
# The endpoint comes from a stranger. This one is a server of the stranger's own. It answers your POST
# with a redirect to `/admin`, an address *inside* your network. *Predict* the status that pywebpush
# returns, and whether `/admin` gets a request.

# %%
Site.do_POST = lambda self: self.reply(302, "Location", "/admin")
FILES["/admin"] = "All users were deleted."
trap = replace(people["Phone"], endpoint=f"http://127.0.0.1:{site.server_port}/push")
print("pywebpush:", by_library("27", trap).status, "· GET /admin:", asked.count("/admin"))
firm = requests.Session()
firm.get_redirect_target = lambda response: None  # as the starter's server does
asked.clear()
status = by_library("27", trap, requests_session=firm).status
print("cured:    ", status, "· GET /admin:", asked.count("/admin"))
try: lab.application_server.subscribe(replace(trap, endpoint="http://192.168.0.1/admin"))
except PushlabError as error: print("the lab:  ", error.detail)

# %% [markdown]
# pywebpush 2.5.0 follows the 302, turns your POST into a GET of `/admin`, and takes its 200 for success.
# (This is *server-side request forgery*, SSRF.) **The cure** has two parts. Follow no redirect:
# endpoints do not move. And accept only https, and only if *each* address of the host is public. A
# name stands for whatever its owner's DNS answers, so look when you connect, not only when you save.
# The starter's `PublicConnection` does that.
#
# ### Exercise 2 · `may_send(endpoint, addresses) -> bool`
#
# In: the endpoint, and the addresses (a list of texts) that its host has just resolved to. Out: `True`
# if it is https, there is an address, and each one is public. Python's `ip_address(text)` has two
# attributes for that, `is_private` and `is_global`: compare what they say of `100.64.0.1`.

# %%
def may_send(endpoint: str, addresses: list[str]) -> bool:
    """Say whether a sender may connect to this endpoint. RFC 8030 §8."""
    ### BEGIN SOLUTION
    known = [ip_address(address) for address in addresses]
    return endpoint.startswith("https://") and bool(known) and all(one.is_global for one in known)
    ### END SOLUTION

# %% tags=["check"]
checks.error_clinic.may_send(may_send)

# %% [markdown]
# ## Case 28 · "It comes, but minutes late"
#
# Somebody hears of a call when it is over. The phone lay on the table with its screen off, and the
# message had no Urgency. One line of the cell plays the phone's system, which wakes the radio for `high`
# alone. *Predict* which Urgency the library sends if you give none, and when the first message arrives.

# %%
phone, to, before = phones[1], people["Phone"], lab.journal.last
signer = Vapid(lab.keys.private_key)
lab.run(phone.agent.disconnect())  # the radio is off
lab.wait_for("disconnect", before)
for text, headers in ("28 a call", {}), ("28 cured", {"Urgency": "high"}):
    claims = {"sub": lab.keys.subject}
    sent = webpush(to.to_json(), text, signer, claims, ttl=60, headers=headers).request.headers
    waiting = lab.push_service.presence(to.endpoint)[1]
    print(text, "· Urgency:", sent.get("Urgency"), "·", waiting, "waiting")
    if headers: lab.run(phone.agent.connect())
phone.wait_for_notification("28 cured")
print([one.body for one in phone.notifications()[-2:]])

# %% [markdown]
# The library sends no Urgency, which means `normal`
# ([RFC 8030 §5.3](https://www.rfc-editor.org/rfc/rfc8030#section-5.3)). The call waits until something
# wakes the phone: here the second message. On Android, `normal` may wait until the phone leaves Doze,
# and `high` is tried at once (documented by Google, read in November 2026, for FCM's own API).
#
# **The cure:** `high` with a short TTL for what is worthless later, and no Urgency for the rest: Google
# may treat your `high` as `normal` if it often shows nothing (same source). To find the cause, send a
# `normal` and a `high` message to one phone. If both are late, look for a battery saver, or a vendor's
# list of sleeping apps. If the worker ran and nobody saw anything, look at the system's settings and
# at Focus.

# %%
print({who: by_library("Good night", to).status for who, to in people.items()})
assert all(one.wait_for_notification("Good night") for one in phones[1:])
for row in rows: lab.application_server.store.remove(row.subscription.endpoint)
for one in [*opened, *phones]: one.close()
site.shutdown()
site.server_close()

# %% [markdown]
# Everybody who had not left was reached, because nobody else was removed. The clinic closes.
#
# ## What you saw: the card on the wall, second half
#
# | case | what people say | look at |
# |---|---|---|
# | 17 | dead subscriptions are never removed | `if answer:` where `is not None` belongs |
# | 18 | after one dead endpoint nobody gets anything | a `try` inside the loop |
# | 19 | InvalidStateError | another applicationServerKey; in Safari also case 24 |
# | 20 | people are missing after a restore | what the page sends at each visit |
# | 21 | AbortError | Brave's setting, Electron, a firewall, the key |
# | 22 | no prompt, or NotAllowedError | an earlier no, a lost click, userVisibleOnly |
# | 23 | works on one machine only | a frame, plain http, another origin |
# | 24 | the worker does not start | 404, MIME type, scope, site data blocked, not active yet |
# | 25 | "updated in the background" | `waitUntil`, a payload that does not parse |
# | 26 | not on an iPhone | Home Screen, manifest, a tap |
# | 27 | strange requests inside your network | redirects, the endpoint's addresses |
# | 28 | minutes late | Urgency, battery savers |
#
# **What we left out:** two workers that both listen to `push`, and updates that do not arrive (07b);
# what a server should count and when it should raise an alarm ([09](09_operate.ipynb)).

# %% [markdown]
# ## Questions
#
# 1. The console says `AbortError`. Name three causes, and what tells them apart.
# 2. A message was accepted with 201, and nothing was seen. In which order do you look?
# 3. Why is it not enough to check an endpoint's host when the subscription is stored?
#
# <details><summary>Answers</summary>
#
# 1. Brave or a blocked network (*push service error*), Electron (*not available*), a private window
#    (*permission denied*), a worker that is not active (*no active Service Worker*). Read the words
#    after the name.
# 2. Was there a `push` event? If not: the keys (13), TTL and a closed browser (14), Urgency (28). If
#    there was: the worker (25). If the worker showed it: the system's settings, Focus, and the screen.
# 3. The host's DNS belongs to a stranger, and may answer with another address when you connect. And a
#    public host may redirect you.
# </details>
#
# **Next:** [09 · Operate](09_operate.ipynb), where your sender has to run for years.
