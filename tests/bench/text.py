"""The text of a message: which it is and when it was sent, so that whoever receives it knows both."""

from __future__ import annotations

import re

LENGTH = 100  # characters
MARK = re.compile(r"~(\d+):(\d+)~")


def text(number: int, sent: int) -> str:
    """`sent` is in nanoseconds of the machine's monotonic clock, which all containers share."""
    return f"~{number}:{sent}~".ljust(LENGTH, "x")


def mark(said: str) -> tuple[int, int]:
    """Number and time; whatever stands before and after does not matter."""
    found = MARK.search(said)
    if found is None:
        raise ValueError(f"expected a text of the benchmark, received {said[:200]!r}")
    return int(found[1]), int(found[2])
