"""The fixtures that every suite may use, those of your own apps too. docs/your-own-consumer.md describes them."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from channels.layers import get_channel_layer
from channels.testing import WebsocketCommunicator
from pytest_django import DjangoDbBlocker, Settings

from MyChannels.hub import Hub
from tests.integration.redis_server import RedisServer

ROOT = Path(__file__).parents[1]
Join = Callable[..., Awaitable[WebsocketCommunicator]]


@pytest.fixture
def database_in_every_thread(django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Consumers' threads look after their connections whether or not a test is about the database."""
    with django_db_blocker.unblock():
        yield


@pytest.fixture(scope="session")
def configurations(redis_server: RedisServer) -> dict[str, Any]:
    """What app.settings makes of each choice of CHANNEL_LAYER on this Redis."""
    found = {}
    for layer in ("pubsub", "core"):
        environment = {
            "SECRET_KEY": "unused",
            "PUBLIC_URL": "http://localhost",
            "REDIS_URL": redis_server.url,
            "REDIS_PASSWORD": redis_server.password,
            "CHANNEL_LAYER": layer,
        }
        program = "import json; from app import settings; print(json.dumps(settings.CHANNEL_LAYERS))"
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        )
        found[layer] = json.loads(done.stdout)
    return {"REDIS_URL": redis_server.url, "REDIS_PASSWORD": redis_server.password, **found}


@pytest_asyncio.fixture(params=["pubsub", "core"])
async def layer(
    request: pytest.FixtureRequest, settings: Settings, configurations: dict[str, Any], database_in_every_thread: None
) -> AsyncIterator[Any]:
    """The application's channel layer, of either kind."""
    settings.REDIS_URL, settings.REDIS_PASSWORD = configurations["REDIS_URL"], configurations["REDIS_PASSWORD"]
    settings.CHANNEL_LAYERS = configurations[request.param]
    layer = get_channel_layer()
    yield layer
    for hub in list(Hub._hubs.values()):
        await hub.close()
    await (layer.flush if request.param == "pubsub" else layer.close_pools)()  # core's flush asks for KEYS


@pytest_asyncio.fixture
async def connect(layer: Any) -> AsyncIterator[Join]:
    """Opens sockets to the application; what is still open after the test is closed."""
    from app.routing import application

    opened: list[WebsocketCommunicator] = []

    async def connect(path: str) -> WebsocketCommunicator:
        socket = WebsocketCommunicator(application, path)
        accepted, _ = await socket.connect(timeout=5)
        assert accepted
        opened.append(socket)
        return socket

    yield connect
    for socket in opened:
        if not socket.future.done():
            await socket.disconnect(timeout=5)
