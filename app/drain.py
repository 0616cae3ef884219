"""The draining of this process, from the stop signal until its end.

The servers begin and end it, and readiness checks it. app/routing.py sets how long it takes and what runs at its end.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

logger = logging.getLogger(__name__)

END_SECONDS = 3.0  # for everything that runs at the end, together


class Drain:
    def __init__(self) -> None:
        self.seconds = 0.0  # open sockets and event streams are closed over this time
        self.begun = False
        self.last_turn = 0.0  # when the last of them is closed
        self.finish_end = 0.0  # until when all other responses may finish
        self.cancelled = 0  # number of applications that did not end when their response was ended
        self._last: list[Callable[[], Coroutine[Any, Any, object]]] = []

    def begin(self, finish_seconds: float) -> None:
        self.begun = True
        self.last_turn = time.monotonic() + self.seconds
        self.finish_end = time.monotonic() + finish_seconds

    def at_end(self, leave: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """Registers `leave`, which is awaited when no application runs any more."""
        self._last.append(leave)

    async def end(self, seconds: float = END_SECONDS) -> None:
        """Runs all of them together. A fault or a delay in one holds up neither the others nor the process."""
        leaving = [asyncio.create_task(leave()) for leave in self._last]
        if not leaving:
            return
        done, late = await asyncio.wait(leaving, timeout=seconds)
        for task in late:
            task.cancel()
            logger.warning("not left within %g s: %r", seconds, task)
        for task in done:
            if fault := task.exception():
                logger.error("could not leave: %s", fault, exc_info=fault)


draining = Drain()
