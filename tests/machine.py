"""What a result was measured on: machine, versions, commit and command."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

from tests.stack.clone import docker


def facts() -> dict[str, str]:
    processor = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = re.search(r"^MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return {
        "processor": f"{os.cpu_count()} × {processor[1] if processor else platform.machine()}",
        "memory": f"{int(memory[1]) / 2**20:.0f} GiB" if memory else "unknown",
        "load at the end": " ".join(f"{load:.1f}" for load in os.getloadavg()),
        "kernel": platform.release(),
        "engine": docker("version", "--format", "{{.Server.Version}}").strip(),
        "base images": ", ".join(os.environ.get(f"{name}_IMAGE", "") for name in ("PYTHON", "NGINX", "REDIS")),
        "commit": os.environ.get("RESULT_COMMIT", "unknown"),
        "command": f"`{os.environ.get('RESULT_COMMAND', '')}`",
    }


def is_busy() -> bool:
    """Whether other work runs beside the tests, which alone keep the load below four for each processor."""
    return os.getloadavg()[0] > 4 * (os.cpu_count() or 1)


def table(facts: dict[str, str]) -> str:
    return "\n".join(["| what | which |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in facts.items())])
