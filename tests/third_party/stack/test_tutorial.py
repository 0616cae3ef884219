"""The consumers of Channels' tutorial, at its own path, which is one of ours as well."""

import pytest

from tests.stack.clone import Clone
from tests.third_party.stack.workers import heard, on_each_worker, tell


@pytest.mark.parametrize("path", ["/ws/chat/lobby/", "/ws/synchronous/chat/lobby/"])
async def test_what_one_says_reaches_all(stack: Clone, path: str) -> None:
    async with on_each_worker(stack, path) as sockets:
        for number, speaker in enumerate(sockets):
            await tell(speaker, message=f"hello {number}")
            for socket in sockets:
                assert await heard(socket) == {"message": f"hello {number}"}
