"""How many files the servers may open; this module is also their application."""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.integration.socket_server import running
from tests.integration.test_uvicorn_drain import Gunicorn, ask, children

SOFT = 256  # beside what the tests before have open


async def application(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "websocket.accept"})


@pytest.fixture(autouse=True)
def lower_and_higher() -> Iterator[tuple[int, int]]:
    """Both limits, of which every process starts with the lower one on many machines."""
    before, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft = len(os.listdir("/proc/self/fd")) + SOFT
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    yield soft, hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (before, hard))


def limits(pid: int) -> tuple[int, int]:
    return resource.prlimit(pid, resource.RLIMIT_NOFILE)


def test_a_process_starts_with_the_lower_limit(lower_and_higher: tuple[int, int]) -> None:
    """Or the others would prove nothing."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert limits(process.pid) == lower_and_higher


def test_daphne_may_open_as_many_as_the_machine_permits(
    request: pytest.FixtureRequest, tmp_path: Path, lower_and_higher: tuple[int, int]
) -> None:
    _, hard = lower_and_higher
    with running("daphne", request.path, tmp_path) as server:
        assert limits(server.process.pid) == (hard, hard)


def test_gunicorn_and_its_workers_may_open_as_many_as_the_machine_permits(
    environment: dict[str, str], tmp_path: Path, lower_and_higher: tuple[int, int]
) -> None:
    _, hard = lower_and_higher
    with closing(Gunicorn(environment, tmp_path / "stderr")) as server:
        with server.connection() as first:
            assert ask(first) == "serving"
        for pid in (server.process.pid, *children(server.process.pid)):
            assert limits(pid) == (hard, hard)
