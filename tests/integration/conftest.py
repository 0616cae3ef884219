"""The whole ASGI application with the repository's own Redis; on both channel layers where a test asks for one."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from channels.layers import ChannelLayerManager
from channels.testing import WebsocketCommunicator
from channels_redis.pubsub import RedisPubSubChannelLayer
from pytest_django import DjangoDbBlocker
from redis.asyncio import Redis

from MyChannels.hub import Hub
from tests.fixtures import Join

from . import members as room_members
from .members import Member
from .redis_server import RedisServer

Enter = Callable[..., Awaitable[Member]]
Workers = Callable[[], Hub]


@pytest.fixture(scope="session", autouse=True)
def database_in_every_thread(django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Consumers' threads look after their connections whether or not a test is about the database."""
    with django_db_blocker.unblock():
        yield


@pytest.fixture
def members(layer: Any, client: Redis) -> Callable[[str], Awaitable[int]]:
    """How many channels a group has: kept in this process by pub/sub, in Redis by core."""

    async def count(group: str) -> int:
        if isinstance(layer, RedisPubSubChannelLayer):
            return len(layer.groups.get(f"asgi__group__{group}", ()))
        return int(await client.zcount(f"asgi:group:{group}", "-inf", "+inf"))

    return count


@pytest_asyncio.fixture
async def client(configurations: dict[str, Any]) -> AsyncIterator[Redis]:
    """The one user that the application is."""
    url, password = configurations["REDIS_URL"], configurations["REDIS_PASSWORD"]
    async with Redis.from_url(url, password=password) as client:
        yield client


@pytest_asyncio.fixture
async def admin(redis_server: RedisServer) -> AsyncIterator[Redis]:
    """Somebody who may do everything, to do harm and to look."""
    async with Redis.from_url(redis_server.admin_url) as admin:
        yield admin


@pytest.fixture
def room() -> str:
    """A room that nobody else is in."""
    return f"room-{uuid4().hex}"


@pytest_asyncio.fixture
async def join(connect: Join, room: str) -> Join:
    """Opens a socket of a room, and waits until it is a member: its own joining came back to it."""

    async def join(kind: str, name: str = room) -> WebsocketCommunicator:
        socket = await connect(f"/ws/{kind}/{name}/")
        if kind != "echo":
            sentence = (await socket.receive_json_from(timeout=5))["message"]
            assert sentence.startswith("Server: ")
            assert sentence.endswith("加入了.")
            socket.name = sentence.removeprefix("Server: ").removesuffix("加入了.")
        return socket

    return join


@pytest_asyncio.fixture
async def workers(layer: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Workers]:
    """Makes further workers: each a hub with a channel layer of its own."""
    monkeypatch.setattr(Hub, "current", room_members.current)
    made: list[tuple[Hub, Any]] = []

    def make() -> Hub:
        own = ChannelLayerManager()["default"]
        hub = Hub(own)
        made.append((hub, own))
        return hub

    yield make
    for hub, own in made:
        await hub.close()
        await (own.flush if isinstance(own, RedisPubSubChannelLayer) else own.close_pools)()


@pytest_asyncio.fixture
async def come(workers: Workers, room: str) -> AsyncIterator[Enter]:
    """Opens a chat.v1 socket of the room; who is still there after the test leaves."""
    opened: list[Member] = []

    async def come(room: str = room, **options: Any) -> Member:
        member = Member(room, **options)
        opened.append(member)
        return await member.open()

    yield come
    for member in opened:
        await member.end()


@pytest.fixture
def enter(come: Enter) -> Enter:
    """The same, when it has been welcomed."""

    async def enter(*, seconds: float = room_members.SECONDS, **options: Any) -> Member:
        member = await come(**options)
        await member.welcomed(seconds)
        return member

    return enter
