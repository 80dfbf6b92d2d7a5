# %% [markdown]
# # 05 · Send: one POST, and what the answer means
#
# The body is encrypted, the token is signed. One HTTP request is left. It looks like the easy
# part, and most of what goes wrong with web push goes wrong here: the answer is read too quickly.

# %% [markdown]
# ## Where we are
#
# **What hurts without this.** A sender that takes `201` for *seen*, deletes subscribers upon a
# `403`, or leaves TTL at a library's default of 0, works on the desk and fails in the street.
#
# **At the end you can** write the request by hand, send it with ten lines of your own and with
# pywebpush, read status, body and headers of the answer, and say what a push service keeps for a
# closed browser, and how long.
#
# **Time:** 35 minutes. **Before this:** [03 · Encrypt](03_encrypt.ipynb) and
# [04 · Sign](04_sign.ipynb), or trust in both.

# %%
import http.client, json, os, time, urllib.error, urllib.request
from contextlib import contextmanager
from dataclasses import replace
from cryptography.hazmat.primitives.asymmetric import ec
from pywebpush import WebPushException, webpush
from pushlab import Claims, Lab, PushOptions, PushRequest, PushResponse, VapidKeys, authorization
from pushlab import build_request, checks, encrypt, examples, explain, sign
lab = Lab()
lab

# %% [markdown]
# ## The words
#
# | in the request | what it is | who reads it |
# |---|---|---|
# | **endpoint** | the URL to POST to; whoever knows it can try | push service |
# | **Authorization** | `vapid t=…, k=…`: token and key, lesson 04 | push service |
# | **TTL** | seconds that the message may wait, 0 to 2³¹; never left out | push service |
# | **Urgency** | `very-low`, `low`, `normal`, `high`: may it wake a phone? | push service |
# | **Topic** | 1 to 32 base64url characters: which waiting message it replaces | push service |
# | **Content-Encoding** | `aes128gcm`: how the body was made | push service, user agent |
# | **body** | at most 4096 bytes: the plaintext and 103 more, lesson 03 | user agent |
#
# | in the answer | what it is |
# |---|---|
# | **201 Created** | the push service has the message |
# | **Location** | the message's own URL, for as long as it waits |
# | **TTL** | the seconds that were granted, perhaps fewer |
#
# ## 1 · The request, by hand
#
# A push message is a plain HTTP POST to the endpoint
# ([RFC 8030 §5](https://www.rfc-editor.org/rfc/rfc8030#section-5)). We write it as data first,
# from what the RFCs print: endpoint and body of RFC 8291, token of RFC 8292. Both speak of
# `push.example.net`, so they fit together. *Look for* what the picture hides.

# %%
rfc, token = examples.RFC8291, authorization(examples.RFC8292.token, examples.RFC8292.public)
fields = {"Authorization": token, "TTL": "60", "Urgency": "normal",
          "Content-Encoding": "aes128gcm", "Content-Type": "application/octet-stream"}
by_hand = PushRequest(rfc.endpoint, fields, rfc.body)
# The package's own function does no more than that.
assert build_request(rfc.subscription, rfc.body, token, PushOptions(ttl=60)) == by_hand
by_hand

# %% [markdown]
# Hidden are the path of the endpoint and most of the token: both work for whoever copies them.
# `TTL` and `Urgency` are orders to the push service. `Content-Type` looks idle and is not: told
# nothing, curl and urllib call any POST a *form*, and some servers then parse your ciphertext.
#
# ### Exercise 1 · `headers(ttl, urgency, topic, authorization) -> dict[str, str]`
#
# In: an int, a str, a str or `None`, and the whole value of `Authorization`. Out: name to value,
# for a message with a body: the headers from above, and `Topic` if there is one. Values travel as
# text.

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
# Now with a live subscription. Our user agent is a virtual one called Phone, since it will go
# into a tunnel later. The lab's push service speaks plain http, against the RFC's first rule,
# because no byte leaves this machine; every other endpoint is https.
#
# The first cell makes what many messages share (the token) and what each needs anew (a key pair
# and a salt). The second cell sends, and hands back *whatever* comes.

# %%
phone = lab.open("virtual", name="Phone")
phone.subscribe()
subscription = [one for one in lab.subscriptions() if one.display_name == phone.name][-1].subscription

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
# *Look for* the two headers of the answer that the table names.

# %%
before = lab.journal.last
answer = post(assemble("Written by hand", ttl=60))
shown = phone.wait_for_notification(body="Written by hand")
print(answer.status, answer.reason, [name for name, _ in answer.headers if name != "Date"])
print("TTL:", answer.header("TTL"), "· shown:", shown.body)
assert answer.header("Location").startswith(subscription.origin)  # the rest of it is a secret
assert lab.wait_for("acknowledge", before).detail["code"] == 100  # remember this number

# %% [markdown]
# Ten lines, and a notification. The push service answers as soon as it has *stored* the message,
# and delivers on its own time: **201 is not delivered**. Nor does it mean *readable*. We flip one
# bit of the last byte, in the tag of the encryption. Predict who notices: your code, the push
# service, or the user agent?

# %%
before = lab.journal.last
good = assemble("Nobody will read this", ttl=60)
answer = post(replace(good, body=good.body[:-1] + bytes([good.body[-1] ^ 1])))
code = lab.wait_for("acknowledge", before).detail["code"]
print(answer.status, answer.reason, "· the user agent's code:", code)
assert "Nobody will read this" not in [one.body for one in phone.notifications()]

# %% [markdown]
# `201`, and nothing shows. To the push service all ciphertext is alike. The user agent alone
# notices: it acknowledges with 101, *could not decrypt* (100 is *delivered*), and drops the
# message without waking the service worker. You are told nothing. After a 201 without a
# notification, look into the browser's log, not into yours.
#
# ## 3 · What the push service says to mistakes
#
# What it *can* see, it checks: subscription, signature, headers, length. We break the good
# request in one place at a time, behind the back of `PushOptions`, which would refuse half of it.
# Predict seven numbers first.

# %%
def but(**changes):
    made = good.headers | changes
    return replace(good, headers={name: value for name, value in made.items() if value})
mistakes = {"no TTL": but(TTL=None), "two urgencies": but(Urgency="low, high"),
            "topic of two words": but(Topic="two words"), "unsigned": but(Authorization=None),
            "another key": but(Authorization=signed_by(VapidKeys.generate())),
            "4097 bytes": replace(good, body=bytes(4097)),
            "unknown endpoint": replace(good, url=subscription.origin + "/wpush/v2/nobody")}

# %%
answers = {broken: post(request) for broken, request in mistakes.items()}
for broken, answer in answers.items():
    said = json.loads(answer.body)["error"]["message"]
    print(f"{broken:<18} {answer.status}  {explain(answer).kind:<8} {said.split(' (')[0]}")
explain(answers["another key"])

# %% [markdown]
# The **status** says whose fault it is: 4xx is mostly yours. The **body** says what exactly:
# three of seven faults are just 400 without it. A **header**, `Retry-After`, says when to try
# again after 429 and 503.
#
# Vendors differ. For *another key* Mozilla says 401, Google 403 and Apple 400. Windows leaves the
# body empty and explains itself in a header, `X-WNS-Error-Description`. So `explain()` looks at
# all three, and a sender decides by groups:
#
# | answer | what a sender does |
# |---|---|
# | 200 to 299 | nothing more |
# | 404, 410 | remove this one subscription |
# | 429, 500 to 599 | wait, send again, and give up at some time |
# | all else | mend the sender, keep the subscription |
#
# Well-known tutorials delete upon *any* error. One wrong key then empties the database.
#
# ### Exercise 2 · `what_next(status, retry_after) -> str`
#
# In: an int; the header's text or `None`. Out: `"done"`, `"remove"`, `"retry"` or `"fix"`. What
# does the second argument change?

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
# ## 4 · TTL: how long it may wait
#
# For a user agent that is away, a push service keeps a message as long as TTL says and no second
# longer; 0 is *now or never*
# ([RFC 8030 §5.2](https://www.rfc-editor.org/rfc/rfc8030#section-5.2)). `away()` is our tunnel:
# the phone drops its connection, the push service notices, and at the end the phone connects
# again.

# %%
@contextmanager
def away(agent):
    before = lab.journal.last
    lab.run(agent.disconnect())
    lab.wait_for("disconnect", before)
    yield
    lab.run(agent.connect())

# %% [markdown]
# One message may wait a year, one a second, one not at all, and the tunnel takes a little more
# than a second. A fourth follows afterwards, with TTL 0 too: the control. Predict three statuses,
# and which messages arrive.

# %%
wishes = {"for a year": 31_536_000, "for a second": 1, "now or never": 0}
had = len(phone.notifications())
with away(phone.agent):
    for text, ttl in wishes.items():
        answer = post(assemble(text, ttl=ttl))
        print(f"{text:<13} {answer.status}, asked for {ttl} s, granted {answer.header('TTL')} s")
    time.sleep(1.1)
post(assemble(control := f"control {had}", ttl=0))
phone.wait_for_notification(body=control)
print(arrived := [one.body for one in phone.notifications()[had:]])
assert arrived == ["for a year", control]

# %% [markdown]
# All three got `201`, and one arrived. The control shows that TTL 0 is no fault in itself, and,
# since messages keep their order, that nothing more is on its way. The year was cut to 30 days: a
# push service may shorten a TTL, and only the **header** of the answer tells you.
#
# Choose TTL by asking when the message becomes worthless: a call after 30 seconds, lunch after an
# hour. pywebpush sends 0 if you say nothing, and then a closed laptop never gets anything.
#
# ## 5 · Topic and Urgency
#
# After the tunnel you want the score, not its history. A message replaces the one of the same
# **Topic** which still *waits*
# ([RFC 8030 §5.4](https://www.rfc-editor.org/rfc/rfc8030#section-5.4)). We send three scores
# without a topic, and after another tunnel three with one. Predict what arrives. *Look for*
# `replace message` in the diagram, which shows the second half.

# %%
for topic in (None, "score"):
    before, had = lab.journal.last, len(phone.notifications())
    with away(phone.agent):
        wishes = {"ttl": 60, "topic": topic, "urgency": "low"}
        answers = [post(assemble(score, **wishes)) for score in ("1:0", "2:0", "2:1")]
    post(assemble(control := f"control {had}", ttl=0, urgency="high"))
    phone.wait_for_notification(body=control)
    print(f"topic {topic}:", [one.body for one in phone.notifications()[had:]])

# %% tags=["nbval-ignore-output"]
before = lab.wait_for("disconnect", before).number - 1  # reports of earlier messages may be late
events = lab.journal.events(before)
what = [event.what for event in events]
assert (what.count("keep message"), what.count("replace message")) == (3, 2)
pushed = [event.detail for event in events if event.what == "push message"]
assert len(pushed) == 2 and all(set(detail) == {"bytes"} for detail in pushed)
lab.diagram(after=before, title="Three scores, one topic")

# %% [markdown]
# Without a topic all three came, late and out of date. With one, each score replaced the score
# before it, TTL and Urgency included. To a connected phone all three would have come: **Topic** is
# about what waits, a notification's **tag** (lesson 07) about what is shown. A topic is not
# encrypted: take a code, not `dr-miller-appointment`.
#
# **Urgency** went with each POST and with no push, as the last `assert` says. The push service
# keeps it, and decides *when*: `normal` may wait minutes on a phone that sleeps, `high` may wake
# it ([RFC 8030 §5.3](https://www.rfc-editor.org/rfc/rfc8030#section-5.3)). The lab never sleeps,
# so here it changes nothing.
#
# ## 6 · By hand against the library
#
# pywebpush does in one call what you did in three lessons. Its answer remembers the request, so
# we can lay the two side by side. *Look for* what only one of them has.

# %%
common = {"subscription_info": subscription.to_json(), "timeout": 10,
          "vapid_private_key": lab.keys.to_jwk()["d"]}
answer = webpush(data="Twins", vapid_claims={"sub": lab.keys.subject}, ttl=60, **common)
theirs, ours = answer.request, assemble("Twins", ttl=60)
assert len(theirs.body) == len(ours.body) and theirs.body[16:21] == ours.body[16:21]
mine, its = ({name.lower() for name in one.headers} for one in (ours, theirs))
print(answer.status_code, "·", len(ours.body), "bytes each · only ours:", sorted(mine - its))
print("both bodies from byte 16 on:", theirs.body[16:21].hex(" "), "…")

# %% [markdown]
# One request, twice: the same length, record size (`00 00 10 00` is 4096) and key length (`41` is
# 65), and the same push service believes both tokens. Salt and key pair are fresh, so the rest
# differs; held fast, they give equal bytes (lesson 03). pywebpush writes no Urgency unless you
# pass one in `headers`, and no Content-Type.
#
# It has four silent traps. The cell steps into each: claims without a copy, no `ttl`, empty
# claims, and a test of the answer that many programs use. Predict both lines.

# %%
claims = {"sub": lab.keys.subject}
answer = webpush(data="No copy, no ttl", vapid_claims=claims, **common)
print("claims afterwards:", sorted(claims), "· TTL:", answer.request.headers["ttl"])
try:
    webpush(data="Who am I?", vapid_claims={}, **common)
except WebPushException as error:
    print(error.response.status_code, "· if error.response:", bool(error.response))

# %% [markdown]
# - **Your dictionary changed.** It holds the `aud` of this push service, and the next vendor's will
#   refuse it. Pass a copy.
# - **TTL is 0**, and **empty claims send no Authorization**: hence 401.
# - **`if error.response:` is False**, because requests calls every 4xx false. Who asks so never
#   sees a 410 either, and never removes a dead subscription. Ask `is not None`.
#
# ## 7 · The same, with a browser that is closed
#
# Now a real Firefox or Chromium, if there is one: subscribed, then *closed*, process and all. It
# has a profile that is kept, for with a new profile it would be another browser. `lab.notify()`
# is the application server's own sender: your ten lines, and then exercise 2.
#
# With the panel you can set TTL, Urgency and Topic by hand.

# %%
phone.close()
browser = lab.open(name="Lesson 05", profile=lab.data / "lesson-05")
if browser.state != "unregistered":  # an earlier run has left something in this profile
    browser.unregister()
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
# No browser, no page: but the queue was there. One score and the lunch came as soon as the
# program ran again, and nobody clicked.
#
# ## 8 · One thing that our sender does wrong
#
# An endpoint comes from a stranger, and so does the answer. Suppose it is `302`, with a
# `Location` *inside* your network. `post()` follows, as pywebpush does: the POST becomes a GET of
# that address, and if something there says 200, the message counts as sent. Endpoints do not
# move, so a sender follows nothing.
#
# ### Exercise 3 · `send(url, headers, body) -> int`
#
# In: the endpoint (it may end in a query, as Windows' do), a dict, bytes. POST them. Out: the
# status of *the first* answer: 201, 410 and 302 alike, and no exception. The standard library's
# `http.client` never follows.

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
# - The request is one POST: three orders to the push service, a token, and an opaque body.
# - `201` says *stored*. Not delivered, not readable, not seen.
# - Status, body and headers belong together: each says something that the others do not.
# - TTL decides whether a message survives a tunnel, Topic which one does.
# - Remove on 404 and 410, try again on 429 and 5xx, and mend yourself on the rest.
#
# **What we left out:** thousands of subscribers, and how to try again without harm (06); receipts,
# which hardly any vendor offers
# ([RFC 8030 §5.1](https://www.rfc-editor.org/rfc/rfc8030#section-5.1)); withdrawing a message that
# waits, with a DELETE of its `Location`.

# %% [markdown]
# ## Questions
#
# 1. A colleague counts 201s and calls it "delivered". What has he counted?
# 2. Your football ticker uses TTL 86400 and no topic. What does a phone get after a day's flight?
# 3. All sends to one vendor suddenly answer 403. What do you do first, and what on no account?
#
# <details><summary>Answers</summary>
#
# 1. Messages that push services have stored, also for phones at the bottom of a lake, and also
#    those that no browser can decrypt.
# 2. Every goal of every match. With a topic for each match: its last score.
# 3. Read the body's words, then look at key, `aud` and clock. Remove nothing: the subscriptions
#    are alive.
# </details>
#
# **Next:** [06 · Notify all](06_notify_all.ipynb), the same POST, a thousand times.
