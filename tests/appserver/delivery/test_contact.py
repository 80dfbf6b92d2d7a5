"""A warning before the first message to a real push service that could write to nobody."""

import asyncio

import pytest

from pushlab.appserver.broadcast.sender import BroadcastSender
from pushlab.appserver.delivery.egress import ConnectOverride
from pushlab.appserver.delivery.response import PushResponse
from pushlab.appserver.delivery.sender import Sender
from pushlab.appserver.keys import DEFAULT_SUBJECT, VapidKeys
from pushlab.appserver.store import SubscriptionStore
from pushlab.protocol.delivery import PushOptions

LAB = "http://127.0.0.1:8293"
REAL = "https://updates.push.services.mozilla.com"
AGAIN = "https://fcm.googleapis.com"


class Request:
    """What DeliveryLog reads of a request."""

    size = 0
    override: ConnectOverride | None = None

    def __init__(self, stored, options):
        self.stored, self.options = stored, options


class Client:
    """Accepts every message, and remembers what had been warned of before the first."""

    def __init__(self, caplog, override):
        self.caplog, self.override, self.before = caplog, override, []

    def agree(self, subscription): ...

    def prepare(self, stored, payload, options, log, agreed):
        request = Request(stored, options)
        request.override = self.override
        return request

    def send(self, request):
        self.before.append(len(self.caplog.messages))
        response = asyncio.get_running_loop().create_future()
        response.set_result(PushResponse(201))
        return response

    async def close(self): ...


@pytest.fixture
def sent(run, subscriber, caplog):
    """``sent(subject, origins, override=None, everybody=False)``: what each message was preceded by."""

    def sent(subject, origins, override=None, everybody=False):
        async def scenario():
            client = Client(caplog, override)
            store = SubscriptionStore("sqlite://", [LAB])
            sender = Sender(VapidKeys.generate(subject), store, client, lab_origins=[LAB])
            for number, origin in enumerate(origins):
                store.save(subscriber(f"{origin}/{number}").subscription, "k")
            if everybody:
                broadcast = BroadcastSender(sender)
                await broadcast.send_all(b"Hello", PushOptions())
                await broadcast.close()
            else:
                for stored in list(store.all()):
                    await sender.send(stored, b"Hello", PushOptions())
            await sender.close()
            store.close()
            return client.before

        return run(scenario())

    return sent


@pytest.mark.parametrize("everybody", [False, True])
def test_it_is_said_once_and_before_the_first_message_that_leaves_the_lab(sent, caplog, everybody):
    before = sent(DEFAULT_SUBJECT, [LAB, REAL, AGAIN, REAL], everybody=everybody)
    assert sorted(before) == [0, 1, 1, 1]
    [said] = caplog.messages
    assert DEFAULT_SUBJECT in said and "keys --subject mailto:YOU" in said
    assert "https://" in said and "/1" not in said, "an origin, and no endpoint"


def test_nothing_is_said_of_a_contact_of_one_s_own_or_within_the_lab(sent, caplog):
    sent("mailto:me@site.org", [REAL])
    sent(DEFAULT_SUBJECT, [LAB])
    override = ConnectOverride("fcm.googleapis.com", "/", 9, "", "127.0.0.1")
    sent(DEFAULT_SUBJECT, [AGAIN], override)
    assert not caplog.messages
