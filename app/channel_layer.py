"""channels_redis' pub/sub layer, thinly subclassed to fix what loses messages, sockets or memory.

Stock `group_add` returns when SUBSCRIBE has been sent. A later PUBLISH uses another connection and can overtake it:
of 1,000 members that each joined a room, about 100 did not receive their own join event. Here `group_add` waits until
Redis has confirmed the subscription.

After a restart of Redis the connections in the pools are closed, and the first use of each fails. Here SUBSCRIBE,
which may be repeated, is sent once more. PUBLISH, which may not, gets a new connection if the pool's one is found
closed, or as soon as the subscription has a new one.

Stock does not report when subscriptions were lost with their connection and restored. Here `resubscribed` is set then,
and `resubscribe()` forces new subscriptions.

Stock removes a channel only when `receive` is cancelled. If a message arrived just before, `receive` returns instead,
and the channel and its subscription leak: in a busy room, for one leaving member in four. Here a channel that was
received on lives as long as the task that made it, which is the consumer's own task. A channel that was never received
on by its maker, like one from `async_to_sync(layer.new_channel)()`, is kept for a minute, and for another minute after
each receive.

When Redis refuses a SUBSCRIBE, stock logs this once a second, and the caller waits forever. Here the caller gets the
error, and the connection's other subscriptions continue.

Stock queues everything for a consumer that does not keep up. Here all consumers' queues share a limit.

Stock accepts any name of a group or a channel. Here names that the other layers refuse are refused too (names.py).

Every layer here adds the group's name to its events, because a channel in several groups, like a hub's, could not tell
them apart. `receive` removes it, so that a consumer gets what was sent, as with stock. A hub gets events with their
group from `deliver` or `receive_with_group`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
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

from app.behind import close_if_behind
from app.names import StrictNames
from MyChannels.connection import GuardedConnection
from MyChannels.limits import SHARE, memory_limit

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

# Less than Daphne's 5 s for a handshake: the application fails first and logs the reason.
CONFIRMATION_SECONDS = 3
WAITING_SECONDS = 0.1  # between two checks whether this worker has a subscription
RETRY_SECONDS = 0.1  # between two attempts to reach Redis
CONNECTING_SECONDS = 1.0  # for one attempt, which holds the lock
FAULT_SECONDS = 1.0  # after an unexpected exception
DROPPED = Counter("channel_layer_dropped_events", "Events that were dropped because their consumer did not keep up")
UNUSED_SECONDS = 60.0  # for a channel that its maker has not received on; the same as the core layer's `expiry`
# Limits of the queue of a consumer whose own send waits for its client. The number is the core layer's capacity.
MOST_EVENTS = 10_000
MOST_BYTES = 16 * 2**20
# Named like the core layer's own `__asgi_channel__`.
GROUP_KEY = "__asgi_group__"


def as_sent(event: dict[str, Any]) -> dict[str, Any]:
    """A copy of the event without its group's name. The core layer shares one event among several channels."""
    if not isinstance(event, dict):  # pub/sub can carry anything that can be serialized
        return event
    return {key: value for key, value in event.items() if key != GROUP_KEY}


@dataclass
class Asked:
    """A command that Redis answers once per channel, or with a single error for all of them."""

    command: str
    channels: list[str]
    answers: int = 0

    @property
    def answered(self) -> bool:
        return self.answers == len(self.channels)


class PooledConnection(GuardedConnection):
    """Reconnects before use if the connection was lost while in the pool.

    redis-py does that only if maintenance notifications are off, and they are on by default.
    """

    async def connect(self) -> None:
        if self._writer and self._reader and (self._writer.transport.is_closing() or self._reader.at_eof()):
            await self.disconnect(nowait=True)
        await super().connect()  # type: ignore[no-untyped-call]


class ConfirmingPubSub(PubSub):
    """Reports which SUBSCRIBE Redis has confirmed and which it has refused. redis-py drops those answers."""

    def __init__(
        self,
        pool: ConnectionPool,
        publishers: ConnectionPool,
        confirmed: Callable[[str], None],
        refused: Callable[[str, RedisError], None],
        resubscribed: Callable[[], None],
    ) -> None:
        super().__init__(pool)
        self.publishers = publishers
        self.confirmed = confirmed
        self.refused = refused
        self.resubscribed = resubscribed
        self.asked: deque[Asked] = deque()  # unanswered commands in order, because an error does not name its command

    async def on_connect(self, connection: Any) -> None:
        self.asked.clear()
        await self.publishers.disconnect(inuse_connections=False)
        for channel in self.pending_unsubscribe_channels:  # do not subscribe to these again
            self.channels.pop(channel, None)
        self.pending_unsubscribe_channels.clear()
        again = self.subscribed
        await super().on_connect(connection)
        if again:
            self.resubscribed()

    @property
    def reader(self) -> Any:
        """The reader of the connection. It is a new object after each reconnect."""
        return self.connection and self.connection._reader

    async def connect_within(self, seconds: float) -> None:
        """Connects, or returns at once if connected."""
        try:
            async with asyncio.timeout(seconds):
                await self.connect()  # type: ignore[no-untyped-call]
        except BaseException:
            if self.connection:
                await self.connection.disconnect(nowait=True)
            raise

    async def _execute(self, conn: Any, command: Any, *args: Any, **options: Any) -> Any:
        """Retries commands, but not reads (which have no arguments): a retried read could reconnect at the same time
        as another task."""
        if not args:
            return await command(**options)

        async def ask(verb: str, *channels: str | bytes, **options: Any) -> None:
            if not conn.is_connected:
                await conn.connect()
            names = [name.decode() if isinstance(name, bytes) else name for name in channels]
            self.asked.append(Asked(verb, names))
            await command(verb, *channels, **options)

        return await super()._execute(conn, ask, *args, **options)  # type: ignore[no-untyped-call]

    async def handle_message(self, response: Any, ignore_subscribe_messages: bool = False) -> Any:
        kind = response[0] if isinstance(response, list) else None
        if self.asked and kind in (b"subscribe", b"unsubscribe"):
            self.asked[0].answers += 1
            if self.asked[0].answered:
                self.asked.popleft()
        if kind == b"subscribe":
            self.confirmed(response[1].decode())
        return await super().handle_message(response, ignore_subscribe_messages)  # type: ignore[no-untyped-call]

    def handle_error(self, error: RedisError) -> list[str]:
        """Returns the channels to subscribe to one at a time, because Redis refused them together.

        Raises ConnectionError if the error is about the connection.
        """
        if isinstance(error, RedisConnectionError) or not self.asked:
            raise RedisConnectionError(str(error)) from error
        asked = self.asked.popleft()
        if asked.command != "SUBSCRIBE":
            logger.error("Redis refused %s %s: %s", asked.command, " ".join(asked.channels), error)
        elif len(asked.channels) > 1:
            return asked.channels
        else:
            self.refused(asked.channels[0], error)
        return []

    def forget(self, channel: str) -> None:
        """Redis has refused the channel: do not subscribe to it again after a reconnect."""
        self.channels.pop(self.encoder.encode(channel), None)


class Confirmation(asyncio.Event):
    """Set when Redis answers a SUBSCRIBE."""

    refusal: RedisError | None = None


class Shard(RedisSingleShardConnection):
    _pubsub: ConfirmingPubSub | None

    def __init__(self, host: dict[str, Any], channel_layer: RedisPubSubLoopLayer) -> None:
        if not str(host.get("address", "")).startswith("redis://"):
            raise ImproperlyConfigured(f"CHANNEL_LAYERS: expected hosts with an address redis://…, received {[*host]}")
        super().__init__({**host, "connection_class": PooledConnection}, channel_layer)
        self._confirmations: dict[str, Confirmation] = {}

    def _ensure_redis(self) -> None:
        if self._redis is None:
            super()._ensure_redis()
            publishing: ConnectionPool = self._redis.connection_pool  # type: ignore[attr-defined]  # set just now
            repeating = create_pool(
                {**self.host, "connection_class": GuardedConnection, "retry": Retry(NoBackoff(), 1)}
            )
            self._pubsub = ConfirmingPubSub(
                repeating, publishing, self._confirm, self._refuse, self.channel_layer.resubscribed.set
            )

    def _confirm(self, channel: str) -> None:
        if confirmation := self._confirmations.get(channel):
            confirmation.set()

    def _refuse(self, channel: str, error: RedisError) -> None:
        confirmation = self._confirmations.get(channel)
        if confirmation is None or confirmation.is_set():
            # Its receivers keep waiting. The next reconnect subscribes again.
            logger.error("nothing arrives from %s any more, Redis refused SUBSCRIBE: %s", channel, error)
            return
        confirmation.refusal = error
        confirmation.set()

    def is_confirmed(self, channel: str) -> bool:
        confirmation = self._confirmations.get(channel)
        return confirmation is not None and confirmation.is_set()

    async def subscribe(self, channel: str) -> None:
        """Raises TimeoutError if Redis does not confirm, and RedisError if it refuses or cannot be reached."""
        confirmation = self._confirmations.setdefault(channel, Confirmation())
        try:
            await super().subscribe(channel)
            # Outside the lock that the shard's commands share, so that other commands do not wait for this answer.
            async with asyncio.timeout(CONFIRMATION_SECONDS):
                await confirmation.wait()
        except (RedisError, TimeoutError):
            if not confirmation.is_set():
                with suppress(RedisError):
                    await self.unsubscribe(channel)
            raise
        if confirmation.refusal:
            self._forget_refused(channel, confirmation)
            raise type(confirmation.refusal)(f"SUBSCRIBE {channel}: {confirmation.refusal}")
        if channel not in self._subscribed_to:
            raise RedisConnectionError(f"{channel} was unsubscribed before Redis had confirmed it")

    def _forget_refused(self, channel: str, confirmation: Confirmation) -> None:
        if self._confirmations.get(channel) is confirmation:  # otherwise it was requested again meanwhile
            del self._confirmations[channel]
            self._subscribed_to.discard(channel)
            if self._pubsub:
                self._pubsub.forget(channel)

    async def unsubscribe(self, channel: str) -> None:
        if confirmation := self._confirmations.pop(channel, None):
            confirmation.set()  # wake pending subscribe() calls, which then raise
        try:
            await super().unsubscribe(channel)
        finally:
            # If this fails, stock would still consider the channel subscribed and never subscribe again.
            self._subscribed_to.discard(channel)

    async def _do_receiving(self) -> None:
        """Stock's task ends silently on the TimeoutError of a connection attempt. For a lost connection it logs a
        traceback and does nothing for a second. It also connects while another task connects on the same connection,
        and then both fail."""
        whole: Any = None  # the reader of a fully established connection
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
                    logger.warning("the subscription is lost and will be restored as soon as Redis answers: %s", fault)
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
        """Handles everything that has arrived. redis-py's get_message() takes longer for one message than the layer
        takes for ten."""
        one_at_a_time: list[str] = []
        for response in await pubsub.connection.arrived():
            if isinstance(response, RedisError):
                one_at_a_time += pubsub.handle_error(response)
            elif response[0] == b"message":
                self._receive_message({"channel": response[1], "data": response[2]})
            else:
                await pubsub.handle_message(response)
        if one_at_a_time:
            async with self._lock:
                for channel in one_at_a_time:
                    if channel in self._subscribed_to:
                        await pubsub.subscribe(channel)
            self.channel_layer.resubscribed.set()

    async def resubscribe(self) -> None:
        """Closes the connection. The receiving task's read fails, and the task connects and subscribes again."""
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


class Delivery:
    """Replaces a channel's queue and handles each event when it arrives."""

    def __init__(
        self, handle: Callable[[dict[str, Any]], None], deserialize: Callable[[bytes], dict[str, Any]]
    ) -> None:
        self.handle = handle
        self.deserialize = deserialize

    def clear(self) -> None:
        """Does nothing: nothing is queued here."""

    def put_nowait(self, data: bytes) -> None:
        """Never raises, because the events read together with this one are for other channels."""
        try:
            self.handle(self.deserialize(data))
        except Exception:
            logger.exception("an event could not be read: %.200r", data)


class Events:
    """Counts the events queued for all consumers of this process. When they are too many, the longest queue is dropped.

    All members of a group share one event, so its memory counts once, however many queues hold it.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.held = 0
        self._references: dict[int, int] = {}  # the number of queues that hold an event, by its id()
        self._queues: set[ConsumerQueue] = set()  # the non-empty queues

    def add(self, queue: ConsumerQueue, event: bytes) -> None:
        holders = self._references.get(id(event), 0)
        self._references[id(event)] = holders + 1
        self._queues.add(queue)
        if not holders:
            self.held += len(event)
            while self.held > self.size and self._queues:
                max(self._queues, key=lambda one: one.waiting_bytes).drop()

    def remove(self, queue: ConsumerQueue, event: bytes) -> None:
        holders = self._references.pop(id(event)) - 1
        if holders:
            self._references[id(event)] = holders
        else:
            self.held -= len(event)
        if queue.empty():
            self._queues.discard(queue)


EVENTS = Events(memory_limit() // SHARE)


class ConsumerQueue(asyncio.Queue[bytes]):
    """Events for a channel that were not received yet. Stock's queue has no limit.

    A consumer whose send waits for a slow client takes no events: when too many are queued, that client is closed.
    Other clients may also send events faster than the consumer can handle them. For this, all queues share a limit, and
    above it the longest queue is dropped.
    """

    def __init__(self, maker: asyncio.Task[Any] | None = None) -> None:
        super().__init__()
        self.maker = maker
        self.waiting_bytes = 0

    def put_nowait(self, item: bytes) -> None:
        full = self.qsize() >= MOST_EVENTS or self.waiting_bytes + len(item) > MOST_BYTES
        if full and close_if_behind(self.maker):
            self.clear()
        else:
            super().put_nowait(item)

    # asyncio.Queue provides these two for subclasses to override.

    def _put(self, item: bytes) -> None:
        super()._put(item)
        self.waiting_bytes += len(item)
        EVENTS.add(self, item)

    def _get(self) -> bytes:
        item = super()._get()
        self.waiting_bytes -= len(item)
        EVENTS.remove(self, item)
        return item

    def clear(self) -> None:
        while not self.empty():
            self.get_nowait()

    def drop(self) -> None:
        """Drops all events: any that were kept would be just as outdated."""
        dropped = self.qsize()
        self.clear()
        DROPPED.inc(dropped)
        logger.warning("too many events are queued for consumers: dropped %d events, the longest queue", dropped)


class LoopLayer(RedisPubSubLoopLayer):
    def __init__(self, hosts: list[Any], **options: Any) -> None:
        super().__init__(hosts, **options)
        self._names = StrictNames()
        self.resubscribed = asyncio.Event()
        self._shards = [Shard(host, self) for host in decode_hosts(hosts)]
        self._received_on: dict[str, bool] = {}  # channels whose makers still run
        self._unused: dict[str, asyncio.TimerHandle] = {}
        self._forgetting: set[asyncio.Task[None]] = set()  # strong references, because the loop's are weak

    async def _subscribe_to_channel(self, channel: str) -> None:
        self.channels[channel] = ConsumerQueue()
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
        shard = self._get_shard(channel)
        if channel in self.channels and not shard.is_confirmed(channel):  # another call is subscribing to it
            await shard.subscribe(channel)
        if channel in self._received_on:
            self._received_on[channel] = True
            return await self._receive(channel)
        unused = self._unused.pop(channel, None)
        if unused:
            unused.cancel()
        try:
            return await self._receive(channel)
        finally:
            if unused and channel in self.channels:
                self._forget_later(channel)

    async def _receive(self, channel: str) -> dict[str, Any]:
        if channel not in self.channels:
            await self._subscribe_to_channel(channel)
        waiting = self.channels[channel]
        try:
            return as_sent(await super().receive(channel))
        finally:
            if channel not in self.channels:  # stock removes a channel when this is cancelled
                waiting.clear()

    async def group_add(self, group: str, channel: str) -> None:
        self._names.require_valid_group_name(group)
        self._names.require_valid_channel_name(channel)
        name = self._get_group_channel_name(group)
        was_member = channel in self.groups.get(name, ())
        try:
            await super().group_add(group, channel)
        except (RedisError, TimeoutError):
            if not was_member:  # stock keeps a member that could not be added
                self._remove_member(name, channel)
            raise

    async def group_discard(self, group: str, channel: str) -> None:
        self._names.require_valid_group_name(group)
        self._names.require_valid_channel_name(channel)
        await super().group_discard(group, channel)

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        self._names.require_valid_group_name(group)
        await super().group_send(group, {**message, GROUP_KEY: group})

    def _remove_member(self, group_channel: str, channel: str) -> None:
        members = self.groups.get(group_channel, set())
        members.discard(channel)
        if not members:
            self.groups.pop(group_channel, None)

    async def resubscribe(self) -> None:
        for shard in self._shards:
            await shard.resubscribe()

    async def new_channel(self, prefix: str = "specific.") -> str:
        """Makes a channel that lives until the current task ends, or a minute longer if it was not received on."""
        channel: str = await super().new_channel(prefix)
        if task := asyncio.current_task():
            self.channels[channel] = ConsumerQueue(task)
            self._received_on[channel] = False
            task.add_done_callback(lambda _: self._maker_ended(channel))
        return channel

    def _maker_ended(self, channel: str) -> None:
        if self._received_on.pop(channel):
            self._forget(channel)
        elif channel in self.channels:
            self._forget_later(channel)

    def _forget_later(self, channel: str) -> None:
        loop = asyncio.get_running_loop()
        self._unused[channel] = loop.call_later(UNUSED_SECONDS, self._forget_unused, channel)

    def _forget_unused(self, channel: str) -> None:
        del self._unused[channel]
        self._forget(channel)

    async def flush(self) -> None:
        for unused in self._unused.values():
            unused.cancel()
        self._unused.clear()
        for waiting in self.channels.values():
            waiting.clear()
        await super().flush()

    def deliver(self, channel: str, handle: Callable[[dict[str, Any]], None]) -> None:
        self._received_on[channel] = True
        waiting: asyncio.Queue[bytes] = self.channels[channel]
        self.channels[channel] = delivery = Delivery(handle, self.channel_layer.deserialize)
        while not waiting.empty():
            delivery.put_nowait(waiting.get_nowait())

    def _forget(self, channel: str) -> None:
        if (waiting := self.channels.pop(channel, None)) is not None:
            waiting.clear()
            task = asyncio.get_running_loop().create_task(self._unsubscribe(channel))
            self._forgetting.add(task)
            task.add_done_callback(self._forgetting.discard)

    async def _unsubscribe(self, channel: str) -> None:
        try:
            await self._get_shard(channel).unsubscribe(channel)
        except RedisError as error:
            logger.info("could not unsubscribe from %s: %s", channel, error)  # a lost connection has no subscription


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
        """Passes each message of the channel to `handle`, instead of `receive`. For a caller that handles messages at
        once, a queue and waking a task would be most of the work."""
        self._get_layer().deliver(channel, handle)

    def published(self, group: str, message: dict[str, Any]) -> tuple[str, bytes]:
        """The group's Redis channel, and the data that `group_send` would publish there."""
        channel: str = self._get_layer()._get_group_channel_name(group)
        return channel, self.serialize({**message, GROUP_KEY: group})


class NamingMemoryChannelLayer(StrictNames, InMemoryChannelLayer):
    names_groups = True

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        await super().group_send(group, {**message, GROUP_KEY: group})

    async def receive(self, channel: str) -> dict[str, Any]:
        return as_sent(await self.receive_with_group(channel))

    async def receive_with_group(self, channel: str) -> dict[str, Any]:
        event: dict[str, Any] = await super().receive(channel)
        return event
