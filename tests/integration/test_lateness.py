"""A handler that holds up all others on a worker is named, in the log and in the metrics."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration import socket_server
from tests.integration.socket_server import DEADLINE, MODULES, Server

APPLICATION = Path(__file__).with_name("late_application.py")
LEAST = 0.25  # seconds, of the 0.5 that its handlers take


@pytest.fixture(scope="module", params=MODULES)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with socket_server.running(request.param, APPLICATION, tmp_path_factory.mktemp(request.param)) as server:
        yield server


@pytest.mark.parametrize(
    ("path", "part", "at"),
    [
        ("/slow", "sync thread", "late_application.SlowConsumer.receive"),
        ("/querying", "sync thread", "late_application.slow_query"),
        ("/blocking", "event loop", "late_application.BlockingConsumer.receive"),
    ],
)
def test_the_handler_that_holds_up_the_others_is_named(server: Server, path: str, part: str, at: str) -> None:
    server.test += 1
    with server.connect(path) as client:
        client.send("work")
        assert client.recv(DEADLINE) == "done"
    with pytest.raises(Exception, match="403"):
        server.connect("/counted")
    counted = server.wait_for("counted")["counted"]
    assert counted[f"{part}: {at}"] > LEAST
    assert any(f"the {part} is " in line and f"ms late; at work: {at} (line " in line for line in server.lines)
