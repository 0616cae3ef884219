"""An engine that has other files than this machine is refused before anything is built."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.stack.clone import ROOT

FOUND = "that does not have this folder's files"


@pytest.fixture
def unseen(tmp_path: Path) -> Path:
    """A clone in the tests' own container, of whose files the engine has none: it shares its socket alone."""
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    shutil.copy(ROOT / "compose.yaml", tmp_path)
    return tmp_path


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "COMPOSE_PROJECT_NAME": "channels-test-unseen"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_preflight_refuses_it(unseen: Path) -> None:
    done = run(unseen, "bash", "deploy/preflight.sh")
    assert done.returncode == 1
    assert FOUND in done.stderr
    assert f"at {unseen}" in done.stderr
    assert list((unseen / ".state").iterdir()) == [], "nothing is left of the question"


def test_the_doctor_names_it(unseen: Path) -> None:
    findings = json.loads(run(unseen, "bash", "deploy/doctor.sh", "--json").stdout)["findings"]
    assert [finding["level"] for finding in findings if FOUND in finding["found"]] == ["error"]
