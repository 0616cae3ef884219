"""The documented chat room's asynchronous consumer, word for word but for its typing errors."""

from __future__ import annotations

import json
from typing import Any

from channels.generic.websocket import AsyncWebsocketConsumer


class AsyncChatConsumer_channel(AsyncWebsocketConsumer):  # noqa: N801
    async def connect(self) -> None:
        self.room_name = self.scope["url_route"]["kwargs"]["room_name"]
        self.room_group_name = f"chat_{self.room_name}"

        await self.channel_layer.group_add(self.room_group_name, self.channel_name)
        await self.accept()
        await self.send_group(f"Server: {self.channel_name}加入了.")

    async def send_group(self, message: str, type: str = "chat_message") -> None:
        await self.channel_layer.group_send(self.room_group_name, {"type": type, "message": message})

    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard(self.room_group_name, self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        data = text_data
        if bytes_data:
            data = bytes_data.decode()

        message = json.loads(data)["message"]  # type: ignore[arg-type]  # one of the two is given

        await self.channel_layer.group_send(
            self.room_group_name, {"type": "chat_message", "message": f"{self.channel_name}说: {message}"}
        )

    async def chat_message(self, event: dict[str, Any]) -> None:
        message = event["message"]
        await self.send(text_data=json.dumps({"message": message}))
