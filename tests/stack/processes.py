"""The processes in a container: ending one from outside, and when that was; which of them are leaving."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from tests.stack.clone import docker

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.stack.clone import Clone


def kill(containers: Iterable[dict[str, Any]]) -> float:
    """SIGKILL by the host's process id: `docker kill` would switch the restart policy off. Returns when."""
    pids = " ".join(str(container["State"]["Pid"]) for container in containers)
    script = f"kill -9 {pids} && date +%s.%N"
    return monotonic_of(
        float(docker("run", "--rm", "--pid=host", "--user=0", os.environ["PYTHON_IMAGE"], "sh", "-c", script))
    )


def monotonic_of(wall: float) -> float:
    """This process' monotonic clock at that time of day."""
    return wall - time.time() + time.monotonic()


def nginx_is_leaving(clone: Clone) -> bool:
    """Whether processes from before a reload are left, and accept nobody more."""
    listing = "for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline; echo; done"
    return "shutting down" in clone.compose("exec", "-T", "nginx", "sh", "-c", listing).stdout
