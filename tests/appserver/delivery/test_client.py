"""One message made ready: what is sent can be read by its subscriber, and by nobody else."""

import json

import pytest

from pushlab.appserver.delivery.client import (
    MAX_TOKENS,
    RENEW_BEFORE,
    TOKEN_LIFETIME,
    LibcurlPushClient,
    Signer,
    ephemeral,
)
from pushlab.appserver.delivery.egress import EgressPolicy
from pushlab.appserver.delivery.log import DeliveryLog
from pushlab.appserver.delivery.transport import CurlTransport
from pushlab.appserver.store import StoredSubscription
from pushlab.errors import PlaintextTooLong
from pushlab.journal import Journal
from pushlab.protocol import base64url, p256, vapid
from pushlab.protocol.delivery import PushOptions, Urgency

NOW = 1_700_000_000.0
DEFAULT = PushOptions()
ORIGIN = "https://push.example.net"


class Clock:
    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


def stored(subscriber, keys) -> StoredSubscription:
    return StoredSubscription(subscriber.subscription, keys.application_server_key, "Firefox", NOW)


def send(run, keys, push_service, subscriber, payload, options=DEFAULT, journal=None, lab=False):
    """Send one message for real; return the subscriber, the push service and its answer."""

    async def scenario():
        async with push_service() as service:
            someone = subscriber(service.endpoint())
            transport = CurlTransport(egress=EgressPolicy([service.origin]))
            client = LibcurlPushClient(keys, transport, clock=Clock())
            log = DeliveryLog(journal, [service.origin] if lab else [])
            request = client.prepare(stored(someone, keys), payload, options, log)
            log.request(request)
            answer = await client.send(request)
            log.response(request, answer)
            await client.close()
            return someone, service, answer

    return run(scenario())


def test_what_is_sent_can_be_read_and_its_token_holds(run, keys, push_service, subscriber):
    options = PushOptions(ttl=60, urgency=Urgency.HIGH, topic="upd")
    someone, service, answer = send(run, keys, push_service, subscriber, b"Hello \xff", options)
    [received] = service.received
    assert answer.status == 201
    assert someone.read(received.body) == b"Hello \xff"
    headers = received.headers
    assert (headers["TTL"], headers["Urgency"], headers["Topic"]) == ("60", "high", "upd")
    assert headers["Content-Encoding"] == "aes128gcm"
    claims = vapid.verify(
        headers["Authorization"], origin=service.origin, now=NOW, subscribed_key=keys.public
    )
    assert (claims.exp, claims.sub) == (NOW + TOKEN_LIFETIME, "mailto:test@example.com")


@pytest.mark.parametrize("payload", [None, b""])
def test_a_message_without_payload(run, keys, push_service, subscriber, payload):
    _, service, answer = send(run, keys, push_service, subscriber, payload)
    [received] = service.received
    assert answer.status == 201 and received.body == b""
    assert "Content-Encoding" not in received.headers


def test_the_same_randomness_gives_the_same_bytes_and_the_default_never_does(
    run, keys, push_service, subscriber
):
    async def scenario(**options):
        async with push_service() as service:
            someone = stored(
                subscriber(service.endpoint(), p256.load_private(bytes(31) + b"\3"), bytes(16)),
                keys,
            )
            transport = CurlTransport(egress=EgressPolicy([service.origin]))
            client = LibcurlPushClient(keys, transport, clock=Clock(), **options)
            for _ in range(2):
                await client.send(client.prepare(someone, b"Hello", PushOptions(), DeliveryLog()))
            await client.close()
            return [received.body for received in service.received]

    first, second = run(scenario())
    assert first[:16] != second[:16] and first[21:86] != second[21:86], "salt and key pair are new"
    first, second = run(scenario(ephemeral=lambda: (p256.load_private(bytes(31) + b"\2"), bytes(16))))
    assert first == second and first[:16] == bytes(16)


def test_a_secret_that_was_agreed_on_before_gives_the_same_bytes_and_no_second_pair(keys, subscriber):
    pairs = iter([(p256.load_private(bytes(31) + b"\2"), bytes(16))] * 2)
    client = LibcurlPushClient(keys, CurlTransport(), ephemeral=lambda: next(pairs))
    someone = stored(subscriber(f"{ORIGIN}/p"), keys)
    agreed = client.agree(someone.subscription)
    later = client.prepare(someone, b"Hello", PushOptions(), DeliveryLog(), agreed)
    at_once = client.prepare(someone, b"Hello", PushOptions(), DeliveryLog())
    assert later.http.body == at_once.http.body
    assert next(pairs, None) is None, "each message has taken one pair"


def test_a_plaintext_that_is_too_long_is_not_sent(keys, subscriber):
    client = LibcurlPushClient(keys, CurlTransport())
    someone = stored(subscriber(f"{ORIGIN}/p"), keys)
    client.prepare(someone, bytes(3993), PushOptions(), DeliveryLog())
    with pytest.raises(PlaintextTooLong):
        client.prepare(someone, bytes(3994), PushOptions(), DeliveryLog())


def test_ephemeral_pairs_differ():
    (one, salt), (two, other) = ephemeral(), ephemeral()
    assert len(salt) == 16 and salt != other
    assert p256.raw_private(one) != p256.raw_private(two)


# --- tokens ------------------------------------------------------------------------------------


def exp_of(header: str) -> int:
    return json.loads(base64url.decode(vapid.parse(header).t.split(".")[1]))["exp"]


def test_a_token_is_used_again_until_it_nears_its_end(keys):
    clock = Clock()
    signer = Signer(keys, clock)
    first = signer.authorization(ORIGIN)
    assert exp_of(first) == NOW + 12 * 3600
    clock.now = NOW + TOKEN_LIFETIME - RENEW_BEFORE
    assert signer.authorization(ORIGIN) is first, "an hour is left"
    clock.now += 1
    second = signer.authorization(ORIGIN)
    assert exp_of(second) == clock.now + TOKEN_LIFETIME


def test_a_clock_that_is_set_back_never_makes_a_token_last_too_long(keys):
    clock = Clock()
    signer = Signer(keys, clock)
    signer.authorization(ORIGIN)
    clock.now = NOW - 13 * 3600
    header = signer.authorization(ORIGIN)
    assert vapid.verify(header, origin=ORIGIN, now=clock.now)


def test_each_origin_has_a_token_of_its_own_and_old_ones_make_room(keys):
    clock = Clock()
    signer = Signer(keys, clock)
    headers = {origin: signer.authorization(origin) for origin in (ORIGIN, "http://127.0.0.1:8030")}
    for origin, header in headers.items():
        assert vapid.verify(header, origin=origin, now=NOW).aud == origin
    clock.now = NOW + 86400
    signer.authorization("https://other.example.net")
    assert list(signer._headers) == ["https://other.example.net"]


def test_only_so_many_tokens_are_kept_and_the_one_in_use_is_among_them(keys):
    """Whoever subscribes chooses the origin: a token of each must not cost memory, nor time."""
    clock = Clock()
    signer = Signer(keys, clock)
    first = signer.authorization(ORIGIN)
    for number in range(MAX_TOKENS + 50):
        signer.authorization(f"https://{number}.example.net")
        assert signer.authorization(ORIGIN) is first
    assert len(signer._headers) == MAX_TOKENS
    assert next(iter(signer._headers)) == f"https://{51}.example.net", "the others were used later"


# --- the journal -------------------------------------------------------------------------------


def recorded(journal) -> list[tuple]:
    return [(event.source, event.target, event.what, event.who) for event in journal.events()]


def test_the_journal_of_a_send_to_the_labs_push_service(run, keys, push_service, subscriber):
    journal = Journal()
    _, service, _ = send(run, keys, push_service, subscriber, b"Hello", journal=journal, lab=True)
    server = "application server"
    assert recorded(journal) == [(server, server, "encrypt", "Firefox"), (server, server, "sign", "")]
    encrypt, sign = journal.events()
    assert encrypt.detail == {"plaintext": 5, "body": 108}
    assert sign.detail == {"aud": service.origin}


def test_the_journal_of_a_send_to_another_push_service(run, keys, push_service, subscriber):
    journal = Journal()
    send(run, keys, push_service, subscriber, b"Hello", PushOptions(topic="t"), journal=journal)
    assert recorded(journal)[2:] == [
        ("application server", "push service", "POST message", "Firefox"),
        ("push service", "application server", "201 Created", "Firefox"),
    ]
    assert journal.events()[2].detail == {
        "bytes": 108,
        "ttl": 10000,
        "urgency": "normal",
        "topic": "t",
    }


def test_the_journal_holds_no_secret(run, keys, push_service, subscriber):
    journal = Journal()
    someone, _, _ = send(run, keys, push_service, subscriber, b"Hello, secret", journal=journal)
    text = repr(journal.events())
    for secret in (someone.endpoint, "/push/", "Hello", keys.application_server_key, "vapid t="):
        assert secret not in text
