"""What the benchmark is asked for, what it judges, and how it tells."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.bench.column import COLUMNS
from tests.bench.measurement import Measurement, Results
from tests.bench.plan import Plan, Refused
from tests.bench.report import Report, line
from tests.bench.scenario import SCENARIOS
from tests.bench.system import SYSTEMS
from tests.bench.target import TARGETS, Target, Verdict

NAMES = {scenario.name for scenario in SCENARIOS}


def results(**medians: float) -> Results:
    return Results(Measurement("idle", "direct", name, 1, {"p50_ms": value}) for name, value in medians.items())


@pytest.mark.parametrize(
    ("own", "word"), [(1.0, "kept"), (1.2, "missed"), (1.3, "MISSED BY MORE THAN A QUARTER"), (None, "not measured")]
)
def test_verdict_on_a_ratio(own: float | None, word: str) -> None:
    target = Target("idle", "p50_ms", "p50", "ours", "nchan", 0.5)
    given = {"nchan": 2.0} if own is None else {"nchan": 2.0, "ours": own}
    verdict = target.verdict(results(**given))
    assert verdict.word == word
    assert verdict.value == (None if own is None else pytest.approx(own / 2))
    assert verdict.missed is word.lower().startswith("missed")


def test_verdict_where_more_is_better() -> None:
    target = Target("idle", "p50_ms", "p50", "ours", "nchan", 15, "at least")
    assert [target.verdict(results(ours=own, nchan=1.0)).word for own in (15.0, 13.0, 11.0, 0.0)] == [
        "kept",
        "missed",
        "MISSED BY MORE THAN A QUARTER",
        "MISSED BY MORE THAN A QUARTER",
    ]


def test_none_means_none_in_any_round() -> None:
    target = Target("idle", "lost", "lost", "ours", None, 0)
    rounds = [Measurement("idle", "direct", "ours", n, {"lost": lost}) for n, lost in enumerate((0, 0, 1))]
    assert target.verdict(Results(rounds)).missed
    assert not target.verdict(Results(rounds[:2])).missed


def test_targets_name_what_is_measured() -> None:
    systems = {system.name for system in SYSTEMS}
    kinds = {scenario.name: scenario.kind for scenario in SCENARIOS}
    for target in TARGETS:
        assert {target.system, target.beside} - {None} <= systems
        shown = {column.measure for column in COLUMNS[kinds[target.scenario]]} | {"all_us_per_delivery"}
        assert target.measure in shown, target


def test_plan_is_all_or_what_is_asked_for() -> None:
    whole = Plan.asked({})
    assert (whole.whole, whole.rounds, {scenario.name for scenario in whole.scenarios}) == (True, 5, NAMES)
    asked = Plan.asked({"SCENARIO": "1x100,idle", "SYSTEM": "nchan", "WAY": "nginx", "ROUNDS": "2", "WINDOW": "4"})
    assert [scenario.name for scenario in asked.scenarios] == ["1x100-at-400", "idle"]
    assert ([system.name for system in asked.systems], asked.ways, asked.rounds) == (["nchan"], ("nginx",), 2)
    assert asked.seconds == 4
    assert not asked.whole
    assert not Plan.asked({"QUICK": "1"}).whole


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"SYSTEM": "nodejs"}, "SYSTEM: expected some of documented-core, .*; received nodejs"),
        ({"ROUNDS": "0"}, "ROUNDS: expected a number from 1 to 20, received '0'"),
        ({"WINDOW": "long"}, "SECONDS: expected a number from 1 to 60, received 'long'"),
    ],
)
def test_plan_says_what_it_cannot_do(given: dict[str, str], said: str) -> None:
    with pytest.raises(Refused, match=said):
        Plan.asked(given)


def test_rounds_interleave_the_systems_and_begin_with_another_each_time() -> None:
    plan = Plan.asked({"SYSTEM": "socketio,nchan", "SCENARIO": "1x1000,idle", "WAY": "direct", "ROUNDS": "2"})
    assert [(turn, system.name, len(together)) for turn, together, _, system in plan.sessions()] == [
        (1, "socketio", 2),
        (1, "nchan", 2),
        (1, "socketio", 1),
        (1, "nchan", 1),
        (2, "nchan", 2),
        (2, "socketio", 2),
        (2, "nchan", 1),
        (2, "socketio", 1),
    ]


def measured() -> list[Measurement]:
    values: dict[str, Any] = {column.measure: 2.0 for columns in COLUMNS.values() for column in columns}
    values |= {"all_us_per_delivery": 3.0, "settled": True, "errors": {"rate_limited": 1}}
    return [
        Measurement(scenario.name, way, system.name, turn, values | {"p50_ms": float(turn)})
        for scenario in SCENARIOS
        for way in ("direct", "nginx")
        for system in SYSTEMS[1:]
        for turn in (1, 2, 3)
    ]


def test_report_tells_of_all_and_names_what_is_absent() -> None:
    plan = Plan.asked({"ROUNDS": "3", "SCENARIO": "1x100,idle"})
    absent = {SYSTEMS[0].name: "no image"}
    report = Report(measured(), plan, datetime(2026, 1, 2, tzinfo=UTC), {"nchan": "1.3.8"}, absent, [])
    page, markdown = report.html(), report.markdown()
    for text in (page, markdown):
        assert all(scenario.title in text for scenario in plan.scenarios)
        assert "no image" in text
        assert "2.0 (1.0–3.0)" in text
        assert "1.3.8" in text
    assert page.count("<svg") == len(plan.scenarios)
    assert "src=" not in page  # self-contained
    kept = json.loads(report.json())
    assert len(kept["measurements"]) == len(measured())
    assert all(verdict["verdict"] for verdict in kept["targets"])
    assert report.missed


@pytest.mark.parametrize(
    ("asked", "failed", "stem"),
    [
        ({}, [], "docs/results/2026-01-02-bench"),
        ({}, ["interrupted"], "reports/bench/2026-01-02-000000"),
        ({"SYSTEM": "nchan"}, [], "reports/bench/2026-01-02-000000"),
    ],
)
def test_only_a_whole_run_is_kept_with_the_repository(asked: dict[str, str], failed: list[str], stem: str) -> None:
    assert Report([], Plan.asked(asked), datetime(2026, 1, 2, tzinfo=UTC), {}, {}, failed).stem == stem


def test_line_tells_of_errors() -> None:
    assert line(measured()[0]).endswith("errors {'rate_limited': 1}")


def test_verdict_without_a_value_is_none_missed() -> None:
    assert not Verdict(TARGETS[0], None).missed
