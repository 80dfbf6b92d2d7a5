"""The push service: it takes messages from application servers and brings them to user agents.

    application server ── POST ──▶ webpush ──▶ office ──▶ autopush ── WebSocket ──▶ user agent
                                                 │
                                        mailbox (pure) and store

``mailbox`` decides, ``store`` remembers, ``office`` does both in the right order. ``webpush`` and
``autopush`` are the two doors: HTTP for application servers, Firefox's WebSocket for user agents.
"""
