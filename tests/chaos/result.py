"""What came of one fault: a line of the table, and all that is against it."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.chat.verdict import Quantiles, Verdict

HEADINGS = (
    *("fault", "clients", "acknowledged", "lost", "repeated", "misordered", "absent", "told"),
    *("recovery p50", "p99", "max", "promised", "from", "verdict"),
)


@dataclass
class Result:
    fault: str
    verdict: Verdict
    recovery: Quantiles
    since: str  # what the recovery is counted from
    promised: float  # seconds: the recovery's p99
    tracebacks: list[str]  # in the logs of the services
    told: list[str]  # there too: where rooms began anew
    told_allowed: bool = False  # whether the fault may reach beyond the log
    failed: str = ""  # what the test itself found besides

    @property
    def broken(self) -> list[str]:
        """What was promised and not kept; empty if all was."""
        found = [f"{count} {name}" for name, count in self.verdict.faults.items()]
        if self.verdict.told_gaps and not self.told_allowed:
            found.append(f"{self.verdict.told_gaps} gaps told, none of them beyond the log")
        if self.recovery.of and not self.recovery.p99 <= self.promised:
            found.append(f"recovery p99 {self.recovery.p99:.2f} s, promised {self.promised:g} s")
        return [*found, *self.tracebacks, *([self.failed] if self.failed and not found else [])]

    @property
    def cells(self) -> list[str]:
        verdict = self.verdict
        return [
            self.fault,
            str(verdict.clients),
            str(verdict.acknowledged),
            str(max(verdict.lost, verdict.lost_of_sender)),
            str(max(verdict.repeated, verdict.repeated_of_sender)),
            str(max(verdict.misordered, verdict.misordered_of_sender)),
            str(verdict.absent),
            str(verdict.told_gaps),
            *(seconds(value) if self.recovery.of else "–" for value in self.recovery[1:]),
            f"{self.promised:g} s",
            self.since,
            "kept" if not self.broken else "BROKEN",
        ]

    @property
    def line(self) -> str:
        named = (f"{name} {cell}" for name, cell in zip(HEADINGS[1:], self.cells[1:], strict=True))
        return f"{self.fault}: {', '.join(named)}"

    def __str__(self) -> str:
        return "\n".join(
            [f"{self.verdict}", f"recovery      {self.recovery}, from {self.since}", *self.told, *self.broken]
        )


def seconds(value: float) -> str:
    return f"{value:.2f} s" if isfinite(value) else "never"


def table(results: Iterable[Result]) -> str:
    """Markdown that reads well unrendered."""
    rows = [list(HEADINGS), *(result.cells for result in results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    lines.insert(1, " | ".join("-" * width for width in widths))
    return "\n".join(f"| {line} |" for line in lines)
