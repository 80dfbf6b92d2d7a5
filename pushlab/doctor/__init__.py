"""``pushlab doctor``: find what would go wrong with web push before anything is sent.

It reads keys, a subscription, claims and options, and examines the machine and the address of a room.
It sends nothing to any push service. Its requests over the network go to a lab on this machine only.
"""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from pushlab import files, settings
from pushlab.appserver import key_sources
from pushlab.appserver.keys import VapidKeys
from pushlab.doctor.claims import examine_claims, examine_subject
from pushlab.doctor.findings import Finding, Level, Report, bad, hint, ok
from pushlab.doctor.keys import examine_key_file, examine_keys, usable
from pushlab.doctor.machine import examine_machine
from pushlab.doctor.network import examine_network
from pushlab.doctor.options import examine_options
from pushlab.doctor.room import examine_room
from pushlab.doctor.subscription import examine_stored, examine_subscription, members_of, origin_of
from pushlab.doctor.text import vendor as vendor_of
from pushlab.errors import BadArgument
from pushlab.protocol.spelling import paths
from pushlab.protocol.strict_json import JsonObject

__all__ = ["Finding", "Level", "Report", "Source", "examine"]

Source = Path | JsonObject | str | bytes | None


def examine(
    *,
    subscription: Source = None,
    keys: Path | VapidKeys | None = None,
    claims: Source = None,
    options: Source = None,
    page: str = "",
    data: Path | None = None,
    port: int | None = None,
    stored: Sequence[str] = (),
    host: str = "",
) -> Report:
    """Examine the machine and everything that is given, and report all findings.

    ``subscription``, ``claims``, ``options``: a mapping, JSON text, or the path of a file;
    ``keys``: VAPID keys or their file, by default those of the data folder; ``page``: URL of a
    client page; ``data``: the data folder; ``port``: where a lab may be running; ``stored``: the
    applicationServerKey of each stored subscription; ``host``: the address of a room, which may be
    open at ``port``. Raises OSError if a given file cannot be read, BadArgument if it is no path.
    """
    subscription, claims, options = _content(subscription), _content(claims), _content(options)
    now, data = time.time(), settings.data_folder(data)
    members = members_of(subscription) if subscription is not None else None
    endpoint = (members or {}).get("endpoint")
    vendor = vendor_of(endpoint)
    found, ours = _examine_keys(keys, data / "vapid.env", vendor)
    findings = [*examine_machine(data), *examine_network(page, now, port), *found]
    if stored and ours:
        findings += examine_stored(stored, ours)
    if subscription is not None:
        findings += examine_subscription(subscription, now, ours)
    if claims is not None:
        findings += examine_claims(claims, now, origin_of(endpoint), vendor)
    if options is not None:
        findings += examine_options(options, vendor, now)
    if host:
        findings += examine_room(host, port)
    return Report(tuple(findings))


def _content(source: Source) -> JsonObject | str | bytes | None:
    """Return what is to be examined. Text that does not begin like JSON is a path."""
    if isinstance(source, str):
        source = source.removeprefix("\ufeff")  # A byte order mark, which changes nothing.
    if isinstance(source, str) and not source.lstrip().startswith(("{", "[", '"')):
        source = Path(source)
    return _read(source) if isinstance(source, Path) else source


def _read(path: Path) -> bytes:
    try:
        return files.read(path)
    except OSError as error:
        if what := paths.in_place_of(path, error):
            raise BadArgument(paths.WANTED.format(what), hint=paths.TURN) from None
        raise


def _examine_keys(
    keys: Path | VapidKeys | None, usual: Path, vendor: str
) -> tuple[list[Finding], VapidKeys | None]:
    if isinstance(keys, VapidKeys):
        return [usable(keys), *examine_subject(keys.subject, vendor, "the subject")], keys
    if keys is None and (values := key_sources.of_environment(os.environ)).get("VAPID_PRIVATE_KEY"):
        found, ours = examine_keys(key_sources.to_lines(values).encode(), vendor)
        seen = f"the keys come from the environment, so {usual} is not used"
        return [ok("keys-of-the-environment", seen), *found], ours
    try:
        path = keys or usual
        content = _read(path) if keys else files.read(path)
    except OSError as error:
        if keys is not None:
            raise
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            told = ok("no-keys-yet", "no VAPID keys yet: the lab makes them at its first start")
            return [told, *_examine_subject_of_environment(keys, vendor)], None
        seen = f"the key file {path} cannot be read: {error.strerror}"
        fix = "Own the file, and let nobody else read it: chown, then chmod 600."
        return [bad("key-file-unreadable", seen, "this machine", "", fix)], None
    found, ours = examine_keys(content, vendor)
    found += [*examine_key_file(path), *_examine_subject_of_environment(keys, vendor)]
    if keys is None and ours and (seen := key_sources.public_alone(ours)):
        found.append(hint("public-key-alone", seen, "application server", "", key_sources.MISSPELLED))
    return found, ours


def _examine_subject_of_environment(keys: Path | None, vendor: str) -> list[Finding]:
    """Examine the contact that comes before that of the usual file."""
    subject = None if keys else key_sources.of_environment(os.environ).get("VAPID_SUBJECT")
    return examine_subject(subject, vendor, "VAPID_SUBJECT of the environment") if subject else []
