"""What the benchmark is to show, as ratios of the same run; and whether it did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from tests.bench.measurement import Results

FAR = 1.25  # missed by more than a quarter


@dataclass(frozen=True)
class Target:
    scenario: str
    measure: str
    what: str
    system: str
    beside: str | None  # the system by which it is divided; without one, the figure itself
    bound: float
    kind: Literal["at most", "at least"] = "at most"
    way: str = "direct"

    def verdict(self, results: Results) -> Verdict:
        if self.bound == 0:  # none in any round
            found = results.spread(self.scenario, self.way, self.system, self.measure)
            return Verdict(self, found.most if found else None)
        own = results.median(self.scenario, self.way, self.system, self.measure)
        if self.beside is None or own is None:
            return Verdict(self, own)
        other = results.median(self.scenario, self.way, self.beside, self.measure)
        return Verdict(self, own / other if other else None)


@dataclass(frozen=True)
class Verdict:
    target: Target
    value: float | None  # None: it was not measured

    @property
    def short(self) -> float:
        """How many times beyond the bound; up to 1 it is kept."""
        if self.value is None:
            return 0
        bound = self.target.bound
        if self.target.kind == "at least":
            return bound / self.value if self.value else float("inf")
        return self.value / bound if bound else 1 + self.value

    @property
    def missed(self) -> bool:
        return self.short > 1

    @property
    def word(self) -> str:
        if self.value is None:
            return "not measured"
        return "kept" if not self.missed else "missed" if self.short <= FAR else "MISSED BY MORE THAN A QUARTER"


CPU, ALL, JOIN = "cpu_us_per_delivery", "all_us_per_delivery", "cpu_us_per_join"
TALKS = ("1x1000-at-2", "1x1000-at-10", "1x100-at-400", "200x5-at-1000")
TARGETS = (
    Target("1x1000-at-10", CPU, "CPU per delivery", "ours-daphne", "nchan", 1.0),
    Target("1x1000-at-10", CPU, "CPU per delivery", "ours-daphne", "centrifugo", 0.7),
    Target("1x1000-at-10", CPU, "CPU per delivery", "ours-daphne", "documented-core", 1 / 20),
    Target("1x1000-at-2", "p50_ms", "p50", "ours-daphne", "documented-core", 1 / 5),
    Target("1x1000-at-2", "p99_ms", "p99", "ours-daphne", "documented-core", 1 / 5),
    Target("1x100-at-400", CPU, "CPU per delivery", "ours-daphne", "nchan", 0.6),
    Target("1x100-at-400", "p99_ms", "p99, ms", "ours-daphne", None, 25),
    Target("1x100-at-400", CPU, "CPU per delivery", "ours-daphne", "centrifugo", 0.35),
    Target("200x5-at-1000", CPU, "CPU per delivery", "ours-daphne", "socketio", 1.0),
    *(
        Target(scenario, ALL, "CPU per delivery, all parts", "ours-daphne", "socketio", 0.8, way="nginx")
        for scenario in TALKS
    ),
    Target("saturation", "deliveries_per_s", "deliveries/s", "ours-daphne", "documented-core", 15, "at least"),
    Target("idle", "kib_per_connection", "KiB per connection", "ours-daphne", None, 25),
    Target("join", JOIN, "CPU per join", "ours-daphne", "documented-pubsub", 0.5),
    Target("join", JOIN, "CPU per join", "ours-uvicorn", "documented-pubsub", 0.3),
    Target("join", "refusals", "refused", "ours-daphne", None, 0),
    Target("join", "seconds", "seconds until all have joined", "ours-daphne", "centrifugo", 2.0),
    Target("reconnect", "seconds", "seconds until all have resumed", "ours-daphne", "socketio", 2.0),
    Target("reconnect", "lost", "lost", "ours-daphne", None, 0),
)
