"""`/health/ready` follows Redis and the database, within its deadline, and leaves nothing behind."""

import asyncio
import gc
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest
from channels.testing import HttpCommunicator
from channels_redis.pubsub import RedisPubSubChannelLayer

from app.health import DEADLINE
from app.routing import application

from .redis_server import RedisServer

pytestmark = pytest.mark.django_db(transaction=True)


async def status(path: str = "/health/ready") -> int:
    request = HttpCommunicator(application, "GET", path)
    return int((await request.get_response(timeout=DEADLINE * 5))["status"])


async def until_ready() -> None:
    async with asyncio.timeout(30):
        while await status() != 200:
            pass  # each probe takes its time while Redis is away


async def test_ready_while_everything_answers(layer: Any) -> None:
    assert await status() == 200


async def test_unready_within_the_deadline_while_redis_is_silent_and_ready_again_after(
    layer: Any, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    assert await status() == 200
    with redis_server.paused(), caplog.at_level(logging.WARNING):
        started = asyncio.get_running_loop().time()
        assert await status() == 503
        assert asyncio.get_running_loop().time() - started < DEADLINE + 1
        assert await status("/health/live") == 200
    named = [record.getMessage() for record in caplog.records if record.name == "app.health"]
    assert sorted(named) == [
        f"not ready: channel layer: no answer within {DEADLINE:g} s",
        f"not ready: redis: no answer within {DEADLINE:g} s",
    ]
    await until_ready()


@pytest.mark.filterwarnings("ignore:.*StreamWriter:pytest.PytestUnraisableExceptionWarning")  # redis-py's lost sockets
async def test_unready_while_redis_is_down_and_ready_again_after(
    layer: Any, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    assert await status() == 200
    with redis_server.stopped(), caplog.at_level(logging.WARNING):
        assert await status() == 503
        assert await status("/health/live") == 200
    assert re.search("not ready: redis: .*ConnectionError", caplog.text)
    assert re.search("not ready: channel layer: (.*ConnectionError|no answer)", caplog.text)
    await until_ready()
    gc.collect()


def left(layer: Any) -> list[str]:
    """The channels and groups that a layer keeps in this process."""
    if isinstance(layer, RedisPubSubChannelLayer):
        return [*layer.channels, *layer.groups]
    return [*layer.receive_buffer, *map(str, layer.receive_cleaners)]


async def test_probes_leave_nothing_behind(
    layer: Any, members: Callable[[str], Awaitable[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = uuid4()
    monkeypatch.setattr("app.health.uuid4", lambda: probe)
    tasks = asyncio.all_tasks()
    for _ in range(5):
        assert await status() == 200
    async with asyncio.timeout(10):
        while left(layer):  # noqa: ASYNC110  # the layers clean up behind the answer, and tell nobody
            await asyncio.sleep(0.01)
    assert await members(f"probe_{probe.hex}") == 0
    assert len(asyncio.all_tasks() - tasks) <= 1  # the pub/sub layer's one receiver
