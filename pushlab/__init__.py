"""pushlab: web push, taken apart to the byte.

This is the public door. It re-exports and does nothing else; a name is imported when it is first
asked for, so that ``import pushlab`` costs a kernel next to nothing.
"""

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
    "pushlab.pushservice.app": ["PushService"],
    "pushlab.useragent.chromium": ["Chromium"],
    "pushlab.useragent.firefox": ["Firefox"],
    "pushlab.useragent.virtual": ["VirtualUserAgent"],
    "pushlab.notebook": ["Lab"],
}
_HOME = {name: module for module, names in _DOOR.items() for name in names}
__all__ = sorted(_HOME)
__version__ = "0.1.0"


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module 'pushlab' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
