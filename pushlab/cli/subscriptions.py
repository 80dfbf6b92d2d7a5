"""``pushlab subscriptions``: list what the application server has stored, or remove some of it.

Subscriptions outlive the lab: they are in its database until somebody removes them. Neither an
endpoint nor a key is shown; a label names a subscription without giving it away.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from pushlab import settings
from pushlab.appserver.store import StoredSubscription, SubscriptionStore
from pushlab.errors import UnknownSubscription, UnusableFolder
from pushlab.reader import command
from pushlab.server.database_url import sqlite_url
from pushlab.text import counted, json_line, show

FILE = "appserver.sqlite3"
"""The application server's database in a data folder."""


def subscriptions(
    *, data: Path | None, database: str | None, label: str | None, clear: bool, as_json: bool
) -> int:
    """List the stored subscriptions, or remove one by its ``label``, or all. Return the exit status.

    ``data``: the data folder; ``database``: SQLAlchemy's URL of another database. Raises
    UnknownSubscription, StoreError.
    """
    folder = settings.data_folder(data)
    if folder.exists() and not folder.is_dir():
        raise UnusableFolder(f"{folder} is not a folder")
    path = folder / FILE
    where = "that database" if database else str(path)
    if database is None and not path.exists():
        if not as_json:
            print(f"No subscription is stored: there is no {path}.")
        return 0
    store = SubscriptionStore(database or sqlite_url(path))
    try:
        if label or clear:
            removed = counted(_remove(store, label), "subscription")
            print(f"Removed {removed} from {where}. A page that is open may send its own again.")
        elif as_json:
            for stored in store.all():
                print(json_line(_facts(stored)))
        else:
            _print_table(store, where)
    finally:
        store.close()
    return 0


def _remove(store: SubscriptionStore, label: str | None) -> int:
    """Remove the subscriptions with this label, or all of them."""
    chosen = [
        stored.subscription.endpoint
        for stored in store.all()
        if label is None or stored.subscription.label == label
    ]
    if label and not chosen:
        raise UnknownSubscription(
            f"no subscription has the label {show(label)}", hint=f"{command('subscriptions')} lists them"
        )
    return sum(map(store.remove, chosen))


def _facts(stored: StoredSubscription) -> dict[str, str | bool]:
    since = datetime.fromtimestamp(stored.created_at, UTC)
    return {
        "label": stored.subscription.label,
        "name": show(stored.display_name),
        "push_service": stored.subscription.origin,
        "since": since.isoformat(timespec="seconds"),
        "keys": stored.subscription.has_keys,
    }


def _print_table(store: SubscriptionStore, where: str) -> None:
    count = 0
    for count, line in enumerate(_lines(store), 1):
        if count == 1:
            print(f"{'label':<8}  {'name':<20}  {'since':<16}  push service")
        print(line)
    print(f"{counted(count, 'subscription')} in {where}")


def _lines(store: SubscriptionStore) -> Iterator[str]:
    for stored in store.all():
        since = datetime.fromtimestamp(stored.created_at).astimezone()
        without = "" if stored.subscription.has_keys else "   without keys: gets no payload"
        yield (
            f"{stored.subscription.label}  {show(stored.display_name) or '-':<20}  "
            f"{since:%Y-%m-%d %H:%M}  {stored.subscription.origin}{without}"
        )
