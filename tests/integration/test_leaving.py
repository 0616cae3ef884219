"""Who leaves a room is out of its group; who only keeps silent is not."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from app import channel_layer
from MyChannels import messages
from MyChannels.groups import room_group
from tests.fixtures import Join

Count = Callable[[str], Awaitable[int]]
IDLE_SECONDS = 7  # longer than any wait for Redis of either layer, which end after 5
AT_ONCE = 4  # seconds: shorter than those, and long on a busy machine


@pytest.mark.parametrize("kind", ["sync", "async"])
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
        ended, _ = await asyncio.wait({leaves.future}, timeout=AT_ONCE)
        assert ended


async def test_silent_member_stays_connected_and_still_hears(join: Join) -> None:
    silent = await join("chat")
    ended, _ = await asyncio.wait({silent.future}, timeout=IDLE_SECONDS)
    assert not ended
    await silent.send_json_to({"message": "still here"})
    assert await silent.receive_json_from(timeout=5) == {"message": f"{silent.name}说: still here"}


async def test_a_busy_room_keeps_nothing_of_who_came_and_went(connect: Join, layer: Any, room: str) -> None:
    """Channels cancels a member's receive; stock pub/sub misses that when a message has just arrived, and stock core
    keeps what arrives for it afterwards."""
    await connect(f"/ws/async/{room}/")
    talking = asyncio.create_task(talk(layer, room_group(room)))
    for _ in range(50):
        await (await connect(f"/ws/async/{room}/")).disconnect(timeout=5)
    talking.cancel()
    async with asyncio.timeout(5):
        while len(layer.channels) > 1:  # noqa: ASYNC110  # the layer tells nobody
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("layer", ["core"], indirect=True)
async def test_a_channel_outlives_the_task_that_made_it_if_somebody_receives_on_it(layer: Any) -> None:
    """As by `async_to_sync(layer.new_channel)()`, which makes a task for itself."""
    channel, other = await asyncio.create_task(layer.new_channel()), await layer.new_channel()
    receiving = asyncio.create_task(layer.receive(channel))
    for name in (other, channel):  # by way of another channel's receiver, too
        await layer.send(name, {"type": "hello"})
    async with asyncio.timeout(5):
        assert (await receiving)["type"] == (await layer.receive(other))["type"] == "hello"


async def test_a_channel_keeps_what_comes_after_its_maker_has_ended_and_before_somebody_receives(layer: Any) -> None:
    """As for a request and its reply in synchronous code: `async_to_sync` makes a task for each call."""
    channel, other = await asyncio.create_task(layer.new_channel()), await layer.new_channel()
    for n in range(2):
        for name in (channel, other):
            await layer.send(name, {"type": "hello", "n": n})
        async with asyncio.timeout(5):
            assert (await layer.receive(other))["n"] == n  # by way of another channel's receiver, too
            assert (await asyncio.create_task(layer.receive(channel)))["n"] == n


@pytest.mark.parametrize("layer", ["pubsub"], indirect=True)
async def test_a_channel_that_nobody_receives_on_is_forgotten(layer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel_layer, "UNUSED_SECONDS", 0.05)
    await asyncio.create_task(layer.new_channel())
    async with asyncio.timeout(5):
        while layer.channels:  # noqa: ASYNC110  # the layer tells nobody
            await asyncio.sleep(0.01)


async def talk(layer: Any, group: str) -> None:
    while True:
        await layer.group_send(group, messages.event("so it goes"))
        await asyncio.sleep(0.002)
