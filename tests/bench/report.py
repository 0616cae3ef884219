"""What was measured, as text, JSON, Markdown and a page with plots."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

from tests import machine
from tests.bench.column import COLUMNS
from tests.bench.engine import ROOT
from tests.bench.measurement import Measurement, Results
from tests.bench.plot import plot
from tests.bench.target import TARGETS, Verdict

if TYPE_CHECKING:
    from datetime import datetime

    from tests.bench.plan import Plan
    from tests.bench.scenario import Scenario

METHOD = (
    "Two server processes each, one Redis, one generator of load, all on this machine. CPU is user and system time of "
    "the containers of servers and Redis, and apart from it nginx's, from the first message until all is delivered, "
    "divided by the deliveries. Medians of the rounds, and in brackets the least and the most. "
    "docs/performance.md says more."
)
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; font-size: 13px; margin: 1rem 0; display: block; overflow-x: auto; }
td, th { border-bottom: 1px solid #ddd; padding: .3rem .6rem; text-align: right; white-space: nowrap; }
td:first-child, th:first-child, td:nth-child(2), th:nth-child(2) { text-align: left; }
svg { max-width: 100%; height: auto; }
"""


def line(found: Measurement) -> str:
    """One measurement, as it is made."""
    kind = found.scenario.split("-at-")[0]
    columns = COLUMNS[kind if kind in COLUMNS else "talk"]
    shown = [
        f"{column.heading} {column.figure(found.values[column.measure])}"
        for column in columns
        if column.measure in found.values
    ]
    notes = [f"{name} {found.values[name]}" for name in ("errors", "closes", "refused") if found.values.get(name)]
    if not found.values["settled"]:
        notes.append("not settled before it began")
    return f"{found.scenario}, {found.way}, {found.system}, round {found.round}: {', '.join([*shown, *notes])}"


@dataclass
class Table:
    title: str
    headings: list[str]
    rows: list[list[str]]

    def text(self) -> str:
        """Markdown that reads well unrendered."""
        widths = [max(len(row[at]) for row in [self.headings, *self.rows]) for at in range(len(self.headings))]
        lines = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in self.rows]
        head = " | ".join(cell.ljust(width) for cell, width in zip(self.headings, widths, strict=True))
        return "\n".join(f"| {it} |" for it in [head, " | ".join("-" * width for width in widths), *lines])

    def html(self) -> str:
        rows = [("th", self.headings), *(("td", row) for row in self.rows)]
        cells = ("".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in row) for tag, row in rows)
        return "<table>" + "".join(f"<tr>{row}</tr>" for row in cells) + "</table>"


@dataclass
class Report:
    measurements: list[Measurement]
    plan: Plan
    started: datetime
    versions: dict[str, str]
    absent: dict[str, str]
    failed: list[str]
    again: list[str] = field(default_factory=list)  # failed once
    results: Results = field(init=False)
    verdicts: list[Verdict] = field(init=False)

    def __post_init__(self) -> None:
        self.results = Results(self.measurements)
        self.verdicts = [target.verdict(self.results) for target in TARGETS]

    @property
    def missed(self) -> bool:
        return any(verdict.missed for verdict in self.verdicts)

    # ── Tables ─────────────────────────────────────────────────────────────────────────────────

    def table(self, scenario: Scenario) -> Table:
        columns = COLUMNS[scenario.kind]
        rows = [
            [system.title, way, *(column.show(self.results.spread(*place, column.measure)) for column in columns)]
            for way in self.plan.ways
            for system in self.plan.systems
            if (place := (scenario.name, way, system.name)) in self.results.values
        ]
        return Table(scenario.title, ["system", "way", *(column.heading for column in columns)], rows)

    def tables(self) -> list[tuple[Scenario, Table]]:
        found = [(scenario, self.table(scenario)) for scenario in self.plan.scenarios]
        return [(scenario, table) for scenario, table in found if table.rows]

    def targets(self) -> Table:
        rows = []
        for verdict in self.verdicts:
            if verdict.value is None and not self.plan.whole:
                continue
            target = verdict.target
            name = f"{target.what}, {target.system}" + (f" ÷ {target.beside}" if target.beside else "")
            value = "–" if verdict.value is None else f"{verdict.value:.3g}"
            rows.append([target.scenario, target.way, name, f"{target.kind} {target.bound:.3g}", value, verdict.word])
        return Table("Targets", ["scenario", "way", "measure", "target", "measured", "verdict"], rows)

    def facts(self) -> Table:
        found = {
            "started": f"{self.started:%Y-%m-%d %H:%M} UTC",
            **machine.facts(),
            "rounds": f"{self.plan.rounds}, windows of {self.plan.seconds:g} s",
            **{f"{system.title}": self.versions.get(system.name, "") for system in self.plan.systems},
            **{f"{name}, not measured": why for name, why in self.absent.items()},
        }
        return Table("What was measured", ["what", "which"], [[name, value] for name, value in found.items()])

    # ── Forms ──────────────────────────────────────────────────────────────────────────────────

    def text(self) -> str:
        tables = [table for _, table in self.tables()]
        parts = [f"{table.title}\n\n{table.text()}" for table in [*tables, self.targets()] if table.rows]
        return "\n\n".join([*parts, *self.remarks(), ""])

    def remarks(self) -> list[str]:
        found = {"Not measured": [f"{name}, {why}" for name, why in self.absent.items()]}
        found |= {"Failed": self.failed, "Measured again after it had failed": self.again}
        return [f"{what}: {which}" for what, all_of_it in found.items() for which in all_of_it]

    def markdown(self) -> str:
        parts = [f"# Benchmark, {self.started:%Y-%m-%d}", METHOD, self.facts().text()]
        for table in [self.targets(), *(table for _, table in self.tables())]:
            if not table.rows:
                continue
            parts += [f"## {table.title}", table.text()]
        return "\n\n".join([*parts, *self.remarks()]) + "\n"

    def html(self) -> str:
        title = f"Benchmark, {self.started:%Y-%m-%d}"
        parts = [f"<h1>{title}</h1>", f"<p>{escape(METHOD)}</p>", self.facts().html()]
        if (targets := self.targets()).rows:
            parts += [f"<h2>{targets.title}</h2>", targets.html()]
        for scenario, table in self.tables():
            parts += [f"<h2>{escape(table.title)}</h2>", plot(scenario, self.results, self.plan), table.html()]
        parts += [f"<p>{escape(remark)}</p>" for remark in self.remarks()]
        head = f'<meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
        return f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>\n'

    def json(self) -> str:
        content: dict[str, Any] = {
            "started": self.started.isoformat(),
            "facts": dict(self.facts().rows),
            "absent": self.absent,
            "failed": self.failed,
            "again": self.again,
            "targets": [
                asdict(verdict.target) | {"value": verdict.value, "verdict": verdict.word} for verdict in self.verdicts
            ],
            "measurements": [measurement.as_object() for measurement in self.measurements],
        }
        return json.dumps(content, indent=1) + "\n"

    @property
    def stem(self) -> str:
        """A whole run is kept with the repository; what was chosen from it is not."""
        if self.plan.whole and not self.failed:
            return f"docs/results/{self.started:%Y-%m-%d}-bench"
        return f"reports/bench/{self.started:%Y-%m-%d-%H%M%S}"

    def write(self) -> str:
        """Returns the path of the page."""
        for ending, content in (("json", self.json()), ("md", self.markdown()), ("html", self.html())):
            path = ROOT / f"{self.stem}.{ending}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return f"{self.stem}.html"
