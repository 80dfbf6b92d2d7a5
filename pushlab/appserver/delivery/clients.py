"""Which code encrypts, signs and sends: our own, or pywebpush."""

import time
from collections.abc import Callable, Collection, Sequence
from typing import Any, Literal, get_args

from pushlab.appserver.delivery.client import LibcurlPushClient, PushClient
from pushlab.appserver.delivery.egress import ConnectOverride, EgressPolicy
from pushlab.appserver.delivery.pywebpush_client import PywebpushClient
from pushlab.appserver.delivery.transport import CurlTransport
from pushlab.appserver.keys import VapidKeys
from pushlab.errors import BadArgument

ClientName = Literal["pushlab", "pywebpush"]
"""Whose code encrypts, signs and sends."""


def checked_sender(name: object) -> ClientName:
    """Return the name of a sender. Raises BadArgument.

    >>> checked_sender("pywebpush")
    'pywebpush'
    """
    for known in get_args(ClientName):
        if name == known:
            return known
    raise BadArgument(f"sender is {name!r}, and there are 'pushlab' and 'pywebpush'")


def push_client(
    name: ClientName,
    keys: VapidKeys,
    allowed_origins: Collection[str] = (),
    overrides: Sequence[ConnectOverride] = (),
    clock: Callable[[], float] = time.time,
) -> PushClient[Any]:
    """Return the PushClient of this name.

    ``allowed_origins`` may have addresses that are not public; ``overrides``: which endpoints are the
    lab's, and where the lab listens; ``clock``: seconds since 1970.
    """
    egress = EgressPolicy(allowed_origins)
    if name == "pywebpush":
        return PywebpushClient(keys, overrides, egress=egress)
    return LibcurlPushClient(keys, CurlTransport(egress=egress), overrides, clock=clock)
