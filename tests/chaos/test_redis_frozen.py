"""Redis is frozen for 15 s: nothing is lost, and clients have all within 5 s of its thawing.

Up to 4 s of it are a sender's own: who was refused four times waits so long at most before the next attempt.
"""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic

from tests.chaos.result import Result
from tests.chaos.town import Town
from tests.stack.clone import Clone, docker

FROZEN = 15.0


async def test_a_frozen_redis_costs_no_message(stack: Clone, trial: Callable[..., Awaitable[Result]]):
    async def freeze(_: Town) -> float:
        (redis,) = stack.containers("redis")
        await asyncio.to_thread(docker, "pause", redis["Id"])
        await asyncio.sleep(FROZEN)
        thawed = monotonic()
        await asyncio.to_thread(docker, "unpause", redis["Id"])
        return thawed

    assert (await trial(stack, freeze, promised=5.0)).broken == []
