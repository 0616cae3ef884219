"""What was acknowledged is in the log, also when Redis was restarted meanwhile."""

import asyncio
from uuid import uuid4

from tests.chat.client import ChatClient
from tests.stack.clone import Clone


async def test_acknowledged_messages_survive_a_restart_of_redis(stack: Clone):
    texts: dict[int, str] = {}
    enough = asyncio.Event()

    async def talk(member: ChatClient) -> None:
        while not enough.is_set():
            text = f"text {len(texts)}"
            texts[await member.send(text)] = text

    address = f"ws://{stack.host}/ws/chat/restart-{uuid4().hex[:8]}/"
    async with ChatClient(address, host="127.0.0.1") as member:
        epoch = member.epoch
        talking = asyncio.create_task(talk(member))
        try:
            await asyncio.to_thread(stack.compose, "restart", "redis")
            await member.wait_for(member.offset + 10)
        finally:
            enough.set()
        await talking
        page = await member.history(limit=100)
        found = {message["offset"]: message["text"] for message in page["messages"]}
        while page["more"]:
            page = await member.history(min(found), limit=100)
            found |= {message["offset"]: message["text"] for message in page["messages"]}
    assert texts
    assert texts.items() <= found.items()
    assert member.epoch == epoch, "nothing is lost, so nobody is told of a loss"
