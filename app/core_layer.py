"""channels_redis' core layer, thinly subclassed for what dead processes and sockets leave behind.

A process that is killed takes its channels out of no group. Stock keeps them there for a day, and writes each
message for them too. Here a process says every few seconds that it lives, and has a list of its memberships in
Redis; what is on the list of one that has been silent for `expiry` seconds the others remove. The layer drops
what was not fetched for as long, so nobody is owed anything then. Who comes back, thawed or joined again, puts
its memberships back: heartbeat.lua does all of it.

What comes for a channel whose receiver has gone, sent before it left its groups, stock keeps in the process for
ever: a queue for about every second member that leaves a busy room. Here a channel ends with the task that made
it, which for a consumer is its own, and what still comes is dropped; unless somebody receives on it again.

A second layer's prefix that does not begin with `asgi` gets that in front, since Redis' user may touch no other keys.

A group's name is added to its events, and taken out for consumers, as by the other layers (channel_layer.py).
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from functools import partial
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import Any
from weakref import WeakKeyDictionary

from channels_redis.core import BoundedQueue, RedisChannelLayer
from channels_redis.utils import create_pool
from redis.exceptions import RedisError

from app.channel_layer import GROUP_KEY, as_sent
from app.names import StrictNames
from MyChannels.connection import ResolvedConnection

logger = logging.getLogger(__name__)

BEAT_SECONDS = 5.0
# A process that comes back later than this finds none of its sockets open.
RETURN_SECONDS = 3600
# The only keys of layers that Redis' user may touch begin with this: services/redis/redis-start.sh.
OWN_KEYS = "asgi"

HEARTBEAT = Path(__file__).with_name("heartbeat.lua").read_text()


def owner_of(channel: str) -> str:
    """The process that alone receives on this channel; empty for a channel that anybody may receive on."""
    queue, mark, _ = channel.partition("!")
    return queue.rpartition(".")[2] if mark else ""


class Buffers(defaultdict[str, Any]):
    """What has come for each channel; nothing is kept for one that has ended."""

    def __init__(self, capacity: int) -> None:
        super().__init__(partial(BoundedQueue, capacity))
        self.capacity = capacity
        self.ended: dict[str, float] = {}  # when, in that order

    def __missing__(self, channel: str) -> Any:
        return BoundedQueue(self.capacity) if channel in self.ended else super().__missing__(channel)

    def end(self, channel: str, seconds: float) -> None:
        """For so many seconds there may be something on its way to the channel."""
        now = monotonic()
        self.pop(channel, None)
        self.ended[channel] = now
        for old in [old for old, at in islice(self.ended.items(), 2) if at < now - seconds]:
            del self.ended[old]


class CoreChannelLayer(StrictNames, RedisChannelLayer):
    names_groups = True

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        prefix: str = self.prefix
        if not prefix.startswith(OWN_KEYS):  # a second layer's; the `@` is in no name, so no keys are shared
            self.prefix: str = f"{OWN_KEYS}@{prefix}"
        self.receive_buffer = Buffers(self.capacity)
        self._beating: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[None]] = WeakKeyDictionary()

    def create_pool(self, index: int) -> Any:
        host = self.hosts[index]
        if str(host.get("address", "")).startswith("redis://"):  # redis-py has other classes for other schemes
            host = {"connection_class": ResolvedConnection, **host}
        return create_pool(host)

    @property
    def channels(self) -> dict[str, Any]:
        """Those for which something lies here, to be received."""
        return self.receive_buffer

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        await super().group_send(group, {**message, GROUP_KEY: group})

    async def group_add(self, group: str, channel: str) -> None:
        """Listed first, so that nothing is unlisted whenever the process dies."""
        # First of all: heartbeat.lua could not read a list with a blank in a name.
        self.require_valid_group_name(group)
        self.require_valid_channel_name(channel)
        await self._live()
        if owner := owner_of(channel):
            await self._shard_of(group).zadd(self._list_of(owner), {f"{group} {channel}": 0})
        await super().group_add(group, channel)

    async def group_discard(self, group: str, channel: str) -> None:
        await super().group_discard(group, channel)
        if owner := owner_of(channel):
            await self._shard_of(group).zrem(self._list_of(owner), f"{group} {channel}")

    async def new_channel(self, prefix: str = "specific") -> str:
        channel: str = await super().new_channel(prefix)
        if task := asyncio.current_task():
            task.add_done_callback(lambda _: self.receive_buffer.end(channel, self.expiry))
        return channel

    async def receive(self, channel: str) -> dict[str, Any]:
        return as_sent(await self.receive_with_group(channel))

    async def receive_with_group(self, channel: str) -> dict[str, Any]:
        self.require_valid_channel_name(channel)
        await self._live()
        self.receive_buffer.ended.pop(channel, None)
        message: dict[str, Any] = await super().receive(channel)
        return message

    async def close_pools(self) -> None:
        if beating := self._beating.pop(asyncio.get_running_loop(), None):
            beating.cancel()
            await asyncio.wait([beating])
        await super().close_pools()

    def _shard_of(self, group: str) -> Any:
        return self.connection(self.consistent_hash(group))

    def _list_of(self, process: str) -> str:
        return f"{self.prefix}:memberships:{process}"

    # ── The heart ──────────────────────────────────────────────────────────────────────────────

    async def _live(self) -> None:
        """Beats from now on, as long as the running loop does. Raises when Redis cannot be asked for the first."""
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
                logger.exception("the heart stumbled")

    async def _beat(self) -> None:
        arguments = (self.prefix, self.client_prefix, self.expiry, self.group_expiry, RETURN_SECONDS)
        for shard in range(self.ring_size):
            returned, removed = await self.connection(shard).eval(HEARTBEAT, 0, *arguments)
            if returned:
                logger.warning("was taken for dead: %d memberships of groups are put back", returned)
            if removed:
                logger.warning("removed %d memberships of groups that dead processes had left", removed)
