"""The engine is restarted, and its containers return in no order: no message is lost, and clients have all within
15 s of the first answer."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest

from tests.chaos import answers
from tests.chaos.inner_engine import InnerEngine, inner_engine
from tests.chaos.result import Result
from tests.chaos.town import Town
from tests.stack.clone import Clone
from tests.stack.waiting import wait_until

SECONDS = 60.0


@pytest.fixture
def engine(fresh_clone: Callable[[], Clone]) -> Iterator[InnerEngine]:
    """One that no other container runs on."""
    with inner_engine(fresh_clone()) as engine:
        yield engine


async def test_a_restart_of_the_engine_costs_no_message(engine: InnerEngine, trial: Callable[..., Awaitable[Result]]):
    async def restart(town: Town) -> float:
        def gone() -> bool:
            return not any(member.connected for member in town.members)

        await asyncio.to_thread(engine.restart)
        await asyncio.to_thread(wait_until, gone, SECONDS, "every socket has ended")
        return await answers.of_nginx(engine.clone)

    assert (await trial(engine.clone, restart, promised=15.0)).broken == []
