"""The options of a message: ttl, urgency and topic, RFC 8030 §5."""

from pushlab.doctor.findings import Finding, bad, hint, of_error, ok
from pushlab.doctor.subscription import encoding_fault, members_of
from pushlab.errors import BadTopic, BadTtl, DeliveryError, MissingTtl
from pushlab.protocol.delivery import PushOptions
from pushlab.protocol.sources import APPLE_TOPIC, AUTOPUSH, FCM_MANUAL, WNS_TTL
from pushlab.protocol.spelling import times
from pushlab.protocol.strict_json import JsonObject

US = "application server"
KNOWN = ("ttl", "urgency", "topic")
THIRTY_DAYS = 30 * 24 * 60 * 60
FOUR_WEEKS = 28 * 24 * 60 * 60


def examine_options(
    options: JsonObject | str | bytes, vendor: str = "", now: float | None = None
) -> list[Finding]:
    """Examine the options of a message.

    ``vendor``: of the push service, if it is known; ``now``: seconds since 1970, to say which
    statements about vendors are old.

    >>> [finding.code for finding in examine_options({"ttl": 0, "topic": "a" * 33})]
    ['ttl-zero', 'bad-topic']
    """
    if unreadable := encoding_fault(options, "the options"):
        return unreadable
    members = members_of(options)
    if members is None:
        fix = 'Give an object, such as {"ttl": 3600}.'
        seen = "the options are not a JSON object"
        return [bad("options-not-an-object", seen, US, "RFC 8030 §5", fix)]
    findings = _examine_ttl(members, vendor, now)
    for name in ("urgency", "topic"):
        findings += _refused(members, name)
    findings += _examine_topic(members.get("topic"), vendor, now)
    if strange := sum(name not in KNOWN for name in members):
        seen = f"{strange} of the options {'is' if strange == 1 else 'are'} none of {', '.join(KNOWN)}"
        fix = "Write the names in lower case; what the notification shows belongs in the payload."
        findings.append(hint("option-unknown", seen, US, "RFC 8030 §5", fix))
    return findings or [ok("options", f"the options: {PushOptions.from_json(members)}")]


def _refused(options: JsonObject, name: str) -> list[Finding]:
    try:
        PushOptions.from_json({name: options[name]} if name in options else {})
    except DeliveryError as error:
        return [of_error(error)]
    return []


def _examine_ttl(options: JsonObject, vendor: str, now: float | None) -> list[Finding]:
    # To Windows' push service, a TTL of 0 contradicts its own cache policy: it answers 400.
    level = bad if vendor == "WNS" else hint
    if options.get("ttl") is None:
        seen = "ttl is missing: RFC 8030 requires it, and pywebpush sends 0 without it"
        fix = "Say how many seconds the message may wait, such as 3600."
        return [level("ttl-missing", seen, US, MissingTtl.rfc, fix)]
    if refused := _refused(options, "ttl"):
        return refused
    if options["ttl"] == 0:
        seen = "ttl is 0: the message is lost if the browser is closed, and WNS answers 400"
        fix = "Say how many seconds the message may wait, unless it matters only now."
        return [level("ttl-zero", seen, US, f"{BadTtl.rfc}; {WNS_TTL.told(now)}", fix)]
    if now and times.unit_of(options["ttl"], now):
        seen = "ttl is a point in time: it counts seconds from now on, and not from 1970"
        fix = "Say how many seconds the message may wait, such as 3600."
        return [hint("ttl-point-in-time", seen, US, BadTtl.rfc, fix)]
    if options["ttl"] > FOUR_WEEKS and vendor == "FCM":
        seen = "ttl is over 28 days, the longest that FCM accepts"
        fix = "Ask for 2419200 seconds at most."
        return [hint("ttl-over-28-days", seen, US, f"{BadTtl.rfc}; {FCM_MANUAL.told(now)}", fix)]
    if options["ttl"] > THIRTY_DAYS:
        seen = "ttl is over 30 days: Mozilla shortens it, and says so in the TTL header of its answer"
        fix = "Ask for 2419200 seconds at most: that is FCM's limit."
        return [hint("ttl-over-30-days", seen, US, f"{BadTtl.rfc}; {AUTOPUSH.told(now)}", fix)]
    return []


def _examine_topic(topic: object, vendor: str, now: float | None) -> list[Finding]:
    if not isinstance(topic, str) or len(topic) % 4 != 1 or _refused({"topic": topic}, "topic"):
        return []
    seen = f"topic has {len(topic)} characters, a length that base64url never has: "
    seen += "Apple answers 400 BadWebPushTopic"
    level = bad if vendor == "Apple" else hint
    where = f"{BadTopic.rfc}; {APPLE_TOPIC.told(now)}"
    return [level("topic-length", seen, US, where, "Make it one character longer or shorter.")]
