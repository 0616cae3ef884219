"""Reads sockets in batches while traffic is high."""

from __future__ import annotations

import selectors
from typing import TYPE_CHECKING, Any

from MyChannels.tick import next_tick

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from _typeshed import HasFileno

# Two wake-ups closer together than this start batching: 200 wake-ups a second cost more than 55 ticks a second.
SOON_SECONDS = 0.005


class Readers:
    """Sits between the transports and Twisted's reactor, and reads the transports' sockets.

    With little traffic, frames are read at once. With heavy traffic, everything that arrived since the last tick is
    read at the next one. A wake-up for each frame, with cold caches, costs several times as much as the frame itself.
    This does not delay a room's messages, which wait for the same tick to be sent to Redis. Other frames do wait.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        # Taken here, because a callback that the first addReader() registered would run in that application's context.
        self._loop: AbstractEventLoop = reactor._asyncioEventloop
        self._selector = selectors.DefaultSelector()  # one descriptor, which the loop can stop watching
        self._reading: set[HasFileno] = set()
        self._woken_at = 0.0
        self._alone = False
        self._watch()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def addReader(self, reader: HasFileno) -> None:  # noqa: N802 - Twisted's name
        if reader not in self._reading:
            self._selector.register(reader, selectors.EVENT_READ)
            self._reading.add(reader)

    def removeReader(self, reader: HasFileno) -> None:  # noqa: N802 - Twisted's name
        if reader in self._reading:
            self._reading.remove(reader)
            self._selector.unregister(reader)

    def getReaders(self) -> list[HasFileno]:  # noqa: N802 - Twisted's name
        return list(self._reading)

    def _watch(self) -> None:
        self._loop.add_reader(self._selector, self._woken)

    def _woken(self) -> None:
        ready = self._selector.select(0)
        now = self._loop.time()
        if len(ready) > 1 or now - self._woken_at < SOON_SECONDS:
            self._loop.remove_reader(self._selector)
            self._loop.call_at(next_tick(), self._look)
            self._alone = False
        self._woken_at = now
        self._read(ready)

    def _look(self) -> None:
        ready = self._selector.select(0)
        alone = len(ready) == 1
        if not ready or (alone and self._alone):  # one socket twice in a row: stop batching
            self._watch()
        else:
            self._loop.call_at(next_tick(), self._look)
        self._alone = alone
        self._read(ready)

    def _read(self, ready: list[tuple[selectors.SelectorKey, int]]) -> None:
        for key, _ in ready:
            reader: Any = key.fileobj
            if reader in self._reading:  # an earlier one may have removed it
                self._reactor._readOrWrite(reader, True)
