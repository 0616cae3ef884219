"""`make dev`: the rooms in one reloading process, without Docker."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from websockets.exceptions import InvalidMessage
from websockets.sync.client import connect

from tests.ports import reserved_port
from tests.stack.clone import Clone
from tests.stack.waiting import wait_until


@pytest.fixture(scope="module")
def dev(fresh_clone: Callable[[], Clone]) -> Iterator[tuple[Clone, int]]:
    clone, port = fresh_clone(), reserved_port()
    with (clone.path / "dev.log").open("wb") as log:
        process = subprocess.Popen(
            ["make", "dev", f"PORT={port}"],
            cwd=clone.path,
            env=clone.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        wait_until(lambda: process.poll() is not None or ready(port), 240, "an answer to /health/ready", every=0.5)
        assert process.poll() is None, (clone.path / "dev.log").read_text()
        yield clone, port
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(timeout=15)


def ready(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=5) as answer:  # our own
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def echoed(port: int) -> str:
    try:
        with connect(f"ws://127.0.0.1:{port}/ws/echo/dev/", proxy=None) as socket:
            socket.send('{"message": "hello"}')
            return str(json.loads(socket.recv(timeout=5))["message"])
    except (OSError, InvalidMessage):
        return ""  # it is starting again


def test_two_sockets_of_a_room_hear_each_other(dev: tuple[Clone, int]) -> None:
    address = f"ws://127.0.0.1:{dev[1]}/ws/chat/dev/"
    with connect(address, proxy=None) as first, connect(address, proxy=None) as second:
        first.send('{"message": "hello"}')
        heard = ""
        while not heard.endswith("说: hello"):
            heard = json.loads(second.recv(timeout=5))["message"]


def test_a_page_and_its_static_files_are_served(dev: tuple[Clone, int]) -> None:
    for path in ("/chat/dev/", "/static/MyChannels/room.js"):
        with urlopen(f"http://127.0.0.1:{dev[1]}{path}", timeout=5) as answer:  # our own
            assert answer.status == 200


def test_a_change_of_the_sources_is_followed(dev: tuple[Clone, int]) -> None:
    clone, port = dev
    assert echoed(port) == "from Server:hello"
    consumers = clone.path / "MyChannels/consumers/documented.py"
    consumers.write_text(consumers.read_text().replace('"from Server:"', '"from the changed Server:"'))

    def followed() -> bool:
        """Django looks once a second, and first of all notes what is there: an early change is none to it."""
        if echoed(port) == "from the changed Server:hello":
            return True
        consumers.touch()
        return False

    wait_until(followed, 30, "the changed answer", every=1.5)
