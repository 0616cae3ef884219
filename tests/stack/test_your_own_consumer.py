"""docs/your-own-consumer.md, done: its blocks added to a clone."""

import asyncio
import json
import re
from collections.abc import Callable, Iterator

import pytest
from websockets.asyncio.client import ClientConnection

from tests.stack.clone import ROOT, Clone
from tests.stack.wire import SECONDS, access, open_socket, request, request_id, served_by

# "The model, `path`:" or "append to `path`:", then a fenced block.
BLOCK = re.compile(
    r"(?P<append>append to )?`(?P<path>(?:MyChannels|chat)/[^`]+)`[^`]*?:?\n\n```\w+\n(?P<text>.*?)```", re.DOTALL
)
# "in `path`:", then a block for each place.
EDITS = re.compile(r"[Ii]n `(?P<path>[^`]+)`:\n\n(?P<blocks>(?:```diff\n.*?```\n\n?)+)", re.DOTALL)


@pytest.fixture(scope="module")
def example(fresh_clone: Callable[[], Clone]) -> Iterator[Clone]:
    """A clone that was never up, which a user takes and puts a feature in; two workers."""
    clone = fresh_clone()
    clone.lose_modes_and_line_ends()
    blocks = list(BLOCK.finditer((ROOT / "docs/your-own-consumer.md").read_text()))
    assert len(blocks) == 13
    (clone.path / "chat").mkdir()
    (clone.path / "chat/__init__.py").touch()
    for block in blocks:
        with (clone.path / block["path"]).open("a" if block["append"] else "x") as file:
            file.write("\n" + block["text"] if block["append"] else block["text"])
    edit(clone)
    clone.make("migrations", "A=chat")
    clone.make("migrations")
    assert clone.leftovers() == {}, "make up takes data without secrets for lost secrets"
    clone.make("up")
    yield clone
    clone.make("down")


def edit(clone: Clone) -> None:
    """Takes the documented lines into files that are there."""
    files = list(EDITS.finditer((ROOT / "docs/your-own-consumer.md").read_text()))
    assert [file["path"] for file in files] == ["app/settings.py", "app/routing.py", "services/Dockerfile"]
    for file in files:
        path = clone.path / file["path"]
        text = path.read_text()
        for block in re.findall(r"```diff\n(.*?)```", file["blocks"], re.DOTALL):
            lines = block.splitlines(keepends=True)
            before = "".join(line[1:] for line in lines if line[0] in " -")
            assert text.count(before) == 1, before
            text = text.replace(before, "".join(line[1:] for line in lines if line[0] in " +"))
        path.write_text(text)


async def hear(socket: ClientConnection) -> dict[str, object]:
    async with asyncio.timeout(SECONDS):
        message: dict[str, object] = json.loads(await socket.recv())
        return message


async def on_two_workers(clone: Clone, path: str) -> tuple[ClientConnection, ClientConnection]:
    """Two sockets: nginx gives the second to the worker that has none."""
    return await open_socket(clone, path), await open_socket(clone, path)


async def assert_on_two_workers(clone: Clone, *sockets: ClientConnection) -> None:
    for socket in sockets:
        await socket.close()
    entries = await asyncio.to_thread(access, clone, [request_id(socket) for socket in sockets])
    assert len({served_by(entry) for entry in entries.values()}) == 2


async def test_the_documented_counter_counts_across_workers(example: Clone) -> None:
    first, second = await on_two_workers(example, "/live/counter/lunch/")
    assert [await hear(first), await hear(second)] == [{"value": 0}, {"value": 0}]
    await first.send('{"do": "increment"}')
    assert [await hear(first), await hear(second)] == [{"value": 1}, {"value": 1}]
    await second.send('{"do": "increment"}')
    assert [await hear(first), await hear(second)] == [{"value": 2}, {"value": 2}]
    await assert_on_two_workers(example, first, second)


async def test_the_documented_ticker_gets_what_is_said_in_its_rooms_on_another_worker(example: Clone) -> None:
    first, second = await on_two_workers(example, "/live/ticker/")
    for socket, room in ((first, "tea"), (second, "tea"), (second, "coffee")):
        await socket.send(json.dumps({"watch": room}))
        assert await hear(socket) == {"watching": room}
    await first.send(json.dumps({"room": "coffee", "say": "not watched here"}))
    assert await hear(second) == {"room": "coffee", "offset": 1, "text": "not watched here"}
    for offset, socket in ((1, second), (2, first)):
        await socket.send(json.dumps({"room": "tea", "say": "ready"}))
        assert [await hear(first), await hear(second)] == [{"room": "tea", "offset": offset, "text": "ready"}] * 2
    await assert_on_two_workers(example, first, second)


def test_the_documented_page_and_its_script_are_served(example: Clone) -> None:
    page = request(example, "/counter/lunch/")
    assert page.status == 200
    script = re.search(rb'src="(/static/MyChannels/counter\.[0-9a-f]+\.js)"', page.body)
    assert script, page.body
    assert request(example, script[1].decode()).status == 200


def test_the_documented_migration_was_written_and_applied(example: Clone) -> None:
    assert (example.path / "MyChannels/migrations/0001_initial.py").is_file()
    assert "[X] 0001_initial" in example.make("manage", "C=showmigrations mychannels").stdout


async def test_the_documented_app_answers_under_its_own_route(example: Clone) -> None:
    socket = await open_socket(example, "/ws/lunch/table-7/")
    async with asyncio.timeout(SECONDS):
        await socket.send("hello")
        assert await socket.recv() == "table-7: hello"
    await socket.close()


def test_the_documented_user_model_was_migrated(example: Clone) -> None:
    assert "[X] 0001_initial" in example.make("manage", "C=showmigrations chat").stdout


def test_the_documented_tests_of_the_app_pass(example: Clone) -> None:
    """In this container, which is the one that `make test` runs."""
    done = example.run("pytest", "-p", "no:cacheprovider", "chat")
    assert "3 passed" in done.stdout


def test_neither_nginx_nor_compose_was_touched(example: Clone) -> None:
    done = example.run(
        "diff", "--recursive", "--brief", "--strip-trailing-cr", str(ROOT / "nginx"), "nginx", check=False
    )
    assert done.stdout == ""
    assert (example.path / "compose.yaml").read_text() == (ROOT / "compose.yaml").read_text()
