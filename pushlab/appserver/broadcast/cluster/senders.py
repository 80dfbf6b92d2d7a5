"""The senders of one application server by workers: one for each number of processes, or scheduler."""

from collections.abc import Callable

from pushlab.appserver.broadcast.cluster.options import Cluster, Processes
from pushlab.appserver.broadcast.cluster.sender import ClusterSender
from pushlab.appserver.delivery.response import STOPPED
from pushlab.errors import LabStopped


class ClusterSenders:
    """Keep the sender of the last notify-all for the next one. ``make`` makes the sender by workers."""

    def __init__(self, make: Callable[[Processes | Cluster], ClusterSender]):
        self._make = make
        self._senders: dict[Processes | Cluster, ClusterSender] = {}
        self._closed = False

    async def sender(self, workers: Processes | Cluster) -> ClusterSender:
        """Return the sender by these workers. The others are ended, unless they have a notify-all.

        Use it at once, with no other ``await`` before: until it has a notify-all it is idle, and another
        call may end it. Raises LabStopped, and what ``make`` raises.
        """
        if workers not in self._senders:
            idle = [other for other, sender in self._senders.items() if not sender.busy]
            for sender in [self._senders.pop(other) for other in idle]:
                await sender.close()
        if self._closed:
            raise LabStopped(STOPPED)
        if workers not in self._senders:  # Another call may have made it meanwhile.
            self._senders[workers] = self._make(workers)
        return self._senders[workers]

    @property
    def worker_pids(self) -> list[int]:
        """The process numbers of the workers that were started here."""
        return [pid for sender in self._senders.values() for pid in sender.worker_pids]

    async def close(self) -> None:
        """End every notify-all that is under way, and the workers. No sender is given out any more."""
        self._closed = True
        while self._senders:
            await self._senders.popitem()[1].close()
