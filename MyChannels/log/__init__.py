"""The room log: each room's newest messages, in order, under offsets without a gap.

Bounded by ROOM_LOG_LENGTH and ROOM_LOG_SECONDS. An offset means something within its epoch
only; a new epoch begins whenever an offset could otherwise name two messages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from MyChannels.messages import Message

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

# A message's idempotency key is known while it is in the log, and at least so long.
REF_SECONDS = 600
# A room in which nothing was said is forgotten so long after the last hub has asked for it.
KEEP_EMPTY_SECONDS = 45


class Unavailable(Exception):
    """The log cannot be reached, or refused to write. Whether an append took place is unknown."""


class RefReused(ValueError):
    """The idempotency key belongs to another text."""


class Position(NamedTuple):
    """What a process has seen of a room: an epoch, the newest offset, and that message's `sent_at`."""

    epoch: str = ""
    offset: int = 0
    sent_at: int = 0


NOTHING_SEEN = Position()


class Draft(NamedTuple):
    """A message on its way into the log."""

    sender: str
    text: str
    ref: str  # the idempotency key, unique among all senders
    user: bool = False  # an account sent it


class Announcement(NamedTuple):
    """Who is to be told of a message in the very step that appends it."""

    channel: str  # of Redis' publish and subscribe
    event: bytes  # a map in MessagePack, to which the log adds `epoch`, `offset` and `time`


class Appended(NamedTuple):
    epoch: str
    offset: int
    sent_at: int  # milliseconds since 1970
    new: bool  # nobody can have heard of it yet

    def message(self, draft: Draft) -> Message:
        return Message(self.offset, draft.sender, draft.text, self.sent_at, user=draft.user)


class Page(NamedTuple):
    """Part of a log: `messages` in ascending order; `base` is the offset after which the epoch began."""

    epoch: str
    base: int
    offset: int  # the newest
    messages: list[Message]


class Log(Protocol):
    """What a log does. Every method but `close` raises Unavailable."""

    announces: bool
    """Whether `append` heeds an announcement."""

    def append(
        self, room: str, draft: Draft, seen: Position = NOTHING_SEEN, announcement: Announcement | None = None
    ) -> Awaitable[Appended]:
        """Raises RefReused. Those of one process are appended in the order of the calls, awaited or not."""

    async def read(
        self, room: str, seen: Position = NOTHING_SEEN, *, after: int | None = None, limit: int = 500
    ) -> Page:
        """Up to `limit` messages after `after`; None: after `seen`, or from the beginning of another epoch."""

    async def positions(self, seen: Mapping[str, Position]) -> dict[str, Page]:
        """Pages without messages, for many rooms at once."""

    async def before(self, room: str, before: int | None, limit: int) -> list[Message]:
        """Up to `limit` messages older than `before` (None: the newest), ascending."""

    async def ping(self) -> None:
        """Notices a restart of the store."""

    def release(self) -> None:
        """Lets the appends go that wait since the store was restarted."""

    async def close(self) -> None: ...
