"""The mailbox compared with a model that is too simple to be wrong, after operations in any order.

The model is one list of all messages. After every step, exactly the messages of the model must
wait for each user agent: nothing expired, nothing of others, nothing twice, and all in order. Every
change is also written to a database, so that a restart may come at any moment.
"""

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from pushlab.errors import QueueFull, SubscriptionGone, UnknownPushResource
from pushlab.pushservice.mailbox import MAX_TTL, Change, Mailbox, Subscription
from pushlab.pushservice.store import Store

from ..run.chance import examples, is_long

LIMIT = 4
AGENTS = st.sampled_from(["Ada", "Grace"])
CHANNELS = st.sampled_from(["one", "two"])
TOPICS = st.sampled_from([None, "news"])
TTLS = st.sampled_from([0, 1, 5, 60, MAX_TTL, MAX_TTL + 100])


@dataclass
class Sent:
    """One message in the model: ``end`` is the first moment at which it must not be delivered."""

    id: str
    token: str
    agent: str
    topic: str | None
    end: float


class MailboxMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.store, self.mailbox = Store("sqlite://"), Mailbox(LIMIT)
        self.now, self.numbers = 1000.0, iter(range(10**6))
        self.tokens: dict[tuple[str, str], str] = {}  # agent, channel → token
        self.gone: list[str] = []
        self.sent: list[Sent] = []

    def teardown(self):
        self.store.close()

    def commit(self, change: Change) -> None:
        if change:
            self.store.write(change)
            self.mailbox.apply(change)

    def due(self, agent: str) -> list[str]:
        return [one.id for one in self.sent if one.agent == agent and self.now < one.end]

    # --- what happens -----------------------------------------------------------------------------

    @rule(agent=AGENTS, channel=CHANNELS)
    def subscribe(self, agent, channel):
        token = f"token {next(self.numbers)}"
        change = self.mailbox.subscribe(Subscription(token, agent, channel))
        assert bool(change) == ((agent, channel) not in self.tokens)
        self.commit(change)
        self.tokens.setdefault((agent, channel), token)

    @initialize()
    def begin(self):
        for agent in ("Ada", "Grace"):
            self.subscribe(agent, "one")

    @rule(agent=AGENTS, channel=CHANNELS)
    def unsubscribe(self, agent, channel):
        self.commit(self.mailbox.unsubscribe(agent, channel))
        if token := self.tokens.pop((agent, channel), None):
            self.gone.append(token)
            self.sent = [one for one in self.sent if one.token != token]

    @rule(prefix=st.sampled_from(["A", "Grace", "None"]))
    def unsubscribe_all(self, prefix):
        self.commit(self.mailbox.unsubscribe_all(prefix))
        for agent, channel in [key for key in self.tokens if key[0].startswith(prefix)]:
            token = self.tokens.pop((agent, channel))
            self.gone.append(token)
            self.sent = [one for one in self.sent if one.token != token]

    @precondition(lambda self: self.tokens)
    @rule(data=st.data(), ttl=TTLS, topic=TOPICS)
    def post(self, data, ttl, topic):
        (agent, _), token = data.draw(st.sampled_from(sorted(self.tokens.items())))
        id = f"message {next(self.numbers)}"
        # As the broker does: expired messages must not count towards the limit.
        self.expire(agent)
        same = (token, topic) if topic else None
        rest = [one for one in self.sent if (one.token, one.topic) != same]
        about = {"id": id, "body": b"", "ttl": ttl, "urgency": "normal", "topic": topic}
        try:
            subscription = self.mailbox.subscription(token)
            message, change = self.mailbox.post(subscription, now=self.now, **about)
        except QueueFull:
            assert ttl and sum(one.agent == agent for one in rest) >= LIMIT
            return
        self.commit(change)
        self.sent = rest
        if ttl:
            self.sent.append(Sent(id, token, agent, topic, self.now + min(ttl, MAX_TTL)))
        assert message.ttl == min(ttl, MAX_TTL) and bool(change.stored) == bool(ttl)

    @rule(agent=AGENTS, data=st.data())
    def acknowledge(self, agent, data):
        """Acknowledge anything: one's own messages, those of others, and what never was."""
        ids = [one.id for one in self.sent] + ["never was"]
        had = data.draw(st.lists(st.sampled_from(ids), max_size=4))
        self.commit(self.mailbox.acknowledge(agent, had))
        self.sent = [one for one in self.sent if not (one.agent == agent and one.id in had)]

    @rule(seconds=st.sampled_from([0.5, 4, 60]))
    def wait(self, seconds):
        self.now += seconds

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def wait_for_the_end(self, data):
        """Wait until the very moment at which a message expires."""
        self.now = max(self.now, data.draw(st.sampled_from(sorted(one.end for one in self.sent))))

    @rule(agent=st.one_of(st.none(), AGENTS))
    def expire(self, agent):
        change = self.mailbox.expired(self.now, agent)
        assert all(message.expires_at <= self.now for message in change.dropped)
        self.commit(change)
        self.sent = [one for one in self.sent if self.now < one.end or agent not in (None, one.agent)]

    @rule()
    def restart(self):
        self.mailbox = Mailbox(LIMIT)
        self.mailbox.apply(self.store.read())

    # --- what holds -------------------------------------------------------------------------------

    @invariant()
    def everybody_is_due_what_the_model_says(self):
        for agent in ("Ada", "Grace"):
            waiting = self.mailbox.waiting(agent, self.now)
            assert [message.id for message in waiting] == self.due(agent)
            assert all(self.now < message.expires_at for message in waiting)
            assert self.mailbox.knows(agent) == any(name == agent for name, _ in self.tokens)

    @invariant()
    def nothing_is_left_behind(self):
        assert self.mailbox.counts() == (len(self.tokens), len(self.sent))
        assert {m.id for m in self.store.read().stored} == {one.id for one in self.sent}
        for one in self.sent:
            found = self.mailbox.message(one.id, self.now)
            assert (found is not None) == (self.now < one.end)

    @invariant()
    def endpoints_answer_for_ever(self):
        for (agent, channel), token in self.tokens.items():
            known = self.mailbox.subscription(token)
            assert (known.user_agent, known.channel) == (agent, channel)
        for token in self.gone:
            try:
                self.mailbox.subscription(token)
            except SubscriptionGone:
                continue
            raise AssertionError("a subscription that has ended takes messages")
        try:
            self.mailbox.subscription("never made")
        except UnknownPushResource:
            return
        raise AssertionError("an endpoint that nobody made takes messages")


TestMailbox = MailboxMachine.TestCase
TestMailbox.settings = settings(
    max_examples=examples(40), stateful_step_count=40, derandomize=not is_long()
)
