"""What the stack's parts hold at a moment: by the kernel's account, by their own /metrics, by Redis' INFO."""

from __future__ import annotations

import re
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any

from deploy.doctor import redis as redis_report
from tests.stack.clone import WEBSOCKETS, docker

if TYPE_CHECKING:
    from tests.stack.clone import Clone

# Anonymous memory, which is what processes keep: `anon` by the second version of control groups, `total_rss` by the
# first; then the number of open file descriptors, this shell's own few included.
KERNEL = """
cat /sys/fs/cgroup/memory.stat /sys/fs/cgroup/memory/memory.stat 2> /dev/null
set -- /proc/[0-9]*/fd/[0-9]*; echo descriptors $#
"""
MEMORY = re.compile(r"^(?:anon|total_rss) (\d+)$", re.MULTILINE)
METRICS = {
    "asyncio tasks": "asyncio_tasks",
    "layer channels": "channel_layer_channels",
    "layer groups": "channel_layer_groups",
    "rooms": "rooms",
    "members": "room_members",
}
APPLICATION = (WEBSOCKETS, "web")
SERVICES = (*APPLICATION, "nginx", "redis")

Series = tuple[str, str]  # the part, and what of it


@dataclass
class Sample:
    at: float  # monotonic
    values: dict[Series, float]


class Gauges:
    """Of the containers that run now; `restarted` says of which that is true no longer."""

    def __init__(self, stack: Clone) -> None:
        self.stack = stack
        self.containers = {
            container["Name"].removeprefix(f"/{stack.project}-"): (service, container)
            for service in SERVICES
            for container in sorted(stack.containers(service), key=lambda container: str(container["Name"]))
        }

    def sample(self) -> Sample:
        with ThreadPoolExecutor(len(self.containers)) as pool:
            found = pool.map(lambda name: self.of(name, *self.containers[name]), self.containers)
        return Sample(monotonic(), {(name, what): value for name, values in found for what, value in values.items()})

    def of(self, name: str, service: str, container: dict[str, Any]) -> tuple[str, dict[str, float]]:
        values = kernel(docker("exec", container["Id"], "sh", "-c", KERNEL))
        if service in APPLICATION:
            values |= metrics(container["NetworkSettings"]["Networks"][f"{self.stack.project}_edge"]["IPAddress"])
        if service == "redis":
            values |= redis(docker("exec", container["Id"], "redis-report.sh"))
        return name, values

    def restarted(self) -> list[str]:
        now = {container["Id"]: container["State"]["StartedAt"] for container in self.stack.containers()}
        return [
            f"{name}: was restarted"
            for name, (_, container) in self.containers.items()
            if now.get(container["Id"]) != container["State"]["StartedAt"]
        ]


def kernel(said: str) -> dict[str, float]:
    return {"memory": float(MEMORY.findall(said)[0]), "descriptors": float(said.split()[-1])}


def metrics(address: str) -> dict[str, float]:
    with urllib.request.urlopen(f"http://{address}:8000/metrics", timeout=10) as answer:
        found = dict(re.findall(r"^(\w+) (\S+)$", answer.read().decode(), re.MULTILINE))
    return {what: float(found[name]) for what, name in METRICS.items()}


def redis(text: str) -> dict[str, float]:
    report = redis_report.parse(text)
    assert report, f"expected INFO and CONFIG, received {text[:200]!r}"
    keys = re.match(r"keys=(\d+)", report.info.get("db0", "keys=0"))
    return {
        "data": report.number("used_memory"),
        "keys": float(keys[1]) if keys else 0,
        "connections": report.number("connected_clients"),
        "subscriptions": report.number("pubsub_channels"),
        "group members": sum(len(members) for members in report.groups.values()),
    }
