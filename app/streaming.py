"""Answers in parts, however slowly they are read."""

from __future__ import annotations

import time
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from django.utils.decorators import sync_and_async_middleware

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator

PART_BYTES = 65536  # about what uvicorn lets wait for a peer
PART_SECONDS = 0.1
BLOCK_BYTES = 4096  # FileResponse.block_size: what Django reads from a file at once


@sync_and_async_middleware
def in_parts(get_response: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Under ASGI Django makes a list of all that a plain iterator yields, files included, before it sends any of it:
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
    """A file's blocks go together, because each turn in the thread costs more than one. What is smaller may be all that
    there is for a while, and waits for nothing."""
    part, end = bytearray(), time.monotonic() + PART_SECONDS
    for content in iterator:
        part += content
        if part and (len(content) < BLOCK_BYTES or len(part) >= PART_BYTES or time.monotonic() >= end):
            break
    return bytes(part)
