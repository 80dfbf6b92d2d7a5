"""pywebpush: ``webpush()``, which sends with requests."""

from arguments import read
from pywebpush import webpush

job = read()
webpush(
    job.subscription,
    job.payload,
    vapid_private_key=job.vapid_private,
    vapid_claims={"sub": job.subject},
    ttl=job.ttl,
    headers=job.headers,
)
