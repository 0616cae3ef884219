"""Quantiles by nearest rank, and medians with their spread."""

from __future__ import annotations

from math import ceil, isnan, nan
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def quantile(ordered: Sequence[float], share: float) -> float:
    """Of values in ascending order; of none, nan."""
    return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else nan


class Spread(NamedTuple):
    """Of the same measure in several rounds."""

    median: float
    least: float
    most: float
    rounds: int


def spread(values: Iterable[float]) -> Spread | None:
    known = [value for value in values if not isnan(value)]
    return Spread(median(known), min(known), max(known), len(known)) if known else None
