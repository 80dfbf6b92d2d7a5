"""webpush: it describes a request, and its README sends that with requests."""

from io import BytesIO

import requests
from arguments import read
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from webpush import WebPush, WebPushSubscription

job = read()
key = ec.derive_private_key(job.scalar, ec.SECP256R1())
push = WebPush(
    BytesIO(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())),
    BytesIO(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)),
    subscriber=job.subject.removeprefix("mailto:"),
)
subscription = WebPushSubscription.model_validate(job.subscription)
message = push.get(job.payload, subscription, ttl=job.ttl)
response = requests.post(  # noqa: S113  its README has no timeout
    str(subscription.endpoint), data=message.encrypted, headers=message.headers | job.headers
)
print(response.status_code, response.text)
response.raise_for_status()
