"""The ``pushlab`` command: the lab without Jupyter."""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pushlab.errors import (
    BadArgument,
    BadPort,
    DataFolderTaken,
    PushlabError,
    SubscriptionError,
    UnreadableFile,
)
from pushlab.lab import network

if TYPE_CHECKING:
    from pushlab.lab.invitation import Invitation

WRONG_ARGUMENTS = (BadArgument, BadPort, DataFolderTaken, UnreadableFile)
URGENCIES = ("very-low", "low", "normal", "high")


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand and return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except PushlabError as error:
        print(f"pushlab: {error}", file=sys.stderr)
        # argparse, too, ends with 2 if a command cannot be run with these arguments.
        return 2 if isinstance(error, WRONG_ARGUMENTS) else 1
    except OSError as error:  # A file or a folder of the arguments, or one of this machine's.
        name = f"{error.filename}: " if error.filename else ""
        print(f"pushlab: {name}{error.strerror or error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pushlab", description="Web push, taken apart to the byte.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(
        name: str, run: Callable[[argparse.Namespace], int], text: str
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(run=run)
        return added

    demo = command("demo", _demo, "Run the whole loop here, a line a step.")
    kinds = ("firefox", "chromium", "virtual")
    demo.add_argument("--browser", action="append", default=[], choices=kinds, help="may be repeated")
    demo.add_argument("--json", action="store_true", help="one JSON object a line")

    serve = command("serve", _serve, "Run the application server and the push service.")
    serve.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="open both servers to the local network, at this address of yours",
    )
    serve.add_argument("--port", type=int, help="application server's port (8292; 0: any free one)")
    serve.add_argument("--push-port", type=int, help="push service's port (8030; 0: any free one)")
    serve.add_argument("--data", type=Path, help="folder of keys and databases")
    serve.add_argument("--database", help="SQLAlchemy URL of the application server's database")
    serve.add_argument("--sender", choices=("pushlab", "pywebpush"), default="pushlab")
    serve.add_argument(
        "--allow-endpoint",
        type=_origin,
        action="append",
        default=[],
        metavar="ORIGIN",
        help="a test push endpoint on this machine, plain http too; may be repeated",
    )
    serve.add_argument("--flavour", default="strict", metavar="NAME",
                       help="answer as strict (the RFCs), mozilla, fcm, apple or wns")  # fmt: skip
    serve.epilog = (
        "The application server's routes: GET /vapid, POST /add-subscription, /remove-subscription, "
        "/notify-me and /notify-all; README.md has a table of all of them, with their bodies."
    )
    serve.add_argument("--quiet", action="store_true", help="print the addresses, and no events")
    serve.add_argument("--certfile", type=Path, metavar="PEM", help="serve the page by https with this")
    serve.add_argument("--keyfile", type=Path, metavar="PEM", help="the certificate's private key")

    browser = command("browser", _join, "Open a real browser that uses the lab's push service.")
    browser.add_argument("kind", choices=("firefox", "chromium"))
    browser.set_defaults(name="")
    join = command("join", _join, "Join the room of an instructor, with a real browser.")
    join.add_argument("--browser", dest="kind", choices=("firefox", "chromium"),
                      help="the first that is installed, unless you say which")  # fmt: skip
    join.add_argument("--name", default="", help="how the instructor sees you")
    for opening in (browser, join):
        opening.add_argument("url", help="address of a running lab's page")
        opening.add_argument("--profile", type=Path, help="a folder to keep the profile in")
        opening.add_argument("--headless", action="store_true", help="without a window, until Ctrl-C")

    keys = command("keys", _keys, "Show the VAPID keys of a file; make them if there is none.")
    keys.add_argument("--file", type=Path, help="the key file (vapid.env in the data folder)")
    keys.add_argument("--import", dest="source", type=Path, metavar="FILE",
                      help="make the key file of another tool's file")  # fmt: skip
    keys.add_argument("--subject", help="whom push services may write to: mailto:… or https:…")
    keys.add_argument("--json", action="store_true", help="one JSON object")

    stored = command("subscriptions", _subscriptions, "List the subscriptions that are stored.")
    stored.add_argument("--data", type=Path, help="folder of keys and databases")
    stored.add_argument("--database", help="SQLAlchemy URL of the application server's database")
    stored.add_argument("--json", action="store_true", help="one JSON object a line")
    removal = stored.add_mutually_exclusive_group()
    removal.add_argument("--remove", metavar="LABEL", help="remove the one with this label")
    removal.add_argument("--clear", action="store_true", help="remove all of them")

    send = command("send", _send, "Send one message to the subscription in a JSON file.")
    send.add_argument("subscription", type=Path, help="a file with JSON.stringify(subscription)")
    send.add_argument("--file", type=Path, help="the key file (vapid.env in the data folder)")
    send.add_argument("--title", default="Hello, Notifications!")
    send.add_argument("--body", default="Sent with pushlab send")
    send.add_argument("--ttl", type=int, default=10000, help="seconds that it may wait")
    send.add_argument("--urgency", choices=URGENCIES, default="normal")
    send.add_argument("--topic", help="replaces what waits under the same topic")

    doctor = command("doctor", _doctor, "Say what works on this machine, and how to mend the rest.")
    doctor.add_argument("--subscription", type=Path, metavar="FILE", help="a subscription to look at")
    doctor.add_argument("--keys", type=Path, metavar="FILE", help="keys (vapid.env in the data folder)")
    doctor.add_argument("--claims", metavar="FILE|JSON", help="the claims of a token")
    doctor.add_argument("--options", metavar="FILE|JSON", help="ttl, urgency and topic of a message")
    doctor.add_argument("--page", default="", metavar="URL", help="the address of a client page")
    doctor.add_argument("--json", action="store_true", help="one JSON object a line")

    inspect = command("inspect", _inspect, "Take a request apart: raw HTTP, curl's text, HAR, .http.")
    inspect.add_argument("source", type=Path, metavar="FILE", help="the file, or - for standard input")
    inspect.add_argument("--body", type=Path, metavar="FILE",
                         help="the body by itself: bytes, hexadecimal or base64")  # fmt: skip
    inspect.add_argument("--receiver", type=Path, metavar="FILE",
                         help='the keys of the user agent: {"private": …, "auth": …}')  # fmt: skip
    inspect.add_argument("--at", type=float, metavar="SECONDS",
                         help="judge the token by this time, in seconds since 1970")  # fmt: skip
    inspect.add_argument("--show-secrets", action="store_true", help="show keys and the message too")
    inspect.add_argument("--json", action="store_true", help="one JSON object a line")
    return parser


# Each command imports what it needs: 'pushlab keys' does without a push service.


def _demo(options: argparse.Namespace) -> int:
    from pushlab.cli.demo import demo

    return demo(options.browser, options.json)


def _serve(options: argparse.Namespace) -> int:
    from pushlab.cli.log import EventLog
    from pushlab.lab.runtime import LabRuntime

    with (
        ExitStack() as undo,
        _until_asked_to_end(),
        LabRuntime(
            port=options.port,
            push_port=options.push_port,
            data=options.data,
            sender=options.sender,
            database=options.database,
            allow_endpoints=options.allow_endpoint,
            flavour=options.flavour,
            host=options.host,
            certfile=options.certfile,
            keyfile=options.keyfile,
        ) as lab,
    ):
        page, push = lab.application_server.url, lab.push_service.origin
        print(f"application server {page}  push service {push}/", flush=True)
        if lab.key_source.keys_from != str(lab.data / "vapid.env"):
            print(f"VAPID keys from {lab.key_source.keys_from}", file=sys.stderr)

        def follow() -> None:
            if sys.stdout and not options.quiet:
                undo.callback(EventLog(lab.journal, sys.stdout).close)

        if lab.invitation:
            _invite(lab.invitation, follow)
        else:
            follow()
        while True:
            signal.pause() if hasattr(signal, "pause") else input()
    return 0


def _invite(invitation: "Invitation", ready: Callable[[], None] = lambda: None) -> None:
    """Print how to join, call ``ready``, and print a new instructor's link at each Enter."""
    print(f"\nparticipants   {invitation.command}\npage           {invitation.page_url}")
    print(invitation.qr_text(colour=sys.stdout.isatty()))
    print(f"instructor     {invitation.instructor_link()}")
    print("               Keep this link to yourself: its page may notify everybody. It works once,")
    print("               for ten minutes. Press Enter for another one.", flush=True)
    ready()
    if hasattr(signal, "SIGTTIN"):  # A program in the background that reads would be stopped.
        signal.signal(signal.SIGTTIN, signal.SIG_IGN)
    with suppress(OSError, ValueError):  # In the background, or closed, or no text: no more links.
        for _ in sys.stdin or ():
            print(f"instructor     {invitation.instructor_link()}", flush=True)


def _origin(text: str) -> str:
    try:
        return network.loopback_origin(text)
    except ValueError as reason:
        raise argparse.ArgumentTypeError(str(reason)) from None


@contextmanager
def _until_asked_to_end() -> Iterator[None]:
    """Leave the block on Ctrl-C or SIGTERM, so that browsers and databases are closed."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except (KeyboardInterrupt, EOFError):
        return


def _join(options: argparse.Namespace) -> int:
    from pushlab.cli.join import join

    wanted = {"profile": options.profile, "headless": options.headless}
    return join(options.url, options.kind, options.name, **wanted)


def _keys(options: argparse.Namespace) -> int:
    from pushlab.cli.keys import keys

    return keys(options.file, options.source, options.subject, options.json)


def _subscriptions(options: argparse.Namespace) -> int:
    from pushlab.cli.subscriptions import subscriptions

    where = options.data, options.database
    return subscriptions(*where, options.json, options.remove, options.clear)


def _send(options: argparse.Namespace) -> int:
    from pushlab.appserver.delivery.sender import send_once
    from pushlab.cli.keys import given, load_keys
    from pushlab.protocol.delivery import PushOptions
    from pushlab.protocol.subscription import PushSubscription

    content = given(options.subscription)
    keys = load_keys(options.file)
    try:
        subscription = PushSubscription.from_json(content, keys_required=False)
    except SubscriptionError as reason:
        told = f"{options.subscription}: {reason.detail}"
        raise type(reason)(told, hint=reason.hint, fault=reason.fault) from None
    wanted = {"ttl": options.ttl, "urgency": options.urgency, "topic": options.topic}
    push_options = PushOptions.from_json({k: v for k, v in wanted.items() if v is not None})
    payload = json.dumps({"title": options.title, "options": {"body": options.body}})
    # An endpoint with plain http on this machine is the lab's own: vendors' endpoints have https.
    own = [subscription.origin] if _is_labs(subscription.origin) else []
    outcome = asyncio.run(send_once(keys, subscription, payload.encode(), push_options, own))
    print(outcome)
    if outcome.source and outcome.source != outcome.rfc:
        print(f"How this is known: {outcome.source}")
    return 0 if outcome.kind == "accepted" else 1


def _is_labs(origin: str) -> bool:
    try:
        return network.loopback_origin(origin).startswith("http://")
    except ValueError:
        return False


def _inspect(options: argparse.Namespace) -> int:
    from pushlab.cli.inspect import inspect

    return inspect(
        options.source,
        body=options.body,
        receiver=options.receiver,
        at=options.at,
        secrets=options.show_secrets,
        as_json=options.json,
    )


def _doctor(options: argparse.Namespace) -> int:
    from pushlab.doctor import examine

    try:
        report = examine(
            subscription=options.subscription,
            keys=options.keys,
            claims=options.claims,
            options=options.options,
            page=options.page,
        )
    except OSError as error:
        print(f"pushlab: {error.filename} cannot be read: {error.strerror}", file=sys.stderr)
        return 2
    if options.json:
        for finding in report:
            print(finding.to_json())
    else:
        print(report)
    return 0 if report.good else 1
