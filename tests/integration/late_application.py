"""The application that the servers of test_lateness.py run: consumers that block what others wait for."""

import time
from typing import Any

import django

django.setup()

# ruff: noqa: E402
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer

from app import lateness
from tests.integration.socket_server import report, routed

BLOCKED = 0.5  # seconds that each consumer's slow work takes
lateness.LOG_SECONDS = 0  # each time, whatever else was late on a busy machine


class SlowConsumer(WebsocketConsumer):
    channel_layer_alias = None

    def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        time.sleep(BLOCKED)  # the slow work that the test looks for, not a wait for anything
        self.send("done")


def slow_query() -> None:
    time.sleep(BLOCKED)  # the slow work that the test looks for, not a wait for anything


class QueryingConsumer(AsyncWebsocketConsumer):
    channel_layer_alias = None

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await database_sync_to_async(slow_query)()
        await self.send("done")


class BlockingConsumer(AsyncWebsocketConsumer):
    channel_layer_alias = None

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        time.sleep(BLOCKED)  # noqa: ASYNC251  # the slow work that the test looks for: a mistake in async code
        await self.send("done")


async def counted(scope: Any, receive: Any, send: Any) -> None:
    found = [
        sample for metric in lateness.SECONDS.collect() for sample in metric.samples if sample.name.endswith("_total")
    ]
    report(counted={f"{sample.labels['part']}: {sample.labels['at']}": sample.value for sample in found})
    await receive()
    await send({"type": "websocket.close"})


application = routed(
    {
        "/slow": SlowConsumer.as_asgi(),
        "/querying": QueryingConsumer.as_asgi(),
        "/blocking": BlockingConsumer.as_asgi(),
        "/counted": counted,
    }
)
