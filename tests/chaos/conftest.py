"""Trials on the shared stack, and the table of what came of them."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.chaos.report import document
from tests.chaos.result import Result, table
from tests.chaos.town import Town
from tests.chaos.trial import endure
from tests.stack.clone import SERVICES, Clone
from tests.stack.scaling import restored
from tests.stack.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Iterator

RESULTS = pytest.StashKey[list[Result]]()
ENDED_EARLY = pytest.StashKey[list[str]]()  # faults whose trial gave no result


def pytest_configure(config: pytest.Config) -> None:
    config.stash[RESULTS] = []
    config.stash[ENDED_EARLY] = []


def fault_of(path: Path) -> str:
    return path.stem.removeprefix("test_").replace("_", "-")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """The table says what a test says."""
    report = yield
    if call.excinfo and item.path.parent == Path(__file__).parent:
        fault = fault_of(item.path)
        results = [result for result in item.config.stash[RESULTS] if result.fault == fault]
        for result in results:
            result.failed = call.excinfo.exconly()[:500]
        if not results:
            item.config.stash[ENDED_EARLY].append(fault)
    return report


def healthy(stack: Clone) -> bool:
    found = [container["State"] for service in SERVICES for container in stack.containers(service)]
    return all(state["Running"] and state["Health"]["Status"] == "healthy" for state in found)


@pytest.fixture
def trial(request: pytest.FixtureRequest) -> Iterator[Callable[..., Awaitable[Result]]]:
    """Lets clients live through a fault and notes the result; leaves the stack as it found it."""
    plugins = request.config.pluginmanager
    reporter: Any = plugins.getplugin("terminalreporter")
    capturing: Any = plugins.getplugin("capturemanager")
    stacks: list[Clone] = []

    async def run(
        stack: Clone,
        fault: Callable[[Town], Awaitable[float | None]],
        *,
        promised: float,
        told_allowed: bool = False,
        **town: Any,
    ) -> Result:
        stacks.append(stack)
        name = fault_of(request.path)
        result = await endure(Town(stack, **town), fault, name, promised, told_allowed=told_allowed)
        request.config.stash[RESULTS].append(result)
        print(f"\n{result}")
        with capturing.global_and_fixture_disabled():
            reporter.write_line(f"\n{result if result.broken else ''}\n{result.line}")
        return result

    yield run
    for stack in stacks:
        with restored(stack):
            wait_until(partial(healthy, stack), 90, "healthy services for the tests that follow", every=1)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    results, ended_early = config.stash[RESULTS], config.stash[ENDED_EARLY]
    if not results and not ended_early:
        return
    terminalreporter.section("faults")
    terminalreporter.write_line(table(results))
    for fault in ended_early:
        terminalreporter.write_line(f"{fault}: no result, see above")
    if path := os.environ.get("CHAOS_RESULT"):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(document(results, ended_early))
        terminalreporter.write_line(path)
