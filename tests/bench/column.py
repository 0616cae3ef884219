"""Which measures of a scenario are shown, under what heading and in what unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.bench.quantile import Spread


@dataclass(frozen=True)
class Column:
    measure: str
    heading: str
    digits: int = 1
    factor: float = 1.0

    def show(self, spread: Spread | None) -> str:
        if spread is None:
            return "–"
        median, least, most = (self.figure(value) for value in spread[:3])
        return median if least == most else f"{median} ({least}–{most})"

    def figure(self, value: float) -> str:
        return f"{value * self.factor:,.{self.digits}f}"


def cpu(what: str, digits: int, factor: float, unit: str) -> tuple[Column, ...]:
    return (
        Column(f"cpu_us_per_{what}", f"CPU per {what}, {unit}", digits, factor),
        Column(f"redis_us_per_{what}", "of it Redis", digits, factor),
        Column(f"nginx_us_per_{what}", "nginx", digits, factor),
    )


LATENCY = (Column("p50_ms", "p50 ms"), Column("p99_ms", "p99 ms"), Column("p999_ms", "p99.9 ms"))
DELIVERY = cpu("delivery", 1, 1.0, "µs")
JOIN = cpu("join", 2, 0.001, "ms")
RATE = Column("deliveries_per_s", "deliveries/s", 0)
# Of one processor; and of all, what neither the system nor the generator took: the kernel, and whoever disturbs.
LOAD = Column("generator_share", "generator %", 0, 100), Column("others_share", "others %", 0, 100)
LOST, REPEATED = Column("lost", "lost", 0), Column("repeated", "repeated", 0)
JOINED, REFUSED = Column("joined", "joined", 0), Column("refusals", "refused", 0)

COLUMNS: dict[str, tuple[Column, ...]] = {
    "talk": (Column("rate", "rate/s", 0), *DELIVERY, *LATENCY, RATE, LOST, REPEATED, *LOAD),
    "saturation": (RATE, Column("rate", "messages/s", 1), *DELIVERY, LATENCY[0], LATENCY[1], *LOAD),
    "idle": (Column("connections", "connections", 0), Column("kib_per_connection", "KiB each"), *LATENCY[:2], LOST),
    "join": (Column("seconds", "all joined, s", 2), *JOIN, JOINED, REFUSED, *LOAD),
    "reconnect": (
        Column("seconds", "all resumed, s", 2),
        *JOIN,
        JOINED,
        REFUSED,
        Column("missed", "missed", 0),
        LOST,
        REPEATED,
        *LOAD,
    ),
}
# The one that is plotted, with its spread.
MAIN = {kind: columns[0] for kind, columns in COLUMNS.items()} | {"talk": DELIVERY[0], "idle": COLUMNS["idle"][1]}
