"""Finds the user who opens a WebSocket, like Channels' AuthMiddlewareStack, at less cost."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from channels.auth import AuthMiddlewareStack as StockStack
from channels.auth import UserLazyObject, get_user
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import parse_cookie
from django.utils.functional import LazyObject, empty

from app.headers import joined
from app.threads import OwnThreads

user_of = OwnThreads(get_user.__wrapped__)


class AuthMiddlewareStack:
    """ASGI middleware that replaces `channels.auth.AuthMiddlewareStack`, which would work too.

    It puts the same `cookies`, `session` and `user` into the scope of a WebSocket, and keeps what another middleware
    has put there. It differs in three ways. It reads the session in separate threads, so a slow synchronous consumer
    does not delay people who sign in. It uses no thread for a client without a session cookie. It keeps one copy of the
    scope for the life of the socket; stock keeps four.
    """

    def __init__(self, application: Any) -> None:
        self.application = application
        self.session_store = import_module(settings.SESSION_ENGINE).SessionStore
        self.stock = StockStack(application)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Any:
        if scope["type"] != "websocket":  # an HTTP response saves the session and sets its cookie
            return await self.stock(scope, receive, send)
        scope = {**scope, "headers": joined(scope["headers"])}
        scope["cookies"] = cookies_in(scope["headers"])
        if "session" not in scope:
            scope["session"] = LazyObject()
            scope["session"]._wrapped = self.session_store(scope["cookies"].get(settings.SESSION_COOKIE_NAME))
        await find_user(scope)
        return await self.application(scope, receive, send)


def cookies_in(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    header = next((value for name, value in headers if name == b"cookie"), b"")
    return parse_cookie(header.decode("latin1"))


async def find_user(scope: dict[str, Any]) -> None:
    """Reads the session even if the user is known already, because consumers expect it to be loaded."""
    known = scope.setdefault("user", UserLazyObject())
    user = AnonymousUser() if scope["session"].session_key is None else await user_of(scope)
    # Stock would also overwrite a user that token middleware has put into such an object.
    if isinstance(known, UserLazyObject) and (known._wrapped is empty or not known.is_authenticated):
        known._wrapped = user
