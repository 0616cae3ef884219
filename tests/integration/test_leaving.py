"""Who leaves a room is out of its group; who only keeps silent is not."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from .conftest import Join

Count = Callable[[str], Awaitable[int]]
IDLE_SECONDS = 7  # longer than any wait for Redis of either layer, which end after 5


@pytest.mark.parametrize("kind", ["chat", "sync", "async"])
async def test_member_that_left_is_out_of_the_group(join: Join, members: Count, room: str, kind: str) -> None:
    stays, leaves = await join(kind), await join(kind)
    assert await members(f"chat_{room}") == 2
    await leaves.disconnect(timeout=5)
    assert await members(f"chat_{room}") == 1
    await stays.disconnect(timeout=5)
    assert await members(f"chat_{room}") == 0


@pytest.mark.parametrize("kind", ["chat", "sync", "async"])
async def test_disconnect_ends_the_consumer_at_once(join: Join, kind: str) -> None:
    for leaves in [await join(kind), await join(kind)]:
        await leaves.send_input({"type": "websocket.disconnect", "code": 1000})
        ended, _ = await asyncio.wait({leaves.future}, timeout=2)
        assert ended


async def test_silent_member_stays_connected_and_still_hears(join: Join) -> None:
    silent = await join("chat")
    ended, _ = await asyncio.wait({silent.future}, timeout=IDLE_SECONDS)
    assert not ended
    await silent.send_json_to({"message": "still here"})
    assert await silent.receive_json_from(timeout=5) == {"message": f"{silent.name}说: still here"}
