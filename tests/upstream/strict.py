"""A pytest plugin: what expected.toml lists for the suite has to fail, everything else has to pass."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tomllib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

# What many suites ask of the package async-timeout; from Python 3.11 on, it is asyncio's own.
sys.modules["async_timeout"] = asyncio

SECONDS = 20  # for each phase of a test


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    suite = os.environ["UPSTREAM_SUITE"]
    expected: dict[str, str] = tomllib.loads(Path(os.environ["UPSTREAM_EXPECTED"]).read_text()).get(suite, {})
    for item in items:
        if reason := expected.pop(item.nodeid, ""):
            item.add_marker(pytest.mark.xfail(reason=reason, strict=True))
    if expected:
        raise pytest.UsageError(f"expected.toml: {suite} has no test {', '.join(expected)}")


@contextmanager
def limited(seconds: float = SECONDS) -> Iterator[None]:
    def interrupt(*_: object) -> None:
        raise TimeoutError(f"still running after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None]:
    with limited():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None]:
    with limited():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Generator[None]:
    with limited():
        return (yield)
