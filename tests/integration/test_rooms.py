"""A room's members hear each other, whichever documented consumer serves them."""

import pytest
from channels.testing import WebsocketCommunicator

from tests.fixtures import Join

KINDS = ["chat", "sync", "async"]
TEXTS = ["hello", "你好，世界", "👩‍👩‍👧‍👦 🇨🇳", "", "<b>&amp;</b>", "a\n\t\0b", "x" * 4000]


async def heard(socket: WebsocketCommunicator) -> str:
    answer = await socket.receive_json_from(timeout=5)
    assert set(answer) == {"message"}
    return str(answer["message"])


@pytest.mark.parametrize("kind", KINDS)
async def test_member_is_announced_to_all_members_and_to_itself(join: Join, kind: str) -> None:
    first = await join(kind)
    second = await join(kind)
    assert await heard(first) == f"Server: {second.name}加入了."
    assert first.name != second.name


@pytest.mark.parametrize("kind", KINDS)
async def test_text_reaches_every_member_in_order_with_its_senders_name(join: Join, kind: str) -> None:
    speaker, listener = await join(kind), await join(kind)
    await heard(speaker)
    for text in TEXTS:
        await speaker.send_json_to({"message": text})
    for member in (speaker, listener):
        assert [await heard(member) for _ in TEXTS] == [f"{speaker.name}说: {text}" for text in TEXTS]


async def test_all_documented_consumers_share_the_rooms_group(join: Join) -> None:
    members = [await join(kind) for kind in KINDS]
    for i, member in enumerate(members):
        for later in members[i + 1 :]:
            assert await heard(member) == f"Server: {later.name}加入了."
    for speaker in members:
        await speaker.send_json_to({"message": "hello"})
        for member in members:
            assert await heard(member) == f"{speaker.name}说: hello"


@pytest.mark.parametrize("kind", KINDS)
async def test_utf8_bytes_are_read_as_text_is(join: Join, kind: str) -> None:
    speaker = await join(kind)
    await speaker.send_to(bytes_data='{"message": "你好👩"}'.encode())
    assert await heard(speaker) == f"{speaker.name}说: 你好👩"


async def test_rooms_do_not_hear_each_other(join: Join, room: str) -> None:
    here, elsewhere = await join("chat"), await join("chat", f"{room}-2")
    await here.send_json_to({"message": "hello"})
    assert await heard(here) == f"{here.name}说: hello"
    await elsewhere.send_json_to({"message": "other"})
    assert await heard(elsewhere) == f"{elsewhere.name}说: other"
