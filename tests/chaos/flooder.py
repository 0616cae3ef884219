"""A client that says as much as it can, in a process of its own: the others must not wait for it here.

python -m tests.chaos.flooder ADDRESS    prints the code that it was closed with
"""

import asyncio
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.chat.client import CHAT_V1

SECONDS = 60.0


async def flood(address: str) -> int | None:
    async with connect(address, host="127.0.0.1", proxy=None, subprotocols=[CHAT_V1], ping_interval=None) as flooder:

        async def read() -> None:
            async for _ in flooder:
                pass

        async def write() -> None:
            while True:
                await flooder.send('{"type": "send", "text": "more"}')
                await asyncio.sleep(0)  # what is answered is read too: this is no slow reader

        try:
            async with asyncio.timeout(SECONDS), asyncio.TaskGroup() as both:
                both.create_task(read())
                both.create_task(write())
        except* ConnectionClosed:
            pass
        return flooder.close_code


if __name__ == "__main__":
    print(asyncio.run(flood(sys.argv[1])))
