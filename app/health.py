"""`/health/live` and `/health/ready`, answered before Django, whatever the Host."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from channels.layers import get_channel_layer
from django.conf import settings
from django.db import connection
from redis.asyncio import Redis

from app.drain import draining
from app.threads import OwnThreads
from MyChannels.connection import ResolvedConnection

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

logger = logging.getLogger(__name__)

DEADLINE = 2.0  # seconds for each dependency; all are checked at once


async def database() -> None:
    """Raises unless the database answers a query."""

    def select() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")

    await OwnThreads(select)()


async def redis() -> None:
    """Raises unless Redis answers PING."""
    async with Redis.from_url(
        settings.REDIS_URL, password=settings.REDIS_PASSWORD, connection_class=ResolvedConnection
    ) as client:
        await client.ping()


async def channel_layer() -> None:
    """Raises unless a message sent to a group arrives at a member."""
    layer = get_channel_layer()
    channel, group = await layer.new_channel(), f"probe_{uuid4().hex}"
    try:
        await layer.group_add(group, channel)
        await layer.group_send(group, {"type": "health.probe"})
        await layer.receive(channel)
    finally:
        await layer.group_discard(group, channel)


DEPENDENCIES: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
    "database": database,
    "channel layer": channel_layer,
}
if settings.REDIS_URL:  # `make dev` has none
    DEPENDENCIES["redis"] = redis


async def ready() -> bool:
    """Whether this process can serve. Logs the dependencies that cannot be reached."""
    if draining.begun:
        return False
    tasks = {name: asyncio.create_task(ask()) for name, ask in DEPENDENCIES.items()}
    # Not wait_for: it would wait for a cancelled task's clean-up, which hangs if Redis hangs.
    await asyncio.wait(tasks.values(), timeout=DEADLINE)
    failed = {name: _failure(task) for name, task in tasks.items() if not _succeeded(task)}
    for name, reason in failed.items():
        logger.warning("not ready: %s: %s", name, reason)
    return not failed


def _succeeded(task: asyncio.Task[None]) -> bool:
    return task.done() and task.exception() is None


def _failure(task: asyncio.Task[None]) -> str:
    if task.done():
        return f"{type(task.exception()).__name__}: {task.exception()}"
    task.cancel()
    return f"no answer within {DEADLINE:g} s"


class Health:
    """ASGI application that answers the health paths with a status only, and passes everything else on."""

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> Any:
        if scope["path"] == "/health/live":
            return await _answer(send, 200)
        if scope["path"] == "/health/ready":
            return await _answer(send, 200 if await ready() else 503)
        return await self.application(scope, receive, send)


async def _answer(send: Any, status: int) -> None:
    headers = [(b"content-length", b"0"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
