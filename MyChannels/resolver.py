"""The addresses of a name, asked for on threads of its own.

asyncio asks on its default executor, and so do applications with their slow work, by `asyncio.to_thread` or
`database_sync_to_async(…, thread_sensitive=False)`. Work that filled it kept every room from reaching Redis.
"""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor

Name = tuple[str, int]

# A name server that is silent about one name does not hold up the others.
threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="resolver")
_asking: dict[tuple[asyncio.AbstractEventLoop, Name], asyncio.Future[list[str]]] = {}


async def addresses(host: str, port: int) -> list[str]:
    """In the order in which they are to be tried. Raises socket.gaierror.

    All who ask for the same name meanwhile wait for one answer.
    """
    loop = asyncio.get_running_loop()
    key = loop, (host, port)
    if key not in _asking:
        _asking[key] = loop.run_in_executor(threads, _look_up, host, port)
        _asking[key].add_done_callback(lambda _: _asking.pop(key))
    return await asyncio.shield(_asking[key])  # one who gives up does not take the answer from the others


def _look_up(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
