"""Redis' disk is full for 10 s: what it cannot keep is not acknowledged, and all is in order 10 s after there is room.

Redis itself looks every second whether it can write again; and clients whose messages were refused at once, again and
again, wait longer each time, up to 8 s by then.
"""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic

import pytest

from tests.chaos.result import Result
from tests.chaos.town import Town
from tests.stack.clone import OVERLAYS, Clone

FULL = 10.0
OVERLAY = """
volumes:
  redis:
    driver_opts: { type: tmpfs, device: tmpfs, o: "size=16m,uid=999,gid=999,mode=0700" }
"""


@pytest.fixture
def small_disk(fresh_clone: Callable[[], Clone]) -> Clone:
    """A stack whose Redis keeps its files in 16 MB of memory."""
    clone = fresh_clone()
    (clone.path / "deploy" / "small-disk.yaml").write_text(OVERLAY)
    clone.run("deploy/configure.sh")
    clone.set(COMPOSE_FILE=f"{OVERLAYS}:deploy/small-disk.yaml")
    clone.make("up")
    return clone


async def test_a_full_disk_costs_no_message_that_was_acknowledged(
    small_disk: Clone, trial: Callable[..., Awaitable[Result]]
):
    def redis(script: str) -> None:
        small_disk.compose("exec", "--no-TTY", "redis", "sh", "-c", script)

    async def fill(_: Town) -> float:
        await asyncio.to_thread(redis, "! cat /dev/zero > /data/filler")
        try:
            await asyncio.sleep(FULL)
        finally:
            emptied = monotonic()
            await asyncio.to_thread(redis, "rm /data/filler")
        return emptied

    result = await trial(small_disk, fill, promised=10.0)
    assert result.verdict.errors["unavailable"], "Redis never refused to write"
    assert result.broken == []
