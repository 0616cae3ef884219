"""Speaking in a room from other Django code."""

import asyncio
from typing import Any

import pytest
from channels.layers import InMemoryChannelLayer
from django.core.management import CommandError, call_command
from pytest_django import Settings

from MyChannels import rooms
from MyChannels.log.configured import memory_log


class Layer(InMemoryChannelLayer):
    """Remembers what was sent, to which group."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[str, dict[str, Any]]] = []

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        self.sent.append((group, message))


@pytest.fixture
def layer(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Layer:
    """The log is this process' own, and each test's rooms are new in it."""
    settings.REDIS_URL = ""
    memory_log().rooms.clear()
    layer = Layer()
    monkeypatch.setattr(rooms, "get_channel_layer", lambda: layer)
    return layer


def sentences(layer: Layer) -> list[tuple[str, str]]:
    assert all(event["type"] == "chat_message" for _, event in layer.sent)
    return [(group, event["message"]) for group, event in layer.sent]


async def test_asend_says_the_documented_sentence_to_the_rooms_group(layer: Layer) -> None:
    assert await rooms.asend("lobby", "你好") == 1
    assert await rooms.asend("lobby", "hello", name="Ada") == 2
    assert sentences(layer) == [("chat_lobby", "Server说: 你好"), ("chat_lobby", "Ada说: hello")]


async def test_asend_appends_to_the_log_and_its_event_names_the_place_there(layer: Layer) -> None:
    await rooms.asend("lobby", "hello", name="Ada")
    page = await memory_log().read("lobby")
    (message,) = page.messages
    assert (message.offset, message.sender, message.text) == (1, "Ada", "hello")
    assert layer.sent == [("chat_lobby", message.event(page.epoch))]


def test_send_does_the_same_for_synchronous_code(layer: Layer) -> None:
    assert rooms.send("lobby", "hello", "Ada") == 1
    assert sentences(layer) == [("chat_lobby", "Ada说: hello")]


async def test_send_works_from_a_thread_of_asynchronous_code(layer: Layer) -> None:
    await asyncio.to_thread(rooms.send, "lobby", "hello")
    assert sentences(layer) == [("chat_lobby", "Server说: hello")]


@pytest.mark.parametrize("name", ["", "a" * 81, "a b", "a\n", "a/b", "聊天"])
async def test_room_that_no_socket_could_have_joined_is_refused(layer: Layer, name: str) -> None:
    with pytest.raises(ValueError, match="expected a room name of 1 to 80"):
        await rooms.asend(name, "hello")
    assert layer.sent == []


@pytest.mark.parametrize("text", ["x" * 4001, "\ud800", None, 1])
async def test_text_that_no_member_could_have_sent_is_refused(layer: Layer, text: Any) -> None:
    with pytest.raises(ValueError, match="expected"):
        await rooms.asend("lobby", text)
    assert layer.sent == []


async def test_name_that_nobody_could_be_sent_is_refused(layer: Layer) -> None:
    with pytest.raises(ValueError, match="expected a name, received a lone surrogate"):
        await rooms.asend("lobby", "hello", name="\ud800")
    assert layer.sent == []


async def test_longest_text_is_said(layer: Layer) -> None:
    await rooms.asend("a" * 80, "👩" * 4000)
    assert sentences(layer) == [("chat_" + "a" * 80, "Server说: " + "👩" * 4000)]


def test_command_says_a_text_in_a_room(layer: Layer) -> None:
    call_command("room_send", "lobby", "你好")
    call_command("room_send", "lobby", "hello", "--name", "Ada")
    assert sentences(layer) == [("chat_lobby", "Server说: 你好"), ("chat_lobby", "Ada说: hello")]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "required: ROOM, TEXT"),
        (["lobby"], "required: TEXT"),
        (["no room", "hello"], "expected a room name of 1 to 80 .* received 'no room'"),
        (["lobby", "x" * 4001], "expected at most 4000 characters, received 4001"),
    ],
)
def test_command_refuses_with_one_sentence(layer: Layer, arguments: list[str], told: str) -> None:
    with pytest.raises(CommandError, match=told):
        call_command("room_send", *arguments)
    assert layer.sent == []
