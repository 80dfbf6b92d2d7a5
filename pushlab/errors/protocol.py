"""What the specifications refuse: texts, subscriptions, bodies, tokens and messages."""

from pushlab.errors.base import PushlabError

# A table: a class a row, and one empty line between rows. __all__ has a line for each group, in the
# order of the tree, and a hint is one line of the table however long it is.
# fmt: off
# ruff: noqa: E501

__all__ = [
    "FormatError", "NotUtf8", "BadBase64url", "BadPublicKey", "BadPrivateKey",
    "SubscriptionError", "NotASubscription", "NoEndpoint", "BadEndpoint", "EndpointNotAllowed",
    "NoKeys", "BadP256dh", "BadAuth", "BadExpirationTime", "UnknownSubscription", "NoSubscriptions",
    "EncryptionError", "BadPlaintext", "PlaintextTooLong", "TruncatedHeader", "BadRecordSize", "BadKeyid",
    "TruncatedRecord", "TooManyRecords", "DecryptionFailed", "BadDelimiter",
    "VapidError", "MissingAuthorization", "BadAuthorization", "BadToken", "BadSignature",
    "BadAudience", "BadExpiry", "TokenExpired", "ExpiryTooFar", "BadSubject", "WrongKey",
    "KeyReused",
    "DeliveryError", "MissingTtl", "BadTtl", "BadUrgency", "BadTopic", "BadContentEncoding",
    "BodyTooLarge", "UnknownPushResource", "SubscriptionGone", "QueueFull", "PushServiceRefused", "BadResponse",
    "SendingFailed",
]

class FormatError(PushlabError, status=400):
    """Text or bytes are not what the specification describes."""

class NotUtf8(FormatError, rfc="RFC 3629"):
    """This is not text in UTF-8."""
    hint = "Save it as UTF-8: your editor can, and in PowerShell use Set-Content -Encoding utf8 instead of >"

class BadBase64url(FormatError, rfc="RFC 4648 §5"):
    """Not base64url."""
    hint = "Use A-Z a-z 0-9 - _ and no padding"

class BadPublicKey(FormatError, rfc="RFC 8291 §4"):
    """Not an uncompressed P-256 point."""
    hint = "Use the 65 bytes that begin with 04: not PEM, not DER, not 64 bytes"

class BadPrivateKey(FormatError, rfc="RFC 7518 §6.2.2.1"):
    """Not a P-256 private key."""
    hint = "Use 32 bytes, and keep leading zeros"

class SubscriptionError(PushlabError, status=400, fault="user agent"):
    """The subscription cannot be used."""

class NotASubscription(SubscriptionError, rfc="W3C Push API §8"):
    """A subscription is a JSON object."""
    hint = "Send what JSON.stringify(subscription) gives"

class NoEndpoint(SubscriptionError, rfc="W3C Push API §8"):
    """The subscription has no endpoint."""
    hint = "Send what JSON.stringify(subscription) gives"

class BadEndpoint(SubscriptionError, rfc="RFC 8030 §4"):
    """The endpoint is not an absolute http(s) URL."""
    hint = "Send the endpoint exactly as the browser gave it"

class EndpointNotAllowed(SubscriptionError, rfc="RFC 8030 §8"):
    """The endpoint belongs to no push service that this server sends to."""
    hint = "Use an https endpoint; only the lab's own push service uses plain http"

class NoKeys(SubscriptionError, rfc="W3C Push API §8.1"):
    """The subscription has no keys, so nothing can be encrypted for it."""
    hint = "Send p256dh and auth as well: JSON.stringify(subscription) includes them"

class BadP256dh(SubscriptionError, rfc="RFC 8291 §3.1"):
    """p256dh is not a point on P-256."""
    hint = "Send the 65 bytes as base64url; check that p256dh and auth are not swapped"

class BadAuth(SubscriptionError, rfc="RFC 8291 §3.2"):
    """The auth secret is not 16 bytes."""
    hint = "Send the 16 bytes as base64url, exactly as subscription.toJSON() gives them"

class BadExpirationTime(SubscriptionError, rfc="W3C Push API §8"):
    """expirationTime is neither null nor a number of milliseconds."""
    hint = "Send it exactly as the browser gave it, or leave it out"

class UnknownSubscription(SubscriptionError, status=404, fault=""):
    """No such subscription is stored here."""
    hint = "Subscribe again: the page sends the new subscription to this server"

class NoSubscriptions(SubscriptionError, status=409, fault=""):
    """Nobody is subscribed."""
    hint = "Open the page and press Subscribe to push"

class EncryptionError(PushlabError, status=400, fault="application server"):
    """The message body is not what RFC 8291 allows."""

class BadPlaintext(EncryptionError, rfc="RFC 8188 §2"):
    """The plaintext is not bytes."""
    hint = "Encode the text: .encode() makes UTF-8 of it; an object becomes text with json.dumps()"

class PlaintextTooLong(EncryptionError, status=413, rfc="RFC 8291 §4"):
    """The plaintext does not fit into one record of a 4096-byte body."""
    hint = "Send at most 3993 bytes, or send an id and let the worker fetch the rest"

class TruncatedHeader(EncryptionError, rfc="RFC 8188 §2.1"):
    """The body ends inside the aes128gcm header."""
    hint = "Begin the body with salt(16), rs(4), idlen(1), keyid(idlen)"

class BadRecordSize(EncryptionError, rfc="RFC 8188 §2.1"):
    """The record size does not fit."""
    hint = "Set rs to at least 18: it counts data, delimiter, padding and 16 bytes of tag"

class BadKeyid(EncryptionError, rfc="RFC 8291 §4"):
    """The keyid is not the sender's public key."""
    hint = "Put the 65 bytes of as_public there, uncompressed"

class TruncatedRecord(EncryptionError, rfc="RFC 8188 §2"):
    """A record is too short to hold a delimiter and a tag."""
    hint = "Give each record at least 18 bytes; the last one may have 17"

class TooManyRecords(EncryptionError, rfc="RFC 8291 §4"):
    """The body has more than one record."""
    hint = "Use one record, and an rs that is at least 18 larger than the plaintext and its padding"

class DecryptionFailed(EncryptionError, rfc="RFC 8188 §2"):
    """The authentication tag does not fit: the keys differ, or bytes were changed."""
    hint = "Check p256dh, auth and salt; a browser drops such a message and fires no push event"

class BadDelimiter(EncryptionError, rfc="RFC 8188 §2"):
    """The padding has no valid delimiter."""
    hint = "End the data of the last record with 02 and of every other record with 01, then zeros"

class VapidError(PushlabError, status=403, fault="application server"):
    """The application server did not show who it is."""

class MissingAuthorization(VapidError, status=401, rfc="RFC 8292 §4.2", headers={"WWW-Authenticate": "vapid"}):
    """The request has no vapid Authorization."""
    hint = "Send 'Authorization: vapid t=<token>, k=<public key>'"

class BadAuthorization(VapidError, rfc="RFC 8292 §3"):
    """The Authorization header lacks t or k."""
    hint = "Send 'Authorization: vapid t=<token>, k=<public key>'"

class BadToken(VapidError, rfc="RFC 8292 §2"):
    """The token is not a JWT signed with ES256."""
    hint = 'Join base64url of {"typ":"JWT","alg":"ES256"}, claims and signature with dots'

class BadSignature(VapidError, rfc="RFC 8292 §4.2"):
    """The signature does not fit header, claims and key."""
    hint = "Sign with the private half of k, and send r‖s (64 bytes), not DER"

class BadAudience(VapidError, rfc="RFC 8292 §2"):
    """aud is not the origin of the push resource."""
    hint = "Set aud to scheme, host and port of the endpoint: no path, no slash at the end"

class BadExpiry(VapidError, rfc="RFC 8292 §2"):
    """exp is missing or is not a number."""
    hint = "Set exp to the seconds since 1970, as a JSON number"

class TokenExpired(VapidError, rfc="RFC 8292 §4.2"):
    """exp is in the past."""
    hint = "Sign a new token; if it is new, set this machine's clock"

class ExpiryTooFar(VapidError, rfc="RFC 8292 §2"):
    """exp is more than 24 hours ahead."""
    hint = "Set exp to at most 24 hours from now, in seconds and not milliseconds; 12 hours leave room for clocks that differ"

class BadSubject(VapidError, status=400, rfc="RFC 8292 §2.1"):
    """sub is not a contact URI."""
    hint = "Use 'mailto:you@example.com' without a space, or an https: URL"

class WrongKey(VapidError, rfc="RFC 8292 §4.2"):
    """k is not the key that the subscription was made for."""
    hint = "Sign with the key that was applicationServerKey in subscribe(), or subscribe again"

class KeyReused(VapidError, status=400, rfc="RFC 8292 §3.2"):
    """The key that signs is also the key that encrypts."""
    hint = "Keep the VAPID key for signing, and make a fresh key pair for each message"

class DeliveryError(PushlabError, status=400, fault="application server"):
    """The push service does not accept the message."""

class MissingTtl(DeliveryError, rfc="RFC 8030 §5.2"):
    """The request has no TTL header."""
    hint = "Send a TTL header: how many seconds the message may wait, where 0 means now or never"

class BadTtl(DeliveryError, rfc="RFC 8030 §5.2"):
    """TTL is not a whole number of seconds."""
    hint = "Send only digits: the number of seconds, not negative"

class BadUrgency(DeliveryError, rfc="RFC 8030 §5.3"):
    """Urgency is not one of the four values."""
    hint = "Send very-low, low, normal or high, once"

class BadTopic(DeliveryError, rfc="RFC 8030 §5.4"):
    """Topic is not 1 to 32 base64url characters."""
    hint = "Use A-Z a-z 0-9 - _ and at most 32 of them; hash a longer name"

class BadContentEncoding(DeliveryError, rfc="RFC 8291 §4"):
    """The body is not marked as aes128gcm."""
    hint = "Send 'Content-Encoding: aes128gcm', without the headers of the older aesgcm"

class BodyTooLarge(DeliveryError, status=413, rfc="RFC 8030 §7.2"):
    """The body is longer than 4096 bytes."""
    hint = "Send at most 3993 bytes of plaintext, which make a body of 4096 bytes"

class UnknownPushResource(DeliveryError, status=404, rfc="RFC 8030 §7.3"):
    """This push service never made such an endpoint, or its subscription expired."""
    hint = "Remove the subscription: it will never work again"

class SubscriptionGone(DeliveryError, status=410, rfc="RFC 9110 §15.5.11", fault=""):
    """The user agent has unsubscribed."""
    hint = "Nothing is broken. Remove the subscription: it will never work again"

class QueueFull(DeliveryError, status=429, rfc="RFC 8030 §8.4"):
    """Too many messages wait for this user agent."""
    hint = "Wait as long as Retry-After says, and use Topic to replace what is outdated"

class PushServiceRefused(DeliveryError, status=502):
    """The push service did not accept the message."""

class BadResponse(DeliveryError, status=502, rfc="RFC 9112 §4", fault="push service"):
    """The push service sent back something that is not an HTTP response."""
    hint = "Check that the endpoint belongs to a push service; we do not know whether it has the message"

class SendingFailed(DeliveryError, status=500, fault="this machine"):
    """The message could not be sent: this program has a fault."""
    hint = "The other messages are not affected. Report this fault, with the line that is named here"
