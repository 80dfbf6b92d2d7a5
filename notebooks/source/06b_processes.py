# %% [markdown]
# # 06b · Processes and machines: a worker dies, and the count is right
#
# One Python process computes on one core. For a million subscribers you need several processes, and then
# several machines, each with a part of the table of subscribers. You will run two processes, kill one of
# them in the middle of its work, and find that nobody has been missed.

# %% [markdown]
# ## Where we are
#
# **What hurts without this.** Two processes that know nothing of each other send everything twice, or
# ask a push service for twice as much as it allows. One of them dies at night, and in the morning nobody
# can say who has got the message.
#
# **At the end you can** cut a table into ranges, share out one limit among processes, survive the death
# of one, count from records, resume what was stopped, and say what changes with more machines.
#
# **Time:** 35 minutes. **Before this:** [06](06_notify_all.ipynb). **This lesson needs Dask**, a library that
# shares out work among processes. It is not installed with the lab. In a terminal, type
# `./lab setup --scale` once (on a hub, ask whoever runs it), and restart the kernel.

# %%
import asyncio, os, sqlite3, tempfile, threading, time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import psutil
from pushlab import ApplicationServer, Lab, PushlabError, bar_chart, checks, examples, line_chart
arrived, lock, opened, under_way = Counter(), threading.Lock(), threading.Event(), set()
opened.set()
print("Ready to build a push service that counts.")

# %% [markdown]
# ## The words
#
# | name | what it is |
# |---|---|
# | **worker** | here a Python process that encrypts and sends, on a core of its own; not a service worker |
# | **range** | subscribers with numbers from … to …: what one worker is given at a time |
# | **scheduler** | part of [Dask](https://distributed.dask.org): it gives ranges to workers, and those of a dead one to another |
# | **window** | how many requests may be in flight to one push service |
# | record | a row in the database: this subscriber has this outcome |
#
# ## 1 · A push service that counts
#
# Thirty virtual browsers are too few for this lesson. Six hundred would decrypt in the kernel, and take the
# processor time that we want to measure. So we write the smallest push service there is. It takes every
# message, decrypts none, and counts the requests to each endpoint. It also has a gate, `opened`. While the
# gate is closed, each request waits for its answer, and we can look around in the middle of a notify-all.
# (Its `Retry-After` matters in section 4.)

# %%
class Endpoint(BaseHTTPRequestHandler):
    protocol_version, status = "HTTP/1.1", 201
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        with lock:
            arrived[self.path] += 1
            under_way.add(self)
        opened.wait()
        under_way.discard(self)
        self.send_response(Endpoint.status)
        self.send_header("Content-Length", "0"), self.send_header("Retry-After", "2")
        self.end_headers()

# %% [markdown]
# The lab may send to this service because we allow its origin. The lab's database is a *file* this time,
# because a database in memory belongs to one process, and no other process can open it.
# (`notify_all(processes=2)` would refuse it, and say why.)

# %%
class Service(ThreadingHTTPServer):
    request_queue_size = 200  # so many may connect in the same moment
    def handle_error(self, *_): pass  # A sender that is killed leaves broken connections.
Endpoint.log_message = lambda *_: None
service = Service(("127.0.0.1", 0), Endpoint)
threading.Thread(target=service.serve_forever, daemon=True).start()
origin = f"http://127.0.0.1:{service.server_port}"
file = f"{tempfile.mkdtemp()}/class.sqlite3"
lab = Lab(database=f"sqlite:///{file}", allow_endpoints=[origin])
server = lab.application_server
lab

# %% [markdown]
# Six hundred subscribers, written into the table as another program would do it. *Look at* the numbers:
# some rows are deleted again, because in a real table many are gone. A number is never used a second time.

# %%
one = examples.RFC8291.subscription
row = "INSERT INTO subscriptions (endpoint, p256dh, auth, application_server_key, who, created_at)"
with sqlite3.connect(file) as table:
    table.executemany(f"{row} VALUES (?, ?, ?, ?, '', 0)", (
        (f"{origin}/push/{n:04}-in-a-class", one.p256dh, one.auth, lab.keys.application_server_key)
        for n in range(700)))
    table.execute("DELETE FROM subscriptions WHERE number % 7 = 0")
    numbers = [number for number, in table.execute("SELECT number FROM subscriptions ORDER BY 1")]
print(len(numbers), "subscribers, with numbers from", numbers[0], "to", numbers[-1])

# %% [markdown]
# ## 2 · Two processes
#
# `processes=2` starts two workers, and a scheduler for them in the kernel. The first call takes a few seconds,
# because each worker has to import pushlab. The workers stay for the next call, and end with the lab.
# *Predict*: does the result look different from that of one process?

# %%
print(lab.notify_all(processes=2).accepted, "accepted,", len(lab.worker_pids()), "worker processes")
print(set(arrived.values()), "message for each of", len(arrived))

# %% [markdown]
# The result is the same. What has changed is *who computes*. We ask the operating system how many seconds of
# a processor each process has used for one notify-all: first with one process, then with two. *Predict* what is
# left to do for the kernel, which is also our push service.

# %% tags=["nbval-ignore-output"]
def cpu():
    who = {"kernel": os.getpid()} | {f"worker {n}": pid for n, pid in enumerate(lab.worker_pids(), 1)}
    return {name: sum(psutil.Process(pid).cpu_times()[:2]) for name, pid in who.items()}
used = {}
for processes in (1, 2):
    before = cpu()
    assert lab.notify_all(processes=processes).accepted == 600
    used |= {f"{name}, processes={processes}": max(0, now - before[name]) for name, now in cpu().items()}
bar_chart(used, "Seconds of a processor, with one process and with two", " s")

# %% [markdown]
# With two processes, the workers encrypt, sign and send, each on a core of its own. What is left for the kernel is
# to answer as the push service, and to exchange a few messages with the workers. (While the kernel sends alone, the
# workers are idle. Their small bars are what it costs them to tell the scheduler that they are alive.)
#
# For six hundred subscribers, two processes may even take longer than one. The gain is seen with thousands: with SQLite,
# two processes sent to 80,000 subscribers 1.4 to 1.8 times as fast as one, on two cores that also served the endpoint
# (measured on 2026-11-29). `./lab bench notify-all` measures your machine.
#
# **Processes do not share memory.** What one of them keeps in a variable, the other does not know. Three things
# have to be shared all the same:
#
# - the subscribers and the records, by way of the *database*;
# - the window, by way of *messages*, as we shall see;
# - the private key, which must reach each worker, and nobody else.
#
# Each worker signs its own token. Two valid tokens for one push service do no
# harm, because it checks each by itself.
#
# ## 3 · Who takes whom
#
# In lesson 06 the workers shared one iterator. Processes cannot. So the table is cut into *ranges of numbers*. A
# worker that is free is given the next range, and reads its rows itself. A range begins at a number, and not at an
# *offset* ("rows 200 to 299"): when an earlier row is removed meanwhile, an offset points to somebody else.
#
# **Exercise 1 · `ranges(numbers, size) -> list[tuple[int, int]]`.** In: the numbers of all subscribers, in
# ascending order, and how many a range may have. Out: first and last number of each range, in order. Each
# subscriber is in exactly one range, and there are as few ranges as possible.

# %%
def ranges(numbers, size):
    """Return first and last number of each range."""
    ### BEGIN SOLUTION
    some = (numbers[start:start + size] for start in range(0, len(numbers), size))
    return [(one[0], one[-1]) for one in some]
    ### END SOLUTION

# %% tags=["check"]
checks.processes.ranges(ranges)

# %% [markdown]
# ## 4 · One window for all of them
#
# A push service does not see your processes. It sees one sender, by its key and its address. One process of
# pushlab begins with 100 requests in flight, and allows more when the answers are good. We close the gate, so
# that no answer comes, and send with two processes. *Predict* how many requests wait at the gate: 100, or 200?

# %%
def wait_for_requests(count):
    while sum(arrived.values()) < count:
        time.sleep(0.01)

def begin(count):
    """Start a notify-all with two processes, and return when so many requests have arrived."""
    arrived.clear()
    job = lab.submit(server.notify_all("Hello", processes=2))
    wait_for_requests(count)
    return job

# %%
opened.clear()
job = begin(100)
time.sleep(1)  # Time enough for many more, if any more were allowed.
print(len(under_way), "in flight")
opened.set()
print(job.result(60).accepted, "accepted")

# %% [markdown]
# 100 requests wait, as they would from one process. Ten times a second, each worker tells the application server
# how its requests were answered, and the application server replies how many requests that worker may have
# in flight. These parts add up to one window. They are not equal parts: a worker with one message left for a
# push service needs one place, and not half of the window.
#
# **Exercise 2 · `shares(window, waiting) -> dict`.** In: the window, and for each worker how many of
# its messages wait. Out: for each worker how many it may have in flight, so that:
#
# - together they have no more than the window;
# - no worker has more than it has messages waiting;
# - no place of the window is left unused while a message waits;
# - each worker with messages gets at least one place, if the window has enough places for that.

# %%
def shares(window, waiting):
    """Share out one window."""
    ### BEGIN SOLUTION
    given = dict.fromkeys(waiting, 0)
    while window and given != waiting:
        for worker in given:  # one place to each in turn
            if window and given[worker] < waiting[worker]:
                given[worker] += 1
                window -= 1
    return given
    ### END SOLUTION

# %% tags=["check"]
checks.processes.shares(shares)

# %% [markdown]
# The harder half is to *slow down* together. Our push service now answers `503` and `Retry-After: 2` to everybody
# for a second. When one worker is asked to wait, the other one must wait too. *Look for* the part of the curve that
# is flat. How long is it, and how many requests arrived before it?

# %% tags=["nbval-ignore-output"]
Endpoint.status = 503
job, began, seen = begin(1), time.perf_counter(), []
while not job.done():
    seen.append((round(time.perf_counter() - began, 1), sum(arrived.values())))
    if len(seen) == 3:
        Endpoint.status = 201
    time.sleep(0.5)
assert job.result().accepted == 600
line_chart({"arrived": seen[:9]}, "Refused at first: 503, Retry-After: 2", x="seconds", y="requests")

# %% [markdown]
# In our runs between 100 and 189 requests arrived before the curve became flat. They were in flight when the
# first refusals came, or a worker began them before it had heard of the pause. Then nothing arrived for about two
# seconds, from either worker. After the pause a few requests went out as a trial. One was accepted, and that
# opened the window for both workers. All 600 were reached, because each refused message was tried again.
#
# ## 5 · You kill one
#
# We let half of the messages arrive and close the gate. Then you kill the worker process with the
# most connections, as `kill -9` does: it can say nothing to anybody, and nothing of what it knew is saved. *Predict*:
#
# 1. How many of the 600 miss the message?
# 2. How many get it twice: none, some dozens, or all that this worker had sent to?
# 3. Who finds out that it has died?

# %%
opened.set()
job = begin(300)
opened.clear()
victim = max(map(psutil.Process, lab.worker_pids()), key=lambda one: len(one.net_connections()))
victim.kill()
opened.set()
counts = job.result(120)
print(600 - len(arrived), "missed;", counts.accepted, "accepted;", counts.total, "in all")
assert max(arrived.values()) <= 2

# %% [markdown]
# Nobody was missed. The operating system closed the dead process's connections, so the *scheduler* noticed at once.
# It gave the ranges of the dead worker to the other one, and a new worker was started meanwhile. Subscribers with a
# record were left out. Subscribers who had been sent to, and had no record yet, were sent to again. *Look for* how
# many these are.

# %% tags=["nbval-ignore-output"]
twice = sum(count == 2 for count in arrived.values())
bar_chart({"subscribers": 600, "requests": sum(arrived.values()), "twice": twice, "missed": 0},
          "One of two processes was killed in the middle")

# %% [markdown]
# Only these can have got it twice: those whose message was in flight from that worker, and those whose outcome it had
# not written yet. Outcomes are written together, twice a second, because a transaction costs about the same for one outcome as
# for a hundred. The phones of these people ring twice. (With a `tag` they see one notification all the
# same: lesson 07.) No sender can avoid both faults: **a sender that can die sends to somebody twice, or to
# somebody never.** We choose twice.
#
# ## 6 · Count records, and not what was returned
#
# A worker could return to the scheduler how many messages it has sent: "50, 50, 50, …". It would be easy to add
# these numbers up. After a death the sum is wrong: the dead worker returned nothing for a range of which it had
# *recorded* one half, and the other worker found only the second half, and returned that. So the 600 above
# are counted in the database.
#
# **Exercise 3 · `outcomes(records) -> dict`.** In: `(number, outcome)` as workers have written them, in order;
# where a range was done again, a subscriber may come twice. Out: how many subscribers each outcome has. Each
# subscriber counts once. Once the outcome is "accepted", it stays so, whatever comes later. Otherwise the later
# outcome counts.

# %%
def outcomes(records):
    """Count each subscriber once."""
    ### BEGIN SOLUTION
    known = {}
    for number, outcome in records:
        if known.get(number) != "accepted":
            known[number] = outcome
    return dict(Counter(known.values()))
    ### END SOLUTION

# %% tags=["check"]
checks.processes.outcomes(outcomes)

# %% [markdown]
# ## 7 · Everything stops, and is resumed
#
# One worker is replaced by another. But what if everything ends: the scheduler dies, the power fails, or you stop
# it? Then the records are what is left. We cancel a notify-all in the middle and look at its row. *Predict*
# how many messages the resume sends: 600, or only those that are left?

# %%
async def cancel_half_way():
    arrived.clear()
    sending = asyncio.create_task(server.notify_all("Hello", processes=2))
    await asyncio.to_thread(wait_for_requests, 300)
    sending.cancel()
    await asyncio.wait([sending])  # It ends when the workers have recorded what they know.

lab.run(cancel_half_way())
half = lab.runs()[-1]
print("It has come to its end:", half.ended_at is not None)

# %%
counts = lab.notify_all("Hello", resume=half.run, processes=2)
assert counts.total == counts.accepted == 600 - half.outcomes["accepted"]
print(lab.runs()[-1].outcomes, "and", 600 - len(arrived), "missed")

# %% [markdown]
# The resume sent only the messages that were left. Had you killed the kernel, it would have been the same: a
# notify-all is a row in the database, and `resume` takes its `run`, in any process. The message must be the
# same, so pushlab compares its SHA-256. Half of your subscribers with one text and half with another would be
# worse than a stop.
#
# ## 8 · Other machines
#
# Nothing in this lesson depended on where a worker runs, except three things:
#
# - **The database.** A SQLite file is on one machine. Several machines share a database server, such as
#   PostgreSQL.
# - **The private key.** It has to travel. pushlab sends it to each worker over TLS, in a message of its own. It is
#   never part of a task, because schedulers keep tasks, log them and show them on a page.
# - **Trust.** Whoever can connect to a Dask scheduler can run any code in its workers, and read the key there. So all
#   of them must show a certificate of one authority.
#
# `notebooks/SCALE.md` has the commands in full, and makes the certificates. In short:
#
# ```
# dask scheduler --protocol tls --tls-ca-file ca.pem …
# dask worker tls://SCHEDULER:8786 --tls-ca-file ca.pem …
# ./lab serve --cluster tls://SCHEDULER:8786 --cluster-ca ca.pem … --database postgresql+psycopg://…
# ```
#
# *Predict* what happens if somebody forgets TLS, and the scheduler is on another machine.

# %%
try:
    ApplicationServer(keys=lab.keys, cluster="tcp://192.0.2.7:8786")
except PushlabError as refused:
    print(refused)

# %% [markdown]
# pushlab refuses before it sends anything there, above all the private key.
#
# ## What you saw
#
# - Processes share no memory. They share the table and its records, one window, and a key that travels over TLS.
# - A range begins and ends with the number of a subscriber, and each subscriber is in exactly one.
# - To a push service all your processes are one sender. Their parts add up to one window, and when the push service
#   is overloaded, all slow down.
# - A worker that dies loses nobody. Some get the message twice: those in flight, and those not yet recorded.
# - Records are counted, and not what workers return. A record is also what a resume begins with.
#
# **What we left out:** a queue for messages that arrive one by one ([09](09_operate.ipynb) builds it), more than
# one application server at a time, and what bounds the whole when the machines are many: the database's writes,
# and the vendors' limits.

# %% [markdown]
# ## Questions
#
# 1. You start a second application server, and both run the same notify-all at the same moment. Who is missed, and
#    who gets it twice?
# 2. Why does a worker keep the private key only in memory, and not in a file?
# 3. A worker does not die, but its network cable is pulled for a minute. What must it do by itself?
#
# <details><summary>Answers</summary>
#
# 1. Nobody is missed, and everybody gets it twice: each keeps records of its own. *You* write down which
#    message you send before you begin, and that it was sent when it has ended (lesson 09).
# 2. What is in a file stays when the worker has gone, and is copied by backups. A worker that ends has forgotten
#    the key, and a new one is given it again.
# 3. It must stop. The scheduler gives its ranges to another worker, so each message that the first one goes on to
#    send is sent twice. pushlab's workers stop when they have heard nothing for ten seconds.
# </details>
#
# **Next:** [07 · Receive](07_receive.ipynb), the other end of the wire: what wakes in the browser.
