"""While Redis is away nothing is restarted and readiness says so; all recover by themselves."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.stack.clone import WEBSOCKETS, Clone
from tests.stack.waiting import wait_until
from tests.stack.wire import receive, request, room

SERVED = ("web", WEBSOCKETS, "nginx")


def containers(stack: Clone) -> list[dict[str, Any]]:
    return [container for service in SERVED for container in stack.containers(service)]


def starts(stack: Clone) -> dict[str, tuple[str, int]]:
    return {c["Name"]: (c["State"]["StartedAt"], c["RestartCount"]) for c in containers(stack)}


@pytest.fixture
def redis_back_afterwards(stack: Clone) -> Iterator[None]:
    yield
    stack.compose("up", "--detach", "--wait", "redis")


@pytest.mark.usefixtures("redis_back_afterwards")
async def test_an_outage_of_redis_restarts_nobody(stack: Clone):
    before = starts(stack)
    assert request(stack, "/health/ready").status == 200
    stack.compose("stop", "redis")
    stopped = datetime.now(UTC)

    def status() -> bool:
        return request(stack, "/health/ready").status == 503

    wait_until(status, 10, "/health/ready says 503")
    assert request(stack, "/health/live").status == 200
    assert request(stack, "/").status == 200, "pages without a room need no Redis"

    def checked_twice() -> bool:
        """Every container's health was asked for at least twice during the outage, and all answered well."""
        for container in containers(stack):
            health = container["State"]["Health"]
            during = [check for check in health["Log"] if datetime.fromisoformat(check["Start"]) > stopped]
            assert health["Status"] == "healthy"
            assert [check["Output"] for check in during if check["ExitCode"]] == []
            if len(during) < 2:
                return False
        return True

    wait_until(checked_twice, 30, "two health checks of each container", every=1)
    stack.compose("start", "redis")
    wait_until(lambda: request(stack, "/health/ready").status == 200, 20, "/health/ready says 200")
    await a_message_crosses(stack)
    assert starts(stack) == before


async def a_message_crosses(stack: Clone) -> None:
    paths = ["/ws/sync/after-outage/"] * 2 + ["/ws/async/after-outage/"] * 2
    async with room(*((stack, path) for path in paths)) as members:
        await members[0].send(json.dumps({"message": "back"}))
        for member in members:
            await receive(member, "message", "说: back")
