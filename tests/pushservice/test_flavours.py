"""One fault, five responses: status, headers and body, complete, and how a sender explains each."""

import base64
import json
import os
import re

import http_ece
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from pushlab.appserver.delivery.response import PushResponse
from pushlab.appserver.explain.outcome import explain
from pushlab.appserver.explain.statuses import STATUS
from pushlab.appserver.explain.vendors import known_answer
from pushlab.errors import BadAuthorization, DeliveryError, UnknownFlavour, VapidError
from pushlab.protocol import base64url, encryption, jws, p256, vapid
from pushlab.protocol.sources import Source
from pushlab.pushservice.app import PushService
from pushlab.pushservice.flavours import BY_RFC, MOZILLA_REASONS, OVERLOOKED, TABLE, Flavour
from pushlab.pushservice.mozilla import Sentence

FLAVOURS = ("strict", "mozilla", "fcm", "apple", "wns")
SUB = "mailto:clinic@example.com"
LEAVES = [*VapidError.__subclasses__(), *DeliveryError.__subclasses__()]


# --- the faults: each changes a good request, or makes it bad by what happened before ------------


class Case:
    """A request to one push service, and those who take part in it."""

    def __init__(self, bench, agent, sender, subscription):
        self.bench, self.agent, self.sender, self.subscription = bench, agent, sender, subscription
        self.request = sender.request(subscription, b"hello", topic="news")
        self.sign()

    def sign(self, by=None, **claims) -> None:
        """Sign again; None leaves a claim out. No check of ours prevents that a bad claim is signed."""
        told = {"aud": self.subscription.origin, "exp": int(self.bench.clock()) + 3600, "sub": SUB}
        payload = {name: value for name, value in (told | claims).items() if value is not None}
        by = by or self.sender
        token = jws.sign(vapid.HEADER, json.dumps(payload).encode(), by.private_key)
        self.headers(Authorization=vapid.authorization(token, by.key))

    def headers(self, **changed: str | None) -> None:
        for name, value in changed.items():
            name = name.replace("_", "-")
            self.request.headers.pop(name, None)
            if value is not None:
                self.request.headers[name] = value


def in_headers(**changed):
    async def provoke(case, http):
        case.headers(**changed)

    return provoke


def in_claims(**claims):
    async def provoke(case, http):
        now = int(case.bench.clock())
        exp = claims.get("exp")
        case.sign(**claims | ({"exp": now + exp} if isinstance(exp, int) else {}))

    return provoke


async def another_key(case, http):
    case.sign(by=case.bench.sender())


async def bad_signature(case, http):
    header = case.request.headers["Authorization"]
    token, rest = header.split(",", 1)
    other = "A" if token[-20] != "A" else "B"
    case.headers(Authorization=f"{token[:-20]}{other}{token[-19:]},{rest}")


async def key_reused(case, http):
    case.request.body = encryption.encrypt(
        b"hello", case.subscription, as_private=case.sender.private_key, salt=os.urandom(16)
    )


async def too_large(case, http):
    case.request.body = b"x" * 4097


async def never_made(case, http):
    case.request.url += "x"


async def unsubscribed(case, http):
    await case.agent.say({"messageType": "unregister", "channelID": "channel-1", "code": 200})
    assert (await case.agent.hear())["status"] == 200


async def too_many(case, http):
    case.bench.service.broker.mailbox.message_limit = 1
    assert (await http(case.request)).code == 201  # nobody acknowledges it
    await case.agent.notification()
    case.headers(Topic=None)


FAULTS = {
    "unsigned": in_headers(Authorization=None),
    "no k": in_headers(Authorization="vapid t=a.b.c"),
    "bad signature": bad_signature,
    "another key": another_key,
    "aud": in_claims(aud="https://example.com"),
    "exp is text": in_claims(exp="1469618703"),
    "exp is past": in_claims(exp=-10),
    "exp over 24 hours": in_claims(exp=24 * 3600 + 1),
    "sub is not text": in_claims(sub=7),
    "no sub": in_claims(sub=None),
    "sub is an address": in_claims(sub="clinic@example.com"),
    "sub at localhost": in_claims(sub="mailto:clinic@localhost"),
    "sub in this network": in_claims(sub="mailto:clinic@raspberrypi.local"),
    "sub at an address": in_claims(sub="https://192.168.1.2/"),
    "sub in brackets": in_claims(sub="mailto:<clinic@example.com>"),
    "sub twice mailto": in_claims(sub="mailto:mailto:clinic@example.com"),
    "sub with a space": in_claims(sub="mailto: clinic@example.com"),
    "one key for two": key_reused,
    "no TTL": in_headers(TTL=None),
    "TTL in words": in_headers(TTL="ten"),
    "TTL 0": in_headers(TTL="0"),
    "Urgency": in_headers(Urgency="urgent"),
    "Topic too long": in_headers(Topic="the weather of today and tomorrow"),
    "Topic of 5": in_headers(Topic="break"),
    "no coding": in_headers(Content_Encoding=None),
    "old headers": in_headers(Encryption="salt=AAAA", Crypto_Key="dh=BBBB"),
    "4097 bytes": too_large,
    "never made": never_made,
    "unsubscribed": unsubscribed,
    "too many": too_many,
    "nothing": in_headers(),
}

# --- the answers ---------------------------------------------------------------------------------

TAKEN = "taken"
JSON = {"Content-Type": "application/json"}
TEXT = {"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff"}
MORE = '"more_info":"http://autopush.readthedocs.io/en/latest/http.html#error-codes"}'
WORDS = {
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    410: "Gone",
    413: "Payload Too Large",
}


def mozilla(status, errno, message="", **headers):
    body = f'{{"code":{status},"errno":{errno},"error":"{WORDS[status]}",'
    body += f'"message":{json.dumps(message)},' if message else ""
    return status, JSON | {k.replace("_", "-"): v for k, v in headers.items()}, body + MORE


def fcm(status, sentence):
    return status, TEXT, f"{sentence}\n"


def apple(status, reason):
    return status, JSON, f'{{"reason":"{reason}"}}'


def silent(status):
    return status, {}, ""


JWT, APPLE = fcm(403, "invalid JWT provided"), apple(403, "BadJwtToken")
CLAIM = mozilla(401, 109, "Invalid VAPID token: A value in the vapid claims is either missing or "
                'incorrectly specified (e.g. "exp":"12345" or "sub":null). Please '
                'correct and retry.')  # fmt: skip
LONG_TOPIC = "Topic must be no greater than 32 characters"
FOREIGN_TOPIC = "Topic must be URL and Filename safe Base64 alphabet"
DROPPED = {"X-WNS-NotificationStatus": "dropped"}
WNS_TTL = (400, DROPPED | {"X-WNS-Error-Description": "Ttl value conflicts with X-WNS-Cache-Policy.",
                           "X-WNS-Status": "dropped"}, "")  # fmt: skip

# fault: strict (status and id), mozilla, fcm, apple, wns
# fmt: off
ANSWERS = {
    "unsigned": ((401, "missing-authorization"), mozilla(401, 109, "Missing VAPID public key"),
        fcm(401, "authorization header must be specified"), APPLE, silent(401)),
    "no k": ((403, "bad-authorization"), mozilla(401, 109, "Missing VAPID public key"),
        silent(403), APPLE, silent(403)),
    "bad signature": ((403, "bad-signature"), mozilla(401, 109, "InvalidSignature"),
        JWT, APPLE, silent(403)),
    "another key": ((403, "wrong-key"), mozilla(401, 109, "VAPID public key mismatch"),
        fcm(403, "the VAPID credentials in the authorization header do not correspond to the "
            "credentials used to create the subscriptions."),
        apple(400, "VapidPkHashMismatch"), silent(403)),
    "aud": ((403, "bad-audience"), mozilla(401, 109, "InvalidAudience"),
        fcm(403, "aud claim in the token MUST include the origin of the push resource URL"),
        APPLE, silent(403)),
    "exp is text": ((403, "bad-expiry"), CLAIM, JWT, APPLE, silent(403)),
    "exp is past": ((403, "token-expired"), mozilla(401, 109, "ExpiredSignature"),
        JWT, APPLE, silent(403)),
    "exp over 24 hours": ((403, "expiry-too-far"),
        mozilla(401, 109, "The VAPID token expiration is too long"), JWT, APPLE, silent(403)),
    "sub is not text": ((400, "bad-subject"), CLAIM, silent(400), APPLE, silent(400)),
    "no sub":            (TAKEN, TAKEN, TAKEN, APPLE, TAKEN),
    "sub is an address": (TAKEN, TAKEN, TAKEN, APPLE, TAKEN),
    "sub at localhost":  (TAKEN, TAKEN, TAKEN, APPLE, TAKEN),
    "sub in this network": (TAKEN, TAKEN, TAKEN, APPLE, TAKEN),
    "sub at an address": (TAKEN, TAKEN, TAKEN, APPLE, TAKEN),
    "sub in brackets":   (TAKEN, TAKEN, TAKEN, APPLE, TAKEN),
    "sub twice mailto":  (TAKEN, TAKEN, TAKEN, APPLE, TAKEN),
    "sub with a space":  (TAKEN, TAKEN, TAKEN, APPLE, TAKEN),
    "one key for two": ((400, "key-reused"), TAKEN, silent(400), silent(400), silent(400)),
    "no TTL": ((400, "missing-ttl"), mozilla(400, 111, "Missing TTL value"), silent(400), silent(400),
        WNS_TTL),
    "TTL in words": ((400, "bad-ttl"), mozilla(400, 111, "Missing TTL value"), silent(400), silent(400),
        WNS_TTL),
    "TTL 0": (TAKEN, TAKEN, TAKEN, TAKEN, WNS_TTL),
    "Urgency": ((400, "bad-urgency"), TAKEN, silent(400), apple(400, "BadUrgency"), silent(400)),
    "Topic too long": ((400, "bad-topic"),
        mozilla(400, 113, f"topic: {LONG_TOPIC}, {FOREIGN_TOPIC}"), silent(400),
        apple(400, "BadWebPushTopic"), silent(400)),
    "Topic of 5": (TAKEN, TAKEN, TAKEN, apple(400, "BadWebPushTopic"), TAKEN),
    "no coding": ((400, "bad-content-encoding"),
        mozilla(400, 110, "Missing Content-Encoding header"), *3 * [silent(400)]),
    "old headers": ((400, "bad-content-encoding"),
        mozilla(400, 110, "Do not include 'salt' header in aes128gcm Encryption header"),
        *3 * [silent(400)]),
    "4097 bytes": ((413, "body-too-large"), mozilla(413, 104), *3 * [silent(413)]),
    "never made": ((404, "unknown-push-resource"), mozilla(404, 102, "Invalid token"),
        fcm(404, "A valid push subscription endpoint should be specified in the URL as such: "
            "https://fcm.googleapis.com/wp/dHIoDxE7Hdg:APA91bH1Zj0kNa..."),
        silent(400), silent(404)),
    "unsubscribed": ((410, "subscription-gone"),
        mozilla(410, 106, "No such subscription", Cache_Control="max-age=86400"),
        fcm(410, "push subscription has unsubscribed or expired."), silent(410), silent(410)),
    "too many": ((429, "queue-full"), (503, {"Retry-After": "120"}, ""), silent(429), silent(429),
        (406, DROPPED, "")),
    "nothing": 5 * (TAKEN,),
}

# What explain() returns where the response gives a reason: for one vendor, or for all.
SAID = {
    "unsigned": "does not say who sends it", "no k": {"mozilla": "does not say who sends it"},
    "bad signature": {"mozilla": "signature of the token is wrong", "fcm": "cannot verify the token"},
    "another key": "not the key that the subscription was made for",
    "aud": {"mozilla": "The aud of the token is not", "fcm": "The aud of the token is not"},
    "exp is text": {"mozilla": "of the wrong type", "fcm": "cannot verify the token"},
    "exp is past": {"mozilla": "The token has expired", "fcm": "its exp is in the past"},
    "exp over 24 hours": {
        "mozilla": "exp of the token is more than 24 hours", "fcm": "more than 24 hours ahead"},
    "sub is not text": {"mozilla": "of the wrong type"},
    "no TTL": {"mozilla": "TTL is missing", "wns": "TTL is 0 or missing"},
    "TTL in words": {"mozilla": "is not a whole number", "wns": "TTL is 0 or missing"},
    "TTL 0": {"wns": "TTL is 0 or missing"}, "Urgency": "Urgency is not one of the four",
    "Topic too long": "This vendor does not accept the Topic",
    "Topic of 5": "This vendor does not accept the Topic",
    "no coding": "content coding is missing", "old headers": "a header has a salt or a key",
    "4097 bytes": "too large for the push service",
    "never made": {
        "mozilla": "is not an endpoint of this vendor", "fcm": "does not know this subscription"},
    "unsubscribed": "The subscription has ended",
    "too many": {"mozilla": "is overloaded", "wns": "has got too many messages"},
}
# fmt: on


def answered(response) -> tuple[dict, str]:
    """Return headers and body, without the headers that every HTTP response has."""
    headers = {name.lower(): value for name, value in response.headers.get_all()}
    headers.pop("connection")  # closed, as the client asked
    assert headers.pop("date") and int(headers.pop("content-length")) == len(response.body)
    return headers, response.body.decode()


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("fault", FAULTS)
def test_what_each_vendor_answers_and_what_is_made_of_it(shared_bench, http, fault, flavour):
    expected = ANSWERS[fault][FLAVOURS.index(flavour)]

    async def scenario(bench):
        case = Case(bench, *await bench.subscribed())
        await FAULTS[fault](case, http)
        before = bench.last
        response = await http(case.request)
        if expected is TAKEN:
            assert response.code == 201 and response.body == b""
            assert set(answered(response)[0]) >= {"location", "ttl"}
            await case.agent.notification()
            return
        check_answer(response, expected)
        check_explanation(response, fault, flavour)
        posted, told = bench.journal.events(before)
        assert posted.what == "POST message"
        assert told.what == f"{response.code} {response.reason}" and set(told.detail) == {"error"}
        if fault != "unsubscribed":
            await case.agent.hears_nothing()
            # The control: the same subscription takes a good message from the same sender.
            bench.service.broker.mailbox.message_limit = 1000
            good = Case(bench, case.agent, case.sender, case.subscription)
            assert (await http(good.request)).code == 201
            await case.agent.notification()

    shared_bench(scenario, flavour=flavour)


def lowered(headers: dict) -> dict:
    return {name.lower(): value for name, value in headers.items()}


def check_answer(response, expected) -> None:
    headers, body = answered(response)
    if len(expected) == 3:
        assert (response.code, headers, body) == (expected[0], lowered(expected[1]), expected[2])
        return
    status, code = expected
    error = json.loads(body)["error"]
    assert (response.code, error["id"]) == (status, code)
    assert json.loads(body) == {"error": {"id": code, "message": error["message"]}}
    leaf = next(leaf for leaf in LEAVES if leaf.code == code)
    assert error["message"].endswith(str(leaf("x"))[1:])  # and before that, what was seen
    ours = {"Content-Type": "application/json; charset=UTF-8", "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff"}  # fmt: skip
    assert headers == lowered(
        ours | {429: {"Retry-After": "60"}, 401: {"WWW-Authenticate": "vapid"}}.get(status, {})
    )


def check_explanation(response, fault: str, flavour: str) -> None:
    headers = tuple(response.headers.get_all())
    outcome = explain(PushResponse(response.code, headers, response.body, response.reason))
    gone, retry = response.code in (404, 410), response.code in (429, 503)
    assert outcome.kind == ("gone" if gone else "retry" if retry else "refused")
    named = {name for name in ("Retry-After", *DROPPED) if name in response.headers}
    silence = not response.body and not named
    if flavour == "strict":
        assert json.loads(response.body)["error"]["message"] in outcome.text
    elif silence:  # Then only the status gives a hint.
        assert STATUS[response.code].what in outcome.text and "It says" not in outcome.text
    else:
        words = SAID.get(fault, "Apple does not accept the token")
        if isinstance(words, dict):
            words = words.get(flavour, "Apple does not accept the token")
        if flavour == "apple" and b"BadJwtToken" in response.body:
            words = "Apple does not accept the token"
        assert words in outcome.text and "It says: " in outcome.text


def test_every_row_of_the_code_is_provoked_here():
    """Every vendor's response in the table is tested."""
    theirs = {answer[0] for answer in ANSWERS.values() if answer[0] is not TAKEN}
    # BadTopic and BadTtl are raised in two ways; bad-token has the answers of bad-signature,
    # but for Mozilla's, which has many sentences for it.
    assert set(TABLE) - {code for _, code in theirs} == {"bad-token"}
    only = {Flavour.MOZILLA: TABLE["bad-token"][Flavour.MOZILLA]}
    assert TABLE["bad-token"] == TABLE["bad-signature"] | only
    tried = {(code, flavour) for _, code in theirs for flavour in FLAVOURS}
    for code, row in TABLE.items():
        for flavour, said in row.items():
            assert (code, flavour) in tried or code == "bad-token"
            assert said is OVERLOOKED or 400 <= said.status < 600


def test_an_unknown_flavour_is_refused():
    with pytest.raises(UnknownFlavour, match="'vanilla', only strict, mozilla, fcm, apple, wns"):
        PushService(flavour="vanilla")
    assert re.fullmatch(", ".join(FLAVOURS), ", ".join(Flavour))


def test_another_flavour_while_it_runs(bench, http):
    async def scenario(bench):
        case = Case(bench, *await bench.subscribed())
        case.headers(TTL=None)
        assert bench.service.flavour == "strict"
        assert (await http(case.request)).headers["Content-Type"].startswith("application/json")
        bench.service.flavour = "wns"
        assert (await http(case.request)).headers["X-WNS-Status"] == "dropped"
        with pytest.raises(UnknownFlavour):
            bench.service.flavour = "vanilla"
        assert bench.service.flavour is Flavour.WNS

    bench(scenario)


def test_chromiums_listener_responds_in_the_same_flavour(bench):
    async def scenario(bench):
        _, _, subscription = await bench.logged_in()
        response = await bench.sender().send(subscription)
        assert response.code == 403 and response.body.startswith(b"the VAPID credentials")

    bench(scenario, flavour="fcm")


def test_an_error_of_this_program_has_our_json_in_every_flavour(bench, tmp_path):
    async def scenario(bench):
        _, sender, subscription = await bench.subscribed()
        with bench.service._store._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA query_only = 1")
        response = await sender.send(subscription)
        assert response.code == 500
        assert json.loads(response.body)["error"]["id"] == "unable-to-write-database"

    bench(scenario, flavour="mozilla", database=f"sqlite:///{tmp_path}/push.sqlite3")


def test_mozilla_shortens_a_ttl_and_echoes_it(shared_bench, http):
    async def scenario(bench):
        case = Case(bench, *await bench.subscribed())
        for asked, given in (("2592001", "2592000"), ("60", "60")):
            case.headers(TTL=asked)
            response = await http(case.request)
            assert (response.code, response.headers["TTL"]) == (201, given)
            assert re.fullmatch(r"http://127\.0\.0\.1:\d+/m/\S+", response.headers["Location"])

    shared_bench(scenario, flavour="mozilla")


# --- the older coding ----------------------------------------------------------------------------


def old_coded(case: Case, padding: str = "") -> None:
    """Encrypt in aesgcm, the coding that RFC 8291 replaced, with the library http_ece."""
    key, salt = ec.generate_private_key(ec.SECP256R1()), os.urandom(16)
    case.request.body = http_ece.encrypt(
        b"as in 2016", salt=salt, private_key=key, dh=case.subscription.p256dh,
        auth_secret=case.subscription.auth, version="aesgcm",
    )  # fmt: skip
    case.headers(
        Content_Encoding="aesgcm",
        Encryption=f'keyid=p256dh; salt="{base64url.encode(salt)}{padding}"',
        Crypto_Key=f"keyid=p256dh;dh={base64url.encode(p256.raw_public(key))}{padding}",
    )


def read_old(agent, body: bytes, headers: dict) -> bytes:
    assert set(headers) == {"encoding", "encryption", "crypto_key"}
    assert headers["encoding"] == "aesgcm"
    assert '"' not in str(list(headers.values())) and not headers["encryption"].endswith("=")
    found = {
        name: re.search(rf"{name}=([\w-]+)(?:$|[;,])", text)[1]
        for name, text in (("salt", headers["encryption"]), ("dh", headers["crypto_key"]))
    }
    return http_ece.decrypt(
        body, salt=base64url.decode(found["salt"]), dh=base64url.decode(found["dh"]),
        private_key=agent.private_key, auth_secret=agent.auth, version="aesgcm",
    )  # fmt: skip


@pytest.mark.parametrize("padding", ["", "=="])
def test_mozilla_takes_the_older_coding_and_gives_it_on(shared_bench, http, padding):
    async def scenario(bench):
        case = Case(bench, *await bench.subscribed())
        old_coded(case, padding)
        response = await http(case.request)
        assert response.code == 201
        resource = await http(response.headers["Location"])
        assert resource.body == case.request.body and resource.headers["Content-Encoding"] == "aesgcm"
        notification = await case.agent.notification()
        body = base64url.decode(notification["data"])
        assert read_old(case.agent, body, notification["headers"]) == b"as in 2016"
        assert "salt=" in resource.headers["Encryption"] and "dh=" in resource.headers["Crypto-Key"]

    shared_bench(scenario, flavour="mozilla")


def test_the_older_coding_waits_and_outlasts_a_restart(open_bench, run, http, tmp_path):
    async def scenario():
        options = {"flavour": "mozilla", "database": f"sqlite:///{tmp_path}/push.sqlite3"}
        async with open_bench(**options) as bench:
            case = Case(bench, *await bench.subscribed())
            uaid = await bench.away(case.agent)
            old_coded(case)
            assert (await http(case.request)).code == 201
        async with open_bench(**options) as bench:
            agent = await bench.user_agent(uaid)
            agent.private_key, agent.auth = case.agent.private_key, case.agent.auth
            notification = await agent.notification()
            body = base64url.decode(notification["data"])
            assert read_old(agent, body, notification["headers"]) == b"as in 2016"
            await agent.ack(notification)
            await agent.hears_nothing()
        async with open_bench(**options) as bench:
            assert bench.queue() == 0 and bench.service._store.read().stored == ()
            with bench.service._store._engine.connect() as connection:
                left = connection.exec_driver_sql("SELECT count(*) FROM old_codings").scalar()
            assert left == 0

    run(scenario())


def test_chromium_gets_the_older_coding_under_its_own_names(bench, http):
    async def scenario(bench):
        browser, sender, subscription = await bench.logged_in()
        case = Case(bench, browser, sender, subscription)
        old_coded(case)
        assert (await http(case.request, bench.service.chromium)).code == 201
        message = await browser.message()
        about = {pair["key"]: pair["value"] for pair in message["app_data"]}
        assert about.pop("subtype").startswith("wp:")
        headers = {"encoding": about.pop("content-encoding")}
        headers |= {name.replace("-", "_"): value for name, value in about.items()}
        assert read_old(browser, message["raw_data"], headers) == b"as in 2016"

    bench(scenario, flavour="mozilla")


OLD_FAULTS = {
    "no salt": ({"Encryption": None}, "Missing Encryption header"),
    "empty salt": ({"Encryption": "salt="}, "Invalid Encryption header"),  # the = goes as padding
    "salt in plain base64": ({"Encryption": "salt=A+A"}, "Invalid salt value in Encryption header"),
    "another name": ({"Encryption": "pepper=AAAA"}, "Missing salt value in Encryption header"),
    "no name": ({"Encryption": "salt=AAAA;AAAA"}, "Invalid Encryption header"),
    "a header without end": ({"Encryption": "salt=" + 2000 * "A"}, "Invalid Encryption header"),
    "no dh": ({"Crypto_Key": "p256ecdsa=BAAA"}, "Missing dh value in Crypto-Key header"),
    "dh in plain base64": ({"Crypto_Key": "dh=BA+A"}, "Invalid dh value in Crypto-Key header"),
    "a still older header": ({"Encryption_Key": "dh=BAAA"},
        "Encryption-Key header is not valid for webpush draft 02 or later"),
}  # fmt: skip


def test_what_the_older_coding_must_have(bench, http):
    async def scenario(bench):
        case = Case(bench, *await bench.subscribed())
        for headers, message in OLD_FAULTS.values():
            old_coded(case)
            case.headers(Encryption_Key=None)
            case.headers(**headers)
            check_answer(await http(case.request), mozilla(400, 110, message))
        await case.agent.hears_nothing()

    bench(scenario, flavour="mozilla")


def test_mozilla_takes_the_older_coding_without_its_key(bench, http):
    """Its source asks for dh where there is a Crypto-Key. Without one nobody can decrypt the body."""

    async def scenario(bench):
        case = Case(bench, *await bench.subscribed())
        old_coded(case)
        case.headers(Crypto_Key=None)
        response = await http(case.request)
        assert response.code == 201
        assert "Crypto-Key" not in (await http(response.headers["Location"])).headers
        headers = (await case.agent.notification())["headers"]
        assert set(headers) == {"encoding", "encryption"}

    bench(scenario, flavour="mozilla")


@pytest.mark.parametrize("flavour", [name for name in FLAVOURS if name != "mozilla"])
def test_the_others_refuse_the_older_coding(shared_bench, http, flavour):
    async def scenario(bench):
        case = Case(bench, *await bench.subscribed())
        old_coded(case)
        assert (await http(case.request)).code == 400
        await case.agent.hears_nothing()

    shared_bench(scenario, flavour=flavour)


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_crypto_key_without_dh_does_no_harm(shared_bench, http, flavour):
    """Libraries that once signed in the older way still send it, beside a body in aes128gcm."""

    async def scenario(bench):
        case = Case(bench, *await bench.subscribed())
        case.headers(Crypto_Key=f"p256ecdsa={base64url.encode(case.sender.key)}")
        assert (await http(case.request)).code == 201
        notification = await case.agent.notification()
        assert notification["headers"] == {"encoding": "aes128gcm"}
        assert case.agent.read(notification) == b"hello"

    shared_bench(scenario, flavour=flavour)


# --- what Mozilla's service takes and refuses beside the RFCs (its source and manual, July 2026) -


def plain(key: bytes) -> str:
    """Return a key in plain base64, padded."""
    return base64.b64encode(key).decode()


def authorized(form):
    """Return a fault that writes Authorization in another form: by token, key and claims."""

    async def provoke(case, http):
        token = case.request.headers["Authorization"].split("t=")[1].split(",")[0]
        case.headers(**form(token, case.sender.key))

    return provoke


def draft(scheme, parameter="p256ecdsa", write=base64url.encode):
    return authorized(
        lambda token, key: {
            "Authorization": f"{scheme} {token}",
            "Crypto_Key": f"{parameter}={write(key)}",
        }
    )


async def empty_with_a_coding(case, http):
    case.request.body = b""
    case.headers(Content_Encoding="zebra")


async def aud_with(case, ending):
    case.sign(aud=case.subscription.origin + ending)


async def exp_with_a_fraction(case, http):
    case.sign(exp=int(case.bench.clock()) + 300.25)


MOZILLA_ONLY = {
    "WebPush": (draft("WebPush"), TAKEN),
    "Bearer": (draft("Bearer"), TAKEN),
    "bearer, k in plain base64": (draft("bearer", write=plain), TAKEN),
    "WebPush without Crypto-Key": (
        authorized(lambda token, key: {"Authorization": f"WebPush {token}"}),
        mozilla(400, 110, "Missing Crypto-Key header"),
    ),
    "WebPush with another parameter": (
        draft("WebPush", "dhh"), mozilla(400, 110, "Missing p256ecdsa in Crypto-Key header"),
    ),
    "another scheme": (
        authorized(lambda token, key: {"Authorization": f"Basic {token}"}),
        mozilla(401, 109, "Unknown auth scheme"),
    ),
    "k padded": (
        authorized(lambda token, key: {
            "Authorization": f"vapid t={token}, k={base64url.encode(key)}="}),
        TAKEN,
    ),
    "k in plain base64": (
        authorized(lambda token, key: {"Authorization": f"vapid t={token},k={plain(key)}"}), TAKEN,
    ),
    "k is not base64": (
        authorized(lambda token, key: {"Authorization": f"vapid t={token},k=+-{plain(key)}"}),
        mozilla(401, 109, "Invalid VAPID public key"),
    ),
    "k is another": (
        authorized(lambda token, key: {"Authorization": f"vapid t={token},k=BAAA"}),
        mozilla(401, 109, "VAPID public key mismatch"),
    ),
    "a scheme alone": (in_headers(Authorization="vapid"), mozilla(401, 109, "Missing VAPID token")),
    "a token of two parts": (authorized(lambda token, key: {
        "Authorization": f"vapid t=e30.e30,k={base64url.encode(key)}"}), mozilla(401, 109)),
    "no t": (in_headers(Authorization="vapid k=BAAA"), mozilla(401, 109, "Missing VAPID token")),
    "two audiences": (in_claims(aud=["https://push.example.net"]), CLAIM),
    "no aud": (in_claims(aud=None),
        mozilla(401, 109, "Invalid VAPID token: Missing required claim: aud")),
    "aud with a slash": (lambda case, http: aud_with(case, "/"), mozilla(401, 109, "InvalidAudience")),
    "aud with a path": (lambda case, http: aud_with(case, "/wpush"),
        mozilla(401, 109, "InvalidAudience")),
    "exp with a fraction": (exp_with_a_fraction, CLAIM),
    "no exp": (in_claims(exp=None), CLAIM),
    "Topic padded": (in_headers(Topic="abc="), TAKEN),
    "Topic of 33 with its padding": (in_headers(Topic=f"{32 * 'a'}="),
        mozilla(400, 113, f"topic: {LONG_TOPIC}")),
    "Topic in plain base64": (in_headers(Topic="a+b"), mozilla(400, 113, f"topic: {FOREIGN_TOPIC}")),
    "TTL negative": (in_headers(TTL="-1"), mozilla(400, 114, "ttl: TTL must be greater than 0")),
    "TTL with a sign": (in_headers(TTL="+60"), TAKEN),
    "TTL with a fraction": (in_headers(TTL="60.5"), mozilla(400, 111, "Missing TTL value")),
    "nothing in a coding": (empty_with_a_coding, TAKEN),
    "a coding in capitals": (in_headers(Content_Encoding="AES128GCM"),
        mozilla(400, 110, "Unknown Content-Encoding header")),
    "dh beside aes128gcm": (in_headers(Crypto_Key="dh=BAAA"),
        mozilla(400, 110, "Do not include 'dh' header in aes128gcm Crypto-Key header")),
}  # fmt: skip


@pytest.mark.parametrize("fault", MOZILLA_ONLY)
def test_mozilla_takes_and_refuses_what_its_service_does(shared_bench, http, fault):
    provoke, expected = MOZILLA_ONLY[fault]

    async def scenario(bench):
        case = Case(bench, *await bench.subscribed())
        await provoke(case, http)
        response = await http(case.request)
        if expected is TAKEN:
            assert (response.code, response.body) == (201, b"")
            await case.agent.notification()
            return
        check_answer(response, expected)
        await case.agent.hears_nothing()
        good = Case(bench, case.agent, case.sender, case.subscription)
        assert (await http(good.request)).code == 201
        await case.agent.notification()

    shared_bench(scenario, flavour="mozilla")


def test_no_sentence_of_ours_is_given_as_mozilla_s():
    """Which words it has for a key of another length is not known."""
    said = [
        json.loads(Flavour.MOZILLA.answer(BadAuthorization(detail)).body).get("message")
        for detail in ("k: the public key is 3 bytes long, not 65", Sentence("Unknown auth scheme"))
    ]
    assert said == [None, "Unknown auth scheme"]


@pytest.mark.parametrize(
    "fault", ["WebPush", "k padded", "TTL with a sign", "Topic padded", "nothing in a coding"]
)
def test_the_rfcs_do_not_take_what_mozilla_takes(shared_bench, http, fault):
    async def scenario(bench):
        case = Case(bench, *await bench.subscribed())
        await MOZILLA_ONLY[fault][0](case, http)
        assert (await http(case.request)).code in (400, 401, 403)
        await case.agent.hears_nothing()

    shared_bench(scenario, flavour="strict")


def test_a_response_and_its_explanation_have_the_same_source():
    rows = [row for by_flavour in TABLE.values() for row in by_flavour.values()]
    pairs = [
        (row, known) for row in rows
        if (known := known_answer(PushResponse(row.status, tuple(row.headers.items()), row.body or b"")))
    ]  # fmt: skip
    assert len(pairs) > 30
    assert [(row, known) for row, known in pairs if row.source != known.source] == []


def test_every_response_of_the_table_has_its_source():
    rows = [row for by_flavour in TABLE.values() for row in by_flavour.values()]
    rows += MOZILLA_REASONS.values()
    assert all(isinstance(row.source, Source) and row.source is not BY_RFC for row in rows)
    assert {row.source.basis for row in rows} == {"RFC", "documented", "reported", "source code"}
