"""What a hub does about a restart of Redis; the rest of it is for tests/integration."""

import pytest
from django.test import override_settings

from app.channel_layer import NamingMemoryChannelLayer
from MyChannels.hub import SETTLE_SECONDS, Hub
from tests.unit.virtual_time import in_virtual_time, now, passes


@in_virtual_time
async def test_what_is_held_after_two_restarts_waits_until_the_second_has_settled() -> None:
    released: list[float] = []
    with override_settings(REDIS_URL=""), pytest.MonkeyPatch.context() as patch:
        hub = Hub(NamingMemoryChannelLayer())
        await passes(0.1)
        patch.setattr(hub._log, "release", lambda: released.append(now()))
        hub._redis_restarted()
        await passes(SETTLE_SECONDS / 2)
        hub._redis_restarted()
        second = now()
        await passes(2 * SETTLE_SECONDS)
        await hub.close()
    assert released == [second + SETTLE_SECONDS]
