"""Messages survive bad networks: sockets lost at random all over a room, through nginx and over four workers.

Larger and longer: `tests/image.sh env JITTER_CLIENTS=500 JITTER_RATE=50 pytest tests/stack/test_jitter.py -s`.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Iterator
from time import monotonic, process_time
from uuid import uuid4

import pytest

from tests.chat.crowd import Crowd
from tests.chat.record import Welcome
from tests.stack.catching_up import assert_soon
from tests.stack.clone import Clone
from tests.stack.scaling import restored, workers

WORKERS = 4
CLIENTS = int(os.environ.get("JITTER_CLIENTS", "200"))
SENDERS = int(os.environ.get("JITTER_SENDERS", "20"))
RATE = float(os.environ.get("JITTER_RATE", "20"))  # messages a second, of all senders together
SECONDS = float(os.environ.get("JITTER_SECONDS", "60"))
SHORTEST, LONGEST = 2.0, 8.0  # life of a socket
GRACE = 30.0  # for all to catch up at the end


@pytest.fixture
def four_workers(stack: Clone) -> Iterator[Clone]:
    with restored(stack):
        stack.make("scale", f"N={WORKERS}")
        yield stack


async def test_every_message_comes_once_and_in_order_to_clients_that_lose_their_sockets(four_workers: Clone):
    """Computed from what the clients received; and they have caught up within a second."""
    address = f"ws://{four_workers.host}/ws/chat/jitter-{uuid4().hex[:8]}/"
    names = {container["Config"]["Hostname"] for container in workers(four_workers).values()}
    enough = asyncio.Event()
    async with Crowd(address, CLIENTS, host="127.0.0.1") as crowd:
        cpu, begun = process_time(), monotonic()
        losing = asyncio.create_task(crowd.jitter(SHORTEST, LONGEST, enough))
        try:
            await crowd.talk(SENDERS, RATE, SECONDS)
        finally:
            enough.set()
            await losing
        await crowd.catch_up(GRACE)
        share = (process_time() - cpu) / (monotonic() - begun)
        verdict = crowd.verdict()
    visits = Counter(
        entry.worker for member in crowd.members for entry in member.record.entries if isinstance(entry, Welcome)
    )
    print(f"\n{verdict}\nsockets       {dict(visits)}\nclients' CPU  {share:.0%} of a core")
    assert visits.keys() == names
    assert verdict.faults == {}
    assert verdict.told_gaps == 0
    assert verdict.recovered == verdict.reconnects >= CLIENTS * (SECONDS // LONGEST)
    assert verdict.sent == verdict.acknowledged == verdict.logged == int(RATE * SECONDS / SENDERS) * SENDERS
    assert verdict.deliveries == CLIENTS * verdict.logged
    assert_soon(verdict.caught_up)
