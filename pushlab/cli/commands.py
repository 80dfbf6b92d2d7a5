"""The ``pushlab`` command: the lab without Jupyter. ``parser`` has the arguments of each command."""

import argparse
import asyncio
import errno
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from pushlab import errors
from pushlab.cli.parser import Run, bounded, parser
from pushlab.cli.signals import ending
from pushlab.errors import PushlabError, SubscriptionError
from pushlab.lab import network
from pushlab.reader import Reader, command, reading

if TYPE_CHECKING:
    from pushlab.appserver.broadcast.cluster.options import Cluster
    from pushlab.lab.invitation import Invitation
    from pushlab.lab.runtime import LabRuntime

# argparse, too, ends with 2 if a command cannot be run with these arguments.
WRONG_ARGUMENTS = (
    errors.BadArgument,
    errors.BadCertificate,
    errors.BadDatabaseUrl,
    errors.BadField,
    errors.BadHost,
    errors.BadPort,
    errors.BadTopic,
    errors.BadTtl,
    errors.ClusterNotEncrypted,
    errors.DatabaseDriverMissing,
    errors.DatabaseNotShared,
    errors.DataFolderTaken,
    errors.FormatError,
    errors.KeyFileError,
    errors.PlaintextTooLong,
    errors.ScaleMissing,
    errors.SubscriptionError,
    errors.UnableToReadDatabase,
    errors.UnknownFlavour,
    errors.UnreadableFile,
    errors.UnusableFolder,
    errors.VapidError,
)
WRONG_PATHS = {
    errno.EACCES, errno.EEXIST, errno.EFBIG, errno.EINVAL, errno.EISDIR, errno.ELOOP,
    errno.ENAMETOOLONG, errno.ENODEV, errno.ENOENT, errno.ENOTDIR, errno.ENXIO, errno.EPERM, errno.EROFS,
}  # fmt: skip
"""What the operating system says of a path that cannot be meant. A full disk is another matter."""


def main(arguments: list[str] | None = None) -> int:
    """Run one subcommand and return its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="backslashreplace")  # A path may be no text, and a terminal no Unicode.
    options = _options(sys.argv[1:] if arguments is None else arguments)
    run: Run = options.run
    joins = options.command == "join"
    judges = options.command == "conformance"  # There 1 says that a sender breaks a MUST.
    with reading(Reader.PARTICIPANT if joins else Reader.TERMINAL), ending() as received:
        try:
            return run(options)
        except PushlabError as error:
            print(f"pushlab: {bounded(str(error))}", file=sys.stderr)
            return 2 if judges or isinstance(error, WRONG_ARGUMENTS) else 1
        except OSError as error:  # A file or a folder of the arguments, or one of this machine's.
            print(f"pushlab: {bounded(_said_of(error))}", file=sys.stderr)
            return 2 if judges or error.errno in WRONG_PATHS else 1
        except KeyboardInterrupt:
            return 128 + (received[-1] if received else signal.SIGINT)


def _said_of(error: OSError) -> str:
    from pushlab.protocol.spelling.paths import cannot_be_read, in_place_of

    if not error.filename:
        return str(error.strerror or error)
    if in_place_of(error.filename, error):  # A key in place of its file is not repeated.
        return cannot_be_read(error.filename, error)
    return f"{error.filename}: {error.strerror or error}"


def _options(arguments: list[str]) -> argparse.Namespace:
    whole = parser({
        "demo": _demo, "serve": _serve, "browser": _join, "join": _join, "keys": _keys,
        "subscription": _subscription, "subscriptions": _subscriptions, "send": _send,
        "doctor": _doctor, "inspect": _inspect, "conformance": _conformance,
    })  # fmt: skip
    if any("\0" in argument for argument in arguments):  # No operating system passes one on.
        whole.error("an argument has a NUL")
    # argparse says nothing of it: without a command, the messages would be sent by hand.
    if arguments[:1] == ["conformance"] and arguments[-1] == "--" and arguments.count("--") == 1:
        whole.error("no command follows --")
    return whole.parse_args(arguments)


# Each command imports what it needs: 'pushlab keys' does without a push service.


def _demo(options: argparse.Namespace) -> int:
    from pushlab.cli.demo import demo

    return demo(options.browser, as_json=options.json)


def _serve(options: argparse.Namespace) -> int:
    from pushlab.lab.runtime import LabRuntime
    from pushlab.server.connections import collect_garbage_rarely

    collect_garbage_rarely()
    with suppress(KeyboardInterrupt, EOFError), ExitStack() as undo:
        lab = undo.enter_context(
            LabRuntime(
                port=options.port,
                push_port=options.push_port,
                https_port=options.https_port,
                data=options.data,
                sender=options.sender,
                database=options.database,
                allow_endpoints=options.allow_endpoint,
                flavour=options.flavour,
                control=options.control,
                aud_without_port=options.aud_without_port,
                host=options.host,
                certfile=options.certfile,
                keyfile=options.keyfile,
                take_over=options.take_over,
                processes=options.processes,
                cluster=_cluster(options),
            )
        )
        undo.callback(_say_why_it_ends, lab)
        _serve_until_asked_to_end(lab, undo, options)
    return 0


def _cluster(options: argparse.Namespace) -> "Cluster | None":
    """Return the Dask scheduler of the arguments, if they name one."""
    from pushlab.appserver.broadcast.cluster.options import Cluster

    files = options.cluster_ca, options.cluster_cert, options.cluster_key
    if options.cluster is None and any(files):
        raise errors.BadArgument("--cluster-ca, --cluster-cert and --cluster-key need --cluster")
    return Cluster(options.cluster, *files) if options.cluster is not None else None


def _serve_until_asked_to_end(lab: "LabRuntime", undo: ExitStack, options: argparse.Namespace) -> None:
    from pushlab.cli.log import EventLog
    from pushlab.lab.lifecycle import end_this_program

    lab.on_taken_over = end_this_program
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
        if not options.quiet:
            opens = command(f"browser firefox {page}")
            behind = lab.page_url  # In a terminal of a hub, only Jupyter can be reached.
            there = "that page" if behind == page else f"{behind} on this hub"
            print(f"Open {there}, or type in another terminal: {opens}\nStop with Ctrl-C.", flush=True)
            _tell_senders(lab, options.control)
        follow()
    while True:
        signal.pause() if hasattr(signal, "pause") else input()


def _tell_senders(lab: "LabRuntime", control: bool) -> None:
    """Print how a sender in each language reaches the push service by https."""
    from pushlab.lab.authority import instructions

    subscribes = command("subscription --https")
    print(f"\nSenders by https: {lab.push_service.https_origin}; for a subscription type {subscribes}")
    print(f"They have to trust the authority in {lab.ca_file}:\n{instructions(lab.ca_file)}")
    if control:
        # They are where user agents connect, below the secret of a private lab.
        print(f"Tests of senders: POST {lab.push_service.ws_url.replace('ws', 'http', 1)}test/subscribe")
    print(flush=True)


def _say_why_it_ends(lab: "LabRuntime") -> None:
    if lab.why_stopped:
        print(f"pushlab: {lab.stopped()}", file=sys.stderr)


def _invite(invitation: "Invitation", ready: Callable[[], None] = lambda: None) -> None:
    """Print how to join, call ``ready``, and print a new instructor's link at each Enter."""
    print(f"\nparticipants   {invitation.command}")
    if invitation.command_on_windows != invitation.command:
        print(f"  on Windows   {invitation.command_on_windows}")
    print(f"page           {invitation.page_url}")
    print(f"class          {invitation.class_line}")
    print("               In a notebook: the instructor sees lessons and steps, never code or output.")
    if invitation.serves_phones:
        print(invitation.qr_text(colour=sys.stdout.isatty()))
    print(f"instructor     {invitation.instructor_link()}")
    print(
        "               Keep this link to yourself: whoever opens it may notify everybody. It works "
        "once,"
    )
    print("               for ten minutes. Press Enter for another one. Stop with Ctrl-C.", flush=True)
    ready()
    if hasattr(signal, "SIGTTIN"):  # A program in the background that reads would be stopped.
        signal.signal(signal.SIGTTIN, signal.SIG_IGN)
    with suppress(OSError, ValueError):  # In the background, or closed, or no text: no more links.
        for _ in sys.stdin or ():
            print(f"instructor     {invitation.instructor_link()}", flush=True)


def _join(options: argparse.Namespace) -> int:
    from pushlab.cli.join import join

    wanted = {"profile": options.profile, "headless": options.headless, "cafile": options.cafile}
    return join(options.url, options.kind, options.name, **wanted)


def _keys(options: argparse.Namespace) -> int:
    from pushlab.cli.keys import keys

    return keys(file=options.file, source=options.source, subject=options.subject, as_json=options.json)


def _subscription(options: argparse.Namespace) -> int:
    from pushlab.cli.subscription import subscription

    return subscription(data=options.data, file=options.json, https=options.https, key=options.key)


def _subscriptions(options: argparse.Namespace) -> int:
    from pushlab.cli.subscriptions import subscriptions

    return subscriptions(
        data=options.data,
        database=options.database,
        label=options.remove,
        clear=options.clear,
        as_json=options.json,
    )


def _send(options: argparse.Namespace) -> int:
    from pushlab.appserver.delivery.sender import send_once
    from pushlab.appserver.notification import Notification
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
    payload = Notification(options.title, {"body": options.body}).payload()
    # An endpoint with plain http on this machine is the lab's own: vendors' endpoints have https.
    own = [subscription.origin] if _is_labs(subscription.origin) else []
    outcome = asyncio.run(send_once(keys, subscription, payload, push_options, own))
    print(outcome)
    if outcome.source and outcome.source != outcome.rfc:
        print(f"How we know this: {outcome.source}")
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


def _conformance(options: argparse.Namespace) -> int:
    from pushlab.cli.conformance import conformance

    return conformance(options)


def _doctor(options: argparse.Namespace) -> int:
    from pushlab.doctor import examine
    from pushlab.protocol.spelling.paths import cannot_be_read

    try:
        report = examine(
            subscription=options.subscription,
            keys=options.keys,
            claims=options.claims,
            options=options.options,
            page=options.page or "",
            host=options.host or "",
            port=options.port,
        )
    except OSError as error:
        said = bounded(cannot_be_read(error.filename, error))
        print(f"pushlab: {said}", file=sys.stderr)
        return 2
    if options.json:
        for finding in report:
            print(finding.to_json())
    else:
        print(report)
        if options.host:
            print(f"Next: {report.next_step}")
    return 0 if report.good else 1
