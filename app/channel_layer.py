"""channels_redis' pub/sub layer, thinly subclassed for what loses messages, sockets or memory.

Stock `group_add` returns when SUBSCRIBE has been sent. What is then published goes by another
connection and may overtake it: of a thousand members that joined a room each, some hundred did
not hear their own joining. Here a subscription counts once Redis has confirmed it.

After a restart of Redis the connections in the pools are dead, and the first use of each fails.
Here SUBSCRIBE, which may be repeated, is sent once more; PUBLISH, which may not, gets a new
connection as soon as the subscription has one.

Nobody is told when the subscriptions were lost with their connection and made anew; here
`resubscribed` is set then, and `resubscribe()` makes them anew.

Stock forgets a channel when a `receive` on it is cancelled, and so keeps it for ever, with its
subscription, when a message had just arrived: in a busy room, one leaving member in four. Here
a channel lives as long as the task that made it, which for a consumer is its own.

Stock keeps whatever comes for a consumer that does not keep up; here all consumers' queues share a bound.

Stock takes any name of a group or a channel; here the names that the other layers refuse are refused (names.py).

Every layer here adds a group's name to its events, since a channel that is in several groups, like
a hub's, could not tell them apart.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from channels.layers import InMemoryChannelLayer
from channels_redis.pubsub import RedisPubSubChannelLayer, RedisPubSubLoopLayer, RedisSingleShardConnection
from channels_redis.utils import _wrap_close, create_pool, decode_hosts
from django.core.exceptions import ImproperlyConfigured
from prometheus_client import Counter
from redis.asyncio import ConnectionPool
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from app.names import StrictNames
from MyChannels.connection import GuardedConnection
from MyChannels.limits import SHARE, Pool, memory_limit

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

# Less than the 5 s that Daphne grants a handshake: the application fails first, and says so.
CONFIRMATION_SECONDS = 3
WAITING_SECONDS = 0.1  # how often a worker looks whether it has a subscription by now
RETRY_SECONDS = 0.1  # between two attempts to reach Redis
CONNECTING_SECONDS = 1.0  # for one attempt; others wait for the lock meanwhile
FAULT_SECONDS = 1.0  # after what should not have happened
# What waits for all consumers of this process together. What waits for one that keeps up is not worth counting.
EVENTS = Pool(memory_limit() // SHARE)
SMALL_BYTES = 4096
DROPPED = Counter("channel_layer_dropped_events", "Events that were dropped because their consumer did not keep up")
# In the manner of the core layer's own `__asgi_channel__`.
GROUP_KEY = "__asgi_group__"


class ConfirmingPubSub(PubSub):
    """Tells of each SUBSCRIBE that Redis has confirmed; redis-py reads those answers and drops them."""

    def __init__(
        self,
        pool: ConnectionPool,
        publishers: ConnectionPool,
        confirmed: Callable[[str], None],
        resubscribed: Callable[[], None],
    ) -> None:
        super().__init__(pool)
        self.publishers = publishers
        self.confirmed = confirmed
        self.resubscribed = resubscribed

    async def on_connect(self, connection: Any) -> None:
        await self.publishers.disconnect(inuse_connections=False)
        for channel in self.pending_unsubscribe_channels:  # what nobody wants any more is not subscribed to again
            self.channels.pop(channel, None)
        self.pending_unsubscribe_channels.clear()
        again = self.subscribed
        await super().on_connect(connection)
        if again:
            self.resubscribed()

    @property
    def reader(self) -> Any:
        """Another one for each time that the connection was made."""
        return self.connection and self.connection._reader

    async def connect_within(self, seconds: float) -> None:
        """Returns at once if it is connected."""
        try:
            async with asyncio.timeout(seconds):
                await self.connect()  # type: ignore[no-untyped-call]
        except BaseException:
            if self.connection:
                await self.connection.disconnect(nowait=True)
            raise

    async def _execute(self, conn: Any, command: Any, *args: Any, **options: Any) -> Any:
        """What is read, which is no command, is not tried again here: nobody else may be connecting then."""
        if not args:
            return await command(**options)
        return await super()._execute(conn, command, *args, **options)  # type: ignore[no-untyped-call]

    async def handle_message(self, response: Any, ignore_subscribe_messages: bool = False) -> Any:
        if isinstance(response, list) and response[0] == b"subscribe":
            self.confirmed(response[1].decode())
        return await super().handle_message(response, ignore_subscribe_messages)  # type: ignore[no-untyped-call]


class Shard(RedisSingleShardConnection):
    _pubsub: ConfirmingPubSub | None

    def __init__(self, host: dict[str, Any], channel_layer: RedisPubSubLoopLayer) -> None:
        if not str(host.get("address", "")).startswith("redis://"):
            raise ImproperlyConfigured(f"CHANNEL_LAYERS: expected hosts with an address redis://…, received {[*host]}")
        super().__init__({**host, "connection_class": GuardedConnection}, channel_layer)
        self._confirmations: dict[str, asyncio.Event] = {}

    def _ensure_redis(self) -> None:
        if self._redis is None:
            super()._ensure_redis()
            publishing: ConnectionPool = self._redis.connection_pool  # type: ignore[attr-defined]  # set just now
            repeating = create_pool({**self.host, "retry": Retry(NoBackoff(), 1)})
            self._pubsub = ConfirmingPubSub(repeating, publishing, self._confirm, self.channel_layer.resubscribed.set)

    def _confirm(self, channel: str) -> None:
        if confirmation := self._confirmations.get(channel):
            confirmation.set()

    async def subscribe(self, channel: str) -> None:
        """Raises TimeoutError when Redis does not confirm, RedisError when it cannot be asked."""
        confirmation = self._confirmations.setdefault(channel, asyncio.Event())
        try:
            await super().subscribe(channel)
            # Outside the lock that the shard's commands share: others need not wait for this answer.
            async with asyncio.timeout(CONFIRMATION_SECONDS):
                await confirmation.wait()
        except (RedisError, TimeoutError):
            if not confirmation.is_set():
                with suppress(RedisError):
                    await self.unsubscribe(channel)
            raise
        if channel not in self._subscribed_to:
            raise RedisConnectionError(f"{channel} was unsubscribed before Redis had confirmed it")

    async def unsubscribe(self, channel: str) -> None:
        if confirmation := self._confirmations.pop(channel, None):
            confirmation.set()  # whoever still waits for it waits in vain
        try:
            await super().unsubscribe(channel)
        finally:
            # Stock would think it subscribed still when this fails, and never ask Redis for it again.
            self._subscribed_to.discard(channel)

    async def _do_receiving(self) -> None:
        """Stock ends for good on the TimeoutError of an attempt to connect, and nobody looks; writes a lost
        connection's traceback into the log, and does nothing for a second; and connects while somebody else
        does on the same connection, by which both fail."""
        whole: Any = None  # the reader of a connection on which nobody is still connecting
        interrupted = False
        while True:
            try:
                pubsub = self._pubsub
                if pubsub is None or not pubsub.subscribed:
                    await asyncio.sleep(WAITING_SECONDS)
                    continue
                if whole is None or pubsub.reader is not whole:
                    async with self._lock:
                        await pubsub.connect_within(CONNECTING_SECONDS)
                        whole = pubsub.reader
                await self._receive_some(pubsub)
                interrupted = False
            except (RedisError, OSError, TimeoutError) as fault:
                if not interrupted:
                    logger.warning("the subscription is lost, and made anew as soon as Redis answers: %s", fault)
                interrupted = True
                async with self._lock:
                    if pubsub and pubsub.connection and pubsub.reader is whole:
                        await pubsub.connection.disconnect(nowait=True)
                whole = None
                await asyncio.sleep(RETRY_SECONDS)
            except Exception:
                logger.exception("could not receive")
                await asyncio.sleep(FAULT_SECONDS)

    async def _receive_some(self, pubsub: Any) -> None:
        """All that has arrived: redis-py's get_message() takes longer for one than the layer for ten."""
        for response in await pubsub.connection.arrived():
            if isinstance(response, RedisError):  # made anew, so that what lies behind it is caught up with
                raise RedisConnectionError(str(response)) from response
            if response[0] == b"message":
                self._receive_message({"channel": response[1], "data": response[2]})
            else:
                await pubsub.handle_message(response)

    async def resubscribe(self) -> None:
        """Gives up the connection; the receiving task, whose reading fails, connects and subscribes anew."""
        if self._pubsub and self._pubsub.connection:
            await self._pubsub.connection.disconnect()

    async def flush(self) -> None:
        pubsub = self._pubsub
        await super().flush()
        if pubsub is not None:
            await pubsub.connection_pool.disconnect()
        for confirmation in self._confirmations.values():
            confirmation.set()
        self._confirmations.clear()


class Waiting(asyncio.Queue[bytes]):
    """What has come for a channel and was not received yet. Stock's has no bound: a consumer that takes longer for
    each event than the next one needs to come, which may be because of what others send, would fill the memory."""

    def _init(self, maxsize: int) -> None:
        super()._init(maxsize)  # asyncio's source has these three for subclasses to override
        self.waiting_bytes = 0

    def _put(self, item: bytes) -> None:
        super()._put(item)
        self.waiting_bytes += len(item)
        self._count()

    def _get(self) -> bytes:
        item = super()._get()
        self.waiting_bytes -= len(item)
        self._count()
        return item

    def _count(self) -> None:
        if self.waiting_bytes > SMALL_BYTES:
            EVENTS.hold(self, self.waiting_bytes, self.drop)
        else:
            EVENTS.release(self)

    def drop(self) -> None:
        """All of it: what is left would be no less out of date."""
        dropped = 0
        while not self.empty():
            self.get_nowait()
            dropped += 1
        DROPPED.inc(dropped)
        logger.warning("too much waits for consumers: dropped %d events of the one with most", dropped)


class Delivery:
    """In the place of a channel's queue: what arrives is handled where it arrives."""

    def __init__(
        self, handle: Callable[[dict[str, Any]], None], deserialize: Callable[[bytes], dict[str, Any]]
    ) -> None:
        self.handle = handle
        self.deserialize = deserialize

    def put_nowait(self, data: bytes) -> None:
        """Raises nothing: what was read with it is for others."""
        try:
            self.handle(self.deserialize(data))
        except Exception:
            logger.exception("an event could not be read: %.200r", data)


class LoopLayer(RedisPubSubLoopLayer):
    def __init__(self, hosts: list[Any], **options: Any) -> None:
        super().__init__(hosts, **options)
        self._names = StrictNames()
        self.resubscribed = asyncio.Event()
        self._shards = [Shard(host, self) for host in decode_hosts(hosts)]
        self._forgetting: set[asyncio.Task[None]] = set()  # the loop holds its tasks weakly

    async def _subscribe_to_channel(self, channel: str) -> None:
        self.channels[channel] = Waiting()
        try:
            await self._get_shard(channel).subscribe(channel)
        except BaseException:
            self._forget(channel)
            raise

    async def send(self, channel: str, message: dict[str, Any]) -> None:
        self._names.require_valid_channel_name(channel)
        await super().send(channel, message)

    async def receive(self, channel: str) -> dict[str, Any]:
        self._names.require_valid_channel_name(channel)
        if channel not in self.channels:
            await self._subscribe_to_channel(channel)
        waiting = self.channels[channel]
        try:
            message: dict[str, Any] = await super().receive(channel)
        finally:
            if channel not in self.channels:  # stock forgets a channel when this is cancelled
                EVENTS.release(waiting)
        return message

    async def group_add(self, group: str, channel: str) -> None:
        self._names.require_valid_group_name(group)
        self._names.require_valid_channel_name(channel)
        await super().group_add(group, channel)

    async def group_discard(self, group: str, channel: str) -> None:
        self._names.require_valid_group_name(group)
        self._names.require_valid_channel_name(channel)
        await super().group_discard(group, channel)

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        self._names.require_valid_group_name(group)
        await super().group_send(group, {**message, GROUP_KEY: group})

    async def resubscribe(self) -> None:
        for shard in self._shards:
            await shard.resubscribe()

    async def new_channel(self, prefix: str = "specific.") -> str:
        """A channel that is forgotten when the current task ends."""
        channel: str = await super().new_channel(prefix)
        if task := asyncio.current_task():
            task.add_done_callback(lambda _: self._forget(channel))
        return channel

    def deliver(self, channel: str, handle: Callable[[dict[str, Any]], None]) -> None:
        waiting: asyncio.Queue[bytes] = self.channels[channel]
        self.channels[channel] = delivery = Delivery(handle, self.channel_layer.deserialize)
        while not waiting.empty():
            delivery.put_nowait(waiting.get_nowait())

    def _forget(self, channel: str) -> None:
        if (waiting := self.channels.pop(channel, None)) is not None:
            EVENTS.release(waiting)
            task = asyncio.get_running_loop().create_task(self._unsubscribe(channel))
            self._forgetting.add(task)
            task.add_done_callback(self._forgetting.discard)

    async def _unsubscribe(self, channel: str) -> None:
        try:
            await self._get_shard(channel).unsubscribe(channel)
        except RedisError as error:
            logger.info("could not unsubscribe from %s: %s", channel, error)  # a lost connection has no subscriptions


class ConfirmedPubSubChannelLayer(RedisPubSubChannelLayer):
    names_groups = True

    def _get_layer(self) -> LoopLayer:
        loop = asyncio.get_running_loop()
        if loop not in self._layers:
            self._layers[loop] = LoopLayer(*self._args, **self._kwargs, channel_layer=self)
            _wrap_close(self, loop)
        layer: LoopLayer = self._layers[loop]
        return layer

    def deliver(self, channel: str, handle: Callable[[dict[str, Any]], None]) -> None:
        """Hands each message of the channel to `handle` in the place of `receive`: for one
        who handles them at once, a queue and a task to wake would be the larger part of the work."""
        self._get_layer().deliver(channel, handle)

    def published(self, group: str, message: dict[str, Any]) -> tuple[str, bytes]:
        """The channel of Redis by which the group hears, and what `group_send` would publish there."""
        channel: str = self._get_layer()._get_group_channel_name(group)
        return channel, self.serialize({**message, GROUP_KEY: group})


class NamingMemoryChannelLayer(StrictNames, InMemoryChannelLayer):
    names_groups = True

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        await super().group_send(group, {**message, GROUP_KEY: group})
