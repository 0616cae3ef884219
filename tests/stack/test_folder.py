"""A project belongs to one folder. What is made of each fact: tests/unit/test_folder.py."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.stack.clone import Clone
from tests.stack.wire import request

REFUSED = ["up", "upgrade", "backup", "manage", "watch", "migrations", "down", "purge YES=1"]


@pytest.fixture(scope="module")
def created(fresh_clone: Callable[[], Clone]) -> Clone:
    """Its containers and volumes exist; they need not run."""
    clone = fresh_clone()
    clone.run("bash", "deploy/configure.sh")
    clone.run("bash", "deploy/build-settings.sh")
    clone.compose("create", "--quiet-pull")
    return clone


@pytest.fixture
def original(created: Clone) -> Iterator[Path]:
    """The clone is a copy of it, for one test."""
    copy = created.path.with_name(f"{created.path.name}-copy")
    path = created.path
    shutil.copytree(path, copy, symlinks=True)
    created.path = copy
    yield path
    created.path = path
    shutil.rmtree(copy)


def test_a_copy_of_the_folder_changes_nothing_of_the_original(created: Clone, original: Path) -> None:
    before = created.leftovers()
    for command in REFUSED:
        done = created.make(*command.split(), check=False)
        assert done.returncode
        assert f"which belongs to {original}\n" in done.stderr, command
        assert str(created.path) in done.stderr
    assert created.leftovers() == before
    assert (created.path / "secrets/secret_key").exists()


def test_a_copy_does_not_take_the_data_that_are_left(created: Clone, original: Path) -> None:
    copy, created.path = created.path, original
    created.make("down")
    created.path = copy
    before = created.leftovers()
    for command in ("up", "purge YES=1"):
        done = created.make(*command.split(), check=False)
        assert done.returncode
        assert f"which belongs to {original}\n" in done.stderr
    assert created.leftovers() == before


def test_after_the_folder_was_moved_make_up_replaces_what_mounts_the_old_path(created: Clone) -> None:
    created.compose("create", "--quiet-pull")
    path = created.path
    created.path = path.rename(path.with_name(f"{path.name}-moved"))
    try:
        said = created.run("bash", "deploy/doctor.sh", check=False).stdout
        assert f"the containers were started from {path}, which is gone" in said
        created.make("up")
        assert request(created, "/health/ready").status == 200
        mounts = {mount["Source"] for container in created.containers() for mount in container["Mounts"]}
        assert not [source for source in mounts if source.startswith(f"{path}/")]
    finally:
        created.path.rename(path)
        created.path = path
