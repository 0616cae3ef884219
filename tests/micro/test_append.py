"""MyChannels/log/append.lua, in the repository's own Redis."""

from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from MyChannels.connection import TOGETHER
from MyChannels.log.stream import SCRIPTS
from tests.integration.redis_server import running
from tests.micro.appends import Appends

APPENDS = 100


@pytest.fixture(scope="module")
def connection() -> Iterator[Any]:
    with running() as server, Redis.from_url(server.url, password=server.password) as client:
        for script in SCRIPTS:
            client.script_load(script)
        connection = client.connection_pool.get_connection()
        yield connection
        client.connection_pool.release(connection)


@pytest.mark.benchmark(group="once for each 100 messages, Redis included")
@pytest.mark.parametrize("together", [1, TOGETHER])
def test_append_100(benchmark: Any, connection: Any, together: int) -> None:
    """Packed beforehand, so that it is Redis and the way there and back; in a log that is full."""
    appends = Appends()

    def pack() -> tuple[tuple[list[bytes]], dict[str, object]]:
        commands = [appends.command(together) for _ in range(APPENDS // together)]
        return (connection.pack_commands(commands),), {}

    def append(packed: list[bytes]) -> list[int]:
        connection.send_packed_command(packed)
        answers = [connection.read_response() for _ in range(APPENDS // together)]
        return [offset for answer in answers for _, offset, _, _ in answer]

    offsets = benchmark.pedantic(append, setup=pack, warmup_rounds=100, rounds=200)
    assert offsets == list(range(offsets[0], offsets[0] + APPENDS))
