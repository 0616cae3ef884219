"""The benchmark's arithmetic: deliveries counted, quantiles, medians, what control groups say."""

import os
from math import isnan
from pathlib import Path

import pytest

from tests.bench.measurement import Measurement, Results
from tests.bench.meter import Usage, group, machine, usage
from tests.bench.quantile import Spread, quantile, spread
from tests.bench.scenario import STEP_SECONDS, keeps_up, spent
from tests.bench.text import LENGTH, mark, text
from tests.bench.window import Window

MILLISECOND = 10**6


def test_quantiles_are_values_that_were_measured() -> None:
    values = list(range(1, 1001))
    assert [quantile(values, share) for share in (0.5, 0.99, 0.999, 1.0)] == [500, 990, 999, 1000]
    assert quantile([7], 0.999) == 7
    assert isnan(quantile([], 0.5))


def test_spread_leaves_out_what_was_not_measured() -> None:
    assert spread([3.0, float("nan"), 1.0, 2.0]) == Spread(2.0, 1.0, 3.0, 3)
    assert spread([float("nan")]) is None


def test_text_says_which_it_is_and_when_it_was_sent() -> None:
    said = text(123, 456_789)
    assert len(said) == LENGTH
    assert mark(f"somebody说: {said}") == (123, 456_789)
    with pytest.raises(ValueError, match="expected a text of the benchmark"):
        mark("Server: somebody加入了.")


def test_window_counts_each_client_s_losses_and_repetitions() -> None:
    window = Window(first=10, messages=6, rooms=2)  # 10 12 14 in room 0, 11 13 15 in room 1
    assert [window.room_of(number) for number in (10, 11, 15)] == [0, 1, 1]
    assert [window.index_of(number) for number in (9, 10, 11, 14)] == [-1, 0, 0, 2]
    window.sent = [3, 2]
    window.expected, window.delivered, window.last = 8, 8, 9_000 * MILLISECOND
    window.latencies.extend(MILLISECOND * value for value in (1, 2, 3, 4, 5, 6, 7, 8))
    whole, holed, repeated = window.tally(), window.tally(), window.tally()
    for index in (0, 1, 2):
        whole.add(index)
    for index in (0, 2):
        holed.add(index)
    for index in (0, 0, 1):
        repeated.add(index)
    report = window.report([(0, whole), (0, holed), (1, repeated)], 5_000 * MILLISECOND, 8_000 * MILLISECOND)
    assert (report["sent"], report["lost"], report["repeated"]) == (5, 1, 1)
    assert (report["sending_seconds"], report["seconds"], report["backlog_seconds"]) == (3, 4, 1)
    assert (report["p50_ms"], report["p99_ms"], report["max_ms"]) == (4, 8, 8)


def test_message_that_comes_a_thousand_times_is_a_thousand_times_repeated() -> None:
    tally = Window(0, 1, 1).tally()
    for _ in range(1000):
        tally.add(0)
    assert (tally.lost(1), tally.repeated) == (0, 999)


def test_processor_time_is_divided_among_deliveries_with_nginx_and_others_apart() -> None:
    parts = {"servers": (1.0, 1.3), "redis": (1.0, 1.1), "nginx": (5.0, 5.2), "generator": (0.0, 0.4)}
    whole = {"machine": (50.0, 51.6), "time": (100.0, 102.0)}
    before, after = ({name: Usage(pair[at]) for name, pair in (parts | whole).items()} for at in (0, 1))
    cost = spent(before, after, 100_000, "delivery")
    assert {name: round(value, 6) for name, value in cost.items()} == {
        "cpu_us_per_delivery": 4.0,
        "redis_us_per_delivery": 1.0,
        "nginx_us_per_delivery": 2.0,
        "all_us_per_delivery": 6.0,
        "others_share": 0.3,
    }


def test_machine_is_busy_with_whatever_is_not_idle(tmp_path: Path) -> None:
    tick = os.sysconf("SC_CLK_TCK")
    (tmp_path / "stat").write_text(
        f"cpu  {tick} {tick} {tick} 999 999 {tick} {tick} 0 0 0\ncpu0 1 1 1 1\ncpu1 1 1 1 1\nintr 5\n"
    )
    assert machine(tmp_path / "stat") == (5.0, 2)


@pytest.mark.parametrize(
    ("changed", "kept"),
    [({}, True), ({"lost": 1}, False), ({"backlog_seconds": 0.6}, False), ({"sending_seconds": 3.5}, False)],
)
def test_rate_is_kept_up_with_if_nothing_queues(changed: dict[str, float], kept: bool) -> None:
    result = {"lost": 0, "sending_seconds": STEP_SECONDS, "backlog_seconds": 0.1}
    assert keeps_up(result | changed) is kept


def test_results_know_the_median_of_the_rounds() -> None:
    results = Results(Measurement("idle", "direct", "nchan", n, {"p50_ms": value}) for n, value in enumerate((3, 1, 2)))
    assert results.median("idle", "direct", "nchan", "p50_ms") == 2
    assert results.median("idle", "nginx", "nchan", "p50_ms") is None
    assert results.median("idle", "direct", "nchan", "p99_ms") is None


@pytest.mark.parametrize("version", [1, 2])
def test_control_groups_of_either_version_say_what_was_used(version: int, tmp_path: Path) -> None:
    container = "c0ffee"
    if version == 1:
        files = {
            f"cpuacct/docker/{container}/cpuacct.usage": "1500000000\n",
            f"memory/docker/{container}/memory.stat": "rss 1\ntotal_rss 4096\n",
        }
    else:
        scope = f"system.slice/docker-{container}.scope"
        files = {
            "cgroup.controllers": "cpu memory\n",
            f"{scope}/cpu.stat": "usage_usec 1500000\nuser_usec 1\n",
            f"{scope}/memory.stat": "anon 4096\nfile 9\n",
        }
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    assert usage(container, tmp_path) == Usage(1.5, 4096)
    with pytest.raises(FileNotFoundError, match="expected a control group of container"):
        group(tmp_path, "another", "cpu.stat")
