"""Liveness and readiness, with stand-ins for the dependencies."""

import asyncio
import logging
from typing import Any

import pytest
from channels.layers import InMemoryChannelLayer
from channels.testing import HttpCommunicator

from app import health
from app.drain import draining

DEADLINE = 0.2


@pytest.fixture
def dependencies(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What readiness asks; all answer until a test says otherwise."""

    async def answers() -> None:
        pass

    asked = dict.fromkeys(health.DEPENDENCIES, answers)
    monkeypatch.setattr(health, "DEPENDENCIES", asked)
    monkeypatch.setattr(health, "DEADLINE", DEADLINE)
    return asked


async def application(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 418, "headers": []})
    await send({"type": "http.response.body", "body": b"the application"})


async def get(path: str, method: str = "GET", host: bytes = b"localhost") -> dict[str, Any]:
    communicator = HttpCommunicator(health.Health(application), method, path, headers=[(b"host", host)])
    return dict(await communicator.get_response(timeout=5))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
async def test_health_is_a_status_and_nothing_else(dependencies: dict[str, Any], method: str, path: str) -> None:
    answer = await get(path, method, host=b"whatever.example")
    assert answer["status"] == 200
    assert answer["body"] == b""
    assert dict(answer["headers"]) == {b"content-length": b"0", b"cache-control": b"no-store"}


@pytest.mark.parametrize("path", ["/", "/health", "/health/", "/health/live/", "/health/ready/", "/healthy"])
async def test_other_paths_are_the_applications(dependencies: dict[str, Any], path: str) -> None:
    assert (await get(path))["body"] == b"the application"


async def test_a_draining_process_is_alive_but_not_ready(
    dependencies: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draining, "begun", True)
    assert (await get("/health/live"))["status"] == 200
    assert (await get("/health/ready"))["status"] == 503


def test_readiness_asks_for_database_redis_and_channel_layer() -> None:
    assert set(health.DEPENDENCIES) == {"database", "redis", "channel layer"}


@pytest.mark.parametrize("name", ["database", "redis", "channel layer"])
async def test_failing_dependency_makes_unready_and_is_named_in_the_log(
    dependencies: dict[str, Any], caplog: pytest.LogCaptureFixture, name: str
) -> None:
    async def fails() -> None:
        raise ConnectionError("refused")

    dependencies[name] = fails
    with caplog.at_level(logging.WARNING):
        assert (await get("/health/ready"))["status"] == 503
    assert [record.getMessage() for record in caplog.records] == [f"not ready: {name}: ConnectionError: refused"]
    assert (await get("/health/live"))["status"] == 200


async def test_readiness_keeps_its_deadline_when_a_dependency_hangs_even_in_its_clean_up(
    dependencies: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    release, cancelled, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def hangs() -> None:
        try:
            await release.wait()
        except asyncio.CancelledError:
            cancelled.set()
            await release.wait()
        ended.set()

    dependencies["redis"] = hangs
    started = asyncio.get_running_loop().time()
    try:
        assert (await get("/health/ready"))["status"] == 503
        assert asyncio.get_running_loop().time() - started < DEADLINE * 5
        assert "not ready: redis: no answer within 0.2 s" in caplog.text
        await asyncio.wait_for(cancelled.wait(), 5)
    finally:
        release.set()
        await asyncio.wait_for(ended.wait(), 5)


async def test_dependencies_are_asked_at_once(dependencies: dict[str, Any]) -> None:
    everyone = asyncio.Barrier(len(dependencies))

    async def waits_for_the_others() -> None:
        await everyone.wait()

    dependencies.update(dict.fromkeys(dependencies, waits_for_the_others))
    assert (await get("/health/ready"))["status"] == 200


class Layer(InMemoryChannelLayer):
    """Loses the first `mute` messages to groups, as a subscription does that is not confirmed yet."""

    mute = 0.0

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        self.mute -= 1
        if self.mute < 0:
            await super().group_send(group, message)


@pytest.fixture
def layer(monkeypatch: pytest.MonkeyPatch) -> Layer:
    layer = Layer()
    monkeypatch.setattr(health, "get_channel_layer", lambda: layer)
    return layer


async def test_probe_succeeds_when_its_message_comes_back(layer: Layer) -> None:
    await asyncio.wait_for(health.channel_layer(), 5)
    assert layer.groups == {}


async def test_probe_without_an_answer_leaves_neither_a_group_nor_a_task(layer: Layer) -> None:
    layer.mute = float("inf")
    before = asyncio.all_tasks()
    probe = asyncio.create_task(health.channel_layer())
    await asyncio.wait({probe}, timeout=0.5)
    assert not probe.done()
    probe.cancel()
    await asyncio.wait({probe}, timeout=5)
    assert probe.cancelled()
    if left := asyncio.all_tasks() - before:
        _, left = await asyncio.wait(left, timeout=1)  # those cancelled but not yet gone
    assert left == set()
    assert layer.groups == {}


async def test_probe_raises_what_receiving_raises(layer: Layer, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(channel: str) -> None:
        raise ConnectionError("lost")

    monkeypatch.setattr(layer, "receive", fails)
    with pytest.raises(ConnectionError, match="lost"):
        await asyncio.wait_for(health.channel_layer(), 5)
