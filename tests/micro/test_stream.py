"""MyChannels/log/stream.py: the command that appends a message, and publishes it."""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from tests.micro import ONCE, TEXT
from tests.micro.appends import Appends


@pytest.mark.benchmark(group=ONCE)
def test_command_of_an_append(benchmark: BenchmarkFixture) -> None:
    appends = Appends()
    benchmark(appends.ask)
    assert TEXT in appends.asked.share
