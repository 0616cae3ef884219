"""A pytest plugin: our channel layers in the place of those of channels_redis, on the Redis of the run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import channels_redis.core
import channels_redis.pubsub
from redis.asyncio import Redis

from app.channel_layer import ConfirmedPubSubChannelLayer
from app.core_layer import CoreChannelLayer

if TYPE_CHECKING:
    import pytest

THEIRS = "redis://localhost:6379"
ADDRESS, ADMIN = os.environ["UPSTREAM_REDIS"].removesuffix("/0"), os.environ["UPSTREAM_REDIS_ADMIN"]


class CoreLayer(CoreChannelLayer):
    def __init__(self, hosts: list[Any] | None = None, **options: Any) -> None:
        super().__init__(hosts or [ADDRESS], **options)

    async def flush(self) -> None:
        """Stock's lists all keys, which the stack's Redis user may not."""
        await self.wait_received()
        async with Redis.from_url(ADMIN) as admin:
            await admin.flushall()
        await self.close_pools()


channels_redis.core.RedisChannelLayer = CoreLayer
channels_redis.pubsub.RedisPubSubChannelLayer = ConfirmedPubSubChannelLayer


def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    for module in {item.module for item in items}:
        for name in ("TEST_HOSTS", "MULTIPLE_TEST_HOSTS"):
            hosts: list[Any] = getattr(module, name, [])
            setattr(module, name, [host.replace(THEIRS, ADDRESS) for host in hosts])
