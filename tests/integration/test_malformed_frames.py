"""A malformed frame is answered to its sender alone, and closes nothing, on every route."""

from typing import Any

import pytest
from pytest_django import Settings

from tests.fixtures import Join

FRAMES: list[dict[str, Any]] = [
    {"text": ""},
    {"text": "hello"},
    {"text": "[]"},
    {"text": "{}"},
    {"text": '{"message": 1}'},
    {"text": '{"message": "\\ud800"}'},
    {"text": '{"message": "' + "x" * 4001 + '"}'},
    {"text": "[" * 60_000},
    {"bytes": b""},
    {"bytes": b"\xff"},
    {"bytes": '{"message": "hello"}'.encode("utf-16")},
    {"bytes": b'{"message": "\xed\xa0\x80"}'},
]


@pytest.mark.parametrize("kind", ["chat", "sync", "async", "echo"])
async def test_malformed_frame_gets_an_error_and_the_socket_stays_open(join: Join, kind: str) -> None:
    speaker = await join(kind)
    for frame in FRAMES:
        await speaker.send_input({"type": "websocket.receive", **frame})
        answer = await speaker.receive_json_from(timeout=5)
        assert set(answer) == {"error"}, frame
        assert answer["error"].startswith("expected "), frame
    await speaker.send_json_to({"message": "hello"})
    assert (await speaker.receive_json_from(timeout=5))["message"].endswith("hello")


@pytest.mark.parametrize("kind", ["chat", "sync", "async"])
async def test_members_do_not_hear_of_anothers_malformed_frame(join: Join, kind: str) -> None:
    listener, speaker = await join(kind), await join(kind)
    await listener.receive_json_from(timeout=5)
    await speaker.send_to(text_data="hello")
    await speaker.receive_json_from(timeout=5)
    await speaker.send_json_to({"message": "well formed"})
    assert await listener.receive_json_from(timeout=5) == {"message": f"{speaker.name}说: well formed"}


@pytest.mark.parametrize("kind", ["chat", "sync", "async", "echo"])
async def test_a_frame_that_comes_too_soon_gets_an_error_and_is_not_handled(
    join: Join, kind: str, settings: Settings
) -> None:
    settings.MESSAGE_RATE = 0  # whatever comes, and however slowly, is too soon
    speaker = await join(kind)
    for _ in range(2):
        await speaker.send_json_to({"message": "hello"})
        assert await speaker.receive_json_from(timeout=5) == {"error": "expected fewer messages; send it again later"}
