"""pushlab: web push, taken apart to the byte.

This is the public door. It re-exports; a name is imported when it is first asked for, so that
``import pushlab`` costs a kernel next to nothing. It also tells an IPython that runs which of our
objects can draw themselves.
"""

import sys
from importlib import import_module

_DOOR = {
    "pushlab.errors": ["PushlabError"],
    "pushlab.journal": ["Event", "Journal", "Party"],
    "pushlab.protocol.subscription": ["PushSubscription"],
    "pushlab.protocol.delivery": ["PushOptions", "PushRequest", "Urgency", "build_request"],
    "pushlab.protocol.encryption": ["MAX_PLAINTEXT", "decrypt", "encrypt"],
    "pushlab.protocol.vapid": ["Claims", "authorization", "sign", "verify"],
    "pushlab.appserver.keys": ["VapidKeys"],
    "pushlab.appserver.app": ["ApplicationServer"],
    "pushlab.appserver.store": ["SubscriptionStore"],
    "pushlab.appserver.delivery.response": ["PushResponse"],
    "pushlab.appserver.explain.outcome": ["Outcome", "explain"],
    "pushlab.pushservice.app": ["PushService"],
    "pushlab.useragent.chromium.browser": ["Chromium"],
    "pushlab.useragent.firefox.browser": ["Firefox"],
    "pushlab.useragent.virtual": ["VirtualUserAgent"],
    "pushlab.notebook": ["Lab"],
    "pushlab.notebook.pictures.charts": ["bar_chart", "bench_chart", "line_chart"],
    "pushlab.notebook.pictures.gallery": ["byte_map", "message_map", "token_map", "trace_table"],
}
_ROOMS = {
    "pushlab.protocol": ["base64url", "content_coding", "delivery", "encryption", "examples", "jws"]
    + ["p256", "subscription", "trace", "vapid"],
    "pushlab.notebook": ["checks"],
}
# What is a picture as the last line of a cell. pushlab.notebook.rich draws it.
_DRAWN = {
    "pushlab.protocol.content_coding": ["ContentKeys", "Header"],
    "pushlab.protocol.delivery": ["PushOptions", "PushRequest"],
    "pushlab.protocol.encryption": ["Derivation"],
    "pushlab.protocol.subscription": ["PushSubscription"],
    "pushlab.protocol.vapid": ["Claims", "Credentials"],
    "pushlab.appserver.explain.outcome": ["Outcome"],
    "pushlab.appserver.delivery.response": ["PushResponse"],
}
_HOME = {name: module for module, names in _DOOR.items() for name in names}
_ROOM = {name: f"{house}.{name}" for house, names in _ROOMS.items() for name in names}
__all__ = sorted(_HOME | _ROOM)
__version__ = "0.1.0"


def __getattr__(name: str):
    if name in _ROOM:
        value = import_module(_ROOM[name])
    elif name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
    else:
        raise AttributeError(f"module 'pushlab' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


def load_ipython_extension(shell) -> None:
    """Tell IPython what can be drawn, by name: nothing is imported before it is drawn.

    ``import pushlab`` does this in a notebook; ``%load_ext pushlab`` does it by hand.
    """
    formatter = shell.display_formatter.formatters["image/svg+xml"]
    for module, names in _DRAWN.items():
        for name in names:
            formatter.for_type_by_name(module, name, _draw)


def _draw(thing) -> str | None:
    return import_module("pushlab.notebook.rich").draw(thing)


if _get_shell := getattr(sys.modules.get("IPython"), "get_ipython", None):
    if _shell := _get_shell():
        load_ipython_extension(_shell)
