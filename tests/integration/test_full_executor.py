"""An application that keeps every thread of asyncio's default executor busy keeps nobody from Redis."""

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from channels.layers import ChannelLayerManager
from pytest_django import Settings

from app.health import ready
from MyChannels.connection import Connection
from tests.integration.redis_server import RedisServer

WORK = 64  # more than the executor has threads
SECONDS = 20


@pytest_asyncio.fixture
async def full_executor() -> AsyncIterator[None]:
    leave = threading.Event()
    work = [asyncio.ensure_future(asyncio.to_thread(leave.wait, SECONDS)) for _ in range(WORK)]
    await asyncio.sleep(0)
    yield
    assert not work[-1].done()
    leave.set()
    await asyncio.gather(*work)


@pytest.fixture
def by_name(layer: Any, settings: Settings) -> str:
    """Redis' address with a name in it; the tests' own has none to look up."""
    settings.REDIS_URL = settings.REDIS_URL.replace("127.0.0.1", "localhost")
    (host,) = settings.CHANNEL_LAYERS["default"]["CONFIG"]["hosts"]
    config = {**settings.CHANNEL_LAYERS["default"]["CONFIG"], "hosts": [{**host, "address": settings.REDIS_URL}]}
    settings.CHANNEL_LAYERS = {"default": {**settings.CHANNEL_LAYERS["default"], "CONFIG": config}}
    return str(settings.REDIS_URL)


@pytest.mark.usefixtures("full_executor")
async def test_a_channel_layer_connects(by_name: str) -> None:
    layer = ChannelLayerManager()["default"]
    async with asyncio.timeout(10):
        channel = await layer.new_channel()
        await layer.group_add("executor", channel)
        await layer.group_send("executor", {"type": "hello"})
        assert (await layer.receive(channel))["type"] == "hello"
        await (layer.close_pools if hasattr(layer, "close_pools") else layer.flush)()


@pytest.mark.usefixtures("full_executor")
async def test_rooms_connect(by_name: str, redis_server: RedisServer) -> None:
    connection = Connection(by_name, redis_server.password)
    assert await connection.ask("PING") == b"PONG"
    await connection.close()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("by_name", "full_executor")
async def test_a_worker_is_ready() -> None:
    assert await ready()
