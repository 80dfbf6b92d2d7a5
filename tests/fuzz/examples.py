"""Valid examples of everything that is parsed: where a fuzzer begins, and what it changes."""

import base64
import json

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pushlab.protocol import base64url, encryption, p256, vapid
from pushlab.protocol.subscription import PushSubscription
from pushlab.pushservice.chromium import messages
from pushlab.pushservice.chromium.protobuf import varint

NOW = 1_700_000_000.0
ORIGIN = "https://push.example.net"
AUTH = bytes(range(16))
UA_PRIVATE, AS_PRIVATE = (p256.load_private(bytes([0] * 31 + [n])) for n in (1, 2))
UA_PUBLIC, AS_PUBLIC = p256.raw_public(UA_PRIVATE), p256.raw_public(AS_PRIVATE)
KEY = base64url.encode(AS_PUBLIC)

SUBSCRIPTION = PushSubscription(f"{ORIGIN}/push/JzLQ3raZJfFBR0aqvOMsLrt54w4rJUsV", UA_PUBLIC, AUTH)


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


BASE64URL = (b"", b"-_8", base64url.encode(AS_PUBLIC).encode())

_PRIVATE = base64url.encode(p256.raw_private(AS_PRIVATE))
_PEM = AS_PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
_DER = AS_PRIVATE.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
SPELLINGS = (
    KEY.encode(), AS_PUBLIC, _DER, _PEM, base64.b64encode(_PEM), base64.b64encode(AS_PUBLIC),
    AS_PUBLIC.hex(":").encode(), repr(list(AS_PUBLIC)).encode(), f'"{KEY}",'.encode(),
    repr(AS_PUBLIC).encode(), base64.b64encode(KEY.encode()), b"[object ArrayBuffer]",
)  # fmt: skip
_ENV = f"VAPID_PUBLIC_KEY={KEY}\nVAPID_PRIVATE_KEY='{_PRIVATE}' # mine\nVAPID_SUBJECT=mailto:a@b.org\n"
_JWK = {"kty": "EC", "crv": "P-256", "d": _PRIVATE}
_NAMED = {"publicKey": KEY, "privateKey": _PRIVATE, "subject": "mailto:a@b.org"}
FILES = (
    _ENV.encode(), b"\xef\xbb\xbf" + _ENV.encode(), _ENV.encode("utf-16"), _PEM, _DER,
    p256.raw_private(AS_PRIVATE), _PRIVATE.encode(), _json(_JWK), _json({"keys": [_JWK]}),
    _json(_NAMED), _json(_NAMED).decode().encode("utf-16-le"),
    f"Public Key:\n{KEY}\n\nPrivate Key:\n{_PRIVATE}\n".encode(),
    f"vapid:\n  private_key: {_PRIVATE}\n  public_key: |\n    {KEY}\n".encode(),
    f'["publicKey"]=>\n  string(87) "{KEY}"\n ["privateKey"]=>\n  string(43) "{_PRIVATE}"'.encode(),
    b'VAPID_PRIVATE="' + _PEM + b'"', f"PUBLIC={_PRIVATE}\nPRIVATE={KEY}".encode(),
)  # fmt: skip
TIMES = (b"43200", b"1700003600", b"1700003600000", b"1.7e18", b'"1700003600"', b'"2026-01-02"')

SUBSCRIPTIONS = (
    _json(SUBSCRIPTION.to_json()),
    _json(SUBSCRIPTION.to_json() | {"expirationTime": 1.5e12, "more": [1, None]}),
    _json(SUBSCRIPTION.to_json() | {"endpoint": "http://[::1]:8030/wpush/v2/x?y=%20"}),
)

_FLAT = {"endpoint": SUBSCRIPTION.endpoint, "publicKey": KEY, "authToken": "AAAAAAAAAAAAAAAAAAAAAA"}
WRAPPED = (
    _json({"user": 7, "subscription": SUBSCRIPTION.to_json()}),
    _json([[SUBSCRIPTION.to_json()]]),
    _json(_json(SUBSCRIPTION.to_json()).decode()),
    _json(_FLAT),
    _json(SUBSCRIPTION.to_json() | {"keys": '{"p256dh":"","auth":""}'}),
)

_BODY = encryption.encrypt(b"Hello", SUBSCRIPTION, as_private=AS_PRIVATE, salt=bytes(16))
BODIES = (_BODY, _BODY[:86], bytes(19) + b"\x19\x02a1" + bytes(30))
RECORDS = (b"\x10\x00Hello\x02", b"\x00\x19I am th\x01\x00I am th\x02", b"\x00\x12a\x01b\x01c\x02")

CLAIM_LIST = (
    {"aud": ORIGIN, "exp": NOW + 3600, "sub": "mailto:push@example.com"},
    {"aud": [ORIGIN, "https://other.example.net"], "exp": NOW + 86400},
    {"aud": ORIGIN, "exp": NOW - 1, "sub": None},
)
CLAIMS = tuple(map(_json, CLAIM_LIST))
_TOKEN = vapid.sign(vapid.Claims(ORIGIN, int(NOW) + 3600), AS_PRIVATE)
TOKENS = (_TOKEN.encode(), b"e30.e30.AA")
AUTHORIZATIONS = (
    vapid.authorization(_TOKEN, AS_PUBLIC).encode(),
    f'VAPID k="{KEY}" , x=1, t="{_TOKEN}"'.encode(),
    b"vapid t=a.b.c,,k=BA",
)

_HEAD = [("TTL", "60"), ("Content-Encoding", "aes128gcm"), ("Authorization", AUTHORIZATIONS[0].decode())]
_LINES = "".join(f"{name}: {value}\r\n" for name, value in _HEAD)
_RAW = f"POST /p HTTP/1.1\r\nHost: push.example.net\r\n{_LINES}\r\n".encode()
_ENTRY = {
    "method": "POST", "url": f"{ORIGIN}/p", "headers": [{"name": n, "value": v} for n, v in _HEAD],
    "postData": {"text": base64.b64encode(_BODY).decode(), "encoding": "base64"},
}  # fmt: skip
CAPTURED = (
    _RAW + _BODY, _LINES.encode(), b"> " + _RAW.replace(b"\n", b"\n> "),
    f"# a\nPOST {ORIGIN}/p\n{_LINES}\n< ./body\n###\n".encode(),
    b"=> Send header, 9 bytes\n0000: " + _RAW[:16].hex(" ").encode() + b" POST /p HTTP/1.\n",
    _json({"log": {"entries": [{"request": _ENTRY}]}}),
)  # fmt: skip

_CHUNKS = b"Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nHello\r\n0\r\nA: b\r\n\r\n"
EXAMINED = (
    b"POST /wpush/v2/x HTTP/1.1\r\nHost: localhost\r\nTTL: 60\r\nContent-Length: 5\r\n\r\nHello",
    b"POST http://localhost/x HTTP/1.1\r\nExpect: 100-continue\r\n%b" % _CHUNKS,
)
HEADERS = (
    b"TTL: 60\r\nUrgency: high\r\nTopic: upd\r\n",
    b"ttl: 99999999999\r\nUrgency: low\r\nurgency: high\r\n",
)
OPTIONS = (b'{"ttl":60,"urgency":"high","topic":"upd"}', b'{"ttl":2147483648}')
OBJECTS = (
    b'{"event":"shown","detail":{"a":[1,2.5e3,null,true,"\\u00e9"],"b":"x"}}',
    '{"notification":{"title":"Grüße","options":{"body":"\\ud83d\\ude00"}}}'.encode(),
)

ANSWERS = (
    b"HTTP/1.1 201 Created\r\nTTL: 60\r\nLocation: https://push.example.net/m/x\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 429 Too Many\r\nRetry-After: 120\r\n\r\n",
    b'HTTP/2 401\r\ncontent-type: application/json\r\n\r\n{"code":401,"errno":109,"message":"x"}',
    b'HTTP/1.1 400 Bad Request\r\n\r\n{"reason":"VapidPkHashMismatch"}',
    b"HTTP/1.1 406 X\r\nX-WNS-NotificationStatus: dropped\r\n\r\n",
    b"HTTP/1.1 503 Busy\r\nRetry-After: Thu, 01 Jan 2026 00:01:00 GMT\r\n\r\nbusy",
)
RETRY_AFTER = (b"120", b"Thu, 01 Jan 2026 00:01:00 GMT", b"Thu, 01 Jan 2026 00:01:00 -0000")

_LOGIN = messages.LOGIN_REQUEST.encode(
    id="chrome-156.0.0.0", user="12345", auth_token="67890", received_persistent_id=["a", "b"]
)
_IQ = messages.IQ_STANZA.encode(
    type=1, id="", extension={"id": 13, "data": b""}, last_stream_id_received=1
)
_STANZA = messages.DATA_MESSAGE_STANZA.encode(
    id="1", category="app", app_data=[{"key": "a", "value": "b"}], raw_data=b"x", ttl=60
)
_CHECKIN = messages.CHECKIN_REQUEST.encode(android_id=1, security_token=2)
PROTOBUF = (
    b"\0" + _CHECKIN,
    b"\1" + _LOGIN,
    b"\2" + messages.HEARTBEAT.encode(last_stream_id_received=300),
    b"\3" + _IQ,
    b"\4" + _STANZA,
)
VARINTS = (b"\1", b"\xac\2", b"\xff" * 9 + b"\1")


def _frame(tag: int, message: bytes) -> bytes:
    return bytes([tag]) + varint(len(message)) + message


MCS = (
    b"\x29" + _frame(2, _LOGIN),
    b"\x29" + _frame(2, _LOGIN) + _frame(0, b"") + _frame(7, _IQ) + _frame(8, _STANZA),
    b"\x29" + _frame(2, _LOGIN) + _frame(1, b"\x10\x03") + _frame(4, b""),
)

_FORM = (
    "app=org.chromium.linux&X-subtype=wp%3Ahttp%3A%2F%2Flocalhost%3A8000%2F%230F3C-V2&device=12345"
    f"&scope=GCM&sender={KEY}"
).encode()
FORMS = (_FORM, _FORM + b"&delete=true", b"app=com.google.android.gms&sender=745476177629")
REGISTRATIONS = tuple(bytes([route]) + body for route in (0, 1) for body in (_CHECKIN, *FORMS))

_HELLO = _json({"messageType": "hello", "broadcasts": {}, "use_webpush": True})
_CHANNEL = "1a2b3c4d-0000-4000-8000-000000000000"
_REGISTER = _json({"channelID": _CHANNEL, "messageType": "register", "key": KEY + "="})
_UNREGISTER = _json({"channelID": _CHANNEL, "messageType": "unregister", "code": 200})
_UPDATE = {"channelID": _CHANNEL, "version": "abc", "code": 100}
_ACK = _json({"messageType": "ack", "updates": [_UPDATE]})
_NACK = _json({"messageType": "nack", "version": "abc", "code": 301})
_BROADCAST = _json({"messageType": "broadcast_subscribe", "broadcasts": {"a": "b"}})
FRAMES = tuple(
    b"\n".join([_HELLO, *rest])
    for rest in ([], [_REGISTER, _UNREGISTER], [_ACK, _NACK], [_BROADCAST, b"{}"])
) + (_json({"messageType": "hello", "uaid": "0" * 32, "use_webpush": True}), b"{}")

_SIGNED = f"Authorization: {vapid.authorization(_TOKEN, AS_PUBLIC)}\r\n".encode()
_CODED = b"TTL: 60\r\nUrgency: high\r\nContent-Encoding: aes128gcm\r\n"
_OLD = (
    b'TTL: 9\r\nContent-Encoding: aesgcm\r\nEncryption: salt="AA"\r\nCrypto-Key: dh=BA;p256ecdsa=BA\r\n'
)
DELIVERIES = (
    b"\0" + _CODED + b"\r\n" + _BODY,
    b"\1" + _SIGNED + _CODED + b"Topic: upd\r\n\r\n" + _BODY,
    b"\2" + _OLD + b"\r\nbody",
    b"\0TTL: 0\r\n\r\n",
)

PAGE_REQUESTS = tuple(
    bytes([route]) + body
    for route, bodies in enumerate(
        (
            SUBSCRIPTIONS,
            [_json({"endpoint": SUBSCRIPTION.endpoint})],
            [_json({"endpoint": SUBSCRIPTION.endpoint, "options": {"ttl": 1}})],
            [_json({"notification": {"title": "a", "options": {}}, "options": {"topic": "b"}})],
            [_json({"event": "shown", "detail": {"payload": "json", "n": 1}}), OBJECTS[0]],
        )
    )
    for body in bodies
)
