"""A flame graph as py-spy draws it, and how its time divides among a worker's parts."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from functools import cached_property
from html import escape, unescape
from typing import TYPE_CHECKING, NamedTuple, Self

from tests.bench.report import Table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TITLE = re.compile(r'(<text id="title"[^>]*>)(.*?)(</text>)')
FRAMES = '<svg id="frames"'
FRAME = re.compile(
    r"<title>([^<]*) \([\d,]+ samples, [\d.]+%\)</title>"
    r'<rect x="[\d.]+%" y="(\d+)" width="[\d.]+%" height="15" fill="([^"]*)" fg:x="(\d+)" fg:w="(\d+)"/>'
)
COST = re.compile(r"([\d.]+) µs")
HEIGHT = 16  # of a row
# As the picture's own script cuts a name to its frame.
WIDTH, LETTER, SHORTEST = 1180, 12 * 0.59, 4

# Asleep, or runnable and waiting for a processor: py-spy takes both for work.
WAITING = re.compile(r"select \(selectors\.py|_worker \(concurrent/futures/thread\.py|wait_for_signals \(gunicorn/")
LOOKING = re.compile(r"\(app/servers/readers")  # that selects, and never waits for it
# A stack belongs to the innermost frame that is found here: what it calls of libraries is done for it.
PARTS = {
    "read from members' sockets": (r"\((app/servers/|daphne/|autobahn/|uvicorn/|websockets/|twisted/internet/tcp)",),
    "ASGI: receive, dispatch, parse, permit": (
        r"\((MyChannels/(consumers/|limits)|channels/|asgi_correlation_id/|app/(routing|handshake|sessions|logs))",
    ),
    "questions to Redis, and reading its sockets": (
        r"^(?!GuardedConnection\.|_parsed ).*\(MyChannels/connection",  # those the layer has too
        r"_read_ready \(asyncio/selector_events",
    ),
    "channel layer: subscription, publishing": (r"\((app/(channel|core)_layer|channels_redis/)",),
    "hub": (r"\(MyChannels/(hub|presence)",),
    "append: event, command, acknowledgement": (
        r"\b(append|say|said|acknowledge|answer|tell) \(MyChannels/consumers/room",
        r"\b(say|_said|_announcement) \(MyChannels/hub",
        r"\bpublished \(app/channel_layer",
        r"\(MyChannels/log/",
    ),
    "room: order, coalescing, what is kept": (r"\(MyChannels/room",),
    "write: frame for all, a send for each": (
        r"\b(write|_reply|answer) \(MyChannels/room",
        r"\(MyChannels/(formats|writer)",
        r"\b(write|transmit|queue|sendData|sendMessage|handle_reply) \((app/servers|daphne|autobahn)",
        r"\(app/servers/outgoing",
    ),
    "event loop, and what is none of these": (
        r"\b(run|run_forever|run_until_complete|_run_once|_run) \(asyncio/",
        r"\(twisted/(python/|internet/asyncioreactor)",
    ),
}
LOOP = list(PARTS)[-1]


class Frame(NamedTuple):
    name: str
    depth: int
    colour: str
    begin: int  # in samples
    samples: int

    def drawn(self, total: int) -> str:
        left, width = 100 * self.begin / total, 100 * self.samples / total
        letters = int(width / 100 * WIDTH / LETTER)
        cut = f"{self.name[: letters - 2]}.." if letters >= SHORTEST else ""
        return (
            f"<g><title>{escape(self.name)} ({self.samples} samples, {width:.2f}%)</title>"
            f'<rect x="{left:.4f}%" y="{self.depth}" width="{width:.4f}%" height="15" fill="{self.colour}"'
            f' fg:x="{self.begin}" fg:w="{self.samples}"/><text x="{left + 0.25:.4f}%" y="{self.depth + 10.5}">'
            f"{escape(self.name if len(self.name) <= letters else cut)}</text></g>"
        )


class Graph:
    def __init__(self, drawing: str) -> None:
        self.drawing = drawing

    @classmethod
    def read(cls, path: Path) -> Self:
        return cls(path.read_text())

    @cached_property
    def frames(self) -> list[Frame]:
        """Each before those that it calls."""
        found = [
            Frame(unescape(name), int(y), colour, int(x), int(width))
            for name, y, colour, x, width in FRAME.findall(self.drawing)
        ]
        if not found:
            raise ValueError("expected a flame graph with frames, received none: was the worker idle?")
        return sorted(found, key=lambda frame: frame.depth)

    def caller(self, frame: Frame) -> str:
        above = (it for it in self.frames if it.depth == frame.depth - HEIGHT)
        return next((it.name for it in above if it.begin <= frame.begin < it.begin + it.samples), "")

    @property
    def samples(self) -> int:
        return self.frames[0].samples

    @cached_property
    def shares(self) -> dict[str, float]:
        """Of each part; together 1."""
        own: Counter[str] = Counter()
        rows: dict[int, list[tuple[Frame, str]]] = defaultdict(list)
        for frame in self.frames:
            above = rows[frame.depth - HEIGHT]
            caller = next((part for it, part in above if it.begin <= frame.begin < it.begin + it.samples), None)
            part = part_of(frame.name) or caller or LOOP
            own[part] += frame.samples
            if caller:
                own[caller] -= frame.samples
            rows[frame.depth].append((frame, part))
        return {part: own[part] / self.samples for part in PARTS}

    @property
    def title(self) -> str:
        found = TITLE.search(self.drawing)
        return unescape(found[2]) if found else ""

    def finished(self, title: str) -> Graph:
        """Without what waits, and with names that end where their frames do: the script that cuts them does not run
        where the picture is part of a page."""
        waiting = [it for it in self.frames if WAITING.search(it.name) and not LOOKING.search(self.caller(it))]

        def moved(place: int) -> int:
            return place - sum(min(place - it.begin, it.samples) for it in waiting if it.begin < place)

        total = moved(self.samples)
        frames = []
        for frame in self.frames:
            begin, end = moved(frame.begin), moved(frame.begin + frame.samples)
            if begin < end:
                frames.append(frame._replace(begin=begin, samples=end - begin).drawn(total))
        head, _, _ = self.drawing.partition(FRAMES)
        head = TITLE.sub(lambda found: found[1] + escape(title) + found[3], head, count=1)
        return Graph(f'{head}{FRAMES} x="10" width="{WIDTH}" total_samples="{total}">{"".join(frames)}</svg></svg>')

    @property
    def microseconds(self) -> float:
        """Of a delivery or a join, as the title has it."""
        found = COST.search(self.title)
        return float(found[1]) if found else float("nan")


def part_of(name: str) -> str | None:
    # From behind: what is more particular stands below.
    return next((part for part in reversed(PARTS) if any(re.search(it, name) for it in PARTS[part])), None)


def table(graphs: Mapping[str, Graph]) -> str:
    """In Markdown, a column for each."""
    rows = [
        [part, *(f"{it.microseconds * it.shares[part]:.2f} ({it.shares[part]:.0%})" for it in graphs.values())]
        for part in PARTS
    ]
    rows.append(["together", *(f"{graph.microseconds:.2f}" for graph in graphs.values())])
    return Table("", ["", *(f"{name}, µs" for name in graphs)], rows).text()
