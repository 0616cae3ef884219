"""Whoever has joined is a member: from `accept` on, nothing that is said is missed."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import pytest
from channels.testing import WebsocketCommunicator

from app.routing import application
from MyChannels import rooms
from MyChannels.hub import Hub
from tests.fixtures import Join

JOINS = 200  # stock pub/sub missed one in eight
SAID_AT_ONCE = 3  # all of it was missed


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


@pytest.mark.parametrize("kind", ["chat", "sync", "async"])
@pytest.mark.parametrize("way", ["rooms.send", "group_send", "another client"])
async def test_what_is_said_right_after_the_handshake_reaches_its_client(
    layer: Any, connect: Join, join: Join, room: str, kind: str, way: str
) -> None:
    """In a room that the process does not serve yet, and in one that it does."""
    for number in range(SAID_AT_ONCE):
        name = f"{room}-{number}"
        speaker = await join("chat", name) if way == "another client" else None
        socket = await connect(f"/ws/{kind}/{name}/")
        if way == "rooms.send":
            await rooms.asend(name, "hello")
        elif way == "group_send":
            await layer.group_send(f"chat_{name}", {"type": "chat_message", "message": "Server说: hello"})
        elif speaker:
            await speaker.send_json_to({"message": "hello"})
        sentence = ""
        while not sentence.endswith("说: hello"):
            sentence = (await socket.receive_json_from(timeout=5))["message"]


async def test_a_client_that_hears_while_its_handshake_is_answered_hears_once(layer: Any, room: str) -> None:
    """A server may take its time for the answer; nothing is sent before it."""
    sent: asyncio.Queue[Any] = asyncio.Queue()
    received: asyncio.Queue[Any] = asyncio.Queue()

    async def send(event: Any) -> None:
        sent.put_nowait(event)
        if event["type"] == "websocket.accept":
            await rooms.asend(room, "meanwhile")
            await layer.group_send(f"chat_{room}", {"type": "chat_message", "message": "as well"})
            await Hub.current()._probed()  # whatever was sent before has come

    received.put_nowait({"type": "websocket.connect"})
    scope = WebsocketCommunicator(application, f"/ws/chat/{room}/").scope
    serving = asyncio.create_task(application(scope, received.get, send))
    async with asyncio.timeout(5):
        assert (await sent.get())["type"] == "websocket.accept"
        heard = [json.loads((await sent.get())["text"])["message"] for _ in range(3)]
    received.put_nowait({"type": "websocket.disconnect", "code": 1000})
    await serving
    assert sorted(heard)[1:] == ["Server说: meanwhile", "as well"]
    assert sent.empty()
