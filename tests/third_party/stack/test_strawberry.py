"""strawberry-graphql: subscriptions in both subprotocols hear of mutations over WebSocket and over HTTP."""

import json

from websockets.asyncio.client import ClientConnection
from websockets.typing import Subprotocol

from tests.stack.clone import Clone
from tests.stack.wire import send
from tests.third_party.stack.workers import heard, on_each_worker, tell

JSON = [("Content-Type", "application/json")]
NEW, OLD = Subprotocol("graphql-transport-ws"), Subprotocol("graphql-ws")
# What starts an operation, and what brings its results. The old one takes subscriptions only.
START, RESULT = {NEW: "subscribe", OLD: "start"}, {NEW: "next", OLD: "data"}


async def subscribe(socket: ClientConnection) -> None:
    assert socket.subprotocol
    await tell(socket, type="connection_init", payload={})
    assert (await heard(socket))["type"] == "connection_ack"
    query = 'subscription { said(room: "tea") }'
    await tell(socket, id="said", type=START[socket.subprotocol], payload={"query": query})
    assert await said(socket) == "listening"


async def said(socket: ClientConnection) -> str:
    """The subscription's next event; results of mutations may come before."""
    assert socket.subprotocol
    while (message := await heard(socket)).get("id") != "said":
        pass
    assert message["type"] == RESULT[socket.subprotocol]
    return str(message["payload"]["data"]["said"])


def saying(text: str) -> dict[str, str]:
    return {"query": f'mutation {{ say(room: "tea", text: "{text}") }}'}


async def test_subscriptions_hear_of_mutations(stack: Clone) -> None:
    async with (
        on_each_worker(stack, "/graphql", subprotocols=[NEW]) as new,
        on_each_worker(stack, "/graphql", subprotocols=[OLD]) as old,
    ):
        for socket in (*new, *old):
            await subscribe(socket)
        for number, speaker in enumerate(new):
            await tell(speaker, id="say", type="subscribe", payload=saying(f"hello {number}"))
            for socket in (*new, *old):
                assert await said(socket) == f"hello {number}"
        answer = send(stack, "/graphql", json.dumps(saying("by HTTP")).encode(), JSON)
        assert json.loads(answer.body)["data"] == {"say": True}
        for socket in (*new, *old):
            assert await said(socket) == "by HTTP"
