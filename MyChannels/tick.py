"""Common points in time for all processes, for work that is cheaper when done together."""

from __future__ import annotations

import asyncio
import time

# By the wall clock: all processes send what has accumulated since the last tick at the same time, so each process
# receives it in one burst. If clocks differ, this only costs more.
TICK_SECONDS = 0.018
EARLY_SECONDS = 0.002  # a loop's timer may fire this early: uvloop's clock counts whole milliseconds
# A single question this long after another single one does not wait for a tick.
CALM_SECONDS = TICK_SECONDS / 2


def next_tick() -> float:
    """The time of the next tick by the running loop's clock, in seconds."""
    left = TICK_SECONDS - time.time() % TICK_SECONDS
    return asyncio.get_running_loop().time() + (left if left > EARLY_SECONDS else left + TICK_SECONDS)
