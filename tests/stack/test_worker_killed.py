"""A worker whose process is killed comes back healthy by itself, and clients can connect all along."""

import asyncio

from tests.stack.clone import WEBSOCKETS, Clone
from tests.stack.processes import kill
from tests.stack.scaling import workers
from tests.stack.waiting import wait_until
from tests.stack.wire import handshake


async def test_a_killed_worker_comes_back_while_clients_connect(stack: Clone):
    victim = next(iter(workers(stack).values()))
    name, pid, restarts = victim["Id"], victim["State"]["Pid"], victim["RestartCount"]

    def back() -> bool:
        (now,) = (container for container in stack.containers(WEBSOCKETS) if container["Id"] == name)
        again = now["State"]["Pid"] not in {0, pid} and now["RestartCount"] == restarts + 1
        return again and now["State"]["Health"]["Status"] == "healthy"

    async def kill_and_wait() -> None:
        await asyncio.to_thread(kill, [victim])
        await asyncio.to_thread(wait_until, back, 60, "the killed worker healthy again")

    coming_back = asyncio.create_task(kill_and_wait())
    answers = []
    while not coming_back.done():
        answers.append((await asyncio.to_thread(handshake, stack, "/ws/chat/killed/")).status)
    await coming_back
    assert len(answers) > 50
    assert set(answers) == {101}
