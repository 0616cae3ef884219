"""A consumer as third parties write them: JSON commands, several rooms on one socket, the ORM.

Nothing in it knows this stack; test_your_own_consumer.py puts it into a clone as it is.
"""

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
        await self.accept()

    async def receive_json(self, content):
        command, room = content["command"], content["room"]
        if command == "join":
            await self.channel_layer.group_add(f"multi-{room}", self.channel_name)
            self.rooms.add(room)
            await self.send_json({"joined": room, "title": await title(room)})
        elif command == "leave":
            await self.channel_layer.group_discard(f"multi-{room}", self.channel_name)
            self.rooms.discard(room)
            await self.send_json({"left": room})
        elif command == "send" and room in self.rooms:
            event = {"type": "multi.message", "room": room, "text": content["text"]}
            await self.channel_layer.group_send(f"multi-{room}", event)

    async def multi_message(self, event):
        await self.send_json({"room": event["room"], "text": event["text"]})

    async def disconnect(self, code):
        for room in self.rooms:
            await self.channel_layer.group_discard(f"multi-{room}", self.channel_name)
