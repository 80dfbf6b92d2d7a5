"""The mailbox alone: its rules, with time as an argument, and a comparison with a model."""

import dataclasses

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from pushlab.errors import BadField, QueueFull, SubscriptionGone, UnknownPushResource
from pushlab.pushservice.mailbox import MAX_GONE, MAX_TTL, Change, Mailbox, Message, Subscription
from pushlab.pushservice.store import Store

from ..run.chance import examples

KEY = b"\x04" + bytes(64)


def do(mailbox: Mailbox, change: Change) -> Change:
    mailbox.apply(change)
    return change


def post(mailbox: Mailbox, id: str, *, token="t", ttl=60, topic=None, now=0.0, urgency="normal"):
    message, change = mailbox.post(
        mailbox.subscription(token), id=id, body=b"", ttl=ttl, urgency=urgency, topic=topic, now=now
    )
    mailbox.apply(change)
    return message


def ids(mailbox: Mailbox, now: float = 0.0, user_agent: str = "ua") -> list[str]:
    return [message.id for message in mailbox.waiting(user_agent, now)]


@pytest.fixture
def mailbox():
    mailbox = Mailbox(message_limit=3)
    mailbox.apply(mailbox.subscribe(Subscription("t", "ua", "channel", KEY, "Firefox")))
    return mailbox


def test_an_operation_moves_nothing(mailbox):
    _, change = mailbox.post(
        mailbox.subscription("t"), id="m", body=b"", ttl=9, urgency="low", topic=None, now=0
    )
    assert change and ids(mailbox) == []
    mailbox.apply(change)
    assert ids(mailbox) == ["m"]
    assert mailbox.acknowledge("ua", ["m"]).dropped and ids(mailbox) == ["m"]
    assert mailbox.unsubscribe("ua", "channel") and mailbox.subscription("t")


def test_messages_wait_in_order_until_acknowledged(mailbox):
    for id in "abc":
        post(mailbox, id)
    do(mailbox, mailbox.acknowledge("ua", ["b"]))
    assert ids(mailbox) == ["a", "c"]
    do(mailbox, mailbox.acknowledge("ua", ["c", "a", "a"]))
    assert ids(mailbox) == []


def test_only_the_user_agent_itself_acknowledges(mailbox):
    mailbox.apply(mailbox.subscribe(Subscription("t2", "other", "channel")))
    post(mailbox, "m")
    assert not mailbox.acknowledge("other", ["m"])
    assert not mailbox.acknowledge("nobody", ["m"])
    assert not mailbox.acknowledge("ua", ["never made"])
    assert mailbox.acknowledge("ua", ["m"])


def test_ttl_ends_at_its_second(mailbox):
    post(mailbox, "m", ttl=10, now=100)
    assert ids(mailbox, now=109.9) == ["m"] and mailbox.message("m", 109.9)
    assert ids(mailbox, now=110) == [] and mailbox.message("m", 110) is None
    assert not mailbox.expired(109.9)
    assert [message.id for message in mailbox.expired(110).dropped] == ["m"]
    assert mailbox.expired(110, "ua") and not mailbox.expired(110, "other")


def test_a_batch_that_expires_in_part(mailbox):
    post(mailbox, "short", ttl=1)
    post(mailbox, "long", ttl=100)
    do(mailbox, mailbox.expired(now=2, user_agent="ua"))
    assert ids(mailbox, now=2) == ["long"]


def test_ttl_0_is_now_or_never(mailbox):
    message, change = mailbox.post(
        mailbox.subscription("t"), id="m", body=b"", ttl=0, urgency="normal", topic=None, now=0
    )
    assert message.ttl == 0 and not change


def test_a_long_ttl_is_shortened(mailbox):
    assert post(mailbox, "m", ttl=2**31).ttl == MAX_TTL
    assert post(mailbox, "n", ttl=MAX_TTL).ttl == MAX_TTL


def test_a_topic_replaces_with_ttl_and_urgency(mailbox):
    post(mailbox, "old", topic="weather", ttl=1000, urgency="high")
    post(mailbox, "between")
    post(mailbox, "new", topic="weather", ttl=10, urgency="low")
    assert ids(mailbox) == ["between", "new"]
    message = mailbox.message("new", 0)
    assert (message.ttl, message.urgency) == (10, "low")
    assert ids(mailbox, now=11) == ["between"]


def test_a_topic_with_ttl_0_replaces_too_and_leaves_nothing(mailbox):
    post(mailbox, "old", topic="weather")
    post(mailbox, "new", topic="weather", ttl=0)
    assert ids(mailbox) == []


def test_a_topic_is_free_again_after_its_message_has_gone(mailbox):
    post(mailbox, "a", topic="weather")
    do(mailbox, mailbox.acknowledge("ua", ["a"]))
    post(mailbox, "b", topic="weather", ttl=1)
    do(mailbox, mailbox.expired(now=5))
    assert not [m for m in [post(mailbox, "c", topic="weather", now=5)] if m.id != "c"]
    assert ids(mailbox, now=5) == ["c"]


def test_topics_belong_to_one_subscription(mailbox):
    mailbox.apply(mailbox.subscribe(Subscription("t2", "ua", "second")))
    post(mailbox, "a", topic="weather")
    post(mailbox, "b", topic="weather", token="t2")
    post(mailbox, "c", topic="Weather")
    assert ids(mailbox) == ["a", "b", "c"]


def test_the_limit_counts_a_user_agent_and_not_a_subscription(mailbox):
    mailbox.apply(mailbox.subscribe(Subscription("t2", "ua", "second")))
    mailbox.apply(mailbox.subscribe(Subscription("t3", "other", "channel")))
    post(mailbox, "a"), post(mailbox, "b", topic="x"), post(mailbox, "c", token="t2")
    with pytest.raises(QueueFull, match="this user agent: 3"):
        post(mailbox, "d", token="t2")
    post(mailbox, "d", topic="x")  # replaces b
    post(mailbox, "e", token="t3")  # another user agent
    post(mailbox, "f", ttl=0)  # is not stored
    assert ids(mailbox) == ["a", "c", "d"]


def test_unsubscribing_drops_the_messages_of_that_subscription_alone(mailbox):
    mailbox.apply(mailbox.subscribe(Subscription("t2", "ua", "second")))
    post(mailbox, "a", topic="x"), post(mailbox, "b", token="t2")
    do(mailbox, mailbox.unsubscribe("ua", "channel"))
    assert ids(mailbox) == ["b"]
    with pytest.raises(SubscriptionGone):
        mailbox.subscription("t")
    with pytest.raises(SubscriptionGone):
        post(mailbox, "c")
    assert not mailbox.unsubscribe("ua", "channel")
    assert not mailbox.unsubscribe("nobody", "channel")


def test_an_endpoint_never_made_is_unknown(mailbox):
    with pytest.raises(UnknownPushResource):
        post(mailbox, "m", token="made up")


def test_a_channel_keeps_its_subscription(mailbox):
    assert not mailbox.subscribe(Subscription("t2", "ua", "channel", KEY))
    for key in (None, b"\x04" + bytes([1] * 64)):
        with pytest.raises(BadField):
            mailbox.subscribe(Subscription("t2", "ua", "channel", key))
    assert mailbox.channel("ua", "channel").token == "t"
    assert mailbox.channel("ua", "Channel") is None  # case matters


def test_a_user_agent_without_subscriptions_leaves_no_trace(mailbox):
    assert mailbox.knows("ua")
    post(mailbox, "m", topic="x")
    do(mailbox, mailbox.unsubscribe("ua", "channel"))
    assert not mailbox.knows("ua")
    kept = {name: value for name, value in vars(mailbox).items() if value and name != "message_limit"}
    assert kept == {"_gone": {"t": None}, "_last_number": 1}


def test_only_so_many_endpoints_are_remembered_as_given_up(mailbox):
    """Subscribing and unsubscribing in a loop used to leave a row each time, and no bound saw it."""
    for number in range(MAX_GONE + 2):
        do(mailbox, mailbox.subscribe(Subscription(f"t{number}", "another", "channel")))
        change = do(mailbox, mailbox.unsubscribe("another", "channel"))
        assert change.forgotten == (f"t{number - MAX_GONE}",) * (number >= MAX_GONE)
    assert len(mailbox._gone) == MAX_GONE
    for forgotten in ("t0", "t1"):
        with pytest.raises(UnknownPushResource):
            mailbox.subscription(forgotten)
    for remembered in ("t2", f"t{MAX_GONE + 1}"):
        with pytest.raises(SubscriptionGone):
            mailbox.subscription(remembered)
    assert mailbox.subscription("t").token == "t", "a subscription is never forgotten"
    assert not mailbox.forget()


def test_nothing_secret_in_a_repr(mailbox):
    message = post(mailbox, "secret-id", token="t")
    shown = repr(message) + repr(mailbox.subscription("t")) + repr(Change(stored=(message,)))
    assert "secret-id" not in shown and "'ua'" not in shown and "token" not in shown


def test_values_do_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Message(1, "m", "t", b"", 1, 0.0).ttl = 9


AGENTS, CHANNELS = ("a", "b"), ("1", "2")


class MailboxMachine(RuleBasedStateMachine):
    """Whatever the order of operations, the mailbox, a naive list and the database agree."""

    @initialize()
    def open(self):
        self.mailbox, self.store = Mailbox(message_limit=6), Store("sqlite://")
        self.now, self.made = 0.0, 0
        self.subscriptions: dict[tuple[str, str], str] = {}
        self.queue: list[Message] = []
        self.gone: set[str] = set()

    def teardown(self):
        self.store.close()

    def commit(self, change: Change) -> None:
        self.store.write(change)
        self.mailbox.apply(change)

    def new(self) -> str:
        self.made += 1
        return f"id{self.made}"

    def owner(self, token: str) -> str:
        return next(agent for (agent, _), known in self.subscriptions.items() if known == token)

    @rule(agent=st.sampled_from(AGENTS), channel=st.sampled_from(CHANNELS))
    def subscribe(self, agent, channel):
        made = Subscription(self.new(), agent, channel)
        self.commit(self.mailbox.subscribe(made))
        self.subscriptions.setdefault((agent, channel), made.token)

    @rule(agent=st.sampled_from(AGENTS), channel=st.sampled_from(CHANNELS))
    def unsubscribe(self, agent, channel):
        self.commit(self.mailbox.unsubscribe(agent, channel))
        if token := self.subscriptions.pop((agent, channel), None):
            self.gone.add(token)
            self.queue = [message for message in self.queue if message.token != token]

    @rule(
        agent=st.sampled_from(AGENTS),
        channel=st.sampled_from(CHANNELS),
        ttl=st.sampled_from([0, 1, 5, 2**31]),
        topic=st.sampled_from([None, None, "x", "y"]),
        body=st.binary(max_size=4),
    )
    def post(self, agent, channel, ttl, topic, body):
        if (agent, channel) not in self.subscriptions:
            return
        token = self.subscriptions[agent, channel]
        subscription = self.mailbox.subscription(token)
        kept = [m for m in self.queue if not topic or (m.token, m.topic) != (token, topic)]
        full = sum(self.owner(m.token) == agent for m in kept) >= 6
        wishes = {"ttl": ttl, "urgency": "normal", "topic": topic, "body": body}
        if full and ttl:
            with pytest.raises(QueueFull):
                self.mailbox.post(subscription, id=self.new(), now=self.now, **wishes)
            return
        message, change = self.mailbox.post(subscription, id=self.new(), now=self.now, **wishes)
        self.commit(change)
        self.queue = kept + ([message] if ttl else [])

    @rule(agent=st.sampled_from(AGENTS), data=st.data())
    def acknowledge(self, agent, data):
        known = [message.id for message in self.queue] + ["made up"]
        chosen = data.draw(st.lists(st.sampled_from(known), max_size=4))
        self.commit(self.mailbox.acknowledge(agent, chosen))
        self.queue = [m for m in self.queue if m.id not in chosen or self.owner(m.token) != agent]

    @rule(seconds=st.sampled_from([0.5, 1.0, 4.0]), sweep=st.booleans())
    def pass_time(self, seconds, sweep):
        self.now += seconds
        if sweep:
            self.commit(self.mailbox.expired(self.now))
            self.queue = [m for m in self.queue if self.now < m.expires_at]

    @invariant()
    def agree(self):
        restarted = Mailbox()
        restarted.apply(self.store.read())
        for mailbox in (self.mailbox, restarted):
            for agent in AGENTS:
                expected = [
                    m for m in self.queue
                    if self.owner(m.token) == agent and self.now < m.expires_at
                ]  # fmt: skip
                assert mailbox.waiting(agent, self.now) == expected
                assert mailbox.knows(agent) == any(a == agent for a, _ in self.subscriptions)
            assert mailbox.counts() == (len(self.subscriptions), len(self.queue))
            for token in self.gone:
                with pytest.raises(SubscriptionGone):
                    mailbox.subscription(token)


MailboxMachine.TestCase.settings = settings(max_examples=examples(60), stateful_step_count=30)
TestMailboxMachine = MailboxMachine.TestCase


def test_display_name_is_the_name_of_a_user_agent_with_a_subscription():
    mailbox = Mailbox()
    assert mailbox.display_name("agent") == ""
    mailbox.apply(mailbox.subscribe(Subscription("t", "agent", "channel", display_name="Chromium")))
    assert (mailbox.display_name("agent"), mailbox.display_name("other")) == ("Chromium", "")
    mailbox.apply(mailbox.unsubscribe("agent", "channel"))
    assert mailbox.display_name("agent") == ""
