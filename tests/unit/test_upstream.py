"""The list of expected differences from other packages' own tests is exact."""

import os
import select
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

from tests.upstream import strict
from tests.upstream.__main__ import SUITES, passes
from tests.upstream.source import UnreachableRepository, clone, locked

FOLDER = Path(strict.__file__).parent
TESTS = """
def test_passes():
    pass

def test_fails():
    assert False
"""
PASSES, FAILS = '"test_it.py::test_passes" = "why"', '"test_it.py::test_fails" = "why"'


def run(folder: Path, expected: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(TESTS)
    (folder / "expected.toml").write_text(f"[theirs]\n{expected}\n")
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(FOLDER),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # quicker
        "UPSTREAM_SUITE": "theirs",
        "UPSTREAM_EXPECTED": str(folder / "expected.toml"),
    }
    command = [sys.executable, "-m", "pytest", "--rootdir", ".", "-p", "strict", "-p", "no:cacheprovider", "test_it.py"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        ("", "FAILED test_it.py::test_fails"),
        (f"{FAILS}\n{PASSES}", "FAILED test_it.py::test_passes - [XPASS(strict)] why"),
        (f'{FAILS}\n"test_it.py::test_gone" = "why"', "theirs has no test test_it.py::test_gone"),
    ],
    ids=["an unlisted failure", "a listed test that passes", "a listed test that is not there"],
)
def test_the_run_fails(tmp_path: Path, expected: str, said: str) -> None:
    done = run(tmp_path, expected)
    assert done.returncode != 0
    assert said in done.stdout + done.stderr


def test_a_listed_failure_is_expected(tmp_path: Path) -> None:
    assert run(tmp_path, FAILS).returncode == 0


@pytest.mark.parametrize(
    ("leader", "seconds", "passed"), [("exit 0", 30, True), ("exit 1", 30, False), ("wait", 1, False)]
)
def test_what_a_suite_leaves_running_is_killed(tmp_path: Path, leader: str, seconds: float, passed: bool) -> None:
    alive = tmp_path / "alive"
    os.mkfifo(alive)
    reader = os.open(alive, os.O_RDONLY | os.O_NONBLOCK)
    command = ["sh", "-c", f"exec 9> {alive}; sleep 60 & {leader}"]
    assert passes(command, tmp_path, dict(os.environ), seconds) is passed
    ends = select.poll()
    ends.register(reader, select.POLLHUP)
    assert ends.poll(10_000), "a process still has its end of the pipe"
    os.close(reader)


def test_each_suite_has_a_plugin_and_each_expected_failure_a_suite() -> None:
    assert {f"{suite.plugin}.py" for suite in SUITES.values()} == {path.name for path in FOLDER.glob("with_our_*.py")}
    assert set(tomllib.loads((FOLDER / "expected.toml").read_text())) <= set(SUITES)


def test_a_test_that_hangs_fails() -> None:
    with pytest.raises(TimeoutError), strict.limited(0.05):
        time.sleep(10)


def test_a_locked_package_comes_with_its_version_and_hashes() -> None:
    beta = "beta==2.1 ; python_version < '4' \\\n    --hash=sha256:b \\\n    --hash=sha256:c\n"
    lock = "alpha==1.0 \\\n    --hash=sha256:a\n" + beta + "    # via alpha\n"
    assert locked(lock, "beta") == (beta, "2.1")
    with pytest.raises(LookupError):
        locked(lock, "gamma")


def test_a_package_without_tests_comes_from_the_tag_of_its_repository(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    git = ["git", "-C", str(repository), "-c", "user.name=a", "-c", "user.email=a"]
    repository.mkdir()
    for arguments in (["init"], ["commit", "--allow-empty", "--message", "a"], ["tag", "1.0"]):
        subprocess.run([*git, *arguments], capture_output=True, check=True)
    clone(repository.as_uri(), "1.0", tmp_path / "found")
    assert (tmp_path / "found" / ".git").exists()
    with pytest.raises(UnreachableRepository, match="tag"):
        clone(repository.as_uri(), "2.0", tmp_path / "not found")
