"""Whatever is dropped, repeated, late or lost between log and room: each member hears each message once, in order."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from MyChannels import formats
from MyChannels import room as rooms
from MyChannels.consumers import room as consumers
from MyChannels.log import Appended, Draft
from MyChannels.messages import Connect, Message
from MyChannels.room import Room
from MyChannels.writer import SendWriter

from .model_log import ModelLog

if TYPE_CHECKING:
    from collections.abc import Coroutine

EXAMPLES, STEPS = 120, 40
PROCESSES = 2
ROUNDS = 200  # of the event loop; after so many, nothing moves any more


class Recorder:
    """A connection's writer; its client takes what comes some rounds of the loop later."""

    pack = staticmethod(SendWriter.pack)

    def __init__(self, slow: int) -> None:
        self.slow = slow
        self.objects: list[dict[str, Any]] = []

    def write(self, texts: tuple[str, ...]) -> None:
        self.objects += [json.loads(line) for text in texts for line in text.split("\n")]

    def read_together(self) -> None: ...

    async def drained(self) -> bool:
        for _ in range(self.slow):
            await asyncio.sleep(0)
        return True

    def close(self) -> None: ...


class Presence:
    def enter(self, *_: str) -> None: ...

    def leave(self, *_: str) -> None: ...

    def count(self, _: str) -> int:
        return 1


class Process:
    """As much of a hub as a room and a consumer ask for."""

    worker = "worker"

    def __init__(self, log: ModelLog) -> None:
        self.room = Room("room", log)
        self.presence = Presence()
        self.on_the_way: list[tuple[str, Message]] = []

    async def enter(self, _: str) -> Room:
        return self.room

    def leave(self, _: Room) -> None: ...

    def announce_sentence(self, *_: Any) -> None: ...


async def started(log: ModelLog) -> Process:
    return Process(log)


class Socket:
    """The production consumer from its joining on."""

    def __init__(self, process: Process, since: tuple[str, int] | None, slow: int) -> None:
        self.since = since
        self.recorder = Recorder(slow)
        consumer: Any = consumers.RoomConsumer()
        self.consumer = consumer
        consumer.scope = {"url_route": {"kwargs": {"room_name": "room"}}}
        consumer.hub = process
        consumer.v1 = True
        consumer.name = consumer.key = "name"
        consumer.writer = self.recorder
        consumer.write = self.recorder.write
        consumer.format = formats.CHAT_V1[SendWriter]
        self.joining = asyncio.ensure_future(consumer.join(Connect(since=since)))

    def leave(self) -> None:
        self.joining.cancel()
        self.consumer.leave()

    def walk(self) -> tuple[str, int, list[tuple[str, int, str]]]:
        epoch, offset, heard = "", 0, []
        for each in self.recorder.objects:
            if each["type"] == "welcome":
                recovered = each.get("recovered", False)
                assert not recovered or not epoch, "only the first welcome recovers"
                epoch, offset = each["epoch"], self.since[1] if recovered and self.since else each["offset"]
            else:
                assert epoch, "the welcome comes first"
                assert each["offset"] == offset + 1, (each, self.recorder.objects)
                offset = each["offset"]
                heard.append((epoch, offset, each["text"]))
        return epoch, offset, heard


class Merging(RuleBasedStateMachine):
    @initialize(
        length=st.sampled_from([6, 1000, 1000]), slow=st.integers(0, 4), harm=st.integers(0, 3), said=st.integers(0, 12)
    )
    def begin(self, length: int, slow: int, harm: int, said: int) -> None:
        self.loop = asyncio.new_event_loop()
        self.log = ModelLog(length)
        self.processes = [self.run(started(self.log)) for _ in range(PROCESSES)]
        for process in self.processes:
            self.run(process.room.open())
        self.log.slow = slow
        self.harm = harm  # as often may something be lost
        self.sockets: list[Socket] = []
        self.past: list[tuple[str, int]] = []  # where those have been who left
        self.drafts: list[tuple[Draft, Appended]] = []
        self.named: dict[tuple[str, int], str] = {}
        self.harmed = length < 1000
        if said:
            self.say(0, said)
            self.all_arrive(1)

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(coroutine)

    def go_round(self, times: int) -> None:
        async def rounds() -> None:
            for _ in range(times):
                await asyncio.sleep(0)

        self.run(rounds())

    # ── What people do ─────────────────────────────────────────────────────────────────────────

    @rule(at=st.integers(0, PROCESSES - 1), times=st.integers(1, 4))
    def say(self, at: int, times: int) -> None:
        for _ in range(times):
            number = len(self.drafts)
            self.append(at, Draft("sender", f"text {number}", f"ref {number}"))

    def append(self, at: int, draft: Draft) -> Appended:
        async def said() -> Appended:
            room = self.processes[at].room
            appended = await self.log.append("room", draft, room.position)
            if appended.new:
                self.drafts.append((draft, appended))
                message = appended.message(draft)
                room.hear(appended.epoch, message)
                for process in self.processes:
                    process.on_the_way.append((appended.epoch, message))
            return appended

        appended: Appended = self.run(said())
        return appended

    @precondition(lambda self: self.drafts)
    @rule(at=st.integers(0, PROCESSES - 1), data=st.data())
    def say_again(self, at: int, data: st.DataObject) -> None:
        draft, first = data.draw(st.sampled_from(self.drafts))
        known = draft.ref in self.log.refs
        again = self.append(at, draft)
        assert again.new is not known
        if known and again.epoch == first.epoch:
            assert again.offset == first.offset

    @rule(at=st.integers(0, PROCESSES - 1), slow=st.integers(0, 4), data=st.data())
    def come(self, at: int, slow: int, data: st.DataObject) -> None:
        reached = st.tuples(st.just(self.log.epoch), st.integers(self.log.base, self.log.offset))
        unknown = st.sampled_from([*self.past, (self.log.epoch, self.log.offset + 1), ("unheard-of", 3)])
        since = data.draw(st.one_of(reached, reached, unknown, st.none()))

        async def open_socket() -> None:
            self.sockets.append(Socket(self.processes[at], since, slow))

        self.run(open_socket())

    @precondition(lambda self: self.sockets)
    @rule(data=st.data())
    def go(self, data: st.DataObject) -> None:
        socket = data.draw(st.sampled_from(self.sockets))
        self.sockets.remove(socket)
        socket.leave()
        epoch, offset, _ = socket.walk()
        if epoch:
            self.past.append((epoch, offset))

    # ── What the network does ──────────────────────────────────────────────────────────────────

    @precondition(lambda self: any(process.on_the_way for process in self.processes))
    @rule(data=st.data(), fate=st.sampled_from(["arrives", "arrives", "arrives", "arrives twice", "is lost"]))
    def event(self, data: st.DataObject, fate: str) -> None:
        process = data.draw(st.sampled_from([process for process in self.processes if process.on_the_way]))
        index = data.draw(st.integers(0, len(process.on_the_way) - 1))
        heard = process.on_the_way[index]
        if fate != "arrives twice":
            del process.on_the_way[index]
        if fate != "is lost":
            self.hear(process, heard)

    @rule(at=st.integers(0, PROCESSES - 1))
    def all_arrive(self, at: int) -> None:
        process = self.processes[at]
        while process.on_the_way:
            self.hear(process, process.on_the_way.pop(0))

    def hear(self, process: Process, heard: tuple[str, Message]) -> None:
        async def hear() -> None:
            process.room.hear(*heard)

        self.run(hear())

    @rule(times=st.integers(1, 6))
    def time_passes(self, times: int) -> None:
        self.go_round(times)

    @rule(at=st.integers(0, PROCESSES - 1))
    def write(self, at: int) -> None:
        """What was held back to be written together has waited long enough."""

        async def write() -> None:
            self.processes[at].room.write()

        self.run(write())

    @rule(at=st.integers(0, PROCESSES - 1))
    def look(self, at: int) -> None:
        """What a hub does every few seconds."""

        async def look() -> None:
            room = self.processes[at].room
            room.check((await self.log.positions({"room": room.position}))["room"])

        self.run(look())

    # ── What the store does ────────────────────────────────────────────────────────────────────

    @precondition(lambda self: self.harm)
    @rule(count=st.integers(1, 3), data=st.data())
    def lose_newest(self, count: int, data: st.DataObject) -> None:
        """What is on the way arrives before the connections end, or not; then each process says what it has seen."""
        self.harmed = True
        self.harm -= 1
        for process in self.processes:
            for heard in process.on_the_way:
                if data.draw(st.booleans()):
                    self.hear(process, heard)
            process.on_the_way.clear()
        self.log.lose_newest(count)
        for at in range(PROCESSES):
            self.look(at)

    @precondition(lambda self: self.harm)
    @rule()
    def lose_all(self) -> None:
        self.harmed = True
        self.harm -= 1
        self.log.lose_all()

    # ── What must hold ─────────────────────────────────────────────────────────────────────────

    @invariant()
    def each_hears_what_is_next_and_no_offset_names_two_texts(self) -> None:
        for socket in getattr(self, "sockets", []):
            _, _, heard = socket.walk()
            for epoch, offset, text in heard:
                assert self.named.setdefault((epoch, offset), text) == text

    def teardown(self) -> None:
        if not hasattr(self, "loop"):
            return
        try:
            for _ in range(2):
                for at in range(PROCESSES):
                    self.look(at)
                    self.go_round(ROUNDS)
                    self.write(at)
            for socket in self.sockets:
                assert socket.joining.done()
                socket.joining.result()
                epoch, offset, heard = socket.walk()
                assert (epoch, offset) == (self.log.epoch, self.log.offset), socket.recorder.objects
                for at_epoch, at_offset, text in heard:
                    if at_epoch == self.log.epoch and (message := self.log.messages.get(at_offset)):
                        assert message.text == text
                if not self.harmed:  # nobody is told of a gap that the log could fill
                    assert sum(each["type"] == "welcome" for each in socket.recorder.objects) == 1
            self.each_hears_what_is_next_and_no_offset_names_two_texts()
        finally:
            for socket in self.sockets:
                socket.leave()
            self.go_round(2)
            self.loop.close()


def test_rooms_merge_log_and_live_without_gap_or_repetition(monkeypatch: pytest.MonkeyPatch) -> None:
    # Small, so that every way of reading is taken; and long, so that the machine says when it is over.
    monkeypatch.setattr(rooms, "BUSY_SECONDS", 1e9)
    monkeypatch.setattr(rooms, "BURST_SECONDS", 3600)
    monkeypatch.setattr(rooms, "OVERTAKEN_SECONDS", 0)
    monkeypatch.setattr(rooms, "KEPT_MESSAGES", 5)
    monkeypatch.setattr(rooms, "LOOK_BACK", 2)
    monkeypatch.setattr(rooms, "READ_AT_ONCE", 3)
    monkeypatch.setattr(consumers, "REPLAYED_AT_ONCE", 2)
    monkeypatch.setattr(consumers, "RETRY_SECONDS", 0)
    run_state_machine_as_test(
        Merging,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_a_repair_that_was_asked_for_during_another_is_made() -> None:
    """The reading that is under way may be older than what is missing."""

    async def repairs() -> list[int]:
        log = ModelLog(1000)
        room = Room("room", log)
        await room.open()
        log.slow = 5
        await log.append("room", Draft("sender", "1", "1"))
        first = room.repair()
        for _ in range(7):  # it has read, and has not heard so yet
            await asyncio.sleep(0)
        await log.append("room", Draft("sender", "2", "2"))
        room.repair()
        await first
        return [room.offset]

    assert asyncio.run(repairs()) == [2]
