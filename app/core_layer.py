"""channels_redis' core layer, thinly subclassed to clean up after dead processes and closed sockets.

A killed process cannot remove its channels from their groups. Stock keeps them there for a day, and stores each message
for them too. Here every process sends a heartbeat every few seconds and keeps a list of its memberships in Redis. When
a process has been silent for `expiry` seconds, the others remove the memberships on its list. Nothing is lost, because
the layer drops messages that were not fetched for that long. A process that comes back, unfrozen or reconnected,
restores its memberships. heartbeat.lua does all of this.

A message may still arrive for a channel whose receiver has gone, if it was sent before the channel left its groups.
Stock keeps such messages in the process forever: one queue for about every second member that leaves a busy room. Here
a channel that was received on ends with the task that made it, which is the consumer's own task, and later messages are
dropped. A channel that was never received on by its maker, like one from `async_to_sync(layer.new_channel)()`, is kept
for `expiry` seconds, and again after each receive.

After a restart of Redis the connections in the pools are closed, and the first use of each fails, which fails every
worker's next handshake. Here each connection is checked before use. Stock's `receive` raises while Redis is down, and
every socket of the worker closes; here it waits. If Redis comes back without the memberships, they are restored.

A prefix that does not begin with `asgi`, as a second layer may have, gets `asgi` in front, because Redis' user may not
access other keys.

The group's name is added to its events and removed for consumers, as in the other layers (channel_layer.py).
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from itertools import islice
from pathlib import Path
from time import monotonic, time
from typing import Any
from weakref import WeakKeyDictionary

from channels_redis.core import BoundedQueue, RedisChannelLayer
from channels_redis.utils import create_pool
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from app.behind import close_if_behind
from app.channel_layer import GROUP_KEY, RETRY_SECONDS, PooledConnection, as_sent
from app.names import StrictNames

logger = logging.getLogger(__name__)

BEAT_SECONDS = 5.0
# A process that comes back later than this has no open sockets left.
RETURN_SECONDS = 3600
# Exceptions raised while Redis is down, unlike errors that Redis answers.
OUTAGES = (RedisConnectionError, RedisTimeoutError, OSError)
# Redis' user may access only layer keys that begin with this: services/redis/redis-start.sh.
OWN_KEYS = "asgi"

HEARTBEAT = Path(__file__).with_name("heartbeat.lua").read_text()


def owner_of(channel: str) -> str:
    """The only process that receives on this channel. Empty for a channel that any process may receive on."""
    queue, mark, _ = channel.partition("!")
    return queue.rpartition(".")[2] if mark else ""


class ConsumerQueue(BoundedQueue):
    """Messages for a channel. A full stock queue silently drops the oldest. Here, if the channel's consumer waits for a
    slow client, that client is closed instead."""

    def __init__(self, capacity: int, maker: asyncio.Task[Any] | None) -> None:
        super().__init__(capacity)
        self.maker = maker

    def put_nowait(self, item: dict[str, Any]) -> None:
        if self.full() and close_if_behind(self.maker):
            while not self.empty():
                self.get_nowait()
        else:
            super().put_nowait(item)


class Buffers(defaultdict[str, Any]):
    """Queues of messages, by channel. Nothing is kept for a channel that has ended."""

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self.capacity = capacity
        self.makers: dict[str, asyncio.Task[Any]] = {}
        self.ended: dict[str, float] = {}  # when each channel ends or ended

    def __missing__(self, channel: str) -> Any:
        ended = self.ended.get(channel)
        if ended and ended <= monotonic():
            return BoundedQueue(self.capacity)
        queue = self[channel] = ConsumerQueue(self.capacity, self.makers.get(channel))
        return queue

    def end(self, channel: str, seconds: float) -> None:
        """Ends the channel now. Messages for it may still arrive for this many seconds."""
        self.pop(channel, None)
        self._end_at(monotonic(), channel, seconds)

    def end_later(self, channel: str, seconds: float) -> None:
        """Ends the channel in this many seconds, unless it is revived before."""
        self._end_at(monotonic() + seconds, channel, seconds)

    def revive(self, channel: str) -> None:
        self.ended.pop(channel, None)

    def _end_at(self, at: float, channel: str, seconds: float) -> None:
        self.ended[channel] = at
        now = monotonic()
        for old in [old for old, at in islice(self.ended.items(), 2) if at < now - seconds]:
            del self.ended[old]
            self.pop(old, None)


class CoreChannelLayer(StrictNames, RedisChannelLayer):
    names_groups = True

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        prefix: str = self.prefix
        if not prefix.startswith(OWN_KEYS):  # a second layer's; names cannot contain `@`, so no keys are shared
            self.prefix: str = f"{OWN_KEYS}@{prefix}"
        self.receive_buffer = Buffers(self.capacity)
        self._received_on: dict[str, bool] = {}  # channels whose makers still run
        self._memberships: dict[str, set[str]] = {}  # groups, by channel of this process
        self._beating: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[None]] = WeakKeyDictionary()

    def create_pool(self, index: int) -> Any:
        host = self.hosts[index]
        # Sentinel has its own connection class, and addresses other than redis:// select theirs.
        return create_pool(host if "master_name" in host else {"connection_class": PooledConnection, **host})

    @property
    def channels(self) -> dict[str, Any]:
        """The channels with a queue in this process."""
        return self.receive_buffer

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        await super().group_send(group, {**message, GROUP_KEY: group})

    async def group_add(self, group: str, channel: str) -> None:
        """Lists the membership before it exists, so that none is missing from the list when the process dies."""
        # Checked before listing: heartbeat.lua could not parse a list with a space in a name.
        self.require_valid_group_name(group)
        self.require_valid_channel_name(channel)
        await self._live()
        if owner := owner_of(channel):
            await self._shard_of(group).zadd(self._list_of(owner), {f"{group} {channel}": 0})
        await super().group_add(group, channel)
        if owner == self.client_prefix:
            self._memberships.setdefault(channel, set()).add(group)

    async def group_discard(self, group: str, channel: str) -> None:
        if groups := self._memberships.get(channel):
            groups.discard(group)
            if not groups:
                del self._memberships[channel]
        await super().group_discard(group, channel)
        if owner := owner_of(channel):
            await self._shard_of(group).zrem(self._list_of(owner), f"{group} {channel}")

    async def new_channel(self, prefix: str = "specific") -> str:
        channel: str = await super().new_channel(prefix)
        if task := asyncio.current_task():
            self._received_on[channel] = False
            self.receive_buffer.makers[channel] = task
            task.add_done_callback(lambda _: self._maker_ended(channel))
        return channel

    def _maker_ended(self, channel: str) -> None:
        del self.receive_buffer.makers[channel]
        if self._received_on.pop(channel):
            self._memberships.pop(channel, None)
            self.receive_buffer.end(channel, self.expiry)
        else:
            self.receive_buffer.end_later(channel, self.expiry)

    async def receive(self, channel: str) -> dict[str, Any]:
        return as_sent(await self.receive_with_group(channel))

    async def receive_with_group(self, channel: str) -> dict[str, Any]:
        self.require_valid_channel_name(channel)
        await self._live()
        if channel in self._received_on:
            self._received_on[channel] = True
            message: dict[str, Any] = await super().receive(channel)
            return message
        self.receive_buffer.revive(channel)
        try:
            message = await super().receive(channel)
            return message
        finally:
            if owner_of(channel):
                self.receive_buffer.end_later(channel, self.expiry)

    async def receive_single(self, channel: str) -> Any:
        """Waits while Redis is down."""
        interrupted = False
        while True:
            try:
                return await super().receive_single(channel)
            except OUTAGES as fault:
                if not interrupted:
                    logger.warning("cannot receive until Redis answers again: %s", fault)
                interrupted = True
                await asyncio.sleep(RETRY_SECONDS)

    async def _clean_receive_backup(self, index: int, channel: str) -> None:
        try:
            await super()._clean_receive_backup(index, channel)
        except OUTAGES as fault:  # nothing awaits this task
            logger.info("a message on %s may be delivered twice: %s", channel, fault)

    async def close_pools(self) -> None:
        if beating := self._beating.pop(asyncio.get_running_loop(), None):
            beating.cancel()
            await asyncio.wait([beating])
        await super().close_pools()

    def _shard_of(self, group: str) -> Any:
        return self.connection(self.consistent_hash(group))

    def _list_of(self, process: str) -> str:
        return f"{self.prefix}:memberships:{process}"

    # ── Heartbeat ──────────────────────────────────────────────────────────────────────────────

    async def _live(self) -> None:
        """Starts heartbeats for as long as the loop runs. Raises if the first one cannot reach Redis."""
        loop = asyncio.get_running_loop()
        if loop not in self._beating:
            await self._beat()
            if loop not in self._beating:
                self._beating[loop] = loop.create_task(self._go_on())

    async def _go_on(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            try:
                await self._beat()
            except (RedisError, OSError, TimeoutError) as fault:
                logger.info("no heartbeat: %s", fault)
            except Exception:
                logger.exception("the heartbeat failed")

    async def _beat(self) -> None:
        arguments = (self.prefix, self.client_prefix, self.expiry, self.group_expiry, RETURN_SECONDS)
        for shard in range(self.ring_size):
            known, returned, removed = await self.connection(shard).eval(HEARTBEAT, 0, *arguments)
            if not known and not returned:
                await self._put_back(shard)
            if returned:
                logger.warning("other processes considered this one dead: restored %d group memberships", returned)
            if removed:
                logger.warning("removed %d group memberships of dead processes", removed)

    async def _put_back(self, shard: int) -> None:
        """Restores memberships when Redis does not know this process: it is new, or Redis came back with other data."""
        memberships = [
            (group, channel)
            for channel, groups in self._memberships.items()
            for group in groups
            if self.consistent_hash(group) == shard
        ]
        if not memberships:
            return
        pipeline = self.connection(shard).pipeline()
        for group, channel in memberships:
            pipeline.zadd(self._list_of(self.client_prefix), {f"{group} {channel}": 0})
            pipeline.zadd(self._group_key(group), {channel: time()})
            pipeline.expire(self._group_key(group), self.group_expiry)
        await pipeline.execute()
        logger.warning("Redis had lost %d group memberships; they are restored", len(memberships))
