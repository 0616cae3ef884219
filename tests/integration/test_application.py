"""What the root of the application does with every request and every handshake."""

from typing import Any

import pytest
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.testing import ApplicationCommunicator, HttpCommunicator

from app.routing import application

KINDS = ["chat", "sync", "async", "echo"]


async def answer(path: str, origin: str | None = None) -> dict[str, Any]:
    headers = [(b"host", b"localhost"), *([(b"origin", origin.encode())] if origin else [])]
    scope = {
        "type": "websocket",
        "path": path,
        "headers": headers,
        "query_string": b"",
        "subprotocols": [],
        "extensions": {"websocket.http.response": {}},
    }
    socket = ApplicationCommunicator(application, scope)
    await socket.send_input({"type": "websocket.connect"})
    answered: dict[str, Any] = await socket.receive_output(timeout=5)
    await socket.send_input({"type": "websocket.disconnect", "code": 1006})
    await socket.wait(timeout=5)
    return answered


@pytest.mark.parametrize("path", ["/", "/ws/", "/ws/chat/", "/ws/nosuch/a/", "/chat/a/", "/health/live"])
async def test_handshake_without_a_route_is_answered_with_404(path: str) -> None:
    assert (await answer(path))["status"] == 404


@pytest.mark.parametrize("name", ["a.b", "a b", "a" * 81, "a\n", "a/b", "聊天"])
@pytest.mark.parametrize("kind", KINDS)
async def test_handshake_to_a_room_that_cannot_be_is_answered_with_404(kind: str, name: str) -> None:
    assert (await answer(f"/ws/{kind}/{name}/"))["status"] == 404


@pytest.mark.parametrize("path", ["/ws/nosuch/", *(f"/ws/{kind}/lobby/" for kind in KINDS)])
async def test_foreign_origin_is_refused_on_every_route_without_asking_redis(path: str) -> None:
    """The channel layer of this test is at an address that does not exist."""
    assert await answer(path, "http://evil.example") == {"type": "websocket.close"}


@pytest.mark.parametrize("kind", KINDS)
async def test_own_origin_opens_every_route(layer: Any, kind: str) -> None:
    assert (await answer(f"/ws/{kind}/lobby/", "http://localhost"))["type"] == "websocket.accept"


async def test_health_is_answered_whatever_the_host() -> None:
    request = HttpCommunicator(application, "GET", "/health/live", headers=[(b"host", b"evil.example")])
    assert (await request.get_response(timeout=5))["status"] == 200


def test_packages_find_the_routes_where_channels_documents_them() -> None:
    """Behind a ProtocolTypeRouter at the root, as chanx looks for them to describe them."""
    assert isinstance(application, ProtocolTypeRouter)
    inner = application.application_mapping["websocket"]
    while not isinstance(inner, URLRouter):
        inner = getattr(inner, "app", None) or inner.application


async def test_answers_carry_the_requests_id() -> None:
    given = "f9c6b3a04a3e4b6f8f0c2d7f1e5a9b10"
    request = HttpCommunicator(application, "GET", "/health/live", headers=[(b"x-request-id", given.encode())])
    headers = dict((await request.get_response(timeout=5))["headers"])
    assert headers[b"x-request-id"].decode() == given
