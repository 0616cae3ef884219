"""The log that the settings select."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from django.conf import settings

from MyChannels.connection import Connection
from MyChannels.log.memory import MemoryLog
from MyChannels.log.stream import SCRIPTS, StreamLog

if TYPE_CHECKING:
    from collections.abc import Callable


def connect(on_restart: Callable[[], None] | None = None) -> Connection | None:
    """A new connection for the running loop, which the caller must close. None if no Redis is configured."""
    if not settings.REDIS_URL:
        return None
    return Connection(settings.REDIS_URL, settings.REDIS_PASSWORD, SCRIPTS, on_restart)


def log_on(connection: Connection | None) -> StreamLog | MemoryLog:
    """The log on `connection`, or without one this process' in-memory log."""
    if connection is None:
        return memory_log()
    return StreamLog(connection, length=settings.ROOM_LOG_LENGTH, seconds=settings.ROOM_LOG_SECONDS)


@cache
def memory_log() -> MemoryLog:
    return MemoryLog(length=settings.ROOM_LOG_LENGTH, seconds=settings.ROOM_LOG_SECONDS)
