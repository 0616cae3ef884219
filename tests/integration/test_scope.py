"""The scope that reaches an ordinary consumer through this stack's own middleware."""

import copy
import pickle
from typing import Any

from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.urls import path

from app.handshake import OriginGuard
from app.sessions import AuthMiddlewareStack


class Copies(AsyncJsonWebsocketConsumer):
    channel_layer_alias = None

    async def connect(self) -> None:
        await self.accept()
        self.scope["user"].is_authenticated  # noqa: B018 - stock's cannot be pickled before it was asked for either
        copies = copy.deepcopy(self.scope), pickle.loads(pickle.dumps(self.scope))  # noqa: S301 - our own
        for one in copies:
            await self.send_json([one["url_route"]["kwargs"]["name"], one["user"].is_authenticated])


async def test_the_scope_of_a_consumer_can_be_copied_and_pickled() -> None:
    routes: Any = [path("copies/<name>/", Copies.as_asgi())]
    socket = WebsocketCommunicator(OriginGuard(AuthMiddlewareStack(URLRouter(routes)), []), "/copies/a/")
    assert (await socket.connect(timeout=5))[0]
    assert [await socket.receive_json_from(timeout=5) for _ in range(2)] == [["a", False]] * 2
    await socket.disconnect(timeout=5)
