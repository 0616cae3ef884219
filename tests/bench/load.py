"""The generator of the load: one process with all the clients of one system, told by lines of JSON what to do.

It runs in a container on the same network as the servers. A command is `{"do": name, …}`; its answer, one line,
is what the method of that name returns. Clients are picows', compiled; a frame that says the same to every
member is read once, for the first.
"""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import sys
from collections import Counter, defaultdict
from contextlib import suppress
from time import monotonic_ns
from typing import TYPE_CHECKING, Any

import uvloop
from picows import WSError, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from tests.bench import meter
from tests.bench.text import text
from tests.bench.window import Tally, Window
from tests.bench.wire import START, Heard, Position, Wire, wire

if TYPE_CHECKING:
    from collections.abc import Iterable

COMMAND_SECONDS = 300.0  # none takes longer, whatever the servers do
JOIN_SECONDS = 30.0
TRIES = 5  # where a client joins calmly
QUIET_SECONDS = 3.0  # without a delivery: what is missing will not come
MOST_READ = 4096  # frames that are kept read

TEXT, CLOSE = WSMsgType.TEXT, WSMsgType.CLOSE
Reading = tuple[tuple[tuple[int, int], ...], Heard]


class Member(WSListener):
    """One client in one room."""

    def __init__(self, load: Load, index: int, room: int, speaker: bool) -> None:
        self.load = load
        self.name = f"c{index}"
        self.room = room
        self.speaker = speaker  # stays when the others are cut off
        self.address = load.addresses[index % len(load.addresses)]
        self.transport: WSTransport | None = None
        self.position = START
        self.tally: Tally | None = None
        self.joined: asyncio.Future[None]
        self.enough: asyncio.Future[None] | None = None

    async def join(self) -> int:
        """When it had joined. Raises what was in the way."""
        load = self.load
        self.joined = asyncio.get_running_loop().create_future()
        room = load.rooms[self.room]
        path = load.wire.path(room, self.name, self.position)
        headers = load.wire.headers(self.position)
        try:
            async with asyncio.timeout(JOIN_SECONDS):
                await ws_connect(
                    lambda: self, f"ws://{self.address}{path}", extra_headers=headers, websocket_handshake_timeout=None
                )
                await self.joined
        except TimeoutError:
            raise TimeoutError("connected, not joined" if self.transport else "not connected") from None
        return monotonic_ns()

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        if greeting := self.load.wire.greeting(self.load.rooms[self.room], self.position):
            transport.send(TEXT, greeting)
        if self.load.wire.joined_when_open:
            self.joined.set_result(None)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is not TEXT:
            if frame.msg_type is CLOSE:
                self.load.closes[f"close {frame.get_close_code()}"] += 1
                transport.disconnect()
            return
        payload = frame.get_payload_as_bytes()
        messages, heard = self.load.known.get(payload) or self.load.read(payload, self)
        if messages:
            window, now = self.load.window, monotonic_ns()
            for index, sent in messages:
                if index < 0:
                    window.late += 1
                    continue
                self.tally.add(index)  # type: ignore[union-attr]  # messages belong to a window
                window.latencies.append(now - sent)
                window.delivered += 1
            window.last = now
            if heard.position:
                self.position = Position(heard.position.epoch or self.position.epoch, heard.position.offset)
            if self.enough and not self.enough.done() and not self.tally.lost(window.sent[self.room]):  # type: ignore[union-attr]
                self.enough.set_result(None)

    def take(self, heard: Heard) -> None:
        """What concerns this member alone."""
        if heard.answer and self.transport:
            self.transport.send(TEXT, heard.answer)
        if heard.joined:
            self.position = heard.position or self.position
            if not self.joined.done():
                self.joined.set_result(None)
        self.load.acknowledged += heard.acknowledged
        if heard.error:
            self.load.errors[heard.error] += 1

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.transport = None
        if not self.joined.done():
            self.joined.set_exception(ConnectionError("closed before it had joined"))
        elif not self.load.cutting:
            self.load.closes["lost sockets"] += 1

    def cut(self) -> None:
        if self.transport:
            self.transport.disconnect(graceful=False)


class Load:
    def __init__(self) -> None:
        self.addresses: list[str] = []
        self.wire: Wire
        self.rooms: list[str] = []
        self.members: list[Member] = []
        self.here: defaultdict[int, list[Member]] = defaultdict(list)  # by room, as the present window began
        self.window = Window(0, 0, 1)
        self.next = 0
        self.known: dict[bytes, Reading] = {}
        self.errors: Counter[str] = Counter()
        self.closes: Counter[str] = Counter()
        self.acknowledged = 0
        self.cutting = False

    def read(self, payload: bytes, member: Member) -> Reading:
        heard = self.wire.hear(payload.decode(), self.rooms[member.room])
        messages = tuple((self.window.index_of(number), sent) for number, sent in heard.messages)
        reading = messages, heard
        if heard.of_all:
            if len(self.known) >= MOST_READ:
                self.known.clear()
            self.known[payload] = reading
        else:
            member.take(heard)
        return reading

    # ── Commands ───────────────────────────────────────────────────────────────────────────────

    async def probe(self, addresses: list[str], wire_name: str, resuming: bool, seconds: float) -> dict[str, Any]:
        """Returns when one client has joined at each address."""
        self.addresses, self.wire, self.rooms = addresses, wire(wire_name, resuming=resuming), ["probe"]
        async with asyncio.timeout(seconds):
            for index in range(len(addresses)):
                while True:
                    member = Member(self, index, 0, speaker=False)
                    try:
                        await member.join()
                        break
                    except (OSError, WSError, TimeoutError) as fault:
                        member.cut()
                        self.errors[f"{fault!r:.200}"] += 1
                        await asyncio.sleep(0.2)
                self.cutting = True
                member.cut()
                await asyncio.sleep(0.05)
                self.cutting = False
        self.errors.clear()
        return {}

    async def join(self, room: str, rooms: int, each: int, at_once: int, tries: int, speakers: bool) -> dict[str, Any]:
        """A crowd of `rooms` times `each`, `at_once` of them on the way at a time; `speakers` come besides."""
        self.rooms = [f"{room}-{number}" for number in range(rooms)]
        self.members = [Member(self, index, index // each, speaker=False) for index in range(rooms * each)]
        if speakers:
            first = len(self.members)
            crowd = [Member(self, first + number, number, speaker=True) for number in range(rooms)]
            self.members += crowd
            await self.gather(crowd, 20, TRIES)
        return await self.gather([member for member in self.members if not member.speaker], at_once, tries)

    async def gather(self, members: list[Member], at_once: int, tries: int) -> dict[str, Any]:
        gate = asyncio.Semaphore(at_once)
        refused: Counter[str] = Counter()
        joined: list[int] = []

        async def enter(member: Member) -> None:
            async with gate:
                for attempt in range(tries):
                    try:
                        joined.append(await member.join())
                        return
                    except (OSError, WSError, TimeoutError) as fault:
                        why = fault
                        member.cut()
                        if attempt + 1 < tries:
                            await asyncio.sleep(0.5)
                refused[reason(why)] += 1

        with measuring() as spent:
            begun = monotonic_ns()
            async with asyncio.TaskGroup() as group:
                for member in members:
                    group.create_task(enter(member))
        return {
            "joined": len(joined),
            "refused": dict(refused),
            "seconds": (max(joined, default=begun) - begun) / 1e9,
            **spent,
            **self.faults(),
        }

    async def usage(self, parts: dict[str, list[str]]) -> dict[str, dict[str, float]]:
        """What each part's containers have used until now, and this process, and the whole machine."""
        used = {
            name: sum((meter.usage(container) for container in containers), meter.Usage())
            for name, containers in parts.items()
        }
        used["generator"] = meter.Usage(processor_seconds())
        busy, processors = meter.machine()
        used["machine"] = meter.Usage(busy)
        used["time"] = meter.Usage(monotonic_ns() / 1e9 * processors)  # what the machine could have given
        return {name: usage.as_object() for name, usage in used.items()}

    async def talk(self, rate: float, seconds: float, patience: float, speakers: bool = False) -> dict[str, Any]:
        """`rate` messages a second in all rooms together, by their members in turn; ends when all is delivered."""
        self.open_window(max(1, round(rate * seconds)))
        window, here = self.window, self.here
        talkers = {
            room: [member for member in members if member.speaker or not speakers] for room, members in here.items()
        }
        with measuring() as spent:
            begun = ended = monotonic_ns()
            for k in range(window.messages):
                due = begun + round(k / rate * 1e9)
                if (wait := due - monotonic_ns()) > 0:
                    await asyncio.sleep(wait / 1e9)
                room = k % window.rooms
                if members := talkers.get(room):  # none at all where all were refused
                    self.say(members[k // window.rooms % len(members)], window.first + k)
                    window.expected += len(here[room])
                ended = monotonic_ns()
                if k % 16 == 15:
                    await asyncio.sleep(0)  # when late, hear what was said too
            await self.delivered(patience)
        tallies = [(member.room, member.tally) for members in here.values() for member in members if member.tally]
        return {**window.report(tallies, begun, ended), **spent, **self.faults()}

    def open_window(self, messages: int) -> None:
        self.window = Window(self.next, messages, len(self.rooms))
        self.next += messages
        self.known.clear()
        self.acknowledged = 0
        self.here.clear()
        for member in self.members:
            member.tally = self.window.tally()
            if member.transport:
                self.here[member.room].append(member)

    def say(self, member: Member, number: int) -> None:
        if member.transport:
            said = text(number, monotonic_ns())
            member.transport.send(TEXT, self.wire.publish(self.rooms[member.room], said, number))
            self.window.sent[member.room] += 1

    async def delivered(self, patience: float) -> None:
        window, begun = self.window, monotonic_ns()
        while window.delivered < window.expected:
            await asyncio.sleep(0.01)
            now = monotonic_ns()
            if now - begun > patience * 1e9 or now - max(window.last, begun) > QUIET_SECONDS * 1e9:
                break

    async def cut(self) -> dict[str, Any]:
        """Everybody but the speakers loses the socket, as in a network that fails."""
        return await self.drop([member for member in self.members if not member.speaker])

    async def leave(self) -> dict[str, Any]:
        return await self.drop(self.members)

    async def drop(self, members: list[Member]) -> dict[str, Any]:
        self.cutting = True
        for member in members:
            member.cut()
        await asyncio.sleep(0.5)
        self.cutting = False
        return {"cut": len(members)}

    async def resume(self, patience: float) -> dict[str, Any]:
        """All who were cut off come back at once; each is back when it has what was said meanwhile."""
        away = [member for member in self.members if not member.speaker]
        loop, begun = asyncio.get_running_loop(), monotonic_ns()
        for member in away:
            member.enough = loop.create_future() if self.wire.resumes else None
        result = await self.gather(away, len(away), 1)
        back = [member.enough for member in away if member.enough and member.transport]
        if back:
            await asyncio.wait(back, timeout=patience)
        seconds = max(result["seconds"], (self.window.last - begun) / 1e9) if back else result["seconds"]
        tallies = [member.tally for member in away if member.tally]
        lost = sum(tally.lost(self.window.sent[member.room]) for member, tally in zip(away, tallies, strict=True))
        return {
            **result,
            "seconds": seconds,
            "missed": sum(self.window.sent[member.room] for member in away),
            "lost": lost,
            "repeated": sum(tally.repeated for tally in tallies),
        }

    def faults(self) -> dict[str, Any]:
        found = {
            "acknowledged": self.acknowledged,
            "errors": dict(self.errors.most_common(5)),
            "closes": dict(self.closes),
        }
        self.errors.clear()
        self.closes.clear()
        return found


def reason(fault: BaseException) -> str:
    status = getattr(getattr(fault, "response", None), "status", None)
    return f"HTTP {int(status)}" if status else f"{type(fault).__name__} {fault}".strip()[:200]


class measuring:  # noqa: N801
    """This process' own processor time; the collector of garbage waits meanwhile."""

    def __enter__(self) -> dict[str, float]:
        gc.collect()
        gc.freeze()
        gc.disable()
        self.spent: dict[str, float] = {}
        self.begun, self.used = monotonic_ns(), processor_seconds()
        return self.spent

    def __exit__(self, *_: object) -> None:
        self.spent["generator_cpu"] = processor_seconds() - self.used
        self.spent["generator_share"] = self.spent["generator_cpu"] / max(1e-9, (monotonic_ns() - self.begun) / 1e9)
        gc.enable()
        gc.unfreeze()


def processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def obey(lines: Iterable[str]) -> None:
    load, loop, reader = Load(), asyncio.get_running_loop(), iter(lines)
    while line := await loop.run_in_executor(None, next, reader, ""):
        command = json.loads(line)
        do = command.pop("do")
        try:
            async with asyncio.timeout(COMMAND_SECONDS):
                answer = await getattr(load, do)(**command)
        except Exception as fault:
            answer = {"fault": f"{do}: {fault!r}", "errors": dict(load.errors.most_common(5))}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        uvloop.run(obey(sys.stdin))
