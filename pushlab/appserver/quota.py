"""How many subscriptions an application server keeps."""

import threading
from collections.abc import Callable

from pushlab.errors import TooManySubscriptions

MAX_SUBSCRIPTIONS = 100_000
"""Subscriptions that are kept. One more is refused; those that are known may still be updated."""

COUNT_EVERY = 100
"""New subscriptions after which those that are kept are counted again."""


class SubscriptionQuota:
    """Say whether one more subscription may be stored. ``count`` returns how many are stored now.

    A count reads the whole table, so one serves for some newcomers. Any thread may take.

    >>> quota = SubscriptionQuota(count=lambda: MAX_SUBSCRIPTIONS - 1)
    >>> quota.take()
    """

    def __init__(self, count: Callable[[], int]):
        self._count = count
        self._left = 0
        self._lock = threading.Lock()

    def take(self) -> None:
        """Use the place of one subscription. Raises TooManySubscriptions, UnableToReadDatabase."""
        with self._lock:
            if self._left == 0:
                self._left = max(0, min(COUNT_EVERY, MAX_SUBSCRIPTIONS - self._count()))
            if self._left == 0:
                raise TooManySubscriptions(f"{MAX_SUBSCRIPTIONS} subscriptions are kept already")
            self._left -= 1
