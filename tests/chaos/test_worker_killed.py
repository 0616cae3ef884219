"""A worker's process is killed: its clients are on another worker, with all they missed, within 3 s."""

import asyncio
from collections.abc import Awaitable, Callable

from tests.chaos.result import Result
from tests.chaos.town import Town
from tests.stack.clone import WEBSOCKETS, Clone
from tests.stack.processes import kill


async def test_a_killed_worker_costs_its_clients_no_message(stack: Clone, trial: Callable[..., Awaitable[Result]]):
    async def kill_one(town: Town) -> None:
        victim = stack.containers(WEBSOCKETS)[0]
        served = town.on(victim["Config"]["Hostname"])
        assert served, "a worker without any of the clients proves nothing"
        await asyncio.to_thread(kill, [victim])

    result = await trial(stack, kill_one, promised=3.0)
    assert result.recovery.of, "nobody lost a socket"
    assert result.broken == []
