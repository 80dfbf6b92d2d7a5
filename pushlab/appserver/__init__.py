"""The application server: it keeps subscriptions, and sends to them.

keys.py             who it is: the VAPID key pair and its forms
private_file.py     files that hold a secret
store.py            whom it may send to: subscriptions in a database
notification.py     what it has to say: the plaintext of a message
courier.py          one message made ready: encrypt, sign, describe the request
transport.py        one request carried to a push service: libcurl on asyncio
with_pywebpush.py   the same message, by the field's own library
outcome.py          what came of it, in words
sender.py           see it through: again, but not for ever; forget what is gone
web.py              JSON in and out, on every path and for every fault
handlers.py         the routes that the page calls
events.py           GET /events: what just happened, as it happens
static.py           the page itself
app.py              all of it as one object
"""
