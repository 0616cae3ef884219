"""The outgoing side of one asyncio connection: written to the kernel directly, the rest queued in whole frames."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections import deque
from typing import TYPE_CHECKING, Any

from app.servers.websocket import CLOSE_FRAME, OUTGOING, OUTGOING_BYTES, unacknowledged

if TYPE_CHECKING:
    from collections.abc import Callable


class Outgoing:
    """Wraps the loop's transport and takes over its writing.

    The loop's transport accepts everything and discards nothing. It reports how much is queued, but not in which
    frames. This class writes to the kernel first, at the cost of the same single system call, and queues what the
    kernel does not take. While anything is queued, it watches a duplicate of the socket's descriptor to resume writing.
    """

    # Defaults on the class save memory on connections whose peers keep up.
    rest: memoryview = memoryview(b"")  # of the frame that the kernel has taken in part
    watched: int | None = None
    ending = False
    resumed: asyncio.Event | None = None
    frames: deque[tuple[bytes, bool]] | None = None  # each with whether it counts towards the limit
    waiting_bytes = 0  # in `frames`
    bounded_bytes = 0  # in the frames that count towards the limit, because their writer cannot wait
    queued_bytes = 0  # total ever queued

    def __init__(self, transport: asyncio.Transport, overflowed: Callable[[], None]) -> None:
        if transport.get_extra_info("ssl_object") is not None:
            raise RuntimeError("Expected a plain connection, received TLS: nginx ends that, see docs/architecture.md")
        self.transport = transport
        self.overflowed = overflowed
        self.descriptor: int = transport.get_extra_info("socket").fileno()

    # --- Writing ---

    def write(self, frame: bytes) -> None:
        """Takes a whole frame, or another unit that must not be split. Never waits."""
        if self.watched is None:
            self.send(frame)
        else:
            self.queue(frame)

    def write_unbounded(self, frame: bytes) -> None:
        """Like `write`, for callers that wait when the queue is long."""
        if self.watched is None:
            self.send(frame)
        else:
            self.append(frame, bounded=False)

    def send(self, frame: bytes | memoryview) -> None:
        if self.transport.is_closing():  # its descriptor may belong to another connection by now
            return
        try:
            taken = os.write(self.descriptor, frame)
        except BlockingIOError:
            taken = 0
        except OSError:  # the peer is gone, which the reading side may not notice for a while
            self.abort()
            return
        if taken < len(frame):
            self.rest = memoryview(frame)[taken:]
            self.watch()

    def queue(self, frame: bytes) -> None:
        if self.overflows(frame):
            # The queue was last flushed before the current turn of the loop. How much the application sends in one turn
            # says nothing about the peer, so flush before judging.
            self.flush()
            if self.overflows(frame):
                self.overflowed()
                return
        if self.watched is None:
            self.send(frame)
        else:
            self.append(frame, bounded=True)

    def append(self, frame: bytes, bounded: bool) -> None:
        self.frames = self.frames or deque()
        self.frames.append((frame, bounded))
        self.waiting_bytes += len(frame)
        self.queued_bytes += len(frame)
        if bounded:
            self.bounded_bytes += len(frame)
        self.count()

    def overflows(self, frame: bytes) -> bool:
        full = self.bounded_bytes and self.bounded_bytes + len(frame) > OUTGOING_BYTES
        return bool(full) and not frame.startswith(CLOSE_FRAME)

    def watch(self) -> None:
        if self.watched is None:
            # A loop refuses to watch a transport's own descriptor.
            try:
                self.watched = os.dup(self.descriptor)
            except OSError:  # the limit of open files is reached; the rest of the frame could never be sent
                self.abort()
                return
            asyncio.get_running_loop().add_writer(self.watched, self.flush)
            self.count()

    def unwatch(self) -> None:
        if self.watched is not None:
            asyncio.get_running_loop().remove_writer(self.watched)
            os.close(self.watched)
            self.watched = None
        OUTGOING.release(self)

    def count(self) -> None:
        OUTGOING.hold(self, self.unsent(), self.let_go)

    def let_go(self) -> None:
        """Called when all queues together are too large and this one is the largest."""
        before = self.unsent()
        self.overflowed()
        if self.unsent() == before:  # it is closing already
            self.abort()

    def flush(self) -> None:
        """Writes as much as the kernel takes."""
        while self.rest or self.frames:
            if self.frames and not self.rest:
                frame, bounded = self.frames.popleft()
                self.waiting_bytes -= len(frame)
                if bounded:
                    self.bounded_bytes -= len(frame)
                self.rest = memoryview(frame)
            rest, self.rest = self.rest, Outgoing.rest
            self.send(rest)
            if self.rest:
                self.count()
                return
        self.frames = None
        self.unwatch()
        self.wake()
        if self.ending:
            self.transport.close()

    def forget(self) -> None:
        """Drops all queued frames except the one that was partly sent."""
        self.frames = None
        self.waiting_bytes = self.bounded_bytes = 0

    # --- State ---

    def unsent(self) -> int:
        return len(self.rest) + self.waiting_bytes

    def untaken(self) -> int:
        """Bytes that the peer has not acknowledged."""
        return self.unsent() + (0 if self.transport.is_closing() else unacknowledged(self.descriptor))

    def waits(self) -> bool:
        return self.watched is not None

    async def changed(self) -> None:
        """Returns when the queue is empty or `wake` is called."""
        self.resumed = self.resumed or asyncio.Event()
        await self.resumed.wait()

    def wake(self) -> None:
        if self.resumed:
            self.resumed.set()
            self.resumed = None

    # --- The end ---

    def close(self) -> None:
        """Closes once the queue is empty."""
        self.ending = True
        if self.watched is None:
            self.transport.close()

    def abort(self) -> None:
        """Discards the kernel's buffer too: otherwise the kernel retries for a quarter of an hour."""
        self.lost()
        if not self.transport.is_closing():
            at_once = struct.pack("ii", 1, 0)
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        self.transport.abort()

    def lost(self) -> None:
        """Called when the connection is lost, or about to be."""
        self.forget()
        self.rest = Outgoing.rest
        self.unwatch()
        self.wake()

    # --- Passed through to the loop's transport ---

    def is_closing(self) -> bool:
        return self.ending or self.transport.is_closing()

    def get_extra_info(self, name: str) -> Any:
        return self.transport.get_extra_info(name)

    def pause_reading(self) -> None:
        self.transport.pause_reading()

    def resume_reading(self) -> None:
        if not self.transport.is_closing():
            self.transport.resume_reading()
