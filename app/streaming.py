"""Streams responses in parts, however slowly clients read them."""

from __future__ import annotations

import time
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from django.utils.decorators import sync_and_async_middleware

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator

PART_BYTES = 65536  # about as much as uvicorn queues for a peer
PART_SECONDS = 0.1
BLOCK_BYTES = 4096  # FileResponse.block_size: how much Django reads from a file at once


@sync_and_async_middleware
def in_parts(get_response: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Streams synchronous iterators, including files. Under ASGI, Django would read all of one before sending anything:
    https://docs.djangoproject.com/en/5.2/ref/request-response/#streaminghttpresponse-objects
    """
    if not iscoroutinefunction(get_response):
        return get_response

    async def middleware(request: Any) -> Any:
        response = await get_response(request)
        if response.streaming and not response.is_async:
            response.streaming_content = parts(response.streaming_content)
        return response

    return middleware


async def parts(content: Iterable[bytes]) -> AsyncIterator[bytes]:
    iterator = iter(content)
    while part := await sync_to_async(next_part)(iterator):
        yield part


def next_part(iterator: Iterator[bytes]) -> bytes:
    """Joins a file's blocks, because each call in the thread costs more than a block. Smaller pieces are sent at once,
    because there may be nothing more for a while."""
    part, end = bytearray(), time.monotonic() + PART_SECONDS
    for content in iterator:
        part += content
        if part and (len(content) < BLOCK_BYTES or len(part) >= PART_BYTES or time.monotonic() >= end):
            break
    return bytes(part)
