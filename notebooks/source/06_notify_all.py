# %% [markdown]
# # 06 · Notify all: a class of thirty, and one dead endpoint
#
# You have written one message by hand, byte by byte, and sent it. Now it goes to everybody. The bytes
# stay the same. What changes is everything around them: whom you wait for, what you make once, what
# you make for each subscriber, and what one broken subscription may do to the others.

# %% [markdown]
# ## Where we are
#
# **What hurts without this.** A loop that worked for three test phones takes an hour for a hundred
# thousand. It stops at the first dead endpoint. And after one wrong key it deletes every subscriber
# you had. All of this happens on the evening when the news matters.
#
# **At the end you can** send to a whole class with a fixed number of workers, reuse one token, remove
# the subscriptions that are gone and no others, retry a limited number of times, ask an application
# server over HTTP to do all this, and measure a sender honestly.
#
# **Time:** 40 minutes. **Before this:** lessons 03, 04 and 05, and a first acquaintance with `async`
# and `await`.

# %%
import asyncio, json, os, sqlite3, tempfile, time, urllib.error, urllib.parse, urllib.request
from collections import Counter
from dataclasses import replace
from cryptography.hazmat.primitives.asymmetric import ec
from py_vapid import Vapid
from pywebpush import webpush
from tornado.httpclient import AsyncHTTPClient
from pushlab import ApplicationServer, Claims, Lab, PushOptions, PushResponse, bar_chart, bench_chart
from pushlab import build_request, checks, encrypt, explain, line_chart, vapid
os.environ["no_proxy"] = "127.0.0.1"
lab = Lab(database="sqlite://", allow_endpoints=["https://127.0.0.1:9"])  # in memory, for this lesson
lab

# %% [markdown]
# ## The words
#
# | name | bytes | what it is | who knows it |
# |---|---|---|---|
# | **plaintext** | up to 3993 | what you want to say, the same for all | you, and each browser |
# | **body** | plaintext + 103 | that text, encrypted for *one* browser | only that browser can read it |
# | **token** (`t`) | some 250 | says who you are, for some hours | you, and *one* push service |
# | **aud** | an origin | the push service that a token is for | the same two |
# | **worker** | | a coroutine that sends to one subscription after another (not a *service worker*) | you |
# | **in flight** | | sent, and not yet answered | you |
#
# ## 1 · A class of thirty
#
# Thirty real browsers would fill your memory, so these are *virtual* user agents. They speak Firefox's
# protocol with the push service and decrypt as a browser does, but they have no screen. Neither of the
# lab's servers can tell the difference. *Look for* two numbers: how many subscriptions there are, and
# how many push services.

# %%
room = [lab.open("virtual", name=f"Desk {number:02}") for number in range(1, 31)]
for browser in room:
    browser.subscribe()
everyone = [stored.subscription for stored in lab.subscriptions()]
origins = {subscription.origin for subscription in everyone}
print(len(everyone), "subscriptions at", len(origins), "push service")

# %% [markdown]
# ## 2 · One after the other
#
# This is the loop that everybody writes first, with pywebpush. It is correct and easy to read. It
# encrypts, signs, posts, *waits for the answer*, and only then looks at the next subscription. It makes
# new claims each time for a reason: pywebpush writes `aud` into the dict that it is given, so a shared
# dict works for the first push service and fails at the second.

# %%
def with_pywebpush(subscription, ttl=60):
    named = {"vapid_claims": {"sub": lab.keys.subject}, "ttl": ttl, "timeout": 5}
    key = Vapid(lab.keys.private_key)
    return webpush(subscription.to_json(), "By a loop", vapid_private_key=key, **named).status_code

print(dict(Counter(map(with_pywebpush, everyone))))
assert all(browser.wait_for_notification(body="By a loop") for browser in room)

# %% [markdown]
# All thirty were accepted, and the `assert` has asked every browser whether it shows the message. Now
# predict two things before you run the next cell:
#
# 1. Suppose that a push service on the internet answers after 50 ms. How long does the loop take for
#    100,000 subscribers?
# 2. We put into the list a subscription whose endpoint refuses the connection: port 9 of this machine,
#    where nobody listens. How many of the thirty get the message?

# %%
print(round(100_000 * 0.050 / 60), "minutes")
dead, sent = replace(everyone[0], endpoint="https://127.0.0.1:9/nobody"), []
try:
    for subscription in [*everyone[:10], dead, *everyone[10:]]:
        sent.append(with_pywebpush(subscription))
except Exception as error:
    print(type(error).__name__, "after", len(sent), "of", len(everyone))

# %% [markdown]
# The loop would take more than an hour, and nearly all of it is waiting. And ten of thirty got the
# message: **one dead endpoint has stopped the loop.** Twenty people get nothing because of somebody they
# do not know. A server that takes the connection and never answers is worse: without `timeout=5` the
# loop would not even fail, but wait until you stop it. Both faults come from one habit: *wait for
# this one, then go on*.
#
# ## 3 · What a message costs, counted
#
# Before we make it faster we count, because counts are the same on every machine. The first function
# signs a token (lesson 04) and keeps it until an hour before it expires. The second encrypts (lesson 03).
# *Predict* how many signatures and how many encryptions thirty messages need.

# %%
headers, tally = {}, Counter()  # headers: aud → (until when, Authorization)
def header_for(aud):
    until, header = headers.get(aud, (0, ""))
    if until < time.time() + 3600:  # there is none, or it ends within the hour
        tally["signatures"] += 1
        until = int(time.time()) + 12 * 3600
        token = vapid.sign(Claims(aud, until, lab.keys.subject), lab.keys.private_key)
        header = vapid.authorization(token, lab.keys.public)
        headers[aud] = until, header
    return header

# %%
def request_for(to, plaintext, ttl=60):
    tally["encryptions"] += 1
    as_private, salt = ec.generate_private_key(ec.SECP256R1()), os.urandom(16)
    body = encrypt(plaintext, to, as_private=as_private, salt=salt)
    return build_request(to, body, header_for(to.origin), PushOptions(ttl=ttl))
requests = [request_for(subscription, b"Lunch?") for subscription in everyone]
print(dict(tally))
assert tally["signatures"] == len(origins) and tally["encryptions"] >= len(everyone)

# %% [markdown]
# **One signature, not thirty.** A token says *who* sends, *to which push service*, and *until when*.
# Nothing in it depends on the subscription or the text, so one token serves all messages to a push
# service. [RFC 8292 §5](https://www.rfc-editor.org/rfc/rfc8292#section-5) recommends reusing it, because
# the push service can then remember that it has checked the token. Called plainly, pywebpush signs every
# message.
#
# **Thirty encryptions, not one.** Why not encrypt once and post the same bytes to everybody? Try it: we
# post the body for desk 1 to desk 2, with a proper token. *Predict* who notices, and what the application
# server hears of it.

# %% tags=["nbval-ignore-output"]
client = AsyncHTTPClient(force_instance=True, max_clients=100)  # Unasked, it would take 10.
async def carry(request):
    named = {"headers": request.headers, "body": request.body, "raise_error": False}
    return (await client.fetch(request.url, method="POST", **named)).code
before = lab.journal.last
assert await carry(replace(requests[1], body=requests[0].body)) == 201
told = lab.wait_for("acknowledge", before)
while told.detail["code"] == 100:  # delivered: a message of the loop above, which comes late
    told = lab.wait_for("acknowledge", told.number)
assert told.detail["code"] == 101  # could not decrypt
lab.diagram(after=before, title="A body for desk 1, posted to desk 2")

# %% [markdown]
# The answer was `201`, and nothing was shown. The push service cannot read the message, so it could not
# notice. The browser noticed: it could not decrypt the message, told *its push service* so (code 101 of
# Firefox's protocol), and dropped it. There is no `push` event, and your server hears nothing.
#
# Nothing else is possible. The encryption key is computed from *that* browser's p256dh and auth
# ([RFC 8291 §3.3](https://www.rfc-editor.org/rfc/rfc8291#section-3.3)). Bytes that everybody can open
# would need a secret that everybody shares, and what thirty people share is no secret.
#
# ## 4 · Workers
#
# While a message is on its way your computer is idle, so let it send another one. The first idea is one
# task for each subscriber. That is fine for thirty, but with 100,000 it holds 100,000 bodies in memory at
# the same time. Better is a *fixed number* of workers that share *one iterator*. Each worker takes the
# next subscription when it is free, and nothing is read before it is needed. Memory stays the same
# however long the table is.

# %%
async def post(subscription, ttl=60, distance=0):
    flight["now"] += 1
    flight["most"] = max(flight["most"], flight["now"])
    await asyncio.sleep(distance)  # as if the push service were far away
    status = await carry(request_for(subscription, b"By workers", ttl))
    flight["now"] -= 1
    return status

# %%
async def by_workers(count, subscriptions, **named):
    rows, statuses = iter(subscriptions), Counter()
    async def work():
        for subscription in rows:  # All workers share this one iterator.
            statuses[await post(subscription, **named)] += 1
    await asyncio.gather(*(work() for _ in range(count)))
    return statuses

flight = Counter()
print(dict(await by_workers(8, everyone)), "with", flight["most"], "in flight at most")
assert all(browser.wait_for_notification(body="By workers") for browser in room)

# %% [markdown]
# There were eight in flight and never nine, without any lock. Between two `await`s no other coroutine
# runs, so taking from the iterator is safe.
#
# Now we draw a curve. The lab's push service is on this machine, so `distance` keeps each message 10 ms
# longer on its way, as if the push service were in the next town. The second line is what *workers ÷
# distance* promises. *Look for* the place where the measured line leaves the promised one. What has run
# out there?

# %% tags=["nbval-ignore-output"]
best, promised = Counter(), [(count, count / 0.01) for count in (1, 2, 4)]
for count in (1, 2, 4, 8, 16, 30) * 2:  # The better of two turns counts.
    begin = time.perf_counter()
    assert await by_workers(count, everyone, ttl=0, distance=0.01) == {201: 30}  # All were accepted.
    best[count] = max(best[count], 30 / (time.perf_counter() - begin))
lines = {"measured": list(best.items()), "workers ÷ 10 ms": promised}
line_chart(lines, "To wait for many at once", x="workers", y="messages/s")

# %% [markdown]
# On the left the time goes into *waiting*, so more workers send more. On the right the processor's time
# has run out: it goes into *computing*, for ECDH, HTTP, and in this lab also the push service and the
# browsers, all in one Python process. From there on more workers only make a longer queue. The right
# number grows with the distance. pushlab's own sender finds it for each push service: it begins with 100
# in flight, and asks for more while that brings more, up to 800.
#
# ## 5 · From the shelf, over HTTP
#
# `lab.notify_all()` is this very design. It reads the database in portions, keeps one token for each push
# service, sends through libcurl, which keeps its connections open, and counts the results. A page or
# another program asks for it over HTTP: a POST to `/notify-all`. The body is JSON, with the notification as
# the worker will show it, and the options of the message. *Look for* the four counts in the answer.

# %%
def ask(server, route, said):
    url, headers = server.url + route, {"Content-Type": "application/json"}
    try:
        answer = urllib.request.urlopen(
            urllib.request.Request(url, json.dumps(said).encode(), headers), timeout=60)
    except urllib.error.HTTPError as refused:  # an answer like any other
        answer = refused
    with answer:
        return answer.status, json.loads(answer.read())
lunch = {"title": "Lunch?", "options": {"body": "In ten minutes, downstairs."}}
print(ask(lab.application_server, "notify-all", {"notification": lunch, "options": {"ttl": 60}}))
assert all(one.wait_for_notification(body="In ten minutes, downstairs.") for one in room)

# %% [markdown]
# *Accepted*, *gone* and *failed* (refused, or given up) are everybody; *retried* counts those who took
# several attempts. A page should also know two answers that are no success. We ask another application
# server, which has no subscribers, and whose database then refuses to store one. *Predict* both
# statuses. Which of the two is the client's business?

# %%
with tempfile.TemporaryDirectory() as folder:
    database, ours = f"{folder}/other.sqlite3", [lab.push_service.origin]
    other = ApplicationServer(keys=lab.keys, database=f"sqlite:///{database}", push_origins=ours)
    lab.run(other.start())
    print(ask(other, "notify-all", {"notification": lunch}))
    trouble = sqlite3.connect(database)
    trouble.execute("CREATE TRIGGER no BEFORE INSERT ON subscriptions"
                    " BEGIN SELECT RAISE(FAIL, 'no room'); END")
    status, answer = ask(other, "add-subscription", everyone[0].to_json())
    print(status, answer["error"]["id"])
    trouble.close()
    lab.run(other.stop())

# %% [markdown]
# **409 Conflict** is the client's business: the request is right, but there is nobody to notify. The
# page can tell its user. **500** with `unable-to-save-subscription` says that the fault is the server's.
# The page must not believe that it is subscribed: it keeps the subscription and sends it again later.
# The words for people are in `message`, and programs compare `id`.
#
# ## 6 · Five are gone, and one is dead
#
# Now the evening as it really is. Five people have unsubscribed, and we put their rows back, as if your
# server had never heard of it. The endpoint at port 9 goes into the database as well. *Predict the four
# numbers.* The cell only starts the sending. One of the thirty-one will be tried several times, which
# takes some seconds, so we read on meanwhile.

# %%
for browser in room[:5]:
    browser.close()  # A throw-away browser unsubscribes before it ends.
store = lab.application_server.store
for subscription in [*everyone[:5], dead]:
    store.save(subscription, lab.keys.application_server_key)  # as if the goodbyes had been lost
under_way = lab.submit(lab.application_server.notify_all("Still there?", "It rains."))
assert all(one.wait_for_notification(body="It rains.") for one in room[5:])

# %% [markdown]
# The `assert` has shown that 25 browsers have the message. The dead endpoint has kept nobody waiting.
#
# ## 7 · What to do with an answer
#
# You can do four things with an answer, and the status is enough to choose. (Only Windows' 406 is odd: see
# lesson 05.)
#
# - **accepted**: you are done. If you send again, the phone rings twice.
# - **gone**: remove the subscription. It never comes back.
# - **refused**: *you* are wrong, in bytes, token or size. Do not send the same again, and **never remove**:
#   a wrong key is refused for everybody at once. Code that removes "on any error", as MDN's Service
#   Worker Cookbook does (its source), loses all its subscribers in one night.
# - **retry**, also when there is no answer at all: the trouble may pass. Wait longer each time, and at least
#   as long as `Retry-After` says
#   ([RFC 8030 §8.4](https://www.rfc-editor.org/rfc/rfc8030#section-8.4)). *Give up* in the end.
#   Make each pause partly random, or all your retries come back in the same instant.
#
# With `requests`, which pywebpush uses, there is a famous trap: `if error.response:` is *false* for a 410,
# so what is gone is never removed. Write `if error.response is not None:`.
#
# *Predict* which of ten statuses may cost you a subscription, and what has become of our thirty-one.

# %%
for status in (201, 400, 401, 403, 413, 404, 410, 429, 500, 503):
    print(status, explain(PushResponse(status)).kind)
counts = under_way.result(timeout=60)
print(counts.accepted, counts.gone, counts.retried, counts.failed)
kept = [stored.subscription.endpoint for stored in lab.subscriptions()]
assert len(kept) == 26 and dead.endpoint in kept  # No answer is no goodbye: the dead one stays.
assert store.remove(dead.endpoint)

# %% [markdown]
# Only 404 and 410 cost a subscription. All 25 who are there have the message. Five subscriptions are
# removed, and the next round will not try them. The dead one was tried four times, counts as retried and
# as failed, and is *kept*: a push service that is down for an hour must not cost you the people who use
# it. What to do with an endpoint that has failed for weeks is your own decision. Make it on purpose, and
# not in an `except`.
#
# ## 8 · Measured
#
# Four senders take turns, five times, and the quickest turn of each counts, because whatever disturbs a
# measurement only ever adds to it. The browsers are away and TTL is 0, so the push service answers `201` and
# forgets the message: only *sending* is measured. **What bounds it:** sender and push service share one
# Python process here, so the four look more alike than they are. `./lab bench` keeps them apart; once you
# have run it, its figures are drawn instead. *Predict* which step brings most: to sign once, to wait for 16
# at a time, or to keep connections open.

# %%
present = everyone[5:]
async def loop():
    return [with_pywebpush(subscription, ttl=0) for subscription in present].count(201)
async def one_worker():
    return (await by_workers(1, present, ttl=0))[201]
async def workers():
    return (await by_workers(16, present, ttl=0))[201]
async def notify_all():
    return lab.notify_all(options=PushOptions(ttl=0)).accepted

# %% tags=["nbval-ignore-output"]
for browser in room[5:]:
    lab.run(browser.agent.disconnect())
seconds = {"loop": [], "one_worker": [], "workers": [], "notify_all": []}
for send in [loop, one_worker, workers, notify_all] * 5:
    begin = time.perf_counter()
    assert await send() == 25  # The push service accepted every message.
    seconds[send.__name__].append(time.perf_counter() - begin)
for browser in room[5:]:
    lab.run(browser.agent.connect())
ratios = {name: min(seconds["loop"]) / min(took) for name, took in seconds.items()}
live = bar_chart(ratios, "Messages per second; pywebpush in a loop = 1", "×")
bench_chart(lab.data / "bench.json") or live

# %% [markdown]
# From the loop to *one worker* two things change: the token is signed once, and another HTTP client sends.
# From one worker to *sixteen* only the waiting changes, and here nothing is far away, so there is little to
# gain. In our run the last step brought most: `notify_all` keeps its connections open, where Tornado's
# simple client opens one for each message. Over a real distance the two that send one after the other
# are slower by a factor of about the number of workers. No sender can save the one encryption for each
# subscriber.
#
# ## Exercises
#
# **1 · `tokens_needed(endpoints: list[str]) -> set[str]`.** In: endpoints. Out: the `aud` of each token that
# you must sign to reach them all. An origin is scheme, host and port, and a port that is the scheme's own
# (443 for https, 80 for http) is not written
# ([RFC 6454 §4](https://www.rfc-editor.org/rfc/rfc6454#section-4) and
# [§6.1](https://www.rfc-editor.org/rfc/rfc6454#section-6.1)).

# %%
def tokens_needed(endpoints):
    """Return the audiences that need a token."""
    ### BEGIN SOLUTION
    def origin(url):
        port = "" if url.port in (None, {"https": 443, "http": 80}[url.scheme]) else f":{url.port}"
        return f"{url.scheme}://{url.hostname}{port}"
    return {origin(urllib.parse.urlsplit(endpoint)) for endpoint in endpoints}
    ### END SOLUTION

# %% tags=["check"]
checks.notify_all.tokens_needed(tokens_needed)

# %% [markdown]
# **2 · `delay(status, attempt, retry_after=None, *, base=1, most=600) -> float | None`.** In: the status of an
# answer (`None` if there was none), the number of attempts so far (1, 2, …), and the seconds of `Retry-After`
# if it was there. Out: the seconds until the next attempt, or `None` for no further one. Try again after 429,
# after 5xx and without an answer, up to four attempts in all. The first pause is `base`, and each further one
# is twice the last. No pause is shorter than `retry_after`. Where a pause would be longer than `most`, give up.
# (Ten minutes are enough for the 120 seconds that Mozilla's service asks for when it is overloaded, by its
# source code of July 2026.)

# %%
def delay(status, attempt, retry_after=None, *, base=1, most=600):
    """Return the seconds until the next attempt, or None."""
    ### BEGIN SOLUTION
    may_pass = status is None or status == 429 or status >= 500
    pause = max(base * 2 ** (attempt - 1), retry_after or 0)
    return pause if may_pass and attempt < 4 and pause <= most else None
    ### END SOLUTION

# %% tags=["check"]
checks.notify_all.delay(delay)

# %% [markdown]
# **3 · `async def fan_out(send, subscriptions, workers) -> list`.** In: a coroutine function
# `send(subscription)`, an iterable that may be very long, and a number. Out: what `send` returned for each
# subscription, *in the order of the subscriptions*. Where `send` raised, its exception stands in the
# list, and the others are sent all the same. At most `workers` sends are in flight, and as many as
# possible; there are no more tasks than `workers`. The check uses no clock: it holds messages back and
# counts.

# %%
async def fan_out(send, subscriptions, workers):
    """Send to all with a fixed number of workers."""
    ### BEGIN SOLUTION
    results, rows = {}, enumerate(subscriptions)
    async def work():
        for number, subscription in rows:
            try:
                results[number] = await send(subscription)
            except Exception as error:
                results[number] = error
    await asyncio.gather(*(work() for _ in range(workers)))
    return [results[number] for number in sorted(results)]
    ### END SOLUTION

# %% tags=["check"]
checks.notify_all.fan_out(fan_out)

# %% [markdown]
# ## What you saw
#
# - One token is enough for each push service; each browser needs a body of its own.
# - A fixed number of workers over one iterator waits for many answers at once, and memory stays flat.
# - One dead endpoint costs one endpoint, if there is a time-out, an exception that stays with its
#   subscription, and an end.
# - 404 and 410 remove. 429, 5xx and silence wait. 400, 401, 403 and 413 ask *you* to mend something.
# - A page asks by HTTP, and 409 and 500 tell it two different things.
#
# **What we left out:** HTTP/2, where many messages share one connection (the lab's sender uses it where a
# push service offers it). A queue on disk, for the day when the power fails half-way, and a lane for each
# vendor: lesson 09 builds both. Several processes and machines: one Python process computes on one core, so a
# larger sender gives parts of the table to several processes, and then to several machines. Each part is this
# lesson once more. What is new: no two of them may take the same row, and *together* they keep to one
# pace for each push service ([06b](06b_processes.ipynb)).

# %% [markdown]
# ## Questions
#
# 1. Your 10,000 subscribers use browsers of three vendors. How many tokens does one message to all of them
#    need, and how many encryptions?
# 2. Somebody stores the subscription `https://10.0.0.1/admin`. What does your fan-out do?
# 3. A message was accepted, but the answer got lost, and you try again. What does the user see, and what
#    helps?
#
# <details><summary>Answers</summary>
#
# 1. Three tokens (more if a vendor has several hosts), and 10,000 encryptions.
# 2. It posts into your own network, because an endpoint comes from a stranger. Allow only https to public
#    addresses, and follow no redirect. pywebpush follows redirects, and calls the page behind one a success.
# 3. The phone rings twice. With a `tag` the second notification replaces the first; with a `Topic` the second
#    message replaces the first one while that still waits.
# </details>
#
# **Next:** [06b · Processes and machines](06b_processes.ipynb) if you install Dask, or
# [07 · Receive](07_receive.ipynb), the other end of the wire.
