"""Named channels, a second layer, and a channel that Redis refuses."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from channels.layers import get_channel_layer
from channels.worker import Worker
from pytest_django import Settings
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

SECONDS = 5
MESSAGES = 200

pubsub_only = pytest.mark.parametrize("layer", ["pubsub"], indirect=True)


@pytest.fixture
def name() -> str:
    return f"jobs-{uuid4().hex}"


@asynccontextmanager
async def running(work: Coroutine[Any, Any, Any]) -> AsyncIterator[asyncio.Task[Any]]:
    """Until the end, at which nothing of it is left."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


def receiving(layer: Any, channel: str) -> AbstractAsyncContextManager[asyncio.Task[Any]]:
    return running(layer.receive(channel))


async def send_until(done: asyncio.Future[Any], layer: Any, channel: str, event: Any) -> Any:
    """The result. The pub/sub layer keeps nothing for a receiver that comes later."""
    async with asyncio.timeout(SECONDS):
        while not done.done():
            await layer.send(channel, event)
            await asyncio.wait({done}, timeout=0.05)
    return done.result()


async def test_what_is_sent_to_a_name_reaches_its_receiver(layer: Any, name: str) -> None:
    async with receiving(layer, name) as task:
        assert await send_until(task, layer, name, {"type": "job", "n": 1}) == {"type": "job", "n": 1}


@pubsub_only
async def test_the_pubsub_layer_carries_what_is_no_event(layer: Any, name: str) -> None:
    """As stock's does."""
    async with receiving(layer, name) as task:
        assert await send_until(task, layer, name, "text") == "text"


async def test_a_runworker_serves_a_named_channel(layer: Any, name: str) -> None:
    done: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        while True:
            event = await receive()
            if not done.done():
                done.set_result({"channel": scope["channel"], **event})

    async with running(Worker(application, [name], layer).handle()):
        assert await send_until(done, layer, name, {"type": "job"}) == {"channel": name, "type": "job"}


@pytest_asyncio.fixture
async def second(
    request: pytest.FixtureRequest, layer: Any, settings: Settings, configurations: dict[str, Any]
) -> AsyncIterator[Any]:
    """A second layer of the same kind, with a prefix that does not begin with `asgi`."""
    (kind,) = (kind for kind in ("pubsub", "core") if configurations[kind] == settings.CHANNEL_LAYERS)
    default = configurations[kind]["default"]
    other = {**default, "CONFIG": {**default["CONFIG"], "prefix": "other"}}
    settings.CHANNEL_LAYERS = {"default": default, "other": other}
    second = get_channel_layer("other")
    yield second
    await (second.flush if kind == "pubsub" else second.close_pools)()


async def test_a_second_layer_with_another_prefix_has_groups_of_its_own(layer: Any, second: Any, name: str) -> None:
    first = get_channel_layer()
    channels = {layer: await layer.new_channel() for layer in (first, second)}
    for layer, channel in channels.items():
        await layer.group_add(name, channel)
    for layer, number in ((first, 1), (second, 2)):
        await layer.group_send(name, {"type": "hello", "n": number})
    async with asyncio.timeout(SECONDS):
        assert (await first.receive(channels[first]))["n"] == 1
        assert (await second.receive(channels[second]))["n"] == 2
    for layer, channel in channels.items():
        await layer.group_discard(name, channel)


async def test_a_second_layer_has_named_channels_too(layer: Any, second: Any, name: str) -> None:
    async with receiving(second, name) as task:
        await send_until(task, second, name, {"type": "job"})


# ── Refusals ───────────────────────────────────────────────────────────────────────────────────


@pytest_asyncio.fixture
async def narrow(admin: Redis) -> AsyncIterator[None]:
    """The Redis user of a stack whose owner allows channels of our layers only."""
    await narrow_to(admin, "&asgi*")
    yield
    await narrow_to(admin, "&*")


async def narrow_to(admin: Redis, *channels: str) -> None:
    """Redis cuts the connections whose subscriptions are not allowed any more."""
    await admin.execute_command("ACL", "SETUSER", "app", "resetchannels", *channels)  # type: ignore[no-untyped-call]


async def heard(layer: Any, channel: str, group: str, last: int) -> list[int]:
    numbers: list[int] = []
    while not numbers or numbers[-1] < last:
        numbers.append((await layer.receive(channel))["n"])
    return numbers


@pubsub_only
async def test_a_refused_name_fails_its_caller_alone_and_mutes_no_group(layer: Any, name: str, narrow: None) -> None:
    member = await layer.new_channel()
    await layer.group_add(name, member)
    connection = layer._shards[0]._pubsub.reader
    hearing = asyncio.create_task(heard(layer, member, name, MESSAGES - 1))
    refused = []
    async with asyncio.timeout(SECONDS):
        for n in range(MESSAGES):
            await layer.group_send(name, {"type": "hello", "n": n})
            if n % 50 == 10:
                refused += [asyncio.create_task(layer.receive("events")) for _ in range(2)]
        assert await hearing == list(range(MESSAGES))
        faults = await asyncio.gather(*refused, return_exceptions=True)
    assert {type(fault) for fault in faults} == {NoPermissionError}
    assert "SUBSCRIBE events" in str(faults[0])
    assert layer._shards[0]._pubsub.reader is connection
    assert "events" not in layer.channels


@pubsub_only
async def test_a_refused_name_can_be_used_once_it_is_allowed(layer: Any, admin: Redis, name: str, narrow: None) -> None:
    async with asyncio.timeout(SECONDS):
        with pytest.raises(NoPermissionError):
            await layer.receive(name)
        with pytest.raises(NoPermissionError):
            await layer.send(name, {"type": "job"})
    await narrow_to(admin, "&asgi*", f"&{name}")
    async with receiving(layer, name) as task:
        await send_until(task, layer, name, {"type": "job"})


@pubsub_only
async def test_a_group_whose_channel_is_refused_keeps_no_member(layer: Any, admin: Redis, name: str) -> None:
    """So a later member's events do not reach one that was told that it is none."""
    member = await layer.new_channel()
    await narrow_to(admin, f"&{member}")
    try:
        async with asyncio.timeout(SECONDS):
            with pytest.raises(NoPermissionError):
                await layer.group_add(name, member)
    finally:
        await narrow_to(admin, "&*")
    assert f"asgi__group__{name}" not in layer.groups


@pubsub_only
async def test_names_that_are_refused_from_now_on_take_no_others_along(
    layer: Any, admin: Redis, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Redis refuses a SUBSCRIBE as a whole, and after a reconnect there is one for all."""
    member = await layer.new_channel()
    await layer.group_add(name, member)
    try:
        async with receiving(layer, name) as task:
            await send_until(task, layer, name, {"type": "job"})
        async with receiving(layer, name):
            await asyncio.sleep(0)  # until it waits
            await narrow_to(admin, "&asgi*")
            hearing = asyncio.create_task(layer.receive(member))
            async with asyncio.timeout(SECONDS):
                while not hearing.done():
                    await layer.group_send(name, {"type": "hello"})
                    await asyncio.wait({hearing}, timeout=0.05)
    finally:
        await narrow_to(admin, "&*")
    assert f"nothing arrives from {name} any more" in caplog.text
