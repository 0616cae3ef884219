"""Reports when the event loop, or the thread that all synchronous consumers share, is late, and what it is running.

A handler that blocks either of them holds up every client of the worker, and nothing else shows which handler it is. A
separate thread schedules a call on both twenty times a second. While such a call is pending, it looks at what the part
is running (`sys._current_frames`). So a handler that takes 150 ms or more is always found, and a shorter one sometimes.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from typing import TYPE_CHECKING
from weakref import WeakSet

from asgiref.sync import SyncToAsync
from channels.consumer import AsyncConsumer
from prometheus_client import Counter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

logger = logging.getLogger(__name__)

PERIOD = 0.05  # seconds
LATE = 0.1
LOG_SECONDS = 10.0  # between two log lines about the same handler

SECONDS = Counter(
    "late_seconds",
    "Seconds for which a part of this process kept others waiting, while it was more than 100 ms late",
    ["part", "at"],
)
# Packages of the frames around an application's own. The first frame outside them is reported: a view, or a function of
# database_sync_to_async.
MACHINERY = {
    "__main__", "app", "asgi_correlation_id", "asgiref", "asyncio", "channels", "concurrent", "contextlib", "daphne",
    "django", "gunicorn", "runpy", "threading", "twisted", "uvicorn", "uvicorn_worker",
}  # fmt: skip
AT_REST = {"asyncio", "concurrent", "selectors", "threading"}


class Part:
    """The event loop or the thread. `ask` schedules a call of its argument there, or raises RuntimeError."""

    def __init__(self, name: str, ask: Callable[[Callable[[], None]], object]) -> None:
        self.name = name
        self._ask = ask
        self._asked: float | None = None
        self._answered = 0.0
        self._thread = 0
        self._at = ""  # what causes the current delay, if known
        self._counted = 0.0  # seconds of the current delay already counted
        self._logged: dict[str, float] = {}  # time of the last log line, by handler

    def look(self, now: float, stood_still: bool) -> None:
        """Schedules a call, or counts how long the pending one has been late."""
        if self._asked is None:
            self._asked, self._answered, self._at, self._counted = now, 0.0, "", 0.0
            self._ask(self._answer)
            return
        if not self._answered:
            self._at = at_work(self._thread) or self._at
        if stood_still and not self._at:
            self._asked = None  # the process did not run, and this part was idle
            return
        late = (self._answered or now) - self._asked
        if late > LATE:
            self._say(now, late)
        if self._answered:
            self._asked = None

    def _answer(self) -> None:
        self._thread = threading.get_ident()
        self._answered = time.monotonic()

    def _say(self, now: float, late: float) -> None:
        at = self._at.partition(" ")[0] or "unknown"
        SECONDS.labels(self.name, at).inc(max(0.0, late - self._counted))
        self._counted = late
        if now - self._logged.get(at, float("-inf")) >= LOG_SECONDS:
            self._logged[at] = now
            logger.warning("the %s is %.0f ms late; at work: %s", self.name, late * 1000, self._at or "unknown")


class Watch(threading.Thread):
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(name="lateness", daemon=True)
        self._parts = [
            Part("event loop", loop.call_soon_threadsafe),
            Part("sync thread", SyncToAsync.single_thread_executor.submit),
        ]

    def run(self) -> None:
        looked, worked = time.monotonic(), time.process_time()
        while True:
            now, work = time.monotonic(), time.process_time()
            # No thread ran: the container was frozen, or the machine is short of CPU time.
            stood_still = now - looked - (work - worked) > PERIOD + LATE
            looked, worked = now, work
            try:
                for part in self._parts:
                    part.look(now, stood_still)
            except RuntimeError:
                return  # the loop is closed, or the interpreter is exiting
            time.sleep(PERIOD)


_watched: WeakSet[asyncio.AbstractEventLoop] = WeakSet()


def watch() -> None:
    """Watches the running loop and its process from now on. The servers call this; tests without a server do not."""
    loop = asyncio.get_running_loop()
    if loop not in _watched:
        _watched.add(loop)
        Watch(loop).start()


def at_work(thread: int) -> str:
    """What a thread is running, as `module.Consumer.handler (line 7)`. Empty if it is idle."""
    innermost = sys._current_frames().get(thread)
    frames = list(_outwards(innermost))
    for frame in frames:
        if isinstance(consumer := frame.f_locals.get("self"), AsyncConsumer):
            kind = type(consumer)
            return f"{kind.__module__}.{kind.__qualname__}.{frame.f_code.co_name} (line {frame.f_lineno})"
    for frame in reversed(frames):
        if _package(frame) not in MACHINERY | AT_REST:
            return _shown(frame)
    return _shown(innermost) if innermost and _package(innermost) not in AT_REST else ""


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame:
        yield frame
        frame = frame.f_back


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def _shown(frame: FrameType) -> str:
    return f"{frame.f_globals.get('__name__')}.{frame.f_code.co_qualname} (line {frame.f_lineno})"
