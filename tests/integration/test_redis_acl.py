"""What the application's Redis user may do: what the channel layers need, and nothing else."""

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, ResponseError

REFUSED = [
    "FLUSHALL",
    "FLUSHDB",
    "KEYS asgi*",
    "SCAN 0",
    "RANDOMKEY",
    "DBSIZE",
    "MONITOR",
    "CONFIG GET *",
    "CONFIG SET maxmemory 1gb",
    "ACL WHOAMI",
    "ACL LIST",
    "ACL SETUSER app +@all",
    "CLIENT LIST",
    "CLIENT KILL TYPE normal",
    "SHUTDOWN NOSAVE",
    "SAVE",
    "BGREWRITEAOF",
    "REPLICAOF NO ONE",
    "MODULE LIST",
    "SCRIPT FLUSH",
    "FUNCTION LIST",
    "PUBSUB CHANNELS",
    "PSUBSCRIBE *",
    "SELECT 1",
    "UNLINK other",
    "HGETALL room:a",
    "XREAD STREAMS room:a:log 0",
    "GET asgi:a",
    "SET asgi:a 1",
    # Keys that are not the layers'.
    "ZADD other 1 a",
    "ZCARD other",
    "DEL other",
    "EXPIRE other 1",
    "BZPOPMIN other 1",
    "HSET other a b",
    "XRANGE other - +",
    "GET jobs",
    "ZADD jobs 1 a",
]


@pytest.mark.parametrize("command", REFUSED)
async def test_command_is_refused(client: Redis, command: str) -> None:
    with pytest.raises(NoPermissionError):
        await client.execute_command(*command.split())  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("call", ["'FLUSHALL'", "'KEYS','*'", "'CONFIG','GET','*'", "'ZADD','other','1','a'"])
async def test_command_is_refused_in_a_script_too(client: Redis, call: str) -> None:
    with pytest.raises(ResponseError, match=r"ACL failure in script|not allowed from script"):
        await client.eval(f"return redis.call({call})", 0)


async def test_any_channel_may_be_used_and_none_by_pattern(client: Redis) -> None:
    """Named channels, a second layer and packages have names that we do not know."""
    async with client.pubsub() as subscription:
        await subscription.subscribe("events_channel")
        async with asyncio.timeout(5):
            assert (await subscription.get_message(timeout=None))["type"] == "subscribe"
            assert await client.publish("events_channel", "hello") == 1
            assert (await subscription.get_message(timeout=None))["data"] == b"hello"


async def test_debugging_is_refused(client: Redis) -> None:
    """Redis' own refusal comes before the user's."""
    with pytest.raises(ResponseError, match="not allowed"):
        await client.execute_command("DEBUG", "SLEEP", "0")  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    ("username", "password"),
    [(None, None), ("app", "wrong"), ("app", ""), ("default", ""), ("default", "the app's"), (None, "the app's")],
)
async def test_nobody_gets_in_but_app_with_its_password(
    configurations: dict[str, Any], username: str | None, password: str | None
) -> None:
    address = configurations["REDIS_URL"].replace("app@", "")
    password = configurations["REDIS_PASSWORD"] if password == "the app's" else password
    once = Retry(NoBackoff(), 0)
    async with Redis.from_url(address, username=username, password=password, retry=once) as stranger:
        with pytest.raises(AuthenticationError):
            await stranger.ping()
