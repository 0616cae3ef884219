"""What a member costs in memory and a message in processor time, on a stack of two workers of its own.

`tests/image.sh python -m tests.chat.cost`; nothing else should run on the machine.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import AsyncExitStack
from time import monotonic
from uuid import uuid4

from tests.chat.crowd import Crowd
from tests.stack.clone import WEBSOCKETS, Clone, docker, remove_interrupted

MEMBERS, ROOMS = 2000, 100
LISTENERS, RATE, SECONDS = 100, 50.0, 20.0
SETTLE = 10.0  # seconds in which joining ends to cost


def resident(clone: Clone) -> int:
    """Bytes that the workers hold together."""
    pids = [str(container["State"]["Pid"]) for container in clone.containers(WEBSOCKETS)]
    script = "for pid in " + " ".join(pids) + "; do grep VmRSS /proc/$pid/status; done"
    shown = docker("run", "--rm", "--pid=host", "--user=0", "channels-tests", "sh", "-c", script)
    return sum(int(kilobytes) for kilobytes in re.findall(r"(\d+) kB", shown)) * 1024


def processor(clone: Clone) -> dict[str, float]:
    """Seconds of processor time that each service's containers have used."""
    used = dict.fromkeys((WEBSOCKETS, "nginx", "redis"), 0.0)
    for service in used:
        for container in clone.containers(service):
            for process in docker("exec", container["Id"], "sh", "-c", "cat /proc/[0-9]*/stat").splitlines():
                statistics = process.rpartition(")")[2].split()
                used[service] += (int(statistics[11]) + int(statistics[12])) / 100  # user and system, in clock ticks
    return used


def scripts(clone: Clone) -> tuple[int, int]:
    """How many scripts Redis has run, and their microseconds."""
    (redis,) = clone.containers("redis")
    command = "REDISCLI_AUTH=$(cat /run/redis/doctor) redis-cli --user doctor info commandstats"
    found = re.search(r"cmdstat_evalsha:calls=(\d+),usec=(\d+)", docker("exec", redis["Id"], "sh", "-c", command))
    return (int(found[1]), int(found[2])) if found else (0, 0)


def address(clone: Clone) -> str:
    return f"ws://{clone.host}/ws/chat/cost-{uuid4().hex[:8]}/"


async def memory(clone: Clone) -> None:
    before, begun = resident(clone), monotonic()
    async with AsyncExitStack() as crowds:
        for _ in range(ROOMS):
            await crowds.enter_async_context(Crowd(address(clone), MEMBERS // ROOMS, keep=False, host="127.0.0.1"))
        joined = monotonic() - begun
        await asyncio.sleep(SETTLE)
        each = (resident(clone) - before) / MEMBERS
        print(f"memory     {each / 1024:.1f} KiB a member: {MEMBERS} in {ROOMS} rooms, joined in {joined:.1f} s")


async def messages(clone: Clone) -> None:
    async with Crowd(address(clone), LISTENERS, host="127.0.0.1") as crowd:
        await asyncio.sleep(SETTLE)
        used, (calls, microseconds) = processor(clone), scripts(clone)
        await crowd.talk(20, RATE, SECONDS)
        await crowd.catch_up(10)
        after, (more_calls, more_microseconds) = processor(clone), scripts(clone)
        verdict = crowd.verdict()
    print(f"scripts    {(more_microseconds - microseconds) / (more_calls - calls):.1f} µs each in Redis")
    for service, seconds in after.items():
        spent = (seconds - used[service]) * 1e6
        print(f"{service:<10} {spent / verdict.logged:.0f} µs a message, {spent / verdict.deliveries:.1f} a delivery")
    print(f"acknowledged {verdict.acknowledging}")
    assert verdict.faults == {}  # otherwise the figures say nothing


def main() -> None:
    remove_interrupted()
    clone = Clone().copy()
    try:
        clone.make("up")
        asyncio.run(memory(clone))
        asyncio.run(messages(clone))
    finally:
        clone.purge()


if __name__ == "__main__":
    main()
