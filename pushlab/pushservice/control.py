"""For tests of senders, in any language: subscriptions, what arrived there, and planned answers.

    POST /test/subscribe     {"applicationServerKey"?, "https"?}      a receiver's id and subscription
    GET  /test/messages/ID   ?count=1&timeout=10                      what has arrived there
    POST /test/expire/ID                                              its endpoint is gone
    POST /test/answer/ID     {"status", "headers"?, "body"?, "times"?}   what the next messages get

These routes exist only if the push service is asked for them, and on this machine alone: whoever can
reach them can fill its memory. No page of a browser may use them.
"""

import re

from pushlab.errors import BadField, RequestTooLarge, SubscriptionGone
from pushlab.protocol import base64url, strict_json
from pushlab.pushservice.answers import PlannedAnswers
from pushlab.pushservice.receivers import MESSAGES_KEPT, Receivers
from pushlab.server.http import StreamedBody, check_source

MAX_REQUEST = 64 * 1024
"""Bytes of a request."""

WAIT_SECONDS, MAX_WAIT = 10.0, 60
"""How long a request for messages waits unless it says how long, and at most: seconds."""


class ControlHandler(StreamedBody):
    """What these routes share: JSON in and out, and no page of a browser."""

    body_limit = MAX_REQUEST

    def initialize(self, receivers: Receivers, answers: PlannedAnswers) -> None:
        self.receivers, self.answers = receivers, answers

    def prepare(self) -> None:
        super().prepare()
        headers = self.request.headers  # Of a page's GET, too: elsewhere it changes nothing.
        check_source(headers.get("Host", ""), headers.get("Sec-Fetch-Site"), headers.get("Origin"))

    def members(self) -> strict_json.JsonObject:
        """Return the members of the body; an empty body has none.

        Raises MalformedJson, BadField, RequestTooLarge.
        """
        if self.length > MAX_REQUEST:
            raise RequestTooLarge(f"the body is longer than {MAX_REQUEST} bytes")
        value = strict_json.parse(bytes(self.body)) if self.body else {}
        if not isinstance(value, dict):
            raise BadField("the body is not a JSON object")
        return value


class SubscribeHandler(ControlHandler):
    """``POST /test/subscribe``: make a receiver. It takes the forms of a key that a page has too."""

    def post(self) -> None:
        members = self.members()
        key, https = members.get("applicationServerKey"), members.get("https", False)
        if key is not None and not isinstance(key, str):
            raise BadField("applicationServerKey is not text")
        if not isinstance(https, bool):
            raise BadField("https is neither true nor false")
        raw = None if key is None else base64url.decode(key.rstrip("="))
        receiver = self.receivers.subscribe(raw, https)
        self.set_status(201)
        self.finish({"id": receiver.id, "subscription": receiver.subscription.to_json()})


class MessagesHandler(ControlHandler):
    """``GET /test/messages/ID``: all that has arrived, once there are as many as are asked for."""

    async def get(self, id: str) -> None:
        receiver = self.receivers.find(id)
        count = self._number("count", MESSAGES_KEPT, 1)
        seconds = self._number("timeout", MAX_WAIT, WAIT_SECONDS)
        if count != int(count):
            raise BadField("count is not a whole number")
        arrived = await receiver.wait(int(count), seconds)
        await self.finish({"messages": [message.to_json() for message in arrived]})

    def _number(self, name: str, most: int, usual: float) -> float:
        text = self.get_query_argument(name, str(usual))
        if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", text) or float(text) > most:
            raise BadField(f"{name} is not a number from 0 to {most}")
        return float(text)


class ExpireHandler(ControlHandler):
    """``POST /test/expire/ID``: the endpoint is gone, as if its user agent had unsubscribed."""

    def post(self, id: str) -> None:
        self.receivers.find(id).expire()
        self.finish({"id": id})


class AnswerHandler(ControlHandler):
    """``POST /test/answer/ID``: plan what the next messages to this receiver get in place of 201."""

    def post(self, id: str) -> None:
        receiver, members = self.receivers.find(id), self.members()
        if receiver.ended:
            raise SubscriptionGone("no message reaches this receiver any more")
        if unknown := set(members) - {"status", "headers", "body", "times"}:
            raise BadField(f"{len(unknown)} members have other names than status, headers, body, times")
        self.answers.plan(
            members.get("status", 0),
            headers=members.get("headers"),
            body=members.get("body", ""),
            times=members.get("times", 1),
            endpoint=receiver.subscription.endpoint,
        )
        self.finish({"id": id})
