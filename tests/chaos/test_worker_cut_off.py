"""A worker is cut off from Redis for 15 s and joined again: its clients have what was said within 10 s of that."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic

from tests.chaos.result import Result
from tests.chaos.town import Town
from tests.stack.clone import WEBSOCKETS, Clone, docker

CUT_OFF = 15.0


async def test_a_worker_without_redis_catches_up_once_it_is_joined_again(
    stack: Clone, trial: Callable[..., Awaitable[Result]]
):
    async def cut_off(town: Town) -> float:
        victim = stack.containers(WEBSOCKETS)[0]
        assert town.on(victim["Config"]["Hostname"])
        network = f"{stack.project}_backend"
        await asyncio.to_thread(docker, "network", "disconnect", network, victim["Id"])
        await asyncio.sleep(CUT_OFF)
        await asyncio.to_thread(docker, "network", "connect", "--alias", WEBSOCKETS, network, victim["Id"])
        return monotonic()

    assert (await trial(stack, cut_off, promised=10.0)).broken == []
