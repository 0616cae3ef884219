"""The path converter of room names, for pages and sockets alike."""

from django.urls.converters import StringConverter, register_converter

from MyChannels.groups import ROOM_NAME


class RoomNameConverter(StringConverter):
    """`<room:room_name>`: a slug of 1 to 80 characters. Other paths match no route: HTTP 404."""

    regex = ROOM_NAME


register_converter(RoomNameConverter, "room")
