"""`ChatConsumer` answers its sender, and nobody else."""

import pytest

from tests.fixtures import Join


@pytest.mark.parametrize("text", ["hello", "你好", "👩‍👩‍👧‍👦", ""])
async def test_text_comes_back_to_its_sender_alone(join: Join, text: str) -> None:
    speaker, other = await join("echo"), await join("echo")
    await speaker.send_json_to({"message": text})
    assert await speaker.receive_json_from(timeout=5) == {"message": f"from Server:{text}"}
    await other.send_json_to({"message": "mine"})
    assert await other.receive_json_from(timeout=5) == {"message": "from Server:mine"}


async def test_utf8_bytes_are_read_as_text_is(join: Join) -> None:
    speaker = await join("echo")
    await speaker.send_to(bytes_data='{"message": "你好"}'.encode())
    assert await speaker.receive_json_from(timeout=5) == {"message": "from Server:你好"}
