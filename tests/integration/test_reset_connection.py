"""A connection to Redis that was reset just now is a lost connection, and nothing else."""

import pytest
from redis.asyncio import ConnectionPool
from redis.exceptions import ConnectionError as RedisConnectionError

from MyChannels.connection import GuardedConnection

from .redis_server import RedisServer


async def test_writing_to_a_reset_connection_says_that_it_is_lost_and_the_next_one_works(
    redis_server: RedisServer,
) -> None:
    """Without the guard, Python up to 3.13.5 raises TypeError, and later ones wait for an answer."""
    pool = ConnectionPool.from_url(
        redis_server.url, password=redis_server.password, connection_class=GuardedConnection, socket_timeout=2
    )
    connection = await pool.get_connection()  # type: ignore[no-untyped-call]
    connection._writer.transport.abort()
    with pytest.raises(RedisConnectionError):
        await connection.send_command("PING")
    await connection.send_command("PING")
    assert await connection.read_response() == b"PONG"
    await pool.release(connection)
    await pool.disconnect()
