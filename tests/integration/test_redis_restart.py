"""After a restart of Redis, ordinary code of Channels goes on as if there had been none, on either layer."""

import asyncio
import gc
from typing import Any

import pytest
from channels.layers import ChannelLayerManager
from channels_redis.pubsub import RedisPubSubChannelLayer
from redis.asyncio import Connection, Redis

from app import core_layer
from tests.fixtures import Join

from .redis_server import RedisServer

SECONDS = 5

pytestmark = [
    # redis-py's lost sockets
    pytest.mark.filterwarnings("ignore:.*StreamWriter:pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:.*transport:pytest.PytestUnraisableExceptionWarning"),
]


async def restart(redis_server: RedisServer) -> None:
    outage = redis_server.stopped()
    await asyncio.to_thread(outage.__enter__)
    await asyncio.to_thread(outage.__exit__, None, None, None)


async def test_sockets_stay_and_the_first_use_of_everything_succeeds(
    join: Join, layer: Any, redis_server: RedisServer
) -> None:
    members = [await join(kind) for kind in ("sync", "async")]
    while not await members[0].receive_nothing(timeout=0.1):
        await members[0].receive_from()
    named = asyncio.create_task(layer.receive("jobs"))
    # A process that only sends, as `web` does.
    sender = ChannelLayerManager()["default"]
    await sender.group_send("someone", {"type": "hello"})
    await sender.send("someone", {"type": "hello"})

    await restart(redis_server)

    await sender.group_send("someone", {"type": "hello"})
    late = await join("async")
    for member in members:
        assert await member.receive_json_from(timeout=SECONDS) == {"message": f"Server: {late.name}加入了."}
    for member in members:
        await member.send_json_to({"message": "still here"})
        for hears in (*members, late):
            assert await hears.receive_json_from(timeout=SECONDS) == {"message": f"{member.name}说: still here"}
    async with asyncio.timeout(SECONDS):
        while not named.done():
            await sender.send("jobs", {"type": "job"})
            await asyncio.wait({named}, timeout=0.05)
    assert (await named)["type"] == "job"
    await (sender.flush if isinstance(sender, RedisPubSubChannelLayer) else sender.close_pools)()
    gc.collect()


def lost(connection: Any) -> Any:
    return not connection.is_connected or connection._reader.at_eof() or connection._writer.transport.is_closing()


@pytest.mark.parametrize("way", ["closed", "reset"])
async def test_a_connection_that_was_lost_in_the_pool_is_made_again(
    layer: Any, admin: Redis, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Connection] = []
    connect: Any = Connection._connect

    async def remember(connection: Connection) -> None:
        if connection.username == "app":
            made.append(connection)
        await connect(connection)

    monkeypatch.setattr(Connection, "_connect", remember)
    await layer.group_send("someone", {"type": "hello"})
    idle = [connection for connection in made if connection.is_connected]
    if way == "closed":
        await admin.client_kill_filter(_type="normal")
    else:
        for connection in idle:
            connection._writer.transport.abort()  # type: ignore[union-attr]
    before = len(made)
    async with asyncio.timeout(SECONDS):
        while not all(lost(connection) for connection in idle):  # noqa: ASYNC110  # the kernel tells it
            await asyncio.sleep(0.01)
    await layer.group_send("someone", {"type": "hello"})
    assert len(made) > before


@pytest.mark.parametrize("layer", ["core"], indirect=True)
async def test_memberships_that_redis_has_lost_are_put_back(
    layer: Any, join: Join, room: str, admin: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a restore: a socket that stays open and hears nothing would be worse than one that closes."""
    monkeypatch.setattr(core_layer, "BEAT_SECONDS", 0.1)
    member = await join("async")
    await admin.flushall()
    async with asyncio.timeout(SECONDS):
        while await member.receive_nothing(timeout=0.1):
            await layer.group_send(f"chat_{room}", {"type": "chat_message", "message": "hello"})
    assert await member.receive_json_from() == {"message": "hello"}
