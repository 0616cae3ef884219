"""The plots of the report, each an SVG to put into a page."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure

from tests.bench.column import MAIN
from tests.bench.system import WAYS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tests.bench.measurement import Results
    from tests.bench.plan import Plan
    from tests.bench.scenario import Scenario

COLOURS = {"direct": "#2a6f97", "nginx": "#a9d6e5"}
WIDTH, BAR = 9.0, 0.38  # inches


def plot(scenario: Scenario, results: Results, plan: Plan) -> str:
    """The scenario's main measure for each system, with its spread; latencies beside it where there are any."""
    mpl.rcParams["svg.fonttype"] = "none"
    mpl.rcParams["svg.hashsalt"] = "bench"
    columns = 2 if scenario.kind == "talk" else 1
    figure = Figure(figsize=(WIDTH, 1.0 + BAR * len(plan.systems) * len(plan.ways)), layout="constrained")
    axes = figure.subplots(1, columns, squeeze=False, sharey=True)[0]
    bars(axes[0], scenario, results, plan)
    if columns > 1:
        latencies(axes[1], scenario, results, plan)
    written = StringIO()
    figure.savefig(written, format="svg", metadata={"Date": None})
    return written.getvalue().partition("<svg")[1] + written.getvalue().partition("<svg")[2]


def rows(plan: Plan) -> list[tuple[float, str, str, str]]:
    """Height, system, its title, way; the first system on top."""
    found = []
    for place, system in enumerate(reversed(plan.systems)):
        for shift, way in enumerate(reversed([way for way in WAYS if way in plan.ways])):
            found.append((place + shift / (len(plan.ways) + 0.5), system.name, system.title, way))
    return found


def bars(axes: Axes, scenario: Scenario, results: Results, plan: Plan) -> None:
    column = MAIN[scenario.kind]
    for height, system, _, way in rows(plan):
        if found := results.spread(scenario.name, way, system, column.measure):
            median, least, most = (value * column.factor for value in found[:3])
            error = [[median - least], [most - median]]
            axes.barh(height, median, 0.9 / (len(plan.ways) + 0.5), color=COLOURS[way], xerr=error, ecolor="#555")
            axes.annotate(
                column.figure(found.median), (most, height), (4, 0), textcoords="offset points", va="center", fontsize=8
            )
    name_rows(axes, plan)
    axes.set_xscale("log")  # the documented consumer costs ten to a hundred times the others
    axes.set_xlabel(column.heading)
    axes.margins(x=0.15)


def latencies(axes: Axes, scenario: Scenario, results: Results, plan: Plan) -> None:
    for height, system, _, way in rows(plan):
        found = [results.median(scenario.name, way, system, f"{name}_ms") for name in ("p50", "p99", "p999")]
        if shown := [milliseconds for milliseconds in found if milliseconds]:
            axes.plot(shown, [height] * len(shown), "o-", color=COLOURS[way], markersize=4)
    axes.set_xscale("log")
    axes.set_xlabel("p50, p99, p99.9, ms")
    axes.grid(axis="x", alpha=0.3)


def name_rows(axes: Axes, plan: Plan) -> None:
    axes.set_yticks(range(len(plan.systems)), [system.title for system in reversed(plan.systems)], fontsize=8)
