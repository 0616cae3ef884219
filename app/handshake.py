"""Who may open a WebSocket, decided before any consumer runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Collection

DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
SCHEMES = {"ws": "http", "wss": "https"}


class OriginGuard:
    """Refuses handshakes from foreign origins with HTTP 403.

    Own is an origin whose scheme, host and port equal the request's, or that is listed in
    `allowed`; a client that sends none is not a browser and is allowed (RFC 6455, 10.2).
    Channels' OriginValidator compares with hosts, not with the request, and refuses no origin.
    """

    def __init__(self, application: Any, allowed: Collection[str]) -> None:
        self.application = application
        self.allowed = {_normal(origin) for origin in allowed}

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Any:
        origins = [value.decode("latin1") for name, value in scope["headers"] if name == b"origin"]
        if not origins or (len(origins) == 1 and self._own(origins[0], scope)):
            return await self.application(scope, receive, send)
        # Not Channels' WebsocketDenier: as a consumer it asks Redis for a channel first.
        await receive()
        return await send({"type": "websocket.close"})  # not accepted yet: the server answers 403

    def _own(self, origin: str, scope: dict[str, Any]) -> bool:
        normal = _normal(origin)
        return normal is not None and (normal == _requested(scope) or normal in self.allowed)


def _normal(origin: str) -> tuple[str, str, int] | None:
    """Scheme, host and port of an origin; None for what is not one, `null` included."""
    try:
        parts = urlsplit(origin.lower())
        port = DEFAULT_PORTS[parts.scheme] if parts.port is None else parts.port
    except (ValueError, KeyError):
        return None
    return (parts.scheme, parts.hostname, port) if parts.hostname else None


def _requested(scope: dict[str, Any]) -> tuple[str, str, int] | None:
    headers = dict(scope["headers"])
    scheme = headers.get(b"x-forwarded-proto", b"").decode("latin1") or SCHEMES[scope.get("scheme", "ws")]
    return _normal(f"{scheme}://{headers.get(b'host', b'').decode('latin1')}")


async def not_found(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answers a handshake for which there is no route with HTTP 404.

    https://asgi.readthedocs.io/en/latest/extensions.html#websocket-denial-response
    """
    await receive()
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close"})  # the server offers no better than 403
        return
    await send({"type": "websocket.http.response.start", "status": 404, "headers": []})
    await send({"type": "websocket.http.response.body", "body": b""})
