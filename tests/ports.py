"""Ports of this machine that no other test takes between choosing and using, and no client's connection either."""

import random
import socket
from pathlib import Path

RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
# Held until this process ends. An abstract name is known to all who share the host's network: every run on the machine.
_held: list[socket.socket] = []


def reserved_port() -> int:
    """Not one that the kernel gives to a connection: thousands of clients begin and end beside the tests."""
    first, last = map(int, RANGE.read_text().split())
    candidates = [port for port in range(10000, 65536) if not first <= port <= last]
    random.shuffle(candidates)
    for port in candidates:
        name = socket.socket(socket.AF_UNIX)
        try:
            name.bind(f"\0channels-tests-port-{port}")
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            name.close()
            continue
        _held.append(name)
        return port
    raise AssertionError(f"expected a free port beside {first} to {last}, found none")
