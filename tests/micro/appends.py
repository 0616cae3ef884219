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
    from collections.abc import Callable

    from MyChannels.connection import Part, Share

LENGTH, SECONDS = 10_000, 86_400  # the default of ROOM_LOG_LENGTH
GROUP = room_group("lobby")


class Asked:
    """Stands in the connection's place: notes the command, and answers at once."""

    def __init__(self) -> None:
        self.command: tuple[Part, ...] = ()
        self.share: tuple[Part, ...] = ()

    def ask(self, *command: Part, share: Share, read: Callable[[Any], Any], held: bool = False) -> Any:
        self.command = command
        self.share = tuple(share.parts)
        return read([b"epoch", 1, 1_700_000_000_000, 1])


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
        """One append, until its command reaches the connection, and what is made of the answer."""
        draft = Draft("c1", TEXT, f"guest\0c1\0client\0{next(self.numbers)}")
        self.log.append("lobby", draft, NOTHING_SEEN, self.announcement)

    def command(self, together: int = 1) -> tuple[str | int | bytes, ...]:
        """The one command of as many appends."""
        parts: list[Part] = []
        for _ in range(together):
            self.ask()
            parts += self.asked.share
        return tuple("" if isinstance(part, Generation) else part for part in (*self.asked.command, *parts))
