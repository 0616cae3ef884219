"""Which systems are measured, in what, how often and how long: all, or what the environment asks for."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from tests.bench.scenario import SCENARIOS, Scenario
from tests.bench.system import SYSTEMS, WAYS, System

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROUNDS, MOST_ROUNDS = 5, 20
SECONDS, QUICK_SECONDS, MOST_SECONDS = 8.0, 3.0, 60.0
QUICK_SCENARIOS = ("1x100-at-400", "200x5-at-1000")


class Refused(Exception):
    """What was asked for, and what there is."""


@dataclass(frozen=True)
class Plan:
    scenarios: tuple[Scenario, ...]
    systems: tuple[System, ...]
    ways: tuple[str, ...]
    rounds: int
    seconds: float
    quick: bool

    @classmethod
    def asked(cls, environment: Mapping[str, str]) -> Plan:
        quick = environment.get("QUICK", "") not in {"", "0"}
        names = [scenario.name for scenario in SCENARIOS]
        wanted = chosen("SCENARIO", environment, names, QUICK_SCENARIOS if quick else names)
        systems = chosen("SYSTEM", environment, [system.name for system in SYSTEMS])
        return cls(
            scenarios=tuple(scenario for scenario in SCENARIOS if scenario.name in wanted),
            systems=tuple(system for system in SYSTEMS if system.name in systems),
            ways=tuple(chosen("WAY", environment, WAYS, ["direct"] if quick else WAYS)),
            rounds=int(number("ROUNDS", environment, 1 if quick else ROUNDS, MOST_ROUNDS)),
            seconds=number("WINDOW", environment, QUICK_SECONDS if quick else SECONDS, MOST_SECONDS),
            quick=quick,
        )

    @property
    def whole(self) -> bool:
        """Whether everything is measured, so that the result is one to keep."""
        everything = len(SCENARIOS), len(SYSTEMS), len(WAYS)
        return not self.quick and (len(self.scenarios), len(self.systems), len(self.ways)) == everything

    def sessions(self) -> Iterator[tuple[int, tuple[Scenario, ...], str, System]]:
        """Interleaved: what is compared follows each other, and each round begins with another system."""
        for turn in range(self.rounds):
            for scenarios in self.groups():
                for way in self.ways:
                    first = turn % len(self.systems)
                    for system in self.systems[first:] + self.systems[:first]:
                        yield turn + 1, scenarios, way, system

    def groups(self) -> list[tuple[Scenario, ...]]:
        """What fresh servers are started for: each crowd; where it must be quick, all."""
        if self.quick:
            return [self.scenarios]
        return [tuple(group) for _, group in groupby(self.scenarios, key=lambda scenario: scenario.crowd)]

    @property
    def measurements(self) -> int:
        return self.rounds * len(self.scenarios) * len(self.ways) * len(self.systems)


def chosen(
    name: str, environment: Mapping[str, str], known: Sequence[str], default: Sequence[str] | None = None
) -> list[str]:
    """Comma-separated names, or what they begin with up to `-at-`."""
    asked = [word for word in environment.get(name, "").split(",") if word]
    if not asked:
        return list(known if default is None else default)
    found = [[it for it in known if word in {it, it.split("-at-")[0]}] for word in asked]
    if missing := [word for word, names in zip(asked, found, strict=True) if not names]:
        raise Refused(f"{name}: expected some of {', '.join(known)}; received {', '.join(missing)}")
    return [it for names in found for it in names]


def number(name: str, environment: Mapping[str, str], default: float, most: float) -> float:
    given = environment.get(name) or str(default)
    try:
        value = float(given)
    except ValueError:
        value = 0
    if not 1 <= value <= most:
        shown = "SECONDS" if name == "WINDOW" else name
        raise Refused(f"{shown}: expected a number from 1 to {most:g}, received {given!r}")
    return value
