# %% [markdown]
# # 08 · Error clinic: nine patients, and what cures them
#
# Everything in this lesson is broken, and each patient says only what hurts: "nothing arrives",
# "403 since Monday". You predict, bring the fault about *for real*, read the answer, name the cause
# and mend it. Cured is who passes the same send afterwards.

# %% [markdown]
# ## Where we are
#
# **What hurts without this.** One mistake looks different at each vendor, two different ones look
# alike, and the worst look like success. Who guesses, changes keys, and then it *is* broken.
#
# **At the end you can** tell from status, body and headers of an answer which party is at fault,
# reproduce the usual faults in the lab, mend each of them, and prevent the one that cannot be
# mended: deleted subscribers.
#
# **Time:** 40 minutes. **Before this:** [05 · Send](05_send.ipynb), and a look at
# [03](03_encrypt.ipynb) and [04](04_sign.ipynb) where a case sends you there.

# %%
import http.client, json, os, re, tempfile, time
from dataclasses import replace
from urllib.parse import urlsplit
from cryptography.hazmat.primitives.asymmetric import ec
from py_vapid import Vapid
from pywebpush import WebPusher, WebPushException, webpush
from pushlab import ApplicationServer, Lab, PushlabError, PushOptions, PushResponse, PushService
from pushlab import PushSubscription, VapidKeys, VirtualUserAgent, authorization, build_request
from pushlab import checks, encrypt, encryption, explain, jws, vapid
lab = Lab()

# %% [markdown]
# ## The words
#
# | name | length | who knows it | when it is wrong |
# |---|---|---|---|
# | **p256dh** | 65 bytes | user agent, application server | 201, and nothing shows |
# | **auth** | 16 bytes | the same two | 201, and nothing shows |
# | **k** | 65 bytes | everyone | refused: not the subscribed key |
# | **aud** | an origin | application server, push service | refused |
# | **exp** | a number of seconds | the same two | refused |
# | **TTL** | seconds | the same two | 201, and lost |
# | **body** | at most 4096 bytes | user agent alone can read it | 413, or nothing shows |
#
# Three lines say `201`: no status will ever tell you of those.
#
# ## The examination room
#
# `send` is the POST of lesson 05, except that it signs *whatever claims you say*. `by_library`
# leaves all of it to pywebpush. The keyword arguments are where we are going to break things.

# %%
def send(text, to, keys=lab.keys, ttl=60, **said):
    claims = {"aud": to.origin, "exp": int(time.time()) + 12 * 3600, "sub": keys.subject} | said
    token = jws.sign(vapid.HEADER, json.dumps(claims).encode(), keys.private_key)
    as_private, salt = ec.generate_private_key(ec.SECP256R1()), os.urandom(16)
    body = encrypt(text.encode(), to, as_private=as_private, salt=salt)
    made = build_request(to, body, authorization(token, keys.public), PushOptions(ttl=ttl))
    where = urlsplit(made.url)
    connection = http.client.HTTPConnection(where.netloc, timeout=10)
    connection.request("POST", where.path, made.body, dict(made.headers))
    answer = connection.getresponse()
    headers = tuple(answer.headers.items())
    return PushResponse(answer.status, headers, answer.read(), answer.reason)

# %%
os.environ["no_proxy"] = "127.0.0.1"  # The lab is right here: no proxy in between.

def by_library(text, to, claims, **options):
    own = {"vapid_private_key": Vapid(lab.keys.private_key), "vapid_claims": claims, "timeout": 10}
    try:
        return webpush(to.to_json(), text, **own, **options).status_code
    except WebPushException as error:
        return error.response.status_code

# %% [markdown]
# Some faults need *two* vendors. So besides the lab's push service we start another one, on a port
# of its own: another origin, another `aud`. A phone is subscribed at the first, a tablet at the
# second, both for the same application server key. *Look for* two healthy answers.

# %%
phone = lab.open("virtual", name="Phone")
phone.subscribe()
vendor = PushService()
lab.run(vendor.start())
site = ApplicationServer(keys=lab.keys, push_origins=[vendor.origin])
lab.run(site.start())
tablet = VirtualUserAgent(vendor.ws_url, name="Tablet")
for step in tablet.start(), tablet.open(site.url), tablet.register(), tablet.subscribe():
    lab.run(step)
first, second = phone.agent.subscription, tablet.subscription
print([send("Good morning", one).status for one in (first, second)])
assert first.origin != second.origin

# %% [markdown]
# The cases follow a message on its way: subscription, encryption, signature, push service, queue,
# user agent, and what you do afterwards.
#
# ## Case 1 · "Since we tidied up, new people get nothing"
#
# Somebody renamed two columns. Old rows work, new ones do not. Predict: is this noticed when the
# row is *saved*, when a message is *encrypted*, or never?

# %%
swapped = dict(zip(("auth", "p256dh"), first.to_json()["keys"].values()))
try:
    PushSubscription.from_json(first.to_json() | {"keys": swapped})
except PushlabError as error:
    print(error)
auth, p256dh = sorted(swapped.values(), key=len)  # the cure
row = first.to_json() | {"keys": {"p256dh": p256dh, "auth": auth}}
print(send("Case 1 is cured", PushSubscription.from_json(row)).status)

# %% [markdown]
# When it is saved, if you check there: **p256dh** and **auth** are swapped, and 16 bytes cannot be
# a point. (*Fault: user agent*, it says, since these are that party's values. It cannot know who
# swapped them: here it was you.) A server that checks when *saving* answers while a person still
# sits before the page. One that checks when *sending* finds out in the night, among thousands.
#
# **The cure:** 65 bytes are always p256dh and 16 are always auth, so the rows can be sorted out
# without asking anybody.
#
# ## Case 2 · "It works in English"
#
# The weekly letter goes out in two languages. The German one comes back with 413, and the
# developer has counted: 3900 characters, and 3993 are allowed. Predict which of four texts are
# accepted. pywebpush sends them: our own `encrypt` refuses to make such a body at all.

# %%
for text in "a" * 3993, "a" * 3994, "ä" * 3900, '{"title": "The weekly letter"}':
    print(len(text), "characters:", by_library(text, first, {"sub": lab.keys.subject}))
assert phone.wait_for_notification(title="The weekly letter")
two = WebPusher(first.to_json()).encode(b"a" * 4080, "aes128gcm")["body"]
try:
    encryption.read_header(two)
except PushlabError as error:
    print(error)

# %% [markdown]
# `ä` is one character and two bytes. And pywebpush counts nothing: of 4080 bytes it makes a body of
# **two records**, which [RFC 8291 §4](https://www.rfc-editor.org/rfc/rfc8291#section-4) forbids. A
# push service with a generous limit would take that, and each browser would drop it in silence.
#
# **The cure:** measure `len(text.encode())`. Better, as in the fourth line: push a title and an id,
# and let the worker fetch the letter. Firefox on Android takes only about 3000 bytes anyway.
#
# ## Case 3 · "403 since Monday"
#
# On Monday the server moved. *Nobody has touched the keys*, they say. Predict whom it hits: the
# old subscribers, the new ones, or all?

# %%
monday = VapidKeys.generate()
print(explain(send("Case 3", first, keys=monday)))
stored = [one for one in lab.subscriptions() if one.subscription == first][0]
print("made for Monday's key:", stored.application_server_key == monday.application_server_key)
print("made for the old key: ", stored.application_server_key == lab.keys.application_server_key)

# %% [markdown]
# All the old ones, and not those who have come since. Our store keeps with each subscription the
# key that it was made for, so the diagnosis is one comparison.
#
# But who made new keys? The new server was started with a mistyped path. *Look for* what each
# library does with a key file that is not there.

# %%
with tempfile.TemporaryDirectory() as folder:
    Vapid.from_file(f"{folder}/vapid_kye.pem")
    print("py_vapid:", os.listdir(folder))
try:
    VapidKeys.load(f"{folder}/vapid_kye.pem")
except PushlabError as error:
    print("pushlab: ", type(error).__name__, "·", error.hint)
print("the old key:", send("Cured", first).status, phone.wait_for_notification("Cured").body)

# %% [markdown]
# py_vapid *makes* a key there, without a word. A missing key has to be an error.
#
# **The cure:** put the old pair back; keep one pair, in one place that has a backup, and load it
# strictly. Whoever subscribed for the other key, as Monday's people did, can only be helped by the
# page: it compares `subscription.options.applicationServerKey` with today's key, unsubscribes, and
# subscribes again. Those who never come back to your page are lost.
#
# ## Case 4 · "Every example on the internet, and none works"
#
# Five people have copied from five articles: claims left empty, `aud` of their own site, `aud` with
# the path, `exp` in quotes (as in a famous article), and a day and an hour of life "to be safe".
# All five programs *sign* without complaint. Predict which statuses differ.

# %%
late, site_url = int(time.time()) + 25 * 3600, "https://www.example.com"
faults = {"aud: our own site": {"aud": site_url}, "aud: with a path": {"aud": first.origin + "/p"},
          "exp: in quotes": {"exp": "1469618703"}, "exp: 25 hours": {"exp": late}}
print(f"{'vapid_claims={}':<18}", by_library("Case 4", first, {}))
for name, said in (faults | {"nothing wrong": {}}).items():
    answer = send("Case 4", first, **said)
    error = json.loads(answer.body or '{"error": {"id": "accepted"}}')["error"]
    print(f"{name:<18}", answer.status, error["id"])

# %% [markdown]
# The first sends no `Authorization` at all: pywebpush asks `if vapid_claims:`, and an empty dict is
# false. Hence 401, *who are you?*, against 403, *I do not believe you*
# ([RFC 8292 §4.2](https://www.rfc-editor.org/rfc/rfc8292#section-4.2)). The last line is the cure
# of all five, sent by the same function.
#
# If a right `exp` is still refused, look at the machine's *clock*. Twelve hours leave room on both
# sides.
#
# ## Case 5 · "Only the first vendor works"
#
# `notify_all` goes through the list with one set of claims. Firefox users are happy, Chrome users
# get nothing; after a restart with another order it is the other way round. Predict what is in the
# dictionary after the first message.

# %%
claims, both = {"sub": lab.keys.subject}, (first, second)
print("one dictionary: ", [by_library("Case 5", one, claims) for one in both])
print("now it holds:   ", sorted(claims), "· aud of the first:", claims["aud"] == first.origin)
fresh = {"sub": lab.keys.subject}
print("a copy for each:", [by_library("Case 5 is cured", one, dict(fresh)) for one in both])
assert phone.wait_for_notification(body="Case 5 is cured") and sorted(fresh) == ["sub"]

# %% [markdown]
# pywebpush writes `aud` and `exp` into *your* dictionary, and keeps what it finds there the next
# time. The second push service reads that the token is for the first one, and it is right to
# refuse: else one vendor could use your token at another.
#
# ### Exercise 1 · `claims_for(endpoint, now, common) -> dict`
#
# In: an endpoint, the time (whole seconds since 1970), and the dict that all messages share: `sub`,
# and maybe an `aud` and an `exp` from an earlier day. Out: a *new* dict with the `aud` of this
# endpoint, an `exp` 12 hours from now (an int), and the shared `sub`. What was given stays as it
# is.

# %%
def claims_for(endpoint: str, now: int, common: dict) -> dict:
    """Return the claims of one token, and leave ``common`` alone. RFC 8292 §2."""
    ### BEGIN SOLUTION
    url = urlsplit(endpoint)
    return common | {"aud": f"{url.scheme}://{url.netloc}", "exp": now + 12 * 3600}
    ### END SOLUTION

# %% tags=["check"]
checks.error_clinic.claims_for(claims_for)

# %% [markdown]
# ## Case 6 · "Apple says 400, Google 403 and Mozilla 401"
#
# Three tickets, three developers, three statuses. The lab answers as the RFCs say; vendors do not.
# `RECORDED` holds answers that people have met, shortened. You can ask it by `vendor`, by `status`
# or by `fault`. Read the three bodies, and predict how many diagnoses they are.

# %%
recorded = checks.error_clinic.RECORDED
for one in recorded:
    if one.fault == "another key":
        print(f"{one.vendor} {one.status}\n  {one.body.decode()}")

# %% [markdown]
# **One.** *k is not the key that this subscription was made for*: case 3, in three dialects. By the
# status alone you would have mended a header for Apple and a login for Mozilla. Now the reverse:
# one status, several faults. *Look for* the line whose body says nothing.

# %%
def heard(one):
    return explain(PushResponse(one.status, tuple(one.headers.items()), one.body))
for one in recorded:
    if one.status in (400, 403):
        print(one.status, f"{one.fault:<22}", one.vendor, "·", heard(one).text.split("says: ")[-1])
heard(next(one for one in recorded if one.vendor == "Windows"))

# %% [markdown]
# Windows has left the body empty and put the reason into a **header**, which is why `explain` reads
# all three: *status, body and headers*. Apple says `BadJwtToken` for a wrong `aud` and a wrong
# `sub` alike. Then only your own copy of the claims can help, so log it (the claims, not the
# token). 
# ### Exercise 2 · `triage(status, body, headers) -> str`
#
# In: an int, bytes, a dict of headers. Out: the first of these words that fits.
#
# | word | when | the cure |
# |---|---|---|
# | `fine` | 2xx | none needed |
# | `gone` | 404, 410 | remove the subscription |
# | `slower` | 406, 429, 5xx | send less, and later |
# | `key` | `mismatch`, `do not correspond` or `k is not the key` is said | the subscribed key |
# | `ttl` | TTL is spoken of, in the body or in a header's value | say a TTL above 0 |
# | `token` | 401, 403 | sign a right token |
# | `request` | all else | mend headers or body |
#
# Capitals and small letters mean the same. The check asks about `RECORDED`, and about more.

# %%
def triage(status: int, body: bytes, headers: dict[str, str]) -> str:
    """Say in one word what has to be mended. RFC 8030 §5, RFC 8292 §4.2."""
    ### BEGIN SOLUTION
    said = " ".join([body.decode(errors="replace"), *headers.values()]).lower()
    another_key = re.search("mismatch|do not correspond|k is not the key", said)
    rules = {"fine": status < 300, "gone": status in (404, 410),
             "slower": status in (406, 429) or status >= 500, "key": another_key,
             "ttl": "ttl" in said, "token": status in (401, 403), "request": True}
    return next(word for word, fits in rules.items() if fits)
    ### END SOLUTION

# %% tags=["check"]
checks.error_clinic.triage(triage)

# %% [markdown]
# ## Case 7 · "Nothing arrives overnight"
#
# By day all is well. What is sent at night reaches nobody who opens the laptop in the morning, and
# every answer was 201. Predict which of two messages arrives: the program says nothing of TTL in
# the first.

# %%
before = lab.journal.last
lab.run(phone.agent.disconnect())  # The lid is closed.
lab.wait_for("disconnect", before)
print(by_library("Case 7", first, {"sub": lab.keys.subject}),
      by_library("Case 7 is cured", first, {"sub": lab.keys.subject}, ttl=12 * 3600))
lab.run(phone.agent.connect())
phone.wait_for_notification(body="Case 7 is cured")
print([one.body for one in phone.notifications() if one.body.startswith("Case 7")])

# %% [markdown]
# Twice 201. pywebpush sends `TTL: 0` when you say nothing, and 0 is *now or never*
# ([RFC 8030 §5.2](https://www.rfc-editor.org/rfc/rfc8030#section-5.2)). Windows refuses 0 outright,
# in the words that you have just read; elsewhere it is silence.
#
# **The cure:** always say a TTL: the time after which the message is worthless.
#
# ## Case 8 · "201, and nothing shows"
#
# This person has unsubscribed and subscribed again. The server ran `UPDATE … SET endpoint = …`, and
# left the two keys as they were. We send to that row, and then, as a control, to the whole new
# subscription. Predict two statuses, and look for the two **codes** in the diagram.

# %% tags=["nbval-ignore-output"]
phone.unsubscribe()
phone.subscribe()
old, first, before = first, phone.agent.subscription, lab.journal.last
mixed = replace(first, p256dh=old.p256dh, auth=old.auth)
assert [send("Case 8", mixed).status, send("Case 8 is cured", first).status] == [201, 201]
assert phone.wait_for_notification("Case 8 is cured") and lab.wait_for("notification shown", before)
assert "Case 8" not in [one.body for one in phone.notifications()]
lab.diagram(after=before, title="Two messages accepted, one shown")

# %% [markdown]
# Twice 201, and both are acknowledged, but the first with **101**, *could not decrypt*: it was
# sealed for a key that the browser threw away when it unsubscribed. There is no `push` event, and
# no word to you.
#
# **The cure:** a subscription is one thing. Replace endpoint, p256dh and auth *together*, each time
# the page sends them. And when 201 shows nothing, ask in this order: did the worker get a `push`
# event? If so, look at the worker (lesson 07). If not: TTL and a closed browser, or these keys.
#
# ## Case 9 · "One bad night, and nobody is left"
#
# A program keeps its list clean with two lines, both common, and both wrong. The first never
# removes anybody. We ask pywebpush about a subscription that is really gone: `old`, from case 8.
# Predict what `if answer:` says of a 410, and who is left after the second line.

# %%
try:
    webpush(old.to_json(), "Case 9", Vapid(lab.keys.private_key), {"sub": lab.keys.subject})
except WebPushException as error:
    answer = error.response
print(answer.status_code, "· if answer:", bool(answer), "· is not None:", answer is not None)
people = {"phone": first, "phone, earlier": old, "tablet": second}
night = {who: explain(send("Case 9", to, keys=monday)) for who, to in people.items()}
print({who: outcome.status for who, outcome in night.items()})
print("left, if refused means removed:", [who for who in night if night[who].status < 400])
print("left, if gone means removed:   ", [who for who in night if night[who].kind != "gone"])

# %% [markdown]
# `requests` calls each answer from 400 on *false*, so `if answer:` skips the 410, and dead
# subscriptions pile up. Ask `is not None`.
#
# The second line goes too far: *remove upon any error*. In the night of Monday's keys that costs
# everybody. **403 says something about you, 410 something about them.** A wrong key can be put
# back; a deleted subscription cannot.
#
# ### Exercise 3 · `keep(status) -> bool`
#
# In: the status of an answer. Out: `True` if the subscription stays in your database. Only two
# statuses end one ([RFC 8030 §7.3](https://www.rfc-editor.org/rfc/rfc8030#section-7.3) names one
# of them, the vendors the other).

# %%
def keep(status: int) -> bool:
    """Say whether the subscription stays."""
    ### BEGIN SOLUTION
    return status not in (404, 410)
    ### END SOLUTION

# %% tags=["check"]
checks.error_clinic.keep(keep)

# %% [markdown]
# Tuesday: the old key is back. *Look for* whom it reaches, and then the clinic closes.

# %%
print({who: send("Good night", to).status for who, to in people.items()})
assert phone.wait_for_notification(body="Good night")
phone.close()
for step in tablet.unsubscribe(), tablet.close(), site.stop(), vendor.stop():
    lab.run(step)

# %% [markdown]
# ## What you saw: the card on the wall
#
# | what people say | first look | mostly it is |
# |---|---|---|
# | nobody can subscribe any more | what you *save* | swapped or shortened keys (1) |
# | 413 | bytes, not characters | over 3993 (2) |
# | all old ones refused, new ones fine | the stored applicationServerKey | new keys (3) |
# | everybody refused, 401 | is there an Authorization? | empty claims (4) |
# | everybody refused, 403 | the body; then `aud`, `exp`, the clock | the token (4) |
# | one vendor refuses | `aud` | shared claims (5) |
# | nothing at night | TTL | 0 (7) |
# | 201, and nothing | is there a `push` event? | old p256dh and auth (8), or the worker |
# | 404, 410 | nothing | somebody has left: remove (9) |
# | fewer subscribers each day | your own `DELETE` | removing upon errors (9) |
#
# **What we left out.** What goes wrong before there is a subscription (lesson 02), redirects (05),
# and waiting after a 429 (06). The lab's push service speaks as the RFCs do: vendors' dialects are
# recordings here.

# %% [markdown]
# ## Questions
#
# 1. Half of your sends answer 403, in no order. You run two servers. What do you compare?
# 2. Apple says `BadJwtToken`, and every other vendor accepts the same claims but for `aud`. Which
#    claim do you read first?
# 3. Why is a control, a healthy subscription, part of every case?
#
# <details><summary>Answers</summary>
#
# 1. Their public keys. One of them has made its own pair, and each reaches only its own people.
# 2. `sub`: a space after `mailto:`, a bare address, or localhost. Only Apple looks at it.
# 3. Without it, "refused" could as well be the network, the clock or the lab. With it, the one
#    thing that you changed is the cause.
# </details>
#
# **Next:** back to [00 · Start here](00_start_here.ipynb) with the panel, and break something that
# is not on the card.
