"""The consumers that `MyChannels/routing.py` routes to."""

from MyChannels.consumers.documented import AsyncChatConsumer_channel, ChatConsumer, ChatConsumer_channel
from MyChannels.consumers.member import RoomMember
from MyChannels.consumers.room import RoomConsumer

__all__ = ["AsyncChatConsumer_channel", "ChatConsumer", "ChatConsumer_channel", "RoomConsumer", "RoomMember"]
