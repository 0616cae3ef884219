"""What the WebSockets of both servers share: limits, timeouts and message formats."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Callable, Iterable
from fcntl import ioctl
from http.client import responses
from termios import TIOCOUTQ
from typing import Any

from app.behind import behind
from MyChannels.limits import SHARE, Pool, memory_limit

# How much may be queued for one peer, beside the kernel's buffers: Centrifugo's default. A single frame may be larger
# if nothing else is queued. Above the limit, the hub, which cannot wait, closes the peer; an application's send waits.
OUTGOING_BYTES = 1 << 20
LOOK_SECONDS = 1.0  # between two checks of a peer for which an application's frames are queued
# How much may be queued for the application: the same. Small messages have a limit of their own, because each costs
# more than its bytes.
INCOMING_BYTES = 1 << 20
INCOMING_MESSAGES = 256
# What is queued on all sockets of this process together, for the peers and for the application.
OUTGOING = Pool(memory_limit() // SHARE)
INCOMING = Pool(memory_limit() // SHARE)
SMALL_BYTES = 4096  # a socket with no more queued than this is not counted
# How long a peer that we close may take nothing of what precedes the close frame, and how long all of it may take.
STALLED_SECONDS = 5
CLOSING_SECONDS = 30
# When draining: how long after the last socket was closed a peer that does not answer the close is cut.
PEERS_SECONDS = STALLED_SECONDS + 1
# A worker that had sockets stays this long after closing the last one. While its process lives, the kernel refuses new
# connections at once; nginx would wait for an address that is gone. The clients of this worker, and of others that stop
# at the same time, reconnect within half a second.
RETURNING_SECONDS = 1.0
TOO_SLOW = 4408
TOO_FAST, TOO_FAST_REASON = 4429, "more than is handled"
GOING_AWAY = 1012
CLOSE_FRAME = b"\x88"  # the first byte of one: final, opcode 8
# http_response() writes these itself; an application's own values would break the framing.
FRAMING_HEADERS = frozenset({b"connection", b"content-length", b"transfer-encoding", b"upgrade"})
HEADER_NAME = re.compile(rb"[-!#$%&'*+.^_`|~0-9A-Za-z]+")  # RFC 9110, 5.6.2

Headers = list[tuple[bytes, bytes]]


def stall_seconds() -> int:
    """Imports the settings here because they must not be read before the application has been imported."""
    from django.conf import settings

    seconds: int = settings.STALL_SECONDS
    return seconds


class Stall:
    """Watches a peer while an application's frames are queued for it, and closes it if it takes nothing."""

    def __init__(self, connection: Any, application: asyncio.Task[Any] | None) -> None:
        self.connection = connection
        self.application = application
        self.loop = asyncio.get_running_loop()
        self.taken: int = connection.taken()
        self.since = self.loop.time()
        if application:
            behind[application] = self.close
        self.timer = self.loop.call_later(LOOK_SECONDS, self.look)

    def look(self) -> None:
        if not self.connection.waits():
            self.end()
            return
        now, taken = self.loop.time(), self.connection.taken()
        if taken != self.taken:
            self.taken, self.since = taken, now
        if now - self.since < stall_seconds():
            self.timer = self.loop.call_later(LOOK_SECONDS, self.look)
        else:
            self.close()

    def close(self) -> bool:
        """Returns whether anything was queued."""
        waits: bool = self.connection.waits()
        self.end()
        if waits:
            self.connection.close_too_slow()
        return waits

    def end(self) -> None:
        self.timer.cancel()
        self.connection.stall = None
        if self.application:
            behind.pop(self.application, None)


class Fanout(dict[str, Any]):
    """The extension that writes to a connection without `send`.

    Applications copy scopes and pickle them. A copy in this process refers to the same connection. Pickling loses the
    connection: the result is an empty dictionary, and code that unpickles it uses `send`.
    """

    __slots__ = ()

    def __copy__(self) -> Fanout:
        return self

    def __deepcopy__(self, _: dict[int, Any]) -> Fanout:
        return self

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return dict, ()


def extensions(connection: Any) -> dict[str, dict[str, Any]]:
    """The extensions of a scope; docs/decisions/0008 explains them."""
    fanout = Fanout((name, getattr(connection, name)) for name in ("write", "unsent", "drained", "read_together"))
    return {"websocket.http.response": {}, "channels.fanout": fanout}


def checked(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """An application's headers without those that frame the response. Raises ValueError for an unsafe header."""
    kept = [(name, value) for name, value in headers if name.lower() not in FRAMING_HEADERS]
    for name, value in kept:
        if not HEADER_NAME.fullmatch(name) or {0, 10, 13}.intersection(value):
            raise ValueError(f"Header {name!r} would break out of the response")
    return kept


def acceptable(message: dict[str, Any], offered: list[str]) -> tuple[str | None, Headers]:
    """The subprotocol and headers of an accept. Raises ValueError if they cannot answer the handshake."""
    subprotocol = message.get("subprotocol")
    if subprotocol is not None and subprotocol not in offered:
        raise ValueError(f"Expected a subprotocol of {offered}, or None; received {subprotocol!r}")
    headers = checked(message.get("headers", ()))
    for name, _ in headers:
        if name.lower().startswith(b"sec-websocket-"):
            raise ValueError(f"Header {name!r} is the server's own; a subprotocol is named by `subprotocol`")
    return subprotocol, headers


def http_response(status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> bytes:
    """The complete response to a refused handshake. The connection ends after it."""
    lines = [f"HTTP/1.1 {status} {responses.get(status, '')}".encode()]
    lines += [b"%s: %s" % (name, value) for name, value in headers]
    lines += [b"Content-Length: %d" % len(body), b"Connection: close", b"", b""]
    return b"\r\n".join(lines) + body


class Denial:
    """Collects an application's response to a handshake that it refuses.

    https://asgi.readthedocs.io/en/latest/extensions.html#websocket-denial-response
    """

    def __init__(self, message: dict[str, Any]) -> None:
        self.status: int = message["status"]
        # A status below 200 is not final, and 101 would mean that the socket is open.
        if not 200 <= self.status < 600:
            raise ValueError(f"Expected a status from 200 to 599; received {self.status}")
        self.headers = checked(message.get("headers", ()))
        self.body = bytearray()

    def completed(self, message: dict[str, Any]) -> bytes | None:
        """The response, once this was the last part of its body."""
        self.body += message.get("body", b"")
        return None if message.get("more_body", False) else http_response(self.status, self.headers, bytes(self.body))


def close_reason(message: dict[str, Any]) -> bytes:
    """The reason, cut to fit: a control frame holds 125 bytes including the code (RFC 6455, 5.5)."""
    reason: str = message.get("reason") or ""
    return reason.encode()[:123].decode(errors="ignore").encode()


def unacknowledged(descriptor: int) -> int:
    """Bytes in the kernel's buffer that the peer has not acknowledged.

    Without this count, progress shows only when that buffer, 2.5 MB between two processes on one machine, makes room.
    It does so in steps that can be more than 5 s apart.
    """
    try:
        return int.from_bytes(ioctl(descriptor, TIOCOUTQ, bytes(4)), sys.byteorder)
    except OSError:  # only Linux sockets support this
        return 0


def size(message: dict[str, Any]) -> int:
    """The size in memory, where a single non-ASCII character can make a text four times as large."""
    content = message.get("bytes") or message.get("text")
    return sys.getsizeof(content) if content else 0


class ReceiveQueue:
    """Messages that a peer has sent and the application has not finished handling.

    A message counts as handled when the application asks for the next one. asyncio.Queue would work, but its four
    deques take 3 KB of memory on an idle connection.
    """

    __slots__ = ("_arrivals", "_handled_bytes", "_messages", "dropped", "ended", "let_go", "read_on", "waiting_bytes")

    def __init__(self) -> None:
        self.waiting_bytes = self._handled_bytes = 0
        self.dropped = False  # the peer is being closed, and no more of its messages are taken
        self.ended = False  # the application has ended
        self.let_go: Callable[[], None] | None = None  # set while INCOMING counts it
        # Set only while the peer is held back: otherwise every connection would be part of a reference cycle.
        self.read_on: Callable[[], None] | None = None
        self._messages: list[dict[str, Any]] = []
        self._arrivals: list[asyncio.Future[None]] = []  # one for each pending get(): seldom more than one

    def qsize(self) -> int:
        return len(self._messages)

    def holds(self, share: float) -> bool:
        """Whether the queue is filled to this share of its limits."""
        full = self.qsize() >= share * INCOMING_MESSAGES or self.waiting_bytes >= share * INCOMING_BYTES
        return full or self.dropped

    def put_nowait(self, message: dict[str, Any]) -> None:
        self._messages.append(message)
        self.waiting_bytes += size(message)
        for arrival in self._arrivals:  # wake all of them: the first may have been cancelled
            if not arrival.done():
                arrival.set_result(None)

    def count(self, let_go: Callable[[], None]) -> None:
        """Counts this queue in INCOMING, which calls `let_go` when all are too large and this one is the largest."""
        if (held := self.waiting_bytes + self._handled_bytes) > SMALL_BYTES:
            if self.ended:
                self.forget()
            else:
                self.let_go = let_go
                INCOMING.hold(self, held, let_go)

    def drop(self) -> None:
        """Drops what the peer has sent, and takes no more."""
        self.forget()
        self.dropped = True
        self.let_go = None

    def forget(self) -> None:
        """Drops what the peer has sent, but keeps its disconnect."""
        self._messages = [message for message in self._messages if message["type"] != "websocket.receive"]
        self.waiting_bytes = 0

    def end(self, _application: object = None) -> None:
        """Called when the application has ended. Whatever the peer still sends is not kept."""
        self.ended = True
        self.forget()
        self.release()

    def release(self) -> None:
        INCOMING.release(self)
        self.let_go = None

    def handled(self) -> None:
        self._handled_bytes = 0
        if self.let_go:
            if self.waiting_bytes > SMALL_BYTES:
                INCOMING.hold(self, self.waiting_bytes, self.let_go)
            else:
                self.release()

    async def get(self) -> dict[str, Any]:
        self.handled()
        while not self._messages:
            arrival = asyncio.get_running_loop().create_future()
            self._arrivals.append(arrival)
            try:
                await arrival
            finally:
                self._arrivals.remove(arrival)
        message = self._messages.pop(0)
        self._handled_bytes = size(message)
        self.waiting_bytes -= self._handled_bytes
        if self.read_on and not self.holds(0.5):
            # Later, so that a fault in what is read next does not surface in the application's receive().
            asyncio.get_running_loop().call_soon(self.read_on)
            self.read_on = None
        return message
