"""``pushlab conformance``: examine a sender of push messages, whoever wrote it and in which language."""

import argparse
import asyncio
import random
import sys
import time
from datetime import UTC, datetime

from pushlab.conformance.case import Case, Result
from pushlab.conformance.examination import Examination, Timing
from pushlab.conformance.examiner import chosen, examine, exit_status
from pushlab.conformance.report import jsonl, terminal
from pushlab.conformance.senders.app import AppSender, Routes
from pushlab.conformance.senders.base import Sender
from pushlab.conformance.senders.command import CommandSender
from pushlab.conformance.service import HOSTS, ExaminationService
from pushlab.errors import BadArgument
from pushlab.protocol import base64url, p256
from pushlab.pushservice.chromium.certificates import Certificates
from pushlab.reader import command
from pushlab.text import show


def conformance(options: argparse.Namespace) -> int:
    """Examine a sender, print the report, and return the exit status. Raises BadArgument, OSError."""
    cases = chosen(options.case, _unknown_case)
    if options.list:
        for case in cases:
            print("\n".join(terminal.listed(case)))
        return 0
    results: list[Result] = []
    try:
        asyncio.run(_examine(options, cases, results))
    finally:
        _print_closing(results, options.json)
    return exit_status(results)


def _unknown_case(id: str) -> BadArgument:
    hint = f"{command('conformance --list')} has all of them"
    return BadArgument(f"there is no case {show(id, limit=60)}", hint=hint)


async def _examine(options: argparse.Namespace, cases: tuple[Case, ...], results: list[Result]) -> None:
    seed = random.randrange(2**32) if options.seed is None else options.seed
    certificates = None if options.http else Certificates.make(HOSTS)
    sender = _sender(options, certificates)
    timing = Timing()
    port = options.port if options.port is not None else 8188 if options.subscribe else 0
    ports = (port, port + 1) if port else (0, 0)
    service = ExaminationService(certificates, ports=ports, seed=seed, patience=timing.patience)
    exam = Examination(sender, service, key=_key(options, sender), timing=timing, seed=seed)
    try:
        await service.start()
        await sender.open()
        _print_opening(options, service, seed)
        async for result in examine(exam, cases):
            results.append(result)
            print(jsonl.line(result) if options.json else terminal.line(result), flush=True)
    finally:
        await exam.close()
        await sender.close()
        await service.stop()


def _sender(options: argparse.Namespace, certificates: Certificates | None) -> Sender:
    authority = None if certificates is None else certificates.ca_pem
    if options.subscribe:
        routes = Routes.of(
            options.subscribe, options.send or "", options.send_all or "", options.unsubscribe or ""
        )
        bodies = {
            name: given
            for name in ("subscribe_body", "send_body")
            if (given := getattr(options, name)) is not None
        }
        return AppSender(routes, **bodies)
    return CommandSender(options.sender, authority=authority)


def _key(options: argparse.Namespace, sender: Sender) -> bytes | None:
    """Return the sender's public key, if it is known before its first message."""
    if options.key:
        return p256.raw_public(p256.load_public(base64url.decode(options.key)))
    if isinstance(sender, CommandSender) and sender.uses_our_keys:
        return p256.raw_public(sender.keys.private_key)
    return None


def _print_opening(options: argparse.Namespace, service: ExaminationService, seed: int) -> None:
    clock = f"{datetime.fromtimestamp(time.time(), UTC):%Y-%m-%dT%H:%M:%SZ}"
    said = f"push services {' and '.join(service.origins)}  seed {seed}  clock {clock}"
    print(said, file=sys.stderr if options.json else sys.stdout, flush=True)


def _print_closing(results: list[Result], as_json: bool) -> None:
    if as_json:
        print(jsonl.summary(results), flush=True)
        return
    print("\n".join(terminal.closing(results)), flush=True)
