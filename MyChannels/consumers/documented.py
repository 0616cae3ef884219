"""The three consumers of the documented chat room, with its names and its sentences.

One addition to the document: they answer a malformed frame, or one above the rate limit, with
`{"error": …}` and keep the socket open. They are ordinary Channels consumers; copy one to begin your own.
"""

from __future__ import annotations

from typing import Any

from asgiref.sync import async_to_sync
from channels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer
from django.conf import settings

from MyChannels import messages
from MyChannels.groups import room_group
from MyChannels.limits import Rate


def new_rate() -> Rate:
    """The rate limit of one socket."""
    return Rate(settings.MESSAGE_RATE)


def parse(rate: Rate, text_data: str | None, bytes_data: bytes | None) -> str:
    """The text in a text or binary frame. Raises messages.Malformed."""
    if not rate.permits():
        raise messages.Malformed("expected fewer messages; send it again later")
    return messages.parse(text_data if bytes_data is None else bytes_data, settings.MAX_TEXT_LENGTH)


class ChatConsumer(WebsocketConsumer):
    """Echoes each message to its sender."""

    def connect(self) -> None:
        self.rate = new_rate()
        self.accept()

    def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        try:
            text = parse(self.rate, text_data, bytes_data)
        except messages.Malformed as fault:
            self.send(text_data=messages.encode_error(fault))
        else:
            self.send(text_data=messages.encode("from Server:" + text))


class ChatConsumer_channel(WebsocketConsumer):
    """A room's member, as a synchronous consumer."""

    def connect(self) -> None:
        self.rate = new_rate()
        self.room_name = self.scope["url_route"]["kwargs"]["room_name"]
        self.room_group_name = room_group(self.room_name)
        async_to_sync(self.channel_layer.group_add)(self.room_group_name, self.channel_name)
        self.accept()
        self.send_group(messages.joined(self.channel_name))

    def send_group(self, sentence: str) -> None:
        async_to_sync(self.channel_layer.group_send)(self.room_group_name, messages.event(sentence))

    def disconnect(self, code: int) -> None:
        async_to_sync(self.channel_layer.group_discard)(self.room_group_name, self.channel_name)

    def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        try:
            text = parse(self.rate, text_data, bytes_data)
        except messages.Malformed as fault:
            self.send(text_data=messages.encode_error(fault))
        else:
            self.send_group(messages.said(self.channel_name, text))

    def chat_message(self, event: dict[str, Any]) -> None:
        self.send(text_data=messages.encode(event["message"]))


class AsyncChatConsumer_channel(AsyncWebsocketConsumer):
    """A room's member, as an asynchronous consumer."""

    async def connect(self) -> None:
        self.rate = new_rate()
        self.room_name = self.scope["url_route"]["kwargs"]["room_name"]
        self.room_group_name = room_group(self.room_name)
        await self.channel_layer.group_add(self.room_group_name, self.channel_name)
        await self.accept()
        await self.send_group(messages.joined(self.channel_name))

    async def send_group(self, sentence: str) -> None:
        await self.channel_layer.group_send(self.room_group_name, messages.event(sentence))

    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard(self.room_group_name, self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        try:
            text = parse(self.rate, text_data, bytes_data)
        except messages.Malformed as fault:
            await self.send(text_data=messages.encode_error(fault))
        else:
            await self.send_group(messages.said(self.channel_name, text))

    async def chat_message(self, event: dict[str, Any]) -> None:
        await self.send(text_data=messages.encode(event["message"]))
