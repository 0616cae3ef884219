"""Redis and its connections fail while members on several workers speak: nobody loses, repeats or misorders anything
that the log still has; of the rest they are told. Everything goes on by itself, and no socket closes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager
from time import monotonic
from typing import Any

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from app.channel_layer import CONNECTING_SECONDS
from MyChannels import hub as hubs
from MyChannels.connection import DEADLINE
from MyChannels.groups import log_keys
from MyChannels.hub import Hub

from .conftest import Enter, Workers
from .conversation import Conversation
from .redis_server import RedisServer

pytestmark = [
    # redis-py's lost sockets
    pytest.mark.filterwarnings("ignore:.*StreamWriter:pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:.*transport:pytest.PytestUnraisableExceptionWarning"),
]

PUBSUB = pytest.mark.parametrize("layer", ["pubsub"], indirect=True)
ANSWERED_SECONDS = 4.0  # a sender is told within, whatever happens

FROZEN_SECONDS = DEADLINE + 2  # longer than a sender waits: it has to be told
RECONNECTING_SECONDS = 7 * CONNECTING_SECONDS  # so that several attempts to connect fail

Report = Callable[..., None]


@pytest.fixture
def report(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Report:
    def say(conversation: Conversation, recovery: float) -> None:
        with capsys.disabled():
            print(
                f"\n{request.node.originalname}: heard again {recovery:.2f} s after the fault, longest silence "
                f"{conversation.silence():.2f} s, a sender waited {conversation.waited:.2f} s at most, "
                f"{conversation.refused} times unavailable, {len(conversation.acknowledged)} texts"
            )

    return say


@pytest_asyncio.fixture
async def serving(workers: Workers) -> list[Hub]:
    return [workers(), workers(), workers()]


@pytest_asyncio.fixture
async def conversation(enter: Enter, serving: list[Hub]) -> AsyncIterator[Conversation]:
    """A speaker on each of two workers; listeners on one of them, and on a third, which says nothing itself: a
    worker that does finds by the offsets of its own messages what it has not heard."""
    members = [await enter(worker=serving[n], name=f"m{index}") for index, n in enumerate([0, 1, 1, 2])]
    conversation = Conversation(members[:2], members[2:])
    yield conversation
    conversation._stop = True


async def outage(context: AbstractContextManager[None], during: Callable[[], Awaitable[None]]) -> None:
    await asyncio.to_thread(context.__enter__)
    try:
        await during()
    finally:
        await asyncio.to_thread(context.__exit__, None, None, None)


# Each of these is the fault's own duration. Its effects are awaited by a condition with a deadline.


async def a_moment() -> None:
    await asyncio.sleep(1.5)  # how long the fault lasts


async def frozen() -> None:
    await asyncio.sleep(FROZEN_SECONDS)


async def finish(conversation: Conversation, serving: list[Hub], room: str, *, lossless: bool = True) -> None:
    await conversation.settled()
    conversation.check(lossless=lossless)
    texts = await conversation.in_log(serving[0]._log.read, room)
    if lossless:
        assert set(conversation.acknowledged) <= texts
    assert conversation.waited < ANSWERED_SECONDS


@PUBSUB
async def test_subscriptions_that_are_cut_again_and_again(
    conversation: Conversation, serving: list[Hub], admin: Redis, room: str, report: Report
) -> None:
    async with conversation.going_on():
        for _ in range(3):
            await cut_every_subscription(admin, len(serving))
            await conversation.progress()
        recovery = await conversation.progress()
    await finish(conversation, serving, room)
    report(conversation, recovery)


async def cut_every_subscription(admin: Redis, workers: int, seconds: float = 8) -> None:
    """Once each worker has one: what was heard before the last cut can be acknowledged while it is made anew."""
    async with asyncio.timeout(seconds):
        while len(await admin.client_list(_type="pubsub")) < workers:  # noqa: ASYNC110  # Redis tells nobody
            await asyncio.sleep(0.01)
    assert int(await admin.client_kill_filter(_type="pubsub")) >= workers


@PUBSUB
async def test_every_connection_cut_at_once(
    conversation: Conversation, serving: list[Hub], admin: Redis, room: str, report: Report
) -> None:
    async with conversation.going_on():
        for _ in range(3):
            await admin.client_kill_filter(_type="normal", skipme=True)
            await admin.client_kill_filter(_type="pubsub")
            recovery = await conversation.progress()
    await finish(conversation, serving, room)
    report(conversation, recovery)


@PUBSUB
@pytest.mark.parametrize("way", ["restarted", "killed"])
async def test_redis_is_started_anew(
    conversation: Conversation, serving: list[Hub], redis_server: RedisServer, room: str, report: Report, way: str
) -> None:
    """After SIGKILL too: what was written is in the kernel's hands, and nobody has seen more."""
    async with conversation.going_on():
        context = redis_server.killed() if way == "killed" else redis_server.stopped()
        await outage(context, a_moment)
        recovery = await conversation.progress()
    await finish(conversation, serving, room)
    report(conversation, recovery)


@PUBSUB
async def test_redis_freezes(
    conversation: Conversation, serving: list[Hub], redis_server: RedisServer, room: str, report: Report
) -> None:
    async with conversation.going_on():
        await outage(redis_server.paused(), frozen)
        recovery = await conversation.progress()
        assert conversation.refused >= 2
    await finish(conversation, serving, room)
    report(conversation, recovery)


@PUBSUB
async def test_a_worker_that_is_too_slow_for_redis_is_cut_off(
    conversation: Conversation, serving: list[Hub], admin: Redis, room: str, report: Report
) -> None:
    before = (await admin.config_get("client-output-buffer-limit"))["client-output-buffer-limit"]
    cut = await cut_for_slowness(admin)
    async with conversation.going_on():
        await admin.config_set("client-output-buffer-limit", "pubsub 4096 0 0")
        try:
            await more_than_redis_keeps(admin, serving[0].layer)
        finally:
            await admin.config_set("client-output-buffer-limit", before or "")
        assert await cut_for_slowness(admin) - cut >= 3
        recovery = await conversation.progress()
    await finish(conversation, serving, room)
    report(conversation, recovery)


async def more_than_redis_keeps(admin: Redis, layer: Any) -> None:
    """In one turn of Redis' loop, before it writes to anybody; 16 KiB a subscriber are free, and not counted."""
    unheard_of = layer.serialize({"type": "of.nobody", "pad": "x" * 4000})
    async with admin.pipeline(transaction=True) as turn:
        for channel in await admin.pubsub_channels("*hubs*"):
            for _ in range(10):
                turn.publish(channel, unheard_of)
        await turn.execute()


async def cut_for_slowness(admin: Redis) -> int:
    return int((await admin.info("stats"))["client_output_buffer_limit_disconnections"])


@PUBSUB
async def test_redis_freezes_while_the_subscriptions_are_made_anew(
    conversation: Conversation, serving: list[Hub], redis_server: RedisServer, room: str, report: Report
) -> None:
    """To connect takes too long then, again and again: the layer must not give up."""

    async def cut_and_frozen() -> None:
        for hub in serving:
            await hub.layer.resubscribe()
        await asyncio.sleep(RECONNECTING_SECONDS)

    async with conversation.going_on():
        await outage(redis_server.paused(), cut_and_frozen)
        recovery = await conversation.progress()
    await finish(conversation, serving, room)
    report(conversation, recovery)


@pytest.mark.parametrize("layer", ["core"], indirect=True)
async def test_the_core_layers_memberships_are_lost(
    conversation: Conversation,
    serving: list[Hub],
    redis_server: RedisServer,
    admin: Redis,
    room: str,
    report: Report,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are in Redis itself; the workers renew them after a restart."""
    monkeypatch.setattr(hubs, "CHECK_SECONDS", 60)

    async def lost() -> None:
        await admin.delete(*await admin.keys("asgi:group:*"))

    async with conversation.going_on():
        await lost()
        await outage(redis_server.stopped(), a_moment)
        recovery = await conversation.progress()
    await finish(conversation, serving, room)
    report(conversation, recovery)


@PUBSUB
@pytest.mark.parametrize("way", ["stopped", "killed"])
async def test_the_end_of_the_log_is_lost(
    conversation: Conversation, serving: list[Hub], redis_server: RedisServer, room: str, report: Report, way: str
) -> None:
    """Members have seen what Redis no longer knows: they are told, and what follows has another epoch."""
    async with conversation.going_on():
        kept = await asyncio.to_thread(redis_server.written)
        await conversation.progress()

        async def cut() -> None:
            await asyncio.to_thread(redis_server.cut, kept)

        await outage(redis_server.killed() if way == "killed" else redis_server.stopped(), cut)
        recovery = await conversation.progress()
    await finish(conversation, serving, room, lossless=False)
    for member in conversation.members:
        assert [each.get("recovered") for each in member.of("welcome")] == [None, False]
    report(conversation, recovery)


@PUBSUB
async def test_a_quiet_worker_that_has_seen_more_speaks_up_before_anything_is_appended(
    enter: Enter, serving: list[Hub], redis_server: RedisServer, room: str
) -> None:
    """It has nothing to ask of Redis; the other has, at once, and would give the lost offsets away again."""
    speaker, witness = await enter(worker=serving[0]), await enter(worker=serving[1])
    await speaker.say("kept")
    kept = await asyncio.to_thread(redis_server.written)
    for n in range(5):
        await speaker.say(f"lost {n}")
    await witness.wait("message", count=6)
    # The first worker has seen no more than what will be left.
    serving[0].rooms[room].offset, serving[0].rooms[room].sent_at = 1, speaker.of("message")[0]["sent_at"]

    async def cut() -> None:
        await asyncio.to_thread(redis_server.cut, kept)

    await outage(redis_server.killed(), cut)
    answer: dict[str, Any] = {"type": "error"}
    async with asyncio.timeout(10):
        while answer["type"] == "error":
            answer = await speaker.say("again", "again")
    await witness.hears("again", 10)
    epoch, offset, _ = witness.heard()[-1]
    assert epoch != witness.welcome["epoch"]
    assert offset == 2


@PUBSUB
async def test_a_rooms_keys_are_lost(
    conversation: Conversation, serving: list[Hub], admin: Redis, room: str, report: Report
) -> None:
    async with conversation.going_on():
        await admin.delete(*log_keys(room))
        recovery = await conversation.progress()
    await finish(conversation, serving, room, lossless=False)
    for member in conversation.members:
        assert [each.get("recovered") for each in member.of("welcome")] == [None, False]
    report(conversation, recovery)


@PUBSUB
async def test_a_subscription_that_brings_nothing_is_made_anew(
    conversation: Conversation,
    serving: list[Hub],
    room: str,
    report: Report,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Half open: Redis answers, and thinks that it sends; nothing arrives."""
    monkeypatch.setattr(hubs, "PROBE_ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(hubs, "CHECK_SECONDS", 60)
    hub = serving[2]
    shard = hub.layer._get_layer()._shards[0]
    receive = shard._receive_message
    connected = shard._pubsub.connection._reader

    def half_open(message: Any) -> None:
        if shard._pubsub.connection._reader is not connected:
            receive(message)

    async with conversation.going_on():
        monkeypatch.setattr(shard, "_receive_message", half_open)
        begun = monotonic()
        await hub._check_subscription()
        await conversation.progress()
        recovery = monotonic() - begun
    await finish(conversation, serving, room)
    report(conversation, recovery)


@PUBSUB
async def test_what_was_published_in_vain_is_found_though_nothing_follows(
    enter: Enter, serving: list[Hub], monkeypatch: pytest.MonkeyPatch
) -> None:
    speaker, listener = await enter(worker=serving[0]), await enter(worker=serving[1])
    monkeypatch.setattr(serving[0], "_publish", lambda group, event: None)
    await speaker.say("unheard of")
    await listener.wait("message", seconds=hubs.CHECK_SECONDS * 2 + 2)
    assert listener.texts() == ["unheard of"]
