"""Ending a container's process from outside, and when that was."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from tests.stack.clone import docker

if TYPE_CHECKING:
    from collections.abc import Iterable


def kill(containers: Iterable[dict[str, Any]]) -> float:
    """SIGKILL by the host's process id: `docker kill` would switch the restart policy off. Returns when."""
    pids = " ".join(str(container["State"]["Pid"]) for container in containers)
    script = f"kill -9 {pids} && date +%s.%N"
    return monotonic_of(float(docker("run", "--rm", "--pid=host", "--user=0", "channels-tests", "sh", "-c", script)))


def monotonic_of(wall: float) -> float:
    """This process' monotonic clock at that time of day."""
    return wall - time.time() + time.monotonic()
