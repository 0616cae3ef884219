"""One system's result in one scenario, one way, in one round; and the medians of several."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from tests.bench.quantile import Spread, spread

if TYPE_CHECKING:
    from collections.abc import Iterable

Place = tuple[str, str, str]  # scenario, way, system


@dataclass(frozen=True)
class Measurement:
    scenario: str
    way: str
    system: str
    round: int
    values: dict[str, Any]

    @property
    def place(self) -> Place:
        return self.scenario, self.way, self.system

    def as_object(self) -> dict[str, Any]:
        return asdict(self)


class Results:
    """The measures of all rounds, by place and name."""

    def __init__(self, measurements: Iterable[Measurement]) -> None:
        self.measurements = list(measurements)
        self.values: defaultdict[Place, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        for measurement in self.measurements:
            for name, value in measurement.values.items():
                if isinstance(value, (int, float)):
                    self.values[measurement.place][name].append(float(value))

    def spread(self, scenario: str, way: str, system: str, name: str) -> Spread | None:
        place = scenario, way, system
        return spread(self.values[place][name]) if place in self.values and name in self.values[place] else None

    def median(self, scenario: str, way: str, system: str, name: str) -> float | None:
        found = self.spread(scenario, way, system, name)
        return found.median if found else None
