"""The protocol: bytes and values in, bytes and values out, one specification a file.

    utf8.py            text from the bytes of a file                   RFC 3629
    base64url.py       bytes as text                                   RFC 4648 §5
    strict_json.py     JSON that anybody may have written              RFC 8259
    origin.py          scheme, host and port, to be compared           RFC 6454
    reserved_names.py  hosts that nobody can have                      RFC 6761
    p256.py            points and scalars of the one curve             SEC 1, RFC 7518
    subscription.py    what the user agent hands over                  W3C Push API
    jws.py             a signed token                                  RFC 7515
    vapid.py           who the application server is                   RFC 8292
    delivery.py        the request to the push service                 RFC 8030
    content_coding.py  aes128gcm: one header and sealed records        RFC 8188
    encryption.py      the keys of one message, encrypt and decrypt    RFC 8291
    spelling/          what was brought, if it is none of these        as other tools write it
    trace.py           every intermediate value, every span of bytes   all of the above
    examples.py        what the RFCs print                             RFC 8291, RFC 8292
    sources.py         how a statement about a vendor is known

Nothing here opens a socket, reads a clock or asks for a random number. The salt, the key pair and
the time are arguments, so the same call gives the same bytes: today, in a test, and in the example
of the RFC. Wrong input raises an error of ``pushlab.errors`` and nothing else.
"""
