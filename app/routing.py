"""The ASGI application: every request and every socket enters here."""

import os
from typing import Any

from asgi_correlation_id import CorrelationIdMiddleware
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.urls import re_path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "app.settings")
# First, because it fills the app registry, which the consumers imported below may need.
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

# Replaces the one in channels.auth, which would work too. This one reads sessions in separate threads, so a slow
# synchronous consumer does not delay people who join a room.
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
    """Adds the request's id to the log. It wraps each application, so the router stays outermost, where packages look
    for routes."""
    return CorrelationIdMiddleware(Traced(application))


application = ProtocolTypeRouter(
    {
        "http": logged(Health(Metrics(JoinedHeaders(django_application)))),
        # A middleware of your own goes around `sockets`: AuthMiddlewareStack(Yours(sockets)).
        "websocket": logged(OriginGuard(AuthMiddlewareStack(sockets), settings.OWN_ORIGINS)),
    }
)


async def leave_rooms() -> None:
    """Without this, other processes would count this one's members until its heartbeat is missed."""
    if hub := Hub.running():
        await hub.close()


draining.seconds = settings.DRAIN_SECONDS
draining.at_end(leave_rooms)
draining.at_end(Accounts.leave)
