"""Whose pages may open a socket."""

from typing import Any

import pytest
from channels.testing import ApplicationCommunicator

from app.handshake import OriginGuard, not_found

LISTED = [
    "https://listed.example",
    "http://listed.example:8081",
    "https://public.example:8443",
    "wss://socket.example",
    "capacitor://localhost",
    "chrome-extension://ABCDEFGHIJKLMNOPabcdefghijklmnop",
    "app://-",
]
HERE = {"host": "localhost:8080", "x-forwarded-proto": "http"}
HTTPS = {"host": "chat.example", "x-forwarded-proto": "https"}


async def accept(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "websocket.accept"})


async def answer(headers: dict[str, str], *origins: str, scheme: str | None = "ws") -> str:
    """How a guarded application answers the handshake."""
    sent = [*headers.items(), *(("origin", origin) for origin in origins)]
    scope = {
        "type": "websocket",
        "path": "/",
        "headers": [(name.encode(), value.encode("latin1")) for name, value in sent],
        **({"scheme": scheme} if scheme else {}),
    }
    communicator = ApplicationCommunicator(OriginGuard(accept, LISTED), scope)
    await communicator.send_input({"type": "websocket.connect"})
    return str((await communicator.receive_output())["type"])


@pytest.mark.parametrize(
    ("headers", "origin"),
    [
        (HERE, "http://localhost:8080"),
        (HERE, "HTTP://LOCALHOST:8080"),
        ({**HERE, "host": "LocalHost:8080"}, "http://localhost:8080"),
        ({**HERE, "host": "localhost"}, "http://localhost"),
        ({**HERE, "host": "localhost"}, "http://localhost:80"),
        ({**HERE, "host": "localhost:80"}, "http://localhost"),
        ({**HERE, "host": "[::1]:8080"}, "http://[::1]:8080"),
        (HTTPS, "https://chat.example"),
        (HTTPS, "https://chat.example:443"),
        ({**HTTPS, "host": "chat.example:443"}, "https://chat.example"),
        (HERE, "https://listed.example"),
        (HERE, "https://LISTED.example:443"),
        (HERE, "http://listed.example:8081"),
        (HERE, "ws://localhost:8080"),
        (HTTPS, "wss://chat.example"),
        (HTTPS, "wss://chat.example:443"),
        (HERE, "wss://listed.example"),
        (HERE, "ws://listed.example:8081"),
        (HERE, "https://socket.example"),
        (HERE, "wss://socket.example:443"),
        (HERE, "http://localhost.:8080"),
        ({**HERE, "host": "localhost.:8080"}, "http://localhost:8080"),
        (HERE, "https://listed.example."),
        (HERE, "https://public.example:8443"),
        ({**HTTPS, "host": "public.example"}, "https://public.example:8443"),
        (HERE, "capacitor://localhost"),
        (HERE, "Capacitor://LocalHost"),
        (HERE, "chrome-extension://abcdefghijklmnopabcdefghijklmnop"),
        (HERE, "app://-"),
    ],
)
async def test_own_origin_is_let_in(headers: dict[str, str], origin: str) -> None:
    assert await answer(headers, origin) == "websocket.accept"


@pytest.mark.parametrize(
    ("headers", "origin"),
    [
        (HERE, "http://evil.example"),
        (HERE, "http://localhost"),
        (HERE, "http://localhost:8081"),
        (HERE, "https://localhost:8080"),
        (HERE, "wss://localhost:8080"),
        (HERE, "ws://localhost"),
        (HTTPS, "ws://chat.example"),
        (HERE, "http://localhost..:8080"),
        (HERE, "http://.:8080"),
        (HERE, "capacitor://localhost:8080"),
        (HERE, "capacitor://evil.example"),
        (HERE, "tauri://localhost"),
        (HERE, "http://-"),
        (HERE, "capacitor://"),
        (HERE, "file://"),
        (HERE, "file:///etc/passwd"),
        (HTTPS, "https://public.example"),
        (HTTPS, "http://public.example:8443"),
        (HERE, "http://localhost.evil.example:8080"),
        (HERE, "http://sub.localhost:8080"),
        (HERE, "http://localhost:8080@evil.example"),
        (HERE, "http://127.0.0.1:8080"),
        (HERE, "localhost:8080"),
        (HERE, "//localhost:8080"),
        (HERE, "http://[::1]:8080"),
        ({**HERE, "host": "localhost"}, "http://localhost:0"),
        (HTTPS, "http://chat.example"),
        (HTTPS, "https://chat.example:80"),
        (HERE, "http://listed.example"),
        (HERE, "https://listed.example:8081"),
        (HERE, "https://sub.listed.example"),
        (HERE, "null"),
        (HERE, ""),
        (HERE, "http://"),
        (HERE, "http://["),
        (HERE, "http://localhost:99999"),
        (HERE, "http://localhost:port"),
        (HERE, "chrome-extension://localhost:8080"),
        (HERE, "\xff\xfe"),
        (HERE, "http://l\xf6calhost:8080"),
        ({}, "null"),
        ({"host": "["}, "http://["),
    ],
)
async def test_foreign_origin_is_refused(headers: dict[str, str], origin: str) -> None:
    assert await answer(headers, origin) == "websocket.close"


async def test_client_without_origin_is_no_browser_and_is_let_in() -> None:
    assert await answer(HERE) == "websocket.accept"


async def test_second_origin_header_is_refused_even_if_both_are_own() -> None:
    assert await answer(HERE, "http://localhost:8080", "http://localhost:8080") == "websocket.close"


@pytest.mark.parametrize(
    ("scheme", "origin", "answered"),
    [
        ("ws", "http://localhost", "websocket.accept"),
        ("wss", "https://localhost", "websocket.accept"),
        ("wss", "http://localhost", "websocket.close"),
        (None, "http://localhost", "websocket.accept"),  # ASGI: optional, "ws" by default
        (None, "https://localhost", "websocket.close"),
    ],
)
async def test_without_a_proxy_the_scheme_is_the_connections(scheme: str | None, origin: str, answered: str) -> None:
    assert await answer({"host": "localhost"}, origin, scheme=scheme) == answered


async def answers_of_not_found(scope: dict[str, Any]) -> list[dict[str, Any]]:
    communicator = ApplicationCommunicator(not_found, {"type": "websocket", "path": "/nowhere", **scope})
    await communicator.send_input({"type": "websocket.connect"})
    await communicator.wait()
    return [communicator.output_queue.get_nowait() for _ in range(communicator.output_queue.qsize())]


async def test_unknown_route_is_answered_with_404_where_the_server_can() -> None:
    start, body = await answers_of_not_found({"extensions": {"websocket.http.response": {}}})
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 404)
    assert (body["type"], body["body"]) == ("websocket.http.response.body", b"")


@pytest.mark.parametrize("scope", [{}, {"extensions": {}}])
async def test_unknown_route_is_closed_where_the_server_cannot(scope: dict[str, Any]) -> None:
    assert await answers_of_not_found(scope) == [{"type": "websocket.close"}]
