"""Joins headers that come in several lines."""

from __future__ import annotations

from typing import Any

Headers = list[tuple[bytes, bytes]]


def joined(headers: Headers) -> Headers:
    """Joins all Cookie lines as HTTP requires: https://www.rfc-editor.org/rfc/rfc9113#section-8.2.3.

    Django joins repeated headers with commas, which is right for every other header.
    """
    cookies = [value for name, value in headers if name == b"cookie"]
    if len(cookies) < 2:
        return headers
    return [*((name, value) for name, value in headers if name != b"cookie"), (b"cookie", b"; ".join(cookies))]


class JoinedHeaders:
    """ASGI middleware for pages. For WebSockets, AuthMiddlewareStack does this."""

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Any:
        return await self.application({**scope, "headers": joined(scope["headers"])}, receive, send)
