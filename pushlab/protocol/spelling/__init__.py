"""What people bring: keys, key files, subscriptions and times as other tools write them.

    shapes.py           what bytes are                 a point, DER, 64 bytes without 04
    encodings.py        how a text writes bytes        base64url, plain base64, hexadecimal, PEM
    entities.py         a text as HTML writes it       &amp; for &
    things.py           texts that are not a key       a path, a token, ``undefined``
    recognize.py        all three together             base64 of a PEM, encoded twice
    key_file_reader.py  where the keys are in a file   .env, web-push's JSON, YAML, JWKS
    halves.py           which two values are a pair    by their names, or because one fits the other
    key_file.py         what a file of keys holds      and what is to say about it
    subscription_text.py  what is no JSON            a dump of a language, CSV, a cut text
    wrapping.py         where a subscription is        in a member, in an array, in a text
    times.py            what a number counts           milliseconds, a duration, seconds
    paths.py            what is not a path             a key in place of its file
    captured.py         a request, as tools write it   raw HTTP, curl -v, a HAR file
    body.py             a body by itself               the bytes, hexadecimal, base64, a dump
    others.py           what is no request             a command, an answer, a token alone

The strict readers (``base64url``, ``p256``, ``PushSubscription``, ``VapidKeys``) decide what is
accepted. They ask here, when they have refused something, what it was: that is what a message says.
Nothing here raises an error because of what it reads, and no text that it returns contains a part of
its input, which may be a private key.
"""

from pushlab.protocol.spelling.recognize import (
    Advice,
    Spelling,
    advise,
    advise_subscription,
    recognize,
)
from pushlab.protocol.spelling.shapes import Kind

__all__ = ["Advice", "Kind", "Spelling", "advise", "advise_subscription", "recognize"]
