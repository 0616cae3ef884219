"""nginx resolves no name for 15 s: open sockets go on, lost ones come back to workers known, and no message is lost."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic

from tests.chaos.namespace import in_network_of
from tests.chaos.result import Result
from tests.chaos.town import Town
from tests.stack.clone import Clone

FAILING = 15.0  # nginx asks every second, and gives up after two
# A rule in front of the local table, which comes first otherwise. Only nginx' container asks this address.
BLOCK = """
server=$(awk '$1 == "nameserver" { print $2; exit }' /etc/resolv.conf)
ip rule add pref 100 lookup local && ip rule add pref 50 to "$server" blackhole && ip rule del pref 0
"""
RESTORE = "ip rule add pref 0 lookup local && ip rule del pref 50 && ip rule del pref 100"


async def test_sockets_live_on_while_nginx_cannot_resolve_names(stack: Clone, trial: Callable[..., Awaitable[Result]]):
    async def fail(town: Town) -> float:
        (nginx,) = stack.containers("nginx")
        await asyncio.to_thread(in_network_of, nginx, ("sh", "-euc", BLOCK))
        try:
            await asyncio.sleep(FAILING)
            for member in town.members[::4]:
                assert member.connected, "an open socket needs no name"
                member.cut()
            await town.hears(1, 10)
        finally:
            await asyncio.to_thread(in_network_of, nginx, ("sh", "-euc", RESTORE))
        return monotonic()

    result = await trial(stack, fail, promised=3.0)
    assert result.verdict.reconnects == len(range(0, result.verdict.clients, 4)), "nobody else lost a socket"
    assert "could not be resolved" in stack.compose("logs", "--no-color", "nginx").stdout
    assert result.broken == []
