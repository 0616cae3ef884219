"""The Makefile is the only front door: it lists what it offers."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = re.findall(r"^([\w-]+):(?!=)", MAKEFILE, re.MULTILINE)


def helped(*arguments: str, cwd: Path = ROOT) -> dict[str, str]:
    listed = subprocess.run(["make", *arguments], cwd=cwd, capture_output=True, text=True, check=True).stdout
    return dict(re.findall(r"^  ([\w-]+) +(.+)$", listed, re.MULTILINE))


def test_every_target_is_phony_and_has_a_help_text() -> None:
    assert len(TARGETS) == len(set(TARGETS))
    assert set(re.findall(r"^\.PHONY: ([\w-]+)$", MAKEFILE, re.MULTILINE)) == set(TARGETS)
    for target in TARGETS:
        assert re.search(rf"^{target}:.* ## \S", MAKEFILE, re.MULTILINE), target


def test_help_lists_exactly_the_targets_and_is_the_default() -> None:
    assert set(helped("help")) == set(TARGETS)
    assert helped() == helped("help")


def calls(path: Path) -> Iterator[str]:
    """Each place that names one of our scripts and neither sources nor lists it."""
    for line in path.read_text().splitlines():
        if not re.match(r"\s*(#|\. )", line):
            yield from re.findall(r"(\w+ )?(?<![\w./-])\"?(?:\$here/|\$root/|deploy/|tests/)[\w/-]+\.sh\b", line)


def test_scripts_are_given_to_bash() -> None:
    """Else they would need execute bits, which a checkout may not have, and leave to execute files where it lies."""
    scripts = [*(ROOT / "deploy").rglob("*.sh"), *(ROOT / "tests").rglob("*.sh"), ROOT / "Makefile", ROOT / ".ci/run"]
    called = [(path.name, before) for path in scripts for before in calls(path)]
    assert len(called) > 60
    assert [call for call in called if call[1] != "bash "] == []


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    return tmp_path


@pytest.mark.parametrize("target", ["help", "up", "test"])
def test_scripts_with_crlf_are_refused_with_the_line_that_converts_them(tree: Path, target: str) -> None:
    script = tree / "deploy/lib/lock.sh"
    script.write_bytes(script.read_bytes().replace(b"\n", b"\r\n"))
    done = subprocess.run(["make", target], cwd=tree, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "1 script(s) with CRLF line ends, the first is deploy/lib/lock.sh" in done.stdout
    assert "nothing was done" in done.stderr
    fix = re.findall("fix: +(.*)", done.stdout)[0]
    subprocess.run(["bash", "-c", fix], cwd=tree, check=True)
    assert script.read_bytes() == (ROOT / "deploy/lib/lock.sh").read_bytes()


def test_a_makefile_with_crlf_is_read(tree: Path) -> None:
    path = tree / "Makefile"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert helped(cwd=tree).keys() == helped().keys()


@pytest.mark.parametrize(
    ("goal", "called"),
    [
        (("manage", "C=shell"), "compose exec --no-TTY web python manage.py shell"),
        (("shell", "S=redis"), "compose exec --no-TTY redis sh"),
    ],
)
def test_input_from_a_pipe_needs_no_terminal(tmp_path: Path, goal: tuple[str, ...], called: str) -> None:
    """Though the output is one: `echo 'print(1)' | make manage C=shell`."""
    docker = tmp_path / "docker"
    docker.write_text(f'#!/bin/sh\ncase $* in *--no-TTY*) echo "$*" ;; *) exec {shutil.which("docker")} "$@" ;; esac\n')
    docker.chmod(0o755)
    ours, terminal = os.openpty()
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "COMPOSE_PROJECT_NAME": "channels-test-none"}
    subprocess.run(["make", *goal], cwd=ROOT, env=environment, input=b"", stdout=terminal, check=True)
    said = os.read(ours, 1000).decode()
    os.close(ours)
    os.close(terminal)
    assert called in said
