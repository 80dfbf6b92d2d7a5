# %% [markdown]
# # 07b · The worker's life: installed, waiting, active, and gone
#
# You change your service worker, load the page, and the old one still runs. Somebody gets every
# notification twice. Both have one cause: a worker has a life of its own, longer than that of any
# page. Here you see each stage of it in real browsers, with a site served from this notebook.

# %% [markdown]
# ## Where we are
#
# **What hurts without this.** You mend the worker, and your users' browsers go on with the old one.
# `navigator.serviceWorker.ready` never resolves. A subscription ends, and nobody tells you.
#
# **At the end you can** say which version of a worker runs and when the next one takes over,
# bring a mended worker to everybody, find a worker that is registered twice, say what ends a
# subscription and who tells you, write a declarative message, and look inside with the browsers'
# own tools.
#
# **Time:** 35 minutes. **Before this:** [07](07_receive.ipynb).

# %%
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from pushlab import Lab, PushOptions, PushSubscription, checks, starter_file

lab = Lab()
print(lab)

# %% [markdown]
# ## The words
#
# | name | what it is |
# |---|---|
# | **registration** | what `register()` makes: a scope, and the workers for it. It stays when the page is gone |
# | **scope** | the folder whose pages belong to the registration |
# | **installing, waiting, active** | a registration's three places. Only the active worker gets `push` |
# | **controller** | the active worker that a page had when it was loaded, or that has claimed it since |
# | **update** | the browser fetches the script again and compares it, byte by byte |
# | **`skipWaiting()`** | the worker's wish to become active at once |
# | **`clients.claim()`** | the active worker becomes the controller of pages that have none, or an older one |
#
# ## 1 · A site of our own
#
# We need a worker that we can change at will. This cell serves a page and a worker from a dictionary,
# at a port of this machine. The page keeps what the worker tells it in a list, `said`.

# %%
FILES = {"/": """<!doctype html><body data-state="ready"><script>
    said = []; navigator.serviceWorker.onmessage = (event) => said.push(event.data);</script>"""}
class Site(BaseHTTPRequestHandler):
    def do_GET(self):
        kind = "javascript" if self.path.endswith(".js") else "html"
        self.send_response(200 if self.path in FILES else 404)
        self.send_header("Content-Type", f"text/{kind}")
        self.end_headers()
        self.wfile.write(FILES.get(self.path, "").encode())
    def log_message(self, *_): pass
site = ThreadingHTTPServer(("127.0.0.1", 0), Site)
threading.Thread(target=site.serve_forever, daemon=True).start()

# %% [markdown]
# Next, we open the real browsers of this machine. `visit()` loads the page in each, and
# `ask(function)` calls a JavaScript function in each page. (A virtual browser has no JavaScript.
# Without a real one, each answer below is `{}`; the executed solution shows Firefox 153 and
# Chromium 156.)

# %% tags=["nbval-ignore-output"]
opened = [lab.open(), lab.open("another")]
real = [one for one in opened if one.kind != "virtual"]

def visit():
    for one in real:
        lab.run(one.agent.open(f"http://127.0.0.1:{site.server_port}/"))

def ask(function, *values):
    return {one.name: lab.run(one.agent.evaluate(function, *values)) for one in real}

# %% [markdown]
# ## 2 · `ready` that never resolves
#
# Many examples begin with `await navigator.serviceWorker.ready`. Our page has registered nothing yet.
# Predict: does `ready` reject, or wait? We give it a second.

# %% tags=["nbval-ignore-output"]
READY = """() => Promise.race([
    navigator.serviceWorker.ready.then(() => "resolved"),
    new Promise((resolve) => setTimeout(() => resolve("still waiting"), 1000))])"""
visit()
answers = ask(READY)
assert set(answers.values()) <= {"still waiting"}
answers

# %% [markdown]
# `ready` waits, and it never rejects (the specification says so). It waits for ever if nobody calls
# `register()`, if the registration failed, or if the worker's scope does not cover this page. So
# call `register()` first and look at *its* error, as the starter does. Three errors that people meet:
#
# - `SecurityError`: the script is not allowed for this scope. A worker at `/js/sw.js` may have the
#   scope `/js/` and no more, unless the server sends the header `Service-Worker-Allowed`.
# - `TypeError`: the script was not found (404), or throws when it starts.
# - `SecurityError` again: the server sends the script as `text/plain` or `text/html`. (A single-page
#   app sends its `index.html` for every unknown path.)
#
# ## 3 · Registered, and what arrives
#
# The worker of our site shows its version for each push, and tells the page what it got. *Look for*
# the listener of `message`: through it we shall ask a waiting worker to take over.

# %%
WORKER = """const VERSION = 1;
const tell = async (what) => {
  for (const page of await clients.matchAll({ includeUncontrolled: true })) page.postMessage(what);
};
const attempt = (read) => { try { return read(); } catch (error) { return error.name; } };
const look = (data) => data && [attempt(() => data.json()), attempt(() => data.text())];
addEventListener("push", (event) => event.waitUntil(Promise.all([
  registration.showNotification(`version ${VERSION}`),
  tell({ version: VERSION, data: look(event.data) })])));
addEventListener("message", () => skipWaiting());
addEventListener("pushsubscriptionchange", (event) => event.waitUntil(tell(
  { change: event.oldSubscription !== null, renewed: event.newSubscription !== null })));"""

# %% [markdown]
# `register()` resolves when the browser has the script, *before* the worker is active. At that
# moment Chromium 156 refuses `subscribe()` (`AbortError: … no active Service Worker`), and Firefox 153
# accepts the call: we measured both. So this function waits until the worker is active.

# %%
SUBSCRIBE = """async (key, script) => {
  const registration = await navigator.serviceWorker.register(script);
  while (registration.active?.state !== "activated") await new Promise((go) => setTimeout(go, 20));
  const options = { userVisibleOnly: true, applicationServerKey: key };
  return (await registration.pushManager.subscribe(options)).toJSON(); }"""

# %%
store, key = lab.application_server.store, lab.keys.application_server_key

def subscribe(script):
    """Subscribe in each browser with this worker, and return what the server has stored."""
    made = {who: PushSubscription.from_json(text) for who, text in ask(SUBSCRIBE, key, script).items()}
    for one in made.values():
        store.save(one, key)
    return {who: row for row in lab.subscriptions() for who in made if row.subscription == made[who]}

FILES["/sw.js"] = WORKER
rows = subscribe("sw.js")

# %% [markdown]
# `send` sends bytes to each browser, and `heard` returns what their workers then told the page. With
# them we run the table of lesson 07: what do `json()` and `text()` give? Predict it for each payload.
# In which line do the two browsers differ?

# %% tags=["nbval-ignore-output"]
HEARD = """async (count) => {
  while (said.length < count) await new Promise((go) => setTimeout(go, 20));
  return said.splice(0); }"""
heard = lambda count=1: ask(HEARD, count)

def send(payload, rows=rows):
    for row in rows.values():
        lab.run(lab.application_server.sender.send(row, payload, PushOptions()))

# %% tags=["nbval-ignore-output"]
for payload in (None, b"", b"text", b'{"a": 1}', b"caf\xe9"):
    send(payload)
    print(payload, {who: said[0]["data"] for who, said in heard().items()})

# %% [markdown]
# The browsers differ only for `caf\xe9`, which is not UTF-8. Firefox puts `U+FFFD` into the text, and
# `json()` throws, because that text is not JSON. In Chromium, `event.data` is `null`, as if nothing had
# been sent. For no payload and for an empty one, both give `null`.
#
# ## 4 · A real update
#
# We load the page, so that version 1 is its controller, and change one digit of the worker. Then
# `update()` makes the browser fetch the script. Predict:
#
# - Which version is active afterwards?
# - Which version shows the next message?

# %%
UPDATE = """async () => {
  const registration = await navigator.serviceWorker.getRegistration();
  await registration.update();
  while (registration.installing) await new Promise((go) => setTimeout(go, 20));
  return { waiting: registration.waiting?.state ?? null, active: registration.active.state }; }"""

# %% tags=["nbval-ignore-output"]
visit()
FILES["/sw.js"] = WORKER.replace("VERSION = 1", "VERSION = 2")
states = ask(UPDATE)
send(b"Who are you?")
versions = {who: said[0]["version"] for who, said in heard().items()}
assert all(state == {"waiting": "installed", "active": "activated"} for state in states.values())
assert set(versions.values()) <= {1}
print(states, versions, sep="\n")

# %% [markdown]
# Version 2 is installed and **waits**. Version 1 is active and showed the message. By itself, a browser
# never changes the worker of an open page, because the two may need each other's version. The
# waiting worker takes over when no page with the old controller is left. A *reload* is not enough:
# the new page begins before the old one ends. The other way is `skipWaiting()`: we send the waiting
# worker a message, and it calls that. It takes a moment: `ACTIVE` waits until no worker is installing or
# waiting.

# %% tags=["nbval-ignore-output"]
SKIP = """async () => {
  const registration = await navigator.serviceWorker.getRegistration();
  registration.waiting?.postMessage("take over"); }"""
ACTIVE = """async () => {
  const registration = await navigator.serviceWorker.getRegistration();
  const isActive = () => !registration.installing && !registration.waiting &&
    registration.active.state === "activated";
  while (!isActive()) await new Promise((go) => setTimeout(go, 20)); }"""
ask(SKIP)
ask(ACTIVE)
send(b"Who are you now?")
print("shown by:", {who: said[0]["version"] for who, said in heard().items()})

# %% [markdown]
# Version 2 shows the message, so it is active. (A page whose worker is replaced gets the event
# `controllerchange`.)
#
# The starter's worker takes over without being asked: `skipWaiting()` in `install`, `clients.claim()`
# in `activate`. That is right for a worker that only handles push, because the pages need nothing of
# it. One that also caches a site's files should wait, or offer a button "New version: reload" that
# sends the message above.
#
# **When does a browser look for a new file?** (Service Workers specification, read 2026-11)
#
# - When a page in its scope is loaded.
# - When the worker gets an event such as `push`, if the last look was more than 24 hours ago.
# - When a script calls `registration.update()`.
#
# By default the browser asks the server, past the HTTP cache; only files that the worker imports may
# come from that cache. It compares byte by byte. A new file with a syntax error, or a 404, changes
# nothing: `update()` rejects with a TypeError, and the old worker goes on (tried in both browsers).
#
# ### Exercise 1 · Who waits, who is active
#
# `workers(steps: list[tuple]) -> tuple`: `(waiting, active)` after these steps; `None` for an empty
# place. A step is one of
#
# - `("file", 2)`: the browser has found version 2 and installed it,
# - `("open", "A")`, `("close", "A")`: the page A is opened or closed,
# - `("skip", None)`: the waiting worker calls `skipWaiting()`.
#
# An installed worker becomes active at once if no page holds it back. Only pages that were opened
# while a worker was active hold back the next one. A newer waiting worker replaces the one that waits.

# %%
def workers(steps: list[tuple]) -> tuple:
    """Return the version that waits and the version that is active."""
    ### BEGIN SOLUTION
    waiting, active, held = None, None, set()
    for what, which in steps:
        waiting = which if what == "file" else waiting
        if what == "open" and active:
            held.add(which)
        if what == "close":
            held.discard(which)
        if waiting and (what == "skip" or not held):
            waiting, active = None, waiting
    return waiting, active
    ### END SOLUTION

# %% tags=["check"]
checks.worker_life.workers(workers)

# %% [markdown]
# ## 5 · Registered twice
#
# A subscription belongs to a registration, and a registration to a scope. Last year the worker was
# at `/news/sw.js`; since then somebody has moved it to `/sw.js`. We play that. Predict: how many
# subscriptions has one browser now, and how many notifications does one message to everybody show?

# %% tags=["nbval-ignore-output"]
FILES["/news/sw.js"] = WORKER.replace("VERSION = 1", "VERSION = 'last year'")
old = subscribe("news/sw.js")
SCOPES = """async () => (await navigator.serviceWorker.getRegistrations())
  .map((one) => new URL(one.scope).pathname).sort()"""
print(ask(SCOPES), "the same endpoint:", [rows[name] == old[name] for name in rows])
for subscriptions in (old, rows):
    send(b"To everybody", subscriptions)
print({who: [one["version"] for one in said] for who, said in heard(2).items()})

# %% [markdown]
# One browser has two registrations, and so two subscriptions, and shows each message to everybody
# twice. On your server the two endpoints look like two devices. The same happens with two libraries
# that each bring a worker (Firebase's has the scope `/firebase-cloud-messaging-push-scope`), and within
# *one* worker when two scripts both listen to `push`.
#
# To mend it, list `getRegistrations()` in the console of a browser that shows the fault, and let the
# page unregister the scope that you no longer use. Predict: what does its endpoint answer then?

# %% tags=["nbval-ignore-output"]
UNREGISTER = """async () => (await navigator.serviceWorker.getRegistration("/news/")).unregister()"""
print(ask(UNREGISTER), ask(SCOPES))
for name, row in old.items():
    outcome = lab.run(lab.application_server.sender.send(row, b"Still there?", PushOptions()))
    print(name, outcome.status, outcome.kind)

# %% [markdown]
# It answers `410`: `unregister()` has ended the subscription as well, in both browsers. Nobody tells
# your server, so the page must. The starter tells the server first, and then calls `unsubscribe()`: even
# if that call fails, nothing is sent any more.
#
# ## 6 · A message that needs no worker
#
# A *declarative* message says itself what to show, and Safari shows it without your worker. This is
# the smallest one. What do our browsers do with it?

# %% tags=["nbval-ignore-output"]
declared = {"web_push": 8030, "notification": {"title": "News", "navigate": "https://example.com/"}}
payload = json.dumps(declared).encode()
print(len(payload), "bytes of plaintext")
send(payload)
print({who: said[0]["data"][0] == declared for who, said in heard().items()})

# %% [markdown]
# `web_push` must be 8030, and `title` and `navigate` must be there. A click opens the address in
# `navigate`, without any code of yours. Safari has had this since iOS 18.4 and, on macOS, since Safari 18.5
# (WebKit's blog "Meet Declarative Web Push", 2025-03, and "WebKit Features in Safari 18.5", 2025-05).
# `window.pushManager` subscribes there without a worker. A worker may still change the notification.
# If the worker fails, Safari shows the declared one, so a broken worker costs no message.
#
# Firefox 153 and Chromium 156 give the format to the worker like any JSON, as you have just seen, and
# without a `push` listener they show nothing (measured). A worker that reads both formats serves all
# three; the lab's worker does.
#
# ## 7 · Change the worker, and see it
#
# ### Exercise 2 · A bell
#
# `my_worker(worker: str) -> str`: take the source of the starter's `sw.js`, and return it changed:
# each title on the screen begins with `🔔 ` (the bell and a space). A single `worker.replace(…)` will
# do. The cell below the stub checks it, brings it into the real browsers, and asks what they show.

# %%
def my_worker(worker: str) -> str:
    """Return the worker's source, changed so that each title begins with a bell."""
    ### BEGIN SOLUTION
    return worker.replace("showNotification(title,", "showNotification(`🔔 ${title}`,")
    ### END SOLUTION

# %% tags=["check"]
right = checks.worker_life.my_worker(my_worker)
FILES["/sw.js"] = my_worker(str(starter_file("sw.js")))
ask(UPDATE)
ask(ACTIVE)  # the starter's worker skips the waiting by itself
send(b"The bus is late")
for one in real:
    assert one.wait_for_notification(body="The bus is late").title == "🔔 News"
right

# %% [markdown]
# ## 8 · `pushsubscriptionchange`, and why not to rely on it
#
# A subscription may end without you: the push service forgets it, or the person withdraws the
# permission. The specification has the event `pushsubscriptionchange` for that. We provoke it: our
# own worker comes back, and the lab's push service loses its database. Predict: which browser tells
# its worker? And what do the endpoints answer?

# %%
FILES["/sw.js"] = WORKER + "addEventListener('install', () => skipWaiting());"
ask(UPDATE)
ask(ACTIVE)
port = lab.push_service.port
lab.run(lab.push_service.stop())
(lab.data / "pushservice.sqlite3").unlink()
lab.run(lab.push_service.start(port))

# %% tags=["nbval-ignore-output"]
CHANGES = """async () => { const changes = () => said.filter((one) => "change" in one);
  for (let n = 0; n < 250 && !changes().length; n++) await new Promise((go) => setTimeout(go, 20));
  return changes(); }"""
print(ask(CHANGES))
print({name: lab.notify(row.subscription.endpoint, "Anybody?").status for name, row in rows.items()})

# %% [markdown]
# Firefox tells its worker as soon as it has connected again: there was a subscription (`change`),
# and there is no new one (`renewed` is false). The worker has to subscribe again. Chromium says
# nothing, and its `getSubscription()` still returns the dead subscription. Both endpoints answer
# **404**: the push service that lost its database does not know them.
#
# When the *permission* is withdrawn (measured):
#
# - Firefox 153 ends the subscription at once. The event comes when the permission is granted *again*.
# - Chromium 156 ends it when the next message arrives, without the event.
#
# **So use the event where it comes, and rely on the next visit** (lesson 02). The starter's server
# removes an endpoint that answers 404 or 410, and remembers it. If the page sends that endpoint again,
# the server answers 410, and the page subscribes anew: a browser may not know that its subscription is dead.
#
# ## 9 · Look inside with the browsers' own tools
#
# Type these into the address bar.
#
# **Firefox, `about:debugging#/runtime/this-firefox`**: *Push* fires a `push` event **without a
# payload**, without your server, push service or encryption. It tests the worker and nothing else.
#
# ![Firefox: a worker in about:debugging](images/firefox-about-debugging.png)
#
# **Firefox, `about:serviceworkers`**: whether a worker waits, and the subscription with its private
# key (hidden here). `quota` is how many silent pushes are left.
#
# ![Firefox: a registration in about:serviceworkers](images/firefox-about-serviceworkers.png)
#
# **Chromium, `chrome://serviceworker-internals`**: the active worker, and below it the waiting one.
#
# ![Chromium: an active and a waiting worker](images/chromium-serviceworker-internals.png)
#
# **Chromium, `chrome://gcm-internals`**: press *Start Recording*, then send. The first table lists what
# arrived, the second what could not be decrypted. If both stay empty, look at the sender.
#
# ![Chromium: one message received, one that failed to decrypt](images/chromium-gcm-internals.png)
#
# In Chromium's developer tools, *Application → Service Workers* has a field **Push** that also tests
# the worker alone. *Update on reload* there lets every new worker skip the waiting: switch it off
# before you believe that updates work.

# %%
for row in rows.values():
    store.remove(row.subscription.endpoint)
for one in opened:
    one.close()
site.shutdown()
site.server_close()

# %% [markdown]
# ## What you saw
#
# - `ready` waits for ever when nothing is registered; `register()` says what is wrong.
# - A changed worker is installed and waits until the old pages are gone, or skips the waiting.
# - One scope, one registration, one subscription. Two scopes mean two notifications.
# - `unregister()` ends the subscription, and your server learns it from a 410.
# - `pushsubscriptionchange` comes in some cases in some browsers. The next visit always comes.
# - A browser's *Push* button tests the worker alone.
#
# **What we left out:** caching and `fetch` in a worker, which push does not need; Safari's tools.

# %% [markdown]
# ## Questions
#
# 1. You mended `sw.js` an hour ago, and it does not skip the waiting. A user has had your page open
#    since yesterday. Which version shows the next message, and until when?
# 2. Your server answers every unknown path with `index.html`. What does a browser say to
#    `register("sw.js")` after you have moved the file?
# 3. Firefox's *Push* button shows a notification, and your server's message does not. What have you
#    learnt?
#
# <details><summary>Answers</summary>
#
# 1. The old version, until that tab is closed or leaves your site. The browser also has to look for
#    the new file: when a page is loaded, or at an event after 24 hours.
# 2. A SecurityError: the script is `text/html`. Workers that are registered already go on with the
#    old file.
# 3. The worker runs, and the system shows its notifications. The fault is before the worker
#    (endpoint, keys, token, a push service out of reach), or the worker fails at your payload: the
#    button sends none.
# </details>
#
# **Next:** [08 · Error clinic](08_error_clinic.ipynb), where you break each thing and read the
# answers.
