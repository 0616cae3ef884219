"""Redis' process is killed: whatever it acknowledged is there, and clients have it within 3 s of its answering again.

The kernel has what Redis has written; a power cut, which may cost a second, is another fault.
"""

import asyncio
from collections.abc import Awaitable, Callable

from tests.chaos import answers
from tests.chaos.result import Result
from tests.chaos.town import Town
from tests.stack.clone import Clone
from tests.stack.processes import kill


async def test_killing_redis_costs_no_message(stack: Clone, trial: Callable[..., Awaitable[Result]]):
    async def kill_redis(_: Town) -> float:
        since = answers.now()
        await asyncio.to_thread(kill, stack.containers("redis"))
        return await asyncio.to_thread(answers.of_redis, stack, since)

    assert (await trial(stack, kill_redis, promised=3.0)).broken == []
