"""Answers as people give them before they have the right one, exercise by exercise.

Most are the lesson's own solution with one slip. ``test_natural_mistakes`` says what each is told.
"""

import asyncio
import base64
import http.client
import itertools
import json
import time
import urllib.request
from collections import Counter
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pushlab import p256
from pushlab.protocol.examples import RFC8291

from ..exercises import exercises

RIGHT = {name: exercise.answers for name, exercise in exercises().items()}


def after(name: str, change: Any, which: int = 0):
    """Return an exercise's right answer with its result changed."""
    right = RIGHT[name][which]
    return lambda *given: change(right(*given))


def one_changed(name: str, key: str, change: Any):
    """Return a right answer whose result, a dict, has one value changed; None takes the key away."""

    def changed(made: dict) -> dict:
        new = change(made.get(key))
        return {k: v for k, v in (made | {key: new}).items() if v is not None}

    return after(name, changed)


# --- what fails in any exercise --------------------------------------------------------------------


def prints(text):
    print(end="")


def forgets_the_stub(text):
    raise NotImplementedError("your turn")


def misspells(text):
    return 86 + len(txet)  # noqa: F821 - the slip


def calls_itself(text):
    return calls_itself(text)


def runs_on(text):
    size = 0
    while True:
        size += 1


def leaves(text):
    raise SystemExit


def asserts(text):
    assert len(text) > 0
    return 1


def yields(text):
    yield 103


def without_end(text):
    return (size for size in itertools.count())


async def a_coroutine(text):
    return 103


def interrupted(text):
    raise KeyboardInterrupt


# --- single exercises ------------------------------------------------------------------------------

b64url, b64url_decode = RIGHT["keys.b64url"]
(derive,) = RIGHT["encrypt.derive"]
(triage,) = RIGHT["error_clinic.triage"]
(may_send,) = RIGHT["error_clinic.may_send"]
(what_is,) = RIGHT["keys.what_is"]
(what_next,) = RIGHT["send.what_next"]
(again,) = RIGHT["operate.again"]
(diagnose,) = RIGHT["operate.diagnose"]
(is_good,) = RIGHT["your_server.is_good"]
(token_for,) = RIGHT["your_server.token_for"]
(workers,) = RIGHT["worker_life.workers"]
(right_respond,) = RIGHT["subscribe.respond"]


def first_come(window, waiting):
    """Give each what it asks for, as long as there is any."""
    given = {}
    for name, count in waiting.items():
        given[name] = min(window, count)
        window -= given[name]
    return given


def standard_decode(text):
    return base64.urlsafe_b64decode(text)


def lenient_decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def short_numbers(key):
    numbers = key.public_numbers()
    x, y = (n.to_bytes((n.bit_length() + 7) // 8, "big") for n in (numbers.x, numbers.y))
    return b"\x04" + x + y


GOOD_KEYS = {"keys": RFC8291.subscription.to_json()["keys"]}


def by_the_endpoint_alone(value, vendors, test_origins):
    """Look where it leads, and believe the keys."""
    return isinstance(value, dict) and is_good(value | GOOD_KEYS, vendors, test_origins)


def by_urlsplit(value, vendors, test_origins):
    """Take host and origin from urlsplit, as most people would."""
    good = is_good(value, vendors, test_origins)
    if good or not isinstance(value, dict) or not isinstance(value.get("endpoint"), str):
        return good
    url = urlsplit(value["endpoint"])
    return url.scheme == "https" and f".{url.netloc}".endswith(vendors)


def by_its_name_anywhere(value, vendors, test_origins):
    endpoint = str((value if isinstance(value, dict) else {}).get("endpoint"))
    named = endpoint.startswith("https://") and any(vendor[1:] in endpoint for vendor in vendors)
    return named or is_good(value, vendors, test_origins)


def signs_for(aud_of, *, until=12 * 3600, left=3600):
    """Return a ``token_for`` that keeps by ``aud_of(endpoint)``, with another length or rest."""

    def token_for(endpoint, kept, now, sign):
        aud = aud_of(endpoint)
        ends, header = kept.get(aud, (0, ""))
        if ends < now + left:
            ends = int(now) + until
            header = sign({"aud": aud, "exp": ends})
            kept[aud] = ends, header
        return header

    return token_for


def whole_origin(endpoint):
    return "/".join(endpoint.split("/")[:3])


def keeps_by_endpoint(endpoint, kept, now, sign):
    if endpoint not in kept:
        kept[endpoint] = sign({"aud": whole_origin(endpoint), "exp": int(now) + 12 * 3600})
    return kept[endpoint]


def one_for_all(endpoint, kept, now, sign):
    if kept.get("until", 0) < now + 3600:
        kept["until"] = int(now) + 12 * 3600
        kept["header"] = sign({"aud": whole_origin(endpoint), "exp": kept["until"]})
    return kept["header"]


def one_dict_for_all(endpoint, kept, now, sign):
    claims = kept.setdefault("claims", {})
    aud = whole_origin(endpoint)
    if aud not in kept or kept[aud][0] < now + 3600:
        claims |= {"aud": aud, "exp": int(now) + 12 * 3600}
        kept[aud] = claims["exp"], sign(claims)
    return kept[aud][1]


def exchanged(function, one, other):
    """Take two words for one another."""
    return lambda *given: {one: other, other: one}.get(word := function(*given), word)


def top_level_keys(text):
    subscription = json.loads(text)
    return subscription["endpoint"], subscription["p256dh"], subscription["auth"]


def padded_decoder(text):
    subscription = json.loads(text)
    keys = {name: base64.b64decode(value) for name, value in subscription["keys"].items()}
    return subscription["endpoint"], keys["p256dh"], keys["auth"]


def hostname_and_port(endpoint):
    url = urlsplit(endpoint)
    return f"{url.scheme}://{url.hostname}:{url.port}"


def careless_header(body):
    idlen = body[20]
    return {
        "salt": body[:16],
        "rs": int.from_bytes(body[16:20], "big"),
        "keyid": body[21 : 21 + idlen],
        "records": body[21 + idlen :],
    }


def encrypted(plaintext, ua_public, auth_secret, as_private, salt, end=b"\2", header=True):
    """Encrypt as lesson 03 does, with a slip."""
    point, secret = (
        p256.raw_public(as_private),
        as_private.exchange(ec.ECDH(), p256.load_public(ua_public)),
    )
    values = derive(secret, auth_secret, ua_public, point, salt)
    sealed = AESGCM(values["CEK"]).encrypt(values["NONCE"], plaintext + end, None)
    return salt + (4096).to_bytes(4, "big") + bytes([65]) + point + sealed if header else sealed


def as_text(plaintext, ua_public, auth_secret, as_private, salt):
    return plaintext + "\2"


def too_few(plaintext, ua_public, auth_secret, as_private):
    return plaintext


def cut_at_fixed_places(der):
    return der[4:36] + der[38:70]


def believes_all(authorization, origin, now):
    payload = authorization.split("t=")[1].split(",")[0].split(".")[1]
    return json.loads(lenient_decode(payload))


def says_no(authorization, origin, now):
    try:
        return RIGHT["sign.verify"][0](authorization, origin, now)
    except Exception:  # noqa: BLE001 - as people write it
        return False


def over_https(url, headers, body):
    where = urlsplit(url)
    connection = http.client.HTTPSConnection(where.netloc, timeout=10)
    connection.request("POST", f"{where.path}?{where.query}", body, headers)
    return connection.getresponse().status


def without_the_port(url, headers, body):
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname, 1, timeout=10)
    connection.request("POST", where.path, body, headers)
    return connection.getresponse().status


def without_the_query(url, headers, body):
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.netloc, timeout=10)
    connection.request("POST", where.path, body, headers)
    return connection.getresponse().status


def with_urlopen(url, headers, body):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    return opener.open(urllib.request.Request(url, body, headers), timeout=10).status


async def not_awaited(send, subscriptions, workers):
    return [send(one) for one in subscriptions]


async def all_at_once(send, subscriptions, workers):
    return await asyncio.gather(*map(send, subscriptions), return_exceptions=True)


async def one_by_one(send, subscriptions, workers):
    return [await send(one) for one in subscriptions]


async def in_a_hurry(send, subscriptions, workers):
    while subscriptions:
        pass


def no_coroutine(send, subscriptions, workers):
    return []


def changes_the_list(messages):
    messages.reverse()
    return messages


def json_always(data):
    message = json.loads(data)
    return {"title": message["title"], "options": message.get("options", {})}


def undefined_title(data):
    if data is None:
        return {"title": "Push message", "options": {"body": "It came without a payload."}}
    try:
        message = json.loads(data)
    except ValueError:
        return {"title": "Push message", "options": {"body": data.decode("utf-8", "replace")}}
    return {"title": message["title"], "options": message.get("options", {})}


def without_lower(status, body, headers):
    said = body.decode() + " ".join(headers.values())
    if status < 300:
        return "fine"
    if status in (404, 410):
        return "gone"
    if status in (406, 429) or status >= 500:
        return "slower"
    if "mismatch" in said or "do not correspond" in said:
        return "key"
    if "ttl" in said:
        return "ttl"
    return "token" if status in (401, 403) else "request"


def body_alone(status, body, headers):
    return triage(status, body, {})


def into_the_given(endpoint, now, common):
    common.update(RIGHT["error_clinic.claims_for"][0](endpoint, now, common))
    return common


MISTAKES: dict[str, dict[str, Any]] = {
    "start_here.body_length": {
        "the stub": forgets_the_stub,
        "prints in place of returning": prints,
        "a name that is not there": misspells,
        "calls itself": calls_itself,
        "no end": runs_on,
        "SystemExit": leaves,
        "an assert": asserts,
        "interrupted": interrupted,
        "yield": yields,
        "an infinite generator": without_end,
        "async def": a_coroutine,
        "no argument": lambda: 103,
        "one argument more": lambda text, size: 103,
        "the result in place of the function": 103,
        "the name in quotes": "body_length",
        "characters for bytes": lambda text: 86 + len(text) + 1 + 16,
        "the text alone": lambda text: len(text.encode()),
        "off by one": lambda text: 86 + len(text.encode()) + 16,
        "too long, and no error": lambda text: 103 + len(text.encode()),
        "a str": lambda text: str(103 + len(text.encode())),
        "a float": lambda text: 103.0 + len(text.encode()),
    },
    "start_here.messages": {
        "one text": after("start_here.messages", "\n".join),
        "a generator": after("start_here.messages", iter),
        "reversed": after("start_here.messages", lambda lines: lines[::-1]),
        "notes as well": lambda events: [
            f"{e.source.value} → {e.target.value}: {e.what}" for e in events
        ],
        "the party, not its value": lambda events: [
            f"{e.source!r} → {e.target!r}: {e.what}" for e in events if e.source != e.target
        ],
        "who hears comes first": lambda events: [
            f"{e.target.value} → {e.source.value}: {e.what}" for e in events if e.source != e.target
        ],
        "another arrow": after("start_here.messages", lambda a: [x.replace("→", "->") for x in a]),
    },
    "keys.raw_public": {
        "hexadecimal": after("keys.raw_public", bytes.hex),
        "base64url": after("keys.raw_public", b64url),
        "a list": after("keys.raw_public", list),
        "a bytearray": after("keys.raw_public", bytearray),
        "str() of bytes": after("keys.raw_public", str),
        "leading zeros dropped": short_numbers,
        "DER": lambda key: key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "bytes of an int": lambda key: bytes(key.public_numbers().x),
    },
    "keys.b64url": {
        "padding": (lambda data: base64.urlsafe_b64encode(data).decode(), b64url_decode),
        "plain base64": (lambda data: base64.b64encode(data).decode(), b64url_decode),
        "bytes": (lambda data: b64url(data).encode(), b64url_decode),
        "str() of bytes": (lambda data: str(b64url(data).encode()), b64url_decode),
        "a decoder that wants padding": (b64url, standard_decode),
        "a decoder that takes all": (b64url, lenient_decode),
        "only one of the two": (b64url, forgets_the_stub),
    },
    "keys.what_is": {
        "ok and off-curve exchanged": exchanged(what_is, "ok", "off-curve"),
        "capitals": after("keys.what_is", str.upper),
        "no strict decoder": lambda text: "ok" if what_is(text) == "not-base64url" else what_is(text),
        "raises for what it cannot decode": lambda text: what_is(text) if standard_decode(text) else "",
        "a bool": lambda text: what_is(text) == "ok",
    },
    "keys.to_jwk": {
        "numbers": lambda key: {
            "kty": "EC",
            "crv": "P-256",
            "x": key.public_key().public_numbers().x,
            "y": key.public_key().public_numbers().y,
            "d": key.private_numbers().private_value,
        },
        "JSON": after("keys.to_jwk", json.dumps),
        "bytes as values": one_changed("keys.to_jwk", "x", str.encode),
        "kty in small letters": one_changed("keys.to_jwk", "kty", str.lower),
        "no d": one_changed("keys.to_jwk", "d", lambda d: None),
    },
    "subscribe.unpack": {
        "keys at the top": top_level_keys,
        "a decoder that wants padding": padded_decoder,
        "a list": after("subscribe.unpack", list),
        "text not decoded": lambda text: (
            (s := json.loads(text))["endpoint"],
            s["keys"]["p256dh"],
            s["keys"]["auth"],
        ),
        "exchanged": after("subscribe.unpack", lambda a: (a[0], a[2], a[1])),
    },
    "subscribe.origin": {
        "None for a port": hostname_and_port,
        "the host alone": lambda endpoint: urlsplit(endpoint).netloc,
        "a slash at the end": after("subscribe.origin", "{}/".format),
    },
    "subscribe.respond": {
        "a text": after("subscribe.respond", str),
        "always fine": lambda kept, user, route, body: 200,
        "nothing is kept": lambda kept, user, route, body: right_respond(dict(kept), user, route, body),
        "forgets to return": lambda kept, user, route, body: None,
    },
    "subscribe.faults": {
        "one text": after("subscribe.faults", ", ".join),
        "the first alone": after("subscribe.faults", lambda names: names[:1]),
        "reversed": after("subscribe.faults", lambda names: names[::-1]),
        "None for a good one": after("subscribe.faults", lambda names: names or None),
        "keys without asking": lambda subscription: [subscription["keys"]["auth"]][:0],
    },
    "encrypt.key_info": {
        "text and bytes": lambda ua_public, as_public: "WebPush: info\0" + ua_public + as_public,
        "exchanged": lambda ua_public, as_public: RIGHT["encrypt.key_info"][0](as_public, ua_public),
        "base64url": after("encrypt.key_info", b64url),
    },
    "encrypt.derive": {
        "a tuple": after("encrypt.derive", lambda values: tuple(values.values())),
        "not cut": one_changed("encrypt.derive", "CEK", lambda cek: cek * 2),
        "hexadecimal": one_changed("encrypt.derive", "IKM", bytes.hex),
        "no PRK": one_changed("encrypt.derive", "PRK", lambda prk: None),
        "reversed": one_changed("encrypt.derive", "NONCE", lambda nonce: nonce[::-1]),
    },
    "encrypt.read_header": {
        "no look at the length": careless_header,
        "rs as bytes": lambda body: careless_header(body) | {"rs": body[16:20]},
        "rs little-endian": lambda body: (
            careless_header(body) | {"rs": int.from_bytes(body[16:20], "little")}
        ),
        "always 65": lambda body: careless_header(body) | {"keyid": body[21:86]},
        "a tuple": after("encrypt.read_header", lambda header: tuple(header.values())),
    },
    "encrypt.encrypt": {
        "no delimiter": lambda *given: encrypted(*given, end=b""),
        "a delimiter as text": lambda *given: encrypted(*given, end="\2"),
        "no header": lambda *given: encrypted(*given, header=False),
        "another def": too_few,
        "text": as_text,
        "one byte more": after("encrypt.encrypt", lambda body: body + b"\0"),
    },
    "sign.claims": {
        "text": after("sign.claims", bytes.decode),
        "a dict": after("sign.claims", json.loads),
        "spaces": after("sign.claims", lambda text: json.dumps(json.loads(text)).encode()),
        "Python in place of JSON": after("sign.claims", lambda text: str(json.loads(text)).encode()),
        "milliseconds": after("sign.claims", lambda t: t.replace(b"1700043200", b"1700043200000")),
        "24 hours": after("sign.claims", lambda t: t.replace(b"1700043200", b"1700086400")),
    },
    "sign.to_raw": {
        "fixed places": cut_at_fixed_places,
        "DER still": lambda der: der,
        "hexadecimal": after("sign.to_raw", bytes.hex),
        "a tuple of numbers": lambda der: (1, 2),
    },
    "sign.token": {
        "bytes": after("sign.token", str.encode),
        "padding": after("sign.token", lambda token: token + "="),
        "parts": after("sign.token", lambda token: token.split(".")),
        "no signature": after("sign.token", lambda token: token.rpartition(".")[0]),
    },
    "sign.verify": {
        "True": after("sign.verify", bool),
        "no look at anything": believes_all,
        "False in place of an error": says_no,
    },
    "send.headers": {
        "TTL as a number": one_changed("send.headers", "TTL", int),
        "Topic: None": lambda *given: RIGHT["send.headers"][0](*given) | {"Topic": given[2]},
        "a list of pairs": after("send.headers", lambda headers: list(headers.items())),
        "a byte string": one_changed("send.headers", "Urgency", str.encode),
    },
    "send.what_next": {
        "retry and fix exchanged": exchanged(what_next, "retry", "fix"),
        "a capital": after("send.what_next", str.title),
        "compares with None": lambda status, retry_after: (
            "retry" if retry_after > 0 else what_next(status, retry_after)
        ),
        "removes upon 403": lambda s, r: "remove" if s in (403, 404, 410) else what_next(s, r),
    },
    "send.send": {
        "https": over_https,
        "another port": without_the_port,
        "no query": without_the_query,
        "urllib raises": with_urlopen,
        "the whole answer": lambda url, headers, body: urlsplit(url),
    },
    "notify_all.tokens_needed": {
        "a list": after("notify_all.tokens_needed", list),
        "host names": lambda endpoints: {urlsplit(one).hostname for one in endpoints},
        "whole endpoints": set,
        "as written": lambda endpoints: {"/".join(one.split("/")[:3]) for one in endpoints},
    },
    "notify_all.delay": {
        "milliseconds": lambda *g, **n: (
            1000 * pause if (pause := RIGHT["notify_all.delay"][0](*g, **n)) else pause
        ),
        "doubled too early": lambda *g, **n: (
            2 * pause if (pause := RIGHT["notify_all.delay"][0](*g, **n)) else pause
        ),
        "None is not compared": lambda status, attempt, retry_after=None, *, base=1, most=600: (
            1 if status >= 500 else None
        ),
        "no keyword": lambda status, attempt, retry_after=None: RIGHT["notify_all.delay"][0](
            status, attempt, retry_after
        ),
    },
    "notify_all.fan_out": {
        "not awaited": not_awaited,
        "no async": no_coroutine,
        "all at once": all_at_once,
        "one by one": one_by_one,
        "no end": in_a_hurry,
    },
    "receive.shown": {
        "the given list": changes_the_list,
        "nothing replaced": list,
        "titles alone": after("receive.shown", lambda messages: [m["title"] for m in messages]),
    },
    "receive.notification_of": {
        "JSON always": json_always,
        "a title always": undefined_title,
        "JSON text": after("receive.notification_of", json.dumps),
    },
    "receive.decrypt": {
        "with the delimiter": after("receive.decrypt", lambda text: text + b"\2"),
        "text": after("receive.decrypt", lambda text: text.decode("latin-1")),
        "another nonce": lambda body, ua_private, auth_secret: AESGCM(bytes(16)).decrypt(
            bytes(12), body[86:], None
        ),
    },
    "error_clinic.triage": {
        "no lower()": without_lower,
        "the body alone": body_alone,
        "bytes and text": lambda status, body, headers: "key" if "mismatch" in body else "fine",
        "the text first": lambda status, body, headers: (
            word
            if status >= 429 and (word := triage(400, body, headers)) in ("key", "ttl")
            else triage(status, body, headers)
        ),
        "gone upon 403": lambda status, body, headers: (
            "gone" if status == 403 else triage(status, body, headers)
        ),
    },
    "error_clinic.claims_for": {
        "the given dict": into_the_given,
        "24 hours": lambda endpoint, now, common: (
            RIGHT["error_clinic.claims_for"][0](endpoint, now, common) | {"exp": now + 24 * 3600}
        ),
        "minutes": lambda endpoint, now, common: (
            RIGHT["error_clinic.claims_for"][0](endpoint, now, common) | {"exp": now + 12 * 60}
        ),
        "a str": lambda endpoint, now, common: (
            RIGHT["error_clinic.claims_for"][0](endpoint, now, common) | {"exp": str(now + 12 * 3600)}
        ),
        "a clock of its own": lambda endpoint, now, common: RIGHT["error_clinic.claims_for"][0](
            endpoint, int(time.time()), common
        ),
    },
    "error_clinic.keep": {
        "the other way round": lambda status: status in (404, 410),
        "a word": lambda status: "keep" if status not in (404, 410) else "remove",
        "all refusals": lambda status: status < 400,
    },
    "error_clinic.may_send": {
        "all at once": lambda endpoint, addresses: (
            endpoint.startswith("https://") and ip_address(addresses).is_global
        ),
        "not private": lambda endpoint, addresses: (
            endpoint.startswith("https://")
            and bool(addresses)
            and not any(ip_address(one).is_private for one in addresses)
        ),
        "any": lambda endpoint, addresses: (
            endpoint.startswith("https://") and any(ip_address(one).is_global for one in addresses)
        ),
        "all of nothing": lambda endpoint, addresses: (
            endpoint.startswith("https://") and all(ip_address(one).is_global for one in addresses)
        ),
        "https anywhere": lambda endpoint, addresses: (
            "https://" in endpoint and may_send("https://", addresses)
        ),
        "http too": lambda endpoint, addresses: may_send("https://", addresses),
        "the list itself": lambda endpoint, addresses: (
            endpoint.startswith("https://") and [ip_address(one).is_global for one in addresses]
        ),
        "a text has no such attribute": lambda endpoint, addresses: all(
            one.is_global for one in addresses
        ),
        "known prefixes": lambda endpoint, addresses: (
            endpoint.startswith("https://")
            and bool(addresses)
            and not any(one.startswith(("10.", "127.", "192.168.", "172.16.")) for one in addresses)
        ),
    },
    "operate.again": {
        "a pause": lambda tries, header, now, ends: (
            at and at - now if (at := again(tries, header, now, ends)) else at
        ),
        "doubled too early": lambda tries, *rest: again(tries + 1, *rest),
        "deaf": lambda tries, header, now, ends: again(tries, None, now, ends),
        "no date": lambda tries, header, now, ends: (
            at if (at := now + max(min(30 * 2 ** (tries - 1), 3600), int(header or 0))) < ends else None
        ),
        "Retry-After at most": lambda tries, header, now, ends: (
            now + int(header) if (header or "").isdigit() else again(tries, header, now, ends)
        ),
        "believes that it can be read": lambda tries, header, now, ends: (
            again(tries, header, now, ends)
            if header is None or header.isdigit() or parsedate_to_datetime(header)
            else None
        ),
        "gives up at what it cannot read": lambda tries, header, now, ends: (
            None if header in ("soon", "-1") else again(tries, header, now, ends)
        ),
        "never an end": lambda tries, header, now, ends: again(tries, header, now, now + 99**9),
        "as late as possible": lambda tries, header, now, ends: again(tries, header, now, ends) or ends,
        "no longest pause": lambda tries, header, now, ends: (
            now + 30 * 2 ** (tries - 1) if header is None else again(tries, header, now, ends)
        ),
        "a text": after("operate.again", str),
    },
    "operate.diagnose": {
        "counts everybody": lambda counts: (
            "network" if not any(any(row.values()) for row in counts.values()) else diagnose(counts)
        ),
        "any refusal": lambda counts: (
            "claims" if any(row["refused"] for row in counts.values()) else diagnose(counts)
        ),
        "key and claims exchanged": exchanged(diagnose, "key", "claims"),
        "no dead lane": lambda counts: "fine" if diagnose(counts) == "worker" else diagnose(counts),
        "all is the network": lambda counts: (
            "network" if diagnose(counts) == "down" else diagnose(counts)
        ),
        "a sentence": lambda counts: f"it is the {diagnose(counts)}",
        "a capital": after("operate.diagnose", str.title),
        "nothing": lambda counts: None,
    },
    "processes.ranges": {
        "by the numbers": lambda numbers, size: [
            (first, first + size - 1) for first in range(1, max(numbers, default=0) + 1, size)
        ],
        "half open": lambda numbers, size: [
            (one, numbers[at + size] if at + size < len(numbers) else numbers[-1] + 1)
            for at, one in list(enumerate(numbers))[::size]
        ],
        "indices": lambda numbers, size: [
            (at, min(at + size, len(numbers)) - 1) for at in range(0, len(numbers), size)
        ],
        "the rest is lost": after("processes.ranges", lambda made: made[:-1] or made),
        "too long": lambda numbers, size: [(numbers[0], numbers[-1])] if numbers else [],
        "too short": lambda numbers, size: [(one, one) for one in numbers],
        "backwards": after("processes.ranges", lambda made: made[::-1]),
        "wider": after("processes.ranges", lambda made: [(f - 1, last) for f, last in made]),
        "lists": after("processes.ranges", lambda made: list(map(list, made))),
        "a generator": after("processes.ranges", iter),
        "nothing": lambda numbers, size: None,
    },
    "processes.shares": {
        "to each the whole": lambda window, waiting: dict.fromkeys(waiting, window),
        "equal parts": lambda window, waiting: {
            name: min(window // len(waiting), count) for name, count in waiting.items()
        },
        "by what waits, rounded down": lambda window, waiting: {
            name: min(count, window * count // sum(waiting.values())) for name, count in waiting.items()
        },
        "by what waits, rounded up": lambda window, waiting: {
            name: min(count, -(-window * count // sum(waiting.values())))
            for name, count in waiting.items()
        },
        "first come": first_come,
        "more than waits": lambda window, waiting: {name: window // len(waiting) for name in waiting},
        "fractions": after("processes.shares", lambda given: {k: v / 1 for k, v in given.items()}),
        "only the needy": after("processes.shares", lambda given: {k: v for k, v in given.items() if v}),
        "a list": after("processes.shares", lambda given: list(given.values())),
        "nothing": lambda window, waiting: None,
    },
    "processes.outcomes": {
        "rows": lambda records: dict(Counter(outcome for _, outcome in records)),
        "pairs": lambda records: dict(Counter(outcome for _, outcome in set(records))),
        "the last": lambda records: dict(Counter(dict(records).values())),
        "the first": lambda records: dict(Counter(dict(reversed(records)).values())),
        "all subscribers": lambda records: {"accepted": len({number for number, _ in records})},
        "a number": len,
        "nothing": lambda records: None,
    },
    "worker_life.workers": {
        "exchanged": after("worker_life.workers", lambda pair: pair[::-1]),
        "nobody waits": after("worker_life.workers", lambda pair: (None, pair[1])),
        "the newest is active": lambda steps: (
            None,
            max((n for w, n in steps if w == "file"), default=None),
        ),
        "a list": after("worker_life.workers", list),
        "the active one alone": after("worker_life.workers", lambda pair: pair[1]),
        "pages do not count": lambda steps: workers([one for one in steps if one[0] != "open"]),
        "skip is forgotten": lambda steps: workers([one for one in steps if one[0] != "skip"]),
    },
    "worker_life.my_worker": {
        "other quotes": lambda worker: worker.replace("showNotification('", "showNotification('🔔 "),
        "no backticks": lambda worker: worker.replace("(title,", '("🔔 ${title}",'),
        "no space": lambda worker: worker.replace("(title,", "(`🔔${title}`,"),
        "a bell alone": lambda worker: worker.replace("(title,", '("🔔 ",'),
        "only the new line": lambda worker: "registration.showNotification(`🔔 ${title}`, { body })",
        "bytes": after("worker_life.my_worker", str.encode),
        "forgets to return": lambda worker: None,
    },
    "your_server.is_good": {
        "raises": lambda value, vendors, origins: (
            is_good(value, vendors, origins) if value["endpoint"] else False
        ),
        "the name anywhere": by_its_name_anywhere,
        "urlsplit": by_urlsplit,
        "the endpoint alone": by_the_endpoint_alone,
        "https alone": lambda value, vendors, origins: is_good(value, vendors, []),
        "no dot": lambda value, vendors, origins: is_good(value, tuple(v[1:] for v in vendors), origins),
        "everything": lambda value, vendors, origins: True,
        "a text": after("your_server.is_good", str),
        "nothing": lambda value, vendors, origins: None,
    },
    "your_server.token_for": {
        "a slash": signs_for(lambda endpoint: f"{whole_origin(endpoint)}/"),
        "no port": signs_for(lambda endpoint: whole_origin(endpoint).removesuffix(":8188")),
        "a fraction": lambda endpoint, kept, now, sign: sign(
            {"aud": whole_origin(endpoint), "exp": now + 12 * 3600}
        ),
        "a day": signs_for(whole_origin, until=24 * 3600),
        "counts from nothing": lambda endpoint, kept, now, sign: sign(
            {"aud": whole_origin(endpoint), "exp": 12 * 3600}
        ),
        "keeps nothing": lambda endpoint, kept, now, sign: token_for(endpoint, {}, now, sign),
        "keeps by endpoint": keeps_by_endpoint,
        "one for all": one_for_all,
        "one dict for all": one_dict_for_all,
        "never renews": signs_for(whole_origin, left=0),
        "renews too early": signs_for(whole_origin, left=2 * 3600),
        "sub by hand": lambda endpoint, kept, now, sign: token_for(
            endpoint, kept, now, lambda claims: sign(claims | {"sub": "mailto:me@example.com"})
        ),
        "no dict": lambda endpoint, kept, now, sign: sign(whole_origin(endpoint)),
        "nothing": lambda endpoint, kept, now, sign: None,
    },
}
