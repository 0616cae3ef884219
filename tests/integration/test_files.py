"""How many files the servers may open; this module is also their application."""

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

SOFT = 256


async def application(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "websocket.accept"})


@pytest.fixture(autouse=True)
def as_many_as_for_select() -> Iterator[int]:
    """The lower limit that every process starts with on many machines; tells the higher one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (SOFT, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def limits(pid: int) -> tuple[int, int]:
    return resource.prlimit(pid, resource.RLIMIT_NOFILE)


def test_a_process_starts_with_the_lower_limit(as_many_as_for_select: int) -> None:
    """Or the others would prove nothing."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert limits(process.pid) == (SOFT, as_many_as_for_select)


def test_daphne_may_open_as_many_as_the_machine_permits(
    request: pytest.FixtureRequest, tmp_path: Path, as_many_as_for_select: int
) -> None:
    with running("daphne", request.path, tmp_path) as server:
        assert limits(server.process.pid) == (as_many_as_for_select, as_many_as_for_select)


def test_gunicorn_and_its_workers_may_open_as_many_as_the_machine_permits(
    environment: dict[str, str], tmp_path: Path, as_many_as_for_select: int
) -> None:
    with closing(Gunicorn(environment, tmp_path / "stderr")) as server:
        with server.connection() as first:
            assert ask(first) == "serving"
        for pid in (server.process.pid, *children(server.process.pid)):
            assert limits(pid) == (as_many_as_for_select, as_many_as_for_select)
