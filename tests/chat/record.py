"""What one client lived through, in the order in which it did; kept small, for there are hundreds of clients."""

from __future__ import annotations

import json
import re
from array import array
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple


class Message(NamedTuple):
    offset: int
    sender: str
    text: str
    sent_at: int
    user: bool = False
    deleted: bool = False


class Welcome(NamedTuple):
    epoch: str
    offset: int
    recovered: bool | None = None  # None: it does not say
    since: str | None = None  # what this socket asked for
    opening: bool = True  # a socket's first object; a further one tells of a gap
    worker: str = ""


@dataclass(slots=True)
class Sent:
    """One `send`, however many times it was repeated."""

    ref: str
    text: str
    at: float
    times: int = 0
    acknowledged_at: float | None = None
    epoch: str | None = None
    offset: int | None = None


@dataclass(slots=True)
class Reconnect:
    """From a lost socket to having every message up to the offset that the next welcome told."""

    cut: float
    code: int = 1006
    attempts: int = 0
    welcome: float | None = None
    recovered: bool | None = None
    offset: int | None = None
    caught_up: float | None = None


@dataclass
class Record:
    """`keep=False` counts only, for a load on which no verdict is wanted."""

    name: str = ""
    keep: bool = True
    room: str = ""  # its address
    entries: list[Message | Welcome] = field(default_factory=list)
    times: array[float] = field(default_factory=lambda: array("d"))  # of the entries, monotonic
    messages: int = 0
    frames: int = 0
    bytes: int = 0
    counts: Counter[str] = field(default_factory=Counter)  # of the other types
    errors: Counter[str] = field(default_factory=Counter)  # by code
    sent: list[Sent] = field(default_factory=list)
    reconnects: list[Reconnect] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)  # of the protocol, by the server
    left_early: bool = False  # set by whoever stops this client while others go on: it is owed no more

    def add(self, entry: Message | Welcome, now: float) -> None:
        if self.keep:
            self.entries.append(entry)
            self.times.append(now)


# One message goes to every client in the same bytes: read once, it is one object for all of them.
@lru_cache(maxsize=4096)
def read(line: bytes) -> Message | dict[str, Any] | None:
    """One object of a frame, not to be changed; None if it is none that the protocol knows."""
    try:
        found = json.loads(line)
        if found["type"] != "message":
            return dict(found) if isinstance(found["type"], str) else None
        message = Message(found["offset"], found["sender"], found["text"], found["sent_at"])
        return message._replace(user=found.get("user", False), deleted=found.get("deleted", False))
    except (ValueError, LookupError, TypeError):
        return None


def numbered(sender: str, number: int, length: int = 0) -> str:
    """A text that says of itself whose and the how manieth it is, from 1; the sender has no spaces."""
    return f"{sender} {number} ".ljust(length, "·")


LABEL = re.compile(r"(\S+) ([0-9]{1,7}) ")


@lru_cache(maxsize=65536)
def label(text: str) -> tuple[str, int] | None:
    """The sender and the number of such a text."""
    found = LABEL.match(text)
    return (found[1], int(found[2])) if found else None
