"""Whoever has joined is a member: from `accept` on, nothing that is said is missed."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from .conftest import Join

JOINS = 200  # stock pub/sub missed one in eight


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_every_member_hears_its_own_joining(join: Join, kind: str) -> None:
    await join(kind)  # somebody is there already, so that the layer listens all the time
    for _ in range(JOINS):
        socket = await join(kind, f"room-{uuid4().hex}")
        await socket.disconnect(timeout=5)


async def test_a_member_added_while_another_waits_hears_as_well(layer: Any) -> None:
    group = f"group-{uuid4().hex}"
    channels = [await layer.new_channel() for _ in range(20)]
    await asyncio.gather(*(layer.group_add(group, channel) for channel in channels))
    await layer.group_send(group, {"type": "hello"})
    async with asyncio.timeout(5):
        heard = await asyncio.gather(*(layer.receive(channel) for channel in channels))
    assert [message["type"] for message in heard] == ["hello"] * 20
