"""What the transport itself refuses is refused by a real close frame."""

import pytest
from websockets.exceptions import ConnectionClosed

from tests.stack.clone import Clone
from tests.stack.wire import SECONDS, open_socket, receive

LIMIT = 65536
ROUTES = pytest.mark.parametrize("route", ["chat", "echo", "sync", "async"])


async def close_code(stack: Clone, path: str, frame: bytes) -> int:
    """The code in the close frame received; fails when the connection just ended."""
    async with open_socket(stack, path, close_timeout=SECONDS) as socket:
        await socket.send(frame, text=True)
        with pytest.raises(ConnectionClosed) as closed:
            await receive(socket, "nothing that is ever sent")
    assert closed.value.rcvd, "a close frame"
    assert closed.value.rcvd_then_sent, "the server's came first"
    return closed.value.rcvd.code


@ROUTES
async def test_a_text_frame_that_is_not_utf_8_is_closed_with_1007(stack: Clone, route: str):
    assert await close_code(stack, f"/ws/{route}/not-utf-8/", b'{"message": "\xff"}') == 1007


@ROUTES
async def test_a_message_one_byte_too_large_is_closed_with_1009(stack: Clone, route: str):
    assert await close_code(stack, f"/ws/{route}/oversize/", b"a" * (LIMIT + 1)) == 1009


@ROUTES
async def test_a_message_of_exactly_the_limit_passes(stack: Clone, route: str):
    frame = '{"message": "exactly"'.ljust(LIMIT - 1) + "}"
    async with open_socket(stack, f"/ws/{route}/exactly/") as socket:
        await socket.send(frame)
        assert await receive(socket, "message", "exactly")


async def test_the_limit_is_configurable(neighbour: Clone):
    frame = '{"message": "larger"'.ljust(2 * LIMIT - 1) + "}"
    async with open_socket(neighbour, "/ws/echo/larger/") as socket:
        await socket.send(frame)
        assert await receive(socket, "message") == "from Server:larger"
    assert await close_code(neighbour, "/ws/echo/larger/", frame.encode() + b" ") == 1009
