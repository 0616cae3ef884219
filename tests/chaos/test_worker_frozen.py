"""A worker is frozen for 15 s and thawed: its clients have what was said meanwhile within 3 s of that."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic

from tests.chaos.result import Result
from tests.chaos.town import Town
from tests.stack.clone import WEBSOCKETS, Clone, docker

FROZEN = 15.0  # as long as a process without a heartbeat counts as alive


async def test_a_frozen_workers_clients_miss_nothing_once_it_is_thawed(
    stack: Clone, trial: Callable[..., Awaitable[Result]]
):
    async def freeze_one(town: Town) -> float:
        victim = stack.containers(WEBSOCKETS)[0]
        assert town.on(victim["Config"]["Hostname"])
        await asyncio.to_thread(docker, "pause", victim["Id"])
        await asyncio.sleep(FROZEN)
        thawed = monotonic()
        await asyncio.to_thread(docker, "unpause", victim["Id"])
        return thawed

    assert (await trial(stack, freeze_one, promised=3.0)).broken == []
