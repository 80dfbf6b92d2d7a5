"""One message to one subscription.

delivery.py           its whole way: prepare, attempt, classify, and retry if that may help
client.py             encrypt, sign, describe the request, send it: PushClient and our own one
clients.py            which of the two clients sends
transport.py          one POST: libcurl on asyncio
transfer.py           one request under way: its future, its sockets, what has come
slots.py              how many connections there may be, and which request gets the next one
egress.py             which addresses a request may connect to
proxies.py            proxies of the environment, which are not used
interfaces.py         the networks that this machine is in, which are not the internet
response.py           what a request ends with
log.py                what is recorded of it in the journal
contact.py            warns of a contact that leads to nobody
pywebpush_client.py   the other PushClient: the field's own library, in threads
requests_session.py   what it posts with: bounded, and to allowed addresses only
connections.py        its connections, which another thread can end
callbacks.py          what libcurl, the event loop and threads call: an error there is an outcome
sender.py             act on the outcome: remove the subscription if it is gone
"""
