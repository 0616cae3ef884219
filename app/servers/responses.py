"""HTTP responses, and their end while the worker drains.

A response may have no end of its own, and hundreds of clients that are cut in the same instant come back in the same
instant. So each has a moment of its own, chosen at random:

- An event stream ends within `draining.seconds`, and properly: browsers then connect again by themselves.
- Any other response has all the time that applications have to finish. From then on, what is left is cut within
  `draining.seconds`. A download that was cut must not look complete, and a long poll without an answer must get no
  wrong one: the connection ends without another byte.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, Any

from app.drain import draining

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# The application hears `http.disconnect` when its response has ended, and is cancelled so many seconds later.
ENDING_SECONDS = 3.0
LAST = {"type": "http.response.body", "body": b"", "more_body": False}

under_way: set[Response] = set()


async def respond(application: Any, cut: Callable[[], object], scope: Any, receive: Any, send: Any) -> None:
    """Runs an ASGI application for one request. `cut` ends its connection at once."""
    await Response(send, cut).run(application, scope, receive)


def take_turns() -> None:
    """When draining begins."""
    for response in list(under_way):
        response.take_turn()


def end_all() -> None:
    """When the worker is hurried. What is no event stream, the server cuts a moment later."""
    for response in list(under_way):
        if response.lock:
            response.end()


def seconds_left() -> float:
    """How long the server has to wait for the last of them, and its application."""
    if not under_way:
        return 0.0
    return max(0.0, draining.finish_end + draining.seconds + ENDING_SECONDS - time.monotonic())


def is_event_stream(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """With a length it has an end of its own."""
    lines = {name.lower(): value for name, value in headers}
    kind = lines.get(b"content-type", b"").partition(b";")[0].strip().lower()
    return kind == b"text/event-stream" and b"content-length" not in lines


class Response:
    """One response. It runs in the task of its application."""

    __slots__ = ("cut", "ended", "ending", "limit", "lock", "passed_on", "timer")

    def __init__(self, passed_on: Any, cut: Callable[[], object]) -> None:
        self.passed_on = passed_on  # the server's `send`
        self.cut = cut
        self.ended = False
        self.ending: asyncio.Task[None] | None = None
        self.limit: asyncio.Timeout
        self.lock: asyncio.Lock | None = None  # of an event stream that has begun
        self.timer: asyncio.TimerHandle | None = None

    async def run(self, application: Any, scope: Any, receive: Any) -> None:
        under_way.add(self)
        try:
            async with asyncio.timeout(None) as self.limit:
                if draining.begun:
                    self.take_turn()
                await application(scope, receive, self.send)
        except TimeoutError:
            if not self.limit.expired():
                raise
            draining.cancelled += 1
        finally:
            self.leave()
        if self.ending:
            await self.ending

    async def send(self, message: dict[str, Any]) -> None:
        if self.lock:
            async with self.lock:
                await self.send_on(message)
        else:
            await self.send_on(message)

    async def send_on(self, message: dict[str, Any]) -> None:
        if self.ended:  # as for a client that has left
            return
        await self.passed_on(message)
        if message["type"] == "http.response.start":
            if is_event_stream(message.get("headers", ())):
                self.lock = asyncio.Lock()
                if draining.begun:
                    self.take_turn()
        elif message["type"] == "http.response.body" and not message.get("more_body", False):
            self.leave()

    def leave(self) -> None:
        under_way.discard(self)
        if self.timer:
            self.timer.cancel()
            self.timer = None

    def take_turn(self) -> None:
        """Again when it turns out to be an event stream."""
        if self.timer:
            self.timer.cancel()
        begin = time.monotonic() if self.lock else draining.finish_end
        end = draining.last_turn if self.lock else draining.finish_end + draining.seconds
        moment = random.uniform(begin, max(begin, end))  # noqa: S311 - nobody gains by guessing it
        self.timer = asyncio.get_running_loop().call_later(max(0.0, moment - time.monotonic()), self.end)

    def end(self) -> None:
        self.leave()
        self.ended = True
        self.limit.reschedule(asyncio.get_running_loop().time() + ENDING_SECONDS)
        if self.lock:
            self.ending = asyncio.create_task(self.finish(self.lock))
        else:
            self.cut()

    async def finish(self, lock: asyncio.Lock) -> None:
        """The lock is the application's while the client has still to take what it sent before."""
        try:
            async with asyncio.timeout(ENDING_SECONDS), lock:
                await self.passed_on(LAST)
        except TimeoutError:
            self.cut()
