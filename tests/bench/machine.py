"""On what it was measured."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path


def machine() -> dict[str, str]:
    processor = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = re.search(r"^MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return {
        "processor": f"{os.cpu_count()} × {processor[1] if processor else platform.machine()}",
        "memory": f"{int(memory[1]) / 2**20:.0f} GiB" if memory else "unknown",
        "kernel": platform.release(),
        "load at the end": " ".join(f"{load:.1f}" for load in os.getloadavg()),
        "base images": ", ".join(os.environ.get(f"{name}_IMAGE", "") for name in ("PYTHON", "NGINX", "REDIS")),
        "commit": os.environ.get("BENCH_COMMIT", "unknown"),
        "command": os.environ.get("BENCH_COMMAND", "make bench"),
    }
