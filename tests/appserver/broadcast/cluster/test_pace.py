"""All workers together keep to the pace of one process."""

import random
from functools import partial

import pytest

from pushlab.appserver.broadcast.cluster.granted_queue import Grant, GrantedQueue, Report, Seen
from pushlab.appserver.broadcast.cluster.pace import Pace
from pushlab.appserver.broadcast.congestion import INITIAL_WINDOW
from pushlab.appserver.broadcast.origin_queue import CLOSE_AFTER, FEW, MANY, PROBES_PER_SECOND

ONE, TWO = "https://one.example", "https://two.example"


class Worker:
    """A worker that always has messages, and whose requests are answered when the test says so."""

    def __init__(self, pace: Pace, name: str, origins=(ONE,), waits=1000):
        self.pace, self.name, self.asked = pace, name, 0
        self.queues = {origin: GrantedQueue(origin, self.urgent) for origin in origins}
        self.wait(waits)

    def wait(self, count: int) -> None:
        """Let so many more messages wait, at each push service."""
        for queue in self.queues.values():
            queue.waiting.extend(range(count))
            queue.held += count

    def urgent(self):
        self.asked += 1

    @property
    def queue(self) -> GrantedQueue:
        return self.queues[ONE]

    def pulse(self, now: float, work=lambda: None):
        """Take grants, work, and tell: over the wire, where each tuple has lost its names."""
        for grant in self.pace.grants(self.name, now):
            self.queues[grant.origin].allow(Grant(*tuple(grant)))
        work()
        self.tell(now)

    def tell(self, now: float):
        """Report, and do without the queues that are empty, as a worker does."""
        rows = [queue.report().row for queue in self.queues.values()]
        for origin, queue in list(self.queues.items()):
            if not queue.held:
                self.queues[origin] = GrantedQueue(origin, self.urgent)
        self.pace.learn(self.name, map(Report.read, rows), now)

    def begin(self, now: float = 0.0, most: int = 10_000) -> int:
        """Begin whatever may begin, and return how many that were."""
        begun = 0
        for queue in self.queues.values():
            while begun < most and queue.ready and queue.begin(now):
                queue.waiting.popleft()
                begun += 1
        return begun

    def end(self, kind=None, asked=0.0, count=None, now=0.0):
        """Let requests end: all that are under way, or ``count`` of them."""
        for _ in range(self.queue.under_way if count is None else count):
            if kind:
                self.queue.refused(now, kind, asked)
            else:
                self.queue.answered(now)
            self.queue.under_way -= 1
            self.queue.held -= 1


def paced(most=800):
    calls: list[tuple[float, object]] = []
    return Pace(lambda seconds, call: calls.append((seconds, call)), most), calls


@pytest.mark.parametrize("seed", range(5))
def test_the_sum_under_way_is_never_more_than_one_process_would_have(seed):
    """Whatever happens while a grant, or a report, is on its way."""
    chance = random.Random(seed)
    pace, _ = paced(most=50)
    workers = [Worker(pace, str(number), waits=0) for number in range(4)]
    on_the_way: dict[Worker, list | None] = {}
    most = 0
    for step in range(4000):
        one, now = chance.choice(workers), step * 0.01
        match chance.choice(["grant", "arrive", "report", "end", "read"]):
            case "grant" if one not in on_the_way:
                on_the_way[one] = pace.grants(one.name, now)
            case "arrive" if on_the_way.get(one) is not None:
                for grant in on_the_way[one] or ():
                    one.queue.allow(grant)
                on_the_way[one] = None
            case "report" if one in on_the_way and on_the_way[one] is None:
                del on_the_way[one]
                one.tell(now)
            case "end":
                one.end(count=chance.randint(0, one.queue.under_way), now=now)
            case "read" if not one.queue.waiting:
                one.wait(chance.choice([1, 40, 500]))
        one.begin(now, chance.choice([0, 3, 1000]))
        under_way = sum(worker.queue.under_way for worker in workers)
        assert under_way <= 50
        most = max(most, under_way)
    assert most == 50, "all of it is used"


def test_what_one_does_not_need_another_has():
    pace, _ = paced()
    busy, idle = Worker(pace, "busy"), Worker(pace, "idle", waits=1)
    busy.pulse(0.0, busy.begin)  # It is alone, and has all of the window.
    idle.pulse(0.0, idle.begin)
    busy.pulse(0.1, lambda: busy.end(count=1))
    for one in (busy, idle):
        one.pulse(0.2, one.begin)
    assert (busy.queue.under_way, idle.queue.under_way) == (INITIAL_WINDOW - 1, 1)


def test_a_worker_that_is_new_asks_at_once():
    pace, _ = paced()
    assert Worker(pace, "one", origins=(ONE, TWO)).asked == 2


def test_a_worker_that_has_begun_finds_its_part_when_it_first_reports():
    pace, _ = paced()
    for name in ("one", "two", "without"):
        pace.expect(name)
    one, two = Worker(pace, "one"), Worker(pace, "two")
    without = Worker(pace, "without", origins=())
    for worker in (one, two):
        worker.pulse(0.0)  # The queue is new, and is told of.
    for worker in (one, two):
        worker.pulse(0.0, worker.begin)
    assert one.queue.under_way == INITIAL_WINDOW // 3
    assert two.queue.under_way >= INITIAL_WINDOW // 3
    without.pulse(0.1)  # It has nothing to send there, so the others have its part.
    for worker in (one, two) * 2:
        worker.pulse(0.2, worker.begin)
    assert one.queue.under_way + two.queue.under_way == INITIAL_WINDOW


def test_a_refusal_seen_by_one_slows_all():
    pace, _ = paced()
    one, two = Worker(pace, "one"), Worker(pace, "two")
    for _ in range(3):
        for worker in (one, two):
            worker.pulse(0.0, worker.begin)
    assert one.queue.under_way + two.queue.under_way == INITIAL_WINDOW
    before = one.asked
    one.pulse(0.1, lambda: one.end("push service"))
    assert one.asked > before, "it tells soon"
    for worker in (two, one, two, one):
        worker.pulse(0.2)
    assert one.queue.grant.limit + two.queue.grant.limit <= INITIAL_WINDOW // 2
    assert two.queue.grant.limit < INITIAL_WINDOW // 2, "though it has seen no refusal itself"


def test_a_pause_that_one_is_asked_for_stops_all_and_probes_end_it():
    pace, calls = paced()
    one, two = Worker(pace, "one"), Worker(pace, "two")
    for worker in (one, two, one, two):
        worker.pulse(0.0, worker.begin)
    one.pulse(0.1, lambda: one.end("push service", asked=3.0, count=FEW))
    assert [seconds for seconds, _ in calls] == [3.0]
    for worker in (one, two):
        worker.pulse(0.2)
        assert worker.queue.state == "paused" and worker.begin() == 0
        worker.end("push service", asked=3.0)
    calls.pop()[1]()  # The three seconds are over.
    begun = []
    for worker in (one, two) * 3:
        worker.pulse(3.3, lambda worker=worker: begun.append(worker.begin(3.3)))
        assert worker.queue.state == "probing"
    assert 1 <= sum(begun) <= 3 * PROBES_PER_SECOND
    one.pulse(3.4, lambda: one.end(count=1))
    for worker in (one, two):
        worker.pulse(3.5)
        assert worker.queue.state == "open", "one that is served opens it for all"


def begin_and_end(worker: Worker, now: float) -> None:
    worker.begin(now)
    worker.end("push service", now=now)


def test_a_dead_push_service_is_given_up_by_all_after_as_many_requests_as_from_one_process():
    pace, calls = paced()
    workers = [Worker(pace, str(number), waits=2000) for number in range(3)]
    now, requests = 0.0, 0
    while any(worker.queue.state != "closed" for worker in workers):
        now += 0.1
        assert now < 3 * CLOSE_AFTER
        due, calls[:] = [c for c in calls if c[0] <= 0], [(s - 0.1, c) for s, c in calls if s > 0]
        for _, call in due:
            call()
        for worker in workers:
            held = worker.queue.held
            worker.pulse(now, partial(begin_and_end, worker, now))
            requests += held - worker.queue.held
    assert requests <= 2 * MANY + CLOSE_AFTER * PROBES_PER_SECOND * 2
    given_up = workers[0].queue
    given_up._probes = 0
    assert given_up.ready and not given_up.begin(now), "whoever waits there is given up"


def test_a_worker_that_has_gone_leaves_its_part_to_the_others():
    pace, _ = paced()
    one, two = Worker(pace, "one"), Worker(pace, "two")
    for worker in (one, two, one, two):
        worker.pulse(0.0, worker.begin)
    held = two.queue.under_way
    assert held < INITIAL_WINDOW
    pace.forget("one", 1.0)
    two.pulse(1.0, two.begin)
    assert two.queue.under_way == INITIAL_WINDOW


def test_seen_is_kept_in_its_order_and_short():
    queue = GrantedQueue(ONE, lambda: None)
    for _ in range(57):
        queue.answered(0.0)
    queue.refused(0.0, "sender", 3.0)
    queue.refused(0.0, "sender", 3.0)
    queue.answered(0.0)
    report = queue.report()
    assert report.seen == (Seen(None, 0.0, 57), Seen("sender", 3.0, 2), Seen(None, 0.0, 1))
    assert queue.report().seen == ()
    assert Report.read(report.row) == report
