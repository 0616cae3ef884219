"""The WebSocket routes. A route added here needs no change to nginx, whatever its path."""

from django.urls import path

from MyChannels import consumers, converters  # noqa: F401  # converters registers `<room:…>`

ws_urlpatterns = [
    path("ws/chat/<room:room_name>/", consumers.RoomConsumer.as_asgi()),
    path("ws/echo/<room:room_name>/", consumers.ChatConsumer.as_asgi()),
    path("ws/sync/<room:room_name>/", consumers.ChatConsumer_channel.as_asgi()),
    path("ws/async/<room:room_name>/", consumers.AsyncChatConsumer_channel.as_asgi()),
]
