"""Other Django code speaks in a room, and every member hears it."""

import asyncio

import pytest
from channels.layers import get_channel_layer
from django.core.management import call_command

from MyChannels import rooms

from .conftest import Join


@pytest.mark.parametrize("kind", ["chat", "sync", "async"])
async def test_asend_reaches_every_member(join: Join, room: str, kind: str) -> None:
    member = await join(kind)
    await rooms.asend(room, "你好👩", name="Ada")
    assert await member.receive_json_from(timeout=5) == {"message": "Ada说: 你好👩"}


async def test_send_reaches_every_member_from_synchronous_code(join: Join, room: str) -> None:
    member = await join("chat")
    await asyncio.to_thread(rooms.send, room, "hello")
    assert await member.receive_json_from(timeout=5) == {"message": "Server说: hello"}


async def test_command_reaches_every_member(join: Join, room: str) -> None:
    member = await join("chat")
    await asyncio.to_thread(call_command, "room_send", room, "hello", "--name", "Ada")
    assert await member.receive_json_from(timeout=5) == {"message": "Ada说: hello"}


@pytest.mark.parametrize("kind", ["chat", "sync", "async"])
async def test_extra_keys_of_an_event_are_ignored(join: Join, room: str, kind: str) -> None:
    member = await join(kind)
    event = {"type": "chat_message", "message": "raw", "offset": 1, "epoch": "e"}
    await get_channel_layer().group_send(f"chat_{room}", event)
    assert await member.receive_json_from(timeout=5) == {"message": "raw"}
