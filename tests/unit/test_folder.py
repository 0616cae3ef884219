"""deploy/lib/folder.sh: a project belongs to one folder. On an engine: tests/stack/test_folder.py."""

import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHANGING = ["up", "down", "deploy", "rollback", "scale", "restore", "backup", "purge", "manage", "watch", "migrations"]
# Answers from the files `containers` (one folder a line), `volumes` and `label`, and changes the last.
DOCKER = """#!/bin/sh
cd "$ENGINE"
case "$*" in
"ps "*--quiet*) [ ! -s containers ] || echo id ;;
"ps "*) cat containers ;;
"volume ls "*) cat volumes ;;
"volume inspect "*) cat label ;;
"volume rm "*) rm label ;;
"compose "*) cat > /dev/null; echo COMPOSE_PROJECT_NAME=channels ;;
"volume create "*) [ -e label ] || echo "$4" | cut -d = -f 2- > label ;;
*) echo "$*" >&2; exit 1 ;;
esac
"""

# root looks into every folder, except without its capabilities.
WITHOUT_RIGHTS = ["setpriv", "--bounding-set=-all"] if os.getuid() == 0 else []

Own = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    folder = tmp_path / "engine"
    folder.mkdir()
    for name in ("containers", "volumes"):
        (folder / name).touch()
    (folder / "docker").write_text(DOCKER)
    (folder / "docker").chmod(0o755)
    return folder


def clone(path: Path) -> Path:
    path.mkdir(parents=True)
    (path / "compose.yaml").write_text("name: channels\n")
    (path / "deploy").symlink_to(ROOT / "deploy")
    return path


@pytest.fixture
def here(tmp_path: Path) -> Path:
    return clone(tmp_path / "here")


@pytest.fixture
def own(engine: Path, here: Path) -> Own:
    def run(
        command: str = "up", folder: Path = here, wrapper: Sequence[str] = (), **environment: str
    ) -> subprocess.CompletedProcess[str]:
        script = f'set -euo pipefail; . deploy/lib/folder.sh; own {command}; echo "moved:$moved"'
        path = {"PATH": f"{engine}:{os.environ['PATH']}", "ENGINE": str(engine), "PWD": str(folder)}
        return subprocess.run(
            [*wrapper, "bash", "-c", script],
            cwd=folder,
            env=path | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def label(engine: Path) -> str:
    return (engine / "label").read_text().strip()


@pytest.mark.parametrize("command", CHANGING)
def test_a_copy_of_the_folder_is_refused_and_both_are_named(
    engine: Path, tmp_path: Path, here: Path, own: Own, command: str
) -> None:
    original = clone(tmp_path / "original")
    (engine / "containers").write_text(f"{original}\n")
    done = own(command)
    assert done.returncode == 1
    assert f"{command}: found:    project 'channels', which belongs to {original}\n" in done.stderr
    assert f"this folder, {here}" in done.stderr
    assert "COMPOSE_PROJECT_NAME" in done.stderr
    assert "make up TAKE=1" in done.stderr


@pytest.mark.parametrize("command", ["ps", "logs", "verify"])
def test_a_command_that_only_looks_says_whose_stack_it_shows(
    engine: Path, tmp_path: Path, here: Path, command: str
) -> None:
    (here / "Makefile").symlink_to(ROOT / "Makefile")
    (here / "tests").mkdir()
    original = clone(tmp_path / "original")
    said = {}
    for owner in (original, here):
        (engine / "containers").write_text(f"{owner}\n")
        environment = {"PATH": f"{engine}:{os.environ['PATH']}", "ENGINE": str(engine)}
        said[owner] = subprocess.run(
            ["make", command], cwd=here, env=environment, capture_output=True, text=True, check=False
        ).stderr
    assert f"{command}: project 'channels' belongs to {original}: this is that folder's stack" in said[original]
    assert "belongs to" not in said[here]


def test_data_that_are_left_belong_to_their_folder_too(engine: Path, tmp_path: Path, here: Path, own: Own) -> None:
    original = clone(tmp_path / "original")
    (engine / "volumes").write_text("channels_data\n")
    assert own(folder=original).returncode == 0
    assert label(engine) == str(original)
    assert own().returncode == 1
    assert own(TAKE="1").stdout == f"moved:{original}\n"
    assert label(engine) == str(here)
    assert own(folder=original).returncode == 1


def test_a_label_without_data_is_nothing(engine: Path, tmp_path: Path, own: Own) -> None:
    (engine / "label").write_text(str(clone(tmp_path / "original")))
    assert own().returncode == 0


@pytest.mark.parametrize("what", ["containers", "label"])
def test_a_folder_that_was_moved_is_still_the_projects(engine: Path, here: Path, own: Own, what: str) -> None:
    (engine / "volumes").write_text("channels_data\n")
    (engine / what).write_text("/gone/since\n")
    assert own().stdout == "moved:/gone/since\n"
    assert label(engine) == str(here)


@pytest.mark.parametrize("command", ["deploy", "rollback", "scale"])
def test_what_would_leave_containers_of_the_old_path_says_what_replaces_them(
    engine: Path, own: Own, command: str
) -> None:
    (engine / "containers").write_text("/gone/since\n")
    done = own(command)
    assert done.returncode == 1
    assert "fix:      make up" in done.stderr


def test_a_link_is_the_folder_that_it_leads_to(engine: Path, tmp_path: Path, here: Path, own: Own) -> None:
    """Also one that leads to another since, as `current` does to the newest of several."""
    link = tmp_path / "current"
    link.symlink_to(here)
    (engine / "containers").write_text(f"{here}\n")
    assert own(folder=link).stdout == "moved:\n"
    (engine / "containers").write_text(f"{link}\n")
    assert own().stdout == "moved:\n"
    link.unlink()
    newest = clone(tmp_path / "newest")
    link.symlink_to(newest)
    assert own(folder=newest).stdout == "moved:\n"
    assert own().returncode == 1


def test_a_folder_that_cannot_be_looked_into_is_not_gone(engine: Path, tmp_path: Path, own: Own) -> None:
    closed = clone(tmp_path / "closed" / "original")
    (engine / "containers").write_text(f"{closed}\n")
    closed.parent.chmod(0)
    done = own(wrapper=WITHOUT_RIGHTS)
    closed.parent.chmod(0o755)
    assert done.returncode == 1
