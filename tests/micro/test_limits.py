"""MyChannels/limits.py: may this client say one more?"""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from MyChannels.limits import Rate
from tests.micro import ONCE


@pytest.mark.benchmark(group=ONCE)
def test_permit_a_message(benchmark: BenchmarkFixture) -> None:
    assert benchmark(Rate(1e9).permits)
