"""Who opens a WebSocket, looked up only for those who carry a session."""

from __future__ import annotations

from typing import Any

from channels.auth import AuthMiddleware
from channels.sessions import SessionMiddlewareStack
from django.contrib.auth.models import AnonymousUser


class Users(AuthMiddleware):
    """Stock hops to a thread for every handshake, a good part of what a join costs."""

    async def resolve_scope(self, scope: dict[str, Any]) -> None:
        if scope["session"].session_key is None:
            scope["user"]._wrapped = AnonymousUser()
        else:
            await super().resolve_scope(scope)


def session_stack(application: Any) -> Any:
    """What channels.auth.AuthMiddlewareStack gives an application: `cookies`, `session` and `user` in its scope."""
    return SessionMiddlewareStack(Users(application))
