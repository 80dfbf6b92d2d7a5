"""pushlab: web push, taken apart to the byte.

The public names are re-exported here. A name is imported when it is first used, so that ``import
pushlab`` takes a kernel almost no time. In IPython, this module also registers which of our objects
are shown as pictures.
"""

import sys
from importlib import import_module
from typing import Any

_PUBLIC = {
    "pushlab.errors": ["PushlabError"],
    "pushlab.journal": ["Event", "Journal", "Party"],
    "pushlab.protocol.subscription": ["PushSubscription"],
    "pushlab.protocol.delivery": ["PushOptions", "PushRequest", "Urgency", "build_request"],
    "pushlab.protocol.encryption": ["MAX_PLAINTEXT", "decrypt", "encrypt"],
    "pushlab.protocol.vapid": ["Claims", "authorization", "sign", "verify"],
    "pushlab.appserver.keys": ["VapidKeys"],
    "pushlab.appserver.app": ["ApplicationServer"],
    "pushlab.appserver.store": ["SubscriptionStore"],
    "pushlab.appserver.broadcast.cluster.options": ["Cluster"],
    "pushlab.appserver.delivery.response": ["PushResponse"],
    "pushlab.appserver.explain.outcome": ["Outcome", "explain"],
    "pushlab.pushservice.app": ["PushService"],
    "pushlab.useragent.chromium.browser": ["Chromium"],
    "pushlab.useragent.firefox.browser": ["Firefox"],
    "pushlab.useragent.virtual": ["VirtualUserAgent"],
    "pushlab.notebook": ["Lab"],
    "pushlab.notebook.examination": ["examine"],
    "pushlab.notebook.inspection": ["inspect"],
    "pushlab.notebook.starter": ["starter_file"],
    "pushlab.notebook.pictures.charts": ["bar_chart", "bench_chart", "line_chart"],
    "pushlab.notebook.pictures.gallery": ["byte_map", "message_map", "token_map", "trace_table"],
}
_MODULES = {
    "pushlab.protocol": ["base64url", "content_coding", "delivery", "encryption", "examples", "jws"]
    + ["p256", "subscription", "trace", "vapid"],
    "pushlab.notebook": ["checks"],
}
# Objects that are shown as a picture as the last line of a cell. pushlab.notebook.rich draws it.
_DRAWN = {
    "pushlab.protocol.content_coding": ["ContentKeys", "Header"],
    "pushlab.protocol.delivery": ["PushOptions", "PushRequest"],
    "pushlab.protocol.encryption": ["Derivation"],
    "pushlab.protocol.subscription": ["PushSubscription"],
    "pushlab.protocol.vapid": ["Claims", "Credentials"],
    "pushlab.appserver.explain.outcome": ["Outcome"],
    "pushlab.appserver.delivery.response": ["PushResponse"],
    "pushlab.doctor.inspection": ["Inspection"],
    "pushlab.notebook.inspection": ["Inspected"],
}
_SOURCE = {name: module for module, names in _PUBLIC.items() for name in names}
_MODULE = {name: f"{package}.{name}" for package, names in _MODULES.items() for name in names}
__all__ = sorted(_SOURCE | _MODULE)  # noqa: PLE0605  # it is a list, made from the tables above
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name in _MODULE:
        value = import_module(_MODULE[name])
    elif name in _SOURCE:
        value = getattr(import_module(_SOURCE[name]), name)
    else:
        raise AttributeError(f"module 'pushlab' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


def load_ipython_extension(shell: Any) -> None:
    """Register by name which classes can be drawn: their modules are imported only for drawing.

    ``import pushlab`` does this in a notebook; ``%load_ext pushlab`` does it by hand.
    """
    formatter = shell.display_formatter.formatters["text/html"]
    for module, names in _DRAWN.items():
        for name in names:
            formatter.for_type_by_name(module, name, _draw)


def _draw(thing: object) -> str | None:
    return import_module("pushlab.notebook.rich").html(thing)


if _get_shell := getattr(sys.modules.get("IPython"), "get_ipython", None):
    if _shell := _get_shell():
        load_ipython_extension(_shell)
