# %% [markdown]
# # 06 · Notify all: a class of thirty, and one dead endpoint
#
# You have written one message by hand, byte by byte, and sent it. Now it goes to everybody. The
# bytes stay the same. What changes is all around them: whom you wait for, what you make once,
# what you make for each, and what one broken subscription may do to the others.

# %% [markdown]
# ## Where we are
#
# **What hurts without this.** A loop that worked for three test phones takes an hour for a
# hundred thousand, stops at the first dead one, and, after one wrong key, deletes every
# subscriber you had. All of it happens on the evening when the news matters.
#
# **At the end you can** send to a whole class with a fixed number of workers, reuse one token,
# remove what is gone and nothing else, try again with an end, and measure a sender honestly.
#
# **Time:** 40 minutes. **Before this:** lessons 03, 04 and 05; a first acquaintance with `async`
# and `await`.

# %%
import asyncio, os, time
from collections import Counter
from dataclasses import replace
from cryptography.hazmat.primitives.asymmetric import ec
from py_vapid import Vapid
from pywebpush import webpush
from tornado.httpclient import AsyncHTTPClient
from pushlab import Claims, Lab, PushOptions, PushResponse, bar_chart, bench_chart
from pushlab import build_request, checks, encrypt, explain, line_chart, vapid
# In memory, so only this class is in it. One endpoint is allowed whose address is not public.
lab = Lab(database="sqlite://", allow_endpoints=["https://127.0.0.1:9"])
lab

# %% [markdown]
# ## The words
#
# | name | bytes | what it is | who knows it |
# |---|---|---|---|
# | **plaintext** | up to 3993 | what you want to say, the same for all | you, and each browser |
# | **body** | plaintext + 103 | that text, encrypted for *one* browser | that browser reads it |
# | **token** (`t`) | some 250 | says who you are, for hours | you, and *one* push service |
# | **aud** | an origin | the push service that a token is for | as the token |
# | **worker** | | a coroutine: it sends, takes the next, sends … | you |
# | **in flight** | | sent, and not yet answered | you |
#
# ## 1 · A class of thirty
#
# Thirty real browsers would fill your memory. These are *virtual* user agents: they speak
# Firefox's protocol with the push service, decrypt as a browser does, and have no screen. The
# two servers cannot tell. *Look for* the number of subscriptions, and the number of push services
# behind them.

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
# This is the loop that everybody writes first, with pywebpush, the field's own library. It is
# right, and easy to read: it encrypts, signs, posts, *waits for the answer*, and only then looks
# at the next one. The claims are a new dict each time for a reason: pywebpush writes `aud` into
# the dict that it is given, so a shared one works for the first push service and fails at the
# second.

# %%
def with_pywebpush(subscription, ttl=60):
    named = {"vapid_claims": {"sub": lab.keys.subject}, "ttl": ttl, "timeout": 5}
    key = Vapid(lab.keys.private_key)
    return webpush(subscription.to_json(), "By a loop", vapid_private_key=key, **named).status_code

print(dict(Counter(map(with_pywebpush, everyone))))
assert all(browser.wait_for_notification(body="By a loop") for browser in room)

# %% [markdown]
# Thirty times `201`, and the `assert` has asked every browser. Now do a sum before the cell does
# it: a push service on the internet answers in some 50 ms. How long does the loop take for
# 100,000?
#
# *And predict a second thing.* Into the list goes a subscription whose endpoint refuses the
# connection: port 9 of this machine, where nobody listens. How many get the message?

# %%
print(round(100_000 * 0.050 / 60), "minutes")
dead, sent = replace(everyone[0], endpoint="https://127.0.0.1:9/nobody"), []
try:
    for subscription in [*everyone[:10], dead, *everyone[10:]]:
        sent.append(with_pywebpush(subscription))
except Exception as error:
    print(type(error).__name__, "after", len(sent), "of", len(everyone))

# %% [markdown]
# More than an hour, nearly all of it spent waiting. And ten of thirty: **one dead endpoint has
# stopped the loop.** Twenty people get nothing because of somebody they do not know. Worse is a
# server that takes the connection and never answers: without `timeout=5` the loop would not even
# fail, but stand there until you come to look. Both faults come from one habit: *wait for this
# one, then go on*.
#
# ## 3 · What a message costs, counted
#
# Before we make it quicker we count, because counts are the same on every machine. The two
# functions hold what you built in lessons 03 and 04. Thirty messages: predict how often each of
# them really works.

# %%
headers, tally = {}, Counter()  # headers: aud → Authorization
def header_for(aud):
    if aud not in headers:
        tally["signatures"] += 1
        claims = Claims(aud, int(time.time()) + 12 * 3600, lab.keys.subject)
        token = vapid.sign(claims, lab.keys.private_key)
        headers[aud] = vapid.authorization(token, lab.keys.public)
    return headers[aud]

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
# **One signature, not thirty.** A token says *who sends*, *to which push service*, *until when*.
# Nothing in it depends on the subscription or the text. So it serves for all until `exp` comes
# near. [RFC 8292 §5](https://www.rfc-editor.org/rfc/rfc8292#section-5) wants tokens reused: the
# push service, too, can then remember which it has checked. pywebpush, used plainly, signs for
# each message. Make a token anew some time before its end, and never for over 24 hours.
#
# **Thirty encryptions, not one.** Why not encrypt once, and post the same bytes to all? Try it:
# the body for desk 1 goes to desk 2, with a proper token. Predict: who notices, and what does the
# application server hear?

# %% tags=["nbval-ignore-output"]
client = AsyncHTTPClient(force_instance=True, max_clients=100)  # Unasked, it would take 10.
async def carry(request):
    named = {"headers": request.headers, "body": request.body, "raise_error": False}
    return (await client.fetch(request.url, method="POST", **named)).code
before = lab.journal.last
assert await carry(replace(requests[1], body=requests[0].body)) == 201
assert lab.wait_for("acknowledge", before).detail["code"] == 101  # 100 would be: delivered
lab.diagram(after=before, title="A body for desk 1, posted to desk 2")

# %% [markdown]
# `201`, and nothing was shown. The push service cannot read the message, so it cannot know. The
# browser could not decrypt it, told *its push service* so with code 101, and dropped it: no
# `push` event, no word to you. It could not be otherwise. The key comes from an ECDH with *that*
# browser's p256dh, and *that* browser's auth goes in as well
# ([RFC 8291 §3.3](https://www.rfc-editor.org/rfc/rfc8291#section-3.3)). Bytes that all can open
# would need a secret that all share, and a secret of thirty is none.
#
# ## 4 · Workers
#
# While a message is on its way your computer is idle, so let it send another. The first idea, one
# task for each subscriber, does for thirty. With 100,000 it holds 100,000 bodies at the same
# moment. Better is a *fixed number* of workers that share *one iterator*: each takes the next
# subscription when it is free, and nothing is read before it is needed. Memory stays flat,
# however long the table.

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
# Eight in flight, never nine, and no lock anywhere: between two `await`s nobody else runs, so
# taking from the iterator is safe. Now a curve. The lab's push service is next door, so `distance`
# keeps each message 10 ms longer on its way, as if it were in the next town. The second line is
# what *workers ÷ distance* promises. *Look for* the place where the measured line leaves it. What
# does the machine run out of?

# %% tags=["nbval-ignore-output"]
best, promised = Counter(), [(count, count / 0.01) for count in (1, 2, 4)]
for count in (1, 2, 4, 8, 16, 30) * 2:  # The better of two turns counts.
    begin = time.perf_counter()
    assert await by_workers(count, everyone, ttl=0, distance=0.01) == {201: 30}  # All arrived.
    best[count] = max(best[count], 30 / (time.perf_counter() - begin))
lines = {"measured": list(best.items()), "workers ÷ 10 ms": promised}
line_chart(lines, "To wait for many at once", x="workers", y="messages/s")

# %% [markdown]
# On the left, time is *waiting*, and twice the workers are nearly twice as fast. On the right,
# time is *computing*: ECDH, HTTP, and in this lab the push service and the browsers too, all in
# one Python process. From there on, more workers only make a longer queue. The right number grows
# with the distance. pushlab's own sender learns it from the answers: it begins with 100, and asks
# for more as long as more comes back, up to 800.
#
# ## 5 · From the shelf
#
# `lab.notify_all()` is this very design. It reads the database in portions, keeps one token per
# push service, sends through libcurl, which keeps its connections open, and counts what comes of
# it. *Look for* its four numbers: accepted, gone, retried, failed.

# %%
counts = lab.notify_all("Lunch?", "In ten minutes, downstairs.")
print(counts.accepted, counts.gone, counts.retried, counts.failed)
assert all(one.wait_for_notification(body="In ten minutes, downstairs.") for one in room)

# %% [markdown]
# ## 6 · Five are gone, and one is dead
#
# Now the evening as it really is. Five people have unsubscribed, and the word never reached your
# server: we put their rows back. And the endpoint at port 9 is in the database as well. *Predict
# the four numbers.* We only start it here. One of the thirty-one will be tried again and again,
# which takes some seconds, so we read on meanwhile.

# %%
for browser in room[:5]:
    browser.close()  # A throw-away browser unsubscribes before it ends.
store = lab.application_server.store
for subscription in [*everyone[:5], dead]:
    store.save(subscription, lab.keys.application_server_key)  # as if the goodbyes had been lost
under_way = lab.submit(lab.application_server.notify_all("Still there?", "It rains."))
assert all(one.wait_for_notification(body="It rains.") for one in room[5:])

# %% [markdown]
# The `assert` says: 25 browsers show the message. The dead one has kept nobody waiting.
#
# ## 7 · What to do with an answer
#
# You can do four things with an answer, and the status is enough to choose. *Look for* the only
# two that may cost you a subscription.

# %%
for status in (201, 400, 401, 403, 413, 404, 410, 429, 500, 503):
    print(status, explain(PushResponse(status)).kind)

# %% [markdown]
# - **accepted**: done. To send again would ring twice.
# - **gone**: remove the subscription. It never comes back.
# - **refused**: *you* are wrong, in bytes, token or size. Do not send the same again, and **never
#   remove**: a wrong key is refused for everybody at once. Code that removes "on any error", as
#   in more than one well-known tutorial, loses all its subscribers in one night.
# - **retry**, also when there is no answer at all: it may pass. Wait longer each time, at least as
#   long as `Retry-After` says
#   ([RFC 8030 §8.4](https://www.rfc-editor.org/rfc/rfc8030#section-8.4)), and *give up* in the
#   end. Add some chance to each pause, or all your retries come back in the same instant.
#
# A famous trap: with `requests`, which pywebpush uses, `if error.response:` is *false* for a 410,
# and the gone are never removed. Write `is not None`. Now, what has become of our thirty-one?

# %%
counts = under_way.result(timeout=60)
print(counts.accepted, counts.gone, counts.retried, counts.failed)
kept = [stored.subscription.endpoint for stored in lab.subscriptions()]
assert len(kept) == 26 and dead.endpoint in kept  # No answer is no goodbye: the dead one stays.
assert store.remove(dead.endpoint)

# %% [markdown]
# Everybody who is there has the message. Five are removed, and the next round will not ask for
# them. The dead one was tried four times, then counted as failed, and *kept*: a push service
# that is down for an hour must not cost you those who use it. What to do with one that has failed
# for weeks is your own decision. Make it on purpose, and not in an `except`.
#
# ## 8 · Measured
#
# Three senders take turns, five times, and the quickest turn of each counts: what disturbs a
# measurement only ever adds to it. The browsers are away and TTL is 0, so the push service answers
# `201` and forgets: measured is *sending*. **What bounds it:** sender and push service share one
# Python process here, so the three look more alike than they are. `./lab bench` keeps them apart;
# once you have run it, its figures are drawn instead. *Predict* which saving counts most when
# nothing is far away.

# %%
present = everyone[5:]
async def loop():
    return [with_pywebpush(subscription, ttl=0) for subscription in present].count(201)
async def workers():
    return (await by_workers(16, present, ttl=0))[201]
async def notify_all():
    return lab.notify_all(options=PushOptions(ttl=0)).accepted

# %% tags=["nbval-ignore-output"]
for browser in room[5:]:
    lab.run(browser.agent.disconnect())
seconds = {"loop": [], "workers": [], "notify_all": []}
for send in [loop, workers, notify_all] * 5:
    begin = time.perf_counter()
    assert await send() == 25  # Each sender has reached everyone, on any machine.
    seconds[send.__name__].append(time.perf_counter() - begin)
for browser in room[5:]:
    lab.run(browser.agent.connect())
ratios = {name: min(seconds["loop"]) / min(took) for name, took in seconds.items()}
live = bar_chart(ratios, "Messages per second; pywebpush in a loop = 1", "×")
bench_chart(lab.data / "bench.json") or live

# %% [markdown]
# Nothing is far away, so there is no waiting to share out: what your workers gain is mostly the
# token that they do not sign again. `notify_all` also keeps its connections open, where Tornado's
# simple client opens one for each message. Over a real distance the loop falls back by one more
# factor, the number of workers. What no sender can save is one encryption for each subscriber.
#
# ## Exercises
#
# **1 · `tokens_needed(endpoints: list[str]) -> set[str]`.** In: endpoints as browsers gave them.
# Out: the `aud` of each token that you must sign to reach them all. An origin is scheme, host,
# and the port if the URL names one
# ([RFC 6454 §4](https://www.rfc-editor.org/rfc/rfc6454#section-4)).

# %%
def tokens_needed(endpoints):
    """Return the audiences that need a token."""
    ### BEGIN SOLUTION
    return {"/".join(endpoint.split("/")[:3]) for endpoint in endpoints}
    ### END SOLUTION

# %% tags=["check"]
checks.notify_all.tokens_needed(tokens_needed)

# %% [markdown]
# **2 · `delay(status, attempt, retry_after=None, *, base=1, most=60) -> float | None`.** In: the
# status of an answer (`None`: there was none), the number of attempts so far (1, 2, …), the
# seconds of `Retry-After` if it was there. Out: seconds until the next attempt, or `None` for no
# further one. Try again after 429, 5xx and no answer, up to four attempts in all. The first pause
# is `base`, each further one twice the last, none shorter than `retry_after`. Where a pause would
# be longer than `most`, give up.

# %%
def delay(status, attempt, retry_after=None, *, base=1, most=60):
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
# `send(subscription)`, an iterable that may be very long, a number. Out: what `send` returned for
# each, *in the order of the subscriptions*. Where it raised, the exception itself stands in the
# list, and the others get theirs. At most `workers` are in flight, as many as can be, and there
# are no more tasks than that. The check has no clock: it holds messages at a gate, and counts.

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
# - A token is made once for each push service, a body for each browser. Neither can be otherwise.
# - A fixed number of workers over one iterator waits for many at once, and memory stays flat.
# - One dead endpoint costs one endpoint, if there is a time-out, an exception that stays with its
#   subscription, and an end.
# - 404 and 410 remove, 429 and 5xx wait, 400, 401, 403 and 413 ask *you* to mend something.
#
# **What we left out:** HTTP/2, where a hundred messages share one connection (the lab's sender
# uses it with vendors); several processes, since one Python computes on one core; a queue on disk,
# for the day when the power fails half-way.

# %% [markdown]
# ## Questions
#
# 1. Your 10,000 subscribers use browsers of three vendors. How many tokens does one message to
#    all need, and how many encryptions?
# 2. Somebody stores the subscription `https://10.0.0.1/admin`. What does your fan-out do?
# 3. A message was accepted, but the answer got lost, and you try again. What does the user see,
#    and what helps?
#
# <details><summary>Answers</summary>
#
# 1. Three tokens (more if a vendor has several hosts), and 10,000 encryptions.
# 2. It posts into your own network: an endpoint comes from a stranger. Allow only https to public
#    addresses, and follow no redirect. pywebpush does, and calls the page behind it a success.
# 3. It rings twice. With a `tag` the second notification replaces the first; a `Topic` helps
#    while both still wait.
# </details>
#
# **Next:** [07 · Receive](07_receive.ipynb), the other end of the wire: what wakes in the browser.
