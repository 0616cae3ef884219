"""When a part answered again, to a few milliseconds: as it logged itself, or as who kept asking saw it."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from http.client import HTTPException
from time import monotonic
from typing import TYPE_CHECKING

from tests.stack.clone import docker
from tests.stack.processes import monotonic_of
from tests.stack.waiting import wait_until
from tests.stack.wire import request

if TYPE_CHECKING:
    from tests.stack.clone import Clone

SECONDS = 60.0


def of_redis(stack: Clone, since: datetime) -> float:
    """Its log says when it took connections; asking it by `docker exec` would be later by half a second."""
    (redis,) = stack.containers("redis")

    def ready() -> float | None:
        lines = docker("logs", "--timestamps", "--since", since.isoformat(), redis["Id"]).splitlines()
        found = [line for line in lines if "Ready to accept connections" in line]
        return monotonic_of(stamp(found[-1])) if found else None

    return wait_until(ready, SECONDS, "Redis takes connections again") or 0


def stamp(line: str) -> float:
    """A log line's time, without the nanoseconds that Python does not read."""
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d*Z.*", r"\1+00:00", line.partition(" ")[0])).timestamp()


async def of_nginx(stack: Clone) -> float:
    """The first answer that came through it from the application."""

    def answers() -> bool:
        try:
            return request(stack, "/health/live").status == 200
        except (OSError, HTTPException):
            return False

    await asyncio.to_thread(wait_until, answers, SECONDS, "an answer through nginx", every=0.02)
    return monotonic()


def now() -> datetime:
    return datetime.now(UTC)
