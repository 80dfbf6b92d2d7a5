"""Send one message, and be wrong in one thing: ``python -m tests.conformance.broken.sender --help``.

Exit status 0: the push service has accepted the message; 1: it has not, and the output says why.
"""

import argparse
import asyncio
import os
from pathlib import Path

from pushlab.protocol import base64url, p256
from pushlab.protocol.delivery import PushOptions
from pushlab.protocol.subscription import PushSubscription

from .application import App
from .delivery import Outcome, Report, Sender
from .faults import FAULTS
from .message import Key, Message


def make(key: Key, subject: str, fault: str = "", **options) -> Sender:
    """Return a sender that has a fault; "" is none. ``options`` are those of Sender."""
    wrong = FAULTS[fault] if fault else Message
    message = (wrong if issubclass(wrong, Message) else Message)(key, subject)
    return (wrong if issubclass(wrong, Sender) else Sender)(message, **options)


def make_app(key: Key, subject: str, fault: str = "", *, allowed=(), **options) -> App:
    """Return an app that has a fault; "" is none. ``options`` are those of Sender."""
    wrong = FAULTS[fault] if fault else App
    sender = make(key, subject, "" if issubclass(wrong, App) else fault, **options)
    return (wrong if issubclass(wrong, App) else App)(sender, allowed)


async def send(arguments: argparse.Namespace) -> Report:
    key = Key(p256.load_private(base64url.decode(arguments.vapid_private)))
    sender = make(key, arguments.subject, arguments.fault, cafile=os.environ.get("SSL_CERT_FILE"))
    try:
        return await sender.send(
            PushSubscription.from_json(arguments.subscription.read_text("utf-8")),
            arguments.payload.read_bytes(),
            PushOptions(arguments.ttl, arguments.urgency, arguments.topic or None),
        )
    finally:
        sender.close()


def main() -> int:
    """Read the arguments, send, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--subscription", type=Path, required=True)
    parser.add_argument("--payload", type=Path, required=True)
    parser.add_argument("--ttl", type=int, default=60)
    parser.add_argument("--urgency", default="normal")
    parser.add_argument("--topic", default="")
    parser.add_argument("--vapid-private", required=True, help="base64url of 32 bytes")
    parser.add_argument("--subject", default="mailto:push@example.com")
    parser.add_argument("--fault", choices=sorted(FAULTS), default="", metavar="CASE")
    report = asyncio.run(send(parser.parse_args()))
    print(report)
    return 0 if report.outcome is Outcome.ACCEPTED else 1


if __name__ == "__main__":
    raise SystemExit(main())
