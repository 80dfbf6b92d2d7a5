"""The messages of Chromium's push protocol: the number, name and type of each field.

The protocol is Google's, for its own servers and browsers; no RFC describes it. The numbers are from
the .proto files in Chromium's sources (``google_apis/gcm/protocol``). Each message lists only the
fields that this push service reads or writes.
"""

from pushlab.pushservice.chromium.protobuf import Kind, Message

NUMBER, FIXED64, TEXT, BYTES = Kind.NUMBER, Kind.FIXED64, Kind.TEXT, Kind.BYTES

# --- checkin, over HTTP: a browser gets its two numbers -------------------------------------------

CHECKIN_REQUEST = Message(
    "AndroidCheckinRequest",
    {
        2: ("android_id", NUMBER),  # the one it got before, if any
        13: ("security_token", FIXED64),
    },
)

CHECKIN_RESPONSE = Message(
    "AndroidCheckinResponse",
    {
        1: ("stats_ok", NUMBER),
        3: ("time_msec", NUMBER),
        7: ("android_id", FIXED64),
        8: ("security_token", FIXED64),
        9: ("market_ok", NUMBER),
    },
)

# --- MCS, over TLS: a browser gets its messages ---------------------------------------------------

HEARTBEAT = Message("HeartbeatPing", {2: ("last_stream_id_received", NUMBER)})

LOGIN_REQUEST = Message(
    "LoginRequest",
    {
        1: ("id", TEXT),  # such as "chrome-156.0.0.0"
        3: ("user", TEXT),  # the android id, in decimal
        5: ("auth_token", TEXT),  # the security token, in decimal
        10: ("received_persistent_id", [TEXT]),
    },
)

LOGIN_RESPONSE = Message(
    "LoginResponse",
    {
        1: ("id", TEXT),
        6: ("last_stream_id_received", NUMBER),
        8: ("server_timestamp", NUMBER),  # milliseconds since 1970
    },
)

EXTENSION = Message("Extension", {1: ("id", NUMBER), 2: ("data", BYTES)})

IQ_STANZA = Message(
    "IqStanza",
    {
        2: ("type", NUMBER),
        3: ("id", TEXT),
        7: ("extension", EXTENSION),
        10: ("last_stream_id_received", NUMBER),
    },
)

APP_DATA = Message("AppData", {1: ("key", TEXT), 2: ("value", TEXT)})

DATA_MESSAGE_STANZA = Message(
    "DataMessageStanza",
    {
        2: ("id", TEXT),
        3: ("from", TEXT),  # the application server's public key, base64url
        5: ("category", TEXT),  # which program the message is for
        6: ("token", TEXT),
        7: ("app_data", [APP_DATA]),
        9: ("persistent_id", TEXT),
        10: ("stream_id", NUMBER),
        11: ("last_stream_id_received", NUMBER),
        17: ("ttl", NUMBER),
        18: ("sent", NUMBER),  # milliseconds since 1970
        21: ("raw_data", BYTES),  # the HTTP body, as it was posted
        24: ("immediate_ack", NUMBER),
    },
)
