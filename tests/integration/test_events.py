"""An ordinary consumer gets of an event what its sender put there, and nothing else."""

from typing import Any
from uuid import uuid4

import pytest
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels.testing import WebsocketCommunicator

from app.channel_layer import NamingMemoryChannelLayer
from MyChannels import rooms
from MyChannels.groups import room_group
from tests.fixtures import Join

EVENT = {"type": "poll.changed", "votes": {"yes": 2}, "by": ["ann"]}


class PassesOn(AsyncJsonWebsocketConsumer):
    """As in many tutorials."""

    async def connect(self) -> None:
        await self.channel_layer.group_add(self.scope["path"].strip("/"), self.channel_name)
        await self.accept()

    async def poll_changed(self, event: dict[str, Any]) -> None:
        await self.send_json(event)

    async def chat_message(self, event: dict[str, Any]) -> None:
        await self.send_json(event)


async def opened(group: str) -> WebsocketCommunicator:
    socket = WebsocketCommunicator(PassesOn.as_asgi(), f"/{group}/")
    assert (await socket.connect(timeout=5))[0]
    return socket


async def test_a_consumer_that_passes_events_on_shows_its_clients_what_was_sent(layer: Any) -> None:
    group = f"poll-{uuid4().hex}"
    sockets = [await opened(group) for _ in range(2)]
    await layer.group_send(group, EVENT)
    assert [await socket.receive_json_from(timeout=5) for socket in sockets] == [EVENT] * 2
    for socket in sockets:
        await socket.disconnect(timeout=5)


@pytest.mark.parametrize("way", ["group_send", "rooms.send"])
async def test_also_beside_a_hub_that_hears_the_same_event(layer: Any, join: Join, room: str, way: str) -> None:
    """The hub needs the group's name; on the core layer both get the same object."""
    member = await join("chat")
    socket = await opened(room_group(room))
    if way == "group_send":
        await layer.group_send(room_group(room), {"type": "chat.message", "message": "hello"})
    else:
        await rooms.asend(room, "hello")
    event = await socket.receive_json_from(timeout=5)
    assert not [key for key in event if key.startswith("_")]
    assert (await member.receive_json_from(timeout=5))["message"].endswith("hello")
    await socket.disconnect(timeout=5)


async def test_a_channel_gets_from_send_what_was_sent(layer: Any) -> None:
    channel = await layer.new_channel()
    await layer.send(channel, EVENT)
    assert await layer.receive(channel) == EVENT


async def test_the_layer_of_make_dev_adds_nothing_either() -> None:
    layer = NamingMemoryChannelLayer()
    channel = await layer.new_channel()
    await layer.group_add("poll", channel)
    await layer.group_send("poll", EVENT)
    assert await layer.receive(channel) == EVENT
