"""Several rooms on one socket, for users only; one room is for staff. Events are passed on as they come."""

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.contrib.auth.models import Group


@database_sync_to_async
def title(room):
    """A room's title from the database, made on first use."""
    return Group.objects.get_or_create(name=f"Room {room}")[0].name


class MultiChatConsumer(AsyncJsonWebsocketConsumer):
    async def connect(self):
        self.rooms = set()
        if self.scope["user"].is_anonymous:
            await self.close()
        else:
            await self.accept()

    async def receive_json(self, content):
        command, room = content["command"], content["room"]
        if command == "join" and room == "staff" and not self.scope["user"].is_staff:
            await self.send_json({"error": "staff only"})
        elif command == "join":
            await self.channel_layer.group_add(f"multi-{room}", self.channel_name)
            self.rooms.add(room)
            await self.send_json({"joined": room, "title": await title(room)})
        elif command == "leave":
            await self.channel_layer.group_discard(f"multi-{room}", self.channel_name)
            self.rooms.discard(room)
            await self.send_json({"left": room})
        elif command == "send" and room in self.rooms:
            user = self.scope["user"].get_username()
            event = {"type": "multi.message", "room": room, "user": user, "text": content["text"]}
            await self.channel_layer.group_send(f"multi-{room}", event)

    async def multi_message(self, event):
        await self.send_json(event)

    async def disconnect(self, code):
        for room in self.rooms:
            await self.channel_layer.group_discard(f"multi-{room}", self.channel_name)
