"""All workers are killed at once, and refuse until they are back: every client has all within 10 s of the first
handshake, of which up to 8 s are the client's own delay after its fourth refusal.

Passive health checks let one socket through in three seconds then, until it ends: nginx/templates/.
"""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic

from tests.chaos.result import Result
from tests.chaos.town import Town
from tests.stack.clone import WEBSOCKETS, Clone
from tests.stack.processes import kill
from tests.stack.waiting import wait_until
from tests.stack.wire import handshake

SECONDS = 60.0


async def test_killing_every_worker_costs_no_message(stack: Clone, trial: Callable[..., Awaitable[Result]]):
    async def kill_all(_: Town) -> float:
        def answers() -> bool:
            return handshake(stack, "/ws/echo/chaos/").status == 101

        await asyncio.to_thread(kill, stack.containers(WEBSOCKETS))
        await asyncio.to_thread(wait_until, answers, SECONDS, "a handshake is answered", every=0.05)
        return monotonic()

    result = await trial(stack, kill_all, promised=10.0)
    assert result.verdict.reconnects >= result.verdict.clients
    assert result.broken == []
