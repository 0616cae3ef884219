"""Sends messages to a room from anywhere in Django: views, signals, commands, tasks."""

import logging
import secrets

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.conf import settings

from MyChannels import messages
from MyChannels.groups import check_room_name, room_group
from MyChannels.hub import LAYER_FAULTS, Hub
from MyChannels.log import Draft, Unavailable
from MyChannels.log.configured import connect, log_on

__all__ = ["Unavailable", "asend", "send"]

logger = logging.getLogger(__name__)


async def asend(room_name: str, text: str, name: str = "Server") -> int:
    """Sends `text` to a room as `name` and returns the message's offset in the room's log.

    Every member on every worker gets it, once and in order; members of the documented format get
    `<name>说: <text>`. Raises ValueError for a room name that no socket could join, a text that no
    member could send, or a name that cannot be encoded. Raises Unavailable if the log cannot be
    reached; whether the message was added is unknown then.
    """
    check_room_name(room_name)
    draft = Draft(
        messages.check_name(name), messages.check(text, settings.MAX_TEXT_LENGTH), ref=secrets.token_urlsafe(16)
    )
    if hub := Hub.running():
        return (await hub.say_in(room_name, draft)).offset
    return await _say_once(room_name, draft)


async def _say_once(room_name: str, draft: Draft) -> int:
    """For a loop without a hub. The loop may end with this call, so the connection is not kept."""
    connection = connect()
    try:
        appended = await log_on(connection).append(room_name, draft)
    finally:
        if connection:
            await connection.close()
    try:
        await get_channel_layer().group_send(room_group(room_name), appended.message(draft).event(appended.epoch))
    except LAYER_FAULTS as fault:
        logger.warning("members of %s hear of offset %d only later: %s", room_name, appended.offset, fault)
    return appended.offset


def send(room_name: str, text: str, name: str = "Server") -> int:
    """`asend` for synchronous code."""
    return async_to_sync(asend)(room_name, text, name)
