"""Ends HTTP responses while the worker drains.

A response may never end by itself, and hundreds of clients that are cut at the same moment come back at the same
moment. So each response ends at a random moment:

- An event stream ends within `draining.seconds`, with a proper end, so that browsers reconnect by themselves.
- Any other response gets the time that applications have to finish. After that, the remaining ones are cut within
  `draining.seconds`. The connection then ends without another byte: a cut download must not look complete, and an
  unanswered long poll must not get a wrong answer.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, Any

from app.drain import draining

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# The application receives `http.disconnect` when its response has ended, and is cancelled this many seconds later.
ENDING_SECONDS = 3.0
LAST = {"type": "http.response.body", "body": b"", "more_body": False}

under_way: set[Response] = set()


async def respond(application: Any, cut: Callable[[], object], scope: Any, receive: Any, send: Any) -> None:
    """Runs an ASGI application for one request. `cut` ends its connection at once."""
    await Response(send, cut).run(application, scope, receive)


def take_turns() -> None:
    """Called when draining begins."""
    for response in list(under_way):
        response.take_turn()


def end_all() -> None:
    """Called on a second signal. Ends the event streams; the server cuts all other responses a moment later."""
    for response in list(under_way):
        if response.lock:
            response.end()


def seconds_left() -> float:
    """How long the server has to wait for the last response and its application."""
    if not under_way:
        return 0.0
    return max(0.0, draining.finish_end + draining.seconds + ENDING_SECONDS - time.monotonic())


def is_event_stream(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """A response with a length is not one: it ends by itself."""
    lines = {name.lower(): value for name, value in headers}
    kind = lines.get(b"content-type", b"").partition(b";")[0].strip().lower()
    return kind == b"text/event-stream" and b"content-length" not in lines


class Response:
    """One response. It runs in its application's task."""

    __slots__ = ("cut", "ended", "ending", "limit", "lock", "passed_on", "timer")

    def __init__(self, passed_on: Any, cut: Callable[[], object]) -> None:
        self.passed_on = passed_on  # the server's `send`
        self.cut = cut
        self.ended = False
        self.ending: asyncio.Task[None] | None = None
        self.limit: asyncio.Timeout
        self.lock: asyncio.Lock | None = None  # set once an event stream has begun
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
        if self.ended:  # ignored, as after a client has left
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
        """Called again when the response turns out to be an event stream."""
        if self.timer:
            self.timer.cancel()
        begin = time.monotonic() if self.lock else draining.finish_end
        end = draining.last_turn if self.lock else draining.finish_end + draining.seconds
        moment = random.uniform(begin, max(begin, end))  # noqa: S311 - guessing it gains nothing
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
        """The application holds the lock while the client is still taking what it sent."""
        try:
            async with asyncio.timeout(ENDING_SECONDS), lock:
                await self.passed_on(LAST)
        except TimeoutError:
            self.cut()
