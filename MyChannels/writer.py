"""Writes the same payload to many sockets without waiting, with a bound on unsent bytes."""

from __future__ import annotations

import asyncio
import logging
import struct
from collections import deque
from typing import TYPE_CHECKING, Any

from MyChannels import metrics

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

logger = logging.getLogger(__name__)

# A scope extension of this project's servers: {"write": …, "unsent": …, "drained": …, "read_together": …}.
FANOUT = "channels.fanout"
# The same bound as app/servers/daphne.py has for a peer that does not read.
OUTGOING_BYTES = 2**20
TOO_SLOW = 4408


def frame(text: str) -> bytes:
    """A complete text frame as a server sends it: final, unmasked (RFC 6455, 5.2)."""
    payload = text.encode()
    length = len(payload)
    if length < 126:
        return struct.pack("!BB", 0x81, length) + payload
    if length < 2**16:
        return struct.pack("!BBH", 0x81, 126, length) + payload
    return struct.pack("!BBQ", 0x81, 127, length) + payload


class FrameWriter:
    """For servers that accept complete frames and bound the unsent bytes themselves.

    `pack` turns texts into a payload for `write`, once for many connections. `write` never waits. After
    `read_together()`, the server may delay the peer's frames by up to 20 ms, to handle them with other peers' frames.
    """

    __slots__ = ("_drained", "read_together", "write")

    @staticmethod
    def pack(*texts: str) -> bytes:
        return b"".join(map(frame, texts))

    def __init__(self, fanout: Mapping[str, Any]) -> None:
        self.write = fanout["write"]
        self._drained = fanout["drained"]
        self.read_together = fanout["read_together"]

    async def drained(self) -> bool:
        """Waits until little or nothing is unsent. Returns False if the connection is gone."""
        return bool(await self._drained())

    def close(self) -> None:
        pass  # the server knows when its connection ends


class SendWriter:
    """For all other servers: a task passes the texts to ASGI's `send` one by one, and ends when none is left."""

    @staticmethod
    def pack(*texts: str) -> tuple[str, ...]:
        return texts

    def __init__(self, send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
        self._send = send
        self._waiting: deque[tuple[str, int]] = deque()
        self._bytes = 0
        self._sending: asyncio.Task[None] | None = None
        self._closed = False

    def write(self, texts: tuple[str, ...]) -> None:
        if self._closed:
            return
        for text in texts:
            self._waiting.append((text, size := len(text.encode())))
            self._bytes += size
        if self._bytes > OUTGOING_BYTES and len(self._waiting) > 1:
            self._closed = True
            self._waiting.clear()
            metrics.SLOW.inc()
        if self._sending is None or self._sending.done():
            self._sending = asyncio.get_running_loop().create_task(self._send_all())

    def read_together(self) -> None: ...

    async def drained(self) -> bool:
        if self._sending:
            await asyncio.wait([self._sending])
        return not self._closed

    def close(self) -> None:
        self._closed = True
        self._waiting.clear()
        if self._sending:
            self._sending.cancel()

    async def _send_all(self) -> None:
        try:
            while self._waiting:
                text, size = self._waiting.popleft()
                self._bytes -= size
                await self._send({"type": "websocket.send", "text": text})
            if self._closed:
                await self._send({"type": "websocket.close", "code": TOO_SLOW, "reason": "too slow"})
        except Exception as fault:
            # uvicorn raises if the peer is gone. The consumer gets its own disconnect event.
            logger.debug("nothing more is sent: %s", fault)
            self._closed = True
            self._waiting.clear()
