"""The push service: it accepts messages from application servers and delivers them to user agents.

    application server ── POST ──▶ webpush ──▶ broker ──▶ autopush ── WebSocket ──▶ Firefox
                                                 │   ╰──▶ mcs ──────── TLS ────────▶ Chromium
                                        mailbox (pure) and store

``mailbox`` decides, ``store`` writes to the database, and ``broker`` calls both in the right order.
Around them are the protocols. Application servers use ``webpush``, which is HTTP, or the same by
``https``. Firefox and the virtual user agent use ``autopush``. Chromium has its own folder,
``chromium``: it gets its name and subscribes through ``checkin``, and messages reach it through
``mcs``; ``protobuf`` and ``messages`` are the format of both, and ``listeners`` opens the ports. What
TLS needs is made by ``certificates``, and kept by ``tls_ports``. The same rules hold for every
message, whichever protocol delivers it.

For tests of senders there are user agents that the service plays itself (``receivers``), planned
responses (``answers``), and routes for both (``control``).
"""
