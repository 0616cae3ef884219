"""Finds leaked members of the core layer's groups: channels that a dead or stuck worker no longer reads.

A group is a sorted set of channels `specific.<process>!<socket>`. A living process sends heartbeats
(app/core_layer.py), but may hang; a working process reads its queue at once. So this check puts an entry that is
addressed to no socket into each process' queue. A reader takes and drops it. If it is still there after GRACE, the
process does not read.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploy.doctor.finding import Finding, ok, warning

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from redis.asyncio import Redis

GRACE = 2.0  # seconds
MOST = 1000  # processes


@dataclass
class Process:
    members: int = 0
    oldest: float = float("inf")  # seconds since 1970


def processes(groups: Mapping[str, list[tuple[str, float]]]) -> dict[str, Process]:
    """The processes with members, by the name of their queue. A channel without `!` belongs to no process."""
    found: dict[str, Process] = {}
    for members in groups.values():
        for channel, joined in members:
            queue, mark, _ = channel.partition("!")
            if mark:
                process = found.setdefault(queue + mark, Process())
                process.members += 1
                process.oldest = min(process.oldest, joined)
    return found


async def unread(client: Redis, layer: Any, queues: Collection[str]) -> set[str]:
    """The queues that no process reads."""
    probes = {queue: layer.serialize({"type": "doctor.probe", "__asgi_channel__": []}) for queue in queues}
    for queue, probe in probes.items():
        await client.zadd(layer.prefix + queue, {probe: time.time()})
        await client.expire(layer.prefix + queue, layer.expiry)  # as the layer's own send does
    await asyncio.sleep(GRACE)
    return {queue for queue, probe in probes.items() if await client.zrem(layer.prefix + queue, probe)}


def judge(
    found: Mapping[str, Process], dead: Collection[str], service: str, removed_after: float, now: float
) -> list[Finding]:
    """`removed_after`: seconds from a process' death until the other processes remove its members."""
    if not dead:
        return [ok("members", f"{sum(p.members for p in found.values())} in groups, every one's worker reads")]
    members, oldest = sum(found[queue].members for queue in dead), min(found[queue].oldest for queue in dead)
    return [
        warning(
            "members",
            f"{members} members of groups belong to workers that do not read ({len(dead)}, dead or stuck); "
            f"the first joined {(now - oldest) / 60:.0f} minutes ago",
            "0; each message is written for them too",
            f"make doctor   again in {removed_after:g} s: the living have removed those of the dead by then; "
            f"docker compose restart {service}   where one hangs",
        )
    ]
