"""MyChannels/connection.py: commands as they go on the wire."""

from types import SimpleNamespace
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from MyChannels.connection import GuardedConnection
from tests.micro import ONCE, TEXT
from tests.micro.appends import Appends


class Wire:
    """A stream that takes everything."""

    transport = SimpleNamespace(is_closing=lambda: False)
    written = b""

    def write(self, data: bytes) -> None:
        self.written = data


@pytest.mark.benchmark(group=ONCE)
def test_pack_an_append(benchmark: BenchmarkFixture) -> None:
    connection = GuardedConnection()
    wire: Any = Wire()
    connection._writer = wire
    commands = [Appends().command()]
    benchmark(connection.write, commands)
    connection._writer = None  # else it would close what is none
    assert TEXT.encode() in wire.written
