"""Moments that all processes have in common, for what is cheaper done together."""

from __future__ import annotations

import asyncio
import time

# By the wall clock: what was said everywhere in between reaches each process at once, and not from each at another
# time. Where clocks differ, it is only not as cheap.
TICK_SECONDS = 0.018
EARLY_SECONDS = 0.002  # by which a loop's timer may be before its time: uvloop's clock has whole milliseconds
# Who comes so long after another who came alone waits for nothing.
CALM_SECONDS = TICK_SECONDS / 2


def next_tick() -> float:
    """The next of those moments, by the running loop's clock, in seconds."""
    left = TICK_SECONDS - time.time() % TICK_SECONDS
    return asyncio.get_running_loop().time() + (left if left > EARLY_SECONDS else left + TICK_SECONDS)
