"""Texts of every script arrive unchanged, in text frames and as UTF-8 bytes."""

import json

import pytest

from tests.stack.clone import Clone
from tests.stack.wire import open_socket, receive, room

TEXTS = {
    "chinese": "你好，世界",
    "emoji": "👩‍👩‍👧‍👦🏳️‍🌈🇨🇳",
    "right-to-left": "שלום عالم",
    "outside the first plane": "𠮷𝄞",
    "quotes and markup": "<b>\"'&\\</b>\n\t",
    "nul": "a\0b",
    "longest": "界" * 4000,
}


@pytest.mark.parametrize("escaped", [True, False], ids=["escaped", "literal"])
@pytest.mark.parametrize("kind", ["text", "bytes"])
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
async def test_a_text_arrives_unchanged(stack: Clone, text: str, kind: str, escaped: bool):
    frame = json.dumps({"message": text}, ensure_ascii=escaped)
    async with room((stack, "/ws/sync/texts/"), (stack, "/ws/async/texts/")) as (one, other):
        await one.send(frame if kind == "text" else frame.encode())
        said = await receive(other, "message", f"说: {text}")
        assert said == await receive(one, "message", f"说: {text}")


async def test_echo_returns_a_text_unchanged(stack: Clone):
    async with open_socket(stack, "/ws/echo/texts/") as socket:
        for text in TEXTS.values():
            await socket.send(json.dumps({"message": text}))
            assert await receive(socket, "message") == f"from Server:{text}"
