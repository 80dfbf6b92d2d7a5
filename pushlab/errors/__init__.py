"""Every way web push goes wrong here, drawn as one tree.

    PushlabError
    ├── FormatError           text or bytes that are not what the specification describes
    │   └── NotUtf8, BadBase64url, BadPublicKey, BadPrivateKey
    ├── SubscriptionError     what the user agent hands to the application server, W3C Push API
    │   ├── NotASubscription, NoEndpoint, BadEndpoint, EndpointNotAllowed, NoKeys, BadP256dh, BadAuth,
    │   ├── BadExpirationTime
    │   └── UnknownSubscription, NoSubscriptions
    ├── EncryptionError       a message body, RFC 8188 and RFC 8291
    │   ├── BadPlaintext, PlaintextTooLong, TruncatedHeader, BadRecordSize, BadKeyid
    │   └── TruncatedRecord, TooManyRecords, DecryptionFailed, BadDelimiter
    ├── VapidError            who the application server is, RFC 8292
    │   ├── MissingAuthorization, BadAuthorization, BadToken, BadSignature, BadAudience
    │   └── BadExpiry, TokenExpired, ExpiryTooFar, BadSubject, WrongKey, KeyReused
    ├── DeliveryError         the request to the push service, RFC 8030
    │   ├── MissingTtl, BadTtl, BadUrgency, BadTopic, BadContentEncoding, BodyTooLarge
    │   ├── UnknownPushResource, SubscriptionGone, QueueFull, PushServiceRefused
    │   └── BadResponse, SendingFailed
    ├── RequestError          any other request to a server of ours, RFC 9110
    │   ├── MalformedJson, BadField, RequestTooLarge, HeadTooLarge, RequestTimeout, NotJson
    │   ├── WrongHost, CrossOrigin, InstructorOnly, WrongCode, TooManyGuesses, TooManyConnections
    │   ├── TooManySubscriptions, TooManyRequests, RunUnderWay, NotInClass, ClassFull, UnknownParticipant
    │   └── MethodNotAllowed, UnknownMethod, UnknownPath, PrivateLab, InternalError
    ├── KeyFileError          VAPID keys on disk
    │   └── KeyFileMissing, KeyFileExists, KeyFileMalformed, KeyMismatch
    ├── StoreError            the database
    │   ├── UnableToSaveSubscription, UnableToReadDatabase, UnableToWriteDatabase
    │   ├── DatabaseLocked, DatabaseBusy, DatabaseUnreachable, DatabaseClosed
    │   └── DatabaseAccessDenied, BadDatabaseUrl, DatabaseDriverMissing
    ├── ClusterError          a notify-all on several processes or machines
    │   ├── ScaleMissing, DatabaseNotShared, ClusterNotEncrypted
    │   └── ClusterUnreachable, ClusterLost, ClusterFailed
    ├── LabError              the laboratory itself
    │   ├── BadArgument, UnreadableFile, UnusableFolder, DataFolderTaken
    │   ├── PortTaken, BadPort, BrowserNotFound, BrowserFailed, ProgramFailed, TimedOut,
    │   └── FetchFailed, LabStopped, UnknownFlavour, BadHost, BadCertificate
    └── ExerciseError         what a learner has written
        └── NotYet, YourTurn

Each class at the end of a line of the tree knows five things: ``code`` (its id in JSON, which is
the name of the class in kebab-case), ``status`` (the HTTP status with which a server reports it),
``rfc`` (where the rule is written), ``fault`` (which party has to change something) and ``hint``
(what to do next). A class inherits what it does not set, and one error may know its own ``hint`` and
``fault`` better. ``str(error)`` has the detail, rfc, fault
and hint.
"""

# Each branch of the tree lists its own names in __all__, so that an error is named there and
# nowhere else. That makes these star imports safe: they bring in what __all__ says, and a test
# compares the result with the tree above.
from pushlab.errors.base import *  # noqa: F403
from pushlab.errors.lab import *  # noqa: F403
from pushlab.errors.protocol import *  # noqa: F403
from pushlab.errors.servers import *  # noqa: F403
