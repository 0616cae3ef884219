"""All connections to Redis are reset at once: nothing is lost, and clients have all within 3 s."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic

from tests.chaos.namespace import in_network_of
from tests.chaos.result import Result
from tests.chaos.town import Town
from tests.stack.clone import WEBSOCKETS, Clone

# In Redis' network, since none of its users may CLIENT KILL. The kernel resets each connection at both ends.
KILL = ("ss", "--kill", "--no-header", "--tcp", "state", "connected", "sport", "=", ":6379")


async def test_reset_connections_to_redis_cost_no_message(stack: Clone, trial: Callable[..., Awaitable[Result]]):
    async def reset(_: Town) -> float:
        (redis,) = stack.containers("redis")
        killed = await asyncio.to_thread(in_network_of, redis, KILL)
        assert len(killed.splitlines()) >= 2 * len(stack.containers(WEBSOCKETS)), "each worker publishes and subscribes"
        return monotonic()

    assert (await trial(stack, reset, promised=3.0)).broken == []
