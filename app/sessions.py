"""Who opens a WebSocket, looked up only for those who carry a session."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from channels.auth import get_user
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import parse_cookie

from app.accounts import Accounts
from app.headers import joined
from app.names import UnusableName, refuse


class Sessions:
    """ASGI middleware for WebSockets: `cookies`, `session` and `user`, as channels.auth.AuthMiddlewareStack has them.

    That is three of them and five copies of the scope, which live as long as the socket, 3 KB of each; and it hops to
    a thread for every handshake, a good part of what a join costs. It saves a session with an HTTP response, which a
    socket does not have.
    """

    def __init__(self, application: Any) -> None:
        self.application = application
        self.session_store = import_module(settings.SESSION_ENGINE).SessionStore

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Any:
        headers = joined(scope["headers"])
        header = next((value for name, value in headers if name == b"cookie"), b"")
        cookies = parse_cookie(header.decode("latin1"))
        session = self.session_store(cookies.get(settings.SESSION_COOKIE_NAME))
        scope = {**scope, "headers": headers, "cookies": cookies, "session": session}
        scope["user"] = AnonymousUser() if session.session_key is None else await get_user(scope)
        try:
            if scope["user"].is_authenticated:
                return await Accounts.current().serve(self.application, scope, receive, send)
            return await self.application(scope, receive, send)
        except UnusableName as fault:  # here, and not in a middleware of its own, whose frame each socket would hold
            return await refuse(fault, scope, send)
