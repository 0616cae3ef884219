"""What is left last, in `app.drain`."""

import asyncio
import logging

import pytest

from app.drain import Drain


async def test_everything_is_left_at_once_and_no_fault_keeps_the_others(caplog: pytest.LogCaptureFixture) -> None:
    drain, left = Drain(), asyncio.Barrier(2)

    async def fail() -> None:
        raise RuntimeError("no way out")

    async def leave() -> None:
        await left.wait()

    for last in (fail, leave, leave):
        drain.at_end(last)
    await drain.end()
    assert [record.getMessage() for record in caplog.records] == ["could not leave: no way out"]


async def test_what_takes_too_long_is_given_up_and_said(caplog: pytest.LogCaptureFixture) -> None:
    drain, never = Drain(), asyncio.Event()

    async def stay() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            never.set()
            raise

    drain.at_end(stay)
    with caplog.at_level(logging.WARNING):
        await drain.end(0.01)
    await asyncio.wait_for(never.wait(), 5)
    (record,) = caplog.records
    assert "not left within 0.01 s" in record.getMessage()
    assert "stay" in record.getMessage()


async def test_nothing_to_leave_is_left() -> None:
    await Drain().end()
