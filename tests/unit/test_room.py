"""One room of one process: its members hear the log once, in order and without a gap, and reading it is rare."""

import asyncio
import json
import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from MyChannels import messages
from MyChannels import room as rooms
from MyChannels.formats import OBJECTS, ChatV1, Documented, Format
from MyChannels.limits import Pool
from MyChannels.log import NOTHING_SEEN, Draft, Page, Position, Unavailable
from MyChannels.log.memory import MemoryLog
from MyChannels.messages import Message
from MyChannels.room import (
    BURST_SECONDS,
    BUSY_SECONDS,
    COALESCED_CHARACTERS,
    KEPT_CHARACTERS,
    KEPT_MESSAGES,
    LOOK_BACK,
    OVERTAKEN_SECONDS,
    READ_AT_ONCE,
    SPACE_SECONDS,
    Room,
)
from tests.unit.virtual_time import in_virtual_time, now, passes, settle


class CountedLog(MemoryLog):
    """Counts what is read of it; its answers can be held back, and fail."""

    def __init__(self, length: int = 10_000) -> None:
        super().__init__(length=length, seconds=86_400)
        self.reads = 0
        self.read_messages = 0
        self.away = False
        self.answers = asyncio.Event()
        self.answers.set()

    async def read(
        self, room: str, seen: Position = NOTHING_SEEN, *, after: int | None = None, limit: int = 500
    ) -> Page:
        self.reads += 1
        if self.away:
            raise Unavailable("the log is away")
        page = await super().read(room, seen, after=after, limit=limit)
        self.read_messages += len(page.messages)
        await self.answers.wait()
        return page

    async def say(self, text: str = "hello") -> tuple[str, Message]:
        """What the process that appended it would publish."""
        draft = Draft("Ada", text, ref=str(random.random()))  # noqa: S311  # no secret
        appended = await self.append("lobby", draft)
        return appended.epoch, appended.message(draft)

    async def say_many(self, number: int, text: str = "hello") -> list[tuple[str, Message]]:
        return [await self.say(text) for _ in range(number)]


class Ear:
    """A member that records what it is told."""

    def __init__(self, kind: Format = OBJECTS, key: str = "k") -> None:
        self.format = kind
        self.key = key
        self.heard: list[Any] = []
        self.times: list[float] = []  # of its writes
        self.anew: list[int] = []  # how much had been heard before each

    @property
    def write(self) -> Callable[[Any], None]:
        return self._take

    def _take(self, payload: Any) -> None:
        self.times.append(now())
        self.heard += payload if isinstance(payload, list) else [payload]

    def begin_anew(self) -> None:
        self.anew.append(len(self.heard))

    @property
    def writes(self) -> int:
        return len(self.times)

    @property
    def offsets(self) -> list[int]:
        return [message.offset for message in self.heard]


@pytest.fixture(autouse=True)
def never_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "BUSY_SECONDS", -1)


def hear(room: Room, epoch: str, message: Message) -> None:
    """And write it, whatever else may come together with it."""
    room.hear(epoch, message)
    room.write()


async def open_room(length: int = 10_000, *, before: int = 0, ears: int = 1) -> tuple[CountedLog, Room, list[Ear]]:
    """An open room in which so much was said before; the reading done for that does not count."""
    log = CountedLog(length)
    await log.say_many(before)
    room = Room("lobby", log)
    await room.open()
    members = [Ear() for _ in range(ears)]
    for member in members:
        room.add(member)
    log.reads = log.read_messages = 0
    return log, room, members


# ── Hearing ────────────────────────────────────────────────────────────────────────────────────


@in_virtual_time
async def test_messages_in_order_are_passed_on_at_once() -> None:
    log, room, [ear] = await open_room()
    for said in await log.say_many(3):
        hear(room, *said)
        assert ear.heard[-1] is said[1]
    assert ear.offsets == [1, 2, 3]
    assert (room.offset, room.position) == (3, Position(room.epoch, 3, said[1].sent_at))
    assert log.reads == 0


@in_virtual_time
async def test_member_hears_what_follows_its_joining_and_nothing_after_its_leaving() -> None:
    log, room, [early] = await open_room(before=5)
    late = Ear()
    said = await log.say_many(4)
    hear(room, *said[0])
    room.add(late)
    hear(room, *said[1])
    room.remove(early)
    room.remove(early)  # who has left already
    hear(room, *said[2])
    room.remove(late)
    hear(room, *said[3])
    assert (early.offsets, late.offsets) == ([6, 7], [7, 8])
    assert room.members == []


@in_virtual_time
async def test_message_that_arrives_several_times_is_heard_once() -> None:
    log, room, [ear] = await open_room()
    said = await log.say_many(3)
    for again in [0, 0, 1, 0, 1, 2, 2, 0]:
        hear(room, *said[again])
    await passes(1)
    assert ear.offsets == [1, 2, 3]
    assert log.reads == 0


@in_virtual_time
async def test_messages_that_overtake_each_other_wait_for_their_turn_without_a_reading() -> None:
    log, room, [ear] = await open_room()
    said = await log.say_many(5)
    for place in [4, 2, 1, 3]:
        hear(room, *said[place])
    await passes(OVERTAKEN_SECONDS - 0.01)
    assert ear.heard == []
    hear(room, *said[0])
    assert ear.offsets == [1, 2, 3, 4, 5]
    await passes(1)
    assert (ear.offsets, log.reads) == ([1, 2, 3, 4, 5], 0)


@in_virtual_time
async def test_what_is_still_missing_after_50_ms_is_read_once_for_all_members() -> None:
    log, room, ears = await open_room(ears=1000)
    said = await log.say_many(10)
    for place in [0, 4, 7, 9]:
        hear(room, *said[place])
    await passes(OVERTAKEN_SECONDS + 0.001)
    assert all(ear.offsets == list(range(1, 11)) for ear in ears)
    assert log.reads == 1
    for late in said:
        hear(room, *late)
    await passes(1)
    assert all(len(ear.heard) == 10 for ear in ears)
    assert all(ear.anew == [] for ear in ears)
    assert log.reads == 1


@in_virtual_time
async def test_gap_of_any_length_is_read_page_by_page() -> None:
    log, room, [ear] = await open_room()
    said = await log.say_many(READ_AT_ONCE * 3 + 7)
    hear(room, *said[-1])
    await passes(1)
    assert ear.offsets == list(range(1, len(said) + 1))
    assert log.reads == 4


@in_virtual_time
async def test_many_messages_ahead_do_not_pile_up() -> None:
    log, room, [ear] = await open_room()
    said = await log.say_many(READ_AT_ONCE * 2)
    for one in said[1:]:
        hear(room, *one)
    assert len(room._early) <= READ_AT_ONCE
    await passes(1)
    assert ear.offsets == list(range(1, len(said) + 1))
    assert room._early == {}


@in_virtual_time
async def test_messages_during_the_reading_are_neither_lost_nor_heard_twice() -> None:
    log, room, [ear] = await open_room()
    first = await log.say_many(3)
    log.answers.clear()
    hear(room, *first[2])
    await passes(OVERTAKEN_SECONDS + 0.001)  # the reading has begun
    then = await log.say_many(3)
    hear(room, *first[0])
    hear(room, *then[0])
    hear(room, *then[2])
    log.answers.set()
    await passes(1)
    assert ear.offsets == [1, 2, 3, 4, 5, 6]


@in_virtual_time
async def test_what_cannot_be_read_now_is_read_with_the_next_message() -> None:
    log, room, [ear] = await open_room()
    said = await log.say_many(3)
    log.away = True
    hear(room, *said[1])
    await passes(1)
    assert ear.heard == []
    log.away = False
    hear(room, *said[2])
    await passes(1)
    assert (ear.offsets, ear.anew) == ([1, 2, 3], [])


@pytest.mark.parametrize("seed", range(5))
@in_virtual_time
async def test_any_order_and_any_losses_come_out_as_the_log(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  # no secret
    log, room, [ear] = await open_room()
    for _ in range(50):
        arriving = [one for one in await log.say_many(chance.randrange(1, 9)) if chance.random() < 0.7]
        chance.shuffle(arriving)
        for one in arriving:
            hear(room, *one)
            await passes(chance.choice([0, 0, 0.01, 0.06]))
    room.check(await log.read("lobby", limit=0))
    await passes(1)
    assert ear.offsets == list(range(1, room.offset + 1))
    assert room.offset == log.rooms["lobby"].offset
    assert ear.anew == []


# ── What everybody is told besides ─────────────────────────────────────────────────────────────


def counting(kind: type[ChatV1] | type[Documented]) -> tuple[Format, list[str]]:
    packed: list[str] = []

    def pack(*texts: str) -> str:
        packed.extend(texts)
        return "".join(texts)

    return kind(pack), packed


@in_virtual_time
async def test_message_is_encoded_once_per_format_and_written_once_per_member() -> None:
    encoded: list[object] = []

    def counted(encode: Callable[[Any], str]) -> Callable[[Any], str]:
        def run(content: Any) -> str:
            encoded.append(content)
            return encode(content)

        return run

    with pytest.MonkeyPatch.context() as patched:
        for name in ("encode", "encode_v1"):
            patched.setattr(messages, name, counted(getattr(messages, name)))
        log, room, _ = await open_room(ears=0)
        v1, v1_packed = counting(ChatV1)
        documented, documented_packed = counting(Documented)
        members = [Ear(kind) for kind in (v1, documented, OBJECTS) for _ in range(100)]
        for member in members:
            room.add(member)
        _, message = said = await log.say("你好")
        hear(room, *said)
        hear(room, *said)
    assert len(encoded) == 2
    assert (len(v1_packed), len(documented_packed)) == (1, 1)
    assert all(len(member.heard) == 1 for member in members)
    assert members[0].heard == members[99].heard == [message.line]
    assert json.loads(members[100].heard[0]) == {"message": "Ada说: 你好"}
    assert members[200].heard == [message]


@in_virtual_time
async def test_notice_and_other_objects_are_made_once_per_format_too() -> None:
    _, room, _ = await open_room(ears=0)
    v1, v1_packed = counting(ChatV1)
    documented, documented_packed = counting(Documented)
    members = [Ear(kind) for kind in (v1, documented, OBJECTS) for _ in range(10)]
    for member in members:
        room.add(member)
    room.notice("hello", joined=False)
    room.notice("Server: Ada加入了.", joined=True)
    room.tell({"type": "typing", "name": "Ada"})
    assert v1_packed == members[0].heard == ['{"type":"notice","text":"hello"}', '{"type":"typing","name":"Ada"}']
    assert [json.loads(text)["message"] for text in documented_packed] == ["hello", "Server: Ada加入了."]
    assert members[19].heard == documented_packed
    assert members[29].heard == []


@in_virtual_time
async def test_members_can_be_left_out_or_told_alone() -> None:
    _, room, _ = await open_room(ears=0)
    kind, _ = counting(ChatV1)
    ada, bob = Ear(kind), Ear(kind)
    for member in (ada, bob):
        room.add(member)
    room.tell({"type": "typing", "name": "Ada"}, but=[ada])
    assert (len(ada.heard), len(bob.heard)) == (0, 1)
    room.tell_one(ada, {"type": "pong"})
    room.tell_one(Ear(OBJECTS), {"type": "pong"})  # who hears no such thing
    assert (len(ada.heard), len(bob.heard)) == (1, 1)


# ── Opening ────────────────────────────────────────────────────────────────────────────────────


@in_virtual_time
async def test_room_opens_where_the_log_is() -> None:
    log, room, [ear] = await open_room(before=7)
    assert (room.epoch, room.offset) == ((await log.read("lobby")).epoch, 7)
    assert ear.heard == []


@in_virtual_time
async def test_what_arrives_while_the_room_opens_is_not_lost() -> None:
    log = CountedLog()
    old = await log.say_many(3)
    room = Room("lobby", log)
    log.answers.clear()
    opening = asyncio.ensure_future(room.open())
    await settle()
    new = await log.say_many(3)
    for said in [old[2], new[1], new[0]]:
        hear(room, *said)
    log.answers.set()
    await opening
    assert room.offset == 5
    ear = Ear()
    room.add(ear)
    hear(room, *new[2])
    assert ear.offsets == [6]


@in_virtual_time
async def test_gap_in_what_arrives_while_the_room_opens_is_read() -> None:
    log = CountedLog()
    room = Room("lobby", log)
    log.answers.clear()
    opening = asyncio.ensure_future(room.open())
    await settle()
    said = await log.say_many(3)
    hear(room, *said[2])
    ear = Ear()
    room.add(ear)
    log.answers.set()
    await opening
    await passes(1)
    assert ear.offsets == [1, 2, 3]


@in_virtual_time
async def test_room_whose_log_is_away_does_not_open() -> None:
    log = CountedLog()
    room = Room("lobby", log)
    log.away = True
    with pytest.raises(Unavailable):
        await room.open()
    assert room.epoch == ""


# ── Comparing with the log, and new epochs ─────────────────────────────────────────────────────


@in_virtual_time
async def test_check_reads_what_nobody_told_of_and_otherwise_nothing() -> None:
    log, room, [ear] = await open_room(before=2)
    page = await log.read("lobby", limit=0)
    room.check(page)
    await passes(1)
    assert log.reads == 1
    await log.say_many(2)
    behind, page = page, await log.read("lobby", limit=0)
    room.check(page)
    await passes(1)
    assert ear.offsets == [3, 4]
    reads = log.reads
    room.check(behind)  # an answer from before
    await passes(1)
    assert log.reads == reads


@in_virtual_time
async def test_new_epoch_is_told_to_everyone_once_and_its_messages_are_heard() -> None:
    log, room, ears = await open_room(ears=10)
    for said in await log.say_many(5):
        hear(room, *said)
    await log.close()  # everything is lost
    for said in await log.say_many(3):
        hear(room, *said)
    await passes(1)
    for ear in ears:
        assert ear.anew == [5]
        assert ear.offsets == [1, 2, 3, 4, 5, 1, 2, 3]
    assert (room.epoch, room.offset) == ((await log.read("lobby")).epoch, 3)


@in_virtual_time
async def test_new_epoch_without_a_message_is_told_by_the_check() -> None:
    log, room, [ear] = await open_room(before=5)
    await log.close()
    room.check(await log.read("lobby", limit=0))
    await passes(1)
    assert ear.anew == [0]
    assert (room.epoch, room.offset) == ((await log.read("lobby")).epoch, 0)


@in_virtual_time
async def test_straggler_of_the_epoch_before_is_not_heard() -> None:
    log, room, [ear] = await open_room()
    old = await log.say_many(9)
    hear(room, *old[0])
    await log.close()
    hear(room, *await log.say())
    await passes(1)
    for said in old:
        hear(room, *said)
    await passes(1)
    assert ear.offsets == [1, 1]
    assert ear.anew == [1]


@in_virtual_time
async def test_message_of_a_new_epoch_that_arrives_during_the_reading_is_heard() -> None:
    """The page that is on its way was made before it."""
    log, room, [ear] = await open_room(before=2)
    await log.close()
    first = await log.say()
    log.answers.clear()
    hear(room, *first)
    await settle()
    hear(room, *await log.say())
    log.answers.set()
    await passes(1)
    assert ear.offsets == [1, 2]
    assert ear.anew == [0]


@in_virtual_time
async def test_gap_that_the_log_cannot_fill_is_told_to_everyone_once() -> None:
    log, room, ears = await open_room(length=3, ears=10)
    said = await log.say_many(10)
    hear(room, *said[0])
    hear(room, *said[9])
    await passes(1)
    for ear in ears:
        assert ear.offsets == [1, 8, 9, 10]
        assert ear.anew == [1]


@in_virtual_time
async def test_gap_beside_an_empty_log_ends_at_its_newest_offset() -> None:
    log, room, [ear] = await open_room()
    await log.say_many(10)
    log.rooms["lobby"].messages.clear()  # as when all of them were too old
    room.check(await log.read("lobby", limit=0))
    await passes(1)
    assert (ear.anew, room.offset) == ([0], 10)
    hear(room, *await log.say())
    assert ear.offsets == [11]


# ── For those who come back ────────────────────────────────────────────────────────────────────


async def offsets_after(room: Room, offset: int, limit: int = 100) -> list[int]:
    return [message.offset for message in await room.after(offset, limit)]


@in_virtual_time
async def test_what_was_heard_here_is_replayed_without_reading_the_log() -> None:
    log, room, _ = await open_room()
    for said in await log.say_many(50):
        hear(room, *said)
    assert await offsets_after(room, 0) == list(range(1, 51))
    assert await offsets_after(room, 47) == [48, 49, 50]
    assert await offsets_after(room, 10, limit=3) == [11, 12, 13]
    assert await offsets_after(room, 50) == []
    assert log.reads == 0


@in_virtual_time
async def test_thousand_who_come_back_at_once_cost_one_reading() -> None:
    log, room, _ = await open_room(before=800)
    log.answers.clear()
    replaying = asyncio.gather(*(offsets_after(room, 600 + number % 200) for number in range(1000)))
    await settle()
    log.answers.set()
    replayed = await replaying
    assert replayed[0] == list(range(601, 701))
    assert replayed[199] == [800]
    assert log.reads == 1


@in_virtual_time
async def test_who_has_heard_a_little_less_than_others_is_served_from_the_same_reading() -> None:
    log, room, _ = await open_room(before=800)
    await offsets_after(room, 700)
    assert log.reads == 1
    assert await offsets_after(room, 700 - LOOK_BACK, limit=2) == [445, 446]
    assert log.reads == 1


@in_virtual_time
async def test_looking_back_joins_what_was_heard_without_a_gap() -> None:
    log, room, _ = await open_room(before=20)
    for said in await log.say_many(5):
        hear(room, *said)
    assert await offsets_after(room, 3) == list(range(4, 26))
    assert await offsets_after(room, 0) == list(range(1, 26))
    assert log.reads == 1


@in_virtual_time
async def test_message_heard_while_looking_back_is_replayed_in_its_place() -> None:
    log, room, _ = await open_room(before=20)
    log.answers.clear()
    replaying = asyncio.ensure_future(offsets_after(room, 10))
    await settle()
    hear(room, *await log.say())
    log.answers.set()
    assert await replaying == list(range(11, 22))


@in_virtual_time
async def test_who_was_away_for_longer_than_is_kept_is_served_from_the_log() -> None:
    log, room, _ = await open_room(before=KEPT_MESSAGES * 2)
    assert await offsets_after(room, 5, limit=100) == list(range(6, 106))
    assert (log.reads, log.read_messages) == (1, 100)


@in_virtual_time
async def test_nothing_is_replayed_beyond_what_members_have_heard() -> None:
    log, room, _ = await open_room(length=KEPT_MESSAGES * 3, before=KEPT_MESSAGES + 10)
    await log.say_many(5)  # not heard here yet
    assert await offsets_after(room, 0, limit=5_000) == list(range(1, KEPT_MESSAGES + 11))
    assert await offsets_after(room, KEPT_MESSAGES) == list(range(KEPT_MESSAGES + 1, KEPT_MESSAGES + 11))


@in_virtual_time
async def test_nothing_is_replayed_where_the_first_message_has_gone() -> None:
    _, room, _ = await open_room(length=10, before=100)
    assert await offsets_after(room, 89) == []
    assert await offsets_after(room, 90) == list(range(91, 101))


@in_virtual_time
async def test_what_is_kept_is_bounded_in_messages_and_in_characters() -> None:
    log, room, _ = await open_room(length=KEPT_MESSAGES * 3)
    for said in await log.say_many(KEPT_MESSAGES + 500):
        hear(room, *said)
    assert len(room._kept) == KEPT_MESSAGES
    for said in await log.say_many(100, "x" * 4000):
        hear(room, *said)
    assert sum(len(message.text) for message in room._kept) <= KEPT_CHARACTERS
    assert len(room._kept) == KEPT_CHARACTERS // 4000


@in_virtual_time
async def test_when_all_rooms_keep_too_much_the_one_with_most_reads_its_log_instead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rooms, "KEPT", kept := Pool(800_000))
    (log, large, _), (other, small, _) = await open_room(), await open_room()
    for said in await other.say_many(10, "x" * 4000):
        hear(small, *said)
    for said in await log.say_many(20, "x" * 4000):
        hear(large, *said)
    assert len(small._kept) == 10
    assert len(large._kept) < 10
    assert kept.held <= kept.size
    assert await offsets_after(large, 0) == list(range(1, 21))
    assert log.reads > 0
    for room in (large, small):
        room.close()
    assert kept.held == 0


@in_virtual_time
async def test_a_room_that_is_closed_keeps_nothing_of_what_it_still_hears(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a log that answers late."""
    monkeypatch.setattr(rooms, "KEPT", kept := Pool(2_000_000))
    log, room, _ = await open_room()
    said = await log.say_many(30, "x" * 4000)
    for each in said[:10]:
        hear(room, *each)
    assert kept.held > 0
    room.close()
    for each in said[10:]:
        hear(room, *each)
    assert kept.held == 0
    assert len(room._kept) < 10


@in_virtual_time
async def test_replaying_needs_the_log_only_for_what_is_not_kept() -> None:
    log, room, _ = await open_room(before=10)
    for said in await log.say_many(10):
        hear(room, *said)
    log.away = True
    assert await offsets_after(room, 15) == [16, 17, 18, 19, 20]
    with pytest.raises(Unavailable):
        await room.after(5, 100)


# ── How far back one can go ────────────────────────────────────────────────────────────────────


@in_virtual_time
async def test_reaches_without_reading_what_was_heard_here() -> None:
    log, room, _ = await open_room(before=5)
    assert await room.reaches(room.epoch, 5)  # nothing has been missed
    for said in await log.say_many(5):
        hear(room, *said)
    assert await room.reaches(room.epoch, 7)
    assert log.reads == 0


@in_virtual_time
async def test_reaches_back_as_far_as_the_log() -> None:
    _, room, _ = await open_room(length=10, before=30)
    assert [await room.reaches(room.epoch, offset) for offset in (0, 19, 20, 29, 30)] == [
        False,
        False,
        True,
        True,
        True,
    ]


@in_virtual_time
async def test_reaches_the_beginning_of_a_room_in_which_nothing_was_said() -> None:
    _, room, _ = await open_room()
    assert await room.reaches(room.epoch, 0)


@in_virtual_time
async def test_does_not_reach_an_unknown_epoch_nor_an_offset_above_the_newest() -> None:
    log, room, [ear] = await open_room(before=5)
    assert not await room.reaches("another", 3)
    assert not await room.reaches(room.epoch, 6)
    assert not await room.reaches(room.epoch, 2**53 - 1)
    assert log.reads == 3  # one each: it might be news
    assert (ear.heard, ear.anew) == ([], [])


@in_virtual_time
async def test_reaches_what_another_process_was_quicker_to_tell() -> None:
    log, room, [ear] = await open_room(before=5)
    await log.say_many(2)
    assert await room.reaches(room.epoch, 7)
    assert (room.offset, ear.offsets, ear.anew) == (7, [6, 7], [])


@in_virtual_time
async def test_reaches_an_epoch_that_another_process_was_quicker_to_tell() -> None:
    log, room, [ear] = await open_room(before=5)
    await log.close()
    epoch, _ = await log.say()
    assert await room.reaches(epoch, 1)
    assert (room.epoch, ear.offsets, ear.anew) == (epoch, [1], [0])


@in_virtual_time
async def test_how_far_back_one_can_go_is_unknown_while_the_log_is_away() -> None:
    log, room, _ = await open_room(before=5)
    log.away = True
    for epoch, offset in [("another", 1), (room.epoch, 6), (room.epoch, 1)]:
        with pytest.raises(Unavailable):
            await room.reaches(epoch, offset)
    assert await room.reaches(room.epoch, 5)


@in_virtual_time
async def test_news_that_cannot_be_read_after_all_are_unavailable_and_not_denied() -> None:
    log, room, _ = await open_room(before=5)
    await log.say()
    epoch = room.epoch
    answer = log.read

    async def once(room: str, seen: Position = NOTHING_SEEN, **more: Any) -> Page:
        log.away = log.reads > 0
        return await answer(room, seen, **more)

    log.read = once  # type: ignore[method-assign]
    with pytest.raises(Unavailable):
        await room.reaches(epoch, 6)


# ── Defects ────────────────────────────────────────────────────────────────────────────────────


@in_virtual_time
async def test_each_overtaken_message_is_waited_for_as_long() -> None:
    log, room, [ear] = await open_room()
    said = await log.say_many(4)
    hear(room, *said[1])
    hear(room, *said[0])
    await passes(OVERTAKEN_SECONDS - 0.005)
    hear(room, *said[3])
    await passes(0.01)
    hear(room, *said[2])
    assert (ear.offsets, log.reads) == ([1, 2, 3, 4], 0)


@in_virtual_time
async def test_looking_back_keeps_to_the_bound_in_characters() -> None:
    log = CountedLog()
    await log.say_many(900, "x" * 4000)
    room = Room("lobby", log)
    await room.open()
    assert await offsets_after(room, 100) == list(range(101, 201))
    assert sum(len(message.text) for message in room._kept) <= KEPT_CHARACTERS


@in_virtual_time
async def test_coming_back_to_long_texts_in_a_busy_room_reads_each_of_them_about_once() -> None:
    log, room, _ = await open_room(ears=0)
    for said in await log.say_many(900, "x" * 4000):
        hear(room, *said)
    log.read_messages = 0
    offset = 0
    while offset < room.offset - 50:
        offset = (await room.after(offset, 100))[-1].offset
        hear(room, *await log.say("x" * 4000))
    assert log.read_messages <= 2 * room.offset


# ── Coalescing ─────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rooms are, once they have written."""
    monkeypatch.setattr(rooms, "BUSY_SECONDS", BUSY_SECONDS)


@pytest.mark.usefixtures("busy")
@in_virtual_time
async def test_nothing_waits_in_an_idle_room() -> None:
    log, room, (ear,) = await open_room()
    for count in (1, 2, 3):
        room.hear(*await log.say())
        await settle()
        assert ear.writes == count
        await passes(1.01 * BUSY_SECONDS)


@in_virtual_time
async def test_what_arrives_together_is_one_write_in_an_idle_room_too() -> None:
    log, room, (ear,) = await open_room()
    for said in await log.say_many(3):
        room.hear(*said)
    await settle()
    assert (ear.writes, ear.offsets) == (1, [1, 2, 3])


@pytest.mark.usefixtures("busy")
@in_virtual_time
async def test_a_burst_into_a_busy_room_is_one_write() -> None:
    log, room, (ear,) = await open_room()
    first, *burst = await log.say_many(10)
    room.hear(*first)
    await passes(0.9 * BUSY_SECONDS)
    for said in burst:
        await passes(0.9 * BURST_SECONDS / len(burst))
        room.hear(*said)
    assert (ear.writes, ear.offsets) == (1, [1])
    await passes(BURST_SECONDS)
    assert (ear.writes, ear.offsets) == (2, list(range(1, 11)))


@pytest.mark.usefixtures("busy")
@in_virtual_time
async def test_there_is_space_from_write_to_write() -> None:
    log, room, (ear,) = await open_room()
    for said in await log.say_many(100):
        room.hear(*said)
        await passes(SPACE_SECONDS / 7)
    assert ear.writes > 10
    assert all(later - earlier > 0.99 * SPACE_SECONDS for earlier, later in pairwise(ear.times))


@in_virtual_time
async def test_what_is_written_together_is_bounded() -> None:
    log, room, (ear,) = await open_room()
    for said in await log.say_many(10, "x" * (COALESCED_CHARACTERS // 2)):
        room.hear(*said)
    assert ear.offsets == list(range(1, 9))
    assert ear.writes == 4  # two each
    await settle()
    assert ear.offsets == list(range(1, 11))


@in_virtual_time
async def test_who_joins_hears_nothing_of_what_others_wait_for() -> None:
    log, room, (ear,) = await open_room()
    for said in await log.say_many(3):
        room.hear(*said)
    room.add(late := Ear())
    room.hear(*await log.say())
    await settle()
    assert ear.offsets == [1, 2, 3, 4]
    assert late.offsets == [4]


@in_virtual_time
async def test_what_is_no_message_keeps_its_place_among_messages() -> None:
    log, room, _ = await open_room(ears=0)
    room.add(ear := Ear(counting(ChatV1)[0]))
    written, unwritten = await log.say_many(2)
    hear(room, *written)
    room.hear(*unwritten)
    room.tell({"type": "typing", "name": "Ada"})
    assert [json.loads(each)["type"] for each in ear.heard] == ["message", "message", "typing"]


# ── Answers to one member ──────────────────────────────────────────────────────────────────────


async def busy_room() -> tuple[Room, Ear, Ear]:
    """In which a message waits to be written, and two members to hear it."""
    log, room, (one, other) = await open_room(ears=2)
    first, second = await log.say_many(2)
    hear(room, *first)
    room.hear(*second)
    assert (one.offsets, one.writes) == ([1], 1)
    return room, one, other


@in_virtual_time
async def test_an_answer_goes_with_the_write_that_is_next_and_to_one_member() -> None:
    room, one, other = await busy_room()
    room.answer(one, ["first"])
    room.answer(one, ["second"])
    await settle()
    assert (one.writes, other.writes) == (2, 2)
    assert one.heard[2:] == ["first", "second"]
    assert other.offsets == [1, 2]
    hear(room, room.epoch, Message(3, "Ada", "hello", 1))
    assert one.heard[4].offset == 3, "and is told once"


@in_virtual_time
async def test_an_acknowledgement_goes_with_the_message_itself() -> None:
    log, room, (ear,) = await open_room()
    said = await log.say()
    room.hear(*said)
    room.answer(ear, ["yes"])
    await settle()
    assert (ear.writes, ear.heard) == (1, [said[1], "yes"])


@in_virtual_time
async def test_an_answer_waits_for_nothing_in_a_room_where_nothing_is_to_be_written() -> None:
    _, room, (ear,) = await open_room()
    room.answer(ear, ["at once"])
    assert ear.heard == ["at once"]


@in_virtual_time
async def test_an_answer_to_who_has_left_or_leaves_does_not_wait() -> None:
    room, one, other = await busy_room()
    room.answer(one, ["before"])
    room.remove(one)
    assert one.heard[1:] == ["before"]
    room.answer(one, ["after"])
    assert one.heard[1:] == ["before", "after"]
    await settle()
    assert one.heard[1:] == ["before", "after"]
    assert other.offsets == [1, 2]


@in_virtual_time
async def test_what_was_said_here_is_known_when_it_comes_back() -> None:
    log, room, _ = await open_room()
    epoch, message = await log.say()
    assert not room.has_heard(epoch, message.offset)
    room.hear(epoch, message)
    assert room.has_heard(epoch, message.offset)
    assert not room.has_heard(epoch, message.offset + 1)
    assert not room.has_heard("another", message.offset)
    assert not room.has_heard(None, None)
