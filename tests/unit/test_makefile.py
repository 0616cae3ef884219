"""The Makefile is the only front door: it lists what it offers."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = re.findall(r"^([\w-]+):(?!=)", MAKEFILE, re.MULTILINE)


def helped(*arguments: str) -> dict[str, str]:
    listed = subprocess.run(["make", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return dict(re.findall(r"^  ([\w-]+) +(.+)$", listed, re.MULTILINE))


def test_every_target_is_phony_and_has_a_help_text() -> None:
    assert len(TARGETS) == len(set(TARGETS))
    assert set(re.findall(r"^\.PHONY: ([\w-]+)$", MAKEFILE, re.MULTILINE)) == set(TARGETS)
    for target in TARGETS:
        assert re.search(rf"^{target}:.* ## \S", MAKEFILE, re.MULTILINE), target


def test_help_lists_exactly_the_targets_and_is_the_default() -> None:
    assert set(helped("help")) == set(TARGETS)
    assert helped() == helped("help")


def test_script_that_a_target_calls_can_be_run() -> None:
    called = set(re.findall(r"^\t@?((?:deploy|tests)/[\w./-]+)", MAKEFILE, re.MULTILINE))
    assert called
    for script in called:
        assert (ROOT / script).stat().st_mode & 0o111, script
