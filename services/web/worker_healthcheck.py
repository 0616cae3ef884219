"""Health check of a container that runs `runworker`: its process is connected to Redis, where its events come from.

This reads the kernel's table of connections, so it needs no secret, no package and no connection of its own.
"""

import sys
from pathlib import Path

PORT = 6379
ESTABLISHED = "01"


def connected(tables: list[str]) -> bool:
    """Whether the contents of /proc/net/tcp and tcp6 include a connection to Redis."""
    rows = (line.split() for table in tables for line in table.splitlines()[1:])
    return any(int(row[2].rsplit(":", 1)[1], 16) == PORT and row[3] == ESTABLISHED for row in rows)


if __name__ == "__main__":
    files = [Path("/proc/net/tcp"), Path("/proc/net/tcp6")]
    if not connected([file.read_text() for file in files if file.exists()]):
        sys.exit("no connection to Redis")
