"""Serve an app that is wrong in one thing: ``python -m tests.conformance.broken.app --help``.

It prints its origin, and runs until it is interrupted.
"""

import argparse
import asyncio
import os

from cryptography.hazmat.primitives.asymmetric import ec

from pushlab.protocol import p256

from .faults import FAULTS
from .message import Key
from .sender import make_app


async def serve(arguments: argparse.Namespace) -> None:
    app = make_app(
        Key(ec.generate_private_key(p256.CURVE)),
        arguments.subject,
        arguments.fault,
        allowed=arguments.allow,
        cafile=os.environ.get("SSL_CERT_FILE"),
    )
    print(await app.start(arguments.port), flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        await app.stop()


def main() -> None:
    """Read the arguments, and serve."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--allow", action="append", default=[], metavar="ORIGIN")
    parser.add_argument("--subject", default="mailto:push@example.com")
    parser.add_argument("--fault", choices=sorted(FAULTS), default="", metavar="CASE")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
