"""nginx is reloaded: nobody loses a socket, and the old processes serve those that they have."""

import asyncio
from collections.abc import Awaitable, Callable

from tests.chaos.result import Result
from tests.chaos.town import Town
from tests.stack.clone import Clone
from tests.stack.processes import nginx_is_leaving
from tests.stack.waiting import wait_until

SECONDS = 30.0


async def test_a_reload_of_nginx_costs_no_socket(stack: Clone, trial: Callable[..., Awaitable[Result]]):
    async def reload(_: Town) -> None:
        await asyncio.to_thread(stack.compose, "exec", "--no-TTY", "nginx", "nginx", "-s", "reload")
        await asyncio.to_thread(wait_until, lambda: nginx_is_leaving(stack), SECONDS, "old processes are leaving")

    result = await trial(stack, reload, promised=3.0)
    assert result.verdict.reconnects == 0
    assert result.broken == []
