"""The room log, of either kind: offsets without a gap, each message once, bounded."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from MyChannels.log import NOTHING_SEEN, REF_SECONDS, Appended, Position, RefReused

from .logs import Logs, MemoryLogs, StreamLogs, append_surely, draft

APPENDS, WRITERS = 3000, 4


@pytest_asyncio.fixture(params=["stream", "memory"])
async def logs(request: pytest.FixtureRequest, configurations: dict[str, Any], admin: Redis) -> AsyncIterator[Logs]:
    url, password = configurations["REDIS_URL"], configurations["REDIS_PASSWORD"]
    logs: Logs = StreamLogs(url, password, admin) if request.param == "stream" else MemoryLogs()
    yield logs
    await logs.close()


async def test_offsets_begin_at_1_and_have_no_gap(logs: Logs, room: str) -> None:
    log = logs.make()
    assert (await log.read(room)).offset == 0
    appended = [await log.append(room, draft(str(n))) for n in range(1, 6)]
    assert [each.offset for each in appended] == [1, 2, 3, 4, 5]
    assert len({each.epoch for each in appended}) == 1
    assert all(each.new for each in appended)
    page = await log.read(room)
    assert (page.epoch, page.base, page.offset) == (appended[0].epoch, 0, 5)
    assert [(m.offset, m.sender, m.text, m.sent_at, m.user) for m in page.messages] == [
        (each.offset, "Alice", str(each.offset), each.sent_at, False) for each in appended
    ]


async def test_concurrent_appends_leave_no_gap_and_no_repetition(logs: Logs, room: str) -> None:
    writers = [logs.make() for _ in range(WRITERS)]
    appending = (append_surely(writers[n % WRITERS], room, draft(str(n))) for n in range(APPENDS))
    appended = await asyncio.gather(*appending)
    assert sorted(each.offset for each in appended) == list(range(1, APPENDS + 1))
    texts = {each.offset: str(n) for n, each in enumerate(appended)}
    page = await logs.make().read(room, limit=APPENDS)
    assert {message.offset: message.text for message in page.messages} == texts
    assert [message.offset for message in page.messages] == list(range(1, APPENDS + 1))


async def test_what_one_writer_says_first_comes_first(logs: Logs, room: str) -> None:
    log = logs.make()
    appended = await asyncio.gather(*(log.append(room, draft(str(n))) for n in range(1000)))
    assert [each.offset for each in appended] == list(range(1, 1001))


async def test_the_same_ref_gives_the_first_offset_and_appends_nothing(logs: Logs, room: str) -> None:
    log = logs.make()
    first = await log.append(room, draft("hello", "a"))
    await log.append(room, draft("between"))
    again = await log.append(room, draft("hello", "a"))
    assert (again.epoch, again.offset, again.sent_at) == (first.epoch, first.offset, first.sent_at)
    assert not again.new
    assert (await log.read(room)).offset == 2


async def test_the_same_ref_many_times_at_once_is_one_message(logs: Logs, room: str) -> None:
    writers = [logs.make() for _ in range(WRITERS)]
    appended = await asyncio.gather(*(writers[n % WRITERS].append(room, draft("hello", "a")) for n in range(200)))
    assert {each.offset for each in appended} == {1}
    assert sum(each.new for each in appended) == 1


async def test_of_two_texts_at_once_the_first_has_the_ref(logs: Logs, room: str) -> None:
    log = logs.make()
    asked = [log.append(room, draft(text, ref)) for text, ref in (("a", "1"), ("b", "1"), ("c", "2"), ("a", "1"))]
    first, refused, other, again = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(refused, RefReused)
    assert isinstance(first, Appended)
    assert isinstance(other, Appended)
    assert (first.offset, first.new, other.offset, other.new) == (1, True, 2, True)
    assert again == first._replace(new=False)
    assert [message.text for message in (await log.read(room)).messages] == ["a", "c"]


async def test_a_ref_with_another_text_is_refused_and_appends_nothing(logs: Logs, room: str) -> None:
    log = logs.make()
    await log.append(room, draft("hello", "a"))
    with pytest.raises(RefReused):
        await log.append(room, draft("goodbye", "a"))
    assert (await log.read(room)).offset == 1


async def test_a_ref_means_nothing_in_another_room(logs: Logs, room: str) -> None:
    log = logs.make()
    await log.append(room, draft("hello", "a"))
    assert (await log.append(f"{room}-2", draft("goodbye", "a"))).offset == 1


async def test_a_ref_is_known_as_long_as_its_message_is_in_the_log(logs: Logs, room: str) -> None:
    log = logs.make(seconds=3 * REF_SECONDS)
    await log.append(room, draft("hello", "a"))
    await logs.age(room, 2 * REF_SECONDS)
    await log.append(room, draft("later"))
    assert (await log.append(room, draft("hello", "a"))).offset == 1


async def test_a_ref_is_known_ten_minutes_though_its_message_was_trimmed(logs: Logs, room: str) -> None:
    log = logs.make(length=1)
    await log.append(room, draft("hello", "a"))
    await log.append(room, draft("next"))
    await logs.age(room, REF_SECONDS - 5)
    assert (await log.append(room, draft("hello", "a"))).offset == 1
    assert [message.text for message in (await log.read(room)).messages] == ["next"]


async def test_a_ref_is_forgotten_with_its_message_after_ten_minutes(logs: Logs, room: str) -> None:
    log = logs.make(length=2)
    await log.append(room, draft("hello", "a"))
    await log.append(room, draft("next"))
    await logs.age(room, REF_SECONDS + 5)
    await log.append(room, draft("third"))  # trims the first
    assert (await log.append(room, draft("hello", "a"))).offset == 4


async def test_a_log_holds_as_many_messages_as_it_may(logs: Logs, room: str) -> None:
    log = logs.make(length=10)
    for n in range(25):
        await log.append(room, draft(str(n)))
    page = await log.read(room)
    assert [message.offset for message in page.messages] == list(range(16, 26))
    assert page.offset == 25


async def test_a_log_holds_no_message_older_than_it_may(logs: Logs, room: str) -> None:
    log = logs.make(seconds=100)
    for n in range(3):
        await log.append(room, draft(str(n)))
    await logs.age(room, 101)
    await log.append(room, draft("new"))
    assert [(m.offset, m.text) for m in (await log.read(room)).messages] == [(4, "new")]


async def test_reading_goes_on_where_it_ended(logs: Logs, room: str) -> None:
    log = logs.make()
    for n in range(1, 8):
        await log.append(room, draft(str(n)))
    read: list[int] = []
    while page := (await log.read(room, after=read[-1] if read else 0, limit=3)).messages:
        read += [message.offset for message in page]
    assert read == [1, 2, 3, 4, 5, 6, 7]
    assert [m.offset for m in (await log.read(room, after=5)).messages] == [6, 7]
    assert (await log.read(room, after=7)).messages == []
    assert (await log.read(room, after=99)).messages == []
    assert (await log.read(room, limit=0)).messages == []


async def test_reading_begins_after_what_the_reader_has_seen(logs: Logs, room: str) -> None:
    log = logs.make()
    appended = [await log.append(room, draft(str(n))) for n in range(1, 5)]
    seen = Position(appended[1].epoch, appended[1].offset, appended[1].sent_at)
    assert [message.offset for message in (await log.read(room, seen)).messages] == [3, 4]
    unknown = Position("another", 3)
    assert [message.offset for message in (await log.read(room, unknown)).messages] == [1, 2, 3, 4]


async def test_positions_of_many_rooms(logs: Logs, room: str) -> None:
    log = logs.make()
    rooms = [f"{room}-{n}" for n in range(300)]
    for count, name in enumerate(rooms[:5]):
        for n in range(count):
            await log.append(name, draft(str(n)))
    pages = await log.positions(dict.fromkeys(rooms, NOTHING_SEEN))
    assert [pages[name].offset for name in rooms] == [0, 1, 2, 3, 4, *itertools.repeat(0, 295)]
    assert not any(page.messages for page in pages.values())


async def test_what_is_older_comes_in_ascending_order(logs: Logs, room: str) -> None:
    log = logs.make(length=6)
    for n in range(1, 9):
        await log.append(room, draft(str(n)))

    async def before(offset: int | None, limit: int) -> list[int]:
        return [message.offset for message in await log.before(room, offset, limit)]

    assert await before(None, 3) == [6, 7, 8]
    assert await before(6, 2) == [4, 5]
    assert await before(5, 100) == [3, 4]
    assert await before(3, 5) == []
    assert await before(1, 5) == []
    assert await before(2**53 - 1, 1) == [8]
    assert await log.before(f"{room}-2", None, 5) == []


async def test_any_text_comes_out_as_it_went_in(logs: Logs, room: str) -> None:
    log = logs.make()
    texts = ["", "你好，世界", "👩‍👩‍👧‍👦 🇨🇳", "a\n\t\0b\r\n", "x" * 4000, "'; DROP", "-1", "%s {} \\"]
    for text in texts:
        await log.append(room, draft(text, sender=f"sender {text[:30]}", user=len(text) % 2 == 0))
    found = (await log.read(room)).messages
    assert [message.text for message in found] == texts
    assert [message.sender for message in found] == [f"sender {text[:30]}" for text in texts]
    assert [message.user for message in found] == [len(text) % 2 == 0 for text in texts]
