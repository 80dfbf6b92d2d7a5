"""``pushlab conformance``: examine a sender of push messages, whoever wrote it and in which language."""

import argparse
import asyncio
import json
import random
import shlex
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from urllib.parse import urlsplit

from pushlab import settings
from pushlab.appserver import private_file
from pushlab.conformance.case import Case, Result
from pushlab.conformance.examination import Examination, Timing
from pushlab.conformance.examiner import chosen, examine, exit_status
from pushlab.conformance.report import jsonl, terminal
from pushlab.conformance.senders.app import AppSender, Routes
from pushlab.conformance.senders.base import Sender
from pushlab.conformance.senders.by_hand import ByHand
from pushlab.conformance.senders.command import CommandSender
from pushlab.conformance.service import HOSTS, ExaminationService
from pushlab.errors import BadArgument
from pushlab.lab import authority
from pushlab.protocol import base64url, p256
from pushlab.pushservice.certificates import Certificates
from pushlab.reader import command
from pushlab.settings import PORTS
from pushlab.text import show

CERTIFICATES, AUTHORITY = "conformance.json", "conformance-ca.pem"
"""Files in the data folder: the certificates with their private key, and what an app has to trust."""

BODIES = ("subscribe_body", "send_body", "unsubscribe_body")

APP_PORT = 8188
"""Port of the first push service, if a person has to know it before: the number of aes128gcm's RFC."""


def conformance(options: argparse.Namespace) -> int:
    """Examine a sender, write the reports, and return the exit status. Raises BadArgument, OSError."""
    cases = chosen(options.case, _unknown_case)
    if options.list:
        for case in cases:
            print("\n".join(terminal.listed(case)))
        return 0
    _check(options)
    for path in (options.junit, options.html):
        if path is not None:  # Before the examination, which takes a minute, and not after it.
            path.open("ab").close()
    results: list[Result] = []
    facts: dict[str, str] = {}
    try:
        asyncio.run(_examine(options, cases, results, facts))
    finally:
        if facts:  # It had begun. After Ctrl-C there is a report too, of what has been judged.
            _print_closing(results, options.json)
            _write_reports(options, results, facts)
    return exit_status(results)


def _check(options: argparse.Namespace) -> None:
    """Check what the options are together. Raises BadArgument."""
    if options.sender and options.subscribe:
        raise BadArgument("a command and an app are given", hint="Examine one of them at a time")
    others = ("send", "send_all", "unsubscribe", *BODIES)
    if named := [name for name in others if getattr(options, name) and not options.subscribe]:
        option = f"--{named[0].replace('_', '-')}"
        raise BadArgument(f"{option} belongs to an app", hint="Name the app's route with --subscribe")
    if options.port == PORTS[-1]:
        raise BadArgument(f"port {options.port} is the last one, and two in a row are needed")


def _write_reports(options: argparse.Namespace, results: list[Result], facts: dict[str, str]) -> None:
    if options.junit is not None:
        from pushlab.conformance.report import junit

        options.junit.write_bytes(junit.document(results))
    if options.html is not None:
        from pushlab.cli.conformance_page import page  # The pictures cost half a second.

        options.html.write_text(page(results, facts), encoding="utf-8")


def _unknown_case(id: str) -> BadArgument:
    hint = f"{command('conformance --list')} has all of them"
    return BadArgument(f"there is no case {show(id, limit=60)}", hint=hint)


async def _examine(
    options: argparse.Namespace,
    cases: tuple[Case, ...],
    results: list[Result],
    facts: dict[str, str],
) -> None:
    seed = random.randrange(2**32) if options.seed is None else options.seed
    certificates = None if options.http else _certificates(options)
    timing = Timing()
    sender = _sender(options, certificates)
    service = ExaminationService(
        certificates, ports=_ports(options), seed=seed, patience=timing.patience
    )
    exam = Examination(sender, service, key=_key(options, sender), timing=timing)
    try:
        await service.start()
        await sender.open()
        facts |= _facts(options, service, seed)
        _print_opening(options, facts)
        async for result in examine(exam, cases):
            results.append(result)
            if options.json:
                print(jsonl.line(result), flush=True)
            elif not exam.unopened:
                print(terminal.line(result), flush=True)
        if exam.unopened and not options.json:
            print(f"No case can be judged: {exam.unopened}", flush=True)
    finally:
        await exam.close()
        await sender.close()
        await service.stop()


def _certificates(options: argparse.Namespace) -> Certificates:
    """Return the certificates of the push services.

    A command is told which authority to trust each time it is run. An app has to be told before, and a
    person too, so theirs are kept in the data folder.
    """
    if options.sender:
        return Certificates.make(HOSTS)
    folder = settings.data_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / CERTIFICATES
    if path.exists():
        return Certificates.from_json(json.loads(private_file.read(path)))
    made = Certificates.make(HOSTS)
    private_file.write(path, json.dumps(made.to_json()).encode())
    (folder / AUTHORITY).write_bytes(made.ca_pem)
    return made


def _ports(options: argparse.Namespace) -> tuple[int, int]:
    """Return the ports of both push services: an app has to be told of them before."""
    usual = 0 if options.sender else APP_PORT
    port = usual if options.port is None else options.port
    return (port, port + 1) if port else (0, 0)


def _sender(options: argparse.Namespace, certificates: Certificates | None) -> Sender:
    authority = None if certificates is None else certificates.ca_pem
    if options.subscribe:
        routes = Routes.of(
            options.subscribe, options.send or "", options.send_all or "", options.unsubscribe or ""
        )
        bodies = {name: given for name in BODIES if (given := getattr(options, name)) is not None}
        return AppSender(routes, **bodies)
    if options.sender:
        return CommandSender(options.sender, authority=authority)
    say = partial(print, file=sys.stderr if options.json else sys.stdout, flush=True)
    return ByHand(say, sys.stdin)


def _key(options: argparse.Namespace, sender: Sender) -> bytes | None:
    """Return the sender's public key, if it is known before its first message."""
    if options.key:
        return p256.raw_public(p256.load_public(base64url.decode(options.key)))
    if isinstance(sender, CommandSender) and sender.uses_our_keys:
        return p256.raw_public(sender.keys.private_key)
    return None


def _facts(options: argparse.Namespace, service: ExaminationService, seed: int) -> dict[str, str]:
    return {
        "examined": examined(options.sender, options.subscribe),
        "push services": " and ".join(service.origins),
        "clock": f"{datetime.fromtimestamp(time.time(), UTC):%Y-%m-%d %H:%M:%S} UTC",
        "seed": str(seed),
    }


def examined(sender: Sequence[str], subscribe: str | None) -> str:
    """Say who is examined. A report is passed on, and an argument or a URL may hold a secret.

    >>> examined(["node", "send.mjs", "--key", 43 * "A", "{subscription}"], None)
    "node send.mjs --key … '{subscription}'"
    >>> examined([], "http://ada:lovelace@127.0.0.1:8000/subscribe?token=s3cret")
    'http://127.0.0.1:8000/subscribe'
    """
    if sender:
        return show(shlex.join(sender))
    if not subscribe:
        return "by hand"
    url = urlsplit(subscribe)
    return show(f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}")


def _print_opening(options: argparse.Namespace, facts: dict[str, str]) -> None:
    lines = [f"{name:<13}  {value}" for name, value in facts.items()]
    if options.subscribe:
        lines.append(f"The app has to allow endpoints at {facts['push services']}.")
    if not options.sender and not options.http:
        path = (settings.data_folder() / AUTHORITY).resolve()
        lines.append(f"Before it starts, let it trust {path}:\n{authority.instructions(path)}")
    print("\n".join(lines), file=sys.stderr if options.json else sys.stdout, flush=True)


def _print_closing(results: list[Result], as_json: bool) -> None:
    if as_json:
        print(jsonl.summary(results), flush=True)
        return
    print("\n".join(terminal.closing(results)), flush=True)
