"""The push service: it takes messages from application servers and brings them to user agents.

    application server ── POST ──▶ webpush ──▶ broker ──▶ autopush ── WebSocket ──▶ Firefox
                                                 │   ╰──▶ mcs ──────── TLS ────────▶ Chromium
                                        mailbox (pure) and store

``mailbox`` decides, ``store`` remembers, ``broker`` does both in the right order. Around them are
the doors: ``webpush`` for application servers, over HTTP; ``autopush`` for Firefox and the virtual
user agent; ``fcm``, where Chromium is named and subscribes, and ``mcs``, where messages reach it.
``protobuf`` and ``messages`` are the format of these two, ``certificates`` makes the TLS that they
insist on, and ``chromium`` holds together what Chromium needs. A message is the same message, and
keeps the same rules, whichever listeners it leaves by.
"""
