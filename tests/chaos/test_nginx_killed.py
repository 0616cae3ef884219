"""nginx is killed, and every socket with it: clients are back with all within 3 s of its answering again."""

import asyncio
from collections.abc import Awaitable, Callable

from tests.chaos import answers
from tests.chaos.result import Result
from tests.chaos.town import Town
from tests.stack.clone import Clone
from tests.stack.processes import kill


async def test_killing_nginx_costs_no_message(stack: Clone, trial: Callable[..., Awaitable[Result]]):
    async def kill_nginx(_: Town) -> float:
        await asyncio.to_thread(kill, stack.containers("nginx"))
        return await answers.of_nginx(stack)

    result = await trial(stack, kill_nginx, promised=3.0)
    assert result.verdict.reconnects >= result.verdict.clients
    assert result.broken == []
