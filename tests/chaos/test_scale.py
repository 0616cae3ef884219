"""The workers become six and then one while all talk: who loses a socket is back with all within 3 s."""

import asyncio
from collections.abc import Awaitable, Callable

from tests.chaos.result import Result
from tests.chaos.town import Town
from tests.stack.clone import Clone
from tests.stack.scaling import restored


async def test_workers_that_come_and_go_cost_no_message(stack: Clone, trial: Callable[..., Awaitable[Result]]):
    async def scale(_: Town) -> None:
        for number in (6, 1):
            await asyncio.to_thread(stack.make, "scale", f"N={number}")

    with restored(stack):
        result = await trial(stack, scale, promised=3.0)
    assert result.recovery.of, "nobody lost a socket"
    assert result.broken == []
