"""chanx: typed messages to a group, and a typed event from elsewhere."""

from typing import Literal

from chanx.channels.websocket import AsyncJsonWebsocketConsumer
from chanx.core.decorators import channel, event_handler, ws_handler
from chanx.messages.base import BaseMessage
from chanx.messages.incoming import PingMessage
from chanx.messages.outgoing import PongMessage
from pydantic import BaseModel


class Text(BaseModel):
    text: str


class Said(BaseMessage):
    action: Literal["said"] = "said"
    payload: Text


class Announced(BaseMessage):
    action: Literal["announced"] = "announced"
    payload: Text


class Say(BaseMessage):
    action: Literal["say"] = "say"
    payload: Text


class Announce(BaseMessage):
    action: Literal["announce"] = "announce"
    payload: Text


@channel(name="typed")
class TypedConsumer(AsyncJsonWebsocketConsumer[Announced]):
    groups = ["typed"]  # noqa: RUF012  # the package changes its copy

    @ws_handler(output_type=PongMessage)
    async def ping(self, message: PingMessage) -> PongMessage:
        return PongMessage()

    @ws_handler(output_type=Said)
    async def say(self, message: Say) -> None:
        await self.broadcast_message(Said(payload=message.payload))

    @ws_handler
    async def announce(self, message: Announce) -> None:
        await self.broadcast_event(Announced(payload=message.payload))

    @event_handler(output_type=Announced)
    async def announced(self, event: Announced) -> Announced:
        return event
