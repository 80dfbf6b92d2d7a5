"""The pace of all workers together, at each push service: what one process would keep to alone.

The application server replays what the workers have seen to one OriginQueue for each push service, as
if all messages had been sent from there. What that queue allows is shared out to the workers that
have something to send, in proportion to how much:

    a worker ── Report: 57 answered, 1 refused, 300 wait ──▶ SharedQueue: the window, pauses, probes
             ◀── Grant: 120 under way, none while paused ───

Never more than the window may be under way, whatever is on its way between the two. So a share grows
only when the others have been told of their smaller ones, and have said how many they still have
under way.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pushlab.appserver.broadcast.broadcast import MAX_IDLE_ORIGINS
from pushlab.appserver.broadcast.cluster.granted_queue import Grant, Report
from pushlab.appserver.broadcast.congestion import MAX_IN_FLIGHT, CongestionWindow
from pushlab.appserver.broadcast.origin_queue import PROBE_CLOSED, OriginQueue


@dataclass
class Share:
    """One worker's part of a push service.

    ``waits``: messages that could begin; ``limit``: requests that it may have under way, as it is
    told; ``before``: the limit that holds until it has heard that; ``probes``: requests that it may
    begin although the queue is not open.
    """

    waits: int = 0
    under_way: int = 0
    limit: int = 0
    before: int = 0
    probes: int = 0

    @property
    def demand(self) -> int:
        """How many requests it would have under way if it could."""
        return self.waits + self.under_way

    @property
    def committed(self) -> int:
        """How many it may have under way at this moment, as far as is known here."""
        return max(self.limit, self.before, self.under_way)


class SharedQueue(OriginQueue[Any, Any]):
    """What the responses to all workers mean for one push service. It holds no messages itself.

    ``max_in_flight``: how many messages may be under way to it from all workers.
    """

    def __init__(self, max_in_flight: int = MAX_IN_FLIGHT):
        super().__init__(CongestionWindow(most=max_in_flight))
        self.shares: dict[str, Share] = {}

    def learn(self, worker: str, report: Report, now: float) -> float | None:
        """Replay what a worker has seen; return for how many seconds nothing may begin from now on."""
        share = self.shares.setdefault(worker, Share())
        self._take_back(share, report.probes)
        share.waits, share.under_way = report.waiting + report.again, report.under_way
        share.before = 0
        waiting = sum(one.waits for one in self.shares.values())
        self.waiting = range(waiting)  # type: ignore[assignment]  # they are in the workers
        self._count_under_way()
        pause = None
        for seen in report.seen:
            if seen.about is None:
                self._serve(now, report.full, seen.times)
                continue
            for _ in range(seen.times):
                self.refused(now, seen.about, seen.asked)
                pause = self.pause(now) or pause
        return self.pause(now) or pause

    def forget(self, worker: str, now: float) -> float | None:
        """Do without a worker that has gone, or has nothing to send here; return as learn() does."""
        if share := self.shares.pop(worker, None):
            self._take_back(share, share.probes)
            self._count_under_way()
        return self.pause(now) if self.state == "probing" else None

    def grant(self, worker: str, origin: str, now: float) -> Grant:
        """Return what a worker may do from now on."""
        share = self.shares[worker]
        committed = sum(one.committed for name, one in self.shares.items() if name != worker)
        share.before = max(share.before, share.limit)
        share.limit = max(0, min(self._parts(self.room)[worker], self.room - committed))
        if self.state == "probing" and share.limit:
            share.probes = self._parts(self._probes)[worker]
            self._probes -= share.probes
        elif self.state == "closed" and share.limit and now >= self._next_probe:
            share.probes, self._next_probe = 1, now + PROBE_CLOSED
        self._count_under_way()
        trust = max(1, self.trust // len(self.shares))
        return Grant(origin, self.state, share.limit, trust, share.probes)

    def resume(self, number: int) -> None:
        """End the pause of this number, unless the queue has been opened meanwhile."""
        if self.state == "paused" and number == self.pauses:
            self.state = "probing"  # The workers put their messages into a random order.

    def _parts(self, total: int) -> dict[str, int]:
        """Share out a number: one to each worker that has messages, the rest by how many they have."""
        demands = {name: share.demand for name, share in self.shares.items() if share.demand}
        parts = dict.fromkeys(self.shares, 0)
        for name in list(demands)[:total]:
            parts[name] = 1
        rest = total - sum(parts.values())
        for name, demand in demands.items():
            parts[name] += rest * demand // sum(demands.values())
        if demands:
            parts[max(demands, key=demands.__getitem__)] += total - sum(parts.values())
        return parts

    def _take_back(self, share: Share, probes: int) -> None:
        if self.state == "probing":
            self._probes += min(probes, share.probes)
        share.probes = 0

    def _count_under_way(self) -> None:
        self.under_way = sum(one.under_way + one.probes for one in self.shares.values())


class Pace:
    """The queues of one notify-all, one for each push service.

    ``later(seconds, call)`` calls ``call()`` after some seconds.
    """

    def __init__(
        self,
        later: Callable[[float, Callable[[], None]], object],
        max_in_flight: int = MAX_IN_FLIGHT,
    ):
        self._later, self._max_in_flight = later, max_in_flight
        self._queues: dict[str, SharedQueue] = {}
        self._expected: set[str] = set()

    def expect(self, worker: str) -> None:
        """Leave a worker that has begun its part at each push service, until it says what it has.

        Otherwise the first worker to report would be granted all, and the next one would have to wait
        until it has given back some.
        """
        self._expected.add(worker)

    def learn(self, worker: str, reports: Iterable[Report], now: float) -> None:
        """Learn what a worker has seen. It has nothing to send to push services that it leaves out."""
        self._expected.discard(worker)
        named = set()
        for report in reports:
            named.add(report.origin)
            if report.origin not in self._queues:
                self._queues[report.origin] = self._new_queue(report)
            queue = self._queues[report.origin]
            self._let_pause(queue, queue.learn(worker, report, now))
        for origin, queue in self._queues.items():
            if origin not in named:
                self._let_pause(queue, queue.forget(worker, now))
        self._forget_idle()

    def forget(self, worker: str, now: float) -> None:
        """Do without a worker that has gone."""
        self.learn(worker, (), now)

    def grants(self, worker: str, now: float) -> list[Grant]:
        """Return what a worker may do from now on, at each push service that it has named."""
        if worker in self._expected:
            return []
        return [
            queue.grant(worker, origin, now)
            for origin, queue in self._queues.items()
            if worker in queue.shares
        ]

    def _new_queue(self, report: Report) -> SharedQueue:
        queue = SharedQueue(self._max_in_flight)
        # Those that have said nothing yet are taken to have as much as the first one that has.
        queue.shares = {worker: Share(waits=report.waiting) for worker in self._expected}
        return queue

    def _let_pause(self, queue: SharedQueue, seconds: float | None) -> None:
        if seconds is not None:
            number = queue.pauses
            self._later(seconds, lambda: queue.resume(number))

    def _forget_idle(self) -> None:
        # Strangers choose the origins, and there may be as many as there are subscribers.
        if len(self._queues) > MAX_IDLE_ORIGINS:
            self._queues = {origin: queue for origin, queue in self._queues.items() if queue.shares}
