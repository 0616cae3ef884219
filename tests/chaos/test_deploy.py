"""A new build takes every worker's place: clients are back with all within a second of losing their socket, all of a
worker's within DRAIN_SECONDS + 2 s of the first that it closed, and no page fails.
"""

import asyncio
from collections.abc import Awaitable, Callable

from tests.chaos.recovery import by_worker
from tests.chaos.result import Result
from tests.chaos.town import Town
from tests.stack.clone import WEBSOCKETS, Clone
from tests.stack.pages import visited

DRAIN_SECONDS = 10.0  # .env.example's
VISIT = 0.25  # seconds between two rounds of a visitor: the machine is for the clients of rooms


async def test_a_deployment_costs_no_message_and_no_page(stack: Clone, trial: Callable[..., Awaitable[Result]]):
    style = stack.path / "MyChannels/static/MyChannels/page.css"
    style.write_text(style.read_text() + "\n/* another build */\n")
    before = {container["Config"]["Hostname"] for container in stack.containers(WEBSOCKETS)}
    towns: list[Town] = []

    async def deploy(town: Town) -> None:
        towns.append(town)
        assert all(map(town.on, before)), "a worker without any of the clients proves nothing"
        with visited(stack, VISIT) as visits:
            print((await asyncio.to_thread(stack.make, "deploy")).stdout)
        print(f"{visits.answered} requests, {visits.posts} of them POST")
        assert visits.posts
        assert visits.failed == []

    result = await trial(stack, deploy, promised=1.0)
    took = by_worker(member.record for town in towns for member in town.members)
    print(took)
    assert set(took) == before, "clients moved once, from old workers to new ones"
    assert max(took.values()) <= DRAIN_SECONDS + 2
    assert result.recovery.of == result.verdict.clients
    assert result.broken == []
