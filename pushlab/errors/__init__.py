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
    │   └── DatabaseLocked, DatabaseClosed, BadDatabaseUrl, DatabaseDriverMissing
    ├── LabError              the laboratory itself
    │   ├── PortTaken, BadPort, BrowserNotFound, BrowserFailed, TimedOut, LabStopped, UnknownFlavour
    │   └── BadHost, BadCertificate
    └── ExerciseError         what a learner has written
        └── NotYet

Each leaf knows five things: ``code`` (its id in JSON, its own name in kebab-case), ``status`` (the
HTTP status with which a server reports it), ``rfc`` (where it is written), ``fault`` (which party has
to change something) and ``hint`` (what to do next). Printing an error prints what a person needs of
them. A leaf inherits what it does not say.
"""

from pushlab.errors.base import PushlabError
from pushlab.errors.lab import (
    BadCertificate,
    BadHost,
    BadPort,
    BrowserFailed,
    BrowserNotFound,
    ExerciseError,
    LabError,
    LabStopped,
    NotYet,
    PortTaken,
    TimedOut,
    UnknownFlavour,
)
from pushlab.errors.protocol import (
    BadAudience,
    BadAuth,
    BadAuthorization,
    BadBase64url,
    BadContentEncoding,
    BadDelimiter,
    BadEndpoint,
    BadExpirationTime,
    BadExpiry,
    BadKeyid,
    BadP256dh,
    BadPrivateKey,
    BadPublicKey,
    BadRecordSize,
    BadSignature,
    BadSubject,
    BadToken,
    BadTopic,
    BadTtl,
    BadUrgency,
    BodyTooLarge,
    DecryptionFailed,
    DeliveryError,
    EncryptionError,
    EndpointNotAllowed,
    ExpiryTooFar,
    FormatError,
    KeyReused,
    MissingAuthorization,
    MissingTtl,
    NoEndpoint,
    NoKeys,
    NoSubscriptions,
    NotASubscription,
    PlaintextTooLong,
    PushServiceRefused,
    QueueFull,
    SubscriptionError,
    SubscriptionGone,
    TokenExpired,
    TooManyRecords,
    TruncatedHeader,
    TruncatedRecord,
    UnknownPushResource,
    UnknownSubscription,
    VapidError,
    WrongKey,
)
from pushlab.errors.servers import (
    BadDatabaseUrl,
    BadField,
    CrossOrigin,
    DatabaseClosed,
    DatabaseDriverMissing,
    DatabaseLocked,
    HeadTooLarge,
    InstructorOnly,
    InternalError,
    KeyFileError,
    KeyFileExists,
    KeyFileMalformed,
    KeyFileMissing,
    KeyMismatch,
    MalformedJson,
    MethodNotAllowed,
    NotJson,
    RequestError,
    RequestTimeout,
    RequestTooLarge,
    StoreError,
    TooManyConnections,
    TooManySubscriptions,
    UnableToReadDatabase,
    UnableToSaveSubscription,
    UnableToWriteDatabase,
    UnknownPath,
    WrongHost,
)

__all__ = [
    "BadAudience",
    "BadAuth",
    "BadAuthorization",
    "BadBase64url",
    "BadCertificate",
    "BadContentEncoding",
    "BadDatabaseUrl",
    "BadDelimiter",
    "BadEndpoint",
    "BadExpirationTime",
    "BadExpiry",
    "BadField",
    "BadHost",
    "BadKeyid",
    "BadP256dh",
    "BadPort",
    "BadPrivateKey",
    "BadPublicKey",
    "BadRecordSize",
    "BadSignature",
    "BadSubject",
    "BadToken",
    "BadTopic",
    "BadTtl",
    "BadUrgency",
    "BodyTooLarge",
    "BrowserFailed",
    "BrowserNotFound",
    "CrossOrigin",
    "DatabaseClosed",
    "DatabaseDriverMissing",
    "DatabaseLocked",
    "DecryptionFailed",
    "DeliveryError",
    "EncryptionError",
    "EndpointNotAllowed",
    "ExerciseError",
    "ExpiryTooFar",
    "FormatError",
    "HeadTooLarge",
    "InstructorOnly",
    "InternalError",
    "KeyFileError",
    "KeyFileExists",
    "KeyFileMalformed",
    "KeyFileMissing",
    "KeyMismatch",
    "KeyReused",
    "LabError",
    "LabStopped",
    "MalformedJson",
    "MethodNotAllowed",
    "MissingAuthorization",
    "MissingTtl",
    "NoEndpoint",
    "NoKeys",
    "NoSubscriptions",
    "NotASubscription",
    "NotJson",
    "NotYet",
    "PlaintextTooLong",
    "PortTaken",
    "PushServiceRefused",
    "PushlabError",
    "QueueFull",
    "RequestError",
    "RequestTimeout",
    "RequestTooLarge",
    "StoreError",
    "SubscriptionError",
    "SubscriptionGone",
    "TimedOut",
    "TokenExpired",
    "TooManyConnections",
    "TooManyRecords",
    "TooManySubscriptions",
    "TruncatedHeader",
    "TruncatedRecord",
    "UnableToReadDatabase",
    "UnableToSaveSubscription",
    "UnableToWriteDatabase",
    "UnknownFlavour",
    "UnknownPath",
    "UnknownPushResource",
    "UnknownSubscription",
    "VapidError",
    "WrongHost",
    "WrongKey",
]
