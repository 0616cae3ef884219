"""What an outage of Redis leaves behind in a worker: nothing."""

import gc
import logging
from contextlib import suppress
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from tests.fixtures import Join

from .redis_server import RedisServer

pytestmark = [
    pytest.mark.parametrize("layer", ["pubsub"], indirect=True),
    # redis-py's lost sockets
    pytest.mark.filterwarnings("ignore:.*StreamWriter:pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:.*transport:pytest.PytestUnraisableExceptionWarning"),
]


async def test_a_room_whose_last_member_left_during_the_outage_can_be_joined_after_it(
    join: Join, redis_server: RedisServer
) -> None:
    await join("async", "somewhere-else")  # so that the layer notices the outage by itself
    member = await join("async")
    with redis_server.stopped(), suppress(RedisConnectionError):  # leaving the group
        await member.disconnect(timeout=10)
    late = await join("async")
    await late.send_json_to({"message": "hello"})
    assert await late.receive_json_from(timeout=5) == {"message": f"{late.name}说: hello"}
    gc.collect()


async def test_channels_that_could_not_be_made_are_not_kept(layer: Any, redis_server: RedisServer) -> None:
    await layer.new_channel()
    before = len(layer.channels)
    with redis_server.stopped():
        for _ in range(5):
            with pytest.raises((RedisConnectionError, TimeoutError)):
                await layer.new_channel()
    assert len(layer.channels) == before
    assert len(layer._shards[0]._confirmations) == before
    assert len(layer._shards[0]._subscribed_to) == before
    gc.collect()


async def test_an_outage_is_one_line_in_the_log_and_no_traceback(
    join: Join, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    member = await join("async")
    with caplog.at_level(logging.WARNING):
        with redis_server.stopped():
            pass
        late = await join("async")  # which needs the subscription
    assert await member.receive_json_from(timeout=5) == {"message": f"Server: {late.name}加入了."}
    (told,) = [record for record in caplog.records if "subscription" in record.getMessage()]
    assert told.levelname == "WARNING"
    assert [record.getMessage() for record in caplog.records if record.exc_info] == []
    gc.collect()
