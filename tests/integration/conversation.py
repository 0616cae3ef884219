"""Members on several workers who speak all the time, each text until it is acknowledged."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from functools import partial
from itertools import pairwise
from time import monotonic
from typing import TYPE_CHECKING, Any

from MyChannels.room import SPACE_SECONDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from .members import Member

PAUSE = 0.005  # between two texts of a speaker
RETRY = 0.3


class Conversation:
    """`quiet` members only listen."""

    def __init__(self, speakers: list[Member], quiet: list[Member]) -> None:
        self.speakers = speakers
        self.members = [*speakers, *quiet]
        self.acknowledged: dict[str, float] = {}  # texts, and when
        self.refused = 0
        self.waited = 0.0  # the longest time until a sender was answered
        self._stop = False

    @asynccontextmanager
    async def going_on(self) -> AsyncIterator[None]:
        speaking = [asyncio.ensure_future(self._speak(n, member)) for n, member in enumerate(self.speakers)]
        try:
            await self.progress()
            yield
        finally:
            self._stop = True
            await asyncio.gather(*speaking)

    async def _speak(self, number: int, member: Member) -> None:
        n = 0
        while not self._stop:
            text = f"{number}:{n}"
            while True:
                begun = monotonic()
                answer = await member.say(text, f"{number}:{n}", seconds=15)
                self.waited = max(self.waited, monotonic() - begun)
                if answer["type"] == "ack":
                    break
                assert answer["code"] == "unavailable", answer
                self.refused += 1
                await asyncio.sleep(RETRY)
            self.acknowledged[text] = monotonic()
            n += 1
            await asyncio.sleep(PAUSE)

    async def progress(self, seconds: float = 30) -> float:
        """How long it takes until everybody had heard something new from each speaker."""
        begun = monotonic()
        marks = [len(member.objects) for member in self.members]
        for member, mark in zip(self.members, marks, strict=True):
            for number in range(len(self.speakers)):
                await member.until(partial(self._news, member, mark, number, begun), seconds)
        return monotonic() - begun

    def _news(self, member: Member, mark: int, number: int, begun: float) -> bool:
        return any(
            each["type"] == "message"
            and each["text"].startswith(f"{number}:")
            and self.acknowledged.get(each["text"], 0) > begun
            for each in member.objects[mark:]
        )

    async def settled(self, seconds: float = 15) -> None:
        """All members are where the last of them is, and stay there: that is seen only over a time."""
        before: set[str] | None = None
        async with asyncio.timeout(seconds):
            while len(now := {member.since for member in self.members}) > 1 or now != before:
                before = now
                await asyncio.sleep(10 * SPACE_SECONDS)  # a room writes what it held back within one SPACE_SECONDS

    def silence(self) -> float:
        """The longest time that anybody heard no message."""
        longest = 0.0
        for member in self.members:
            times = [at for each, at in zip(member.objects, member.times, strict=True) if each["type"] == "message"]
            longest = max(longest, *(after - before for before, after in pairwise(times)))
        return longest

    def check(self, *, lossless: bool = True) -> None:
        """Nobody lost, repeated or misordered anything, and no offset named two texts."""
        named: dict[tuple[str, int], str] = {}
        for member in self.members:
            assert member.closed is None
            for epoch, offset, text in member.heard():
                assert named.setdefault((epoch, offset), text) == text, (epoch, offset)
            if lossless:
                assert len(member.of("welcome")) == 1, member.of("welcome")
                texts = member.texts()
                assert len(texts) == len(set(texts))
                assert set(self.acknowledged) <= set(texts)
                for number in range(len(self.speakers)):
                    own = [int(text.split(":")[1]) for text in texts if text.startswith(f"{number}:")]
                    assert own == list(range(len(own)))
            else:
                for again in member.of("welcome")[1:]:
                    assert again["recovered"] is False

    async def in_log(self, read: Callable[..., Awaitable[Any]], room: str) -> set[str]:
        """The texts in the log, each once."""
        page = await read(room, after=0, limit=100_000)
        texts = [message.text for message in page.messages]
        assert len(texts) == len(set(texts))
        return set(texts)
