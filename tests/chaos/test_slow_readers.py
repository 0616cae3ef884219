"""Two of twenty stop reading: they are let go, the others notice nothing, and once they read again they have all
within 10 s."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from time import monotonic

from tests.chaos.result import Result
from tests.chaos.town import Town
from tests.stack.clone import Clone
from tests.stack.waiting import wait_until

SLOW = 2
SENDERS = 18
# Within half a minute more than the kernel's buffers on the way and the server's 1 MiB hold together. Smaller buffers
# would be sooner full, but of loopback's packets they hold few: the kernel drops what does not fit, and the sender
# tries again after pauses that double, up to a quarter of a minute.
RATE, LENGTH = 170.0, 4000
SECONDS = 90.0


async def test_who_does_not_read_is_let_go_and_resumes(stack: Clone, trial: Callable[..., Awaitable[Result]]):
    async def stop_reading(town: Town) -> float:
        slow, other = town.members[1 : 1 + SLOW], town.members[-1]
        everybody = other.members
        transports = [member.connection.transport for member in slow if member.connection]
        for transport in transports:
            transport.pause_reading()
        await asyncio.to_thread(wait_until, lambda: other.members <= everybody - SLOW, SECONDS, "they have left")
        for transport in transports:
            transport.resume_reading()
        return monotonic()

    result = await trial(stack, stop_reading, promised=10.0, clients=20, rate=RATE, length=LENGTH, senders=SENDERS)
    closed = Counter({name: count for name, count in result.verdict.others.items() if name.startswith("close")})
    assert closed.total() == SLOW, f"only those who did not read lose their sockets: {closed}"
    assert result.broken == []
