# %% [markdown]
# # 00 · Start here: a real browser receives a real push
#
# A web page can ring a phone whose screen is dark, long after the page was closed. Three programs
# that do not trust one another make that possible. Here you run all three on your own machine, watch
# one message travel through them, and read from a diagram who said what to whom. Nothing needs the
# internet.

# %% [markdown]
# ## Where we are
#
# **What hurts without this.** Web push fails silently: with a wrong key, an old address or a byte
# too many, nothing appears. If you can name the parties and what they say to one another, you know
# where to look.
#
# **At the end you can** start the lab, open its page in a browser, subscribe it, send to one and
# to all, say which party did what and in which order, and explain what a 410 means.
#
# **Time:** 20 minutes. **Before this:** nothing; a little Python and HTTP will do.
#
# **How to run a cell.** Click into the cell and press Shift-Enter. While the cell runs, `[*]` stands
# beside it; when it has ended, a number does. The cell's output appears below it, and the next cell
# is selected. Begin with the cell below, and *look for* the sentence that says that the lab runs.

# %%
from pushlab import Lab, PushlabError, checks

lab = Lab()
lab

# %% [markdown]
# Two servers now run in the background while you read. Run the cell again whenever you like: it
# stops the old lab and starts a new one. If a cell further down says
# `NameError: name 'lab' is not defined`, this first cell has not been run since the kernel (the
# Python behind this notebook) started: run this one, then that cell again.
#
# ## What web push is, and when not to use it
#
# A page that wants news can *poll*: it asks its server again and again, as long as it is open. With
# *push* the server speaks first, when there is something to say, and the page may be closed.
#
# Two APIs work together, and each can be used alone:
#
# - A **push message** travels from your server to the browser and starts a script of yours there
#   ([Push API](https://www.w3.org/TR/push-api/)).
# - A **notification** is what a person sees. An open page can show one without any push
#   ([Notifications API](https://notifications.spec.whatwg.org/)).
# - What people call a *push notification* is both: a message arrives, and your script shows a
#   notification.
#
# A push message that shows nothing is a *silent push*. With it, a page that was closed long ago
# could drain the battery and track a person unseen. Browsers therefore forbid, limit or punish it:
# [lesson 07](07_receive.ipynb) says which browser does what, and how we know.
#
# Send only what is *timely* (it matters now), *relevant* (this person asked for it) and *precise*
# ("Train 9 leaves from platform 12", not "News for you"). An annoyed person switches off all your
# messages, the useful ones too. Often there is a better way:
#
# - The page is open: use a WebSocket or server-sent events.
# - It can wait until tomorrow: write an e-mail.
# - It must arrive: nobody promises that a push does, so add a second way.
# - Your users have your app from a store: use the push of that platform.
#
# ## The words
#
# The parties have their names from [RFC 8030](https://www.rfc-editor.org/rfc/rfc8030#section-2).
# Each party has one colour, on the page and in every diagram.
#
# | party | colour | who plays it here | who plays it outside |
# |---|---|---|---|
# | **user agent** | blue | a Firefox or Chromium that the lab starts | your visitor's browser |
# | **push service** | orange | a server in this lab | the browser vendor's: Mozilla, Google, Apple, Microsoft |
# | **application server** | green | a server in this lab | yours |
#
# A *subscription* is what a browser hands out so that you can push to it: an endpoint, p256dh and
# auth. VAPID is *Voluntary Application Server Identification*: how a server shows who it is.
#
# | what passes between them | bytes | what it is | who knows it |
# |---|---|---|---|
# | **endpoint** | a URL | the letter box of one subscription; whoever knows it can try to post | all three parties |
# | **p256dh** | 65 | the user agent's public key: you encrypt for it | user agent, application server |
# | **auth** | 16 | a secret that goes into the encryption | user agent, application server |
# | **VAPID key**, public | 65 | names the application server | all three parties |
# | **VAPID key**, private | 32 | signs, and so proves that name | application server alone |

# %% [markdown]
# ## 1 · With your hands
#
# Run the cell below: it shows the **panel**. There, press **Open a lab Firefox** (or Chromium),
# **Subscribe**, **Notify me**, and see the diagram grow. It shows what the servers saw, live, also while the cells further down run. *Look
# for* the one arrow that leads from the application server to the push service.

# %%
lab.panel()

# %% [markdown]
# That arrow, `POST message`, is the message itself. You may also open the page in the browser that
# you are reading this in. Then your endpoint belongs to that browser's vendor, and the same
# application server posts to the vendor over the internet. Your server does nothing else
# differently: *the endpoint decides*. From here on, cells do what your hand did, one step at a time.
#
# ## 2 · Open the page
#
# `lab.open()` starts Firefox or Chromium, with a profile that is deleted when it closes. If neither is
# installed, it starts a *virtual* user agent: a few hundred lines of Python that speak Firefox's
# protocol. Methods such as `browser.subscribe()` press a button of the page and wait for the result.

# %%
browser = lab.open()
if browser.state != "unregistered":  # your own hand was quicker
    browser.unregister()
print(browser.state)

# %% tags=["nbval-ignore-output"]
from IPython.display import Image, display

if picture := browser.screenshot():  # the virtual user agent has no screen
    display(Image(picture, width=700))

# %% [markdown]
# *Unregistered* means that this browser has no service worker of the page. A **service worker** is a
# script that the browser keeps when the page is gone. A push message wakes it up, so the worker
# comes first: without one, this page cannot subscribe. (Since 2025 Safari can do without one: lesson 07b.)
#
# ## 3 · Subscribe
#
# Predict: with whom does the browser speak first, with the push service or with the application
# server? We note the number of the last event, press the button, and draw what came after it.

# %%
before = lab.journal.last
browser.subscribe()
print(browser.state)

# %% tags=["nbval-ignore-output"]
lab.diagram(after=before, title="Subscribe")

# %% [markdown]
# The browser spoke first with the application server: it fetched that server's public key
# (`GET /vapid`), because the endpoint is made for that key, and nobody else may post there. Then the
# push service made the endpoint, and the page handed it on to the application server, together with
# p256dh and auth. **The two servers have not exchanged a word.** A diagram can be misread, so we
# also ask the *journal*, the list of events from which diagrams are drawn.

# %%
story = [event.what for event in lab.journal.events(before)]
steps = ["GET /vapid", "subscribe", "endpoint", "POST /add-subscription"]
assert [what for what in story if what in steps] == steps  # in just this order

# %% [markdown]
# ## 4 · What the application server now holds
#
# The page handed over a *subscription*, and we may look. *Look for* the lengths of the table above.
# We do not print the endpoint: a URL that rings your phone is a secret, and notebooks get shared.

# %%
stored = lab.subscriptions()[-1]  # the newest
subscription = stored.subscription
print(len(subscription.p256dh), "bytes of p256dh, the first is", f"{subscription.p256dh[0]:02x}")
print(len(subscription.auth), "bytes of auth")
print(len(lab.keys.public), "bytes of VAPID key")
assert stored.application_server_key == lab.keys.application_server_key
assert lab.keys.public != subscription.p256dh  # two key pairs, for two purposes

# %% [markdown]
# Both public keys are points on one curve, P-256, written as the byte `04` and two numbers, x and y.
# That is why people confuse the two keys. **p256dh** belongs to the user agent, and the application
# server encrypts for it. The **VAPID key** belongs to the application server, which signs with the
# private half. Lessons 01 and 02 take them apart.
#
# ## 5 · Notify me
#
# The button on the page asks the application server for one message to this very browser. A page
# cannot push to itself: it lacks the private VAPID key. Predict: how many bytes longer than the text
# is what the push service gets?

# %%
before = lab.journal.last
browser.notify_me()
lab.wait_for("notification shown", before)  # this one, and none that you have sent before
print(browser.wait_for_notification().title)

# %% tags=["nbval-ignore-output"]
lab.wait_for("acknowledge", before)
lab.diagram(after=before, title="Notify me")

# %% [markdown]
# What is printed above is what the *browser* says it shows. On the way the text was encrypted, posted
# and pushed. (The request carried a signed *token*, which serves many messages, so `sign` is not in
# every diagram.) `201 Created` means that the push service has *accepted* the
# message. It was not yet delivered, and not yet seen.

# %%
encrypt = lab.wait_for("encrypt", before)
print(encrypt.detail["body"] - encrypt.detail["plaintext"], "bytes more than the plaintext")
post = lab.wait_for("POST message", before)
assert post.detail["bytes"] == encrypt.detail["body"]

# %% [markdown]
# It is 103 bytes longer, however long the text is: a header of 86 bytes (among them a random salt
# and a fresh public key of the sender), one byte that marks the end of the text, and 16 that betray
# any changed bit of the encrypted text. Lesson 03 writes all of them by hand.
#
# Of the *text*, the push service learnt only the number of bytes. Of the *message* it knows more:
# which subscription it is for, which server sent it, when, how long it may wait (its TTL), and how
# urgent it is.
#
# ## 6 · Notify all, in your own words
#
# *All* means little with one browser, so we open a second: the other of Firefox and Chromium if it
# is installed, otherwise a virtual one. Firefox and Chromium speak quite different protocols with
# the push service. Predict what your sending code needs to know of that.

# %%
second = lab.open("another")
second.subscribe()
print(len(lab.subscriptions()), "subscriptions are stored")

# %% [markdown]
# News does not wait for a button: `lab.notify_all()` sends one message to everyone whose
# subscription is stored. *Look for* the two different things that come back: what push services
# accepted, and what each browser shows.

# %%
before = lab.journal.last
counts = lab.notify_all("Lunch?", "In ten minutes, downstairs.")
print(counts.accepted, "accepted,", counts.failed, "failed")

# %%
for one in (browser, second):
    shown = one.wait_for_notification(body="In ten minutes, downstairs.")
    print(shown.title, shown.body)

# %% tags=["nbval-ignore-output"]
lab.diagram(after=before, title="Notify all")

# %% [markdown]
# (`route`: Chromium writes its vendor's host into the endpoint, and the lab connects to its own push
# service instead.) Your sending code needs to know nothing of the two protocols: it read each endpoint,
# encrypted for each key, and posted. *Accepted* was known as soon as the push service answered. The
# notifications came later: here after a few hundredths of a second, on a phone in a tunnel perhaps
# tomorrow. No application server learns that a message was seen, unless the service worker tells it.
#
# ## 7 · When it fails
#
# Subscriptions end: people withdraw the permission, clear the browser's data, or, here, press
# *Unsubscribe from push*. Predict what becomes of a message to everybody when nobody is left.

# %%
second.close()  # A throw-away browser says goodbye: it unsubscribes before it ends.
browser.unsubscribe()
try:
    lab.notify_all()
    print("Somebody else is still subscribed: another browser that you have opened.")
except PushlabError as error:
    print(error)

# %% [markdown]
# Nothing was sent, since nobody was left to send to. That is the easy case: each page had told both
# servers. Often nobody tells yours. So we put the old subscription back into the database, as if the
# page's goodbye had been lost on the way, and send to it.

# %%
server = lab.application_server
server.store.save(subscription, stored.application_server_key)
outcome = lab.notify(subscription.endpoint, "Are you there?")
print(outcome.status, outcome.kind)
print(outcome.next)
kept = [one.subscription.endpoint for one in lab.subscriptions()]
assert outcome.kind == "gone" and subscription.endpoint not in kept

# %% [markdown]
# **410 Gone** says that the subscription has ended. A 404 says the same
# ([RFC 8030 §7.3](https://www.rfc-editor.org/rfc/rfc8030#section-7.3)). It is nobody's mistake, and
# it is final. The application server has removed the subscription, as the `assert` checked. A
# **403** is quite another thing: *your* key or token is wrong. If a server removes subscriptions
# because of a 403, it loses all of them in one bad night. Lesson 08 is a clinic for such cases. Now
# we close our browser; the panel opens another one at any time.

# %%
browser.close()
assert browser not in lab.browsers

# %% [markdown]
# ## Exercises
#
# Each exercise has a cell for your code, and below it a cell that checks it.
#
# **Exercise 1.** Write `body_length(text: str) -> int`: how many bytes the push service gets for a
# text. A text travels as UTF-8. No push service has to accept a body of more than 4096 bytes, so
# raise `ValueError` for a text that does not fit. Until you have written the function, the check
# below says *Not yet. … it is your turn*: that is how a waiting exercise looks. Run your cell, then
# the check: it names the first text for which your number differs.

# %%
def body_length(text: str) -> int:
    """Return the length of the encrypted body of ``text``, in bytes."""
    ### BEGIN SOLUTION
    octets = len(text.encode("utf-8"))
    if octets > 4096 - 103:
        raise ValueError(f"{octets} bytes do not fit")
    return 86 + octets + 1 + 16
    ### END SOLUTION


# %% tags=["check"]
checks.start_here.body_length(body_length)

# %% [markdown]
# Characters and bytes differ: `🎉` is one character and four bytes. Senders meet the difference as a
# `413 Payload Too Large`, for a message that was short enough in English.
#
# **Exercise 2.** The journal holds what every diagram draws: events with a `source`, a `target` and
# `what` was said. Write `messages(events) -> list[str]`: a line `source → target: what` for each
# event that passes *between* two parties. When a party does something alone, source and target are
# the same: leave such events out. A party's name, for people to read, is its `value`.

# %%
def messages(events) -> list[str]:
    """Return who said what to whom, a line a message."""
    ### BEGIN SOLUTION
    between = [event for event in events if event.source != event.target]
    return [f"{event.source.value} → {event.target.value}: {event.what}" for event in between]
    ### END SOLUTION


# %% tags=["check"]
checks.start_here.messages(messages)

# %% [markdown]
# **With the panel** (the answers are at the end):
#
# 3. Subscribe, and send three times with the **topic** `news`. How many notifications does the
#    browser show? (A topic matters only while messages wait: lesson 05.)
# 4. Send with the topic `two words`. Is it refused by the sender or by the push service? The diagram
#    shows whether anything was posted.
# 5. If you are online: subscribe your own browser as well, and press **Notify me**. Which arrows are
#    missing now, and which server reported them until now?

# %% [markdown]
# ## What you saw
#
# - User agent and push service make a subscription, *for* the key of one application server.
# - That server learns it from the page, encrypts for the browser and signs for the push service.
# - The push service carries 103 bytes more than you wrote, and cannot read your text.
# - `201` is *accepted*, not *shown*; `410` is *gone*, and removes one subscription.
#
# **What we left out:** how the keys are made (01), the six steps to a subscription (02), every byte
# of the encryption (03) and of the signature (04), the waiting queue (05), a class of thirty
# (06), and what the service worker does with a push (07).

# %% [markdown]
# ## Questions
#
# 1. A thief has your database of subscriptions, but not your private VAPID key. Can he ring your
#    users?
# 2. Why does the application server not simply connect to the browser?
# 3. Which of the three parties could read the message if nothing were encrypted? Which knows
#    *that* you were sent one, even so?
#
# <details><summary>Answers</summary>
#
# 1. No: the endpoints were made for your key, and the push service refuses any other signature.
# 2. A phone sleeps and has no fixed address. The push service is always there, with one
#    connection for all pages.
# 3. Besides the sender and the browser, the push service could. Even with encryption it knows who
#    sent to which subscription, when, how much, and with which TTL and urgency.
#
# **With the panel.** 3: three, because none of them had to wait. 4: the sender refuses it, and
# nothing is posted. 5: all that passes between browser and push service is missing; the lab's push
# service reported it, and a vendor's does not.
# </details>
#
# **Next:** [01 · Keys](01_keys.ipynb), two of them, and why they are not the same.
