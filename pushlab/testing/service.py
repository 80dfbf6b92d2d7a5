"""A push service that a test runs against, and subscriptions that tell what has arrived.

The push service runs in a thread of its own. So a test may be synchronous and block in its sender, or
be a coroutine with a loop of its own.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pushlab import errors
from pushlab.appserver.keys import VapidKeys
from pushlab.errors import PushlabError, TimedOut
from pushlab.journal import Event, Party
from pushlab.lab.loop import BackgroundLoop
from pushlab.protocol import base64url
from pushlab.protocol.subscription import PushSubscription
from pushlab.pushservice.app import PushService
from pushlab.pushservice.receivers import ReceivedMessage, Receiver
from pushlab.settings import patience

WAIT_SECONDS = 10
"""How long to wait for a message if the test gives no timeout (times PUSHLAB_PATIENCE)."""

ANSWERS_TOLD = 5
"""Answers of the push service that are told if no message comes. The cause is one of the last."""

BLOCKED = "This call blocked the loop of the test: await areceived(), or asyncio.to_thread(…)"

Key = VapidKeys | bytes | str | None


def raw_key(key: Key) -> bytes | None:
    """Return the 65 bytes of an applicationServerKey. Raises BadBase64url."""
    if isinstance(key, VapidKeys):
        return key.public
    return base64url.decode(key) if isinstance(key, str) else key


class RunningPushService:
    """A push service at a free port of 127.0.0.1; ``folder()`` makes a folder for its certificate.

    ``origin`` is what the ``aud`` of a token for it must be; ``ws_url`` is where user agents connect.
    """

    def __init__(self, loop: BackgroundLoop, folder: Callable[[], Path]):
        self._loop, self._folder, self._ca_file = loop, folder, Path()
        self.service = PushService()

    def __enter__(self) -> Self:
        self.run(self.service.start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Be a push service that is down: from now on a sender cannot connect."""
        self.run(self.service.stop())

    def __repr__(self) -> str:
        return f"<push service at {self.origin}>"

    @property
    def origin(self) -> str:
        """The origin of its endpoints, by plain http."""
        return self.service.origin

    @property
    def https_origin(self) -> str:
        """The origin of its endpoints by https: see ``subscribe`` and ``ca_file``."""
        return self.service.https_origin

    @property
    def ws_url(self) -> str:
        """The address that a virtual user agent or a Firefox connects to."""
        return self.service.ws_url

    @property
    def ca_file(self) -> Path:
        """A PEM file with the authority that a sender has to trust for https."""
        if not self._ca_file.name:
            self._ca_file = self._folder() / "ca.pem"
            self._ca_file.write_bytes(self.service.ca_pem)
        return self._ca_file

    @property
    def flavour(self) -> str:
        """Whose answers senders get: strict (as the RFCs say), mozilla, fcm, apple or wns."""
        return self.service.flavour.value

    @flavour.setter
    def flavour(self, name: str) -> None:
        self.service.flavour = name

    def answer(
        self,
        status: int,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | str = b"",
        times: int = 1,
        endpoint: str | None = None,
    ) -> None:
        """Answer the next ``times`` messages like this, to one endpoint or to any.

        What the push service would refuse, it refuses as ever. With a status from 200 to 299 the
        message is delivered, with any other it is dropped. Raises BadField for what nobody can answer.
        """
        plan = self.service.answers.plan
        self.call(lambda: plan(status, headers=headers, body=body, times=times, endpoint=endpoint))

    def subscribe(
        self, application_server_key: Key = None, *, https: bool = False
    ) -> "ReceivingSubscription":
        """Subscribe a user agent of its own. Without a key anybody may send to it.

        The key is VapidKeys, 65 bytes, or base64url. Raises BadBase64url, BadPublicKey.
        """
        key = raw_key(application_server_key)
        receiver = self.call(lambda: self.service.receivers.subscribe(key, https=https))
        return ReceivingSubscription(self, receiver)

    def answers(self) -> list[Event]:
        """Return what senders have been answered so far, oldest first."""
        # Each answer is recorded right after it was sent, in the same turn of the loop. So this asks in
        # a later turn, and has every answer that a sender has.
        return self.call(self._answers)

    def _answers(self) -> list[Event]:
        parties = (Party.PUSH_SERVICE, Party.APPLICATION_SERVER)
        return [one for one in self.service.journal.events() if (one.source, one.target) == parties]

    # --- how a test's thread reaches the push service's ------------------------------------------

    def run(
        self,
        coroutine: Coroutine[Any, Any, Any],
        doing: str = "The push service of this test is at work",
    ) -> Any:
        """Run a coroutine on the push service's loop, and return its result.

        Raises what it raises: pytest shows the line of the test, and none of the loop's.
        """
        __tracebackhide__ = True
        try:
            return self._loop.run(coroutine, doing=doing)
        except PushlabError as error:
            if isinstance(error, TimedOut) and _in_a_coroutine():
                error.hint = BLOCKED
            raise error.with_traceback(None) from None

    async def arun(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Do the same without blocking the caller's own loop."""
        return await asyncio.wrap_future(self._loop.submit(coroutine))

    def call(self, function: Callable[[], Any]) -> Any:
        """Call a function on the push service's loop, and return its result."""

        async def called() -> Any:
            return function()

        return self.run(called())

    def nothing_came(self, count: int, wanted: int, seconds: float) -> TimedOut:
        """Make the error that says what arrived, and how the push service has answered the sender."""
        answers = self._answers()[-ANSWERS_TOLD:]
        told = ", ".join(map(_told, answers))
        said = f"The push service has answered: {told}" if told else "Nobody has sent anything"
        refusal = _refusal(answers[-1]) if answers else None
        return TimedOut(
            f"{count} of {wanted} messages came within {seconds:g} s. {said}",
            fault="application server",
            hint=refusal.hint if refusal else "",
        )


def _in_a_coroutine() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _told(answer: Event) -> str:
    refusal = _refusal(answer)
    return f"{answer.what} ({(refusal.__doc__ or '').rstrip('.')})" if refusal else answer.what


def _refusal(answer: Event) -> type[PushlabError] | None:
    """Return the class of the error that an answer was made from."""
    code = answer.detail.get("error")
    classes = (one for one in vars(errors).values() if isinstance(one, type))
    return next((one for one in classes if issubclass(one, PushlabError) and one.code == code), None)


class ReceivingSubscription:
    """A subscription that tells what has arrived.

    ``endpoint`` and ``to_json()`` are what a page would send to the application server.
    """

    def __init__(self, push_service: RunningPushService, receiver: Receiver):
        self._push_service, self._receiver = push_service, receiver
        self.subscription: PushSubscription = receiver.subscription

    def __repr__(self) -> str:
        return f"<receiving {self.subscription}>"

    @property
    def endpoint(self) -> str:
        """Where to send: a secret, as every endpoint is."""
        return self.subscription.endpoint

    def to_json(self) -> dict[str, Any]:
        """Return what ``JSON.stringify(subscription)`` gives in a browser, as a dict."""
        return self.subscription.to_json()

    @property
    def messages(self) -> list[ReceivedMessage]:
        """What has arrived so far, oldest first: each message for which a sender has its 201."""
        return self._push_service.call(lambda: self._receiver.messages)

    def received(self, count: int = 1, timeout: float | None = None) -> list[ReceivedMessage]:
        """Wait until ``count`` messages have arrived, and return all that have, oldest first.

        Raises TimedOut after ``timeout`` seconds, and the error of a message that cannot be decrypted.
        """
        __tracebackhide__ = True
        return self._push_service.run(self._received(count, timeout))

    async def areceived(self, count: int = 1, timeout: float | None = None) -> list[ReceivedMessage]:
        """Do the same in a test that is a coroutine."""
        return await self._push_service.arun(self._received(count, timeout))

    async def _received(self, count: int, timeout: float | None) -> list[ReceivedMessage]:
        seconds = patience(WAIT_SECONDS) if timeout is None else timeout
        messages = await self._receiver.wait(count, seconds)
        for error in filter(None, (message.error for message in messages)):
            raise error
        if len(messages) < count:
            raise self._push_service.nothing_came(len(messages), count, seconds)
        return messages

    def answer(
        self,
        status: int,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | str = b"",
        times: int = 1,
    ) -> None:
        """Answer the next ``times`` messages to this subscription like this."""
        endpoint = self.endpoint
        self._push_service.answer(status, headers=headers, body=body, times=times, endpoint=endpoint)

    def expire(self) -> None:
        """End the subscription, as when a person has withdrawn the permission: 410 from now on."""
        self._push_service.call(self._receiver.expire)
