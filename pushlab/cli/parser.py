"""The commands' arguments: what each is, and which values it can have.

It needs the standard library alone, so that ``./lab COMMAND --help`` works before anything is installed.
A wrong argument is one line on standard error, and exit status 2.
"""

import argparse
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

from pushlab.lab import network
from pushlab.reader import command
from pushlab.settings import PORTS
from pushlab.text import one_line

URGENCIES = ("very-low", "low", "normal", "high")

MAX_NAME = 100
"""Characters of a participant's name. The lab shows the first ones."""

MAX_LINE = 600
"""Characters of a message. What is wrong may be of any length."""

Run = Callable[[argparse.Namespace], int]


class Parser(argparse.ArgumentParser):
    """A parser that says in one line what is wrong, and where to read what is right."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and end with status 2."""
        self.exit(2, f"pushlab: {bounded(message)}. For help: {self.prog} --help\n")


def bounded(text: str) -> str:
    """Return a text in one line that is not longer than people read."""
    line = one_line(text)
    return line if len(line) <= MAX_LINE else f"{line[: MAX_LINE // 2]} … {line[-MAX_LINE // 2 :]}"


# --- types: each returns the value, or raises ArgumentTypeError -------------------------------------


def text(value: str) -> str:
    """Take text that can be shown, and is not empty."""
    if not value.strip():
        raise argparse.ArgumentTypeError("it is empty")
    if not value.isprintable():  # A line break, a terminal's escape, or bytes that are no UTF-8.
        raise argparse.ArgumentTypeError("it has characters that cannot be shown")
    return value


def filled(value: str) -> str:
    """Take any text that is not empty: JSON may have several lines."""
    if not value.strip():
        raise argparse.ArgumentTypeError("it is empty")
    return value


def name(value: str) -> str:
    """Take the name of a participant; empty for none."""
    if len(value) > MAX_NAME:
        raise argparse.ArgumentTypeError(
            f"it has {len(value)} characters, and may have at most {MAX_NAME}"
        )
    return text(value) if value else ""


def path(value: str) -> Path:
    """Take the path of a file or a folder."""
    if not value:
        raise argparse.ArgumentTypeError("it is empty")
    return Path(value)


def whole_number(value: str) -> int:
    """Take a whole number in digits."""
    # int() accepts more than a number should be: "8_292", and the digits of every script.
    if not re.fullmatch(r"-?[0-9]{1,18}", value):
        raise argparse.ArgumentTypeError(f"{value!r} is not a whole number")
    return int(value)


def seconds(value: str) -> float:
    """Take a time, in seconds since 1970."""
    if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,9})?", value):
        raise argparse.ArgumentTypeError(f"{value!r} is not a number of seconds since 1970")
    return float(value)


def port(value: str) -> int:
    """Take a TCP port; 0 for any free one."""
    number = whole_number(value)
    if number not in PORTS:
        raise argparse.ArgumentTypeError(f"{value} is not a port: ports are 0 to {PORTS[-1]}")
    return number


def processes(value: str) -> int | str:
    """Take a number of processes, or auto."""
    if value == "auto":
        return value
    if (number := whole_number(value)) < 1:
        raise argparse.ArgumentTypeError(
            f"{value} is not a number of processes: take 1 or more, or auto"
        )
    return number


def origin(value: str) -> str:
    """Take the origin of a push endpoint on this machine."""
    try:
        return network.loopback_origin(value)
    except ValueError as reason:
        raise argparse.ArgumentTypeError(str(reason)) from None


def page(value: str) -> str:
    """Take the address of a lab's page."""
    if network.host_of(text(value)) is None:
        raise argparse.ArgumentTypeError(f"{value!r} is not the http address of a page")
    return value


def loopback_page(value: str) -> str:
    """Take the address of a route on this machine: the examination's endpoints are of use here alone."""
    host = network.host_of(text(value))
    if host is None or not network.is_loopback(host):
        raise argparse.ArgumentTypeError(f"{value!r} is not the http address of an app on this machine")
    return value


# --- the commands ---------------------------------------------------------------------------------


def parser(runs: Mapping[str, Run]) -> Parser:
    """Return the parser of ``pushlab``; ``runs`` has the function of each command."""
    whole = Parser(prog=command() if command() != "jupyter lab" else "pushlab",
                   description="Web push, taken apart to the byte.")  # fmt: skip
    commands = whole.add_subparsers(required=True, metavar="COMMAND", dest="command")
    for about in COMMANDS:
        called, description = about.__name__[1:], (about.__doc__ or "").strip()
        added = commands.add_parser(
            called, help=description, description=description, prog=command(called)
        )
        added.set_defaults(run=runs[called])
        about(added)
    return whole


def _demo(demo: Parser) -> None:
    """Run the whole loop in this terminal, one line for each step."""
    kinds = ("firefox", "chromium", "virtual")
    demo.add_argument(
        "--browser",
        action="append",
        default=[],
        choices=kinds,
        help="which user agent; repeat it for several",
    )
    demo.add_argument("--json", action="store_true", help="print one JSON object on each line")


def _serve(serve: Parser) -> None:
    """Run the application server and the push service."""
    serve.add_argument(
        "--host",
        type=text,
        default=network.LOOPBACK,
        metavar="ADDRESS",
        help="open both servers to the local network, at this address of this machine",
    )
    serve.add_argument(
        "--port", type=port, help="port of the application server (8292; 0: any free one)"
    )
    serve.add_argument("--push-port", type=port, help="port of the push service (8030; 0: any free one)")
    serve.add_argument(
        "--https-port",
        type=port,
        help="port of the push service for senders that need https (that of last time, or a free one; "
        "0: any free one)",
    )
    serve.add_argument(
        "--data", type=path, help="the folder with keys and databases (PUSHLAB_DATA, or .pushlab)"
    )
    serve.add_argument(
        "--database", type=text, help="the application server's database, as SQLAlchemy's URL"
    )
    serve.add_argument("--sender", choices=("pushlab", "pywebpush"), default="pushlab",
                       help="what encrypts and sends: pushlab's own code, or pywebpush")  # fmt: skip
    serve.add_argument(
        "--allow-endpoint",
        type=origin,
        action="append",
        default=[],
        metavar="ORIGIN",
        help="keep subscriptions at this test endpoint on this machine, http or https; may be repeated",
    )
    serve.add_argument("--flavour", type=text, default="strict", metavar="NAME",
                       help="whose answers the push service gives: strict (the RFCs), mozilla, fcm, "
                       "apple or wns")  # fmt: skip
    serve.add_argument("--control", action="store_true",
                       help="for tests of senders: the push service has routes that make "
                       "subscriptions, show what arrived, and plan answers")  # fmt: skip
    serve.add_argument("--aud-without-port", action="store_true",
                       help="take tokens that leave out the port of aud, as libraries for PHP, Java, "
                       "Ruby, Rust and .NET make them")  # fmt: skip
    who = serve.add_mutually_exclusive_group()
    # An argument a row.
    # fmt: off
    who.add_argument("--processes", type=processes, metavar="N",
                     help="send a notify-all with N processes; auto is one for each core")
    who.add_argument("--cluster", type=text, metavar="URL",
                     help="the workers of this Dask scheduler (tls://HOST:8786) send a notify-all")
    for part, what in (("ca", "authority"), ("cert", "certificate"), ("key", "key")):
        serve.add_argument(f"--cluster-{part}", type=path, metavar="PEM",
                           help=f"the {what} for the cluster's TLS (that of Dask's configuration)")
    # fmt: on
    serve.add_argument("--quiet", action="store_true", help="print only the addresses, and no log")
    serve.add_argument(
        "--certfile", type=path, metavar="PEM", help="serve the page over https with this certificate"
    )
    serve.add_argument("--keyfile", type=path, metavar="PEM", help="the certificate's private key")
    take_over = "stop the lab that uses the data folder, such as a notebook's"
    serve.add_argument("--take-over", action="store_true", help=take_over)
    serve.epilog = (
        "The application server's routes: GET /vapid, POST /add-subscription, /remove-subscription, "
        "/notify-me and /notify-all. README.md has a table of all of them, and notebooks/SCALE.md says "
        "how to use several processes, several machines, or PostgreSQL."
    )


def _browser(browser: Parser) -> None:
    """Open a real browser that uses the lab's push service."""
    browser.add_argument("kind", choices=("firefox", "chromium"), help="which browser")
    browser.set_defaults(name="")
    _opening(browser)


def _join(join: Parser) -> None:
    """Join an instructor's room with a real browser."""
    join.add_argument("--browser", dest="kind", choices=("firefox", "chromium"),
                      help="which browser (default: the first that is installed)")  # fmt: skip
    join.add_argument("--name", type=name, default="", help="how the instructor sees you")
    _opening(join)


def _opening(command: Parser) -> None:
    command.add_argument("url", type=page, help="the address of a running lab's page")
    command.add_argument("--profile", type=path, help="keep the browser's profile in this folder")
    command.add_argument("--headless", action="store_true", help="show no window, and run until Ctrl-C")
    own = "the certificate of the page, or of its issuer, that the browser is to trust"
    command.add_argument("--cafile", type=path, metavar="FILE", help=own)


def _keys(keys: Parser) -> None:
    """Show the public half of your VAPID keys, and make the keys if there are none."""
    keys.add_argument("--file", type=path, help="the key file (vapid.env in the data folder)")
    keys.add_argument("--import", dest="source", type=path, metavar="FILE",
                      help="make the key file from another tool's file")  # fmt: skip
    keys.add_argument(
        "--subject", type=text, help="the contact that push services may write to: mailto:… or https:…"
    )
    keys.add_argument("--json", action="store_true", help="print one JSON object")


def _subscription(made: Parser) -> None:
    """Make a subscription for your sender at a lab that runs, and show what arrives."""
    made.add_argument("--data", type=path, help="the data folder of that lab")
    made.add_argument(
        "--json",
        type=path,
        metavar="FILE",
        help="write the subscription to this file, and not to standard output",
    )
    made.add_argument("--https", action="store_true", help="give the https URL of its endpoint")
    made.add_argument(
        "--key",
        type=text,
        metavar="PUBLIC",
        help="the only public key that may send to it, in base64url (default: any)",
    )


def _subscriptions(stored: Parser) -> None:
    """List the stored subscriptions, or remove some of them."""
    stored.add_argument("--data", type=path, help="the folder with keys and databases")
    stored.add_argument(
        "--database", type=text, help="the application server's database, as SQLAlchemy's URL"
    )
    stored.add_argument("--json", action="store_true", help="print one JSON object on each line")
    removal = stored.add_mutually_exclusive_group()
    removal.add_argument(
        "--remove", type=text, metavar="LABEL", help="remove the subscription with this label"
    )
    removal.add_argument("--clear", action="store_true", help="remove all subscriptions")


def _send(send: Parser) -> None:
    """Send one message to the subscription in a JSON file."""
    send.add_argument(
        "subscription", type=path, help="a file with the text of JSON.stringify(subscription)"
    )
    send.add_argument("--file", type=path, help="the key file (vapid.env in the data folder)")
    send.add_argument("--title", default="Hello, Notifications!", help="the notification's title")
    send.add_argument("--body", default="Sent with pushlab send", help="the notification's text")
    send.add_argument(
        "--ttl", type=whole_number, default=10000, help="how many seconds the message may wait"
    )
    send.add_argument("--urgency", choices=URGENCIES, default="normal",
                      help="whether the message is worth waking a phone")  # fmt: skip
    send.add_argument("--topic", help="replace a waiting message that has the same topic")


def _doctor(doctor: Parser) -> None:
    """Say what works on this machine, what does not, and how to mend it."""
    doctor.add_argument("--subscription", type=path, metavar="FILE", help="the subscription to examine")
    doctor.add_argument(
        "--keys", type=path, metavar="FILE", help="the keys to examine (vapid.env in the data folder)"
    )
    doctor.add_argument(
        "--claims", type=filled, metavar="FILE|JSON", help="the claims of a token, to examine"
    )
    doctor.add_argument("--options", type=filled, metavar="FILE|JSON",
                        help="ttl, urgency and topic of a message, to examine")  # fmt: skip
    doctor.add_argument("--page", type=text, metavar="URL", help="the address of a page, to examine")
    doctor.add_argument("--host", type=text, metavar="ADDRESS",
                        help="the address of a room on this machine, to examine")  # fmt: skip
    doctor.add_argument("--port", type=port, help="port of a lab that may be running (8292)")
    doctor.add_argument("--json", action="store_true", help="print one JSON object on each line")


def _inspect(inspect: Parser) -> None:
    """Take a captured request apart: raw HTTP, curl's output, a HAR file or an .http file."""
    inspect.add_argument("source", type=path, metavar="FILE", help="the file, or - for standard input")
    inspect.add_argument("--body", type=path, metavar="FILE",
                         help="the body by itself: bytes, hexadecimal, base64 or a dump")  # fmt: skip
    inspect.add_argument("--receiver", type=path, metavar="FILE",
                         help='decrypt with these keys: {"private": …, "auth": …}')  # fmt: skip
    inspect.add_argument("--at", type=seconds, metavar="SECONDS",
                         help="check the token at this time, in seconds since 1970")  # fmt: skip
    inspect.add_argument("--show-secrets", action="store_true", help="show keys and the message too")
    inspect.add_argument("--json", action="store_true", help="print one JSON object on each line")


def _conformance(conformance: Parser) -> None:
    """Examine a sender of push messages: a command, an app, or whatever you send by hand."""
    conformance.add_argument(
        "sender", nargs="*", metavar="-- COMMAND",
        help="a command that sends one message; its arguments may have {subscription} and {payload} "
        "(files), {subscription_json}, {endpoint}, {p256dh}, {auth}, {ttl}, {urgency}, {topic}, "
        "{vapid_public}, {vapid_private}, {vapid_pem} (a file), {subject}; without a subscription "
        "among them it is on standard input",
    )  # fmt: skip
    routes = {
        "--subscribe": "the app's route that takes subscriptions, or just the app's address if it has "
        "the lab's routes",
        "--send": "the app's route that sends to one subscription, or to all",
        "--send-all": "the app's route that sends to all, if it has one more",
        "--unsubscribe": "the app's route that removes a subscription",
    }
    for option, what in routes.items():
        conformance.add_argument(option, type=loopback_page, metavar="URL", help=what)
    bodies = {
        "--subscribe-body": "what is posted to subscribe, JSON or a form, such as "
        '\'{"sub": "{subscription}"}\'; it may have {subscription}, {subscription_json}, {endpoint}, '
        "{p256dh}, {auth} (default: the subscription)",
        "--send-body": "what is posted to send; it may have those and {payload}, {ttl}, {urgency}, "
        "{topic}; without any of a subscription, the route sends to all (default: endpoint, "
        "notification and options)",
        "--unsubscribe-body": "what is posted to remove a subscription, with what --subscribe-body may "
        "have (default: its endpoint)",
    }
    for option, what in bodies.items():
        conformance.add_argument(option, type=filled, metavar="TEMPLATE", help=what)
    conformance.add_argument("--http", action="store_true", help="endpoints with plain http")
    two_ports = "port of the first push service; the second has the next one (8188; for a command any)"
    conformance.add_argument("--port", type=port, help=two_ports)
    learned = "the sender's public key (learned from its first message)"
    conformance.add_argument("--key", type=text, metavar="PUBLICKEY", help=learned)
    conformance.add_argument("--case", type=text, action="append", default=[], metavar="ID",
                             help="one case, or one group of cases; may be repeated")  # fmt: skip
    conformance.add_argument("--list", action="store_true", help="say what each case is, and end")
    conformance.add_argument("--json", action="store_true", help="print one JSON object on each line")
    conformance.add_argument("--junit", type=path, metavar="FILE", help="write JUnit's XML, for CI")
    conformance.add_argument("--html", type=path, metavar="FILE", help="write a page with pictures")
    conformance.add_argument("--seed", type=whole_number, help="repeat a run's random numbers")
    conformance.epilog = (
        "The exit status is 1 if a case fails that an RFC requires (MUST), 2 if the examination cannot "
        "run, and else 0."
    )


COMMANDS = (
    _demo, _serve, _browser, _join, _keys, _subscription, _subscriptions, _send, _doctor, _inspect,
    _conformance,
)  # fmt: skip
