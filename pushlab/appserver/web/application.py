"""Which handler answers which path, with the secret of a private lab and without it."""

from collections.abc import Sequence
from typing import Any

from tornado.web import Application

from pushlab.appserver.web import routes
from pushlab.appserver.web.events import EventsHandler
from pushlab.appserver.web.handler import UnknownHandler
from pushlab.appserver.web.static import PageHandler, static_folder
from pushlab.errors import PrivateLab
from pushlab.server.http import RefusalHandler
from pushlab.server.private import PrivateAddress


def application(server: Any, further: Sequence[tuple] = ()) -> Application:
    """Return the routes of an ApplicationServer. ``further`` come first: those of an extension."""
    arguments = {"server": server}
    return Application(
        [
            *further,
            (r"/vapid", routes.VapidHandler, arguments),
            (r"/health", routes.HealthHandler, arguments),
            (r"/add-subscription", routes.AddSubscriptionHandler, arguments),
            (r"/remove-subscription", routes.RemoveSubscriptionHandler, arguments),
            (r"/notify-me", routes.NotifyMeHandler, arguments),
            (r"/notify-one", routes.NotifyOneHandler, arguments),
            (r"/notify-all", routes.NotifyAllHandler, arguments),
            (r"/instructor", routes.InstructorHandler, arguments),
            (r"/report", routes.ReportHandler, arguments),
            (r"/subscriptions", routes.SubscriptionsHandler, arguments),
            (r"/events", EventsHandler, arguments),
            (r"/(|(?:[\w-]+\.)+\w+)", PageHandler, arguments | {"path": static_folder()}),
        ],
        default_handler_class=UnknownHandler,
        default_handler_args=arguments,
        # Tornado would keep a file's hash for ever, and a page that is edited would not change.
        static_hash_cache=False,
        log_function=_unlogged,
    )


def private(inside: Application, path: str) -> Application | PrivateAddress:
    """Return an application that is below ``path`` (``/SECRET``) alone; the same for no path."""
    if not path:
        return inside
    refusal = Application([(r".*", RefusalHandler, {"error": PrivateLab()})], log_function=_unlogged)
    return PrivateAddress(path, inside=inside, outside=refusal)


def _unlogged(handler: object) -> None:
    """Log no request: the journal records what happens, without addresses."""
