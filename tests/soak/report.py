"""The dated report: a table of what was held, and a plot of it over time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure

from tests import machine
from tests.soak import churn
from tests.soak.verdict import MIB, shown

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.soak.churn import Tally
    from tests.soak.gauges import Sample
    from tests.soak.verdict import Change

PAGE = """\
# Soak, {day}

{minutes:g} minutes of churn through nginx, from a fresh clone: {verdict}

{facts}

{rooms} rooms are opened and closed again and again, each with {residents} residents, whose sockets are cut now and
then, {visitors} visitors at a time and a socket of each documented consumer; {quiet} clients at a time look at rooms
that nobody was in before; somebody reads pages. In all {tally.visits} visits, {tally.openings} openings,
{tally.acknowledged} messages acknowledged, {tally.deliveries} delivered, {tally.reconnects} sockets lost and resumed,
{tally.pages} pages. Lost, repeated, misordered, or acknowledged and absent: {faults}.

![What was held over time]({plot})

The first third is warming up. Under load, the lower quartile of the last third is compared with that of the middle
third; at rest, the moment at which everybody had left with the one before all began. [testing.md](../testing.md) says
more.

{table}
{broken}"""

PANELS = ("memory", "data", "descriptors", "asyncio tasks", "layer channels", "keys", "connections", "members")


def write(
    path: Path,
    minutes: float,
    samples: Sequence[Sample],
    loaded: Sequence[Change],
    rested: Sequence[Change],
    tally: Tally,
    broken: Sequence[str],
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    plot(samples, path.with_suffix(".svg"))
    page = PAGE.format(
        day=datetime.now(UTC).date(),
        minutes=minutes,
        verdict="nothing grew." if not broken else "NOT KEPT, see below.",
        facts=machine.table(machine.facts()),
        rooms=churn.ROOMS,
        residents=churn.RESIDENTS,
        visitors=churn.VISITORS,
        quiet=churn.QUIET,
        tally=tally,
        faults=sum(tally.faults.values()),
        plot=path.with_suffix(".svg").name,
        table=table(loaded, rested),
        broken="".join(["\nNot kept:\n\n", *(f"- {line}\n" for line in broken)]) if broken else "",
    )
    path.write_text(page)


def table(loaded: Sequence[Change], rested: Sequence[Change]) -> str:
    at_rest = {(change.part, change.what): change for change in rested}
    lines = [
        "| part | what | middle third | last third | may grow by | at rest before | after | may grow by |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for change in loaded:
        rest = at_rest.get((change.part, change.what))
        cells = [change.part, change.what, *(shown(change.what, value) for value in change[2:])]
        cells += [shown(change.what, value) for value in rest[2:]] if rest else ["–"] * 3
        if change.grew or (rest and rest.grew):
            cells = [f"**{cell}**" for cell in cells]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def plot(samples: Sequence[Sample], path: Path) -> None:
    mpl.rcParams["svg.fonttype"] = "none"  # text stays text, and the file small
    mpl.rcParams["svg.hashsalt"] = "soak"
    panels = [what for what in PANELS if any(what == of for _, of in samples[0].values)]
    rows = (len(panels) + 1) // 2
    figure = Figure(figsize=(11, 3 * rows), layout="constrained")
    minutes = [(sample.at - samples[0].at) / 60 for sample in samples]
    axes = figure.subplots(rows, 2, sharex=True).flatten()
    for axis, what in zip(axes, panels, strict=False):
        scale = MIB if what in ("memory", "data") else 1
        for series in samples[0].values:
            if series[1] == what:
                axis.plot(minutes, [sample.values[series] / scale for sample in samples], label=series[0], linewidth=1)
        axis.axvspan(0, minutes[-1] / 3, alpha=0.08, color="black", linewidth=0)
        axis.set_title(what if scale == 1 else f"{what}, MiB", fontsize="medium")
        axis.set_ylim(bottom=0)
        axis.legend(fontsize="x-small", ncols=2)
    for axis in axes[-2:]:
        axis.set_xlabel("minutes; the first third is warming up")
    figure.savefig(path, metadata={"Date": None})
