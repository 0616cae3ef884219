"""WebSockets on uvicorn, by one line in .env. `WEBSOCKETS=uvicorn make test T=tests/stack` asks all else of it."""

import asyncio
import re
from collections import Counter
from collections.abc import Callable
from uuid import uuid4

from tests.chat.crowd import Crowd
from tests.stack.clone import Clone

CLIENTS, SENDERS, RATE, SECONDS = 30, 5, 10.0, 6.0
GRACE = 30.0  # for all to come back


async def test_rooms_cross_workers_and_a_drain_loses_nothing_and_every_command_knows_the_service(
    fresh_clone: Callable[[], Clone],
):
    clone = fresh_clone()
    clone.run("cp", ".env.example", ".env")
    clone.set(
        COMPOSE_PROJECT_NAME=clone.project,
        HTTP_PORT=str(clone.port),
        PUBLIC_URL=f"http://{clone.host}",
        COMPOSE_FILE="compose.yaml:deploy/uvicorn.yaml",
        DRAIN_SECONDS="2",
    )
    clone.make("up")
    assert not clone.containers("daphne")
    assert len(set(re.findall(r"uvicorn-\d+ served", clone.make("verify").stdout))) == 2
    clone.make("doctor")

    async with Crowd(f"ws://{clone.host}/ws/chat/{uuid4().hex[:8]}/", CLIENTS, host="127.0.0.1", cap=2.0) as crowd:
        talk = asyncio.create_task(crowd.talk(SENDERS, RATE, SECONDS))
        await asyncio.to_thread(clone.make, "scale", "N=1")
        await talk
        await crowd.catch_up(GRACE)
        verdict = crowd.verdict()
        codes = Counter(reconnect.code for member in crowd.members for reconnect in member.record.reconnects)
    assert verdict.faults == {}
    assert verdict.acknowledged == verdict.sent
    assert codes.keys() == {1012}
    assert len(clone.containers("uvicorn")) == 1
