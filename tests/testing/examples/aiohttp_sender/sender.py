"""A sender, written with aiohttp, that waits as long as a push service asks it to."""

import asyncio
import time
from email.utils import parsedate_to_datetime

import aiohttp
from pywebpush import WebPushException, webpush_async

ATTEMPTS = 3


async def send(
    session: aiohttp.ClientSession, subscription: dict, text: str, private_key: str, contact: str
) -> int:
    """Send a message, again where that can help, and return the last status.

    Raises aiohttp.ClientError if there is no answer.
    """
    attempts_left = ATTEMPTS
    while True:
        attempts_left -= 1
        try:
            response = await webpush_async(
                subscription, text, vapid_private_key=private_key, vapid_claims={"sub": contact},
                ttl=60, timeout=10, aiohttp_session=session,
            )  # fmt: skip
            return response.status
        except WebPushException as error:
            response = error.response
        if response.status not in (429, 503) or not attempts_left:
            return response.status
        await asyncio.sleep(pause(response.headers.get("Retry-After", "1")))


def pause(retry_after: str) -> float:
    """Return the seconds that a push service asks for, as a number or as a date; 1 if it is neither."""
    if retry_after.isdecimal():
        return int(retry_after)
    try:
        return max(0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 1
