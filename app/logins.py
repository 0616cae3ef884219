"""Middleware for every WebSocket, whichever middleware has found its user."""

from __future__ import annotations

from typing import Any

from app.accounts import Accounts, opened_by_session
from app.names import UnusableName, refuse


class Logins:
    """ASGI middleware: ends a socket with the login that opened it, and refuses names that no channel layer accepts.

    It comes after the middleware that finds the user, so it works with every such middleware. One class does both,
    because each middleware keeps a frame in memory for each open socket.
    """

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Any:
        try:
            if opened_by_session(scope):
                return await Accounts.current().serve(self.application, scope, receive, send)
            return await self.application(scope, receive, send)
        except UnusableName as fault:
            return await refuse(fault, scope, send)
