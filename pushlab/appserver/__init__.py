"""The application server: it stores subscriptions, and sends messages to them.

    app.py              the whole application server as one object
    keys.py             its identity: the VAPID key pair and the forms of it
    key_sources.py      where the keys are from: the environment, a file, another tool's file
    private_file.py     files that contain a secret
    store.py            the subscriptions, in a database
    quota.py            how many of them are kept
    notification.py     what a message says: its plaintext
    participants.py     the people in the room, and whom the last message has reached
    presence.py         asks the lab's push service which of them are connected

    web/                its routes over HTTP
    delivery/           one message to one subscription: encrypt, sign, send, try again
    broadcast/          one message to all, at the pace of each push service
    explain/            what a push service's response means, and what to do about it

``delivery`` knows nothing of ``broadcast``, and neither knows of ``web``.
"""
