"""The client of `make verify`: opens sockets in one room through nginx; each must receive all sockets' messages.

Runs in the `web` container: verify.py HOST SOCKETS, with HOST as a browser would send it.
Prints each socket's request id. nginx's log has the worker for each request id.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import AsyncExitStack
from uuid import uuid4

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

DEADLINE = 10  # seconds for all of it


async def hears(socket: ClientConnection, tokens: set[str]) -> None:
    """Returns once every token has arrived in a message."""
    missing = set(tokens)
    while missing:
        sentence = json.loads(await socket.recv())["message"]
        missing -= {token for token in missing if sentence.endswith(token)}


async def main(host: str, sockets: int) -> None:
    room = f"ws://{host}/ws/async/verify-{uuid4().hex}/"
    async with asyncio.timeout(DEADLINE), AsyncExitStack() as stack:
        members = [
            await stack.enter_async_context(connect(room, host="nginx", port=8080, proxy=None)) for _ in range(sockets)
        ]
        tokens = {uuid4().hex for _ in members}
        listening = [asyncio.create_task(hears(member, tokens)) for member in members]
        for member, token in zip(members, tokens, strict=True):
            await member.send(json.dumps({"message": token}))
        await asyncio.gather(*listening)
    for member in members:
        assert member.response is not None  # noqa: S101  # connected, so answered
        print(member.response.headers["X-Request-ID"])


if __name__ == "__main__":
    try:
        asyncio.run(main(sys.argv[1], int(sys.argv[2])))
    except TimeoutError:
        sys.exit(f"verify: expected every message at every socket within {DEADLINE} s; some did not arrive")
    except (OSError, WebSocketException) as error:
        sys.exit(f"verify: expected sockets that open and stay, received: {error}\nverify: fix: make doctor")
