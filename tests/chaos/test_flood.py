"""A client says as much as it can: it is closed with 4429 after 10 s, and the others' messages go on meanwhile."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from time import monotonic

from tests.chaos.result import Result
from tests.chaos.town import Town
from tests.stack.clone import ROOT, Clone

SECONDS = 60.0
ACKNOWLEDGED = 1.0  # p99, of the others' messages; on cores that the flood shares


async def test_a_flood_is_ended_and_holds_nobody_up(stack: Clone, trial: Callable[..., Awaitable[Result]]):
    said: list[bytes] = []

    async def flood(town: Town) -> float:
        command = (sys.executable, "-m", "tests.chaos.flooder", town.rooms[0])
        async with asyncio.timeout(SECONDS):
            flooder = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
            said.append((await flooder.communicate())[0])
        return monotonic()

    result = await trial(stack, flood, promised=1.0)
    assert said == [b"4429\n"]
    assert result.verdict.acknowledging.p99 <= ACKNOWLEDGED
    assert result.verdict.reconnects == 0
    assert result.broken == []
