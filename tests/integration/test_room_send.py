"""Other Django code speaks in a room, and every member hears it."""

import asyncio

import pytest
from channels.layers import get_channel_layer
from django.core.management import call_command
from prometheus_client import REGISTRY

from MyChannels import messages, rooms
from tests.fixtures import Join

from .conftest import Enter


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


@pytest.mark.parametrize("name", ["chat.message", "chat_message"])
@pytest.mark.parametrize("kind", ["chat", "sync", "async"])
async def test_a_dot_in_a_type_is_an_underscore(join: Join, room: str, kind: str, name: str) -> None:
    """As for every consumer of Channels."""
    member = await join(kind)
    await get_channel_layer().group_send(f"chat_{room}", {"type": name, "message": "hi"})
    assert await member.receive_json_from(timeout=5) == {"message": "hi"}


@pytest.mark.parametrize("name", ["chat.message", "chat_message"])
async def test_chat_v1_hears_the_same_event_as_a_notice(enter: Enter, room: str, name: str) -> None:
    member = await enter(name="Ada")
    await get_channel_layer().group_send(f"chat_{room}", {"type": name, "message": "hi"})
    assert await member.wait("notice") == [{"type": "notice", "text": "hi"}]


UNKNOWN = [
    {"message": "no type"},
    {"type": "chat.message", "text": "no message"},
    {"type": "chat.edited", "message": "a type that no member knows"},
    {"type": "chatmessage", "message": "hi"},
    {"type": "_hear", "message": "a leading underscore"},
    {"type": ".chat_message", "message": "a leading underscore, by the rule"},
    {"type": 7, "message": "not text"},
    {"type": None, "message": "nothing"},
]


async def test_events_that_say_nothing_to_a_member_are_counted_and_close_nothing(
    join: Join, enter: Enter, room: str, caplog: pytest.LogCaptureFixture
) -> None:
    documented, v1 = await join("chat"), await enter(name="Ada")
    assert (await documented.receive_json_from(timeout=5))["message"] == messages.joined("Ada")
    before = REGISTRY.get_sample_value("room_unknown_events_total") or 0
    for event in [*UNKNOWN, {"type": "chat_message", "message": "hello"}]:
        await get_channel_layer().group_send(f"chat_{room}", event)
    assert await documented.receive_json_from(timeout=5) == {"message": "hello"}
    assert await v1.wait("notice") == [{"type": "notice", "text": "hello"}]
    assert REGISTRY.get_sample_value("room_unknown_events_total") == before + len(UNKNOWN)
    assert [record.getMessage() for record in caplog.records if record.exc_info] == []
