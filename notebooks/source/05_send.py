# %% [markdown]
# # 05 · Send: one POST, and what the answer means
#
# The body is encrypted and the token is signed. Only one HTTP request is left to write. It looks like
# the easy part. Yet most of what goes wrong with web push goes wrong here, because people read the
# answer too quickly.

# %% [markdown]
# ## Where we are
#
# **What hurts without this.** Some senders take `201` for *seen*. Some delete their subscribers after
# a `403`. Some leave TTL at a library's default of 0. All of them work on the developer's desk, and
# fail for a phone in a pocket.
#
# **At the end you can** write the request by hand, send it with ten lines of your own and with
# pywebpush, read the status, body and headers of the answer, say which requests must be signed, and
# say what a push service keeps for a closed browser or a sleeping phone, and for how long.
#
# **Time:** 40 minutes. **Before this:** [03 · Encrypt](03_encrypt.ipynb) and
# [04 · Sign](04_sign.ipynb), or trust in what they built.

# %%
import http.client, json, os, time, urllib.error, urllib.request, uuid
from contextlib import contextmanager
from dataclasses import replace
from cryptography.hazmat.primitives.asymmetric import ec
from pywebpush import WebPushException, webpush
from tornado.websocket import websocket_connect
from pushlab import Claims, Lab, PushOptions, PushRequest, PushResponse, VapidKeys, authorization
from pushlab import build_request, checks, encrypt, examples, explain, sign
lab = Lab()
lab

# %% [markdown]
# ## The words
#
# | in the request | what it is | who reads it |
# |---|---|---|
# | **endpoint** | the URL to POST to; a secret, because whoever knows it can try | push service |
# | **Authorization** | `vapid t=…, k=…`: token and key, from lesson 04 | push service |
# | **TTL** | *time to live*: seconds that the message may wait, 0 or more; required | push service |
# | **Urgency** | `very-low`, `low`, `normal` or `high`: is it worth waking a phone? | push service |
# | **Topic** | 1 to 32 base64url characters: which waiting message this one replaces | push service |
# | **Content-Encoding** | `aes128gcm`: how the body was encrypted | push service, user agent |
# | **body** | at most 4096 bytes: the plaintext and 103 more, from lesson 03 | user agent |
#
# | in the answer | what it is |
# |---|---|
# | **201 Created** | the push service has accepted the message |
# | **Location** | the message's own URL, for as long as the message waits |
# | **TTL** | the seconds that were granted, perhaps fewer than you asked for |
#
# ## 1 · The request, by hand
#
# A push message is a plain HTTP POST to the endpoint
# ([RFC 8030 §5](https://www.rfc-editor.org/rfc/rfc8030#section-5)). We first write the request as
# data, from values that the RFCs print: endpoint and body from RFC 8291, the token from RFC 8292. Both
# use the host `push.example.net`, so they fit together. *Look for* the parts that the picture hides.

# %%
rfc, token = examples.RFC8291, authorization(examples.RFC8292.token, examples.RFC8292.public)
fields = {"Authorization": token, "TTL": "60", "Urgency": "normal",
          "Content-Encoding": "aes128gcm", "Content-Type": "application/octet-stream"}
by_hand = PushRequest(rfc.endpoint, fields, rfc.body)
# The package's own function does no more than that.
assert build_request(rfc.subscription, rfc.body, token, PushOptions(ttl=60)) == by_hand
by_hand

# %% [markdown]
# The picture hides the path of the endpoint and most of the token, because whoever copies both can
# post as you. `TTL` and `Urgency` are instructions to the push service. `Content-Type` looks useless,
# but without it curl and urllib label the body as form data, and some servers then try to parse your
# ciphertext as a form (Tornado does, tried in November 2026).
#
# ### Exercise 1 · `headers(ttl, urgency, topic, authorization) -> dict[str, str]`
#
# In: an int, a str, a str or `None`, and the whole value of `Authorization`. Out: a dict from names
# to values, for a message with a body. It holds the headers from above, and `Topic` only if there is
# one. A header's value is always text.

# %%
def headers(ttl: int, urgency: str, topic: str | None, authorization: str) -> dict[str, str]:
    """Return the headers of a push message. RFC 8030 §5."""
    ### BEGIN SOLUTION
    made = {"Authorization": authorization, "TTL": str(ttl), "Urgency": urgency}
    made |= {"Content-Encoding": "aes128gcm", "Content-Type": "application/octet-stream"}
    return made if topic is None else made | {"Topic": topic}
    ### END SOLUTION

# %% tags=["check"]
checks.send.headers(headers)

# %% [markdown]
# ## 2 · Send it
#
# Now we send to a live subscription. Our user agent is a virtual one called Phone, because it will
# ride through a tunnel and fall asleep later. RFC 8030 demands https. Only the lab's push service
# speaks plain http, because no byte leaves this machine.
#
# The first cell prepares a message: the token, which many messages share, and a fresh key pair and
# salt, which each message needs. The second cell sends it and returns *whatever* answer comes.

# %%
phone = lab.open("virtual", name="Phone")
phone.subscribe()
subscription = [s for s in lab.subscriptions() if s.display_name == phone.name][-1].subscription

def signed_by(keys):
    claims = Claims(subscription.origin, int(time.time()) + 12 * 3600, keys.subject)
    return authorization(sign(claims, keys.private_key), keys.public)

def assemble(text, token=signed_by(lab.keys), **options):
    as_private, salt = ec.generate_private_key(ec.SECP256R1()), os.urandom(16)
    body = encrypt(text.encode(), subscription, as_private=as_private, salt=salt)
    return build_request(subscription, body, token, PushOptions(**options))

# %%
os.environ["no_proxy"] = "127.0.0.1"  # The lab is right here: no proxy in between.

def post(request):
    url, body, headers = request.url, request.body, dict(request.headers)
    try:
        answer = urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=10)
    except urllib.error.HTTPError as refused:  # It is raised, and an answer like any other.
        answer = refused
    with answer:
        status, headers = answer.status, tuple(answer.headers.items())
        return PushResponse(status, headers, answer.read(), answer.reason)

# %% [markdown]
# *Look for* the two headers of the answer that the table above explains.

# %%
before = lab.journal.last
answer = post(assemble("Written by hand", ttl=60))
shown = phone.wait_for_notification(body="Written by hand")
print(answer.status, answer.reason, *[name for name, _ in answer.headers if name != "Date"])
print("TTL:", answer.header("TTL"), "· shown:", shown.body)
assert answer.header("Location").startswith(subscription.origin)  # the rest of it is a secret
assert lab.wait_for("acknowledge", before).detail["code"] == 100  # remember this number

# %% [markdown]
# Ten lines, and there is a notification. But the push service answered before it delivered: **201
# means accepted, not delivered**. Nor does 201 mean *readable*. To see that, we flip one bit in the
# last byte, which belongs to the authentication tag of the encryption. *Predict* who notices: your
# code, the push service, or the user agent?

# %%
before = lab.journal.last
good = assemble("Nobody will read this", ttl=60)
answer = post(replace(good, body=good.body[:-1] + bytes([good.body[-1] ^ 1])))
code = lab.wait_for("acknowledge", before).detail["code"]
print(answer.status, answer.reason, "· the user agent's code:", code)
assert "Nobody will read this" not in [one.body for one in phone.notifications()]

# %% [markdown]
# The answer was `201`, and nothing was shown. To the push service all ciphertext looks alike. Only the
# user agent noticed. It told *the push service*, by acknowledging the message with code 101, which
# means *could not decrypt* (100 means *delivered*). Then it dropped the message without waking the
# service worker. Nobody told your code. So after a 201 without a notification, look into the browser's
# log, not your server's. (These codes belong to Firefox's protocol, which our virtual user agent
# speaks.)
#
# ## 3 · What the push service says to mistakes
#
# A push service checks what it can see: the subscription, the signature, the headers and the length.
# We break the good request in one place at a time. *Predict* the seven statuses first.

# %%
def but(**changes):
    made = good.headers | changes
    return replace(good, headers={name: value for name, value in made.items() if value})
mistakes = {"no TTL": but(TTL=None), "two urgencies": but(Urgency="low, high"),
            "topic of two words": but(Topic="two words"), "unsigned": but(Authorization=None),
            "another key": but(Authorization=signed_by(VapidKeys.generate())),
            "4097 bytes": replace(good, body=bytes(4097)),
            "unknown endpoint": replace(good, url=subscription.origin + "/wpush/v2/nobody")}
for broken, request in mistakes.items():
    answer = post(request)
    said = json.loads(answer.body)["error"]["message"]
    print(f"{broken:<18} {answer.status}  {explain(answer).kind:<8} {said.split(' (')[0]}")

# %% [markdown]
# The **status** says whose fault it is: 4xx is mostly yours. The **body** says what is wrong, in the
# lab exactly: without it, three of the seven mistakes would be just 400. After 429 and 503 a
# **header**, `Retry-After`, may say when to try again.
#
# Vendors differ. For *another key* Mozilla answers 401 (source code of its service, July 2026), Google 403 and
# Apple 400 (both reported by senders; the newest report about Google is of July 2025). Windows leaves the
# body empty, and gives its reason in a header, `X-WNS-Error-Description` (reported, September 2026). So `explain()` reads status, body and headers, and
# a sender decides by groups:
#
# | answer | what a sender does |
# |---|---|
# | 200 to 299 | nothing more |
# | 404, 410 | remove this one subscription |
# | 429, 500 to 599 | wait, send again, and give up at some point |
# | 406 from Windows | send less: it means *too many*, and the message was dropped (reported) |
# | everything else | mend the sender, keep the subscription |
#
# Several well-known tutorials delete a subscription after *any* error. With them, one wrong key
# empties the database.
#
# ### Exercise 2 · `what_next(status, retry_after) -> str`
#
# In: an int, and the header's text or `None`. Out: `"done"`, `"remove"`, `"retry"` or `"fix"`, for
# every row but Windows'. What does the second argument change?

# %%
def what_next(status: int, retry_after: str | None) -> str:
    """Say what a sender does after this answer. RFC 8030 §5, §7.3, §8.4."""
    ### BEGIN SOLUTION
    if 200 <= status < 300:
        return "done"
    if status in (404, 410):
        return "remove"
    # Retry-After says how long. Its absence does not make a passing trouble final.
    return "retry" if status == 429 or status >= 500 else "fix"
    ### END SOLUTION

# %% tags=["check"]
checks.send.what_next(what_next)

# %% [markdown]
# `Retry-After` changes *when* you try again, and not *whether*.
#
# ## 4 · Must a request be signed?
#
# The unsigned message got 401. Is that always so? The V of VAPID stands for *voluntary*. RFC 8292
# leaves it to the user agent: a subscription that was made **with** a key is restricted to that key,
# and one made **without** a key takes messages from everybody who knows its endpoint
# ([RFC 8292 §4](https://www.rfc-editor.org/rfc/rfc8292#section-4)). We make a subscription without a
# key, and speak to the push service as Firefox does: `hello`, then `register`. *Predict* three
# statuses.

# %%
async def subscribe_without_key():
    socket = await websocket_connect(lab.push_service.ws_url)
    register = {"messageType": "register", "channelID": str(uuid.uuid4())}
    for said in {"messageType": "hello"}, register:
        await socket.write_message(json.dumps(said))
        answer = json.loads(await socket.read_message())
    socket.close()
    return answer["pushEndpoint"]
free = lab.run(subscribe_without_key())
print("made with a key,    unsigned:", post(but(Authorization=None)).status)
print("made without a key, unsigned:", post(replace(but(Authorization=None), url=free)).status)
print("made without a key, signed:  ", post(replace(good, url=free)).status)

# %% [markdown]
# 401, 201, 201: only the subscription with a key demands a signature. Yet you should always give a key
# and sign: without a key, a leaked endpoint is enough to send to your users, and some browsers refuse
# to subscribe.
#
# | browser | `subscribe()` without `applicationServerKey` |
# |---|---|
# | Firefox 153 | works; its endpoint takes unsigned messages (measured, November 2026) |
# | Chromium 156 | `AbortError`: "missing applicationServerKey" (measured, November 2026) |
# | Edge | refuses too (documented by MDN, read in November 2026) |
# | Safari | not measured; we found no promise that it works |

# %% [markdown]
# ## 5 · TTL: how long it may wait
#
# A user agent that is away gets its messages when it comes back. Until then the push service keeps
# each of them for as long as its TTL says; a TTL of 0 means *now or never*
# ([RFC 8030 §5.2](https://www.rfc-editor.org/rfc/rfc8030#section-5.2)). `away()` is our tunnel: the
# phone drops its connection, the push service notices, and at the end the phone connects again.
# `waiting()` asks the lab's push service how long its queue for this phone is; no vendor that we know
# tells you.

# %%
@contextmanager
def away(agent):
    before = lab.journal.last
    lab.run(agent.disconnect())
    lab.wait_for("disconnect", before)
    yield
    lab.run(agent.connect())

def waiting():
    return lab.push_service.presence(subscription.endpoint)[1]

# %% [markdown]
# One message may wait a year, one a second, and one not at all. The tunnel takes a little more than a
# second. Afterwards we send a fourth message as a control, also with TTL 0. *Predict* three statuses,
# which messages the push service keeps, and which arrive.

# %%
wishes, had = {"a year": 31_536_000, "a second": 1, "now or never": 0}, len(phone.notifications())
with away(phone.agent):
    for text, ttl in wishes.items():
        before = lab.journal.last
        answer = post(assemble(text, ttl=ttl))
        kept = "keep message" in [event.what for event in lab.journal.events(before)]
        print(f"{text:<12} {answer.status}, granted {answer.header('TTL')} s, kept: {kept}")
    time.sleep(1.1)
    print("after that second:", waiting(), "waiting")
post(assemble(control := f"control {had}", ttl=0))
phone.wait_for_notification(body=control)
print([one.body for one in phone.notifications()[had:]])

# %% [markdown]
# All three messages were accepted with `201`, and only the one with a year arrived. The one with TTL 0
# was not kept at all, and the one with TTL 1 left the queue after a second. The control shows that TTL
# 0 is no fault in itself: the phone was there. (It also shows that nothing more is coming, because
# this lab keeps messages in order. No specification promises that, so do not rely on it.) The year was
# cut to 30 days. A push service may shorten a TTL, and only the **header** of the answer tells you.
#
# To choose a TTL, ask when the message becomes worthless: a call after 30 seconds, a lunch after an
# hour. If you say nothing, pywebpush sends 0, and a closed laptop never gets anything.
#
# ## 6 · Topic: what it replaces
#
# After the tunnel you want the score, and not its history. A new message replaces the one that has
# the same **Topic** and still *waits*
# ([RFC 8030 §5.4](https://www.rfc-editor.org/rfc/rfc8030#section-5.4)). We send three scores without
# a topic, and, in a second tunnel, three with one. *Predict* how long the queue gets each time, and
# what arrives. *Look for* `replace message` in the diagram, which shows the second tunnel.

# %%
for topic in (None, "score"):
    before, had = lab.journal.last, len(phone.notifications())
    with away(phone.agent):
        for score in ("1:0", "2:0", "2:1"):
            post(assemble(score, ttl=60, topic=topic))
        queue = waiting()
    post(assemble(control := f"control {had}", ttl=0))
    phone.wait_for_notification(body=control)
    print(f"topic {topic}: {queue} waiting,", [one.body for one in phone.notifications()[had:]])

# %% tags=["nbval-ignore-output"]
before = lab.wait_for("disconnect", before).number - 1  # reports of earlier messages may be late
events = lab.journal.events(before)
what = [event.what for event in events]
assert (what.count("keep message"), what.count("replace message")) == (3, 2)
pushed = [event.detail for event in events if event.what == "push message"]
# Topic and Urgency are for the push service: they go no further.
assert len(pushed) == 2 and all(set(detail) == {"bytes"} for detail in pushed)
lab.diagram(after=before, title="Three scores, one topic")

# %% [markdown]
# Without a topic all three scores came, late and out of date. With a topic, each score replaced the
# score before it, including its TTL and Urgency. A phone that is connected would have got all three:
# the **Topic** is about what *waits*, and a notification's **tag** (lesson 07) is about what is
# *shown*. A topic is not encrypted, so use a code and not `dr-miller-appointment`.
#
# ## 7 · Urgency, and a phone that sleeps
#
# A sleeping phone is not simply away. Its system switches the radio off and on to save the battery,
# and the push service may wake the phone or let it sleep. That is what **Urgency** is for
# ([RFC 8030 §5.3](https://www.rfc-editor.org/rfc/rfc8030#section-5.3)). Google documents for Android:
# *normal* messages may wait until a phone leaves Doze (its deep sleep), and *high* ones are tried at
# once ([Firebase](https://firebase.google.com/docs/cloud-messaging/android/message-priority), read in
# November 2026; written for the API of FCM, Google's push service).
#
# The lab has no batteries, so one line of the cell plays the phone's system: only `high` switches the
# radio on. *Predict* the length of the queue before each message, and what wakes up with the third.

# %%
had = len(phone.notifications())
with away(phone.agent):
    for urgency in ("very-low", "normal", "high"):
        print(f"{waiting()} waiting; now one of urgency {urgency}")
        post(assemble(urgency, ttl=60, urgency=urgency))
        if urgency == "high":
            lab.run(phone.agent.connect())  # the one that wakes the radio
    phone.wait_for_notification(body="high")
print([one.body for one in phone.notifications()[had:]])
assert len(phone.notifications()) == had + 3

# %% [markdown]
# The queue held 0, 1 and 2 messages. The urgent one switched the radio on, and the two that waited
# came along. So *low* does not mean *unimportant*: it means "when you are awake anyway", and it is
# right for every message that can wait. Google may treat your *high* as *normal* if your messages
# often show nothing (same page). And urgency and TTL are two questions: an urgent call with a TTL of
# 30 seconds never comes late, but it may never come.
#
# | message | TTL | Urgency | Topic |
# |---|---|---|---|
# | a call | 30 s | `high` | none |
# | a chat message | a day | `high` or `normal` | one for each conversation, if only the last counts |
# | a goal | the rest of the match | `normal` | the match |
# | the weekly letter | two days | `very-low` | the letter |
#
# ## 8 · By hand against the library
#
# pywebpush does in one call what you did in three lessons. The answer that it returns remembers the
# request, so we can compare the two. The second half of the cell steps into four traps: claims that
# are not copied, no `ttl`, empty claims, and a test of the answer that many programs use. *Look for*
# the headers that only one of the two has, and *predict* the last two lines.

# %%
common = {"subscription_info": subscription.to_json(), "timeout": 10,
          "vapid_private_key": lab.keys.to_jwk()["d"]}
theirs = webpush(data="Twins", vapid_claims=(claims := {"sub": lab.keys.subject}), **common).request
ours = assemble("Twins", ttl=60)
assert len(theirs.body) == len(ours.body) and theirs.body[16:21] == ours.body[16:21]
mine, its = ({name.lower() for name in one.headers} for one in (ours, theirs))
print(len(ours.body), "bytes each, from byte 16:", theirs.body[16:21].hex(" "), "…", sorted(mine - its))
print("claims afterwards:", sorted(claims), "· TTL:", theirs.headers["ttl"])
try:
    webpush(data="Who am I?", vapid_claims={}, **common)
except WebPushException as error:
    print(error.response.status_code, "· if error.response:", bool(error.response))

# %% [markdown]
# It is the same request: the same length, the same record size (`00 00 10 00` is 4096) and key length
# (`41` is 65). The push service accepts both tokens. Salt and key pair are fresh, so the other bytes
# differ; with both fixed, lesson 03 gets equal bytes. pywebpush sends no Content-Type, and no Urgency
# unless you pass one in `headers`.
#
# - **Your dictionary changed.** It now holds the `aud` of this push service, so the next vendor will
#   refuse a token made from it. Pass a copy.
# - **TTL is 0** unless you say otherwise.
# - **Empty claims send no Authorization**: hence 401 here, at a subscription with a key.
# - **`if error.response:` is False**, because in `requests` every answer with a status of 400 or more
#   is false. Such code never sees a 410 either, and never removes a dead subscription. Test
#   `is not None`.
#
# (Tried with pywebpush 2.5.0.)
#
# ## 9 · The same, with a browser that is closed
#
# Now we use a real Firefox or Chromium, if there is one, and otherwise the virtual user agent. It
# subscribes and is then *closed*, process and all. It keeps its profile, because with a new profile it
# would be another browser. `lab.notify()` is the application server's own sender: it sends the same
# request, and then decides as in exercise 2. In the panel you can set TTL, Urgency and Topic by hand.

# %%
before = lab.journal.last
phone.close()
lab.wait_for("disconnect", before)  # the next cell waits for another one
browser = lab.open(name="Lesson 05", profile=lab.data / "lesson-05")
if browser.state != "unregistered": browser.unregister()  # an earlier run has left something
browser.subscribe()
endpoint = lab.subscriptions()[-1].subscription.endpoint
lab.panel()

# %%
before = lab.journal.last
lab.run(browser.agent.close())  # The program ends; its profile and its subscription stay.
lab.wait_for("disconnect", before)
for title, topic in (("1:0", "score"), ("2:0", "score"), ("Lunch", None)):
    outcome = lab.notify(endpoint, title, "meanwhile", PushOptions(ttl=60, topic=topic))
print(outcome.status, outcome.kind, "·", outcome.next)
lab.run(browser.agent.start())
lab.run(browser.agent.open(lab.application_server.url))
print([browser.wait_for_notification(title=title).title for title in ("2:0", "Lunch")])
assert "1:0" not in [one.title for one in browser.notifications()]
browser.unsubscribe()
browser.close()

# %% [markdown]
# There was no browser and no page, but the push service kept the messages. One score and the lunch
# came as soon as the program ran again, without a click.
#
# On a computer, a closed browser gets nothing until it starts (measured here). Chrome can be set to go
# on running after its last window is closed; then it is not closed in this sense.
#
# ## 10 · One thing that our sender does wrong
#
# An endpoint comes from a stranger, and so does its answer. Suppose the answer is `302`, with a
# `Location` *inside* your network. `post()` follows that `Location`, and so does pywebpush: the POST
# becomes a GET of that address, and if something there answers 200, the message counts as sent.
# Endpoints do not move, so a sender should follow no redirect.
#
# ### Exercise 3 · `send(url, headers, body) -> int`
#
# In: the endpoint (it may end in a query, as those of Windows do), a dict, bytes. POST them. Out: the
# status of *the first* answer, whether it is 201, 410 or 302, and never an exception. The standard
# library's `http.client` does not follow redirects.

# %%
def send(url: str, headers: dict[str, str], body: bytes) -> int:
    """POST a message and return the status of the answer. RFC 8030 §5."""
    ### BEGIN SOLUTION
    where = urllib.parse.urlsplit(url)
    secure = where.scheme == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = kind(where.netloc, timeout=10)
    connection.request("POST", where._replace(scheme="", netloc="").geturl(), body, headers)
    return connection.getresponse().status
    ### END SOLUTION

# %% tags=["check"]
checks.send.send(send)

# %% [markdown]
# ## What you saw
#
# - The request is one POST: instructions for the push service, a token, and a body it cannot read.
# - `201` says *accepted*. It does not say delivered, readable or seen.
# - Read status, body and headers: each says something that the others do not.
# - A subscription made with a key demands a token of that key; one made without takes any message.
# - TTL decides whether a message survives a tunnel, Topic which one does, Urgency whether a phone
#   wakes for it.
# - Remove on 404 and 410, try again on 429 and 5xx, and mend your sender on the rest.
#
# **What we left out:** thousands of subscribers, and how to try again without harm (06 and 09);
# receipts ([RFC 8030 §5.1](https://www.rfc-editor.org/rfc/rfc8030#section-5.1)), which no vendor
# documents as far as we know; withdrawing a message that waits, by a DELETE of its `Location`.

# %% [markdown]
# ## Questions
#
# 1. Your colleagues count 201s and call the number "delivered". What have they counted?
# 2. Your football ticker uses TTL 86400 and no topic. What does a phone get after a day's flight?
# 3. All sends to one vendor suddenly answer 403. What do you do first, and what must you not do?
# 4. Somebody has copied an endpoint from your log. What can they do with it?
#
# <details><summary>Answers</summary>
#
# 1. Messages that push services have accepted. They include those for phones at the bottom of a lake,
#    those with TTL 0 that nobody was there for, and those that no browser can decrypt.
# 2. Every goal of every match of that day. With a topic for each match, it gets each match's last
#    score.
# 3. Read the words in the body, then look at key, `aud` and clock. Do not remove anything: the
#    subscriptions are alive.
# 4. If the subscription was made with your key, nothing, unless the log also held a token: they cannot
#    sign. If it was made without, they can send to it, but without p256dh and auth only messages that
#    are empty or unreadable.
# </details>
#
# **Next:** [06 · Notify all](06_notify_all.ipynb), the same POST, to a whole class.
