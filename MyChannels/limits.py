"""How much one connection may ask for."""

import time
from collections.abc import Callable

BURST_SECONDS = 4  # MESSAGE_RATE times this may come at once
PATIENCE = 10.0  # seconds of being limited on end
CALM = 1.0  # seconds without a refusal end it


class Rate:
    """A token bucket, and how long it has been empty on end."""

    __slots__ = ("_at", "_limited_since", "_now", "_rate", "_refused_at", "_tokens")

    def __init__(self, rate: float, now: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._now = now
        self._tokens = rate * BURST_SECONDS
        self._at = now()
        self._limited_since = self._refused_at = float("-inf")

    def permits(self) -> bool:
        """Whether one more object may be handled now."""
        now = self._now()
        self._tokens = min(self._rate * BURST_SECONDS, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens >= 1:
            self._tokens -= 1
            return True
        if now - self._refused_at > CALM:
            self._limited_since = now
        self._refused_at = now
        return False

    @property
    def exhausted(self) -> bool:
        """Whether the last refusals have lasted longer than anybody's patience."""
        return self._refused_at - self._limited_since >= PATIENCE
