"""What goes out of one asyncio connection: straight to the kernel, then bounded in whole frames."""

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
    """A transport around the loop's own, whose writing side it takes over.

    The loop's transport takes whatever is written, gives none of it back, and says how much waits, but not in which
    frames. Here the kernel is asked first, by the cost of the same one system call; what it does not take waits here,
    and a second descriptor of the same socket, watched only as long as that, tells when to go on.
    """

    # On the class, so that a connection whose peer keeps up has none of its own.
    rest: memoryview = memoryview(b"")  # of the frame that the kernel has begun to take
    watched: int | None = None
    ending = False
    resumed: asyncio.Event | None = None
    frames: deque[tuple[bytes, bool]] | None = None  # and whether the bound is for them
    waiting_bytes = 0  # in them
    bounded_bytes = 0  # in those whose writer cannot wait
    queued_bytes = 0  # that have ever waited

    def __init__(self, transport: asyncio.Transport, overflowed: Callable[[], None]) -> None:
        if transport.get_extra_info("ssl_object") is not None:
            raise RuntimeError("Expected a plain connection, received TLS: nginx ends that, see docs/architecture.md")
        self.transport = transport
        self.overflowed = overflowed
        self.descriptor: int = transport.get_extra_info("socket").fileno()

    # --- Writing ---

    def write(self, frame: bytes) -> None:
        """A whole frame, or what is a unit otherwise; never waits."""
        if self.watched is None:
            self.send(frame)
        else:
            self.queue(frame)

    def write_unbounded(self, frame: bytes) -> None:
        """The same for one who waits when much waits here."""
        if self.watched is None:
            self.send(frame)
        else:
            self.append(frame, bounded=False)

    def send(self, frame: bytes | memoryview) -> None:
        if self.transport.is_closing():  # its descriptor may be another connection's by now
            return
        try:
            taken = os.write(self.descriptor, frame)
        except BlockingIOError:
            taken = 0
        except OSError:  # the peer is gone, which the reading side need not hear of soon
            self.abort()
            return
        if taken < len(frame):
            self.rest = memoryview(frame)[taken:]
            self.watch()

    def queue(self, frame: bytes) -> None:
        if self.overflows(frame):
            # What waits was last offered to the kernel before the application's turn of the loop; how much it sends
            # in one turn says nothing about the peer.
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
            except OSError:  # no more files may be open; the rest of the frame would never go
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
        """This peer has more waiting than any other, and all of them together too much."""
        before = self.unsent()
        self.overflowed()
        if self.unsent() == before:  # has been told already
            self.abort()

    def flush(self) -> None:
        """As much as the kernel takes."""
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
        """All but the frame begun."""
        self.frames = None
        self.waiting_bytes = self.bounded_bytes = 0

    # --- What is said of it ---

    def unsent(self) -> int:
        return len(self.rest) + self.waiting_bytes

    def untaken(self) -> int:
        """Bytes that the peer has not acknowledged."""
        return self.unsent() + (0 if self.transport.is_closing() else unacknowledged(self.descriptor))

    def waits(self) -> bool:
        return self.watched is not None

    async def changed(self) -> None:
        """Returns when nothing waits any more, or somebody wakes who waits for that."""
        self.resumed = self.resumed or asyncio.Event()
        await self.resumed.wait()

    def wake(self) -> None:
        if self.resumed:
            self.resumed.set()
            self.resumed = None

    # --- The end ---

    def close(self) -> None:
        """After what waits."""
        self.ending = True
        if self.watched is None:
            self.transport.close()

    def abort(self) -> None:
        """Without what the kernel holds: it would go on with that for a quarter of an hour."""
        self.lost()
        if not self.transport.is_closing():
            at_once = struct.pack("ii", 1, 0)
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        self.transport.abort()

    def lost(self) -> None:
        """The connection is, or is about to be."""
        self.forget()
        self.rest = Outgoing.rest
        self.unwatch()
        self.wake()

    # --- The loop's transport's ---

    def is_closing(self) -> bool:
        return self.ending or self.transport.is_closing()

    def get_extra_info(self, name: str) -> Any:
        return self.transport.get_extra_info(name)

    def pause_reading(self) -> None:
        self.transport.pause_reading()

    def resume_reading(self) -> None:
        if not self.transport.is_closing():
            self.transport.resume_reading()
