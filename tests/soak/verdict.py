"""Whether something grew: under a steady load, and from one rest to the next.

Under load, the first third of the time is warming up. The lower quartile of the last third may then be above that of
the middle third by so much as is allowed: what grows steadily differs by a third of the time, and peaks do not count,
as of a health check, whose process is within the container's account for a moment. At rest, when everybody has left,
all that can be counted must be back where it was before: that finds a leak of one in a thousand.
"""

from __future__ import annotations

from statistics import quantiles
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.soak.gauges import Sample, Series

MIB = 2**20
FEWEST = 3  # samples of a third


class Allowance(NamedTuple):
    share: float
    least: float
    at_rest: float | None  # None: not compared there

    def under_load(self, before: float) -> float:
        return max(self.share * before, self.least)


# Counts follow how many happen to be there, in a short run by a third: at rest they are compared strictly.
WAVERING = 0.5
ALLOWED = {
    "memory": Allowance(0.05, 2 * MIB, None),
    "data": Allowance(0.05, 1 * MIB, None),  # of Redis; a `ref` is known for ten minutes, so they grow for as long
    "descriptors": Allowance(WAVERING, 10, 10),  # threads that had not worked yet open the database
    "asyncio tasks": Allowance(WAVERING, 10, 2),
    "layer channels": Allowance(WAVERING, 10, 0),
    "layer groups": Allowance(WAVERING, 10, 0),
    "rooms": Allowance(WAVERING, 10, 0),
    "members": Allowance(WAVERING, 10, 0),
    "keys": Allowance(WAVERING, 20, 2),  # a readiness probe's
    "connections": Allowance(WAVERING, 10, 10),  # pools keep as many as were in use together
    "subscriptions": Allowance(WAVERING, 10, 0),
    "group members": Allowance(WAVERING, 10, 0),
}


class Change(NamedTuple):
    part: str
    what: str
    before: float
    after: float
    allowed: float

    @property
    def grew(self) -> bool:
        return self.after - self.before > self.allowed

    def __str__(self) -> str:
        before, after, allowed = (shown(self.what, value) for value in self[2:])
        return f"{self.part}: {self.what} grew from {before} to {after}; at most {allowed} more were allowed"


def shown(what: str, value: float) -> str:
    return f"{value / MIB:.1f} MiB" if what in ("memory", "data") else f"{value:.0f}"


def thirds(samples: Sequence[Sample]) -> tuple[list[Sample], list[Sample]]:
    """The middle one and the last, by time."""
    begun, third = samples[0].at, (samples[-1].at - samples[0].at) / 3
    middle = [sample for sample in samples if third <= sample.at - begun < 2 * third]
    last = [sample for sample in samples if sample.at - begun >= 2 * third]
    if min(len(middle), len(last)) < FEWEST:
        raise ValueError(f"expected {FEWEST} samples in each third of the time, received {len(samples)} in all")
    return middle, last


def lower_quartile(values: Iterable[float]) -> float:
    return quantiles(values, n=4)[0]


def under_load(samples: Sequence[Sample]) -> list[Change]:
    middle, last = thirds(samples)

    def change(series: Series) -> Change:
        before, after = (lower_quartile(sample.values[series] for sample in part) for part in (middle, last))
        return Change(*series, before, after, ALLOWED[series[1]].under_load(before))

    return [change(series) for series in samples[0].values]


def at_rest(before: Sample, after: Sample) -> list[Change]:
    return [
        Change(*series, value, after.values[series], allowed)
        for series, value in before.values.items()
        if (allowed := ALLOWED[series[1]].at_rest) is not None
    ]


def growth(changes: Iterable[Change], when: str) -> list[str]:
    return [f"{when}: {change}" for change in changes if change.grew]
