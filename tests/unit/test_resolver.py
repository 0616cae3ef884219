"""Where the addresses of a name come from."""

import asyncio
import socket
import threading
from typing import Any

import pytest
from redis.asyncio import Connection as RedisConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

from MyChannels import resolver
from MyChannels.connection import ResolvedConnection


async def test_all_who_ask_for_a_name_meanwhile_wait_for_one_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    answer, asked = threading.Event(), []

    def getaddrinfo(*name: Any, **options: Any) -> list[Any]:
        asked.append(name)
        assert answer.wait(20)
        return [(0, 0, 0, "", ("192.0.2.1", 6379)), (0, 0, 0, "", ("192.0.2.2", 6379))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    asking = [asyncio.ensure_future(resolver.addresses("redis", 6379)) for _ in range(3)]
    await asyncio.sleep(0)
    asking[0].cancel()
    answer.set()
    assert await asyncio.gather(*asking[1:]) == [["192.0.2.1", "192.0.2.2"]] * 2
    assert asked == [("redis", 6379)]
    assert not resolver._asking


async def test_each_address_is_tried_until_one_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    async def addresses(host: str, port: int) -> list[str]:
        return ["192.0.2.1", "192.0.2.2"]

    monkeypatch.setattr(resolver, "addresses", addresses)

    tried = []

    async def connect(connection: RedisConnection) -> None:
        tried.append(connection.host)
        if len(tried) == 1:
            raise ConnectionRefusedError

    monkeypatch.setattr(RedisConnection, "_connect", connect)
    connection = ResolvedConnection(host="redis")
    await connection._connect()
    assert tried == ["192.0.2.1", "192.0.2.2"]
    assert connection.host == "redis"


async def test_an_unknown_name_is_a_connection_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(*name: Any, **options: Any) -> list[Any]:
        raise socket.gaierror("nobody knows it")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(RedisConnectionError, match="nobody knows it connecting to redis:6379"):
        await ResolvedConnection(host="redis", retry=Retry(NoBackoff(), 0)).connect()  # type: ignore[no-untyped-call]
