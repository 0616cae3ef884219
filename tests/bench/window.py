"""What is said within a measured time, and what came of it: each delivery counted for each client."""

from __future__ import annotations

from array import array
from math import ceil
from typing import TYPE_CHECKING, Any

from tests.bench.quantile import quantile

if TYPE_CHECKING:
    from collections.abc import Iterable


class Tally:
    """One client's deliveries of one window: how often each message came."""

    __slots__ = ("counts", "heard")

    def __init__(self, messages: int) -> None:
        self.counts = bytearray(messages)
        self.heard = 0

    def add(self, index: int) -> None:
        self.heard += 1
        if self.counts[index] < 255:  # a byte's end; 255 copies are a fault as well as 256
            self.counts[index] += 1

    def lost(self, expected: int) -> int:
        """Of the first so many."""
        return self.counts.count(0, 0, expected)

    @property
    def repeated(self) -> int:
        return self.heard - (len(self.counts) - self.counts.count(0))


class Window:
    """Messages are numbered through all rooms in turn, from `first` on."""

    def __init__(self, first: int, messages: int, rooms: int) -> None:
        self.first = first
        self.messages = messages
        self.rooms = rooms
        self.sent = [0] * rooms
        self.expected = 0
        self.delivered = 0
        self.late = 0  # of earlier windows
        self.latencies = array("q")  # nanoseconds
        self.last = 0  # when the newest delivery came

    def tally(self) -> Tally:
        return Tally(ceil(self.messages / self.rooms))

    def room_of(self, number: int) -> int:
        return (number - self.first) % self.rooms

    def index_of(self, number: int) -> int:
        """Its place among its own room's; below 0 for an earlier window's."""
        return (number - self.first) // self.rooms

    def report(self, tallies: Iterable[tuple[int, Tally]], begun: int, ended: int) -> dict[str, Any]:
        """`tallies` with each one's room; `begun` and `ended` are the first and the last sending, in nanoseconds."""
        lost = repeated = 0
        for room, tally in tallies:
            lost += tally.lost(self.sent[room])
            repeated += tally.repeated
        ordered = sorted(self.latencies)
        return {
            "sent": sum(self.sent),
            "expected": self.expected,
            "delivered": self.delivered,
            "lost": lost,
            "repeated": repeated,
            "late": self.late,
            "sending_seconds": (ended - begun) / 1e9,
            "seconds": (max(self.last, ended) - begun) / 1e9,
            "backlog_seconds": max(0, self.last - ended) / 1e9,  # from the last sending until the last delivery
            **{f"{name}_ms": quantile(ordered, share) / 1e6 for name, share in SHARES.items()},
        }


SHARES = {"p50": 0.5, "p99": 0.99, "p999": 0.999, "max": 1.0}
