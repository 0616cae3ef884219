"""The application that the server of test_slow_consumer.py runs: the project's own, and a slow synchronous consumer."""

import time
from typing import Any

from app.routing import application as project  # first: it sets Django up

# isort: split
from channels.generic.websocket import WebsocketConsumer
from django.contrib.auth.models import User

from tests.integration import socket_server  # noqa: F401  # reports that the server listens


class SlowConsumer(WebsocketConsumer):
    """200 ms for each message, on the thread that all synchronous consumers share."""

    def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        User.objects.count()
        time.sleep(0.2)
        self.send("done")


slow = SlowConsumer.as_asgi()


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await (slow if scope["path"] == "/slow" else project)(scope, receive, send)
