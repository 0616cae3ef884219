"""The benchmark's flame graphs: whose time is whose, and that the documentation has what the pictures say."""

import re
from html import escape
from pathlib import Path

import pytest

from tests.bench.flame import asked
from tests.bench.graph import HEIGHT, PARTS, Graph, table
from tests.bench.plan import Refused

ROOT = Path(__file__).parents[2]
LOOP = "BaseEventLoop._run_once (asyncio/base_events.py)"
APPEND = "RoomConsumer.append (MyChannels/consumers/room.py)"
LOOK = "Readers._look (app/servers/readers.py)"
WRITE = "WebSocketProtocol.transmit (app/servers/daphne.py)"
READ, APPENDED, REDIS, CHANNELS, WRITTEN, ELSE = (
    next(part for part in PARTS if part.startswith(begin))
    for begin in ("read", "append", "questions", "channel layer", "write", "event loop")
)


def drawn(*stacks: tuple[int, list[str]], title: str = "py-spy record") -> Graph:
    """As py-spy draws it: a frame of each stack in each row, none of them merged."""
    total = sum(samples for samples, _ in stacks)
    frames = [("all", 0, 0, total)]
    begin = 0
    for samples, names in stacks:
        frames += [(name, depth, begin, samples) for depth, name in enumerate(names, 1)]
        begin += samples
    return Graph(
        f'<svg><text id="title" x="50%">{title}</text><svg id="frames">'
        + "".join(
            f"<g><title>{escape(name)} ({samples} samples, {100 * samples / total:.2f}%)</title>"
            f'<rect x="0%" y="{HEIGHT * depth}" width="1%" height="15" fill="red" fg:x="{x}" fg:w="{samples}"/></g>'
            for name, depth, x, samples in frames
        )
        + "</svg></svg>"
    )


def shares(*stacks: tuple[int, list[str]]) -> dict[str, float]:
    return {part: share for part, share in drawn(*stacks).shares.items() if share}


def test_time_belongs_to_the_innermost_part_and_what_it_calls_of_libraries_to_it() -> None:
    main = ["<module> (app/servers/daphne.py)", LOOP]
    assert shares(
        (10, main),
        (20, [*main, APPEND, "JSONEncoder.encode (json/encoder.py)"]),
        (30, [*main, APPEND, WRITE]),
        (40, [*main, "Connection.doRead (twisted/internet/tcp.py)", "Queue.put_nowait (asyncio/queues.py)"]),
    ) == pytest.approx({ELSE: 0.1, APPENDED: 0.2, WRITTEN: 0.3, READ: 0.4})


def test_what_reads_for_the_subscription_is_not_the_connection_that_asks() -> None:
    arrived = "GuardedConnection.arrived (MyChannels/connection.py)"
    assert shares(
        (1, [LOOP, "Shard._receive_some (app/channel_layer.py)", arrived]),
        (3, [LOOP, "Connection._answer_some (MyChannels/connection.py)", arrived]),
    ) == {CHANNELS: 0.25, REDIS: 0.75}


def test_what_waits_is_not_in_a_finished_picture() -> None:
    drawing = drawn(
        (5, ["_worker (concurrent/futures/thread.py)"]),
        (2, [LOOP, APPEND]),
        (5, [LOOP, "EpollSelector.select (selectors.py)"]),
        (2, [LOOP, WRITE]),
        (1, [LOOP, LOOK, "EpollSelector.select (selectors.py)"]),
    )
    frames = drawing.finished("").frames
    assert [(frame.name, frame.begin, frame.samples) for frame in frames] == [
        ("all", 0, 5),
        (LOOP, 0, 2),
        (LOOP, 2, 2),
        (LOOP, 4, 1),
        (APPEND, 0, 2),
        (WRITE, 2, 2),
        (LOOK, 4, 1),
        ("EpollSelector.select (selectors.py)", 4, 1),
    ]


def test_name_in_a_finished_picture_ends_with_its_frame() -> None:
    graph = drawn((3, ["<module>"]), (37, ["<module> (app/servers/daphne.py)"]), (1, ["do (loop.py)"])).finished("")
    labels = re.findall(r"<text x=[^>]*>([^<]*)</text></g>", graph.drawing)
    assert labels == ["all", "&lt;module&gt;", "&lt;module&gt; (app/servers/daphne.py)", "do.."]


def test_table_spreads_what_the_title_says_of_a_delivery() -> None:
    graph = drawn((1, [LOOP, APPEND]), (3, [LOOP, WRITE])).finished("Room <1>: 12.00 µs for each delivery")
    assert "Room &lt;1&gt;" in graph.drawing
    rows = {
        name: cost
        for _, name, cost, _ in (map(str.strip, row.split("|")) for row in table({"now": graph}).splitlines())
    }
    assert rows[""] == "now, µs"
    assert (rows[APPENDED], rows[WRITTEN], rows["together"]) == ("3.00 (25%)", "9.00 (75%)", "12.00")


def test_graph_without_frames_says_so() -> None:
    with pytest.raises(ValueError, match="was the worker idle"):
        Graph("<svg></svg>").shares  # noqa: B018


def test_documented_table_is_what_the_pictures_say() -> None:
    pictures = {name: Graph.read(ROOT / f"docs/images/{name}.svg") for name in ("flame-before", "flame-after")}
    assert table(pictures) in (ROOT / "docs/performance.md").read_text()


def test_one_worker_of_ours_in_one_scenario_is_recorded() -> None:
    plan = asked({})
    assert [plan.scenarios[0].name, plan.systems[0].name, plan.ways] == ["1x100-at-400", "ours-daphne", ("direct",)]
    with pytest.raises(Refused, match="one SCENARIO"):
        asked({"SCENARIO": "1x100,200x5"})
    with pytest.raises(Refused, match="ours-daphne or"):
        asked({"SYSTEM": "nchan"})
