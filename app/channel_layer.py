"""channels_redis' pub/sub layer, thinly subclassed for two things that lose messages or sockets.

Stock `group_add` returns when SUBSCRIBE has been sent. What is then published goes by another
connection and may overtake it: of a thousand members that joined a room each, some hundred did
not hear their own joining. Here a subscription counts once Redis has confirmed it.

After a restart of Redis the connections in the pools are dead, and the first use of each fails.
Here SUBSCRIBE, which may be repeated, is sent once more; PUBLISH, which may not, gets a new
connection as soon as the subscription has one.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from channels_redis.pubsub import RedisPubSubChannelLayer, RedisPubSubLoopLayer, RedisSingleShardConnection
from channels_redis.utils import _wrap_close, create_pool, decode_hosts
from redis.asyncio import ConnectionPool
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

if TYPE_CHECKING:
    from collections.abc import Callable

CONFIRMATION_SECONDS = 5


class ConfirmingPubSub(PubSub):
    """Tells of each SUBSCRIBE that Redis has confirmed; redis-py reads those answers and drops them."""

    def __init__(self, pool: ConnectionPool, publishers: ConnectionPool, confirmed: Callable[[str], None]) -> None:
        super().__init__(pool)
        self.publishers = publishers
        self.confirmed = confirmed

    async def on_connect(self, connection: Any) -> None:
        await self.publishers.disconnect(inuse_connections=False)
        await super().on_connect(connection)

    async def handle_message(self, response: Any, ignore_subscribe_messages: bool = False) -> Any:
        if isinstance(response, list) and response[0] == b"subscribe":
            self.confirmed(response[1].decode())
        return await super().handle_message(response, ignore_subscribe_messages)  # type: ignore[no-untyped-call]


class Shard(RedisSingleShardConnection):
    _pubsub: ConfirmingPubSub | None

    def __init__(self, host: dict[str, Any], channel_layer: RedisPubSubLoopLayer) -> None:
        super().__init__(host, channel_layer)
        self._confirmations: dict[str, asyncio.Event] = {}

    def _ensure_redis(self) -> None:
        if self._redis is None:
            super()._ensure_redis()
            publishing: ConnectionPool = self._redis.connection_pool  # type: ignore[attr-defined]  # set just now
            repeating = create_pool({**self.host, "retry": Retry(NoBackoff(), 1)})
            self._pubsub = ConfirmingPubSub(repeating, publishing, self._confirm)

    def _confirm(self, channel: str) -> None:
        if confirmation := self._confirmations.get(channel):
            confirmation.set()

    async def subscribe(self, channel: str) -> None:
        """Raises TimeoutError when Redis does not confirm."""
        confirmation = self._confirmations.setdefault(channel, asyncio.Event())
        await super().subscribe(channel)
        # Outside the lock that the shard's commands share: others need not wait for this answer.
        async with asyncio.timeout(CONFIRMATION_SECONDS):
            await confirmation.wait()

    async def unsubscribe(self, channel: str) -> None:
        if confirmation := self._confirmations.pop(channel, None):
            confirmation.set()  # whoever still waits for it waits in vain
        await super().unsubscribe(channel)

    async def flush(self) -> None:
        pubsub = self._pubsub
        await super().flush()
        if pubsub is not None:
            await pubsub.connection_pool.disconnect()
        self._confirmations.clear()


class LoopLayer(RedisPubSubLoopLayer):
    def __init__(self, hosts: list[Any], **options: Any) -> None:
        super().__init__(hosts, **options)
        self._shards = [Shard(host, self) for host in decode_hosts(hosts)]


class ConfirmedPubSubChannelLayer(RedisPubSubChannelLayer):
    def _get_layer(self) -> LoopLayer:
        loop = asyncio.get_running_loop()
        if loop not in self._layers:
            self._layers[loop] = LoopLayer(*self._args, **self._kwargs, channel_layer=self)
            _wrap_close(self, loop)
        layer: LoopLayer = self._layers[loop]
        return layer
