# %% [markdown]
# # 09 · Operate: a push server that is killed, and tells you what is wrong
#
# A sender on your desk needs to work once. A push server runs for years. It is restarted in the middle
# of a message, its vendors have bad days, and most of the time nobody watches it. In this lesson you
# build a small one that survives this, and learn to read its outcomes.

# %% [markdown]
# ## Where we are
#
# **What hurts without this.** Many push servers send inside the web request. One day the request times
# out or the program is restarted half-way, and nobody can say who has got the message.
#
# **At the end you can** keep messages in a queue that survives `kill -9`, say where a duplicate can
# still come from, give each vendor a worker of its own, tell from a table whether your key, your
# claims or a push service is at fault, and plan a move of keys or domain.
#
# **Time:** 40 minutes. **Before this:** [05 · Send](05_send.ipynb),
# [06 · Notify all](06_notify_all.ipynb), and a little SQL.

# %%
import contextlib, datetime, email.utils, functools, inspect, itertools, json, os, pathlib, re
import requests, sqlite3, subprocess, sys, tempfile, threading, time, types, zoneinfo
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from subprocess import PIPE
from IPython.display import Markdown, display
from pywebpush import webpush
from pushlab import ApplicationServer, Lab, PushService, VirtualUserAgent, checks
lab, folder = Lab(), tempfile.TemporaryDirectory()  # for our databases
path, script = (pathlib.Path(folder.name) / name for name in ("queue.db", "sender.py"))
os.environ["NO_PROXY"] = "127.0.0.1"
lab

# %% [markdown]
# ## The words
#
# | word | what it is |
# |---|---|
# | **job** | one message for one subscription: a row in a table |
# | **take** | what one SQL statement does: it gives a free job to one worker, and to no other |
# | **lease** | how long a worker may keep a job; after that the job is free again |
# | **lane** | a worker that sends to one vendor only |
# | **outcome** | of an attempt: accepted, gone, refused, retry or expired |
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
# A web request should only *write down* what is to be sent, and return. A queue in memory is lost with
# its process, so we write it into a table. The table has one row for each message **and** subscription,
# because each of these pairs succeeds or fails on its own. `UNIQUE (message, subscription)` makes a
# second job for the same pair impossible.
#
# The first cell makes four tables: subscriptions, messages, jobs and a log. The second one writes a
# message and all its jobs together, or nothing at all: `BEGIN IMMEDIATE` opens a transaction, and
# `with db` commits it, or undoes it when something raises. (With `WAL`, others can read while one
# writes.)

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
# ## 3 · One worker takes a job
#
# Suppose that two workers first *look* for a free job, then *mark* it. Both may find the same one.
# So looking and marking must be one statement. Our mark is a **lease**, the time until which the job
# belongs to this worker. If the worker dies, its lease runs out, and the job is free again.

# %%
def take(db, vendor, now, lease=60):
    """Take one job that is due, for ``lease`` seconds. Return it, or None if there is none."""
    rows = db.execute("""UPDATE jobs SET lease = :now + :lease, tries = tries + 1 WHERE id = (
        SELECT id FROM jobs WHERE outcome = 'waiting' AND vendor GLOB :vendor AND due <= :now
        AND lease <= :now ORDER BY due, id LIMIT 1) RETURNING *""",
        {"vendor": vendor, "now": now, "lease": lease}).fetchall()
    return rows[0] if rows else None

# %% [markdown]
# (`GLOB` lets `*` stand for every vendor. `RETURNING` needs SQLite 3.35 (2021). In PostgreSQL add
# `FOR UPDATE SKIP LOCKED` to the inner `SELECT`.) The lease must be longer than the longest attempt,
# or a second worker sends while the first still waits for its answer.
#
# ## 4 · One attempt
#
# `post` is lesson 05 in one call. Six details matter:
#
# - It has a time-out.
# - It follows no redirect.
# - It takes nothing from `~/.netrc`: a password there would replace the token.
# - It hands over a *copy* of the token's claims, because pywebpush writes into the dict that it gets.
# - It asks for the TTL that is *left*.
# - It catches whatever is raised: one bad row must not stop the others.
#
# What the vendor says goes into the log. The endpoint, the token and the text of the message do not,
# because a log has many readers.
#
# The time-out does not limit the whole attempt: `requests` counts its 10 seconds anew for each piece of
# the answer. A push service that sends a byte every nine seconds keeps a worker beyond its lease (60 s),
# and the message is sent twice, which section 5 makes harmless.
#
# The first cell below sends. The second decides what the answer means, in the groups of lesson 06.
# (Our queue tries a 406 again; the lab's sender does not.) The third writes it down.

# %%
def post(row, left, key, claims):
    """POST one message. Return the answer's status and words; None if no answer came."""
    to = {"endpoint": row["endpoint"], "keys": {"p256dh": row["p256dh"], "auth": row["auth"]}}
    rules = {"allow_redirects": False, "auth": lambda request: request}  # it has a token
    http = types.SimpleNamespace(post=functools.partial(requests.post, **rules))
    how = {"ttl": left, "headers": {"Topic": row["topic"]}, "timeout": 10, "requests_session": http}
    try: answer = webpush(to, row["text"], vapid_private_key=key, vapid_claims=dict(claims), **how)
    except Exception as error:  # whatever it is, the others are sent to
        if (answer := getattr(error, "response", None)) is None:
            return None, type(error).__name__
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
# A *refused* job keeps that word in its row. Once you have mended the fault, one `UPDATE` makes it wait
# again, so a wrong key loses no message. Only *gone* removes a subscription.
#
# ## 5 · The program, and where it is killed
#
# The loop is short. Its argument `after` is there for the experiment alone: `work` calls it after
# each step, and our program's own `after` stops at the place where we want to kill it. The second
# cell writes the functions of your own cells into a file, with `inspect.getsource`, and a process of
# its own will run that file. The key travels in the environment of the process, because every user of
# a machine can read command lines.

# %%
def work(db, vendor, clock, send, after=lambda step, job: None):
    """Do every job that is due at the vendors that match ``vendor``."""
    while job := take(db, vendor, clock()):
        after("taken", job)
        answer = attempt(db, job, clock(), send)
        after("answered", job)
        record(db, job, clock(), *answer)

# %%
top = "import functools, os, re, requests, sqlite3, sys, time, types\nfrom pywebpush import webpush\n\n"
main = '''
path, ahead, *wanted = sys.argv[1:]
def after(step, job):
    if [step, str(job["subscription"])] == wanted:
        print(*wanted, flush=True)
        sys.stdin.read()  # wait here to be killed
key, claims = os.environ["VAPID_PRIVATE_KEY"], {"sub": os.environ["VAPID_SUBJECT"]}
send = lambda row, left: post(row, left, key, claims)
work(connect(path), "*", lambda: time.time() + float(ahead), send, after)'''
parts = map(inspect.getsource, (connect, take, post, outcome_of, attempt, record, work))
print(script.write_text(top + "\n".join(parts) + main, "utf-8"), "characters")

# %% [markdown]
# ### The experiment
#
# The program is killed three times. SIGKILL ends it at once: no `except` and no `finally` runs.
#
# 1. It has *taken* the job of person 3, and has not sent yet.
# 2. The push service has *answered* for person 6, and that is not recorded yet.
# 3. The same happens with person 9, whose browser is away.
#
# The fourth start has a clock that is 61 seconds ahead, so that we need not wait for the leases. It
# also finds a second message, our control: when that has arrived, nothing of the first is on its way
# any more. *Predict* how often persons 3, 6, 9 and all the others receive the first message.

# %%
db, now = connect(path), time.time()
rows = [(vendor, to["endpoint"], to["keys"]["p256dh"], to["keys"]["auth"], now) for vendor, to
        in zip(KINDS * 5, [agent.subscription.to_json() for agent in people])]
db.executemany("INSERT INTO subscriptions VALUES (NULL, ?, ?, ?, ?, ?)", rows)
enqueue(db, "Lunch", "lunch-12", 3600, now)
key, claims = lab.keys.to_jwk()["d"], {"sub": lab.keys.subject}
known = os.environ | {"VAPID_PRIVATE_KEY": key, "VAPID_SUBJECT": claims["sub"]}
start = functools.partial(subprocess.Popen, env=known, stdin=PIPE, stdout=PIPE, text=True)

# %%
lab.run(people[8].disconnect())
for wanted in ("taken", "3"), ("answered", "6"), ("answered", "9"):
    with start([sys.executable, script, path, "0", *wanted]) as worker:
        print(worker.stdout.readline().strip(), "· killed")
        worker.kill()
enqueue(db, "Control", "control1", 3600, time.time())
start([sys.executable, script, path, "61"]).communicate()  # waits until it ends
lab.run(people[8].connect())
assert all(lab.run(agent.wait_for_notification(title="Control")) for agent in people)
got = [sum(b"Lunch" in text for text in agent.received) for agent in people]
print("3, 6, 9:", *got[2:9:3], "· all:", Counter(got))
print("6 sees:", [(note.title, note.tag) for note in lab.run(people[5].notifications())])

# %% [markdown]
# Nobody was forgotten, and only person 6 received the message twice.
#
# - **Person 3:** the job was taken, but the message had not been sent. The lease ran out, and the fourth
#   start sent it once.
# - **Person 6:** the push service had the message, but our table did not say so. This gap cannot be
#   closed. Sending happens at the push service and recording happens here, so one of them comes
#   first. A program that records first *loses* a message when it is killed in between, and one that
#   sends first *doubles* it. We chose to double.
# - **Person 9:** the program was killed at the same place, but the first copy still *waited*. The second
#   copy had the same **Topic** and replaced it.
#
# Look at what person 6 *sees*: one Lunch. Both copies had the same **tag**, so the second replaced
# the first on the screen. Give each message its own Topic and tag, and a duplicate does no harm.
#
# Our topics have 6 or 8 characters. Senders report that Apple refuses topics of 5, 9 or 13 (September
# 2026), and so does the lab's `apple`.

# %% [markdown]
# ## 6 · Retries, and a TTL that shrinks
#
# A message that is made at noon with a TTL of an hour is worthless at one o'clock. If your queue
# tries again at 12:50 and asks for an hour once more, the message lives until 13:50. So `attempt`
# asks for the seconds that are *left*, and gives up when none are.
#
# ### Exercise 1 · `again(tries, retry_after, now, ends) -> float | None`
#
# Our `record` has two faults: it ignores `Retry-After`, and it plans attempts after the message's
# end. Write what it should do instead. In:
#
# - `tries`: how many attempts there were (1, 2, …)
# - `retry_after`: the text of the header `Retry-After`, or `None`
# - `now`, `ends`: the present time, and when the message becomes worthless, in seconds since 1970
#
# Out: the *time* of the next attempt, or `None` if that is not before `ends`.
#
# - The first pause is 30 s, each further one is twice the last, and none of these is longer than an
#   hour.
# - If there is a `Retry-After`, the pause is not shorter than that. It holds seconds or a date
#   ([RFC 9110 §10.2.3](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3)).
# - Any other text counts as absent. An exception here would end the worker of that vendor.
#
# In real life add a random part to each pause, or all retries come back in the same second. And decide
# what else has to wait. One answer that asks for a year must not silence a vendor for a year, so this
# pause needs a limit of your own, such as ten minutes.
#
# | answer | what it is about | what else waits |
# |---|---|---|
# | 429 | this subscription ([RFC 8030 §8.4](https://www.rfc-editor.org/rfc/rfc8030#section-8.4)) | its other jobs |
# | 429 for many subscriptions, and nothing is accepted meanwhile | you | all jobs for that vendor |
# | 503 | the push service | all jobs for that vendor |

# %%
def again(tries: int, retry_after: str | None, now: float, ends: float) -> float | None:
    """Return when to try again, or None if that is too late. RFC 8030 §8.4."""
    ### BEGIN SOLUTION
    pause, text = min(30 * 2 ** (tries - 1), 3600), (retry_after or "").strip()
    with contextlib.suppress(ValueError, OverflowError):  # neither seconds nor a date, or empty
        date = None if text.isdigit() else email.utils.parsedate_to_datetime(text)
        pause = max(pause, date.timestamp() - now if date else float(text))
    return now + pause if now + pause < ends else None
    ### END SOLUTION

# %% tags=["check"]
checks.operate.again(again)

# %% [markdown]
# ## 7 · A board, and a lane for each vendor
#
# One number for all vendors hides what matters. When a vendor that few of your people use fails
# completely, the total hardly moves. So our board counts by **vendor and outcome**. It asks two
# tables, the jobs that still wait and the log. Its last column is what the vendor said last.

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
# A single worker for all vendors waits for the slowest of them. A **lane** is a worker that takes
# the jobs of one vendor only. In the next cell `wns` does not answer until the other three lanes are
# done. Two people have unsubscribed in the cell above. *Predict* the row of `wns` while the board is
# live, and *look for* the two who left.

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
# Three rows were filled while `wns` had five jobs *waiting*. The two *gone* are those who left. They
# are no incident, because people leave every day. `record` has removed them, and nobody else.
#
# ## 8 · Two incidents, from the board alone
#
# On Monday and on Tuesday something breaks. The cell does not show you what. On Tuesday the workers
# run at noon, and again 30 and 90 seconds later. *Diagnose* both days from their boards: whose fault
# is it, and what do you do first?

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
# **Monday: every vendor refuses.** Four companies do not break in the same minute. What they have in
# common is you, and their words say the rest: your *key* is not the one of the subscriptions. Put the
# old key back, and remove nobody. The alarm to set is: more *refused* than *accepted* at **every**
# vendor.
#
# **Tuesday: one vendor gives no answer, and the others accept.** That push service is down, or
# something between you and it is. There is nothing to mend: the jobs wait in the queue. The alarm to set
# is: no answers from **one** vendor, or its oldest job is too old. If *all* vendors were silent, it
# would be your own network.
#
# Both incidents end: the refused jobs wait again, and the push service is back. Then Wednesday comes.
# *Diagnose* it before you read on.

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
# The TTL shrank from attempt to attempt. At the fourth, the last jobs of Tuesday were accepted.
#
# **Wednesday** looks like Monday, but *one* vendor accepts. So the key is right, and the fault is
# something that must differ between vendors. Google names it: the `aud` claim. Somebody had made the
# claims once, for the first endpoint, and used them for all vendors. If you had overlooked the row
# that accepts, you would have changed the key, and made things worse.
#
# ### Exercise 2 · `diagnose(counts) -> str`
#
# In: what `counts(db, message)` returns, for each vendor a dict of the six columns. Out: the first
# word of this table that fits. Ignore a vendor that has nothing but zeros.
#
# | word | when |
# |---|---|
# | `worker` | a vendor has jobs waiting and not one attempt: its lane is dead |
# | `key` | every vendor has more *refused* than *accepted* |
# | `network` | every vendor has more *retry* than *accepted* |
# | `claims` | a vendor has more *refused* than *accepted* |
# | `down` | a vendor has more *retry* than *accepted* |
# | `fine` | everything else |
#
# (A dead lane is the worst of these, because nothing fails: no error is counted anywhere. One cause
# is a job at which the worker raises something that nobody catches. It ends the lane, and is the
# first in line when the lane starts again. That is why `post` catches everything.)

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
# **Accepted is not seen.** Suppose that everything is accepted, and somebody says "I got nothing".
# Ask in this order:
#
# | question | how to tell | if not |
# |---|---|---|
# | Is this subscription still the browser's? | the page compares `getSubscription()` with your row | subscribe again |
# | Did the message live long enough? | its TTL, and how long the device was off | a longer TTL |
# | Did the service worker wake? | its `push` handler reports to your server | a wrong p256dh or auth; or the browser is closed |
# | Did `showNotification()` resolve? | a report after it | the permission; the service worker's code |
# | Does the system show it? | only the person can tell | settings of the system, Focus |
#
# *Resolved* means that the browser has handed the notification over. No web API tells what the
# operating system does with it. So count the reports beside *accepted*: the difference is what you
# really lose.
#
# **Limits that vendors set** (read in November 2026):
#
# | vendor | limit | how we know |
# |---|---|---|
# | Chrome | a site that sends much and is used little is limited for 1 to 14 days, to no less than 1,000 messages a minute; above that it gets 429 | [documented](https://developer.chrome.com/blog/web-push-rate-limits), January 2026 |
# | FCM | a project may send 600,000 messages a minute by default | [documented](https://firebase.google.com/docs/cloud-messaging/throttling-and-quotas) for its own API; we do not know about web push |
# | Mozilla | cuts a TTL to 30 days | source code of its service |
# | Windows, Apple | 406 or 429 when there are too many messages | documented for their own APIs, without numbers |
#
# ## 10 · Moving house, and testing
#
# A subscription belongs to one key *and* to one origin. Lesson 01 changes a key step by step; this is
# the plan.
#
# | when | a new key | a new domain |
# |---|---|---|
# | weeks before | store with each row the key it was made for | tell people on the old site |
# | the day | the page unsubscribes and subscribes with the new key; the sender signs with the key of each row | the new site asks for permission, which cannot be moved |
# | weeks after | with each visit there are fewer old rows | the old service worker stays; its clicks open the new site |
# | the end | delete the rows of the old key | switch the old site off |
#
# **In CI** test everything that needs no vendor: the bytes against the RFC's example, the answers of
# the four flavours, a kill in the middle, and a real browser with this lab's push service. **By
# hand**, before a release, send one message through each real vendor to devices of your own.
#
# ## 11 · Two chores, and good night
#
# *Prune by age too.* For a lost phone you may never get a 410. Let the page send its subscription at
# each visit, store the time in `seen`, and remove rows older than half a year.
#
# *Keep quiet at night.* What is not urgent waits for the *reader's* morning. Store the reader's time
# zone, which the page knows (`Intl.DateTimeFormat().resolvedOptions().timeZone`), and let `due` be
# that morning. *Predict* when three people get a message of Saturday 22:30 UTC, in the night when
# Europe changes to summer time.

# %%
db.execute("UPDATE subscriptions SET seen = seen - 200 * 86400 WHERE id IN (7, 8)")  # long ago
old = db.execute("DELETE FROM subscriptions WHERE seen < ? RETURNING id", [noon - 180 * 86400])
def morning(now, zone):
    local = now.astimezone(zone)
    day = local + datetime.timedelta(days=local.hour >= 22)
    early = day.replace(hour=8, minute=0, second=0).astimezone(datetime.UTC)
    return now if 8 <= local.hour < 22 else early
evening = datetime.datetime(2027, 3, 27, 22, 30, tzinfo=datetime.UTC)
print("pruned:", [row["id"] for row in old.fetchall()])
for zone in map(zoneinfo.ZoneInfo, ("Europe/Paris", "America/New_York", "Asia/Tokyo")):
    print(f"{zone!s:<17}{morning(evening, zone):%A %H:%M}")

# %% [markdown]
# All three times are UTC. New York gets the message at once, because it is early evening there. Tokyo
# gets it at its eight o'clock, half an hour later. Paris gets it at 06:00 UTC; a day earlier its
# eight o'clock was 07:00 UTC.
#
# ## What you saw
#
# - A web request writes jobs down, and workers take them: one row for each message and subscription.
# - A program that is killed between answer and record doubles one message. Topic and tag make that
#   harmless.
# - A retry asks for the TTL that is left.
# - A board by vendor and outcome tells your key, your claims, a vendor and a dead lane apart.
#
# **What we left out:** several machines with one queue, where a database server takes SQLite's place;
# receipts; dashboards.

# %% [markdown]
# ## Questions
#
# 1. A worker is slow, its lease ends, and a second worker sends the same message. What helps?
# 2. For an hour all vendors have refused everything. A colleague wants to empty the table and let people
#    subscribe again. What do you say?
# 3. Everything for Apple is accepted, and iPhones show nothing. Where do you look?
#
# <details><summary>Answers</summary>
#
# 1. Topic and tag make it harmless, and a longer lease prevents it. `UNIQUE` does not help, because
#    both workers send the same row.
# 2. No. The subscriptions are alive, and your key is wrong. With the old key back, the refused jobs
#    are sent.
# 3. At the reports of the `push` handler. If there are none, look at the subscription and its keys.
#    If there are, look at the phone's settings.
# </details>
#
# **Next:** [10 · Your own push server](10_your_server.ipynb), which is examined at each step.
