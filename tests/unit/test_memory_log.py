"""The room log of one process, for `make dev` and for tests."""

import re

import pytest

from MyChannels.log import NOTHING_SEEN, REF_SECONDS, Appended, Draft, Position, RefReused
from MyChannels.log.memory import MemoryLog


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log(clock: Clock) -> MemoryLog:
    return MemoryLog(length=10, seconds=60, now=clock)


async def say(log: MemoryLog, text: str, ref: str = "", room: str = "lobby") -> Appended:
    return await log.append(room, Draft("Ada", text, ref or f"own {text}"))


async def texts(log: MemoryLog, room: str = "lobby") -> list[str]:
    return [message.text for message in (await log.read(room, after=0)).messages]


async def test_offsets_count_from_1_without_a_gap_in_each_room(log: MemoryLog) -> None:
    assert [(await say(log, text)).offset for text in "abc"] == [1, 2, 3]
    assert (await say(log, "a", room="other")).offset == 1


async def test_appended_tells_where_and_when(log: MemoryLog, clock: Clock) -> None:
    appended = await say(log, "hello")
    page = await log.read("lobby")
    assert appended == (page.epoch, 1, int(clock.now * 1000), True)
    assert page.messages[0].content() == {
        "type": "message",
        "offset": 1,
        "sender": "Ada",
        "text": "hello",
        "sent_at": int(clock.now * 1000),
    }


async def test_message_remembers_that_an_account_sent_it(log: MemoryLog) -> None:
    await log.append("lobby", Draft("Ada", "a", "r1", user=True))
    await say(log, "b")
    assert [message.user for message in (await log.read("lobby")).messages] == [True, False]


async def test_epoch_is_one_that_a_client_may_send_back(log: MemoryLog) -> None:
    epochs = {(await log.read(room)).epoch for room in ("lobby", "other")}
    assert len(epochs) == 2
    assert all(re.fullmatch("[A-Za-z0-9_-]{1,64}", epoch) for epoch in epochs)


# ── Refs ───────────────────────────────────────────────────────────────────────────────────────


async def test_same_text_with_the_same_ref_is_appended_once(log: MemoryLog, clock: Clock) -> None:
    first = await say(log, "hello", "r")
    clock.now += 5
    again = await say(log, "hello", "r")
    assert again == first._replace(new=False)
    assert await texts(log) == ["hello"]


async def test_other_text_with_the_same_ref_is_refused(log: MemoryLog) -> None:
    await say(log, "hello", "r")
    with pytest.raises(RefReused, match="expected a new ref"):
        await say(log, "other", "r")
    assert await texts(log) == ["hello"]


async def test_ref_is_known_per_room(log: MemoryLog) -> None:
    await say(log, "hello", "r")
    assert (await say(log, "other", "r", room="other")).new


async def test_ref_is_known_for_ten_minutes_though_its_message_has_gone(log: MemoryLog, clock: Clock) -> None:
    first = await say(log, "hello", "r")
    clock.now += REF_SECONDS - 1
    for number in range(20):
        await say(log, str(number))
    assert "hello" not in await texts(log)
    assert await say(log, "hello", "r") == first._replace(new=False)


async def test_ref_is_forgotten_when_both_its_message_and_ten_minutes_have_gone(log: MemoryLog, clock: Clock) -> None:
    await say(log, "hello", "r")
    clock.now += REF_SECONDS
    await say(log, "later")
    assert (await say(log, "hello", "r")).offset == 3


async def test_ref_is_known_as_long_as_its_message_is_in_the_log(clock: Clock) -> None:
    log = MemoryLog(length=10, seconds=86_400, now=clock)
    first = await say(log, "hello", "r")
    clock.now += REF_SECONDS * 10
    await say(log, "later")
    assert await say(log, "hello", "r") == first._replace(new=False)


async def test_refs_take_no_more_room_than_they_must(log: MemoryLog, clock: Clock) -> None:
    for number in range(1000):
        clock.now += REF_SECONDS
        await say(log, str(number))
    assert len(log.rooms["lobby"].refs) <= 2


# ── Bounds ─────────────────────────────────────────────────────────────────────────────────────


async def test_log_keeps_so_many_messages_and_offsets_go_on(log: MemoryLog) -> None:
    for number in range(25):
        await say(log, str(number))
    page = await log.read("lobby", after=0)
    assert [message.offset for message in page.messages] == list(range(16, 26))
    assert (page.base, page.offset) == (0, 25)


async def test_log_keeps_messages_so_long(log: MemoryLog, clock: Clock) -> None:
    await say(log, "old")
    clock.now += 60
    await say(log, "just")
    assert await texts(log) == ["old", "just"]
    clock.now += 1
    await say(log, "new")
    assert await texts(log) == ["just", "new"]


# ── Reading ────────────────────────────────────────────────────────────────────────────────────


async def test_read_gives_what_follows_where_the_reader_is(log: MemoryLog) -> None:
    for text in "abcd":
        await say(log, text)
    epoch = (await log.read("lobby")).epoch

    async def read(position: Position, **more: int) -> str:
        return "".join(message.text for message in (await log.read("lobby", position, **more)).messages)

    assert await read(Position(epoch, 2)) == "cd"
    assert await read(Position(epoch, 4)) == ""
    assert await read(NOTHING_SEEN) == "abcd"
    assert await read(Position("another", 3)) == "abcd"  # whose offsets mean nothing here
    assert await read(Position(epoch, 2), after=1) == "bcd"
    assert await read(Position(epoch, 1), limit=2) == "bc"
    assert await read(Position(epoch, 1), limit=0) == ""


async def test_page_says_where_the_log_is_though_it_holds_no_message(log: MemoryLog) -> None:
    await say(log, "a")
    page = await log.read("lobby", limit=0)
    assert (page.offset, page.messages) == (1, [])
    assert (await log.read("empty")).offset == 0


async def test_positions_are_pages_without_messages(log: MemoryLog) -> None:
    await say(log, "a")
    pages = await log.positions({"lobby": NOTHING_SEEN, "empty": NOTHING_SEEN})
    assert {room: (page.offset, page.messages) for room, page in pages.items()} == {"lobby": (1, []), "empty": (0, [])}
    assert pages["lobby"].epoch == (await log.read("lobby")).epoch


@pytest.mark.parametrize(
    ("before", "limit", "found"),
    [(None, 2, "de"), (None, 9, "abcde"), (4, 2, "bc"), (4, 9, "abc"), (1, 9, ""), (2**53 - 1, 1, "e")],
)
async def test_before_gives_the_newest_of_the_older_ones_ascending(
    log: MemoryLog, before: int | None, limit: int, found: str
) -> None:
    for text in "abcde":
        await say(log, text)
    assert "".join(message.text for message in await log.before("lobby", before, limit)) == found


async def test_closed_log_has_forgotten_everything(log: MemoryLog) -> None:
    await say(log, "a")
    before = (await log.read("lobby")).epoch
    log.release()
    await log.close()
    after = await log.read("lobby")
    assert after.messages == []
    assert after.epoch != before  # its offsets begin anew
