"""The course of each test: a steady stream, the fault, recovery, a while after it, and the verdict."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING

from tests.chaos.recovery import from_the_end, from_the_lost_socket
from tests.chaos.result import Result
from tests.chaos.town import Town
from tests.stack.clone import WEBSOCKETS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.stack.clone import Clone

STEADY_SECONDS = 60.0  # until the stream flows
RECOVERY_SECONDS = 90.0  # who has not recovered then never does
GRACE = 30.0  # for all to have all at the end


async def endure(
    town: Town, fault: Callable[[Town], Awaitable[float | None]], name: str, promised: float, *, told_allowed: bool
) -> Result:
    """`fault` returns when the part answered again, or nothing where none stopped: then recovery counts from
    each lost socket."""
    started = datetime.now(UTC)
    async with town.crowd as crowd:
        async with town.stream():
            await town.stays_steady(STEADY_SECONDS)
            begun = monotonic()
            ended = await fault(town)
            with suppress(TimeoutError, ExceptionGroup):  # the verdict says who did not
                await town.stays_steady(RECOVERY_SECONDS)
        with suppress(TimeoutError, ExceptionGroup):
            await crowd.catch_up(GRACE)
        verdict = crowd.verdict()
    records = [member.record for member in town.members]
    if ended is None:
        recovery, since = from_the_lost_socket(records, begun), "the lost socket"
    else:
        recovery, since = from_the_end(records, begun, ended), "the end of the fault"
    lines = await asyncio.to_thread(logged, town.stack, started)
    tracebacks = [line for line in lines if "Traceback (most recent call last)" in line]
    told = [line for line in lines if "may have missed" in line]
    return Result(name, verdict, recovery, since, promised, tracebacks, told, told_allowed)


def logged(stack: Clone, since: datetime) -> list[str]:
    """The lines of those who run our code, cut where they get long."""
    logs = stack.compose("logs", "--no-color", "--since", since.isoformat(), WEBSOCKETS, "web").stdout
    return [line[:2000] for line in logs.splitlines()]
