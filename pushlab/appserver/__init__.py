"""The application server: it keeps subscriptions, and sends to them.

keys.py             who it is: the VAPID key pair and its forms
private_file.py     files that hold a secret
store.py            whom it may send to: subscriptions in a database
notification.py     what it has to say: the plaintext of a message
courier.py          one message made ready: encrypt, sign, describe the request
transport.py        one request carried to a push service: libcurl on asyncio
slots.py            how many connections there may be, and who gets the next one
addresses.py        where it may be carried to
with_pywebpush.py   the same message, by the field's own library
connections.py      its connections, which another thread can end
outcome.py          what came of it, in words
message.py          see it through: again, but not for ever
flow.py             how many may be under way to a push service, learned from its answers
broadcast.py        one message to many, each push service at its own pace
runs.py             what came of each notify-all, kept in the database; recorder.py writes it
sender.py           send to one or to all; forget what is gone
web.py              JSON in and out, on every path and for every fault
guard.py            who may ask for what
handlers.py         the routes that the page calls
events.py           GET /events: what just happened, as it happens
room.py             who is in the room, and whom the last message has reached
static.py           the page itself
app.py              all of it as one object
"""
