"""``pushlab keys``: show the VAPID keys and where they are from; make, import, or rename them."""

import json
import sys
from pathlib import Path

from pushlab import files, settings
from pushlab.appserver import key_sources
from pushlab.appserver.key_sources import KeySource
from pushlab.appserver.keys import DEFAULT_SUBJECT, VapidKeys
from pushlab.errors import KeyFileExists, KeyFileMalformed, KeyMismatch, UnreadableFile
from pushlab.protocol.spelling import key_file, key_file_reader, paths
from pushlab.reader import command


def keys(*, file: Path | None, source: Path | None, subject: str | None, as_json: bool) -> int:
    """Show the keys of a file, or of the environment if no file is named.

    ``file``: the key file, which is made if it is missing; ``source``: the file of another tool, to
    make it of; ``subject``: the contact to write into it. Returns the exit status.
    """
    path = file or settings.data_folder() / "vapid.env"
    made = not path.exists()
    if file and (not made or paths.not_a_path(str(file))):  # No new file is named by a key.
        given(file)
    if made:
        path.parent.mkdir(0o700, parents=True, exist_ok=True)
    form = _import(source, path, subject) if source else ""
    if subject and not source:
        _set_subject(path, subject)
    # A file that somebody names, or has just written, is what is asked for.
    taken = key_sources.find(path, {} if file or source else None)
    imported = f"{source} ({form})" if source else ""
    _show(taken, path, made=made, imported=imported, as_json=as_json)
    if not (file or source) and (other := key_sources.public_alone(taken.keys)):
        print(f"{other}. {key_sources.MISSPELLED}", file=sys.stderr)
    return 0


def load_keys(file: Path | None) -> VapidKeys:
    """Load the keys to sign with, and make none. Raises UnreadableFile, and what load() raises."""
    if file:
        given(file)  # A path that is wrong is another mistake than a file without a key.
        return VapidKeys.load(file)
    return key_sources.find(settings.data_folder() / "vapid.env", generate=False).keys


def given(path: Path) -> bytes:
    """Read a file that an argument names. Raises UnreadableFile."""
    try:
        return files.read(path)
    except OSError as reason:
        raise UnreadableFile(paths.cannot_be_read(path, reason)) from None


def _import(source: Path, path: Path, subject: str | None) -> str:
    content = given(source)
    try:
        converted, form = key_sources.convert(content, subject or "")
    except (KeyFileMalformed, KeyMismatch) as reason:
        raise type(reason)(f"{source}: {reason.detail}", hint=reason.hint) from None
    if path.exists() and VapidKeys.load(path).public != converted.public:
        raise KeyFileExists(
            f"{path} has other keys, so it was not changed",
            hint="Move that file away first, or import into another one with --file NEW",
        )
    converted.save(path, overwrite=True)
    file = key_file_reader.read(content)
    if file.exchanged or file.is_bundled:
        print(key_file.BURNT, file=sys.stderr)
    return form


def _set_subject(path: Path, subject: str) -> None:
    if path.exists():
        key_sources.set_subject(path, subject)
    else:
        VapidKeys.generate(subject).save(path)


def _show(taken: KeySource, path: Path, *, made: bool, imported: str, as_json: bool) -> None:
    found = taken.keys
    if as_json:
        facts = {"public_key": found.application_server_key, "subject": found.subject,
                 "file": str(path), "made": made and taken.keys_from == str(path),
                 "keys_from": taken.keys_from, "subject_from": taken.subject_from}  # fmt: skip
        print(json.dumps(facts))
        return
    if taken.keys_from != str(path):
        print(f"The keys come from {taken.keys_from}, so {path} is not used.")
    elif imported:
        print(
            f"Imported {imported} into {path}, which only you can read. Delete {imported} if you no "
            "longer need it."
        )
    else:
        print(
            f"{'Made' if made else 'Found'} {path}, which only you can read. The private key stays "
            "there."
        )
    print(f"VAPID_PUBLIC_KEY={found.application_server_key}")
    print(f"VAPID_SUBJECT={found.subject}{_about(taken)}")


def _about(taken: KeySource) -> str:
    if taken.keys.subject == DEFAULT_SUBJECT:
        return f"   (nobody reads that: {command('keys --subject mailto:YOU')})"
    return "   (from the environment)" if taken.subject_from != taken.keys_from else ""
