"""Every way web push goes wrong here, drawn as one tree.

    PushlabError
    ├── FormatError           text or bytes that are not what the specification draws
    │   └── BadBase64url, BadPublicKey, BadPrivateKey
    ├── SubscriptionError     what the user agent hands to the application server, W3C Push API
    │   ├── NotASubscription, NoEndpoint, BadEndpoint, EndpointNotAllowed, NoKeys, BadP256dh, BadAuth,
    │   ├── BadExpirationTime
    │   └── UnknownSubscription, NoSubscriptions
    ├── EncryptionError       a message body, RFC 8188 and RFC 8291
    │   ├── PlaintextTooLong, TruncatedHeader, BadRecordSize, BadKeyid
    │   └── TruncatedRecord, TooManyRecords, DecryptionFailed, BadDelimiter
    ├── VapidError            who the application server is, RFC 8292
    │   ├── MissingAuthorization, BadAuthorization, BadToken, BadSignature, BadAudience
    │   └── BadExpiry, TokenExpired, ExpiryTooFar, BadSubject, WrongKey, KeyReused
    ├── DeliveryError         the request to the push service, RFC 8030
    │   ├── MissingTtl, BadTtl, BadUrgency, BadTopic, BadContentEncoding, BodyTooLarge
    │   └── UnknownPushResource, SubscriptionGone, QueueFull, PushServiceRefused
    ├── RequestError          any other request to a server of ours, RFC 9110
    │   ├── MalformedJson, BadField, RequestTooLarge, HeadTooLarge, RequestTimeout, NotJson
    │   ├── WrongHost, CrossOrigin, InstructorOnly, TooManyConnections, TooManySubscriptions
    │   └── MethodNotAllowed, UnknownPath, InternalError
    ├── KeyFileError          VAPID keys on disk
    │   └── KeyFileMissing, KeyFileExists, KeyFileMalformed, KeyMismatch
    ├── StoreError            the database
    │   ├── UnableToSaveSubscription, UnableToReadDatabase, UnableToWriteDatabase
    │   └── DatabaseLocked
    ├── LabError              the laboratory itself
    │   ├── PortTaken, BrowserNotFound, BrowserFailed, TimedOut, LabStopped, UnknownFlavour
    │   └── BadHost, BadCertificate
    └── ExerciseError         what a learner has written
        └── NotYet

Each leaf knows five things: ``code`` (its id in JSON, its own name in kebab-case), ``status`` (the
HTTP status with which a server reports it), ``rfc`` (where it is written), ``fault`` (which party has
to change something) and ``hint`` (what to do next). Printing an error prints what a person needs of
them. A leaf inherits what it does not say.
"""

import re
import textwrap


class PushlabError(Exception):
    """Something went wrong.

    >>> print(BadAuth("auth is 12 bytes long"))
    auth is 12 bytes long (RFC 8291 §3.2). Fault: user agent. Send the 16 bytes, base64url, just as subscription.toJSON() gives.
    """

    code, status, rfc, fault, hint = "pushlab-error", 500, "", "", ""

    def __init_subclass__(cls, **facts: str | int):
        cls.code = re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()
        for name, value in facts.items():
            setattr(cls, name, value)

    def __init__(self, detail: str = ""):
        self.detail = detail or (type(self).__doc__ or "").strip()
        super().__init__(self.detail)

    def __str__(self) -> str:
        where = f" ({self.rfc})" if self.rfc else ""
        whose = f" Fault: {self.fault}." if self.fault else ""
        what_next = f" {self.hint}." if self.hint else ""
        said = f"{self.detail.rstrip('.')}{where}"
        return f"{said}{'' if said.endswith('?') else '.'}{whose}{what_next}"

    def to_json(self) -> dict:
        """Return the body that a server of ours answers with."""
        return {"error": {"id": self.code, "message": str(self)}}


# What follows is a table: a class a row, and one empty line between rows.
# fmt: off

class FormatError(PushlabError, status=400):
    """Text or bytes are not what the specification draws."""

class BadBase64url(FormatError, rfc="RFC 4648 §5"):
    """Not base64url."""
    hint = "Use A-Z a-z 0-9 - _ and no padding"

class BadPublicKey(FormatError, rfc="RFC 8291 §4"):
    """Not an uncompressed P-256 point."""
    hint = "Use the 65 bytes that begin with 04: not PEM, not DER, not 64 bytes"

class BadPrivateKey(FormatError, rfc="RFC 7518 §6.2.2.1"):
    """Not a P-256 private key."""
    hint = "Use 32 bytes, leading zeros kept"

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
    hint = "Send the endpoint just as the browser gave it"

class EndpointNotAllowed(SubscriptionError, rfc="RFC 8030 §8"):
    """The endpoint belongs to no push service that this server sends to."""
    hint = "Push services speak https; plain http is for the lab's own push service alone"

class NoKeys(SubscriptionError, rfc="W3C Push API §8.1"):
    """The subscription has no keys, so nothing can be encrypted for it."""
    hint = "Send p256dh and auth as well: JSON.stringify(subscription) includes them"

class BadP256dh(SubscriptionError, rfc="RFC 8291 §3.1"):
    """p256dh is not a point on P-256."""
    hint = "Send the 65 bytes, base64url; check that p256dh and auth are not swapped"

class BadAuth(SubscriptionError, rfc="RFC 8291 §3.2"):
    """The auth secret is not 16 bytes."""
    hint = "Send the 16 bytes, base64url, just as subscription.toJSON() gives"

class BadExpirationTime(SubscriptionError, rfc="W3C Push API §8"):
    """expirationTime is neither null nor a number of milliseconds."""
    hint = "Send it just as the browser gave it, or leave it out"

class UnknownSubscription(SubscriptionError, status=404):
    """No such subscription is stored here."""
    hint = "Subscribe again: the page sends the new subscription to this server"

class NoSubscriptions(SubscriptionError, status=409):
    """Nobody has subscribed yet."""
    hint = "Open the page and press Subscribe to push first"

class EncryptionError(PushlabError, status=400, fault="application server"):
    """The message body is not what RFC 8291 allows."""

class PlaintextTooLong(EncryptionError, status=413, rfc="RFC 8291 §4"):
    """The plaintext does not fit into one record of a 4096-byte body."""
    hint = "Send at most 3993 bytes, or send an id and let the worker fetch the rest"

class TruncatedHeader(EncryptionError, rfc="RFC 8188 §2.1"):
    """The body ends inside the aes128gcm header."""
    hint = "Begin the body with salt(16), rs(4), idlen(1), keyid(idlen)"

class BadRecordSize(EncryptionError, rfc="RFC 8188 §2"):
    """The record size does not fit."""
    hint = "rs counts data, delimiter, padding and 16 bytes of tag: at least 18"

class BadKeyid(EncryptionError, rfc="RFC 8291 §4"):
    """The keyid is not the sender's public key."""
    hint = "Put the 65 bytes of as_public there, uncompressed"

class TruncatedRecord(EncryptionError, rfc="RFC 8188 §2"):
    """A record is too short to hold a delimiter and a tag."""
    hint = "A record is at least 18 bytes long; the last one may have 17"

class TooManyRecords(EncryptionError, rfc="RFC 8291 §4"):
    """The body has more than one record."""
    hint = "Use one record with rs larger than the plaintext by at least 17"

class DecryptionFailed(EncryptionError, rfc="RFC 8188 §2"):
    """The authentication tag does not fit: other keys, or changed bytes."""
    hint = "Check p256dh, auth and salt; a browser drops such a message without a push event"

class BadDelimiter(EncryptionError, rfc="RFC 8188 §2"):
    """The padding has no valid delimiter."""
    hint = "End the data of the last record with 02, of every other one with 01, then zeros"

class VapidError(PushlabError, status=403, fault="application server"):
    """The application server did not show who it is."""

class MissingAuthorization(VapidError, status=401, rfc="RFC 8292 §4.2"):
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
    hint = "Set exp to seconds since 1970, as a JSON number"

class TokenExpired(VapidError, rfc="RFC 8292 §4.2"):
    """exp is in the past."""
    hint = "Sign a new token; if it is new, set this machine's clock"

class ExpiryTooFar(VapidError, rfc="RFC 8292 §2"):
    """exp is more than 24 hours ahead."""
    hint = "Set exp to at most 24 hours from now, in seconds and not milliseconds; 12 leave room for clocks"

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
    """The push service does not take the message."""

class MissingTtl(DeliveryError, rfc="RFC 8030 §5.2"):
    """The request has no TTL header."""
    hint = "Say how many seconds the message may wait; 0 is now or never"

class BadTtl(DeliveryError, rfc="RFC 8030 §5.2"):
    """TTL is not a whole number of seconds."""
    hint = "Send digits alone: seconds, not negative"

class BadUrgency(DeliveryError, rfc="RFC 8030 §5.3"):
    """Urgency is not one of the four values."""
    hint = "Send very-low, low, normal or high, once"

class BadTopic(DeliveryError, rfc="RFC 8030 §5.4"):
    """Topic is not 1 to 32 base64url characters."""
    hint = "Use A-Z a-z 0-9 - _ and at most 32 of them; hash a longer name"

class BadContentEncoding(DeliveryError, rfc="RFC 8291 §4"):
    """The body is not marked as aes128gcm."""
    hint = "Send 'Content-Encoding: aes128gcm', and nothing of the older aesgcm headers"

class BodyTooLarge(DeliveryError, status=413, rfc="RFC 8030 §7.2"):
    """The body is longer than 4096 bytes."""
    hint = "4096 bytes of body hold 3993 bytes of plaintext"

class UnknownPushResource(DeliveryError, status=404, rfc="RFC 8030 §7.3"):
    """This push service never made such an endpoint, or its subscription expired."""
    hint = "Remove the subscription: it will never work again"

class SubscriptionGone(DeliveryError, status=410, rfc="RFC 8030 §7.3", fault="user agent"):
    """The user agent has unsubscribed."""
    hint = "Nothing is broken. Remove the subscription: it will never work again"

class QueueFull(DeliveryError, status=429, rfc="RFC 8030 §8.4"):
    """Too many messages wait for this user agent."""
    hint = "Wait as long as Retry-After says, and use Topic to replace what is outdated"

class PushServiceRefused(DeliveryError, status=502):
    """The push service did not accept the message."""

class RequestError(PushlabError, status=400, fault="client"):
    """The request cannot be served."""

class MalformedJson(RequestError, rfc="RFC 8259"):
    """The body is not JSON."""
    hint = "Send UTF-8 JSON text, made with JSON.stringify or json.dumps"

class BadField(RequestError):
    """A field is missing or of the wrong type."""

class RequestTooLarge(RequestError, status=413):
    """The body is larger than this server reads."""
    hint = "Send less"

class HeadTooLarge(RequestError, status=431, rfc="RFC 6585 §5"):
    """Request line and headers are longer than this server reads."""
    hint = "Send shorter headers: cookies for this host, perhaps?"

class RequestTimeout(RequestError, status=408, rfc="RFC 9110 §15.5.9"):
    """The body did not come in time."""
    hint = "Send the body at once, and as long as Content-Length says"

class NotJson(RequestError, status=415, rfc="RFC 9110 §15.5.16"):
    """The body is not said to be JSON."""
    hint = "Send 'Content-Type: application/json'"

class WrongHost(RequestError, status=421, rfc="RFC 9110 §15.5.20"):
    """The request is for another server."""
    hint = "Open the address that the lab prints, or come through a proxy that speaks https"

class CrossOrigin(RequestError, status=403, rfc="RFC 6454 §7"):
    """A page of another origin sent this."""
    hint = "Send it from the server's own page, or from a program, without Origin"

class InstructorOnly(RequestError, status=401, rfc="RFC 6750 §2.1"):
    """This is for the instructor of the room."""
    hint = "Send 'Authorization: Bearer TOKEN' with the token that the lab printed when it started"

class TooManyConnections(RequestError, status=503, rfc="RFC 9110 §15.6.4"):
    """As many are connected as this server takes."""
    hint = "Close what you do not need, and wait as long as Retry-After says"

class TooManySubscriptions(RequestError, status=503, rfc="RFC 9110 §15.6.4"):
    """As many subscriptions are kept as this server takes."""
    hint = "Remove those that are not used any more"

class MethodNotAllowed(RequestError, status=405, rfc="RFC 9110 §15.5.6"):
    """The path is known, the method is not."""
    hint = "Use a method that the Allow header lists"

class UnknownPath(RequestError, status=404, rfc="RFC 9110 §15.5.5"):
    """Nothing is served at this path."""
    hint = "Check the URL, and its prefix if a proxy is in between"

class InternalError(RequestError, status=500, fault="this server"):
    """The server itself failed."""
    hint = "Look in the lab's log, and report it: this is a bug"

class KeyFileError(PushlabError, status=500, fault="application server"):
    """The file of VAPID keys cannot be used."""

class KeyFileMissing(KeyFileError):
    """There is no such key file."""
    hint = "Check the path first: new keys silence every old subscription"

class KeyFileExists(KeyFileError):
    """A key file is there already."""
    hint = "Keep it: new keys silence every old subscription. Pass overwrite=True if you mean it"

class KeyFileMalformed(KeyFileError):
    """The file does not hold a VAPID key."""
    hint = "A key file is a .env with VAPID_PRIVATE_KEY, a PEM, a JWK, or 32 raw bytes"

class KeyMismatch(KeyFileError, rfc="RFC 8292 §3.2"):
    """The public key is not the other half of the private key."""
    hint = "Delete the public half and let it be computed, or find the private half that belongs to it"

class StoreError(PushlabError, status=500, fault="this machine"):
    """The database did not do what it was asked."""
    hint = "Look at disk space and at who else has the database open; nothing stored was changed"
    def __init__(self, detail: str = "", owner: str = ""):  # Each server has a database of its own.
        self.fault = owner or self.fault
        super().__init__(detail)

class UnableToSaveSubscription(StoreError):
    """The subscription could not be saved."""

class UnableToReadDatabase(StoreError):
    """The database could not be read."""

class UnableToWriteDatabase(StoreError):
    """The database could not be written."""

class DatabaseLocked(StoreError, status=503):
    """Another program holds the database."""
    hint = "Wait a moment, and try again; nothing stored was changed"

class LabError(PushlabError, fault="this machine"):
    """The laboratory could not do what it was asked."""

class PortTaken(LabError):
    """Another program holds the port."""
    hint = "Stop the other kernel (Kernel > Shut Down), or choose other ports with Lab(port=…, push_port=…)"

class BrowserNotFound(LabError):
    """No such browser is installed."""
    hint = "Install it, or use the virtual user agent, which needs nothing"

class BrowserFailed(LabError):
    """The browser did not do what it was asked."""

class TimedOut(LabError):
    """What was waited for did not come."""

class LabStopped(LabError):
    """The lab is not running."""
    hint = "Run the cell with Lab() again"

class UnknownFlavour(LabError, hint="Choose one of those, or leave it out: strict is the default"):
    """The push service has no such flavour."""

class BadHost(LabError):
    """The lab cannot listen at this address."""
    hint = "Give one IPv4 address of this machine in the room's network, such as 192.168.1.20"

class BadCertificate(LabError, rfc="RFC 5280 §4.1"):
    """The page cannot be served by https with this certificate."""
    hint = "Give two PEM files: certfile has the certificate, then its issuers'; keyfile its private key"

class ExerciseError(PushlabError, status=400):
    """An exercise of a lesson."""
    def _render_traceback_(self) -> list[str]:  # IPython asks. The way through the check helps nobody.
        return textwrap.wrap(f"Not yet. {self}", 88)

class NotYet(ExerciseError):
    """The exercise is not solved yet."""
    hint = "Change your cell, run it, and run the check again"
