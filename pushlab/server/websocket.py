"""A WebSocket that refuses what RFC 6455 forbids a client, and Tornado lets pass."""

from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketProtocol13

PROTOCOL_ERROR = 1002
"""The close code of a frame that the protocol forbids, RFC 6455 §7.4.1."""

MASK = 0x80
"""The bit of a frame's second byte that says whether its payload is masked, RFC 6455 §5.2."""


class MaskedFrames(WebSocketProtocol13):
    """Close the connection at a frame that is not masked.

    A mask keeps a page from choosing the bytes that go through a proxy, so a server closes the
    connection without it: RFC 6455 §5.1, §10.3.
    """

    _reads_header = False

    async def _receive_frame(self) -> None:
        self._reads_header = True
        await super()._receive_frame()

    async def _read_bytes(self, n: int) -> bytes:
        # The first bytes of a frame are its header.
        data = await super()._read_bytes(n)
        if self._reads_header and not data[1] & MASK:
            self.close(PROTOCOL_ERROR, "a client's frames are masked")
            raise StreamClosedError
        self._reads_header = False
        return data
