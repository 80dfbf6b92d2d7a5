"""A subscription that somebody has copied, stored or typed: every fault at once, W3C Push API §8."""

import ipaddress
import json
from collections.abc import Mapping, Sequence
from typing import Any

from pushlab.appserver.keys import VapidKeys
from pushlab.doctor.endpoints import examine_host, examine_path
from pushlab.doctor.findings import Finding, bad, hint, of_error, ok
from pushlab.doctor.text import base64url_fault, split, vendor
from pushlab.errors import (
    BadAuth,
    BadExpirationTime,
    BadP256dh,
    BadPublicKey,
    EndpointNotAllowed,
    KeyReused,
    MalformedJson,
    NoEndpoint,
    NoKeys,
    NotASubscription,
    NotUtf8,
    PushlabError,
    SubscriptionError,
    WrongKey,
)
from pushlab.protocol import base64url, p256, strict_json, utf8
from pushlab.protocol.reserved_names import is_local
from pushlab.protocol.spelling import Kind, advise, advise_subscription, recognize, times, wrapping
from pushlab.protocol.spelling.recognize import FROM_THE_BROWSER
from pushlab.protocol.spelling.subscription_text import Place, find_in_text
from pushlab.protocol.strict_json import JsonObject, kind
from pushlab.protocol.subscription import AUTH_SECRET, PushSubscription, stands_for_null

THEM = "user agent"
# To examine one member of a subscription, it is combined with others that are valid.
ANY_POINT = p256.raw_public(p256.load_private((1).to_bytes(32, "big")))
ANY_ENDPOINT, ANY_AUTH = "https://push.example.net/", bytes(AUTH_SECRET)


def members_of(source: object) -> JsonObject | None:
    """Return the members of a JSON object, which may be given as text; None if it is not an object."""
    if isinstance(source, str | bytes):
        try:
            text = utf8.decode(source) if isinstance(source, bytes) else source.removeprefix("\ufeff")
            source = strict_json.parse(text)
        except (MalformedJson, NotUtf8):
            return None
    return source if isinstance(source, Mapping) else None


def encoding_fault(source: object, name: str) -> list[Finding]:
    """Name the encoding of a file that is no UTF-8: whatever it holds, it cannot be read."""
    if not isinstance(source, bytes) or not (encoding := utf8.encoding_of(source)):
        return []
    seen = f"{name}: this is text in {encoding}, not UTF-8"
    return [bad("file-encoding", seen, "application server", NotUtf8.rfc, f"{NotUtf8.hint}.")]


def origin_of(endpoint: Any) -> str:
    """Return the origin of an endpoint, or an empty text if the endpoint is not valid."""
    try:
        return PushSubscription(endpoint, ANY_POINT, ANY_AUTH).origin
    except SubscriptionError:
        return ""


def examine_subscription(
    source: JsonObject | str | bytes, now: float, keys: VapidKeys | None = None
) -> list[Finding]:
    """Examine what ``JSON.stringify(subscription)`` gave.

    ``now``: seconds since 1970; ``keys``: of the application server, if they are known. If a member
    ``applicationServerKey`` was stored with the others, it is compared with these keys.

    >>> [finding.code for finding in examine_subscription('{"endpoint": "http://push.example"}', 0)]
    ['endpoint-http', 'no-keys']
    """
    if fault := encoding_fault(source, "the subscription"):
        return fault
    members = members_of(source)
    if members is None or not isinstance(members.get("endpoint"), str):
        # What is no more than a text with an endpoint is told with the place where JSON ends.
        place = _place(source)
        if place and place.name != "holds-an-endpoint":
            rfc, fix = NotASubscription.rfc, place.turn
            return [bad(f"subscription-{place.name}", place.what, "application server", rfc, fix)]
    if members is None:
        return [_refused(source)]
    findings = [
        *examine_endpoint(members.get("endpoint"), now),
        *_examine_keys(members, keys),
        *_examine_expiration_time(members.get("expirationTime"), now),
        *_examine_application_server_key(members, keys),
    ]
    if findings:
        return findings
    service = vendor(members["endpoint"])
    return [ok("subscription", f"{PushSubscription.from_json(members)}, push service: {service}")]


def examine_stored(made_for: Sequence[str], keys: VapidKeys) -> list[Finding]:
    """Count the stored subscriptions that were made for other keys: all, if the keys are new.

    ``made_for``: the applicationServerKey of each, base64url.
    """
    others = sum(key != keys.application_server_key for key in made_for)
    if not others:
        return [ok("stored", f"stored subscriptions: {len(made_for)}, all made for these keys")]
    seen = f"{others} of {len(made_for)} stored subscriptions were made for other keys"
    fix = "Bring the old key file back if there is one; otherwise each browser subscribes again."
    return [bad("stored-for-other-keys", seen, WrongKey.fault, WrongKey.rfc, fix)]


def _place(source: object) -> Place | None:
    """Say where the subscription is in a value or a text, or what there is instead of one."""
    if isinstance(source, str | bytes):
        try:
            text = utf8.decode(source) if isinstance(source, bytes) else source.removeprefix("\ufeff")
        except NotUtf8:
            return None
        try:
            source = strict_json.parse(text)
        except MalformedJson:
            return find_in_text(text)
    return wrapping.find_instead(source)


def _refused(source: JsonObject | str | bytes) -> Finding:
    """Say why a text is no subscription, and where in it."""
    try:
        PushSubscription.from_json(source)
    except NotASubscription as error:
        return of_error(error)
    raise AssertionError("this is a JSON object")


def examine_endpoint(endpoint: Any, now: float) -> list[Finding]:
    if endpoint is None:
        return [of_error(NoEndpoint("there is no member endpoint"))]
    try:
        origin = PushSubscription(endpoint, ANY_POINT, ANY_AUTH).origin
    except SubscriptionError as error:
        return [of_error(error)]
    service, rfc, fix = vendor(endpoint), EndpointNotAllowed.rfc, f"{EndpointNotAllowed.hint}."
    if service != "this machine" and origin.startswith("http:"):
        return [bad("endpoint-http", f"the endpoint at {origin} is not https", THEM, rfc, fix)]
    if service:
        return examine_path(endpoint, service, now)
    parts = split(endpoint)
    if parts and (found := examine_host(parts.hostname or "", now)):
        return found
    if parts and _is_private(parts.hostname or ""):
        seen = (
            f"the endpoint {origin} is inside a private network: an attacker can use a server that "
            "posts there"
        )
        fix = "Send to the push services that you know, and refuse private addresses."
        return [hint("endpoint-private", seen, "application server", rfc, fix)]
    seen = f"the endpoint is at {origin}, a push service that is not known here"
    fix = "A subscriber chooses where your server posts, so list the hosts that you send to."
    return [hint("endpoint-unknown", seen, "application server", rfc, fix)]


def _is_private(host: str) -> bool:
    if is_local(host):
        return True
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return False


def _examine_keys(members: JsonObject, ours: VapidKeys | None) -> list[Finding]:
    keys: Any = members.get("keys")
    try:
        # The endpoint is valid, so the first fault that can be found is in the keys.
        PushSubscription.from_json({"endpoint": ANY_ENDPOINT, "keys": keys})
    except (BadP256dh, BadAuth):
        pass  # Both are examined below, each by itself.
    except SubscriptionError as error:
        if place := wrapping.find_keys(members):
            return [
                bad(
                    place.name if place.name.startswith("keys-") else f"keys-{place.name}",
                    place.what,
                    "application server",
                    NoKeys.rfc,
                    place.turn,
                )
            ]
        if _is_keyless(members):
            if not members.get("endpoint"):  # It is told already, and nothing can be sent.
                return []
            seen = f"{error.detail}: messages without a payload can be sent to it, and no others"
            return [hint("no-keys", seen, THEM, error.rfc, f"{error.hint}.")]
        return [of_error(error)]
    p256dh, auth = keys["p256dh"], keys["auth"]
    swapped: list[Finding] = []
    if (_kind(p256dh), _kind(auth)) == (Kind.AUTH, Kind.PUBLIC):
        fix = "Exchange them, and check where they get swapped: columns, arguments, form fields."
        seen = f"p256dh and auth are swapped: {AUTH_SECRET} and {p256.POINT} bytes"
        swapped = [bad("keys-swapped", seen, "application server", BadP256dh.rfc, fix)]
        p256dh, auth = auth, p256dh  # Each may have another fault, too.
    return [*swapped, *_examine_p256dh(p256dh, ours), *_examine_auth(auth)]


def _is_keyless(members: JsonObject) -> bool:
    """Say whether this is a subscription that has no keys at all, which a server can store."""
    try:
        read = PushSubscription.from_json({**members, "endpoint": ANY_ENDPOINT}, keys_required=False)
    except SubscriptionError:
        return False
    return not read.has_keys


def _kind(text: object) -> Kind | None:
    return recognize(text).kind if isinstance(text, str) else None


def _examine_p256dh(text: object, ours: VapidKeys | None) -> list[Finding]:
    if fault := _text_fault("p256dh", text, BadP256dh, Kind.PUBLIC):
        return [fault]
    raw, rfc = base64url.decode(text), BadP256dh.rfc
    if len(raw) != p256.POINT:
        seen = f"p256dh is {len(raw)} bytes long, not {p256.POINT}"
        fix = "Store all 87 characters: check whether a column or a form field is too short."
        if len(raw) > p256.POINT:
            fix = "Store what the browser gave: 87 characters, and nothing after them."
        code = "p256dh-truncated" if len(raw) < p256.POINT else "p256dh-too-long"
        return [bad(code, seen, "application server", rfc, fix)]
    try:
        p256.load_public(raw)
    except PushlabError as error:
        fix = (
            "A character was changed on the way, or somebody made the key up: refuse it before you "
            "store it."
        )
        return [bad("p256dh-off-the-curve", f"p256dh: {error.detail}", THEM, rfc, fix)]
    if ours is not None and raw == ours.public:
        seen = "p256dh is your own VAPID key: nobody could decrypt a message for it"
        fix = "Send p256dh as subscription.toJSON() gives it; the VAPID key only signs."
        return [bad("p256dh-is-the-vapid-key", seen, THEM, KeyReused.rfc, fix)]
    return []


def _examine_auth(text: object) -> list[Finding]:
    if fault := _text_fault("auth", text, BadAuth, Kind.AUTH):
        return [fault]
    if (length := len(base64url.decode(text))) == AUTH_SECRET:
        return []
    seen = f"auth is {length} bytes long, not {AUTH_SECRET}"
    code = "auth-truncated" if length < AUTH_SECRET else "auth-too-long"
    return [bad(code, seen, "application server", BadAuth.rfc, "Store all 22 characters.")]


def _text_fault(name: str, text: object, error: type[SubscriptionError], wanted: Kind) -> Finding | None:
    found = advise_subscription(text, wanted)
    if not isinstance(text, str):
        what = f": it is {found.what}" if found else ""
        refused = error(f"{name} is {kind(text)}, not text{what}", hint=found.turn if found else "")
        return of_error(refused, f"{name}-not-text")
    if found:
        whose = "application server" if found.turn == FROM_THE_BROWSER else THEM
        return bad(f"{name}-{found.name}", f"{name} is {found.what}", whose, error.rfc, found.turn)
    return base64url_fault(name, text, THEM)


def _examine_expiration_time(time: Any, now: float) -> list[Finding]:
    try:
        PushSubscription(ANY_ENDPOINT, ANY_POINT, ANY_AUTH, time)
    except SubscriptionError as error:
        return [of_error(error)]
    if time is None:
        return []
    unit = times.unit_of(time, now)
    if unit and unit is not times.MILLISECONDS:
        fix = (
            "Write milliseconds since 1970, exactly as the browser gave them; only the exp of a "
            "token is in seconds."
        )
        seen = f"expirationTime counts {unit.what}"
        return [bad(f"expiration-time-in-{unit.name}", seen, THEM, BadExpirationTime.rfc, fix)]
    if stands_for_null(time):
        shown = "0" if time == 0 else "a time before 2015"
        seen = f"expirationTime is {shown}, where the browser gave null: the subscription is not expired"
        fix = "Keep null for null: in Go, Kotlin and C# that needs a type that can be empty."
        us, rfc = "application server", BadExpirationTime.rfc
        return [hint("expiration-time-for-null", seen, us, rfc, fix)]
    if time > now * 1000:
        return []
    seen = f"the subscription expired {(now - time / 1000) / 86400:.1f} days ago"
    fix = "Remove it; the page subscribes again when somebody opens it."
    return [bad("subscription-expired", seen, THEM, BadExpirationTime.rfc, fix)]


def _examine_application_server_key(members: JsonObject, keys: VapidKeys | None) -> list[Finding]:
    options = members.get("options")
    theirs = members.get("applicationServerKey")
    if theirs is None and isinstance(options, Mapping):
        theirs = options.get("applicationServerKey")
    if keys is None or theirs is None:
        return []
    found = recognize(theirs if isinstance(theirs, str | bytes) else json.dumps(theirs, default=str))
    if found.kind is not Kind.PUBLIC:
        advice = advise(theirs, Kind.PUBLIC)
        seen = f"applicationServerKey is {advice.what if advice else kind(theirs)}: no key can be read"
        fix = "Store the key that the page subscribed with, as 87 characters of base64url, or none."
        return [hint("application-server-key-unreadable", seen, THEM, BadPublicKey.rfc, fix)]
    if found.raw == keys.public:  # In any spelling: it is this server that has stored it.
        return []
    shown, ours = f"{base64url.encode(found.raw)[:8]}…", f"{keys.application_server_key[:8]}…"
    seen = f"the subscription was made for {shown}, and these keys are {ours}"
    fix = (
        "Sign with the old keys if you still have them; otherwise let the page unsubscribe and "
        "subscribe again."
    )
    return [bad("made-for-another-key", seen, WrongKey.fault, WrongKey.rfc, fix)]
