"""One room as one process serves it: its local members, and the position up to which they are served."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

from MyChannels import metrics
from MyChannels.groups import room_group
from MyChannels.limits import SHARE, Pool, memory_limit
from MyChannels.log import NOTHING_SEEN, Page, Position, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from MyChannels.formats import Format
    from MyChannels.log import Log
    from MyChannels.messages import Message, ServerObject

logger = logging.getLogger(__name__)

# In an idle room no message waits. A room is busy if it has written within BUSY_SECONDS. Messages reach a busy room in
# bursts, from all processes at the same time (tick.py). It writes all that arrive within BURST_SECONDS of the first
# together, since a write of ten messages costs as much as a write of one, and leaves SPACE_SECONDS between writes.
BUSY_SECONDS = 0.05
BURST_SECONDS = 0.002
SPACE_SECONDS = 0.005
COALESCED_CHARACTERS = 64 * 1024  # in one write; a single message may be longer
# Between append and publish, one process may overtake another.
OVERTAKEN_SECONDS = 0.05
READ_AT_ONCE = 500  # messages
# The process keeps the newest messages, so that a thousand reconnecting members cost Redis one read.
KEPT_MESSAGES = 1000
KEPT_CHARACTERS = 256 * 1024
KEPT = Pool(memory_limit() // SHARE)  # shared by all rooms of this process
# Each text is kept twice: as it is, and in the line that members receive. A character takes up to four bytes in each
# copy, and the rest of a message as much as MESSAGE_CHARACTERS. sys.getsizeof would be exact, but takes twice as long
# as everything else that a message goes through here.
CHARACTER_BYTES, MESSAGE_CHARACTERS = 8, 50
UNCOUNTED_CHARACTERS = 2048  # of a room: counting after each message costs a tenth of sending it to a hundred members
# Messages to read beyond the request: members that reconnect together have not all received equally much.
LOOK_BACK = 256


class Member(Protocol):
    """A member of a room, which receives one format."""

    @property
    def format(self) -> Format: ...

    @property
    def key(self) -> str:
        """The same for all sockets of one client."""

    @property
    def write(self) -> Callable[[Any], None]:
        """Accepts payloads made by `format`; never waits."""

    def begin_anew(self) -> None:
        """Messages may be missing between the last one received and the next."""


class Room:
    """`epoch` and `offset` name the newest message that local members have; `sent_at` is its time."""

    def __init__(self, name: str, log: Log) -> None:
        self.name = name
        self.group = room_group(name)
        self.epoch = ""  # until the room is open
        self.offset = 0
        self.sent_at = 0
        self.users = 0  # callers of `enter` that have not left; members are those that are up to date
        self.idle_since = 0.0
        self.heard_at = 0.0
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._members: dict[Format, dict[Member, Callable[[Any], None]]] = {}
        self._kept: deque[Message] = deque()
        self._kept_characters = self._counted_characters = 0
        self._full = False  # of characters
        self._closed = False
        self._unwritten: list[Message] = []
        self._unwritten_characters = 0
        self._replies: dict[Member, Any] = {}  # they go out with the next write
        self._writing: asyncio.TimerHandle | None = None
        self._written_at = 0.0
        self._early: dict[int, tuple[str, Message]] = {}  # by offset: arrived before its turn
        self._overtaken: asyncio.TimerHandle | None = None
        self._repairing: asyncio.Task[None] | None = None
        self._doubted = False
        self._looking_back = asyncio.Lock()

    @property
    def position(self) -> Position:
        return Position(self.epoch, self.offset, self.sent_at)

    # ── Members ────────────────────────────────────────────────────────────────────────────────

    def add(self, member: Member) -> None:
        """From now on the member receives everything after `offset`."""
        self.write()  # the member must not get unwritten messages up to `offset`
        self._members.setdefault(member.format, {})[member] = member.write

    def remove(self, member: Member) -> None:
        if (reply := self._replies.pop(member, None)) is not None:
            member.write(reply)
        if members := self._members.get(member.format):
            members.pop(member, None)
            if not members:
                del self._members[member.format]

    # ── The hot path: one call per message and process, at most one `write` per member ─────────

    def has_heard(self, epoch: object, offset: object) -> bool:
        """True, for example, for the group's echo of a message that this process appended."""
        return epoch == self.epoch and isinstance(offset, int) and offset <= self.offset

    def hear(self, epoch: str, message: Message) -> None:
        """Takes a message of the log from any source, in any order, possibly repeated."""
        if epoch != self.epoch:
            self._hear_of_another_epoch(epoch, message)
            return
        ahead = message.offset - self.offset
        if ahead == 1:
            self._pass_on(message)
            if self._early:
                self._catch_up_with_early()
        elif ahead > 1:
            self._wait_for_overtaken(epoch, message)

    def _pass_on(self, message: Message) -> None:
        self.offset = message.offset
        self.sent_at = message.sent_at
        self._keep(message)
        if self._unwritten_characters + len(message.text) > COALESCED_CHARACTERS:
            self.write()  # an overlong text goes alone
        self._unwritten.append(message)
        self._unwritten_characters += len(message.text)
        if self._writing is None:
            # Never at once, so that acknowledgements and messages that arrive together share one write.
            self._writing = self._loop.call_at(self._when_to_write(), self.write)

    def _when_to_write(self) -> float:
        now = self._loop.time()
        if now > self._written_at + BUSY_SECONDS:
            return now
        return max(now + BURST_SECONDS, self._written_at + SPACE_SECONDS)

    def write(self) -> None:
        """Writes all unwritten messages to the members. Called before any other write to them, to keep the order."""
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None
        if not self._unwritten:
            return
        unwritten, self._unwritten, self._unwritten_characters = self._unwritten, [], 0
        for kind, members in self._members.items():
            payload = kind.messages(unwritten)
            if self._replies:
                self._reply(members, payload)
            else:
                for write in members.values():
                    write(payload)
            metrics.DELIVERED.inc(len(members) * len(unwritten))
        self._written_at = self._loop.time()

    def _reply(self, members: dict[Member, Callable[[Any], None]], payload: Any) -> None:
        for member, write in members.items():
            reply = self._replies.pop(member, None)
            write(payload if reply is None else payload + reply)

    def answer(self, member: Member, payload: Any) -> None:
        """Writes to one member, if possible together with the next write to all. A write that wakes the reading
        process costs as much as eight writes to readers that are awake."""
        if self._writing is None or member not in self._members.get(member.format, ()):
            member.write(payload)
        elif member in self._replies:
            self._replies[member] += payload
        else:
            self._replies[member] = payload

    # ── Everything but messages ────────────────────────────────────────────────────────────────

    def notice(self, sentence: str, *, joined: bool) -> None:
        """Passes on a sentence that other code sent to the group without the log: at most once, in no fixed order."""
        self.write()
        for kind, members in self._members.items():
            if (payload := kind.notice(sentence, joined=joined)) is not None:
                for write in members.values():
                    write(payload)

    def tell(self, content: ServerObject, *, but: Collection[Member] = ()) -> None:
        """Sends an object that is not a message to all members except those in `but`."""
        self.write()
        for kind, members in self._members.items():
            if (payload := kind.other(content)) is not None:
                for member, write in members.items():
                    if member not in but:
                        write(payload)

    def tell_one(self, member: Member, content: ServerObject) -> None:
        if (payload := member.format.other(content)) is not None:
            member.write(payload)

    @property
    def members(self) -> list[Member]:
        return [member for members in self._members.values() for member in members]

    # ── Early and missing messages ─────────────────────────────────────────────────────────────

    def _hear_of_another_epoch(self, epoch: str, message: Message) -> None:
        if self.epoch:
            self.repair()
        elif len(self._early) < READ_AT_ONCE:
            self._early[message.offset] = (epoch, message)

    def _wait_for_overtaken(self, epoch: str, message: Message) -> None:
        if len(self._early) < READ_AT_ONCE:  # the rest can be read from the log
            self._early[message.offset] = (epoch, message)
        if self._overtaken is None:
            self._wait()

    def _wait(self) -> None:
        self._overtaken = asyncio.get_running_loop().call_later(OVERTAKEN_SECONDS, self._overtaken_is_lost)

    def _overtaken_is_lost(self) -> None:
        self._overtaken = None
        if self._early:
            self.repair()

    def _catch_up_with_early(self) -> None:
        while (found := self._early.pop(self.offset + 1, None)) and found[0] == self.epoch:
            self._pass_on(found[1])
        self._early = {offset: found for offset, found in self._early.items() if offset > self.offset}
        # If a message is missing now, it is another one: restart the timer.
        if self._overtaken:
            self._overtaken.cancel()
            self._overtaken = None
        if self._early:
            self._wait()

    # ── Reading the log ────────────────────────────────────────────────────────────────────────

    async def open(self) -> None:
        """Reads the room's position. Called once the subscription is confirmed. Raises Unavailable."""
        page = await self._log.read(self.name, NOTHING_SEEN, limit=0)
        self.epoch, self.offset = page.epoch, page.offset
        self._early = {offset: found for offset, found in self._early.items() if found[0] == self.epoch}
        self._catch_up_with_early()
        if self._early:
            self.repair()

    def check(self, page: Page) -> None:
        """Compares the room's position with the log's, and repairs if they differ."""
        if (page.epoch, page.offset) != (self.epoch, self.offset) and (
            page.epoch != self.epoch or page.offset > self.offset
        ):
            self.repair()

    def repair(self) -> asyncio.Task[None]:
        """Reads missing messages from the log. Concurrent calls share one read."""
        self._doubted = True  # a read in progress may have been too early
        if self._repairing is None or self._repairing.done():
            self._repairing = asyncio.get_running_loop().create_task(self._repair())
        return self._repairing

    async def _repair(self) -> None:
        metrics.REPAIRS.inc()
        try:
            while self._doubted:
                self._doubted = False
                page = await self._log.read(self.name, self.position, limit=READ_AT_ONCE)
                self._take_in(page)
                self._doubted |= self.offset < page.offset
        except Unavailable as fault:
            logger.info("room %s: what is missing cannot be read yet: %s", self.name, fault)

    def _take_in(self, page: Page) -> None:
        first = page.messages[0].offset if page.messages else page.offset + 1
        if page.epoch != self.epoch or (first > self.offset + 1 and page.offset > self.offset):
            self._begin(page.epoch, first - 1)
        for message in page.messages:
            self.hear(page.epoch, message)

    def _begin(self, epoch: str, offset: int) -> None:
        self.write()
        metrics.LOST.inc()
        logger.warning(
            "room %s: members may have missed messages: they had heard %s:%d, the log goes on at %s:%d",
            self.name,
            self.epoch,
            self.offset,
            epoch,
            offset,
        )
        self.epoch, self.offset, self.sent_at = epoch, offset, 0
        self.forget_kept()
        self._full = False
        self._early = {offset: found for offset, found in self._early.items() if found[0] == epoch}
        for member in self.members:
            member.begin_anew()

    async def reaches(self, epoch: str, offset: int) -> bool:
        """Whether every message after `offset` is still available. Raises Unavailable."""
        if epoch != self.epoch or offset > self.offset:  # another process may be ahead of this one
            page = await self._log.read(self.name, self.position, limit=0)
            if epoch != page.epoch or offset > page.offset:
                return False
            await asyncio.shield(self.repair())
            if epoch != self.epoch or offset > self.offset:
                raise Unavailable(f"room {self.name} could not be read up to {epoch}:{offset}")
        return (offset == self.offset or bool(await self.after(offset, 1))) and epoch == self.epoch

    async def after(self, offset: int, limit: int) -> list[Message]:
        """Up to `limit` messages after `offset`, none newer than what members have received. Empty if the log no
        longer has the first of them. Raises Unavailable."""
        if not self._keeps(offset) and self.offset - offset <= KEPT_MESSAGES and not self._full:
            await self._look_back(offset)
        if not self._keeps(offset):
            page = await self._log.read(self.name, self.position, after=offset, limit=limit)
            if page.epoch != self.epoch or not page.messages or page.messages[0].offset != offset + 1:
                return []
            return [message for message in page.messages if message.offset <= self.offset]
        begin = offset + 1 - self._kept[0].offset
        return [self._kept[i] for i in range(begin, min(begin + limit, len(self._kept)))]

    def _keeps(self, offset: int) -> bool:
        return bool(self._kept) and self._kept[0].offset <= offset + 1

    async def _look_back(self, offset: int) -> None:
        async with self._looking_back:
            if self._keeps(offset):
                return  # a concurrent call has read them
            epoch, newest = self.epoch, self.offset
            begin = max(offset - LOOK_BACK, 0)
            first = self._kept[0].offset if self._kept else newest + 1
            page = await self._log.read(self.name, self.position, after=begin, limit=first - 1 - begin)
            if page.epoch != epoch or self.epoch != epoch:
                return
            first = self._kept[0].offset if self._kept else self.offset + 1
            older = [message for message in page.messages if message.offset < first]
            if older and older[-1].offset == first - 1 and len(older) == first - older[0].offset:
                for message in reversed(older):
                    if self._full:
                        break
                    self._kept.appendleft(message)
                    self._kept_characters += len(message.text)
                    self._drop_oldest()
                self._count_kept()

    def _keep(self, message: Message) -> None:
        self._kept.append(message)
        self._kept_characters += len(message.text)
        # The kept texts reach the limit: looking back would add nothing, so members away for longer read the log.
        self._full = self._full and self._kept_characters > KEPT_CHARACTERS // 2
        if self._kept_characters > KEPT_CHARACTERS:
            self._drop_oldest()
        while len(self._kept) > KEPT_MESSAGES:
            self._kept_characters -= len(self._kept.popleft().text)
        weight = self._kept_characters + MESSAGE_CHARACTERS * len(self._kept)
        if not -UNCOUNTED_CHARACTERS <= weight - self._counted_characters <= UNCOUNTED_CHARACTERS:
            self._count_kept()

    def _drop_oldest(self) -> None:
        while self._kept_characters > KEPT_CHARACTERS:
            self._full = True
            self._kept_characters -= len(self._kept.popleft().text)

    def _count_kept(self) -> None:
        """Call only while `_kept` has no gap: this may clear it."""
        if self._closed:
            self.forget_kept()
            return
        self._counted_characters = self._kept_characters + MESSAGE_CHARACTERS * len(self._kept)
        KEPT.hold(self, CHARACTER_BYTES * self._counted_characters, self.forget_kept)

    def close(self) -> None:
        """Called when no users are left. Answers of the log that arrive later are ignored."""
        self._closed = True
        self.forget_kept()

    def forget_kept(self) -> None:
        """Frees the kept messages; the log still has them."""
        KEPT.release(self)
        self._kept.clear()
        self._kept_characters = self._counted_characters = 0
