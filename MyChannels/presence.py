"""Presence: who is in which room, across all processes.

Each process keeps the list of its own members in Redis under its own name. Heartbeats renew the list's
expiry, and the process tells the others about changes. If a process dies, its members disappear with it.
The number of writes depends on the number of processes, not of members.

https://centrifugal.dev/docs/server/presence keeps an entry per member and refreshes each of them.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from MyChannels.groups import PROCESSES_KEY, process_key
from MyChannels.messages import MOST_NAMES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from MyChannels.connection import Connection

HEARTBEAT_SECONDS = 5.0
ALIVE_SECONDS = 15  # without a heartbeat
GATHER_SECONDS = 0.2  # changes within this time are sent together
# Members that come back within this time count as never away: a reconnecting client, a reloaded page.
GRACE_SECONDS = 2.0
CROWD_SECONDS = 1.0  # between two announcements in a room above the limit

# In place of a version: the process has no members any more.
ENDED = -1

# Member names by a unique key, since names may repeat.
Names = dict[str, str]


class Roster:
    """The processes' lists in Redis.

    Each process measures with its own monotonic clock how long another has been silent: other clocks can be set, and
    the clocks of two machines can differ. Redis' expiry, which uses Redis' clock, only cleans up: the next heartbeat
    restores a list that expired too early.
    """

    def __init__(self, connection: Connection, *, now: Callable[[], float] = time.monotonic) -> None:
        self._ask = connection.ask
        self._now = now
        self._beats: dict[str, tuple[float, float]] = {}  # by process: the last one, and when it was first seen

    async def save(self, process: str, version: int, rooms: Mapping[str, Names]) -> bool:
        """Replaces the members of `process` in these rooms and records its heartbeat.

        Returns True if Redis had nothing else of this process: its lists have expired or never existed.
        """
        key = process_key(process)
        empty = [room for room, names in rooms.items() if not names]
        # One HSET, so that readers see a version with exactly its members.
        lists = [part for room, names in rooms.items() for part in (room, json.dumps(names))]
        # Any number that differs from the last one works. The previous release compares it with its clock.
        beat = int(time.time() + ALIVE_SECONDS)
        added, *_ = await asyncio.gather(
            self._ask("HSET", key, "", version, *lists),
            *(
                [self._ask("HDEL", key, *empty)]
                if (empty := [room for room, names in rooms.items() if not names])
                else []
            ),
            self._ask("EXPIRE", key, ALIVE_SECONDS),
            self._ask("ZADD", PROCESSES_KEY, beat, process),
            self._ask("EXPIRE", PROCESSES_KEY, ALIVE_SECONDS),
        )
        return bool(added == 1 + len(rooms))

    async def load(self, process: str, rooms: Iterable[str]) -> tuple[int, dict[str, Names]]:
        """The version of a process' lists, 0 if it has none, and its members of these rooms."""
        rooms = list(rooms)
        version, *lists = await self._ask("HMGET", process_key(process), "", *rooms)
        return int(version or 0), {room: json.loads(names or "{}") for room, names in zip(rooms, lists, strict=True)}

    async def alive(self) -> set[str]:
        """The processes with a recent heartbeat. Removes the others from the set."""
        told = await self._ask("ZRANGE", PROCESSES_KEY, 0, -1, "WITHSCORES")
        now = self._now()
        beats = {process.decode(): float(beat) for process, beat in told}
        self._beats = {
            process: known if (known := self._beats.get(process)) and known[0] == beat else (beat, now)
            for process, beat in beats.items()
        }
        silent = {process for process, (_, seen) in self._beats.items() if now - seen >= ALIVE_SECONDS}
        # Removes by the score that was read, so that a process with a newer heartbeat stays. A score that a living
        # process shares is left alone.
        for beat in {beats[process] for process in silent} - {beats[process] for process in beats.keys() - silent}:
            self._beats = {process: known for process, known in self._beats.items() if known[0] != beat}
            await self._ask("ZREMRANGEBYSCORE", PROCESSES_KEY, int(beat), int(beat))
        return beats.keys() - silent

    async def remove(self, process: str) -> None:
        """Removes a process and its members."""
        await asyncio.gather(self._ask("UNLINK", process_key(process)), self._ask("ZREM", PROCESSES_KEY, process))


@dataclass
class People:
    """The members of one room. `shown` is the list that clients have, or get with the next update."""

    local: dict[str, tuple[str, int]] = field(default_factory=dict)  # name, sockets
    remote: dict[str, Names] = field(default_factory=dict)  # by process
    shown: Names = field(default_factory=dict)
    came: Names = field(default_factory=dict)
    leaving: dict[str, float] = field(default_factory=dict)  # key and time of leaving
    changed: set[str] = field(default_factory=set)  # local keys, not yet sent to the other processes
    told_at: float = 0.0
    closed: bool = False  # to be deleted as soon as the other processes know that all have left

    def here(self, key: str) -> bool:
        return key in self.local or any(key in names for names in self.remote.values())


class Presence:
    """The members, on all processes, of the rooms that this process serves."""

    def __init__(
        self,
        process: str,
        roster: Roster | None,
        *,
        announce: Callable[[str, Names, list[str], int], None],
        tell: Callable[[dict[str, Any]], None],
        limit: int,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.process = process
        self.limit = limit
        self._roster = roster
        self._announce = announce
        self._tell = tell
        self._now = now
        self._rooms: dict[str, People] = {}
        self._peers: dict[str, int] = {}  # other processes, with the latest known version of their lists
        self._version = 0
        self._ended = False
        self._beating_since: float | None = None  # without an interruption
        self._something = asyncio.Event()

    # ── Called by the hub ──────────────────────────────────────────────────────────────────────

    async def open(self, room: str) -> None:
        """Loads and begins to track the members of a room. Raises Unavailable."""
        people = self._rooms.setdefault(room, People())
        people.closed = False
        if self._roster is None:
            return
        peers = list(self._peers)
        loaded = await asyncio.gather(*[self._roster.load(process, [room]) for process in peers])
        for process, (version, lists) in zip(peers, loaded, strict=True):
            if 0 < version < self._peers.get(process, -1):
                self._peers[process] = -1  # an event was newer than this read, or Redis lost data: read again
                self._something.set()
            if process in self._peers:  # it has not ended meanwhile
                people.remote[process] = lists[room]
                people.shown |= lists[room]

    def close(self, room: str) -> None:
        """Called when this process closes the room."""
        if people := self._rooms.get(room):
            people.closed = True
        self._something.set()

    def enter(self, room: str, key: str, name: str) -> None:
        people = self._rooms.setdefault(room, People())
        _, sockets = people.local.get(key, (name, 0))
        people.local[key] = (name, sockets + 1)
        if sockets == 0:
            people.changed.add(key)
        self._came(people, key, name)

    def leave(self, room: str, key: str) -> None:
        people = self._rooms[room]
        name, sockets = people.local.pop(key)
        if sockets > 1:
            people.local[key] = (name, sockets - 1)
            return
        people.changed.add(key)
        self._went(people, key)

    def count(self, room: str) -> int:
        people = self._rooms.get(room)
        return len(people.shown) if people else 0

    def names(self, room: str) -> list[str]:
        people = self._rooms.get(room)
        return sorted(people.shown.values()) if people else []

    def heard(self, event: Mapping[str, Any]) -> None:
        """Handles another process' event about its members."""
        process, version = event["process"], event["version"]
        if process == self.process:
            return
        if version == ENDED:
            self._gone(process)
            return
        known = self._peers.get(process, -1)
        if version <= known:
            return
        if "rooms" not in event or version > known + 1:
            self._peers[process] = -1  # an event was missed: read its lists
            self._something.set()
            return
        self._peers[process] = version
        for room, (came, went) in event["rooms"].items():
            if people := self._rooms.get(room):
                names = people.remote.setdefault(process, {})
                names |= came
                for key, name in came.items():
                    self._came(people, key, name)
                for key in went:
                    if names.pop(key, None) is not None:
                        self._went(people, key)

    # ── Background work ────────────────────────────────────────────────────────────────────────

    async def beat(self) -> None:
        """Sends one heartbeat and checks which other processes are alive. Raises Unavailable."""
        if self._roster is None or self._ended:
            return
        try:
            await self._save(self._roster, {})
            alive = await self._roster.alive() - {self.process}
        except BaseException:
            self._beating_since = None
            raise
        now = self._now()
        self._beating_since = self._beating_since or now
        self._tell({"type": "hub.presence", "process": self.process, "version": self._version})
        # After an outage, the other processes need as long as this one to send a heartbeat.
        if now - self._beating_since >= ALIVE_SECONDS:
            for process in self._peers.keys() - alive:
                self._gone(process)
        for process in alive:
            if self._peers.get(process, -1) < 0:
                await self._read(process)

    async def gather(self) -> None:
        """Waits for changes, then sends them to the other processes and the rooms. Raises Unavailable."""
        await self._something.wait()
        await asyncio.sleep(GATHER_SECONDS)
        self._something.clear()
        try:
            await self._tell_processes()
            if any(known < 0 for known in self._peers.values()):
                await self.beat()
        finally:
            self._tell_rooms()

    async def end(self) -> None:
        """Removes this process and its members at once. Raises Unavailable."""
        self._ended = True
        if self._roster:
            await self._roster.remove(self.process)
            self._tell({"type": "hub.presence", "process": self.process, "version": ENDED})

    # ── Internals ──────────────────────────────────────────────────────────────────────────────

    def _came(self, people: People, key: str, name: str) -> None:
        people.leaving.pop(key, None)
        if key not in people.shown:
            people.shown[key] = name
            people.came[key] = name
        self._something.set()

    def _went(self, people: People, key: str) -> None:
        if not people.here(key):
            people.leaving[key] = self._now()
        self._something.set()

    def _changed_rooms(self) -> list[tuple[str, People]]:
        return [(room, people) for room, people in self._rooms.items() if people.changed]

    async def _tell_processes(self) -> None:
        changed = self._changed_rooms()
        if not changed or self._roster is None or self._ended:
            for _, people in changed:
                people.changed.clear()
            return
        self._version += 1
        differences = {room: _difference(people) for room, people in changed}
        lists = {room: _names(people) for room, people in changed}
        event = {"type": "hub.presence", "process": self.process, "version": self._version, "rooms": differences}
        told = {room: people.changed for room, people in changed}
        for _, people in changed:
            people.changed = set()
        try:
            await self._save(self._roster, lists)
        except BaseException:
            for room, people in changed:
                people.changed |= told[room]
            self._something.set()
            raise
        self._tell(event)

    async def _save(self, roster: Roster, rooms: Mapping[str, Names]) -> None:
        if await roster.save(self.process, self._version, rooms):
            self._version += 1  # a process that read in between got incomplete lists, and must read again
            await roster.save(self.process, self._version, {room: _names(p) for room, p in self._rooms.items()})

    def _tell_rooms(self) -> None:
        now = self._now()
        for room, people in list(self._rooms.items()):
            if people.closed and not people.changed:
                del self._rooms[room]
                continue
            if not people.came and not people.leaving:
                continue
            crowd = len(people.shown) > self.limit
            if crowd and now - people.told_at < CROWD_SECONDS:
                self._something.set()
                continue
            left = []
            for key in [key for key, since in people.leaving.items() if now - since >= GRACE_SECONDS]:
                del people.leaving[key]
                name = people.shown.pop(key, None)
                if name is not None and people.came.pop(key, None) is None:
                    left.append(name)
            came, people.came = people.came, {}
            if people.leaving:
                self._something.set()
            if came or left:
                people.told_at = now
                self._announce(room, came, left, len(people.shown))

    async def _read(self, process: str) -> None:
        assert self._roster is not None  # noqa: S101  # for mypy
        self._peers.setdefault(process, -1)
        version, lists = await self._roster.load(process, self._rooms)
        if process not in self._peers:  # it ended meanwhile
            return
        self._peers[process] = version
        for room, names in lists.items():
            if people := self._rooms.get(room):
                before = people.remote.get(process, {})
                people.remote[process] = names
                for key, name in names.items():
                    self._came(people, key, name)
                for key in before.keys() - names.keys():
                    self._went(people, key)

    def _gone(self, process: str) -> None:
        self._peers.pop(process, None)
        self._something.set()
        for people in self._rooms.values():
            for key in people.remote.pop(process, {}):
                self._went(people, key)


def _names(people: People) -> Names:
    return {key: name for key, (name, _) in people.local.items()}


def _difference(people: People) -> tuple[Names, list[str]]:
    came = {key: people.local[key][0] for key in people.changed if key in people.local}
    return came, [key for key in people.changed if key not in people.local]


def said_of(names: Iterable[str], crowd: bool) -> tuple[list[str], int]:
    """The names to announce, and how many more there are."""
    names = list(names)
    return ([], len(names)) if crowd else (names[:MOST_NAMES], len(names[MOST_NAMES:]))
