"""The ASGI root: every request and every socket enters here."""

import os
from typing import Any

from asgi_correlation_id import CorrelationIdMiddleware
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.urls import re_path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "app.settings")
# First of all: it fills the app registry, which the consumers imported below may need.
django_application = get_asgi_application()

# ruff: noqa: E402
from django.conf import settings

import MyChannels.routing
from app.accounts import Accounts
from app.drain import draining
from app.handshake import OriginGuard, not_found
from app.headers import JoinedHeaders
from app.health import Health
from app.logins import Logins
from app.logs import Traced
from app.metrics import Metrics

# It replaces the one of channels.auth, which would work as well. This one reads sessions on threads of its own, so a
# slow synchronous consumer does not hold up people who join a room.
from app.sessions import AuthMiddlewareStack
from MyChannels.hub import Hub

# The first route that matches takes the socket.
routes = [
    # Those of your own apps go here, before ours: *chat.routing.websocket_urlpatterns,
    *MyChannels.routing.ws_urlpatterns,
    re_path(r"", not_found),  # type: ignore[arg-type]  # django-stubs knows no ASGI routes
]
sockets = Logins(URLRouter(routes))


def logged(application: Any) -> CorrelationIdMiddleware:
    """Puts the request's id into the log. It stands behind the router, in which packages look for the routes."""
    return CorrelationIdMiddleware(Traced(application))


application = ProtocolTypeRouter(
    {
        "http": logged(Health(Metrics(JoinedHeaders(django_application)))),
        # A middleware of your own goes around `sockets`: AuthMiddlewareStack(Yours(sockets)).
        "websocket": logged(OriginGuard(AuthMiddlewareStack(sockets), settings.OWN_ORIGINS)),
    }
)


async def leave_rooms() -> None:
    """Otherwise the other processes count this one's members until its heartbeat is missed."""
    if hub := Hub.running():
        await hub.close()


draining.seconds = settings.DRAIN_SECONDS
draining.at_end(leave_rooms)
draining.at_end(Accounts.leave)
