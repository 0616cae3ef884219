"""What the log keeps in Redis, when an epoch ends, and what a lost connection or a full Redis does to it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import batched
from time import monotonic
from typing import Any

import pytest
import pytest_asyncio
from channels_redis.serializers import registry
from redis.asyncio import Redis
from redis.exceptions import BusyLoadingError
from redis.exceptions import ConnectionError as RedisConnectionError

from MyChannels import connection as connections
from MyChannels.groups import ROOMS_KEY, log_keys
from MyChannels.log import NOTHING_SEEN, REF_SECONDS, Announcement, Appended, Position, Unavailable
from MyChannels.log.stream import TIDY_MILLISECONDS, StreamLog

from .logs import StreamLogs, append_surely, draft
from .redis_server import RedisServer

SERIALIZER = registry.get_serializer("msgpack")  # the layer's
GONE_SECONDS = 60  # a room in which nothing was said leaves no key so long after its last member


@pytest_asyncio.fixture
async def logs(configurations: dict[str, Any], admin: Redis) -> AsyncIterator[StreamLogs]:
    logs = StreamLogs(configurations["REDIS_URL"], configurations["REDIS_PASSWORD"], admin)
    yield logs
    await logs.close()


@pytest_asyncio.fixture
async def generation(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Connections made from now on find this generation of the server."""

    def set_to(name: str) -> None:
        monkeypatch.setattr(connections, "generation_of", lambda info: name)

    return set_to


def position(appended: Appended) -> Position:
    return Position(appended.epoch, appended.offset, appended.sent_at)


async def said(log: StreamLog, room: str, count: int) -> list[Appended]:
    return [await log.append(room, draft(str(n))) for n in range(1, count + 1)]


# ── Announcements ──────────────────────────────────────────────────────────────────────────────


async def test_an_append_announces_itself_once_with_where_it_is(logs: StreamLogs, admin: Redis, room: str) -> None:
    """Nothing can be lost between the two, and events come in the order of the offsets."""
    channel = f"asgi__group__{room}"
    announcement = Announcement(channel, SERIALIZER.serialize({"type": "chat_message", "text": "你好", "user": True}))
    log = logs.make()
    async with admin.pubsub() as subscription:
        await subscription.subscribe(channel)
        assert (await subscription.get_message(timeout=5))["type"] == "subscribe"
        said = [await log.append(room, draft(str(n)), NOTHING_SEEN, announcement) for n in (1, 2, 2)]
        await log.append(room, draft("told by nobody"))
        heard = [SERIALIZER.deserialize((await subscription.get_message(timeout=5))["data"]) for _ in range(2)]
        assert await subscription.get_message(timeout=0.2) is None
    assert [each.new for each in said] == [True, True, False]
    assert heard == [
        {"type": "chat_message", "text": "你好", "user": True, "epoch": e.epoch, "offset": e.offset, "time": e.sent_at}
        for e in said[:2]
    ]


async def test_what_is_said_in_a_room_at_once_is_one_step_and_announced_in_order(
    logs: StreamLogs, admin: Redis, room: str
) -> None:
    async def scripts() -> int:
        return int((await admin.info("commandstats"))["cmdstat_evalsha"]["calls"])

    channel, log = f"asgi__group__{room}", logs.make()
    await log.append(room, draft("before"))  # and the scripts are loaded
    async with admin.pubsub() as subscription:
        await subscription.subscribe(channel)
        assert (await subscription.get_message(timeout=5))["type"] == "subscribe"
        begun = await scripts()
        announced = [Announcement(channel, SERIALIZER.serialize({"text": str(n)})) for n in range(20)]
        appends = [log.append(room, draft(str(n)), NOTHING_SEEN, each) for n, each in enumerate(announced)]
        told = await asyncio.gather(*appends)
        assert await scripts() - begun == 1
        heard = [SERIALIZER.deserialize((await subscription.get_message(timeout=5))["data"]) for _ in announced]
    assert [appended.offset for appended in told] == [*range(2, 22)]
    assert [(event["text"], event["offset"]) for event in heard] == [(str(n), n + 2) for n in range(20)]
    assert [(each.text, each.offset) for each in (await log.read(room, after=1)).messages] == [
        (str(n), n + 2) for n in range(20)
    ]


# ── Keys ───────────────────────────────────────────────────────────────────────────────────────


async def test_every_key_of_a_room_expires(logs: StreamLogs, admin: Redis, room: str) -> None:
    for seconds in (60, 86_400):
        name = f"{room}-{seconds}"
        await said(logs.make(seconds=seconds), name, 3)
        meta, log, refs, order = log_keys(name)
        assert sorted(await admin.keys(f"room:{name}*")) == sorted(key.encode() for key in (meta, log, refs, order))
        untidied = TIDY_MILLISECONDS // 1000
        assert seconds - 5 < await admin.ttl(log) <= seconds + untidied
        for key in (meta, refs, order):
            assert max(seconds, REF_SECONDS) - 5 < await admin.ttl(key) <= max(seconds, REF_SECONDS) + untidied


async def test_a_room_in_which_nothing_was_said_is_soon_forgotten(logs: StreamLogs, admin: Redis, room: str) -> None:
    await logs.make().read(room)
    keys = await admin.keys(f"room:{room}*")
    assert keys == [log_keys(room)[0].encode()]
    assert 30 < await admin.ttl(keys[0]) < GONE_SECONDS
    assert await admin.zscore(ROOMS_KEY, room) is None


async def test_reading_does_not_shorten_how_long_a_log_is_kept(logs: StreamLogs, admin: Redis, room: str) -> None:
    log = logs.make()
    await said(log, room, 1)
    await log.read(room)
    assert await admin.ttl(log_keys(room)[0]) > 86_000


async def test_a_quiet_room_that_is_read_keeps_its_position(logs: StreamLogs, admin: Redis, room: str) -> None:
    log = logs.make()
    first = (await said(log, room, 1))[0]
    for key in log_keys(room):
        await admin.expire(key, 3)
    page = await log.read(room, position(first))
    assert await admin.ttl(log_keys(room)[0]) > 30
    assert page.epoch == first.epoch


async def test_refs_do_not_grow_without_bound(logs: StreamLogs, admin: Redis, room: str) -> None:
    log = logs.make(length=50)
    await log.append(room, draft("so that no command ends with a round offset"))
    for n in range(3):
        await asyncio.gather(*(log.append(room, draft(f"{n} {i}")) for i in range(200)))
        await logs.age(room, REF_SECONDS + 1)
    await asyncio.gather(*(log.append(room, draft(f"last {i}")) for i in range(200)))
    _, stream, refs, order = log_keys(room)
    assert await admin.xlen(stream) == 50
    assert 200 <= await admin.hlen(refs) < 300
    assert await admin.llen(order) == await admin.hlen(refs)


async def test_rooms_whose_logs_have_expired_are_taken_off_the_list(logs: StreamLogs, admin: Redis, room: str) -> None:
    log = logs.make(seconds=60)
    await said(log, room, 1)
    await log.forget()
    assert await admin.zscore(ROOMS_KEY, room)
    await admin.zadd(ROOMS_KEY, {room: (await admin.time())[0] * 1000 - (REF_SECONDS + 1) * 1000 - TIDY_MILLISECONDS})
    await log.forget()
    assert await admin.zscore(ROOMS_KEY, room) is None


# ── Epochs ─────────────────────────────────────────────────────────────────────────────────────


async def test_a_position_ahead_of_the_log_begins_an_epoch_whose_numbers_go_on(logs: StreamLogs, room: str) -> None:
    log = logs.make()
    epoch = (await said(log, room, 3))[0].epoch
    page = await log.read(room, Position(epoch, 5, 0))
    assert page.epoch != epoch
    assert (page.base, page.offset, page.messages) == (3, 3, [])
    fourth = await log.append(room, draft("4"))
    assert (fourth.epoch, fourth.offset) == (page.epoch, 4)
    assert [message.offset for message in await log.before(room, None, 10)] == [1, 2, 3, 4]


async def test_appends_that_are_ahead_of_the_log_go_into_another_epoch_and_those_before_them_do_not(
    logs: StreamLogs, room: str
) -> None:
    log = logs.make()
    epoch = (await said(log, room, 3))[0].epoch
    position, ahead = Position(epoch, 3, 0), Position(epoch, 5, 0)
    saying = [("still", position), ("ahead", ahead), ("of it", ahead)]
    still, *others = await asyncio.gather(*(log.append(room, draft(text), seen) for text, seen in saying))
    assert (still.epoch, still.offset) == (epoch, 4)
    (another,) = {appended.epoch for appended in others}
    assert another != epoch
    assert [appended.offset for appended in others] == [5, 6]


async def test_another_message_under_the_same_offset_begins_an_epoch(logs: StreamLogs, room: str) -> None:
    log = logs.make()
    second = (await said(log, room, 3))[1]
    assert (await log.read(room, position(second))).epoch == second.epoch
    assert (await log.read(room, position(second)._replace(sent_at=0))).epoch == second.epoch
    assert (await log.read(room, position(second)._replace(sent_at=second.sent_at - 1))).epoch != second.epoch


async def test_a_position_that_was_trimmed_begins_no_epoch(logs: StreamLogs, room: str) -> None:
    log = logs.make(length=1)
    first, *_ = await said(log, room, 3)
    assert (await log.read(room, position(first))).epoch == first.epoch


async def test_a_position_of_another_epoch_begins_none(logs: StreamLogs, room: str) -> None:
    log = logs.make()
    epoch = (await said(log, room, 1))[0].epoch
    assert (await log.read(room, Position("another", 99, 1))).epoch == epoch


async def test_after_an_unclean_stop_nobody_vouches_and_an_epoch_begins(
    logs: StreamLogs, room: str, generation: Callable[[str], None]
) -> None:
    generation("one")
    epoch = (await said(logs.make(), room, 3))[0].epoch
    generation("two")
    page = await logs.make().read(room)
    assert page.epoch != epoch
    assert (page.base, page.offset) == (3, 3)
    assert (await logs.make().read(room)).epoch == page.epoch


@pytest.mark.parametrize("way", ["read", "append"])
async def test_who_has_seen_all_that_is_left_vouches_for_the_epoch(
    logs: StreamLogs, room: str, generation: Callable[[str], None], way: str
) -> None:
    generation("one")
    third = (await said(logs.make(), room, 3))[2]
    generation("two")
    watcher = logs.make()
    if way == "read":
        assert (await watcher.read(room, position(third))).epoch == third.epoch
    else:
        assert (await watcher.append(room, draft("4"), position(third))).epoch == third.epoch
    assert (await logs.make().read(room, NOTHING_SEEN)).epoch == third.epoch


async def test_a_lost_position_begins_an_epoch(logs: StreamLogs, admin: Redis, room: str) -> None:
    log = logs.make()
    third = (await said(log, room, 3))[2]
    await admin.delete(log_keys(room)[0])
    page = await log.read(room, position(third))
    assert page.epoch != third.epoch
    assert page.messages == []
    appended = await log.append(room, draft("1"))  # a ref that was known before
    assert appended.new
    assert appended.epoch == page.epoch


# ── Connections ────────────────────────────────────────────────────────────────────────────────


async def test_forgotten_scripts_are_loaded_again(logs: StreamLogs, admin: Redis, room: str) -> None:
    log = logs.make()
    for n in range(3):
        assert (await log.append(room, draft(str(n)))).offset == n + 1
        await admin.script_flush()
    assert (await log.read(room)).offset == 3


async def test_connections_lost_amid_appends_repeat_none(logs: StreamLogs, admin: Redis, room: str) -> None:
    writers = [logs.make() for _ in range(3)]
    await asyncio.gather(*(log.read(room) for log in writers))
    appending = asyncio.gather(*(append_surely(writers[n % 3], room, draft(str(n))) for n in range(3000)))
    lost = 0
    while not appending.done():
        await asyncio.sleep(0.03)
        lost += await kill_normal(admin)
    appended = await appending
    assert lost >= 3
    assert sorted(each.offset for each in appended) == list(range(1, 3001))
    page = await writers[0].read(room, limit=4000)
    assert len({message.text for message in page.messages}) == len(page.messages) == page.offset == 3000


async def kill_normal(admin: Redis) -> int:
    """Cuts every connection but this."""
    return int(await admin.client_kill_filter(_type="normal", skipme=True))


async def test_appends_repeated_by_their_connection_are_still_to_be_published(
    logs: StreamLogs, admin: Redis, room: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their answer was lost, so their askers have told nobody; one that had been said before has been told."""
    log = logs.make()
    await log.read(room)
    arrived, answers = connections.GuardedConnection.arrived, 0

    async def lost_once(connection: connections.GuardedConnection) -> list[Any]:
        nonlocal answers
        answers += 1
        found: list[Any] = await arrived(connection)
        if answers == 1:
            raise RedisConnectionError("lost")
        return found

    monkeypatch.setattr(connections.GuardedConnection, "arrived", lost_once)
    told = await asyncio.gather(*(log.append(room, draft(text)) for text in ("a", "b", "c", "a")))
    assert answers == 2
    assert [(appended.offset, appended.new) for appended in told] == [(1, True), (2, True), (3, True), (1, False)]


async def test_a_redis_that_is_loading_is_asked_again(
    logs: StreamLogs, room: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a failover; its word on that is no answer to the question."""
    log = logs.make()
    await log.read(room)
    arrived, loading = connections.GuardedConnection.arrived, [BusyLoadingError("Redis is loading")]

    async def busy_once(connection: connections.GuardedConnection) -> list[Any]:
        found: list[Any] = await arrived(connection)
        return [loading.pop()] if loading else found

    monkeypatch.setattr(connections.GuardedConnection, "arrived", busy_once)
    assert (await log.append(room, draft("hello"))).offset == 1
    assert loading == []


@asynccontextmanager
async def away(way: str, server: RedisServer) -> AsyncIterator[None]:
    outage = server.paused() if way == "paused" else server.stopped()
    await asyncio.to_thread(outage.__enter__)
    try:
        yield
    finally:
        await asyncio.to_thread(outage.__exit__, None, None, None)


@pytest.mark.parametrize("way", ["paused", "stopped"])
async def test_unavailable_is_said_in_time_and_it_works_again_afterwards(
    logs: StreamLogs, redis_server: RedisServer, room: str, way: str
) -> None:
    log = logs.make()
    first = await log.append(room, draft("1"))
    ask: list[Callable[[], Awaitable[Any]]] = [
        lambda: log.append(room, draft("2")),
        lambda: log.read(room),
        lambda: log.before(room, None, 1),
        lambda: log.positions({room: position(first)}),
    ]
    async with away(way, redis_server):
        begun = monotonic()
        answers = await asyncio.gather(*(each() for each in ask), return_exceptions=True)
        took = monotonic() - begun
        assert [type(answer) for answer in answers] == [Unavailable] * 4
        assert took < 2 * connections.DEADLINE, "a second attempt is not waited for"
    second = await log.append(room, draft("2"))
    assert (second.epoch, second.offset) == (first.epoch, 2)


async def test_what_is_asked_about_a_restart_waits_for_release(
    logs: StreamLogs, redis_server: RedisServer, room: str
) -> None:
    """Appends asked before the restart was noticed too; those who have seen something go first."""
    restarts: list[None] = []
    log = logs.make(on_restart=lambda: restarts.append(None))
    first = await log.append(room, draft("1"))
    async with away("stopped", redis_server):
        pass
    early = asyncio.ensure_future(log.append(room, draft("early")))
    page = await log.read(room, position(first))
    assert (page.epoch, page.offset) == (first.epoch, 1)
    assert restarts == [None]
    late = asyncio.ensure_future(log.append(room, draft("late")))
    unseen = asyncio.ensure_future(log.read(room, NOTHING_SEEN))
    page = await log.read(room, position(first))
    assert page.offset == 1
    assert not early.done()
    assert not late.done()
    assert not unseen.done()
    log.release()
    assert [(await early).offset, (await late).offset, (await unseen).offset] == [2, 3, 3]
    assert (await log.append(room, draft("4"))).offset == 4


# ── A full Redis ───────────────────────────────────────────────────────────────────────────────

MEBIBYTE = 2**20


@pytest_asyncio.fixture
async def maxmemory(admin: Redis) -> AsyncIterator[Callable[[int], Awaitable[None]]]:
    before = (await admin.config_get("maxmemory"))["maxmemory"]

    async def set_to(most: int) -> None:
        await admin.config_set("maxmemory", most)

    yield set_to
    await set_to(int(before or 0))


async def test_the_idlest_logs_go_when_redis_is_nearly_full_and_no_more_than_needed(
    logs: StreamLogs, admin: Redis, room: str, maxmemory: Callable[[int], Awaitable[None]]
) -> None:
    log = logs.make()
    await admin.delete(ROOMS_KEY)
    rooms = [f"{room}-{n}" for n in range(40)]
    for name in rooms:
        for some in batched(range(128), 32):  # more at once would be too much for one room
            await asyncio.gather(*(log.append(name, draft(str(n) + "x" * 4000)) for n in some))
    assert await log.relieve() == []
    used = (await admin.info("memory"))["used_memory"]
    await maxmemory(int(used / 0.88))  # about four rooms too many; what clients and other tests hold changes meanwhile
    dropped = await log.relieve()
    assert dropped == rooms[:10]
    assert await admin.keys(f"room:{rooms[0]}:*") == []
    assert (await log.read(rooms[10])).offset == 128
    await admin.delete(*(key for name in rooms for key in log_keys(name)), ROOMS_KEY)


async def test_a_full_redis_makes_appends_unavailable_and_leaves_the_log_whole(
    logs: StreamLogs, admin: Redis, room: str, maxmemory: Callable[[int], Awaitable[None]]
) -> None:
    log = logs.make()
    first = await log.append(room, draft("1"))
    await maxmemory(MEBIBYTE)
    with pytest.raises(Unavailable):
        await log.append(room, draft("2"))
    assert [message.text for message in (await log.read(room, after=0)).messages] == ["1"]
    await maxmemory(256 * MEBIBYTE)
    second = await log.append(room, draft("2"))
    assert (second.epoch, second.offset, second.new) == (first.epoch, 2, True)
