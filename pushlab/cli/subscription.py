"""``pushlab subscription``: a user agent without a page, at the push service of a lab that runs.

It is for whoever tests a sender: it subscribes, hands the subscription out, stays connected, and shows
what arrives. The lab is found by its data folder, whose lock file says where the push service is. The
application server of that lab is not told.
"""

import asyncio
import dataclasses
import errno
import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from pushlab import settings
from pushlab.appserver import private_file
from pushlab.errors import LabStopped
from pushlab.lab import authority
from pushlab.lab.data_folder import absolute, holder_of
from pushlab.protocol import base64url, p256
from pushlab.protocol.subscription import PushSubscription
from pushlab.reader import command
from pushlab.text import one_line
from pushlab.useragent.autopush_client import AutopushClient

NAME = "pushlab-virtual (Terminal)"

MAX_SHOWN = 400
"""Characters of a message that are shown."""


def subscription(*, data: Path | None, file: Path | None, https: bool, key: str | None) -> int:
    """Subscribe, and show what arrives until Ctrl-C. Return the exit status.

    ``data``: the data folder of the lab; ``file``: where to write the subscription in place of
    standard output; ``https``: whether its endpoint is the https URL; ``key``: base64url of the only
    public key that may send, or None for any. Raises LabStopped, BadPublicKey, BadBase64url,
    UnusableFolder, KeyFileError, OSError, BrowserFailed.
    """
    raw = None if key is None else base64url.decode(key.rstrip("="))
    if raw is not None:
        p256.load_public(raw)
    if file is not None:
        _check_writable(file)
    folder = absolute(settings.data_folder(data))
    lab = holder_of(folder)
    if lab is None or not lab.push_service:
        raise LabStopped(f"no lab runs with the data folder {folder}")

    def hand_out(made: PushSubscription) -> None:
        if https:
            made = dataclasses.replace(made, endpoint=f"{lab.https}{urlsplit(made.endpoint).path}")
        _hand_out(made, file)
        if https:
            trusts = authority.instructions(folder / authority.NAME)
            _tell(f"Your sender has to trust the authority of this lab:\n{trusts}")
        else:
            _tell(f"To try it: {command('send')} {file or 'FILE'}")
        _tell("What arrives is shown here. Ctrl-C ends the subscription: its endpoint is then gone.")

    with suppress(KeyboardInterrupt):
        asyncio.run(_stay(lab.push_service, raw, hand_out))
    return 0


async def _stay(push_url: str, key: bytes | None, hand_out: Callable[[PushSubscription], None]) -> None:
    """Subscribe, and print what arrives. Raises LabStopped when the push service ends."""
    lines: asyncio.Queue[str | None] = asyncio.Queue()
    client = AutopushClient(
        push_url,
        NAME,
        lambda plaintext: lines.put_nowait(line_of(plaintext)),
        on_fault=lambda error: lines.put_nowait(f"a message that cannot be decrypted: {error}"),
        on_close=lambda: lines.put_nowait(None),
    )
    await client.connect()
    try:
        hand_out(await client.subscribe(key))
        while (line := await lines.get()) is not None:
            print(f"{time.strftime('%H:%M:%S')}  {one_line(line)}", flush=True)
        raise LabStopped("the lab has stopped, and nobody reads what comes to this subscription")
    finally:
        if client.connected:
            await client.unsubscribe()
        await client.disconnect()


def _hand_out(made: PushSubscription, file: Path | None) -> None:
    text = json.dumps(made.to_json())
    if file is None:
        print(text, flush=True)
    else:
        private_file.write(file, f"{text}\n".encode(), overwrite=True)
        print(f"{made} is in {file}", flush=True)


def _tell(line: str) -> None:
    # Standard output has the subscription and the messages, for programs.
    print(line, file=sys.stderr, flush=True)


def line_of(plaintext: bytes | None) -> str:
    """Describe what arrived. Whoever prints it makes one line of it, which can be shown.

    >>> line_of(b'{"title": "Hello"}')
    '18 bytes: {"title": "Hello"}'
    >>> line_of(b"\\xff\\0"), line_of(None)
    ('2 bytes, which are not text: ff 00', 'a message without a payload')
    """
    if plaintext is None:
        return "a message without a payload"
    size = f"{len(plaintext)} byte{'' if len(plaintext) == 1 else 's'}"
    try:
        text = plaintext.decode("utf-8")
    except UnicodeDecodeError:
        start = plaintext[: MAX_SHOWN // 3]
        return f"{size}, which are not text: {start.hex(' ')}{' …' if start != plaintext else ''}"
    return f"{size}: {text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + '…'}"


def _check_writable(file: Path) -> None:
    """Raise the OSError that writing the file would have, before anything is subscribed."""
    code = 0
    if file.is_dir():
        code = errno.EISDIR
    elif not file.parent.is_dir():
        code = errno.ENOTDIR if file.parent.exists() else errno.ENOENT
    elif not os.access(file.parent, os.W_OK):
        code = errno.EACCES
    if code:
        raise OSError(code, os.strerror(code), str(file))
