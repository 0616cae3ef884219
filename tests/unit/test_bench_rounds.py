"""From one round of the benchmark to the next, and what becomes of a session that fails."""

from typing import Any

import pytest

from tests.bench import __main__ as bench
from tests.bench import scenario
from tests.bench.plan import Plan
from tests.bench.scenario import SCENARIOS, Crowd, Saturation

SATURATION = next(it for it in SCENARIOS if isinstance(it, Saturation))


class Quiet:
    """A session in which nothing happens."""

    def settle(self) -> None: ...


@pytest.mark.parametrize("most", [3.0, 10.0, 700.0, 1900.0])
def test_saturation_is_found_sooner_by_who_was_there_before(monkeypatch: pytest.MonkeyPatch, most: float) -> None:
    tried: list[float] = []

    def talk(_: Any, rate: float, seconds: float) -> dict[str, float]:
        tried.append(rate)
        backlog = 0.0 if rate <= most else 9.0
        return {"rate": rate, "lost": 0, "sending_seconds": seconds, "backlog_seconds": backlog}

    monkeypatch.setattr(scenario, "talk", talk)
    session: Any = Quiet()
    first = SATURATION.measure(session, 1, {})
    assert most / 1.1 <= first["rate"] <= most
    took = len(tried)
    again = SATURATION.measure(session, 1, {}, first)
    assert most / 1.1 <= again["rate"] <= most
    assert len(tried) - took <= min(took, 6)
    below = SATURATION.measure(session, 1, {}, {"rate": min(3 * most, 2000.0)})
    assert most / 1.1 <= below["rate"] <= most, "also when the machine has become slower"
    above = SATURATION.measure(session, 1, {}, {"rate": most / 3})
    assert most / 1.1 <= above["rate"] <= most, "or quicker"


class Failing:
    """A session that fails as often as there are words: before or after it has measured."""

    def __init__(self, *words: str) -> None:
        self.words = list(words)
        self.settled = True

    def __call__(self, *_: Any, **__: Any) -> Any:
        self.word = self.words.pop(0) if self.words else ""
        return self

    def fail(self, word: str) -> None:
        if self.word == word:
            raise RuntimeError(f"no answer, {word}")

    def __enter__(self) -> Any:
        self.fail("before")
        return self

    def __exit__(self, *_: object) -> None: ...

    def load(self, _: str) -> None:
        """Its last step, when everything has been measured."""
        self.fail("after")


class Counting(scenario.Scenario):
    kind = "idle"

    def measure(self, *_: Any) -> dict[str, Any]:
        return {"p50_ms": 1.0}


@pytest.mark.parametrize(
    ("words", "failed", "again"),
    [([], 0, 0), (["before"], 0, 1), (["after"], 0, 1), (["after", "before"], 2, 0), (["before", "after"], 2, 0)],
)
def test_a_session_that_fails_is_tried_once_more(
    monkeypatch: pytest.MonkeyPatch, words: list[str], failed: int, again: int
) -> None:
    monkeypatch.setattr(bench, "Session", Failing(*words))
    monkeypatch.setattr(bench, "gather", lambda *_: {})
    monkeypatch.setattr(bench, "line", lambda _: "")
    engine: Any = None
    benchmark = bench.Benchmark(Plan.asked({}), engine)
    monkeypatch.setattr(benchmark, "note_versions", lambda _: None)
    counting = Counting("idle", "", Crowd(1, 1))
    benchmark.try_twice(1, (counting,), "direct", benchmark.plan.systems[0])
    assert (len(benchmark.failed), len(benchmark.again)) == (failed, again)
    assert len(benchmark.measurements) == 1, "neither lost nor counted twice"
    assert all("no answer" in failure for failure in benchmark.failed + benchmark.again)
