"""Changing the number of Daphne workers."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.stack.clone import WEBSOCKETS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.stack.clone import Clone

WORKERS = 2  # of the shared stack; whoever changes it restores it


def workers(stack: Clone) -> dict[str, dict[str, Any]]:
    """The running Daphne containers by the address that nginx logs."""
    found = {}
    for container in stack.containers(WEBSOCKETS):
        if container["State"]["Running"]:
            address = container["NetworkSettings"]["Networks"][f"{stack.project}_edge"]["IPAddress"]
            found[f"{address}:8000"] = container
    return found


@contextmanager
def restored(stack: Clone) -> Iterator[None]:
    try:
        yield
    finally:
        if len(stack.containers(WEBSOCKETS)) != WORKERS:
            stack.make("scale", f"N={WORKERS}")
