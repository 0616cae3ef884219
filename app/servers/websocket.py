"""What a WebSocket is to both servers: its limits, its times, and the forms of what is said."""

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

# What may wait for one peer beside the kernel's buffers: Centrifugo's default. A single frame may be larger, and then
# waits alone. The hub, which cannot wait, closes a peer above it; an application's send waits above it.
OUTGOING_BYTES = 1 << 20
LOOK_SECONDS = 1.0  # between two looks at a peer for which an application's frames wait
# What may wait for the application: as much again; of small messages fewer, for each costs more than its bytes.
INCOMING_BYTES = 1 << 20
INCOMING_MESSAGES = 256
# What waits on all sockets of this process together, for its peers and for its application.
OUTGOING = Pool(memory_limit() // SHARE)
INCOMING = Pool(memory_limit() // SHARE)
SMALL_BYTES = 4096  # of a socket's are not worth counting
# A peer that we have closed is given time as long as it takes what lies before the close frame, but not for ever.
STALLED_SECONDS = 5
CLOSING_SECONDS = 30
# When draining, from the last turn on, until whoever does not answer a close is cut.
PEERS_SECONDS = STALLED_SECONDS + 1
# From the last turn on, a worker stays that had sockets. While its process lives, the kernel refuses at once who is
# sent there; for an address that is gone nginx waits. The clients of this worker come back within half a second, and
# those of others that were stopped with it.
RETURNING_SECONDS = 1.0
TOO_SLOW = 4408
TOO_FAST, TOO_FAST_REASON = 4429, "more than is handled"
GOING_AWAY = 1012
CLOSE_FRAME = b"\x88"  # the first byte of one: final, opcode 8
# What the response's writer says itself; the application's word on it would break the framing.
FRAMING_HEADERS = frozenset({b"connection", b"content-length", b"transfer-encoding", b"upgrade"})
HEADER_NAME = re.compile(rb"[-!#$%&'*+.^_`|~0-9A-Za-z]+")  # RFC 9110, 5.6.2

Headers = list[tuple[bytes, bytes]]


def stall_seconds() -> int:
    """Not above: the settings are asked for when the application has been imported, and not before."""
    from django.conf import settings

    seconds: int = settings.STALL_SECONDS
    return seconds


class Stall:
    """Watches a peer as long as what an application has sent waits for it, and closes one that takes nothing."""

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
        """Whether there was something to wait for."""
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
    """The extension by which a connection is written to past `send`.

    Applications copy scopes, and pickle them. A copy in this process is the same connection's. What is pickled has
    left its connection behind: it comes out as an empty dictionary, and its reader uses `send`.
    """

    __slots__ = ()

    def __copy__(self) -> Fanout:
        return self

    def __deepcopy__(self, _: dict[int, Any]) -> Fanout:
        return self

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return dict, ()


def extensions(connection: Any) -> dict[str, dict[str, Any]]:
    """Of a scope; docs/decisions/0008 says what they mean."""
    fanout = Fanout((name, getattr(connection, name)) for name in ("write", "unsent", "drained", "read_together"))
    return {"websocket.http.response": {}, "channels.fanout": fanout}


def checked(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """An application's headers as a response may carry them."""
    kept = [(name, value) for name, value in headers if name.lower() not in FRAMING_HEADERS]
    for name, value in kept:
        if not HEADER_NAME.fullmatch(name) or {0, 10, 13}.intersection(value):
            raise ValueError(f"Header {name!r} would break out of the response")
    return kept


def acceptable(message: dict[str, Any], offered: list[str]) -> tuple[str | None, Headers]:
    """The subprotocol and the headers of an accept, if a handshake can be answered with them."""
    subprotocol = message.get("subprotocol")
    if subprotocol is not None and subprotocol not in offered:
        raise ValueError(f"Expected a subprotocol of {offered}, or None; received {subprotocol!r}")
    headers = checked(message.get("headers", ()))
    for name, _ in headers:
        if name.lower().startswith(b"sec-websocket-"):
            raise ValueError(f"Header {name!r} is the server's own; a subprotocol is named by `subprotocol`")
    return subprotocol, headers


def http_response(status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> bytes:
    """The whole answer to a handshake that is refused, whose connection ends with it."""
    lines = [f"HTTP/1.1 {status} {responses.get(status, '')}".encode()]
    lines += [b"%s: %s" % (name, value) for name, value in headers]
    lines += [b"Content-Length: %d" % len(body), b"Connection: close", b"", b""]
    return b"\r\n".join(lines) + body


class Denial:
    """An application's answer to a handshake that it refuses, until it is complete.

    https://asgi.readthedocs.io/en/latest/extensions.html#websocket-denial-response
    """

    def __init__(self, message: dict[str, Any]) -> None:
        self.status: int = message["status"]
        # One below announces an answer: 101 that the socket is open.
        if not 200 <= self.status < 600:
            raise ValueError(f"Expected a status from 200 to 599; received {self.status}")
        self.headers = checked(message.get("headers", ()))
        self.body = bytearray()

    def completed(self, message: dict[str, Any]) -> bytes | None:
        """The response, once this was the last part of its body."""
        self.body += message.get("body", b"")
        return None if message.get("more_body", False) else http_response(self.status, self.headers, bytes(self.body))


def close_reason(message: dict[str, Any]) -> bytes:
    """A control frame holds 125 bytes, the code among them (RFC 6455, 5.5)."""
    reason: str = message.get("reason") or ""
    return reason.encode()[:123].decode(errors="ignore").encode()


def unacknowledged(descriptor: int) -> int:
    """Bytes in the kernel's buffer that the peer has not taken. Of that buffer alone, 2.5 MB between
    two processes of one machine, it makes room in steps that may lie more than 5 s apart."""
    try:
        return int.from_bytes(ioctl(descriptor, TIOCOUTQ, bytes(4)), sys.byteorder)
    except OSError:  # Linux' answer for a socket; others have none
        return 0


def size(message: dict[str, Any]) -> int:
    """In memory, where one character outside of ASCII can make a text four times as large."""
    content = message.get("bytes") or message.get("text")
    return sys.getsizeof(content) if content else 0


class ReceiveQueue:
    """What a peer has sent and the application not handled: it handles one until it asks for the next.

    asyncio.Queue would do, but has four deques: 3 KB of a connection on which nobody says anything.
    """

    __slots__ = ("_arrivals", "_handled_bytes", "_messages", "dropped", "ended", "let_go", "read_on", "waiting_bytes")

    def __init__(self) -> None:
        self.waiting_bytes = self._handled_bytes = 0
        self.dropped = False  # and no more is taken of a peer that is being closed
        self.ended = False  # the application
        self.let_go: Callable[[], None] | None = None  # set while INCOMING counts it
        # Set while the peer is held back, and not for longer: it would be a reference cycle of every connection.
        self.read_on: Callable[[], None] | None = None
        self._messages: list[dict[str, Any]] = []
        self._arrivals: list[asyncio.Future[None]] = []  # one for each who waits: seldom more than one

    def qsize(self) -> int:
        return len(self._messages)

    def holds(self, share: float) -> bool:
        """Whether this share of what may wait does."""
        full = self.qsize() >= share * INCOMING_MESSAGES or self.waiting_bytes >= share * INCOMING_BYTES
        return full or self.dropped

    def put_nowait(self, message: dict[str, Any]) -> None:
        self._messages.append(message)
        self.waiting_bytes += size(message)
        for arrival in self._arrivals:  # of all: the first may have been cancelled
            if not arrival.done():
                arrival.set_result(None)

    def count(self, let_go: Callable[[], None]) -> None:
        """Called with what is to be done when this holds most of what all hold."""
        if (held := self.waiting_bytes + self._handled_bytes) > SMALL_BYTES:
            if self.ended:
                self.forget()
            else:
                self.let_go = let_go
                INCOMING.hold(self, held, let_go)

    def drop(self) -> None:
        """Forgets what the peer has sent, and takes no more of it."""
        self.forget()
        self.dropped = True
        self.let_go = None

    def forget(self) -> None:
        """What the peer has sent, and not that it has gone."""
        self._messages = [message for message in self._messages if message["type"] != "websocket.receive"]
        self.waiting_bytes = 0

    def end(self, _application: object = None) -> None:
        """No application is there any more, and the peer may still send for a while: nothing of that is kept."""
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
            # Not at once: a fault in what is read next is none of the application's receive().
            asyncio.get_running_loop().call_soon(self.read_on)
            self.read_on = None
        return message
