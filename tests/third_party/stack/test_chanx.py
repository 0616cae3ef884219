"""chanx: typed messages and typed events."""

from tests.stack.clone import Clone
from tests.third_party.stack.workers import heard, on_each_worker, tell


async def test_messages_and_events_reach_all(stack: Clone) -> None:
    async with on_each_worker(stack, "/typed") as sockets:
        for socket in sockets:
            await tell(socket, action="ping")
            assert await heard(socket) == {"action": "pong", "payload": None}
        for number, speaker in enumerate(sockets):
            for asked, answered in (("say", "said"), ("announce", "announced")):
                await tell(speaker, action=asked, payload={"text": f"hello {number}"})
                for socket in sockets:
                    assert await heard(socket) == {"action": answered, "payload": {"text": f"hello {number}"}}
        await tell(sockets[0], action="say", payload={"txt": "hello"})
        assert (await heard(sockets[0]))["action"] == "error"
