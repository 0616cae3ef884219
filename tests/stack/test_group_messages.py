"""A message from a client on one worker reaches the clients on every other, with 1, 2 and 4 workers."""

import asyncio
import json
from collections.abc import Iterator

import pytest
from websockets.asyncio.client import ClientConnection

from tests.stack.clone import Clone
from tests.stack.scaling import restored, workers
from tests.stack.wire import access, open_socket, receive, request_id, room, served_by

CONSUMERS = ("sync", "async", "chat")


@pytest.fixture(scope="module", autouse=True)
def two_workers_afterwards(stack: Clone) -> Iterator[None]:
    with restored(stack):
        yield


@pytest.fixture(scope="module", params=[1, 4, 2], ids="N={}".format)
def count(stack: Clone, request: pytest.FixtureRequest) -> int:
    stack.make("scale", f"N={request.param}")
    return int(request.param)


async def everyone_hears_everyone(members: list[ClientConnection]) -> None:
    for number, sender in enumerate(members):
        await sender.send(json.dumps({"message": f"text {number}"}))
        heard = await asyncio.gather(*(receive(member, "message", f"说: text {number}") for member in members))
        assert len(set(heard)) == 1, "one sentence for all"


@pytest.mark.parametrize("consumer", CONSUMERS)
async def test_a_message_crosses_workers(stack: Clone, count: int, consumer: str):
    async with room(*[(stack, f"/ws/{consumer}/cross-{consumer}-{count}/")] * 2 * count) as members:
        await everyone_hears_everyone(members)
    served = {served_by(entry) for entry in access(stack, map(request_id, members)).values()}
    assert served == workers(stack).keys()
    assert len(served) == count


async def test_a_message_crosses_consumers_and_workers(stack: Clone, count: int):
    paths = [f"/ws/{consumer}/across-{count}/" for consumer in CONSUMERS for _ in range(2 * count)]
    async with room(*((stack, path) for path in paths)) as members:
        await everyone_hears_everyone(members)
    entries = access(stack, map(request_id, members)).values()
    served = {(entry["path"], served_by(entry)) for entry in entries}
    assert served == {(path, worker) for path in paths for worker in workers(stack)}


async def test_echo_answers_its_sender_alone(stack: Clone):
    path = "/ws/echo/echo-only/"
    async with (
        room((stack, "/ws/async/echo-only/")) as (member,),
        open_socket(stack, path) as one,
        open_socket(stack, path) as other,
    ):
        await one.send(json.dumps({"message": "one"}))
        assert await receive(one, "message") == "from Server:one"
        await other.send(json.dumps({"message": "other"}))
        assert await receive(other, "message") == "from Server:other", "nothing of the first came before"
        await member.send(json.dumps({"message": "room"}))
        assert (await receive(member, "message")).endswith("说: room"), "nothing of the echoes came before"
