"""HTTP that lasts: Channels' own consumers, and who sends to them and to the streams of django-eventstream."""

import asyncio
import json

from channels.exceptions import StopConsumer
from channels.generic.http import AsyncHttpConsumer
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels.layers import get_channel_layer
from django_eventstream import send_event

GROUP = "streams"


class Events(AsyncHttpConsumer):
    """Server-sent events, in the form that Channels documents, until it is told that there are no more."""

    async def handle(self, body):
        layer = get_channel_layer()
        channel = await layer.new_channel()
        await layer.group_add(GROUP, channel)
        await self.send_headers(headers=[(b"Content-Type", b"text/event-stream"), (b"Cache-Control", b"no-cache")])
        await self.send_body(b": open\n\n", more_body=True)
        while (event := await layer.receive(channel))["text"] != "end":
            await self.send_body(f"data: {event['text']}\n\n".encode(), more_body=True)
        await layer.group_discard(GROUP, channel)
        await self.send_body(b"")


class Poll(AsyncHttpConsumer):
    """A long poll. Channels' own `http_request` would end it as soon as `handle` has returned."""

    async def http_request(self, message):
        await self.channel_layer.group_add(GROUP, self.channel_name)
        await self.send_headers(headers=[(b"Content-Type", b"application/json")])
        await self.send_body(b" ", more_body=True)

    async def stream_text(self, event):
        await self.send_body(json.dumps(event).encode())
        await self.disconnect()
        raise StopConsumer

    async def disconnect(self) -> None:
        await self.channel_layer.group_discard(GROUP, self.channel_name)


class Sender(AsyncJsonWebsocketConsumer):
    async def receive_json(self, content):
        if content["to"] == "eventstream":
            await asyncio.to_thread(send_event, "news", "message", {"text": content["text"]})
        else:
            await self.channel_layer.group_send(GROUP, {"type": "stream.text", "text": content["text"]})
        await self.send_json({"sent": content["text"]})
