"""2,000 clients lose their sockets in the same moment: all are back with all they missed within 10 s."""

import os
from collections.abc import Awaitable, Callable

from tests.chaos.result import Result
from tests.chaos.town import Town
from tests.stack.clone import Clone

CLIENTS = int(os.environ.get("CHAOS_CROWD", "2000"))


async def test_two_thousand_reconnecting_at_once_lose_no_message(stack: Clone, trial: Callable[..., Awaitable[Result]]):
    async def cut(town: Town) -> None:
        for member in town.members:
            assert member.cut()

    result = await trial(stack, cut, promised=10.0, clients=CLIENTS)
    assert result.recovery.of >= CLIENTS
    assert result.broken == []
