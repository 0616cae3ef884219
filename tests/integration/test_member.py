"""A consumer of one's own that is a member of rooms."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels.testing import WebsocketCommunicator

from MyChannels import rooms
from MyChannels.consumers import RoomMember
from MyChannels.hub import Hub

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from MyChannels.messages import Message
    from tests.fixtures import Join

pytestmark = pytest.mark.usefixtures("layer")


class Ticker(RoomMember, AsyncJsonWebsocketConsumer):
    """Does what it is told, and tells what it hears."""

    busy = 0.0  # seconds for each message

    async def connect(self) -> None:
        await self.accept()

    async def receive_json(self, content: Any) -> None:
        try:
            answer = await getattr(self, content.pop("do"))(**content)
        except ValueError as error:
            answer = str(error)
        await self.send_json({"done": answer})

    async def stop(self, room_name: str) -> None:
        self.leave(room_name)

    async def on_message(self, room_name: str, message: Message) -> None:
        if message.text == "fail":
            raise RuntimeError("as told")
        await asyncio.sleep(self.busy)
        await self.send_json({"room": room_name, "offset": message.offset, "text": message.text})


@pytest_asyncio.fixture
async def ticker() -> AsyncIterator[WebsocketCommunicator]:
    socket = WebsocketCommunicator(Ticker.as_asgi(), "/")
    await socket.connect(timeout=5)
    yield socket
    if not socket.future.done():
        await socket.disconnect(timeout=5)


async def done(socket: WebsocketCommunicator, **asked: Any) -> Any:
    await socket.send_json_to(asked)
    return (await socket.receive_json_from(timeout=5))["done"]


async def test_a_member_gets_what_is_said_after_it_joined(ticker: WebsocketCommunicator, room: str) -> None:
    await rooms.asend(room, "before")
    assert await done(ticker, do="join", room_name=room) == 1
    await rooms.asend(room, "after")
    assert await ticker.receive_json_from(timeout=5) == {"room": room, "offset": 2, "text": "after"}


async def test_every_message_comes_once_and_in_order_however_slow_the_member_is(
    ticker: WebsocketCommunicator, room: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ticker, "busy", 0.002)
    await done(ticker, do="join", room_name=room)
    for i in range(300):
        await rooms.asend(room, str(i))
    heard = [await ticker.receive_json_from(timeout=5) for _ in range(300)]
    assert heard == [{"room": room, "offset": i + 1, "text": str(i)} for i in range(300)]


async def test_what_a_member_publishes_is_heard_by_the_rooms_clients(
    ticker: WebsocketCommunicator, join: Join, room: str
) -> None:
    client = await join("chat")
    assert await done(ticker, do="publish", room_name=room, text="hello", name="Ticker") == 1
    assert await client.receive_json_from(timeout=5) == {"message": "Ticker说: hello"}


async def test_the_same_ref_says_the_same_text_once(ticker: WebsocketCommunicator, room: str) -> None:
    say = {"do": "publish", "room_name": room, "name": "Ticker", "ref": "once"}
    assert await done(ticker, **say, text="hello") == 1
    assert await done(ticker, **say, text="hello") == 1
    assert "expected a new ref" in await done(ticker, **say, text="other")


@pytest.mark.parametrize("asked", [{"do": "join"}, {"do": "publish", "text": "hello", "name": "Ticker"}])
async def test_what_is_no_rooms_name_is_refused(ticker: WebsocketCommunicator, asked: dict[str, str]) -> None:
    assert "expected a room name" in await done(ticker, **asked, room_name="no room")


async def test_a_member_that_left_gets_nothing_more(ticker: WebsocketCommunicator, room: str) -> None:
    await done(ticker, do="join", room_name=room)
    await done(ticker, do="stop", room_name=room)
    await rooms.asend(room, "unheard")
    assert await done(ticker, do="join", room_name=room) == 1


async def test_who_joins_by_a_name_is_one_of_the_rooms_members(ticker: WebsocketCommunicator, room: str) -> None:
    await done(ticker, do="join", room_name=room, name="Ticker")
    assert Hub.current().presence.names(room) == ["Ticker"]


async def test_a_consumer_that_ends_leaves_its_rooms(ticker: WebsocketCommunicator, room: str) -> None:
    await done(ticker, do="join", room_name=room)
    await ticker.disconnect(timeout=5)
    assert Hub.current().rooms[room].users == 0


async def test_a_fault_in_on_message_closes_the_socket_as_one_in_any_handler(
    ticker: WebsocketCommunicator, room: str
) -> None:
    await done(ticker, do="join", room_name=room)
    await rooms.asend(room, "fail")
    assert (await ticker.receive_output(timeout=5))["code"] == 1011
