"""The documented chat room's routes."""

import django

django.setup()

# ruff: noqa: E402
from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from django.urls import path

from .consumers import AsyncChatConsumer_channel

application = ProtocolTypeRouter(
    {
        "websocket": AuthMiddlewareStack(
            URLRouter([path("ws/chat/<slug:room_name>/", AsyncChatConsumer_channel.as_asgi())])
        )
    }
)
