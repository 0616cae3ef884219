"""tests/lock.sh with a name: locks what is new and upgrades nothing else."""

import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYPROJECT = """\
[project]
name = "stack"
version = "1"
requires-python = ">=3.11"
dependencies = [
    "present>=1", # a reason
]

[dependency-groups]
test = [
    "For.Tests",
    { include-group = "third-party" },
]
third-party = [
    "foreign",
]

[tool.uv]
package = false
"""


def publish(shelf: Path, name: str, version: str, *needs: str) -> None:
    metadata = [
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}",
        *(f"Requires-Dist: {need}" for need in needs),
    ]
    with zipfile.ZipFile(shelf / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        folder = f"{name}-{version}.dist-info"
        wheel.writestr(f"{folder}/METADATA", "\n".join(metadata) + "\n")
        wheel.writestr(
            f"{folder}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{folder}/RECORD", "")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A project whose packages have newer versions than the locked ones."""
    (tmp_path / "tests/third_party").mkdir(parents=True)
    (tmp_path / "shelf").mkdir()
    shutil.copy(ROOT / "tests/lock.sh", tmp_path / "tests")
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    publish(tmp_path / "shelf", "present", "1.0")
    publish(tmp_path / "shelf", "for_tests", "1.0")
    publish(tmp_path / "shelf", "foreign", "1.0", "present")
    assert lock(tmp_path).returncode == 0
    publish(tmp_path / "shelf", "present", "1.1")
    publish(tmp_path / "shelf", "for_tests", "1.1")
    publish(tmp_path / "shelf", "foreign", "1.1", "present")
    publish(tmp_path / "shelf", "added", "3.0", "needed")
    publish(tmp_path / "shelf", "needed", "2.0", "present")
    return tmp_path


def lock(tree: Path, *requirement: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tree),
        "UV_OFFLINE": "1",
        "UV_NO_INDEX": "1",
        "UV_FIND_LINKS": str(tree / "shelf"),
    }
    command = ("bash", "tests/lock.sh", "--inside", *requirement)
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)


def locked(tree: Path, file: str = "requirements.lock") -> dict[str, str]:
    return dict(re.findall(r"^([a-z-]+)==([0-9.]+)", (tree / file).read_text(), re.MULTILINE))


def test_a_new_package_is_added_and_the_others_keep_their_versions(tree: Path) -> None:
    done = lock(tree, "added>=2")
    assert done.returncode == 0, done.stderr
    asked = (tree / "pyproject.toml").read_text()
    assert '"added>=2",' in asked
    assert '"present>=1", # a reason' in asked
    assert locked(tree) == {"present": "1.0", "added": "3.0", "needed": "2.0"}
    assert locked(tree, "tests/requirements.lock") == {**locked(tree), "for-tests": "1.0", "foreign": "1.0"}
    assert locked(tree, "tests/third_party/requirements.lock") == {**locked(tree), "foreign": "1.0"}


def test_one_that_is_there_is_upgraded_alone(tree: Path) -> None:
    assert lock(tree, "present").returncode == 0
    assert (tree / "pyproject.toml").read_text() == PYPROJECT
    assert locked(tree) == {"present": "1.1"}
    assert locked(tree, "tests/requirements.lock") == {"present": "1.1", "for-tests": "1.0", "foreign": "1.0"}
    assert locked(tree, "tests/third_party/requirements.lock") == {"present": "1.1", "foreign": "1.0"}


def test_one_of_the_tests_stays_with_them(tree: Path) -> None:
    assert lock(tree, "for-tests").returncode == 0
    assert (tree / "pyproject.toml").read_text() == PYPROJECT
    assert locked(tree) == {"present": "1.0"}
    assert locked(tree, "tests/requirements.lock") == {"present": "1.0", "for-tests": "1.1", "foreign": "1.0"}


def test_one_of_the_stack_of_foreign_packages_changes_their_locks_alone(tree: Path) -> None:
    assert lock(tree, "foreign").returncode == 0
    assert (tree / "pyproject.toml").read_text() == PYPROJECT
    assert locked(tree) == {"present": "1.0"}
    assert locked(tree, "tests/requirements.lock") == {"present": "1.0", "for-tests": "1.0", "foreign": "1.1"}
    assert locked(tree, "tests/third_party/requirements.lock") == {"present": "1.0", "foreign": "1.1"}


def test_what_cannot_be_locked_changes_nothing(tree: Path) -> None:
    before = locked(tree)
    done = lock(tree, "nowhere")
    assert done.returncode != 0
    assert "nowhere" in done.stderr
    assert (tree / "pyproject.toml").read_text() == PYPROJECT
    assert locked(tree) == before


def test_without_a_name_all_are_upgraded(tree: Path) -> None:
    assert lock(tree).returncode == 0
    assert locked(tree, "tests/requirements.lock") == {"present": "1.1", "for-tests": "1.1", "foreign": "1.1"}
    assert locked(tree, "tests/third_party/requirements.lock") == {"present": "1.1", "foreign": "1.1"}
