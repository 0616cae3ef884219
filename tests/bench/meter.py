"""What containers have used, by the kernel's accounting of their control groups.

Not the engine's `stats`: it samples once a second, which is coarser than what is measured.
"""

from __future__ import annotations

import os
import re
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

TREE = Path("/control-groups")  # the machine's /sys/fs/cgroup, as compose.yaml mounts it


@dataclass(frozen=True)
class Usage:
    processor: float = 0.0  # seconds
    memory: int = 0  # bytes of the processes' own, neither files' nor sockets'

    def __add__(self, other: Usage) -> Usage:
        return Usage(self.processor + other.processor, self.memory + other.memory)

    def __sub__(self, other: Usage) -> Usage:
        return Usage(self.processor - other.processor, self.memory - other.memory)

    def as_object(self) -> dict[str, float]:
        return asdict(self)


@cache
def group(tree: Path, container: str, file: str) -> Path:
    """Version 1 has a tree for each kind, version 2 one for all; engines put containers in different places."""
    found = next((path for path in tree.glob(f"**/*{container}*/{file}") if path.is_file()), None)
    if found is None:
        raise FileNotFoundError(f"expected a control group of container {container} with {file}, found none in {tree}")
    return found


def usage(container: str, tree: Path = TREE) -> Usage:
    two = (tree / "cgroup.controllers").exists()
    if two:
        statistics = group(tree, container, "cpu.stat").read_text()
        processor = field(statistics, "usage_usec") / 1e6
    else:
        processor = int(group(tree / "cpuacct", container, "cpuacct.usage").read_text()) / 1e9
    memory = group(tree if two else tree / "memory", container, "memory.stat").read_text()
    return Usage(processor, field(memory, "anon" if two else "total_rss"))


def machine(statistics: Path = Path("/proc/stat")) -> tuple[float, int]:
    """Seconds that all processors have worked, whoever for, and how many there are."""
    lines = statistics.read_text().splitlines()
    user, nice, system, _idle, _waiting, interrupts, soft_interrupts, *_ = map(int, lines[0].split()[1:])
    busy = (user + nice + system + interrupts + soft_interrupts) / os.sysconf("SC_CLK_TCK")
    return busy, sum(line.startswith("cpu") for line in lines) - 1


def field(statistics: str, name: str) -> int:
    found = re.search(rf"^{name} (\d+)$", statistics, re.MULTILINE)
    if found is None:
        raise ValueError(f"expected {name} among the statistics, received:\n{statistics}")
    return int(found[1])
