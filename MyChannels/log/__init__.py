"""The room log: each room's newest messages in order, numbered by offsets without gaps.

Bounded by ROOM_LOG_LENGTH and ROOM_LOG_SECONDS. An offset is valid only within its epoch. A new epoch
begins whenever an offset could otherwise name two messages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from MyChannels.messages import Message

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

# An idempotency key is remembered while its message is in the log, and at least this long.
REF_SECONDS = 600
# A room without messages is deleted this long after a hub last read it.
KEEP_EMPTY_SECONDS = 45


class Unavailable(Exception):
    """The log cannot be reached, or refused to write. Whether an append took place is unknown."""


class RefReused(ValueError):
    """The idempotency key was already used with another text."""


class Position(NamedTuple):
    """What a process has seen of a room: an epoch, the newest offset, and that message's `sent_at`."""

    epoch: str = ""
    offset: int = 0
    sent_at: int = 0


NOTHING_SEEN = Position()


class Draft(NamedTuple):
    """A message that is not in the log yet."""

    sender: str
    text: str
    ref: str  # the idempotency key, unique among all senders
    user: bool = False  # an account sent it


class Announcement(NamedTuple):
    """An event to publish in the same atomic step that appends the message."""

    channel: str  # of Redis' publish and subscribe
    event: bytes  # a MessagePack map; the log adds `epoch`, `offset` and `time`


class Appended(NamedTuple):
    epoch: str
    offset: int
    sent_at: int  # milliseconds since 1970
    new: bool  # False if an earlier append used the same idempotency key

    def message(self, draft: Draft) -> Message:
        return Message(self.offset, draft.sender, draft.text, self.sent_at, user=draft.user)


class Page(NamedTuple):
    """Part of a log: `messages` in ascending order; `base` is the offset after which the epoch began."""

    epoch: str
    base: int
    offset: int  # the newest
    messages: list[Message]


class Log(Protocol):
    """The interface of a log. Every method except `close` raises Unavailable."""

    announces: bool
    """Whether `append` publishes the announcement."""

    def append(
        self, room: str, draft: Draft, seen: Position = NOTHING_SEEN, announcement: Announcement | None = None
    ) -> Awaitable[Appended]:
        """Appends of one process take effect in the order of the calls, awaited or not. Raises RefReused."""

    async def read(
        self, room: str, seen: Position = NOTHING_SEEN, *, after: int | None = None, limit: int = 500
    ) -> Page:
        """Up to `limit` messages after `after`. None means after `seen`, or, in another epoch, from its start."""

    async def positions(self, seen: Mapping[str, Position]) -> dict[str, Page]:
        """Pages without messages, for many rooms at once."""

    async def before(self, room: str, before: int | None, limit: int) -> list[Message]:
        """Up to `limit` messages older than `before` (None: the newest), ascending."""

    async def ping(self) -> None:
        """Notices a restart of the store."""

    def release(self) -> None:
        """Sends the appends that were held back when the store restarted."""

    async def close(self) -> None: ...
