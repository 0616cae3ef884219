"""The pages around the rooms."""

from django.urls import path

from MyChannels import converters, views  # noqa: F401  # converters registers `<room:…>`

urlpatterns = [
    path("", views.index, name="index"),
    path("chat/<room:room_name>/", views.room, name="room"),
]
