"""What the log asks of its connection for one message after another."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from channels_redis.pubsub import RedisPubSubChannelLayer

from MyChannels.connection import Generation
from MyChannels.groups import room_group
from MyChannels.log import NOTHING_SEEN, Announcement, Draft
from MyChannels.log.stream import StreamLog
from MyChannels.messages import announcement
from tests.micro import TEXT

if TYPE_CHECKING:
    from MyChannels.connection import Part

LENGTH, SECONDS = 10_000, 86_400  # the default of ROOM_LOG_LENGTH
GROUP = room_group("lobby")


class Asked:
    """Stands in the connection's place: notes the command, and answers at once."""

    def __init__(self) -> None:
        self.command: tuple[Part, ...] = ()

    async def ask(self, *command: Part, held: bool = False) -> list[Any]:
        self.command = command
        return [b"epoch", 1, 1_700_000_000_000, 1]


class Appends:
    def __init__(self) -> None:
        self.asked = Asked()
        self.log = StreamLog(self.asked, length=LENGTH, seconds=SECONDS)  # type: ignore[arg-type]  # all it needs of one
        event = RedisPubSubChannelLayer(["redis://unused"]).serialize(
            {**announcement("c1", TEXT, user=False), "__asgi_group__": GROUP}
        )
        self.announcement = Announcement(f"asgi__group__{GROUP}", event)
        self.numbers = count(1)

    def ask(self) -> None:
        """One append, until its command reaches the connection."""
        draft = Draft("c1", TEXT, f"guest\0c1\0client\0{next(self.numbers)}")
        appending = self.log.append("lobby", draft, NOTHING_SEEN, self.announcement)
        try:
            appending.send(None)
        except StopIteration:
            return
        raise AssertionError("expected an append to wait for nothing but its answer")

    def command(self) -> tuple[str | int | bytes, ...]:
        self.ask()
        return tuple("" if isinstance(part, Generation) else part for part in self.asked.command)
