"""The dated result: on what machine, of what versions, with which command, and the table."""

from __future__ import annotations

import os
import platform
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tests.chaos.result import table
from tests.stack.clone import docker

if TYPE_CHECKING:
    from tests.chaos.result import Result

PAGE = """\
# Faults under load, {day}

Clients in rooms of 20 talk through nginx all the time; what they received says what was lost, repeated,
misordered, or acknowledged and absent. Recovery is each client's own: from the end of the fault until it had
everything that was acknowledged, or from its lost socket until it had caught up. [testing.md](../testing.md)
says more, and each file of `tests/chaos` its promise.

| what | which |
| --- | --- |
{facts}

{table}
{broken}"""


def document(results: list[Result], ended_early: list[str]) -> str:
    broken = "".join(f"\n- {result.fault}: {'; '.join(result.broken)[:1000]}" for result in results if result.broken)
    broken += "".join(f"\n- {fault}: the test ended without a result" for fault in ended_early)
    return PAGE.format(
        day=datetime.now(UTC).date(),
        facts="\n".join(f"| {name} | {value} |" for name, value in facts().items()),
        table=table(results),
        broken=f"\nNot kept:\n{broken}\n" if broken else "",
    )


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
        "commit": os.environ.get("CHAOS_COMMIT", "unknown"),
        "command": f"`{os.environ.get('CHAOS_COMMAND', '')}`",
    }
