"""Waiting for a condition with a deadline, instead of for a time that is hopefully enough."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(condition: Callable[[], T], seconds: float, what: str, every: float = 0.2) -> T:
    """The condition's first true value; fails the test if there is none within `seconds`."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"expected within {seconds:g} s: {what}; last seen: {value!r}")
        time.sleep(every)
    return value
