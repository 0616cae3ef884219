"""Decides which handshakes are refused before any consumer runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.origins import OwnOrigins

if TYPE_CHECKING:
    from collections.abc import Iterable


class OriginGuard:
    """Refuses handshakes from foreign origins with HTTP 403.

    Own origins are the one that the request was sent to, and those listed in `own`. A client that sends no Origin is
    not a browser and is accepted (RFC 6455, 10.2). Channels' OriginValidator compares with a list of hosts instead of
    the request, and refuses clients without an Origin.
    """

    def __init__(self, application: Any, own: Iterable[str]) -> None:
        self.application = application
        self.own = OwnOrigins(own)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Any:
        origins = [value.decode("latin1") for name, value in scope["headers"] if name == b"origin"]
        if not origins or (len(origins) == 1 and self.own.include(origins[0], _requested(scope))):
            return await self.application(scope, receive, send)
        # Not Channels' WebsocketDenier: it is a consumer and first requests a channel from Redis.
        await receive()
        return await send({"type": "websocket.close"})  # not accepted yet: the server answers 403


def _requested(scope: dict[str, Any]) -> str:
    headers = dict(scope["headers"])
    scheme = headers.get(b"x-forwarded-proto", b"").decode("latin1") or scope.get("scheme", "ws")
    return f"{scheme}://{headers.get(b'host', b'').decode('latin1')}"


async def not_found(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answers HTTP 404 to a handshake without a route."""
    await receive()
    await deny(scope, send, 404)


async def deny(scope: dict[str, Any], send: Any, status: int) -> None:
    """Answers a handshake with an empty response.

    https://asgi.readthedocs.io/en/latest/extensions.html#websocket-denial-response
    """
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close"})  # the server supports only 403
        return
    await send({"type": "websocket.http.response.start", "status": status, "headers": []})
    await send({"type": "websocket.http.response.body", "body": b""})
