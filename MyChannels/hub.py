"""One hub per process: one layer channel for all rooms, one group membership per room.

The documented consumers have one group membership per socket, so every message is decoded, queued,
dispatched and encoded once per member. Here that happens once per process.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import socket
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar
from weakref import WeakKeyDictionary

from channels.consumer import get_handler_name
from channels.layers import get_channel_layer
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from redis.exceptions import RedisError

from MyChannels import messages, metrics
from MyChannels.groups import HUBS, room_group
from MyChannels.log import NOTHING_SEEN, Announcement, Draft, Log, Unavailable
from MyChannels.log.configured import connect, log_on
from MyChannels.log.stream import StreamLog
from MyChannels.messages import Message
from MyChannels.presence import HEARTBEAT_SECONDS, Names, Presence, Roster, said_of
from MyChannels.room import Room

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from MyChannels.log import Appended
    from MyChannels.room import Member

logger = logging.getLogger(__name__)

# The layer puts each event's group under this key: app/channel_layer.py, app/core_layer.py.
GROUP_KEY = "__asgi_group__"

CHECK_SECONDS = 5.0  # between two checks of a quiet room's log position
PROBE_SECONDS = 10.0  # between two probes of the subscription
PROBE_ANSWER_SECONDS = 5.0
RELIEVE_SECONDS = 10.0
# The core layer forgets a group's members after a day.
RENEW_SECONDS = 3600.0
# A room stays open this long after its last member left, so that a reconnecting member finds it open.
LINGER_SECONDS = 5.0
# By these pings an otherwise idle process notices that Redis was restarted.
PING_SECONDS = 0.25
# How long after a restart every process has noticed it and reported the positions it has seen.
SETTLE_SECONDS = 1.0
RETRY_SECONDS = 0.25
MOST_UNSENT = 10_000  # events; further ones are dropped, their messages are in the log
CANCEL_SECONDS = 0.5
CLOSE_SECONDS = 2.0  # to send the remaining events when the hub closes

# What a channel layer raises when Redis is unreachable.
LAYER_FAULTS = (RedisError, OSError, TimeoutError)


class Hub:
    """The state that all rooms of one event loop share. `Hub.current()` is the running loop's."""

    _hubs: ClassVar[WeakKeyDictionary[asyncio.AbstractEventLoop, Hub]] = WeakKeyDictionary()

    @classmethod
    def current(cls) -> Hub:
        """The running loop's hub, created by the first call."""
        loop = asyncio.get_running_loop()
        if loop not in cls._hubs:
            cls._hubs[loop] = cls(get_channel_layer())
        return cls._hubs[loop]

    @classmethod
    def running(cls) -> Hub | None:
        """The running loop's hub, if it has one."""
        return cls._hubs.get(asyncio.get_running_loop())

    def __init__(self, layer: Any) -> None:
        if not getattr(layer, "names_groups", False):
            raise ImproperlyConfigured(
                f"CHANNEL_LAYERS: expected a layer that names the group of each event, as those of "
                f"app/channel_layer.py do; received {type(layer).__name__}"
            )
        self.process = f"{socket.gethostname()}-{secrets.token_hex(4)}"
        self.worker = socket.gethostname()
        self.layer = layer
        self.rooms: dict[str, Room] = {}
        connection = connect(self._redis_restarted)
        self._log: Log = log_on(connection)
        self._publishes = hasattr(layer, "published")  # the core and in-memory layers have no such method
        roster = Roster(connection) if connection else None
        self.presence = Presence(
            self.process, roster, announce=self._announce, tell=self._tell_hubs, limit=settings.PRESENCE_LIMIT
        )
        self._opening: dict[str, asyncio.Task[None]] = {}
        self._closing: dict[str, asyncio.Task[None]] = {}
        self._unsent: deque[tuple[str, dict[str, Any]]] = deque()
        self._something_unsent = asyncio.Event()
        self._all_sent = asyncio.Event()
        self._all_sent.set()
        self._channel: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._probe = 0
        self._probe_came = asyncio.Event()
        self._restarts = 0
        # Keyed by handler name, as Channels derives it: `chat.message` and `chat_message` are the same event.
        self._handlers: dict[str, Callable[[dict[str, Any]], None]] = {
            "chat_message": self._hear,
            "hub_presence": self.presence.heard,
            "hub_typing": self._hear_typing,
            "hub_probe": self._hear_probe,
        }
        self._tasks = [
            asyncio.get_running_loop().create_task(work)
            for work in (
                self._listen(),
                self._send(),
                self._often(0, self.presence.gather),
                self._often(HEARTBEAT_SECONDS, self.presence.beat),
                self._often(PING_SECONDS, self._log.ping),
                self._often(1, self._close_idle),
                self._often(CHECK_SECONDS, self._check_quiet),
                self._often(PROBE_SECONDS, self._check_subscription),
                self._often(RENEW_SECONDS, self._renew),
                self._often(RELIEVE_SECONDS, self._relieve),
                self._watch_subscription(),
            )
        ]

    async def close(self) -> None:
        """Leaves all rooms and groups and tells the other processes. Called when this process, or a test, ends."""
        self._hubs.pop(asyncio.get_running_loop(), None)
        for room in self.rooms.values():
            room.close()
        with contextlib.suppress(Unavailable, TimeoutError):
            await self.presence.end()
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._all_sent.wait()
                await self._leave_groups()
        running = {*self._tasks, *self._opening.values(), *self._closing.values()}
        while running:  # Python 3.11's wait_for can swallow a cancellation that arrives just as it finishes
            for task in running:
                task.cancel()
            _, running = await asyncio.wait(running, timeout=CANCEL_SECONDS)
        await self._log.close()

    async def _leave_groups(self) -> None:
        """Otherwise the core layer would keep this channel in its groups for a day."""
        if self._channel.done():
            groups = [HUBS, *(room.group for room in self.rooms.values() if room.epoch)]
            leaving = (self.layer.group_discard(group, self._channel.result()) for group in groups)
            await asyncio.gather(*leaving, return_exceptions=True)

    # ── Called by consumers ────────────────────────────────────────────────────────────────────

    async def enter(self, name: str) -> Room:
        """Returns the open room. Each `enter` needs a matching `leave`. Raises Unavailable."""
        room = self.rooms.get(name)
        if room is None:
            room = self.rooms[name] = Room(name, self._log)
        room.users += 1
        try:
            if not room.epoch:
                if name not in self._opening:
                    self._opening[name] = asyncio.get_running_loop().create_task(self._open(room))
                    self._opening[name].add_done_callback(lambda task: task.cancelled() or task.exception())
                await asyncio.shield(self._opening[name])
        except BaseException:
            self.leave(room)
            raise
        return room

    def leave(self, room: Room) -> None:
        """The room closes LINGER_SECONDS after its last user has left."""
        room.users -= 1
        if room.users == 0:
            room.idle_since = asyncio.get_running_loop().time()

    def say(self, room: Room, draft: Draft) -> asyncio.Future[Appended]:
        """Appends a message to the log; the room's members on every process receive it.

        Returns a future, so that no task is needed. When it is done, the local room has received the
        message and writes it next. Raises Unavailable, RefReused.
        """
        announcement = self._announcement(room.group, draft)
        said = asyncio.ensure_future(self._log.append(room.name, draft, room.position, announcement))
        said.add_done_callback(partial(self._said, room, draft, announcement))
        return said

    def _said(
        self, room: Room, draft: Draft, announcement: Announcement | None, said: asyncio.Future[Appended]
    ) -> None:
        if said.cancelled() or said.exception():
            return
        appended = said.result()
        if appended.new:
            metrics.APPENDED.inc()
            message = appended.message(draft)
            room.hear(appended.epoch, message)  # local members need not wait for the echo
            if announcement is None:
                self._publish(room.group, message.event(appended.epoch))
        elif appended.offset > room.offset:
            room.repair()  # another process appended it, and may have failed before it published it

    async def say_in(self, name: str, draft: Draft) -> Appended:
        """Like `say`, for callers that have not entered the room."""
        if (room := self.rooms.get(name)) and room.epoch:
            return await self.say(room, draft)
        announcement = self._announcement(room_group(name), draft)
        appended = await self._log.append(name, draft, NOTHING_SEEN, announcement)
        if appended.new and announcement is None:
            self._publish(room_group(name), appended.message(draft).event(appended.epoch))
        return appended

    def _announcement(self, group: str, draft: Draft) -> Announcement | None:
        """If the layer's groups are Redis pub/sub channels, the script that appends also publishes."""
        if not (self._log.announces and self._publishes):
            return None
        event = messages.announcement(draft.sender, draft.text, user=draft.user)
        return Announcement(*self.layer.published(group, event))

    async def history(self, room: Room, before: int | None, limit: int) -> list[Message]:
        """Up to `limit` messages older than `before`, ascending. Raises Unavailable."""
        return await self._log.before(room.name, before, limit)

    def announce_sentence(self, room: Room, event: dict[str, Any]) -> None:
        """Sends a sentence of the documented format to the room's group, without the log."""
        self._publish(room.group, event)

    def type_in(self, room: Room, member: Member, name: str) -> None:
        """Tells the others that `name` is typing."""
        if self.presence.count(room.name) <= settings.PRESENCE_LIMIT:
            room.tell({"type": "typing", "name": name}, but=[member])
            self._tell_hubs({"type": "hub.typing", "process": self.process, "room": room.name, "name": name})

    # ── Sending ────────────────────────────────────────────────────────────────────────────────

    def _tell_hubs(self, event: dict[str, Any]) -> None:
        self._publish(HUBS, event)

    def _publish(self, group: str, event: dict[str, Any]) -> None:
        if len(self._unsent) < MOST_UNSENT:
            self._unsent.append((group, event))
            self._all_sent.clear()
            self._something_unsent.set()

    async def _send(self) -> None:
        """Does not retry a failed publish: it may have been delivered."""
        while True:
            await self._something_unsent.wait()
            self._something_unsent.clear()
            while self._unsent:
                group, event = self._unsent.popleft()
                try:
                    async with asyncio.timeout(PROBE_ANSWER_SECONDS):
                        await self.layer.group_send(group, event)
                except LAYER_FAULTS as fault:
                    logger.warning("an event to %s may not have been delivered: %s", group, fault)
                except Exception:
                    logger.exception("an event to %s could not be sent", group)  # the next one may succeed
            self._all_sent.set()

    # ── Receiving ──────────────────────────────────────────────────────────────────────────────

    async def _listen(self) -> None:
        # The pub/sub layer drops a channel when the task that created it ends, so this task creates it.
        channel = ""
        while not self._channel.done():
            try:
                channel = channel or await self.layer.new_channel()
                await self.layer.group_add(HUBS, channel)
                await self.presence.beat()  # so that even the first member of the first room sees all others
                self._channel.set_result(channel)
            except (Unavailable, *LAYER_FAULTS) as fault:
                logger.warning("no channel yet: %s", fault)
                await asyncio.sleep(RETRY_SECONDS)
        if deliver := getattr(self.layer, "deliver", None):
            deliver(channel, self._handle)
            await asyncio.get_running_loop().create_future()
        while True:
            try:
                event = await self.layer.receive_with_group(channel)
            except LAYER_FAULTS as fault:
                logger.warning("cannot receive: %s", fault)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            self._handle(event)

    def _handle(self, event: dict[str, Any]) -> None:
        try:
            if handler := self._handler(event):
                handler(event)
            else:
                metrics.UNKNOWN_EVENTS.inc()
        except Exception:
            logger.exception("an event could not be handled: %.200r", event)

    def _handler(self, event: dict[str, Any]) -> Callable[[dict[str, Any]], None] | None:
        try:
            return self._handlers.get(get_handler_name(event))
        except (ValueError, AttributeError):  # the type is missing, not text, or begins with an underscore
            return None

    def _hear(self, event: dict[str, Any]) -> None:
        room = self.rooms.get(event[GROUP_KEY].removeprefix(room_group("")))
        if room is None:
            return
        if room.has_heard(event.get("epoch"), event.get("offset")):
            room.heard_at = asyncio.get_running_loop().time()
        elif message := Message.from_event(event):
            room.heard_at = asyncio.get_running_loop().time()
            room.hear(event["epoch"], message)
        elif "message" in event:
            room.notice(str(event["message"]), joined="joined" in event)
        else:
            metrics.UNKNOWN_EVENTS.inc()

    def _hear_typing(self, event: dict[str, Any]) -> None:
        if event["process"] != self.process and (room := self.rooms.get(event["room"])):
            room.tell({"type": "typing", "name": event["name"]})

    def _hear_probe(self, event: dict[str, Any]) -> None:
        if event["number"] == self._probe:
            self._probe_came.set()

    def _announce(self, name: str, came: Names, left: list[str], count: int) -> None:
        """Tells the room's members who came and who left. Presence calls this."""
        room = self.rooms.get(name)
        if room is None:
            return
        crowd = count > settings.PRESENCE_LIMIT
        if left:
            names, more = said_of(left, crowd)
            room.tell({"type": "left", "names": names, "more": more, "members": count})
        if came:
            themselves = {member for member in room.members if member.key in came}
            names, more = said_of(came.values(), crowd)
            room.tell({"type": "joined", "names": names, "more": more, "members": count}, but=themselves)
            for member in themselves:
                if len(came) > 1:
                    others = () if crowd else (name for key, name in came.items() if key != member.key)
                    names, more = ([], len(came) - 1) if crowd else said_of(others, crowd)
                    room.tell_one(member, {"type": "joined", "names": names, "more": more, "members": count})

    # ── Opening and closing rooms ──────────────────────────────────────────────────────────────

    async def _open(self, room: Room) -> None:
        try:
            if closing := self._closing.get(room.name):
                await asyncio.wait([closing])
            channel = await asyncio.shield(self._channel)
            await self.layer.group_add(room.group, channel)
            await self.presence.open(room.name)
            await room.open()
        except LAYER_FAULTS as fault:
            raise Unavailable(f"room {room.name} cannot be opened: {fault}") from fault
        finally:
            del self._opening[room.name]

    async def _close_idle(self) -> None:
        oldest = asyncio.get_running_loop().time() - LINGER_SECONDS
        for room in list(self.rooms.values()):
            if room.users == 0 and room.idle_since < oldest and room.name not in self._opening:
                del self.rooms[room.name]
                room.close()
                self.presence.close(room.name)
                self._closing[room.name] = asyncio.get_running_loop().create_task(self._close(room))
        metrics.ROOMS.set(len(self.rooms))

    async def _close(self, room: Room) -> None:
        try:
            await self.layer.group_discard(room.group, self._channel.result())
        except LAYER_FAULTS as fault:
            logger.info("could not leave %s: %s", room.group, fault)  # a lost connection has no subscriptions
        finally:
            del self._closing[room.name]

    # ── Periodic checks ────────────────────────────────────────────────────────────────────────

    async def _often(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await work()
            except (Unavailable, *LAYER_FAULTS) as fault:
                logger.info("%s: %s", work.__name__, fault)
                await asyncio.sleep(RETRY_SECONDS)
            except Exception:
                logger.exception("%s failed", work.__name__)
                await asyncio.sleep(1)

    async def _check_quiet(self) -> None:
        """Finds a lost publish that no later message revealed."""
        quiet_since = asyncio.get_running_loop().time() - CHECK_SECONDS
        await self._check([room for room in self.rooms.values() if room.epoch and room.heard_at < quiet_since])

    async def _check(self, rooms: list[Room]) -> None:
        pages = await self._log.positions({room.name: room.position for room in rooms})
        for room in rooms:
            room.check(pages[room.name])

    async def _check_subscription(self) -> None:
        """Replaces a half-open subscription: Redis answers commands, but no published event arrives."""
        if not self._channel.done() or await self._probed():
            return
        resubscribe = getattr(self.layer, "resubscribe", None)
        if resubscribe:
            logger.warning("nothing arrives over the subscription: subscribing again")
            await resubscribe()

    async def _probed(self) -> bool:
        self._probe += 1
        self._probe_came.clear()
        await self.layer.send(self._channel.result(), {"type": "hub.probe", "number": self._probe})
        try:
            async with asyncio.timeout(PROBE_ANSWER_SECONDS):
                await self._probe_came.wait()
        except TimeoutError:
            return False
        return True

    async def _watch_subscription(self) -> None:
        """After each resubscription, reads what all rooms missed without a subscription."""
        await asyncio.shield(self._channel)
        event: asyncio.Event | None = getattr(self.layer, "resubscribed", None)
        while event:  # only pub/sub has a subscription
            await event.wait()
            event.clear()
            metrics.RESUBSCRIBED.inc()
            await self._until_done(self._catch_up)

    async def _catch_up(self) -> None:
        # When the probe arrives, Redis has processed the SUBSCRIBE of all groups.
        await self._probed()
        await self._check([room for room in self.rooms.values() if room.epoch])

    async def _renew(self) -> None:
        channel = self._channel.result()
        for group in [HUBS, *(room.group for room in self.rooms.values() if room.epoch)]:
            await self.layer.group_add(group, channel)

    async def _relieve(self) -> None:
        if not isinstance(self._log, StreamLog):
            return
        if dropped := await self._log.relieve():
            metrics.DROPPED_LOGS.inc(len(dropped))
            logger.warning("Redis is nearly full: dropped the logs of %d idle rooms: %s", len(dropped), dropped[:20])
        await self._log.forget()

    def _redis_restarted(self) -> None:
        self._restarts += 1
        self._tasks.append(asyncio.get_running_loop().create_task(self._until_done(self._settle)))

    async def _settle(self) -> None:
        """Holds appends back until every process has reported what it has seen: Redis may have lost data."""
        logger.warning("Redis was restarted")
        restarts = self._restarts
        await self._check([room for room in self.rooms.values() if room.epoch])
        await self._renew()
        await asyncio.sleep(SETTLE_SECONDS)
        if restarts == self._restarts:  # otherwise a later `_settle` releases for both
            self._log.release()

    async def _until_done(self, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
                return
            except (Unavailable, *LAYER_FAULTS) as fault:
                logger.info("%s: %s", work.__name__, fault)
                await asyncio.sleep(RETRY_SECONDS)
            except Exception:
                logger.exception("%s failed", work.__name__)
                await asyncio.sleep(1)
