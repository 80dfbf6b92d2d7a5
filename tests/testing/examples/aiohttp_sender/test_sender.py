"""The sender waits and tries again, but not for ever. These tests are coroutines."""

import aiohttp
import pytest
from sender import ATTEMPTS, send

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
async def send_hello(vapid_keys):
    async with aiohttp.ClientSession() as session:
        yield lambda subscription: send(
            session, subscription.to_json(), "Hello", vapid_keys.to_base64url(), vapid_keys.subject
        )


async def test_a_message_arrives(send_hello, push_subscription):
    assert await send_hello(push_subscription) == 201
    [message] = await push_subscription.areceived()
    assert message.text == "Hello"


@pytest.mark.parametrize("retry_after", ["1", "soon"])
async def test_it_waits_and_tries_again(send_hello, push_subscription, retry_after):
    push_subscription.answer(429, headers={"Retry-After": retry_after})
    assert await send_hello(push_subscription) == 201
    assert len(await push_subscription.areceived()) == 1


async def test_it_gives_up_in_the_end(send_hello, push_service, push_subscription):
    push_service.answer(503, headers={"Retry-After": "0"}, times=ATTEMPTS)
    assert await send_hello(push_subscription) == 503
    assert len(push_service.answers()) == ATTEMPTS and push_subscription.messages == []


async def test_it_does_not_try_again_where_that_cannot_help(send_hello, push_service, push_subscription):
    push_subscription.expire()
    assert await send_hello(push_subscription) == 410
    assert len(push_service.answers()) == 1
