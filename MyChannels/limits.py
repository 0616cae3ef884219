"""Limits: the rate of one connection, and the memory that all connections of a process share."""

import time
from collections.abc import Callable, Hashable
from pathlib import Path

BURST_SECONDS = 4  # a burst may have MESSAGE_RATE times this many messages
PATIENCE = 10.0  # seconds of uninterrupted limiting
CALM = 1.0  # seconds without a refusal interrupt it

# The container's limit, in cgroup v2 and v1.
MEMORY_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
UNLIMITED = 2**29  # assumed if there is no limit: compose.yaml's default
SHARE = 8  # a pool's size is the memory limit divided by this


class Rate:
    """A token bucket that also measures how long it has been empty without interruption."""

    __slots__ = ("_at", "_limited_since", "_now", "_rate", "_refused_at", "_tokens")

    def __init__(self, rate: float, now: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._now = now
        self._tokens = rate * BURST_SECONDS
        self._at = now()
        self._limited_since = self._refused_at = float("-inf")

    def permits(self) -> bool:
        """Whether one more object may be handled now. If so, takes a token."""
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
        """Whether the connection has been limited without interruption for PATIENCE seconds."""
        return self._refused_at - self._limited_since >= PATIENCE


class Pool:
    """A bound on the bytes of many holders together. When it is exceeded, the largest holder must free its bytes.

    A bound per holder would not help: a client can open any number of connections. Small holders are never affected.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.held = 0
        self._holders: dict[Hashable, tuple[int, Callable[[], None]]] = {}

    def hold(self, holder: Hashable, count: int, let_go: Callable[[], None]) -> None:
        """Sets the bytes of `holder` to `count`."""
        self.release(holder)
        self.held += count
        self._holders[holder] = count, let_go
        while self.held > self.size and self._holders:
            most = max(self._holders, key=lambda one: self._holders[one][0])
            _, its_own = self._holders[most]
            self.release(most)
            its_own()

    def release(self, holder: Hashable) -> None:
        """Sets the bytes of `holder` to 0."""
        if found := self._holders.pop(holder, None):
            self.held -= found[0]


def memory_limit(files: tuple[Path, ...] = MEMORY_LIMITS) -> int:
    """This container's memory limit in bytes."""
    for file in files:
        try:
            limit = int(file.read_text())
        except (OSError, ValueError):  # another cgroup version, or `max`
            continue
        return limit if limit < 2**50 else UNLIMITED  # v1 reports a huge number if there is no limit
    return UNLIMITED
