"""How many subscriptions are kept: the rows are counted seldom, and no place is given twice."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from pushlab.appserver import quota
from pushlab.appserver.quota import SubscriptionQuota
from pushlab.errors import TooManySubscriptions, UnableToReadDatabase


class Rows:
    """A table that grows by who has got a place, and says how often it was counted."""

    def __init__(self, stored: int = 0):
        self.stored, self.counts = stored, 0

    def count(self) -> int:
        self.counts += 1
        return self.stored

    def taken(self, quota: SubscriptionQuota) -> bool:
        """Return whether one more could be stored."""
        try:
            quota.take()
        except TooManySubscriptions:
            return False
        self.stored += 1
        return True


def test_the_rows_are_counted_once_for_some_newcomers_and_at_the_end_each_time(monkeypatch):
    monkeypatch.setattr(quota, "MAX_SUBSCRIPTIONS", 25)
    monkeypatch.setattr(quota, "COUNT_EVERY", 10)
    rows = Rows()
    counting = SubscriptionQuota(rows.count)
    assert [rows.taken(counting) for _ in range(25)] == [True] * 25
    assert rows.counts == 3
    assert not rows.taken(counting) and not rows.taken(counting)
    assert rows.counts == 5
    rows.stored -= 1  # Somebody has unsubscribed.
    assert rows.taken(counting) and not rows.taken(counting)


def test_many_threads_share_the_places_of_one_count(monkeypatch):
    monkeypatch.setattr(quota, "MAX_SUBSCRIPTIONS", 40)
    rows = Rows(stored=10)
    counting = SubscriptionQuota(rows.count)
    with ThreadPoolExecutor(16) as threads:
        taken = list(threads.map(lambda _: rows.taken(counting), range(30)))
    assert taken == [True] * 30 and rows.counts == 1


def test_a_count_that_fails_gives_no_place():
    def count() -> int:
        raise UnableToReadDatabase

    counting = SubscriptionQuota(count)
    for _ in range(2):
        with pytest.raises(UnableToReadDatabase):
            counting.take()
