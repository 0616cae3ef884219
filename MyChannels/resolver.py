"""Resolves host names on dedicated threads.

asyncio resolves names on its default executor. Applications use the same executor for slow work, by `asyncio.to_thread`
or `database_sync_to_async(…, thread_sensitive=False)`. When such work filled it, no room could connect to Redis.
"""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor

Name = tuple[str, int]

# Several threads, so that a name server that does not answer for one name does not delay the others.
threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="resolver")
_asking: dict[tuple[asyncio.AbstractEventLoop, Name], asyncio.Future[list[str]]] = {}


async def addresses(host: str, port: int) -> list[str]:
    """The addresses of `host`, in the order to try them. Raises socket.gaierror.

    Concurrent calls for the same name share one lookup.
    """
    loop = asyncio.get_running_loop()
    key = loop, (host, port)
    if key not in _asking:
        _asking[key] = loop.run_in_executor(threads, _look_up, host, port)
        _asking[key].add_done_callback(lambda _: _asking.pop(key))
    return await asyncio.shield(_asking[key])  # a cancelled caller must not cancel the lookup for the others


def _look_up(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
