"""A streamed answer is sent as it comes, and never in memory as a whole."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from asgiref.sync import iscoroutinefunction
from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.test import RequestFactory

from app import streaming
from app.streaming import in_parts


async def nothing() -> AsyncIterator[bytes]:
    return
    yield b""


async def answer(response: Any) -> Any:
    async def view(request: Any) -> Any:
        return response

    return await in_parts(view)(RequestFactory().get("/"))


async def test_a_plain_iterator_is_asked_as_it_is_sent():
    asked = []

    def content() -> Iterator[bytes]:
        for number in range(100):
            asked.append(number)
            yield bytes(streaming.PART_BYTES)

    response = await answer(StreamingHttpResponse(content()))
    sent = 0
    async for part in response:
        sent += len(part)
        assert len(asked) * streaming.PART_BYTES <= sent
    assert sent == 100 * streaming.PART_BYTES


async def test_small_parts_go_together(tmp_path: Any):
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 1024)
    response = await answer(FileResponse(path.open("rb")))
    sent = [part async for part in response]
    assert b"".join(sent) == path.read_bytes()
    assert len(sent) == path.stat().st_size / streaming.PART_BYTES
    response.close()


async def test_what_is_there_does_not_wait_for_what_is_not(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(streaming, "PART_SECONDS", 0)
    response = await answer(StreamingHttpResponse(iter([b"", b"a", b"b", b""])))
    assert [part async for part in response] == [b"a", b"b"]


async def test_an_item_does_not_wait_for_the_next_one():
    asked = []

    def content() -> Iterator[bytes]:
        for number in range(3):
            asked.append(number)
            yield b"event\n"

    sent = 0
    async for part in await answer(StreamingHttpResponse(content())):
        sent += 1
        assert (part, len(asked)) == (b"event\n", sent)
    assert sent == 3


async def test_an_exception_reaches_the_server():
    def content() -> Iterator[bytes]:
        yield b"a"
        raise RuntimeError("gone")

    with pytest.raises(RuntimeError, match="gone"):
        [part async for part in await answer(StreamingHttpResponse(content()))]


@pytest.mark.parametrize("response", [HttpResponse(b"a"), StreamingHttpResponse(nothing())])
async def test_any_other_answer_is_left_alone(response: Any):
    assert await answer(response) is response


def test_without_asgi_nothing_is_added():
    def view(request: Any) -> HttpResponse:
        return HttpResponse()

    assert in_parts(view) is view
    assert not iscoroutinefunction(view)
