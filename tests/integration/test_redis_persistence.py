"""What is in Redis is there after a restart."""

from uuid import uuid4

from redis.asyncio import Redis

from .redis_server import RedisServer

WRITE_TWICE = "redis.call('ZADD', KEYS[1], 1, 'a'); redis.call('ZADD', KEYS[1], 2, 'b')"


async def test_commands_transactions_and_scripts_survive_a_restart(client: Redis, redis_server: RedisServer) -> None:
    single, transaction, script = (f"asgi:{uuid4().hex}" for _ in range(3))
    await client.zadd(single, {"a": 1})
    async with client.pipeline(transaction=True) as pipeline:
        await pipeline.zadd(transaction, {"a": 1})
        await pipeline.expire(transaction, 600)
        await pipeline.execute()
    await client.eval(WRITE_TWICE, 1, script)
    with redis_server.stopped():
        await client.connection_pool.disconnect()
    assert await client.zrange(single, 0, -1) == [b"a"]
    assert await client.zrange(transaction, 0, -1) == [b"a"]
    assert await client.zrange(script, 0, -1) == [b"a", b"b"]


async def test_redis_refuses_nothing_of_its_own_file(client: Redis, admin: Redis, redis_server: RedisServer) -> None:
    """Not even where the first write after a start is a script's."""
    key = f"asgi:{uuid4().hex}"
    with redis_server.stopped():
        await client.connection_pool.disconnect()
    await client.eval(WRITE_TWICE, 1, key)
    with redis_server.stopped():
        await client.connection_pool.disconnect()
        await admin.connection_pool.disconnect()
    assert (await admin.info("stats"))["acl_access_denied_cmd"] == 0
    assert "CRITICAL" not in redis_server.compose("logs", "redis")
    assert await client.zrange(key, 0, -1) == [b"a", b"b"]
