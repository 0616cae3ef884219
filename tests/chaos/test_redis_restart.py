"""Redis is restarted: whatever it acknowledged is there, and clients have it within 3 s of its answering again."""

import asyncio
from collections.abc import Awaitable, Callable

from tests.chaos import answers
from tests.chaos.result import Result
from tests.chaos.town import Town
from tests.stack.clone import Clone


async def test_a_restart_of_redis_costs_no_message(stack: Clone, trial: Callable[..., Awaitable[Result]]):
    async def restart(_: Town) -> float:
        since = answers.now()
        await asyncio.to_thread(stack.compose, "restart", "redis")
        return await asyncio.to_thread(answers.of_redis, stack, since)

    assert (await trial(stack, restart, promised=3.0)).broken == []
