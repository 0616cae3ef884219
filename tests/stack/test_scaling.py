"""`make scale` and `docker compose up --scale` take effect without touching nginx."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from time import monotonic
from typing import Any

import pytest

from tests.stack.clone import REPLICAS, WEBSOCKETS, Clone
from tests.stack.scaling import restored, workers
from tests.stack.wire import SECONDS, handshake, open_socket


@pytest.fixture(autouse=True)
def two_workers_afterwards(stack: Clone) -> Iterator[None]:
    with restored(stack):
        yield


def nginx(stack: Clone) -> tuple[str, str]:
    (container,) = stack.containers("nginx")
    return container["Id"], container["State"]["StartedAt"]


def healthy_since(container: dict[str, Any]) -> datetime:
    times = [check["End"] for check in container["State"]["Health"]["Log"] if check["ExitCode"] == 0]
    return datetime.fromisoformat(min(times))


async def first_sockets(stack: Clone, hostnames: set[str]) -> dict[str, datetime]:
    """When each of these workers got its first one; every socket stays open, as people's do."""
    got: dict[str, datetime] = {}
    async with AsyncExitStack() as opened, asyncio.timeout(SECONDS):
        while got.keys() != hostnames:
            socket = await opened.enter_async_context(open_socket(stack, "/own/socket"))
            worker = json.loads(await socket.recv())["worker"]
            if worker in hostnames:
                got.setdefault(worker, datetime.now(UTC))
    return got


async def new_workers_get_sockets(stack: Clone, old: dict[str, Any]) -> None:
    new = {c["Config"]["Hostname"]: c for address, c in workers(stack).items() if address not in old}
    got = await first_sockets(stack, set(new))
    waited = {name: (got[name] - healthy_since(new[name])).total_seconds() for name in new}
    assert len(new) == 2
    assert all(seconds < 5 for seconds in waited.values()), waited


async def test_new_workers_get_sockets_within_5_s_and_nginx_is_left_alone(stack: Clone):
    before, old = nginx(stack), workers(stack)
    await asyncio.to_thread(stack.make, "scale", "N=4")
    await new_workers_get_sockets(stack, old)
    assert nginx(stack) == before


async def test_plain_compose_scales_too(stack: Clone):
    before, old = nginx(stack), workers(stack)
    scale = ("up", "--detach", "--wait", "--no-recreate", "--scale", f"{WEBSOCKETS}=4")
    await asyncio.to_thread(stack.compose, *scale)
    await new_workers_get_sockets(stack, old)
    assert nginx(stack) == before


def test_the_number_is_remembered(stack: Clone):
    stack.make("scale", "N=3")
    scaled = workers(stack).keys()
    assert f"\n{REPLICAS}=3\n" in (stack.path / ".env").read_text()
    stack.compose("up", "--detach")
    assert len(scaled) == 3
    assert workers(stack).keys() == scaled


def test_workers_that_cannot_start_are_not_remembered(stack: Clone):
    before, configuration = workers(stack).keys(), (stack.path / ".env").read_bytes()
    secret = stack.path / "secrets/redis_password"
    kept = secret.rename(secret.with_name("kept"))
    try:
        assert stack.make("scale", "N=3", check=False).returncode
    finally:
        kept.rename(secret)
    assert (stack.path / ".env").read_bytes() == configuration
    assert workers(stack).keys() == before


def test_what_is_no_number_changes_nothing(stack: Clone):
    before, configuration = workers(stack).keys(), (stack.path / ".env").read_bytes()
    for number in ("", "0", "two", "-1", "100"):
        assert stack.make("scale", f"N={number}", check=False).returncode
    assert workers(stack).keys() == before
    assert (stack.path / ".env").read_bytes() == configuration


@pytest.mark.parametrize(("before", "after"), [(4, 2), (2, 1)])
async def test_no_handshake_fails_while_workers_leave(stack: Clone, before: int, after: int):
    """Nor in the two seconds afterwards, in which nginx may still know the address of one that is gone."""
    await asyncio.to_thread(stack.make, "scale", f"N={before}")
    begun: list[int] = []
    left_at: list[float] = []

    async def visitor() -> None:
        while not left_at or len(begun) < 200 or monotonic() < left_at[0] + 2:
            answer = await asyncio.to_thread(handshake, stack, "/ws/chat/leaving/")
            begun.append(answer.status)

    async def leave() -> None:
        try:
            await asyncio.to_thread(stack.make, "scale", f"N={after}")
        finally:
            left_at.append(monotonic())

    await asyncio.gather(leave(), *(visitor() for _ in range(4)))
    assert len(workers(stack)) == after
    assert len(begun) >= 200
    assert [status for status in begun if status != 101] == []
