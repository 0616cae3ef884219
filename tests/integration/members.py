"""Members of rooms by way of the whole application, on one or several workers, and what they must have received."""

from __future__ import annotations

import asyncio
import itertools
import json
from contextvars import ContextVar
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from channels.testing import WebsocketCommunicator

from MyChannels.hub import Hub

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

SECONDS = 5.0

# The hub of a socket; by itself a loop, and so a test, has one.
WORKER: ContextVar[Hub | None] = ContextVar("WORKER", default=None)
_one_per_loop = Hub.current


def current() -> Hub:
    return WORKER.get() or _one_per_loop()


def served_by(worker: Hub | None) -> Callable[..., Awaitable[None]]:
    """The application on this worker."""
    from app.routing import application

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        WORKER.set(worker)
        await application(scope, receive, send)

    return serve


class Member:
    """One socket. It reads all the time, as a client does; a new `Member` with `since` is the client come back."""

    def __init__(
        self,
        room: str,
        *,
        worker: Hub | None = None,
        path: str | None = None,
        subprotocols: tuple[str, ...] = ("chat.v1",),
        **query: Any,
    ) -> None:
        self.socket = WebsocketCommunicator(
            served_by(worker), f"{path or f'/ws/chat/{room}/'}?{urlencode(query)}", subprotocols=list(subprotocols)
        )
        self.room = room
        self.resumed = query.get("since", "")
        self.objects: list[dict[str, Any]] = []
        self.times: list[float] = []  # of the objects
        self.closed: int | None = None
        self.subprotocol: str | None = None
        self._came = asyncio.Event()
        self._refs = (f"{id(self)}-{n}" for n in itertools.count())
        self._reading: asyncio.Task[None] | None = None

    async def open(self) -> Member:
        accepted, self.subprotocol = await self.socket.connect(timeout=15)
        assert accepted
        self._reading = asyncio.get_running_loop().create_task(self._read())
        return self

    async def welcomed(self, seconds: float = SECONDS) -> None:
        await self.until(lambda: self.objects or self.closed, seconds)
        assert self.objects, f"closed with {self.closed}"
        assert self.welcome["type"] == "welcome", self.welcome

    async def _read(self) -> None:
        while True:
            event = await self.socket.output_queue.get()
            if event["type"] == "websocket.close":
                self.closed = event.get("code", 1000)
            else:
                self.objects += [json.loads(line) for line in event["text"].split("\n")]
                self.times += [monotonic()] * (len(self.objects) - len(self.times))
            self._came.set()

    async def leave(self) -> None:
        await self.socket.send_input({"type": "websocket.disconnect", "code": 1001})
        await self.socket.wait(timeout=SECONDS)
        await self.end()

    async def end(self) -> None:
        if self._reading:
            self._reading.cancel()
            await asyncio.wait([self._reading])
            self._reading = None
        if not self.socket.future.done():
            await self.socket.disconnect(timeout=SECONDS)

    # ── Saying ─────────────────────────────────────────────────────────────────────────────────

    async def send(self, *objects: dict[str, Any]) -> None:
        await self.socket.send_to(text_data="\n".join(json.dumps(each) for each in objects))

    async def ask(self, content: dict[str, Any], *answers: str, seconds: float = SECONDS) -> dict[str, Any]:
        """Sends, and waits for the next object of one of these types."""
        begun = len(self.objects)
        await self.send(content)
        return (await self.wait(*answers, begun=begun, seconds=seconds))[0]

    async def say(self, text: str, ref: str | None = None, *, seconds: float = SECONDS) -> dict[str, Any]:
        """What was answered: `ack` or `error`."""
        ref = ref or next(self._refs)
        begun = len(self.objects)
        await self.send({"type": "send", "text": text, "ref": ref})

        def answers() -> list[dict[str, Any]]:
            return [o for o in self.objects[begun:] if o["type"] in ("ack", "error") and o.get("ref") == ref]

        await self.until(answers, seconds)
        return answers()[0]

    # ── Hearing ────────────────────────────────────────────────────────────────────────────────

    async def until(self, condition: Callable[[], object], seconds: float = SECONDS) -> None:
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    self._came.clear()
                    await self._came.wait()
        except TimeoutError:
            raise AssertionError(f"not within {seconds:g} s; the last that came: {self.objects[-5:]}") from None

    async def hears(self, text: str, seconds: float = SECONDS) -> None:
        await self.until(lambda: text in self.texts(), seconds)

    async def reaches(self, since: str, seconds: float = SECONDS) -> None:
        await self.until(lambda: self.since == since, seconds)

    async def wait(self, *kinds: str, count: int = 1, begun: int = 0, seconds: float = SECONDS) -> list[dict[str, Any]]:
        """The first `count` objects of these types after the first `begun` of all."""

        def found() -> list[dict[str, Any]]:
            return [each for each in self.objects[begun:] if each["type"] in kinds]

        await self.until(lambda: len(found()) >= count, seconds)
        return found()[:count]

    def of(self, *kinds: str) -> list[dict[str, Any]]:
        return [each for each in self.objects if each["type"] in kinds]

    @property
    def welcome(self) -> dict[str, Any]:
        return self.objects[0]

    def heard(self) -> list[tuple[str, int, str]]:
        """Its messages as (epoch, offset, text), having found each to be the next in turn."""
        heard: list[tuple[str, int, str]] = []
        for epoch, offset, text in self._walk():
            if text is not None:
                heard.append((epoch, offset, text))
        return heard

    @property
    def since(self) -> str:
        """Where it would resume."""
        epoch, offset, _ = list(self._walk())[-1] if self.objects else ("", 0, None)
        return f"{epoch}:{offset}"

    def _walk(self) -> Iterator[tuple[str, int, str | None]]:
        epoch, offset = "", int(self.resumed.partition(":")[2] or 0)
        for each in self.of("welcome", "message"):
            if each["type"] == "welcome":
                epoch = each["epoch"]
                if not each.get("recovered"):
                    offset = each["offset"]
                yield epoch, offset, None
            else:
                assert each["offset"] == offset + 1, f"{each} after {offset}; {self.of('welcome')}"
                offset = each["offset"]
                yield epoch, offset, each["text"]

    def texts(self) -> list[str]:
        return [each["text"] for each in self.of("message")]
