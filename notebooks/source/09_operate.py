# %% [markdown]
# # 09 · Operate: a push server that is killed, and tells you what is wrong
#
# A sender on your desk needs to work once. A push server runs for years: it is restarted in the
# middle of a message, and its vendors have bad days. You build a small one that survives this.

# %% [markdown]
# ## Where we are
#
# **What hurts without this.** Many push servers send inside the web request. It times out, the program is restarted, and nobody can say who has got the message.
#
# **At the end you can** keep messages in a queue that survives `kill -9`, say where a duplicate can
# still come from, give each vendor a lane, tell from a board whether your key, your claims or a push
# service is at fault, and plan a move of keys or domain.
#
# **Time:** 40 minutes. **Before this:** [05 · Send](05_send.ipynb),
# [06 · Notify all](06_notify_all.ipynb), and a little SQL.

# %%
import email.utils, functools, inspect, itertools, json, os, pathlib, re, requests
import sqlite3, subprocess, sys, tempfile, threading, time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo
from IPython.display import Markdown, display
from pywebpush import WebPushException, webpush
from pushlab import ApplicationServer, Lab, PushService, VirtualUserAgent, checks
lab, folder = Lab(), tempfile.TemporaryDirectory()  # for the databases of this lesson
path, script = (pathlib.Path(folder.name) / name for name in ("queue.db", "sender.py"))
os.environ["NO_PROXY"] = "127.0.0.1"

# %% [markdown]
# ## The words
#
# | word | what it is |
# |---|---|
# | **job** | one message for one subscription: a row in a table |
# | **claim** | one statement that takes a job, so that no other worker takes it too |
# | **lease** | how long a claim holds; after that the job is free again |
# | **lane** | a worker that sends to one vendor only |
# | **outcome** | accepted, gone, refused, retry or expired |
#
# ## 1 · Four vendors and twenty people
#
# The lab's push service can answer as four vendors do (its *flavours*). We start it four times, side
# by side. Twenty virtual user agents subscribe, five at each vendor; `site` serves them a page. The
# push server is ours to write, with pywebpush and `sqlite3`, which comes with Python.

# %%
KINDS, services = ("mozilla", "fcm", "apple", "wns"), {}
for kind in KINDS:
    services[kind] = PushService(database=f"sqlite:///{folder.name}/{kind}.db", flavour=kind)
    lab.run(services[kind].start())
site = ApplicationServer(keys=lab.keys, push_origins=[one.origin for one in services.values()])
lab.run(site.start())
async def join(kind):
    agent = VirtualUserAgent(services[kind].ws_url)
    for step in agent.start(), agent.open(site.url), agent.register(), agent.subscribe():
        await step
    return agent
people = [lab.run(join(kind)) for kind in KINDS * 5]

# %% [markdown]
# ## 2 · A queue that outlives the program
#
# A web request only *writes down* what is to be sent, in a table, since a queue in memory is lost with
# its process. It has one row for each message **and** subscription, because that is the unit that
# succeeds or fails. `UNIQUE (message, subscription)` makes a second job for the same pair impossible.

# %%
def connect(path):
    db = sqlite3.connect(path, timeout=10, isolation_level=None)  # we write BEGIN ourselves
    db.row_factory = sqlite3.Row
    db.executescript("""PRAGMA journal_mode = WAL;
        CREATE TABLE IF NOT EXISTS subscriptions (id INTEGER PRIMARY KEY, vendor,
            endpoint UNIQUE, p256dh, auth, seen);
        CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY, text, topic, ttl, made);
        CREATE TABLE IF NOT EXISTS jobs (id INTEGER PRIMARY KEY, message, subscription, vendor,
            due, lease DEFAULT 0, tries DEFAULT 0, outcome DEFAULT 'waiting',
            UNIQUE (message, subscription));
        CREATE TABLE IF NOT EXISTS log (at, message, vendor, outcome, status, ttl, words);""")
    return db

# %%
def enqueue(db, title, topic, ttl, now):
    text = json.dumps({"title": title, "options": {"tag": topic}})
    with db:
        db.execute("BEGIN IMMEDIATE")
        row = db.execute("INSERT INTO messages VALUES (NULL, ?, ?, ?, ?)", (text, topic, ttl, now))
        db.execute("INSERT INTO jobs (message, subscription, vendor, due)"
                   " SELECT ?, id, vendor, ? FROM subscriptions", (row.lastrowid, now))
    return row.lastrowid

# %% [markdown]
# A message and its jobs are written together or not at all: `BEGIN IMMEDIATE` opens a transaction, and
# `with db` commits it, or undoes it when something raises.
#
# ## 3 · A claim
#
# Two workers that first *look* for a free job and then *mark* it may both find the same one. So looking
# and marking are one statement. The mark is a **lease**: the time until which the job belongs to this
# worker. If the worker dies, its lease runs out, and the job is free again.

# %%
def claim(db, vendor, now, lease=60):
    """Take one job that is due, for ``lease`` seconds. Return it, or None if there is none."""
    rows = db.execute("""UPDATE jobs SET lease = :now + :lease, tries = tries + 1 WHERE id = (
        SELECT id FROM jobs WHERE outcome = 'waiting' AND vendor GLOB :vendor AND due <= :now
        AND lease <= :now ORDER BY due, id LIMIT 1) RETURNING *""",
        {"vendor": vendor, "now": now, "lease": lease}).fetchall()
    return rows[0] if rows else None

# %% [markdown]
# (`RETURNING` needs SQLite 3.35, of 2021. In PostgreSQL add `FOR UPDATE SKIP LOCKED`.) The lease must
# be longer than the longest attempt. Ours waits 10 seconds for an answer, so 60 are enough.
#
# ## 4 · One attempt
#
# `post` is lesson 05 in one call. Three details matter: it has a time-out, it hands over a copy of the
# claims, and it asks for the TTL that is *left*. What the vendor says goes into the log. Endpoint, token
# and text do not: a log has many readers.

# %%
def post(row, left, key, claims):
    """POST one message. Return the answer's status and words; None if no answer came."""
    to = {"endpoint": row["endpoint"], "keys": {"p256dh": row["p256dh"], "auth": row["auth"]}}
    how = {"ttl": left, "headers": {"Topic": row["topic"]}, "timeout": 10}
    try:
        answer = webpush(to, row["text"], vapid_private_key=key, vapid_claims=dict(claims), **how)
    except WebPushException as refused:
        answer = refused.response
    except requests.RequestException:
        return None, "no answer"
    found = re.search(r'"(?:message|reason)":"([^"]+)', answer.text)
    return answer.status_code, found[1] if found else answer.text.strip()

# %%
def outcome_of(status):
    if status is None or status in (406, 429) or status >= 500:
        return "retry"
    return "accepted" if status < 300 else "gone" if status in (404, 410) else "refused"

def attempt(db, job, now, send):
    """Send a job's message if it is still of use. Return outcome, status, TTL and words."""
    row = db.execute("SELECT * FROM messages m, subscriptions s WHERE m.id = ? AND s.id = ?",
                     (job["message"], job["subscription"])).fetchone()
    left = int(row["made"] + row["ttl"] - now) if row else 0
    status, words = send(row, left) if left > 0 else (None, "")
    return outcome_of(status) if left > 0 else "expired", status, left, words

# %%
def record(db, job, now, outcome, *answer):
    """Write down what became of a job, in its row and in the log: both or neither."""
    due = now + 30 * 2 ** (job["tries"] - 1)  # 30 s, then 1 min, 2 min, …
    state = "waiting" if outcome == "retry" else outcome
    with db:
        db.execute("BEGIN IMMEDIATE")
        db.execute("UPDATE jobs SET outcome = ?, lease = 0, due = ? WHERE id = ?",
                   (state, due, job["id"]))
        db.execute("INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?)",
                   (now, job["message"], job["vendor"], outcome, *answer))
        if outcome == "gone":
            db.execute("DELETE FROM subscriptions WHERE id = ?", (job["subscription"],))

# %% [markdown]
# A *refused* job keeps that word. Once the fault is mended, one `UPDATE` makes it wait again, so a wrong
# key loses no message. Only *gone* removes a subscription.
#
# ## 5 · The program, and where it is killed
#
# The loop is short. `after` is there for the experiment alone: it is told of each step, and the program
# uses it to stop where we want to kill it. `inspect.getsource` writes the functions of your cells into a file, which a process of its
# own will run. The key travels in the environment, because every user of a machine can read command
# lines.

# %%
def work(db, vendor, clock, send, after=lambda step, job: None):
    """Do every job that is due at the vendors that match ``vendor``."""
    while job := claim(db, vendor, clock()):
        after("claimed", job)
        answer = attempt(db, job, clock(), send)
        after("answered", job)
        record(db, job, clock(), *answer)

# %%
top = "import os, re, requests, sqlite3, sys, time\nfrom pywebpush import WebPushException, webpush\n"
main = '''
path, ahead, *wanted = sys.argv[1:]
def after(step, job):
    if [step, str(job["subscription"])] == wanted:
        print(*wanted, flush=True)
        sys.stdin.read()  # wait here to be killed
key, claims = os.environ["VAPID_PRIVATE_KEY"], {"sub": os.environ["VAPID_SUBJECT"]}
send = lambda row, left: post(row, left, key, claims)
work(connect(path), "*", lambda: time.time() + float(ahead), send, after)'''
parts = map(inspect.getsource, (connect, claim, post, outcome_of, attempt, record, work))
print(script.write_text(top + "\n".join(parts) + main, "utf-8"), "characters")

# %% [markdown]
# ### The experiment
#
# The program is killed three times, with SIGKILL, which no `except` and no `finally` catches:
#
# 1. when it has *claimed* the job of person 3, before it sends;
# 2. when the push service has *answered* for person 6, before that is recorded;
# 3. the same for person 9, whose browser is away.
#
# The fourth start has a clock 61 seconds ahead, so that we need not wait for leases. It also finds a
# second message, the control: when that has come, nothing of the first is on its way any more. *Predict* how
# often persons 3, 6, 9 and the others receive the first message.

# %%
db, now = connect(path), time.time()
rows = [(vendor, to["endpoint"], to["keys"]["p256dh"], to["keys"]["auth"], now) for vendor, to
        in zip(KINDS * 5, [agent.subscription.to_json() for agent in people])]
db.executemany("INSERT INTO subscriptions VALUES (NULL, ?, ?, ?, ?, ?)", rows)
key, claims = lab.keys.to_jwk()["d"], {"sub": lab.keys.subject}
secrets = {"VAPID_PRIVATE_KEY": key, "VAPID_SUBJECT": claims["sub"]}
pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
start = functools.partial(subprocess.Popen, env=os.environ | secrets, **pipes)

# %%
lab.run(people[8].disconnect())
enqueue(db, "Lunch", "lunch-12", 3600, now)
for wanted in ("claimed", "3"), ("answered", "6"), ("answered", "9"):
    with start([sys.executable, script, path, "0", *wanted]) as worker:
        print(worker.stdout.readline().strip(), "· killed")
        worker.kill()
enqueue(db, "Control", "control1", 3600, time.time())
start([sys.executable, script, path, "61"]).communicate()  # waits until it ends
lab.run(people[8].connect())
assert all(lab.run(agent.wait_for_notification(title="Control")) for agent in people)
got = [sum(b"Lunch" in text for text in agent.received) for agent in people]
print(got[2], got[5], got[8], "· all:", Counter(got), "· 6 sees:", lab.run(people[5].notifications()))

# %% [markdown]
# Nobody was forgotten, and only person 6 received the message twice.
#
# - **Person 3:** the claim was there, the message was not. The lease ran out, and the message was sent
#   once.
# - **Person 6:** the push service had the message, and our table did not know. This window cannot be
#   closed: sending and recording happen on two machines, and one comes first. Recording first would
#   *lose* a message in a crash; sending first doubles it. We chose that.
# - **Person 9:** the same crash, but the first copy still *waited*. The second had the same **Topic** and
#   replaced it.
#
# Person 6 *sees* one Lunch: both copies had the same **tag**, and the second replaced the first on the
# screen. Give each message its own Topic and tag, and a duplicate does no harm. (Our topics have 8
# characters: Apple refuses 5, 9 or 13. Reported, July 2026; the lab's `apple` does so too.)

# %% [markdown]
# ## 6 · Retries, and a TTL that shrinks
#
# A message made at noon with a TTL of an hour is worthless at one o'clock. A queue that retries at 12:50
# and asks for an hour again keeps it alive until 13:50. So `attempt` asks for the seconds that are *left*, and gives up
# when none are.
#
# ### Exercise 1 · `again(tries, retry_after, now, ends) -> float | None`
#
# `record` ignores `Retry-After`, and it plans attempts after the end. Write what it should do. In: the
# attempts so far (1, 2, …); the header's text or `None`; the time and the message's end, in seconds since
# 1970. Out: the *time* of the next attempt, or `None` if that is not before `ends`. The pause is 30 s,
# then twice the last, at most an hour, and never shorter than `Retry-After`, which holds seconds or a
# date ([RFC 9110 §10.2.3](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3)). In real life add
# some chance, or all retries come back in the same second.

# %%
def again(tries: int, retry_after: str | None, now: float, ends: float) -> float | None:
    """Return when to try again, or None if that is too late. RFC 8030 §8.4."""
    ### BEGIN SOLUTION
    pause = min(30 * 2 ** (tries - 1), 3600)
    if retry_after and retry_after.isdigit():
        pause = max(pause, int(retry_after))
    elif retry_after:
        pause = max(pause, email.utils.parsedate_to_datetime(retry_after).timestamp() - now)
    return now + pause if now + pause < ends else None
    ### END SOLUTION

# %% tags=["check"]
checks.operate.again(again)

# %% [markdown]
# ## 7 · A board, and a lane for each vendor
#
# One number for all hides what matters: when a vendor that few people use fails completely, the total
# hardly moves. So the board counts by **vendor and outcome**. It asks two
# tables, the jobs that wait and the log. The last column is what the vendor said last.

# %%
def counts(db, message):
    table, columns = {kind: Counter() for kind in KINDS}, "SELECT vendor, outcome, COUNT(*) FROM"
    for rows in "jobs WHERE outcome = 'waiting' AND", "log WHERE":
        query = f"{columns} {rows} message = ? GROUP BY vendor, outcome"
        for vendor, outcome, count in db.execute(query, [message]):
            table[vendor][outcome] = count
    return table

# %%
COLUMNS = "waiting", "accepted", "gone", "refused", "retry", "expired"
def board(db, message):
    last = dict(db.execute("SELECT vendor, coalesce(status, '') || ' ' || words FROM log"
                           " WHERE message = ? ORDER BY rowid", [message]).fetchall())
    table = [("vendor", *COLUMNS, "last answer"), ["---"] * 8]
    for vendor, count in counts(db, message).items():
        table.append((vendor, *(count[name] or "" for name in COLUMNS), last.get(vendor, "")))
    return Markdown("\n".join(f"| {' | '.join(map(str, row))} |" for row in table))
for agent in people[0], people[3]:
    lab.run(agent.unsubscribe())
goals, noon = {}, int(time.time()) + 100
news = enqueue(db, "News", "news-001", 3600, noon)

# %% [markdown]
# A worker that serves all vendors waits for the slowest. A **lane** claims the jobs of one vendor alone.
# In the next cell `wns` does not answer until the other three lanes are done. Two people have
# unsubscribed. *Predict* the row of `wns` while the board is live, and *look for* the two who left.

# %% tags=["nbval-ignore-output"]
def lane(vendor):
    def send(row, left):
        assert vendor != "wns" or gate.wait(60)  # this vendor is slow today
        return post(row, left, key, claims)
    work(connect(path), vendor, lambda: noon, send)  # a connection serves one thread
gate, live = threading.Event(), display(board(db, news), display_id=True)
with ThreadPoolExecutor() as pool:
    lanes = [pool.submit(lane, kind) for kind in KINDS]
    for _ in as_completed(lanes[:3]):
        live.update(board(db, news))
    gate.set()
live.update(board(db, news))

# %% [markdown]
# Three rows filled while `wns` waited. The two *gone* are no incident: people leave every day. `record`
# has removed them, and nobody else.
#
# ## 8 · Two incidents, from the board alone
#
# On Monday and on Tuesday something breaks, and the cell does not show what. On Tuesday the workers run
# at noon, and again after 30 and 90 seconds. *Diagnose* both days from their boards: whose fault is it,
# and what do you do first?

# %%
def day(name, *seconds):
    broken = lab.run(checks.operate.incident(name, post, services))  # do not look inside yet
    goals[name] = enqueue(db, name, name[:6], 3600, noon)
    for second, vendor in itertools.product(seconds, KINDS):
        work(db, vendor, lambda at=noon + second: at, lambda *row: broken(*row, key, claims))
    display(Markdown(f"**{name}**"), board(db, goals[name]))
day("Monday", 0)
day("Tuesday", 0, 30, 90)

# %% [markdown]
# **Monday: everybody refuses.** Four companies do not break in the same minute. What they have in common
# is you, and their words say the rest: the *key* is not the one of the subscriptions. Put the old key
# back, and remove nobody. The alarm: more *refused* than *accepted* at **every** vendor.
#
# **Tuesday: one vendor gives no answer, and the others accept.** That push service is down, or a firewall
# is in front of it. There is nothing to mend: the queue waits. The alarm: no answers from **one**
# vendor, and the age of its oldest job. If *all* were silent, it would be your own network.
#
# We mend both: the refused jobs wait again, and the push service starts. Then comes Wednesday.
# *Diagnose* it.

# %%
db.execute("UPDATE jobs SET outcome = 'waiting' WHERE outcome = 'refused'")
lab.run(services["fcm"].start(services["fcm"].port))
for vendor in KINDS:
    work(db, vendor, lambda: noon + 210, lambda *row: post(*row, key, claims))
query = "SELECT DISTINCT ttl FROM log WHERE message = ? AND vendor = 'fcm' ORDER BY rowid"
print("TTL asked for:", [row["ttl"] for row in db.execute(query, [goals["Tuesday"]])])
assert not [count for count in counts(db, goals["Tuesday"]).values() if count["waiting"]]
day("Wednesday", 0)

# %% [markdown]
# The TTL shrank from attempt to attempt, and then the last jobs of Tuesday were accepted.
#
# **Wednesday** looks like Monday, but *one* vendor accepts. So the key is right, and what differs between
# vendors is wrong. Google names it: the `aud` claim. Somebody made the claims once, for the first
# endpoint, and used them for all. Without the row that accepts you would have changed the key.
#
# ### Exercise 2 · `diagnose(counts) -> str`
#
# In: what `counts(db, message)` returns: for each vendor a dict of the six outcomes. Out: the first word
# that fits. Ignore a vendor with nothing but zeros.
#
# | word | when |
# |---|---|
# | `worker` | a vendor has jobs waiting and not one attempt: our lane is dead |
# | `key` | every vendor has more *refused* than *accepted* |
# | `network` | every vendor has more *retry* than *accepted* |
# | `claims` | a vendor has more *refused* than *accepted* |
# | `down` | a vendor has more *retry* than *accepted* |
# | `fine` | all else |

# %%
def diagnose(counts: dict[str, dict[str, int]]) -> str:
    ### BEGIN SOLUTION
    rows = [row for row in counts.values() if any(row.values())]
    refuses = [row["refused"] > row["accepted"] for row in rows]
    fails = [row["retry"] > row["accepted"] for row in rows]
    rules = {"worker": any(row["waiting"] == sum(row.values()) for row in rows),
             "key": rows and all(refuses), "network": rows and all(fails),
             "claims": any(refuses), "down": any(fails), "fine": True}
    return next(word for word, fits in rules.items() if fits)
    ### END SOLUTION

# %% tags=["check"]
checks.operate.diagnose(diagnose)

# %% [markdown]
# ## 9 · What the board cannot see
#
# **Accepted is not seen.** When all is accepted and somebody says "I got nothing", ask in this order:
#
# | question | how to tell | look at |
# |---|---|---|
# | Is it the browser's subscription? | the page compares `getSubscription()` with your row | subscribe again |
# | Did it live long enough? | TTL, and how long the device was off | TTL |
# | Did the worker wake? | its `push` handler reports to you | the keys; is the browser running? |
# | Did `showNotification()` resolve? | a report after it | permission, the worker's code |
# | Does the system show it? | only the person can tell | system settings, Focus |
#
# *Resolved* means that the browser has handed the notification over. No API tells what the system then
# does. Count the reports beside *accepted*: the gap is your real
# loss.
#
# **Limits that vendors set** (read in November 2026):
#
# - Chrome slows down sites that send much and are little used: above 1,000 messages a minute they may get
#   429, for 1 to 14 days ([documented](https://developer.chrome.com/blog/web-push-rate-limits), January
#   2026).
# - FCM allows a project 600,000 messages a minute
#   ([documented](https://firebase.google.com/docs/cloud-messaging/throttling-and-quotas) for its own API;
#   for web push we do not know).
# - Mozilla cuts TTL to 30 days (source code). Windows answers 406, Apple 429 (documented, no numbers).
#
# ## 10 · Moving house, and testing
#
# A subscription belongs to one key *and* one origin.
#
# | when | a new key | a new domain |
# |---|---|---|
# | weeks before | store with each row the key it was made for | tell people on the old site |
# | the day | pages subscribe with the new key; the sender signs by row | the new site asks for permission: it cannot be moved |
# | weeks after | old rows become fewer with each visit | the old worker goes on; its clicks open the new site |
# | the end | delete the rows of the old key | switch the old site off |
#
# **In CI** test what needs no vendor: bytes against the RFC's example, the answers of four flavours, a kill
# in the middle, a real browser with this lab's push service. **By hand**, before a release: one message
# through each real vendor to your own devices.
#
# ## 11 · Two chores, and good night
#
# Prune by *age* too, because a lost phone may never answer 410: the page sends its subscription at each
# visit, you store when (`seen`), and remove rows older than half a year. And what is not urgent waits for
# the *reader's* morning: store the time zone
# (`Intl.DateTimeFormat().resolvedOptions().timeZone`), and let `due` be that morning. *Predict* when three
# people get a message of 22:30 UTC, on the night when Europe changes to summer time.

# %%
db.execute("UPDATE subscriptions SET seen = seen - 200 * 86400 WHERE id IN (7, 8)")  # long ago
old = db.execute("DELETE FROM subscriptions WHERE seen < ? RETURNING id", [noon - 180 * 86400])
def morning(now, zone):
    local = now.astimezone(zone)
    day = local + timedelta(days=local.hour >= 22)
    early = day.replace(hour=8, minute=0, second=0).astimezone(UTC)
    return now if 8 <= local.hour < 22 else early
print("pruned:", [row["id"] for row in old.fetchall()])
for zone in map(ZoneInfo, ("Europe/Paris", "America/New_York", "Asia/Tokyo")):
    print(f"{zone!s:<17}{morning(datetime(2027, 3, 27, 22, 30, tzinfo=UTC), zone):%A %H:%M}")
lab.stop()

# %% [markdown]
# All three times are UTC. New York has it at once, Tokyo at its eight o'clock, and Paris an hour earlier
# than on the day before, because there it was eight o'clock already.
#
# ## What you saw
#
# - A web request writes jobs down, and workers claim them: one row for each message and subscription.
# - A crash between answer and record doubles one message. Topic and tag make that harmless.
# - A retry asks for the TTL that is left.
# - A board by vendor and outcome tells your key, your claims, a vendor and a dead lane apart.
#
# **What we left out:** several machines with one queue, and dashboards.

# %% [markdown]
# ## Questions
#
# 1. A worker is slow, its lease ends, and a second worker sends the same message. What helps?
# 2. All vendors refuse since an hour. A colleague wants to empty the table and let people subscribe again.
#    What do you say?
# 3. Everything for Apple is accepted, and iPhones show nothing. Where do you look?
#
# <details><summary>Answers</summary>
#
# 1. Topic and tag. `UNIQUE` does not, because it is the same row. A longer lease prevents it.
# 2. No. The subscriptions are alive, and your key is wrong. With the old key back, the refused jobs go out.
# 3. At the reports of the `push` handler. If there are none, at subscription and keys, else at the phone's
#    settings.
# </details>
