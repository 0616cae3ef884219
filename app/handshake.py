"""Who may open a WebSocket, decided before any consumer runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.origins import OwnOrigins

if TYPE_CHECKING:
    from collections.abc import Iterable


class OriginGuard:
    """Refuses handshakes from foreign origins with HTTP 403.

    Ours is the origin that the request was sent to, and each that is listed in `own`. A client that sends no Origin
    is not a browser and is let in (RFC 6455, 10.2). Channels' OriginValidator compares with hosts, not with the
    request, and refuses a client without an Origin.
    """

    def __init__(self, application: Any, own: Iterable[str]) -> None:
        self.application = application
        self.own = OwnOrigins(own)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Any:
        origins = [value.decode("latin1") for name, value in scope["headers"] if name == b"origin"]
        if not origins or (len(origins) == 1 and self.own.include(origins[0], _requested(scope))):
            return await self.application(scope, receive, send)
        # Not Channels' WebsocketDenier: as a consumer it asks Redis for a channel first.
        await receive()
        return await send({"type": "websocket.close"})  # not accepted yet: the server answers 403


def _requested(scope: dict[str, Any]) -> str:
    headers = dict(scope["headers"])
    scheme = headers.get(b"x-forwarded-proto", b"").decode("latin1") or scope.get("scheme", "ws")
    return f"{scheme}://{headers.get(b'host', b'').decode('latin1')}"


async def not_found(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answers a handshake for which there is no route with HTTP 404."""
    await receive()
    await deny(scope, send, 404)


async def deny(scope: dict[str, Any], send: Any, status: int) -> None:
    """Answers a handshake with an empty response.

    https://asgi.readthedocs.io/en/latest/extensions.html#websocket-denial-response
    """
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close"})  # the server offers no better than 403
        return
    await send({"type": "websocket.http.response.start", "status": status, "headers": []})
    await send({"type": "websocket.http.response.body", "body": b""})
