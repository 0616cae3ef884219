"""Who is in which room: what members are told, and that processes agree whatever was lost between them."""

import asyncio
import contextlib
import json
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

import pytest
from django.test import override_settings

from app.channel_layer import NamingMemoryChannelLayer
from MyChannels.hub import Hub
from MyChannels.log import Unavailable
from MyChannels.messages import MOST_NAMES
from MyChannels.presence import (
    ALIVE_SECONDS,
    CROWD_SECONDS,
    ENDED,
    GATHER_SECONDS,
    GRACE_SECONDS,
    HEARTBEAT_SECONDS,
    Names,
    Presence,
    Roster,
    said_of,
)
from tests.unit.virtual_time import in_virtual_time, now, passes, settle

SOON = GATHER_SECONDS + 0.05  # by then a change is told
LEFT = GRACE_SECONDS + 2 * SOON  # by then a leaving
SAID_AGAIN = HEARTBEAT_SECONDS + SOON  # by then what was lost is noticed and read


class Shelf:
    """The processes' lists, with their expiry, as Redis has them."""

    def __init__(self) -> None:
        self.lists: dict[str, tuple[int, dict[str, str]]] = {}
        self.until: dict[str, float] = {}
        self.away = False
        self.loads = 0

    def _look(self) -> None:
        if self.away:
            raise Unavailable("the roster is away")
        for process in [process for process, until in self.until.items() if until <= now()]:
            self.forget(process)

    def forget(self, process: str) -> None:
        self.until.pop(process, None)
        self.lists.pop(process, None)

    async def save(self, process: str, version: int, rooms: Mapping[str, Names]) -> bool:
        self._look()
        new = process not in self.lists
        _, lists = self.lists.get(process, (0, {}))
        lists |= {room: json.dumps(names) for room, names in rooms.items()}
        self.lists[process] = (version, lists)
        self.until[process] = now() + ALIVE_SECONDS
        return new

    async def load(self, process: str, rooms: Iterable[str]) -> tuple[int, dict[str, Names]]:
        self._look()
        self.loads += 1
        version, lists = self.lists.get(process, (0, {}))
        return version, {room: json.loads(lists.get(room, "{}")) for room in rooms}

    async def alive(self) -> set[str]:
        self._look()
        return set(self.until)

    async def remove(self, process: str) -> None:
        self._look()
        self.forget(process)


class Wire:
    """Brings each event to every process, its own included, as the group of the hubs does; or loses it."""

    def __init__(self) -> None:
        self.ends: list[Presence] = []
        self.cut = False
        self.carried: list[dict[str, Any]] = []

    def carry(self, event: dict[str, Any]) -> None:
        if not self.cut:
            self.carried.append(event)
            for end in self.ends:
                asyncio.get_running_loop().call_soon(end.heard, json.loads(json.dumps(event)))


class Worker:
    """A process: a presence, what it has announced, and the loops in which the hub runs it."""

    def __init__(self, name: str, shelf: Shelf | None, wire: Wire, limit: int) -> None:
        self.told: list[tuple[float, str, list[str], list[str], int]] = []
        self.presence = Presence(name, shelf, announce=self._announce, tell=wire.carry, limit=limit, now=now)  # type: ignore[arg-type]
        self.loops: list[asyncio.Task[None]] = []

    def _announce(self, room: str, came: Names, left: list[str], count: int) -> None:
        self.told.append((now(), room, list(came.values()), left, count))

    def start(self) -> None:
        for seconds, work in [(0.0, self.presence.gather), (HEARTBEAT_SECONDS, self.presence.beat)]:
            self.loops.append(asyncio.get_running_loop().create_task(self._often(seconds, work)))

    async def _often(self, seconds: float, work: Any) -> None:
        while True:
            await asyncio.sleep(seconds)
            with contextlib.suppress(Unavailable):
                await work()
                continue
            await asyncio.sleep(0.25)

    def die(self) -> None:
        for loop in self.loops:
            loop.cancel()

    @property
    def came(self) -> list[str]:
        return [name for told in self.told for name in told[2]]

    @property
    def left(self) -> list[str]:
        return [name for told in self.told for name in told[3]]

    @property
    def sees(self) -> list[str]:
        assert self.presence.count("lobby") == len(self.presence.names("lobby"))
        return self.presence.names("lobby")


class Town:
    """Workers that share a roster and a wire."""

    def __init__(self, limit: int = 100) -> None:
        self.shelf = Shelf()
        self.wire = Wire()
        self.limit = limit

    async def worker(self, name: str, room: str = "lobby") -> Worker:
        worker = Worker(name, self.shelf, self.wire, self.limit)
        self.wire.ends.append(worker.presence)
        await worker.presence.beat()  # as the hub does before it opens its first room
        await worker.presence.open(room)
        worker.start()
        return worker

    def kill(self, worker: Worker) -> None:
        worker.die()
        self.wire.ends.remove(worker.presence)


# ── One process ────────────────────────────────────────────────────────────────────────────────


async def alone(limit: int = 100) -> Worker:
    """A process without a roster, as `make dev` runs it."""
    worker = Worker("one", None, Wire(), limit)
    await worker.presence.beat()
    await worker.presence.open("lobby")
    worker.start()
    return worker


@in_virtual_time
async def test_member_counts_at_once_and_is_told_of_soon() -> None:
    worker = await alone()
    worker.presence.enter("lobby", "k", "Ada")
    assert worker.sees == ["Ada"]
    assert worker.told == []
    at = now()
    await passes(SOON)
    [(when, *what)] = worker.told
    assert what == ["lobby", ["Ada"], [], 1]
    assert when - at == pytest.approx(GATHER_SECONDS)


@in_virtual_time
async def test_changes_at_about_the_same_time_are_told_together() -> None:
    worker = await alone()
    for key in "abc":
        worker.presence.enter("lobby", key, f"name {key}")
        await passes(GATHER_SECONDS / 4)
    await passes(SOON)
    assert [told[1:] for told in worker.told] == [("lobby", ["name a", "name b", "name c"], [], 3)]


@in_virtual_time
async def test_leaving_is_told_two_seconds_later() -> None:
    worker = await alone()
    worker.presence.enter("lobby", "k", "Ada")
    await passes(SOON)
    worker.presence.leave("lobby", "k")
    at = now()
    await passes(LEFT)
    when, *what = worker.told[-1]
    assert what == ["lobby", [], ["Ada"], 0]
    assert GRACE_SECONDS <= when - at <= GRACE_SECONDS + 2 * GATHER_SECONDS
    assert worker.sees == []


@in_virtual_time
async def test_who_reconnects_within_that_time_was_never_away() -> None:
    worker = await alone()
    worker.presence.enter("lobby", "k", "Ada")
    await passes(SOON)
    for _ in range(5):
        worker.presence.leave("lobby", "k")
        await passes(GRACE_SECONDS - 2 * SOON)
        assert worker.sees == ["Ada"]
        worker.presence.enter("lobby", "k", "Ada")
        await passes(LEFT)
    assert (worker.came, worker.left) == (["Ada"], [])


@in_virtual_time
async def test_who_comes_back_later_has_left_and_joined() -> None:
    worker = await alone()
    worker.presence.enter("lobby", "k", "Ada")
    await passes(SOON)
    worker.presence.leave("lobby", "k")
    await passes(LEFT)
    worker.presence.enter("lobby", "k", "Ada")
    await passes(SOON)
    assert (worker.came, worker.left) == (["Ada", "Ada"], ["Ada"])


@in_virtual_time
async def test_two_sockets_of_one_client_are_one_member() -> None:
    worker = await alone()
    worker.presence.enter("lobby", "k", "Ada")
    worker.presence.enter("lobby", "k", "Ada")
    await passes(SOON)
    assert (worker.sees, worker.came) == (["Ada"], ["Ada"])
    worker.presence.leave("lobby", "k")
    await passes(LEFT)
    assert (worker.sees, worker.left) == (["Ada"], [])
    worker.presence.leave("lobby", "k")
    await passes(LEFT)
    assert (worker.sees, worker.left) == ([], ["Ada"])


@in_virtual_time
async def test_names_may_repeat() -> None:
    worker = await alone()
    worker.presence.enter("lobby", "k1", "Ada")
    worker.presence.enter("lobby", "k2", "Ada")
    assert worker.sees == ["Ada", "Ada"]
    worker.presence.leave("lobby", "k1")
    await passes(LEFT)
    assert worker.sees == ["Ada"]


@in_virtual_time
async def test_rooms_do_not_hear_of_each_other() -> None:
    worker = await alone()
    await worker.presence.open("other")
    worker.presence.enter("lobby", "k", "Ada")
    worker.presence.enter("other", "k", "Ada")
    worker.presence.leave("other", "k")
    await passes(LEFT)
    assert worker.sees == ["Ada"]
    assert worker.presence.count("other") == 0
    assert worker.presence.count("unheard of") == 0
    assert worker.presence.names("unheard of") == []


@in_virtual_time
async def test_closed_room_is_forgotten() -> None:
    worker = await alone()
    worker.presence.enter("lobby", "k", "Ada")
    worker.presence.leave("lobby", "k")
    await passes(LEFT)
    worker.presence.close("lobby")
    await passes(SOON)
    assert "lobby" not in worker.presence._rooms


@in_virtual_time
async def test_room_that_opens_again_in_time_is_not_forgotten() -> None:
    worker = await alone()
    worker.presence.close("lobby")
    await worker.presence.open("lobby")
    worker.presence.enter("lobby", "k", "Ada")
    await passes(LEFT)
    assert worker.sees == ["Ada"]


# ── A crowd ────────────────────────────────────────────────────────────────────────────────────


@in_virtual_time
async def test_crowd_is_told_at_most_once_a_second() -> None:
    worker = await alone(limit=3)
    for number in range(100):
        worker.presence.enter("lobby", str(number), f"name {number}")
        await passes(0.1)
    await passes(CROWD_SECONDS + SOON)
    times = [told[0] for told in worker.told if told[4] > 3]
    assert all(later - earlier >= CROWD_SECONDS for earlier, later in pairwise(times))
    assert len(times) <= 12
    assert len(worker.came) == worker.told[-1][4] == 100  # nobody is left out of the count


@in_virtual_time
async def test_crowds_leaving_is_told_at_most_once_a_second_too() -> None:
    worker = await alone(limit=3)
    for number in range(50):
        worker.presence.enter("lobby", str(number), f"name {number}")
    await passes(CROWD_SECONDS + SOON)
    worker.told.clear()
    for number in range(40):
        worker.presence.leave("lobby", str(number))
        await passes(0.1)
    await passes(LEFT + CROWD_SECONDS)
    times = [told[0] for told in worker.told]
    assert all(later - earlier >= CROWD_SECONDS for earlier, later in pairwise(times))
    assert len(worker.left) == 40
    assert worker.presence.count("lobby") == worker.told[-1][4] == 10


@pytest.mark.parametrize(("number", "names", "more"), [(0, 0, 0), (1, 1, 0), (100, 100, 0), (101, 100, 1)])
def test_up_to_a_hundred_names_are_told_and_how_many_more_there_are(number: int, names: int, more: int) -> None:
    given = [str(n) for n in range(number)]
    assert MOST_NAMES == 100
    assert said_of(given, crowd=False) == (given[:names], more)


def test_crowd_is_told_no_names_but_how_many() -> None:
    assert said_of(iter(["Ada", "Bob"]), crowd=True) == ([], 2)


# ── Several processes ──────────────────────────────────────────────────────────────────────────


@in_virtual_time
async def test_processes_tell_each_other_of_their_members() -> None:
    town = Town()
    one, two = await town.worker("one"), await town.worker("two")
    one.presence.enter("lobby", "a", "Ada")
    two.presence.enter("lobby", "b", "Bob")
    await passes(2 * SOON)
    assert one.sees == two.sees == ["Ada", "Bob"]
    assert sorted(one.came) == sorted(two.came) == ["Ada", "Bob"]
    one.presence.leave("lobby", "a")
    await passes(LEFT + SOON)
    assert one.sees == two.sees == ["Bob"]
    assert one.left == two.left == ["Ada"]


@in_virtual_time
async def test_who_was_there_before_a_process_opened_the_room_is_known_and_not_announced() -> None:
    town = Town()
    one = await town.worker("one")
    one.presence.enter("lobby", "a", "Ada")
    await passes(SOON)
    two = await town.worker("two")
    assert two.sees == ["Ada"]
    await passes(SAID_AGAIN)
    assert two.came == []


@in_virtual_time
async def test_room_that_another_process_opens_later_is_read_then() -> None:
    town = Town()
    one, two = await town.worker("one"), await town.worker("two", room="other")
    one.presence.enter("lobby", "a", "Ada")
    await passes(2 * SOON)
    assert two.sees == []
    await two.presence.open("lobby")
    assert two.sees == ["Ada"]
    one.presence.leave("lobby", "a")
    await passes(LEFT + SOON)
    assert (two.sees, two.left) == ([], ["Ada"])


@in_virtual_time
async def test_client_that_changes_the_worker_within_the_grace_was_never_away() -> None:
    town = Town()
    one, two = await town.worker("one"), await town.worker("two")
    one.presence.enter("lobby", "a", "Ada")
    await passes(2 * SOON)
    one.presence.leave("lobby", "a")
    await passes(1)
    two.presence.enter("lobby", "a", "Ada")
    await passes(LEFT)
    assert one.sees == two.sees == ["Ada"]
    assert (one.came, one.left, two.came, two.left) == (["Ada"], [], ["Ada"], [])


@in_virtual_time
async def test_client_on_two_workers_leaves_with_its_last_socket() -> None:
    town = Town()
    one, two = await town.worker("one"), await town.worker("two")
    one.presence.enter("lobby", "a", "Ada")
    two.presence.enter("lobby", "a", "Ada")
    await passes(2 * SOON)
    one.presence.leave("lobby", "a")
    await passes(LEFT)
    assert one.sees == two.sees == ["Ada"]
    assert one.left == two.left == []
    two.presence.leave("lobby", "a")
    await passes(LEFT)
    assert one.sees == two.sees == []
    assert one.left == two.left == ["Ada"]


@in_virtual_time
async def test_lost_event_is_noticed_by_the_next_heartbeat() -> None:
    town = Town()
    one, two = await town.worker("one"), await town.worker("two")
    one.presence.enter("lobby", "a", "Ada")
    await passes(2 * SOON)
    town.wire.cut = True
    one.presence.enter("lobby", "c", "Cid")
    one.presence.leave("lobby", "a")
    await passes(SOON)
    town.wire.cut = False
    await passes(SAID_AGAIN + LEFT)
    assert one.sees == two.sees == ["Cid"]
    assert (two.came, two.left) == (["Ada", "Cid"], ["Ada"])


@in_virtual_time
async def test_lost_event_is_noticed_by_the_next_change() -> None:
    town = Town()
    one, two = await town.worker("one"), await town.worker("two")
    await passes(HEARTBEAT_SECONDS + SOON)  # the next heartbeat is far
    town.wire.cut = True
    one.presence.enter("lobby", "a", "Ada")
    await passes(SOON)
    town.wire.cut = False
    one.presence.enter("lobby", "b", "Bob")
    await passes(3 * SOON)
    assert two.sees == ["Ada", "Bob"]


@in_virtual_time
async def test_undisturbed_processes_read_each_others_lists_no_more() -> None:
    town = Town()
    one, two = await town.worker("one"), await town.worker("two")
    await passes(2 * SAID_AGAIN)
    before = town.shelf.loads
    for number in range(20):
        one.presence.enter("lobby", str(number), str(number))
        await passes(1)
    assert len(two.sees) == 20
    assert town.shelf.loads == before


@in_virtual_time
async def test_members_of_a_killed_process_vanish_within_half_a_minute() -> None:
    town = Town()
    one, two = await town.worker("one"), await town.worker("two")
    one.presence.enter("lobby", "a", "Ada")
    two.presence.enter("lobby", "b", "Bob")
    await passes(2 * SOON)
    town.kill(one)
    await passes(30)
    assert two.sees == ["Bob"]
    assert two.left == ["Ada"]


@in_virtual_time
async def test_members_of_a_process_that_ends_properly_vanish_sooner() -> None:
    town = Town()
    one, two = await town.worker("one"), await town.worker("two")
    one.presence.enter("lobby", "a", "Ada")
    await passes(2 * SOON)
    await one.presence.end()
    town.kill(one)
    await passes(SAID_AGAIN + LEFT)
    assert (two.sees, two.left) == ([], ["Ada"])


@in_virtual_time
async def test_who_comes_back_from_a_killed_process_in_time_was_never_away() -> None:
    town = Town()
    one, two = await town.worker("one"), await town.worker("two")
    one.presence.enter("lobby", "a", "Ada")
    await passes(2 * SOON)
    town.kill(one)
    await passes(1)
    two.presence.enter("lobby", "a", "Ada")
    await passes(30)
    assert (two.sees, two.came, two.left) == (["Ada"], ["Ada"], [])


@in_virtual_time
async def test_changes_while_the_roster_is_away_are_told_here_at_once_and_elsewhere_later() -> None:
    town = Town()
    one, two = await town.worker("one"), await town.worker("two")
    town.shelf.away = True
    one.presence.enter("lobby", "a", "Ada")
    await passes(2)
    assert (one.came, two.came) == (["Ada"], [])
    town.shelf.away = False
    await passes(1)
    assert one.sees == two.sees == ["Ada"]
    assert (one.came, two.came) == (["Ada"], ["Ada"])


@in_virtual_time
async def test_who_came_and_went_before_anybody_was_told_is_not_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    town = Town()
    one = await town.worker("one")

    async def no_answer(process: str, version: int, rooms: Mapping[str, Names]) -> bool:
        await passes(GRACE_SECONDS + 1)
        raise Unavailable("the roster does not answer")

    monkeypatch.setattr(town.shelf, "save", no_answer)
    one.presence.enter("lobby", "a", "Ada")
    one.presence.leave("lobby", "a")
    await passes(10)
    assert (one.sees, one.told) == ([], [])


@in_virtual_time
async def test_room_cannot_be_opened_while_the_roster_is_away() -> None:
    town = Town()
    await town.worker("one")
    two = await town.worker("two")
    town.shelf.away = True
    with pytest.raises(Unavailable):
        await two.presence.open("other")


# ── What another process tells ─────────────────────────────────────────────────────────────────


def event(version: int, came: Names | None = None, went: Iterable[str] = (), process: str = "far") -> dict[str, Any]:
    rooms = {"lobby": [came or {}, list(went)], "a room nobody here is in": [{"z": "Zoe"}, []]}
    return {"type": "hub.presence", "process": process, "version": version, "rooms": rooms}


async def acquainted(town: Town, version: int) -> Worker:
    """A worker that knows the process `far` at `version`."""
    await town.shelf.save("far", version, {"lobby": {"a": "Ada"}})
    return await town.worker("near")


@in_virtual_time
async def test_next_version_is_applied_and_an_old_one_is_not() -> None:
    town = Town()
    near = await acquainted(town, 7)
    near.presence.heard(event(8, {"b": "Bob"}))
    near.presence.heard(event(7, {"x": "Xen"}))
    near.presence.heard(event(8, {"y": "Yan"}))
    assert near.sees == ["Ada", "Bob"]
    near.presence.heard(event(9, went=["a"]))
    assert near.sees == ["Ada", "Bob"]  # for two seconds more
    await passes(LEFT)
    assert (near.sees, near.left) == (["Bob"], ["Ada"])


@in_virtual_time
async def test_version_after_a_gap_is_not_applied_but_its_lists_are_read() -> None:
    town = Town()
    near = await acquainted(town, 7)
    await town.shelf.save("far", 9, {"lobby": {"b": "Bob", "c": "Cid"}})
    near.presence.heard(event(9, {"c": "Cid"}))
    assert near.sees == ["Ada"]
    await passes(SOON)
    assert near.sees == ["Ada", "Bob", "Cid"]
    await passes(LEFT)
    assert near.sees == ["Bob", "Cid"]


@in_virtual_time
async def test_process_that_nobody_knew_is_read() -> None:
    town = Town()
    near = await town.worker("near")
    await town.shelf.save("far", 1, {"lobby": {"a": "Ada"}})
    near.presence.heard(event(1, {"a": "Ada"}))
    await passes(SOON)
    assert near.sees == ["Ada"]


@in_virtual_time
async def test_own_events_are_no_news() -> None:
    town = Town()
    near = await town.worker("near")
    near.presence.heard(event(99, {"x": "Xen"}, process="near"))
    await passes(SOON)
    assert near.sees == []


@in_virtual_time
async def test_members_are_told_only_what_changed_when_lists_are_read_again() -> None:
    town = Town()
    near = await acquainted(town, 7)
    await town.shelf.save("far", 20, {"lobby": {"a": "Ada", "b": "Bob"}})
    near.presence.heard(event(20))
    await passes(SOON)
    assert (near.came, near.left) == (["Bob"], [])


# ── After an outage, and while opening ─────────────────────────────────────────────────────────


@in_virtual_time
async def test_members_are_known_again_after_the_roster_was_away_for_long() -> None:
    town = Town()
    one, two = await town.worker("one"), await town.worker("two")
    one.presence.enter("lobby", "a", "Ada")
    two.presence.enter("lobby", "b", "Bob")
    await passes(2 * SOON)
    town.shelf.away = True
    await passes(ALIVE_SECONDS + 1)
    town.shelf.away = False
    await passes(30)
    assert one.sees == two.sees == ["Ada", "Bob"]
    assert one.left == two.left == []


def slow_down(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read may be older than what is heard before it arrives."""
    load = shelf.load

    async def slow_load(process: str, rooms: Iterable[str]) -> tuple[int, dict[str, Names]]:
        found = await load(process, rooms)
        await settle()  # the answer is on its way
        return found

    monkeypatch.setattr(shelf, "load", slow_load)


@in_virtual_time
async def test_who_leaves_while_the_room_is_opened_does_not_stay_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    town = Town()
    near = await acquainted(town, 7)
    slow_down(town.shelf, monkeypatch)
    await town.shelf.save("far", 7, {"other": {"c": "Cid"}})
    opening = asyncio.ensure_future(near.presence.open("other"))
    await asyncio.sleep(0)
    await town.shelf.save("far", 8, {"other": {}})
    near.presence.heard({**event(8), "rooms": {"other": [{}, ["c"]]}})
    await opening
    for _ in range(5):
        await passes(HEARTBEAT_SECONDS)
        await town.shelf.save("far", 8, {})
        near.presence.heard({"type": "hub.presence", "process": "far", "version": 8})
    assert near.presence.names("other") == []


@in_virtual_time
async def test_room_whose_members_could_not_be_read_is_not_open_yet() -> None:
    asked = []

    async def first_away(room: str) -> None:
        asked.append(room)
        if len(asked) == 1:
            raise Unavailable("the roster is away")

    with override_settings(REDIS_URL=""):
        hub = Hub(NamingMemoryChannelLayer())
    try:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(hub.presence, "open", first_away)
            with pytest.raises(Unavailable):
                await hub.enter("lobby")
            await hub.enter("lobby")
        assert asked == ["lobby", "lobby"]
    finally:
        await hub.close()


@in_virtual_time
async def test_members_of_a_process_that_has_ended_do_not_wait_for_the_heartbeat() -> None:
    town = Town()
    one, two = await town.worker("one"), await town.worker("two")
    one.presence.enter("lobby", "a", "Ada")
    await passes(2 * SOON)
    await one.presence.end()
    town.kill(one)
    await passes(LEFT)
    assert (two.sees, two.left) == ([], ["Ada"])


# ── Defects ────────────────────────────────────────────────────────────────────────────────────


@in_virtual_time
async def test_members_are_known_again_though_somebody_came_during_the_outage() -> None:
    town = Town()
    one, two = await town.worker("one"), await town.worker("two")
    await one.presence.open("other")
    one.presence.enter("lobby", "a", "Ada")
    await passes(2 * SOON)
    town.shelf.away = True
    await passes(ALIVE_SECONDS + 1)
    one.presence.enter("other", "c", "Cid")
    town.shelf.away = False
    await passes(30)
    assert two.sees == ["Ada"]
    assert (await town.worker("three")).sees == ["Ada"]


@in_virtual_time
async def test_who_reads_while_lists_are_being_revived_reads_them_again(monkeypatch: pytest.MonkeyPatch) -> None:
    town = Town()
    one, two = await town.worker("one"), await town.worker("two")
    one.presence.enter("lobby", "a", "Ada")
    await passes(2 * SOON)
    one.die()  # frozen
    await passes(30)
    assert two.sees == []
    save = town.shelf.save

    async def overtaken(process: str, version: int, rooms: Mapping[str, Names]) -> bool:
        new = await save(process, version, rooms)
        if process == "one" and new:
            await two.presence.beat()
        return new

    monkeypatch.setattr(town.shelf, "save", overtaken)
    one.start()  # thawed
    await passes(30)
    assert two.sees == ["Ada"]


@in_virtual_time
async def test_room_opens_while_a_killed_process_is_not_yet_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    town = Town()
    near = await acquainted(town, 7)
    load = town.shelf.load

    async def over_the_network(process: str, rooms: Iterable[str]) -> tuple[int, dict[str, Names]]:
        await passes(0.001)
        return await load(process, rooms)

    monkeypatch.setattr(town.shelf, "load", over_the_network)
    town.shelf.forget("far")  # its lists have expired
    before = town.shelf.loads
    async with asyncio.timeout(1):
        await near.presence.open("other")
    assert town.shelf.loads - before <= 2


@in_virtual_time
async def test_who_was_on_a_process_that_ends_while_the_room_is_opened_does_not_stay_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    town = Town()
    near = await acquainted(town, 7)
    slow_down(town.shelf, monkeypatch)
    await town.shelf.save("far", 7, {"other": {"c": "Cid"}})
    opening = asyncio.ensure_future(near.presence.open("other"))
    await asyncio.sleep(0)
    await town.shelf.remove("far")
    near.presence.heard({"type": "hub.presence", "process": "far", "version": ENDED})
    await opening
    await passes(30)
    assert near.presence.names("other") == []


@in_virtual_time
async def test_members_of_a_process_that_ends_while_its_lists_are_read_leave_as_soon_as_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    town = Town()
    near = await acquainted(town, 7)
    slow_down(town.shelf, monkeypatch)
    await town.shelf.save("far", 9, {"lobby": {"c": "Cid"}})
    near.presence.heard({"type": "hub.presence", "process": "far", "version": 9})  # 8 was missed: its lists are read
    reading = asyncio.ensure_future(near.presence.beat())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await town.shelf.remove("far")
    near.presence.heard({"type": "hub.presence", "process": "far", "version": ENDED})
    await reading
    await passes(LEFT)
    assert near.sees == []


@in_virtual_time
async def test_process_that_has_ended_says_no_more_that_it_lives() -> None:
    town = Town()
    one, _ = await town.worker("one"), await town.worker("two")
    one.presence.enter("lobby", "a", "Ada")
    await passes(2 * SOON)
    one.presence.leave("lobby", "a")
    await one.presence.end()
    await passes(SOON)  # its loops are stopped when all is sent, which may take two seconds
    one.die()
    await passes(SOON)
    assert await town.shelf.alive() == {"two"}


class Redis:
    """As much of it as the heartbeats need."""

    def __init__(self) -> None:
        self.beats: dict[bytes, int] = {}
        self.meanwhile: dict[bytes, int] = {}  # come between a look and what follows from it
        self.now = 0.0  # of the process that looks

    async def ask(self, *command: Any) -> Any:
        match command:
            case ("ZRANGE", _, 0, -1, "WITHSCORES"):
                return [[process, float(beat)] for process, beat in self.beats.items()]
            case ("ZREMRANGEBYSCORE", _, least, most):
                self.beats |= self.meanwhile
                self.beats = {process: beat for process, beat in self.beats.items() if not least <= beat <= most}


HOUR = 3600


@pytest.mark.parametrize("step", [HOUR, -HOUR])
async def test_life_is_measured_by_no_clock_that_can_be_set(step: int) -> None:
    """Whatever the clock of the process that beats, or of the machine, says."""
    redis = Redis()
    roster = Roster(redis, now=lambda: redis.now)  # type: ignore[arg-type]
    redis.beats = {b"living": 1_000_000, b"dead": 1_000_000 + step}
    for seconds in range(0, 15, 5):
        redis.now = float(seconds)
        redis.beats[b"living"] += 5 + step
        assert await roster.alive() == {"living", "dead"}
    redis.now = 15.0
    redis.beats[b"living"] += 5
    assert await roster.alive() == {"living"}
    assert list(redis.beats) == [b"living"]


async def test_a_process_that_was_taken_off_is_alive_with_its_next_heartbeat() -> None:
    redis = Redis()
    roster = Roster(redis, now=lambda: redis.now)  # type: ignore[arg-type]
    redis.beats = {b"frozen": 1}
    assert await roster.alive() == {"frozen"}
    redis.now = 60.0
    assert await roster.alive() == set()
    redis.beats[b"frozen"] = 1  # as before
    assert await roster.alive() == {"frozen"}


async def test_a_heartbeat_that_comes_between_look_and_removal_stays() -> None:
    redis = Redis()
    roster = Roster(redis, now=lambda: redis.now)  # type: ignore[arg-type]
    redis.beats = {b"slow": 1}
    assert await roster.alive() == {"slow"}
    redis.now, redis.meanwhile = 15.0, {b"slow": 16}
    assert await roster.alive() == set()
    assert redis.beats == {b"slow": 16}
    assert await roster.alive() == {"slow"}


async def test_a_living_process_with_the_beat_of_a_dead_one_stays() -> None:
    redis = Redis()
    roster = Roster(redis, now=lambda: redis.now)  # type: ignore[arg-type]
    redis.beats = {b"dead": 20}
    assert await roster.alive() == {"dead"}
    redis.now = 15.0
    redis.beats[b"living"] = 20
    assert await roster.alive() == {"living"}
    assert redis.beats == {b"dead": 20, b"living": 20}
    redis.beats[b"living"] = 25
    assert await roster.alive() == {"living"}
    assert redis.beats == {b"living": 25}
