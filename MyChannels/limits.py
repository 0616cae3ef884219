"""How much one connection may ask for, and how much all of a process may hold."""

import time
from collections.abc import Callable, Hashable
from pathlib import Path

BURST_SECONDS = 4  # MESSAGE_RATE times this may come at once
PATIENCE = 10.0  # seconds of being limited on end
CALM = 1.0  # seconds without a refusal end it

# The container's, in cgroup v2 and v1.
MEMORY_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
UNLIMITED = 2**29  # stands for no limit: compose.yaml's default
SHARE = 8  # a pool has one part in so many of it


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


class Pool:
    """Bytes that many hold together. When they become too many, the one that holds most lets go of its own.

    A bound for each alone is none: a client has as many connections as it likes. Those that hold little never notice.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.held = 0
        self._holders: dict[Hashable, tuple[int, Callable[[], None]]] = {}

    def hold(self, holder: Hashable, count: int, let_go: Callable[[], None]) -> None:
        """From now on `holder` has `count` bytes, however many it had before."""
        self.release(holder)
        self.held += count
        self._holders[holder] = count, let_go
        while self.held > self.size and self._holders:
            most = max(self._holders, key=lambda one: self._holders[one][0])
            _, its_own = self._holders[most]
            self.release(most)
            its_own()

    def release(self, holder: Hashable) -> None:
        """It has none any more."""
        if found := self._holders.pop(holder, None):
            self.held -= found[0]


def memory_limit(files: tuple[Path, ...] = MEMORY_LIMITS) -> int:
    """Bytes of memory that this container may have."""
    for file in files:
        try:
            limit = int(file.read_text())
        except (OSError, ValueError):  # the other version's; or `max`
            continue
        return limit if limit < 2**50 else UNLIMITED  # v1 has a huge number for none
    return UNLIMITED
