"""The soak's verdict: what grows is found and named, what only wavers or warms up is not."""

import random
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client import REGISTRY, generate_latest

import app.metrics  # noqa: F401  # both register what they count
import MyChannels.metrics  # noqa: F401
from tests.chat.verdict import Verdict
from tests.soak import gauges, report
from tests.soak.churn import Tally
from tests.soak.gauges import Sample
from tests.soak.verdict import ALLOWED, MIB, Change, at_rest, growth, thirds, under_load

ROOT = Path(__file__).parents[2]
MEMORY, TASKS = ("daphne-1", "memory"), ("daphne-1", "asyncio tasks")
MINUTES = 30


def samples(memory: Callable[[float], float], tasks: Callable[[float], float] = lambda _: 120.0) -> list[Sample]:
    """Of half an hour, one in ten seconds; both values by the minute."""
    return [Sample(10.0 * n, {MEMORY: memory(n / 6), TASKS: tasks(n / 6)}) for n in range(MINUTES * 6)]


def grown(found: list[Sample]) -> list[str]:
    return growth(under_load(found), "under load")


def test_what_wavers_around_a_level_does_not_grow():
    chance = random.Random(1)  # noqa: S311
    assert grown(samples(lambda _: chance.gauss(70, 3) * MIB, lambda _: chance.gauss(120, 20))) == []


def test_warming_up_is_not_growing():
    assert grown(samples(lambda minute: 70 * MIB * min(1, 0.5 + minute / 18))) == []


def test_peaks_are_not_growing():
    assert grown(samples(lambda minute: (90 if minute > 20 and minute % 1 < 0.6 else 70) * MIB)) == []


def test_memory_that_leaks_is_found_and_said():
    (found,) = grown(samples(lambda minute: 70 * MIB + minute * 0.5 * MIB))
    assert found == ("under load: daphne-1: memory grew from 76.2 MiB to 81.2 MiB; at most 3.8 MiB more were allowed")


def test_counts_that_leak_are_found():
    (found,) = grown(samples(lambda _: 70 * MIB, lambda minute: 120 + 20 * minute))
    assert found.startswith("under load: daphne-1: asyncio tasks grew from 368 to 568")


def test_the_first_third_is_left_out():
    middle, last = thirds(samples(float))
    assert (middle[0].at, last[0].at) == (600.0, 1200.0)


def test_there_is_no_verdict_without_samples_in_each_third():
    with pytest.raises(ValueError, match="expected 3 samples in each third of the time, received 2"):
        under_load([Sample(0, {MEMORY: 1.0}), Sample(60, {MEMORY: 1.0})])


@pytest.mark.parametrize("what", ["members", "rooms", "layer channels", "subscriptions", "group members"])
def test_a_single_one_that_is_left_at_rest_is_found(what: str):
    before, after = (Sample(0, {("daphne-1", what): count, MEMORY: 1.0}) for count in (1.0, 2.0))
    assert growth(at_rest(before, before), "at rest") == []
    assert growth(at_rest(before, after), "at rest") == [
        f"at rest: daphne-1: {what} grew from 1 to 2; at most 0 more were allowed"
    ]


def test_what_clients_lost_is_said():
    tally = Tally()
    tally.add(Verdict())
    assert tally.broken == []
    tally.add(Verdict(lost=2, told_gaps=1, examples=["Ann: lost 2, from 3 to 4 of one"]))
    tally.add(Verdict(lost=1))
    assert tally.broken == [
        "clients: 3 lost",
        "clients: 1 gaps told, and none was beyond the log",
        "Ann: lost 2, from 3 to 4 of one",
    ]


def test_everything_that_is_looked_at_has_an_allowance_and_is_there():
    told = generate_latest(REGISTRY).decode()
    for what, name in gauges.METRICS.items():
        assert what in ALLOWED
        assert f"# TYPE {name} gauge" in told
    said = 'used_memory:5\nconnected_clients:2\npubsub_channels:3\ndb0:keys=7,expires=1\n{}\nasgi:group:a\n[["x",1]]'
    assert gauges.redis(said) == {"data": 5, "keys": 7, "connections": 2, "subscriptions": 3, "group members": 1}
    assert gauges.redis(said).keys() <= ALLOWED.keys()


@pytest.mark.parametrize(
    "said",
    ["anon 4096\nfile 1\ndescriptors 12\n", "cache 1\nrss 1\ntotal_rss 4096\ndescriptors 12\n"],
    ids=["the second version of control groups", "the first"],
)
def test_the_kernels_account_is_read(said: str):
    assert gauges.kernel(said) == {"memory": 4096, "descriptors": 12}


def test_the_report_has_what_grew_in_bold_and_a_plot(tmp_path: Path):
    found = samples(lambda minute: 70 * MIB + minute * MIB)
    changes = under_load(found)
    path = tmp_path / "soak.md"
    report.write(path, MINUTES, found, changes, [Change(*TASKS, 12, 12, 2)], Tally(), growth(changes, "under load"))
    lines = path.read_text().splitlines()
    assert "| **daphne-1** | **memory** | **82.4 MiB** | **92.4 MiB** | **4.1 MiB** | **–** | **–** | **–** |" in lines
    assert "| daphne-1 | asyncio tasks | 120 | 120 | 60 | 12 | 12 | 2 |" in lines
    assert "NOT KEPT" in path.read_text()
    assert "![What was held over time](soak.svg)" in lines
    assert (tmp_path / "soak.svg").read_text().count("daphne-1") == 2


@pytest.mark.parametrize("minutes", ["0", "0.0", "-1", "half an hour", "1m"])
def test_minutes_that_are_none_are_refused(minutes: str):
    done = subprocess.run(["bash", ROOT / "tests" / "soak.sh", minutes], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"received '{minutes}'" in done.stderr
