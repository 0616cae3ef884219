"""An event loop on which waiting takes no time: when nothing is left to do, its clock jumps to the next timer.

What a test says about seconds is so exact, and quick on a busy machine. What goes wrong in a task or a
callback that nobody awaits fails the test.
"""

import asyncio
import gc
import selectors
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec

Parameters = ParamSpec("Parameters")


class Jumping(selectors.DefaultSelector):
    """Instead of waiting for a time, says how much of it has gone by."""

    gone_by = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "expected something that will happen, found nothing that ever could"
            self.gone_by += max(timeout, 0)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        # Not from 0: whoever takes that for "never" would be right by chance.
        return 1_000_000 + self._jumping.gone_by


def now() -> float:
    return asyncio.get_running_loop().time()


async def passes(seconds: float) -> None:
    """Lets virtual time pass."""
    await asyncio.sleep(seconds)


async def settle() -> None:
    """Lets everything happen that waits for no time."""
    for _ in range(50):
        await asyncio.sleep(0)


def in_virtual_time(test: Callable[Parameters, Coroutine[Any, Any, None]]) -> Callable[Parameters, None]:
    """Makes a coroutine a test that runs on a loop of its own."""

    @wraps(test)
    def run(*args: Parameters.args, **kwargs: Parameters.kwargs) -> None:
        faults: list[dict[str, Any]] = []
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.get_loop().set_exception_handler(lambda _, context: faults.append(context))
            runner.run(test(*args, **kwargs))
            gc.collect(1)  # an exception counts as never retrieved when its task is gone
        assert not faults, faults

    return run
