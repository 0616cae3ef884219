"""The application that the server of test_tokens.py runs: the project's sockets, once for each order of middleware."""

from collections.abc import Callable
from typing import Any

from app.routing import sockets  # first: it sets Django up

# isort: split
from channels.auth import AuthMiddlewareStack as StockStack
from channels_auth_token_middlewares.middleware import DRFAuthTokenMiddlewareStack, SimpleJWTAuthTokenMiddlewareStack
from django.conf import settings
from django_channels_jwt_auth_middleware.auth import JWTAuthMiddleware, JWTAuthMiddlewareStack

from app import accounts
from app.handshake import OriginGuard
from app.sessions import AuthMiddlewareStack
from tests.integration import socket_server  # noqa: F401  # reports that the server listens

accounts.ROUND_SECONDS = 0.2

Stack = Callable[[Any], Any]


def placements(stack: Stack) -> dict[str, Any]:
    return {
        "alone": stack(sockets),
        "drf inside": stack(DRFAuthTokenMiddlewareStack(sockets)),
        "jwt inside": stack(SimpleJWTAuthTokenMiddlewareStack(sockets)),
        "other jwt outside": JWTAuthMiddleware(stack(sockets)),
        "other jwt inside": stack(JWTAuthMiddlewareStack(sockets)),
    }


PLACEMENTS = {
    **{f"ours, {name}": stack for name, stack in placements(AuthMiddlewareStack).items()},
    **{f"stock, {name}": stack for name, stack in placements(StockStack).items()},
    # With stock in its place the session's user, here nobody, replaces the token's.
    "ours, drf outside": DRFAuthTokenMiddlewareStack(AuthMiddlewareStack(sockets)),
    "ours, jwt outside": SimpleJWTAuthTokenMiddlewareStack(AuthMiddlewareStack(sockets)),
    "none, drf": DRFAuthTokenMiddlewareStack(sockets),
    "none, jwt": SimpleJWTAuthTokenMiddlewareStack(sockets),
    "none, other jwt": JWTAuthMiddlewareStack(sockets),
}
GUARDED = {
    "/" + name.replace(", ", "-").replace(" ", "-"): OriginGuard(application, settings.OWN_ORIGINS)
    for name, application in PLACEMENTS.items()
}


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """`/PLACEMENT/ws/…` is `/ws/…` with the sockets in that place."""
    placement, _, path = scope["path"][1:].partition("/")
    await GUARDED[f"/{placement}"]({**scope, "path": f"/{path}"}, receive, send)
