"""Which names channel layers take, and what becomes of a handshake that leads to another one."""

import logging
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from channels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer
from channels.layers import BaseChannelLayer
from channels.routing import URLRouter
from channels.testing import ApplicationCommunicator
from django.test import override_settings
from django.urls import path

from app.channel_layer import ConfirmedPubSubChannelLayer, NamingMemoryChannelLayer
from app.core_layer import CoreChannelLayer
from app.logins import Logins
from app.names import StrictNames, UnusableName

NOWHERE = [{"address": "redis://localhost:1"}]  # a refused name is refused before anything is asked
LAYERS: dict[str, Callable[[], Any]] = {
    "pubsub": lambda: ConfirmedPubSubChannelLayer(hosts=NOWHERE),
    "core": lambda: CoreChannelLayer(hosts=NOWHERE),
    "memory": NamingMemoryChannelLayer,
}
GOOD = ["a", "A-b_9.c", ".", "a" * 99]
BAD = ["", "a" * 100, "a" * 120, "a b", " a", "a\n", "ü", "聊天室", "a/b", "a:b", "a\0", None, 7, b"a"]
ON_GROUPS: dict[str, Callable[[Any, Any], Coroutine[Any, Any, Any]]] = {
    "group_add": lambda layer, name: layer.group_add(name, "channel"),
    "group_discard": lambda layer, name: layer.group_discard(name, "channel"),
    "group_send": lambda layer, name: layer.group_send(name, {"type": "hello"}),
}
ON_CHANNELS: dict[str, Callable[[Any, Any], Coroutine[Any, Any, Any]]] = {
    "send": lambda layer, name: layer.send(name, {"type": "hello"}),
    "receive": lambda layer, name: layer.receive(name),
    "group_add": lambda layer, name: layer.group_add("group", name),
    "group_discard": lambda layer, name: layer.group_discard("group", name),
}


def shown(name: object) -> str:
    return f"{ascii(name)[:20]}({len(str(name))})"


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("name", BAD, ids=shown)
async def test_every_layer_refuses_the_same_names_in_the_same_words(layer: str, name: object) -> None:
    for kind, methods in {"Group": ON_GROUPS, "Channel": ON_CHANNELS}.items():
        for method in methods.values():
            with pytest.raises(UnusableName) as refusal:
                await method(LAYERS[layer](), name)
            assert str(refusal.value) == f"{BaseChannelLayer.invalid_name_error.format(kind)} Received {name!r:.120}"


@pytest.mark.parametrize("name", GOOD, ids=shown)
def test_what_channels_takes_is_taken(name: str) -> None:
    assert StrictNames().require_valid_group_name(name)
    assert StrictNames().require_valid_channel_name(name)
    assert StrictNames().require_valid_channel_name(f"{name[:50]}!abc")


# ── A consumer that makes a group's name of its address ────────────────────────────────────────


class Counter(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        name = self.scope["url_route"]["kwargs"]["name"]
        await self.channel_layer.group_add(f"counter_{name}", self.channel_name)
        await self.accept()


class SynchronousCounter(WebsocketConsumer):
    def connect(self) -> None:
        name = self.scope["url_route"]["kwargs"]["name"]
        async_to_sync(self.channel_layer.group_add)(f"counter_{name}", self.channel_name)
        self.accept()


MEMORY = {"default": {"BACKEND": "app.channel_layer.NamingMemoryChannelLayer"}}
ROUTES = [
    path("counter/<str:name>/", Counter.as_asgi()),
    path("sync/<str:name>/", SynchronousCounter.as_asgi()),
]


def opened(address: str) -> ApplicationCommunicator:
    return ApplicationCommunicator(
        Logins(URLRouter(ROUTES)),
        {"type": "websocket", "path": address, "headers": [], "extensions": {"websocket.http.response": {}}},
    )


@override_settings(CHANNEL_LAYERS=MEMORY)
@pytest.mark.parametrize("kind", ["counter", "sync"])
@pytest.mark.parametrize("name", ["x" * 120, "x" * 92, "a b", "ü"], ids=shown)
async def test_a_handshake_that_leads_to_such_a_name_is_answered_404_with_one_line_in_the_log(
    kind: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    socket = opened(f"/{kind}/{name}/")
    await socket.send_input({"type": "websocket.connect"})
    answer = await socket.receive_output(timeout=5)
    assert (answer["type"], answer["status"]) == ("websocket.http.response.start", 404)
    await socket.wait(timeout=5)
    (told,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert told.getMessage().startswith(f"/{kind}/{name}/: Group name must be ")
    assert not told.exc_info


@override_settings(CHANNEL_LAYERS=MEMORY)
async def test_the_longest_name_that_layers_take_opens_a_socket() -> None:
    socket = opened(f"/counter/{'x' * 91}/")
    await socket.send_input({"type": "websocket.connect"})
    assert (await socket.receive_output(timeout=5))["type"] == "websocket.accept"
