"""pywebpush: ``webpush_async()``, which sends with aiohttp."""

import asyncio

from arguments import read
from pywebpush import webpush_async

job = read()
asyncio.run(
    webpush_async(
        job.subscription,
        job.payload,
        vapid_private_key=job.vapid_private,
        vapid_claims={"sub": job.subject},
        ttl=job.ttl,
        headers=job.headers,
    )
)
