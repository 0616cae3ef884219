"""tests/run.sh names what `make test` runs."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
NAMED = re.findall(r"tests/[\w/.-]+", re.sub(r"(^|\s)#.*", "", (TESTS / "run.sh").read_text()))
# Long, and asked for by themselves: `make test-chaos`, `make soak`.
ALONE = {"chaos", "soak"}


def test_every_suite_is_run_once() -> None:
    suites = {path.relative_to(TESTS).parts[0] for path in TESTS.rglob("test_*.py")}
    named = [name for name in NAMED if (TESTS.parent / name).is_dir()]
    assert sorted(named) == sorted(f"tests/{suite}" for suite in suites - ALONE)


def test_what_is_named_is_there() -> None:
    for name in NAMED:
        assert (TESTS.parent / name).exists(), name
