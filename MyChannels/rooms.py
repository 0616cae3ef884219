"""Speaking in a room from anywhere in Django: views, signals, commands, tasks."""

import re

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.conf import settings

from MyChannels import messages
from MyChannels.groups import ROOM_NAME, room_group


async def asend(room_name: str, text: str, name: str = "Server") -> None:
    """Says `text` in a room as `name`; every member on every worker gets `<name>说: <text>`.

    Raises ValueError for a room name that no socket could have joined or a text that no
    member could have sent, and redis.RedisError when the channel layer cannot be reached.
    """
    if not re.fullmatch(ROOM_NAME, room_name):
        raise ValueError(
            f"expected a room name of 1 to 80 letters, digits, hyphens or underscores, received {room_name!r}"
        )
    sentence = messages.said(name, messages.check(text, settings.MAX_TEXT_LENGTH))
    await get_channel_layer().group_send(room_group(room_name), messages.event(sentence))


def send(room_name: str, text: str, name: str = "Server") -> None:
    """`asend` for synchronous code."""
    async_to_sync(asend)(room_name, text, name)
