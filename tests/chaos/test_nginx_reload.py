"""nginx is reloaded: its old workers close the sockets after 10 s, and clients are back with all within 3 s of that."""

import asyncio
from collections.abc import Awaitable, Callable

from tests.chaos.result import Result
from tests.chaos.town import Town
from tests.stack.clone import Clone
from tests.stack.waiting import wait_until

SECONDS = 30.0  # nginx.conf's worker_shutdown_timeout, and some


async def test_a_reload_of_nginx_costs_no_message(stack: Clone, trial: Callable[..., Awaitable[Result]]):
    async def reload(town: Town) -> None:
        def closed() -> bool:
            return all(member.record.reconnects for member in town.members)

        await asyncio.to_thread(stack.compose, "exec", "--no-TTY", "nginx", "nginx", "-s", "reload")
        await asyncio.to_thread(wait_until, closed, SECONDS, "the old workers have closed every socket")

    result = await trial(stack, reload, promised=3.0)
    assert result.recovery.of == result.verdict.clients
    assert result.broken == []
