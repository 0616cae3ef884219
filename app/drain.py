"""What is draining: this process, from the signal to stop until its end.

The servers begin and end it, readiness looks at it, and app/routing.py says how long and what is left last.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

logger = logging.getLogger(__name__)

END_SECONDS = 3.0  # for all that is left last, together


class Drain:
    def __init__(self) -> None:
        self.seconds = 0.0  # over which open sockets and event streams are closed
        self.begun = False
        self.last_turn = 0.0  # when the last of them is
        self.finish_end = 0.0  # until then every other response may finish
        self.cancelled = 0  # applications whose response was ended, and that did not end themselves
        self._last: list[Callable[[], Coroutine[Any, Any, object]]] = []

    def begin(self, finish_seconds: float) -> None:
        self.begun = True
        self.last_turn = time.monotonic() + self.seconds
        self.finish_end = time.monotonic() + finish_seconds

    def at_end(self, leave: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """`leave` is awaited when no application runs any more."""
        self._last.append(leave)

    async def end(self, seconds: float = END_SECONDS) -> None:
        """Leaves all at once; neither a fault nor a delay of one keeps the others, or the process."""
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
