"""How soon clients that lost a socket have everything again."""

from tests.chat.verdict import Quantiles
from tests.machine import is_busy

CAUGHT_UP = 1.0  # seconds from the lost socket on; up to 0.5 s of it is the client's own jitter
BESIDE_OTHERS = 3.0  # the same, for the slowest, where other work keeps all processors busy


def assert_soon(caught_up: Quantiles) -> None:
    assert caught_up.p50 < CAUGHT_UP
    assert caught_up.p99 < (BESIDE_OTHERS if is_busy() else CAUGHT_UP)
