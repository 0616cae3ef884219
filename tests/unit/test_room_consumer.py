"""How long the room's consumer waits for the log, and when it stops reading it."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from MyChannels.consumers import RoomConsumer
from MyChannels.consumers.room import HANDSHAKE_SECONDS, OPEN_SECONDS, REPLAYED_AT_ONCE, UNREADABLE
from MyChannels.hub import Hub
from MyChannels.log import Unavailable
from MyChannels.messages import Connect, Message
from MyChannels.writer import SendWriter
from tests.unit.virtual_time import in_virtual_time, now, passes


class Lobby:
    """A room that says so much, and whose log answers or does not."""

    name, epoch, offset = "lobby", "epoch", 1000
    reads = 0

    async def reaches(self, epoch: str, offset: int) -> bool:
        raise Unavailable("the log is away")

    async def after(self, offset: int, limit: int) -> list[Message]:
        self.reads += 1
        return [Message(offset + n, "Ada", "hello", 0) for n in range(1, limit + 1)]


class Writer:
    def __init__(self, taking: int) -> None:
        self.taking = taking  # frames, until the peer has gone

    @staticmethod
    def pack(text: str) -> str:
        return text

    def read_together(self) -> None: ...

    async def drained(self) -> bool:
        await asyncio.sleep(0)
        self.taking -= 1
        return self.taking >= 0


def consumer_in(room: Lobby, opening: float = 0.0, taking: int = 1000) -> Any:
    async def enter(name: str) -> Lobby:
        await passes(opening)
        return room

    consumer: Any = RoomConsumer()
    consumer.scope = {"url_route": {"kwargs": {"room_name": room.name}}}
    consumer.hub = SimpleNamespace(enter=enter)
    consumer.v1, consumer.room = True, room
    consumer.writer, consumer.write = Writer(taking), lambda _: None
    consumer.welcome = lambda recovered: None
    return consumer


@in_virtual_time
async def test_one_deadline_holds_for_all_that_a_welcome_waits_for() -> None:
    begun = now()
    with pytest.raises(Unavailable):
        await consumer_in(Lobby(), opening=OPEN_SECONDS - 0.6).join(Connect(since=("epoch", 1)))
    assert OPEN_SECONDS - 0.6 < now() - begun <= OPEN_SECONDS


DAPHNE_SECONDS = 5.0  # Daphne's default for a handshake


@in_virtual_time
async def test_without_chat_v1_an_unreadable_room_closes_the_socket_before_the_server_gives_up() -> None:
    async def enter(name: str) -> Lobby:
        await passes(1.2)
        raise Unavailable("the log is away")

    sent: list[dict[str, Any]] = []

    async def send(event: dict[str, Any]) -> None:
        sent.append(event)

    consumer: Any = RoomConsumer()
    consumer.scope = {"url_route": {"kwargs": {"room_name": "lobby"}}, "subprotocols": [], "query_string": b""}
    consumer.writer, consumer.base_send = SendWriter(send), send
    begun = now()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Hub, "current", lambda: SimpleNamespace(enter=enter))
        await consumer.connect()
    assert [event["type"] for event in sent] == ["websocket.accept", "websocket.close"]
    assert sent[1]["code"] == UNREADABLE
    assert now() - begun <= HANDSHAKE_SECONDS < DAPHNE_SECONDS


@in_virtual_time
async def test_all_that_was_missed_is_replayed() -> None:
    room = Lobby()
    await consumer_in(room).replay(0)
    assert room.reads == room.offset / REPLAYED_AT_ONCE


@in_virtual_time
async def test_nothing_more_is_read_for_who_has_gone() -> None:
    room = Lobby()
    await consumer_in(room, taking=2).replay(0)
    assert room.reads == 3
