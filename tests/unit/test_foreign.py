"""tests/foreign.py: `make check` leaves a folder of foreign code out, whichever tool looks."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.foreign import folders, is_foreign, mypy_settings, options

ROOT = Path(__file__).parents[2]
FOREIGN = ["theirs", "MyChannels/static/theirs"]
PYPROJECT = '[tool.channels-stack]\nforeign = ["theirs/", "MyChannels/static/theirs"]\n[tool.mypy]\nstrict = true\n'
UNTIDY = "import os\ndef f( a ):\n  " + "wi" + "erd = 1\n"


def test_pyproject_names_the_folders() -> None:
    assert folders(PYPROJECT) == FOREIGN
    assert folders((ROOT / "pyproject.toml").read_text()) == []


@pytest.mark.parametrize(
    ("path", "foreign"),
    [
        ("theirs/a.py", True),
        ("./theirs/a.py", True),
        ("theirs", True),
        ("theirs_not/a.py", False),
        ("MyChannels/static/theirs/a.js", True),
        ("MyChannels/static/own.js", False),
    ],
)
def test_what_lies_in_them_is_foreign(path: str, foreign: bool) -> None:
    assert is_foreign(path, FOREIGN) is foreign


@pytest.mark.parametrize(
    ("tool", "command"),
    [
        ("ruff", ["ruff", "format", "--check", "--no-cache", "."]),
        ("ruff", ["ruff", "check", "--no-cache", "."]),
        ("mypy", ["mypy", "--strict", "--cache-dir=/dev/null", "."]),
        ("vulture", ["vulture", "."]),
        ("typos", ["typos"]),
    ],
    ids=["format", "lint", "types", "dead code", "spelling"],
)
def test_a_tool_finds_fault_with_a_folder_until_it_is_foreign(tmp_path: Path, tool: str, command: list[str]) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs/untidy.py").write_text(UNTIDY)
    (tmp_path / "own.py").touch()

    def faults(*more: str) -> int:
        return subprocess.run([*command, *more], cwd=tmp_path, capture_output=True, check=False).returncode

    assert faults() != 0
    assert faults(*options(tool, FOREIGN)) == 0


def test_without_such_folders_no_tool_gets_an_argument_more() -> None:
    command = [sys.executable, "-m", "tests.foreign", "ruff"]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout == b""


def test_types_of_foreign_code_that_ours_imports_are_not_ours(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs/__init__.py").write_text("def f(a):\n    return 1 + ''\n")
    (tmp_path / "own.py").write_text("import theirs\n\nNAME = theirs.__name__\n")
    for text, faults in (("[tool.mypy]\nstrict = true\n", 1), (mypy_settings(PYPROJECT, FOREIGN), 0)):
        (tmp_path / "mypy.toml").write_text(text)
        command = [sys.executable, "-m", "mypy", "--config-file", "mypy.toml", "--cache-dir=/dev/null", "own.py"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == faults, done.stdout


def test_mypys_settings_stay_toml() -> None:
    settings = tomllib.loads(mypy_settings((ROOT / "pyproject.toml").read_text(), FOREIGN))
    assert settings["tool"]["mypy"]["overrides"][-1]["module"][:2] == ["theirs", "theirs.*"]
