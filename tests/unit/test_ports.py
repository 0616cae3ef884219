"""tests/ports.py: a port is one test's alone, from the choice on."""

import subprocess
import sys
from pathlib import Path

from tests.ports import RANGE, reserved_port

ROOT = Path(__file__).parents[2]


def test_every_port_is_given_once_and_none_that_the_kernel_gives() -> None:
    first, last = map(int, RANGE.read_text().split())
    ports = [reserved_port() for _ in range(50)]
    assert len(set(ports)) == 50
    assert not [port for port in ports if first <= port <= last]


def test_another_process_does_not_get_it() -> None:
    """Even while nothing listens there yet."""
    port = reserved_port()
    program = f"import random; random.shuffle = lambda ports: ports.insert(0, {port})\n"
    program += "from tests.ports import reserved_port; print(reserved_port())"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(done.stdout) != port
