"""Data without the .env or secrets that open it: `make up` refuses, and `make purge` asks."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.stack.clone import Clone


@pytest.fixture
def with_data(fresh_clone: Callable[[], Clone]) -> Clone:
    """A clone whose data volumes exist; its containers need not run for that."""
    clone = fresh_clone()
    clone.run("deploy/configure.sh")
    clone.run("deploy/build-settings.sh")
    clone.compose("create", "--quiet-pull")
    clone.run("deploy/own.sh", "up")  # as every command does, once there is something to own
    assert clone.leftovers().keys() == {"containers", "volumes", "networks", "images"}
    return clone


@pytest.mark.parametrize("lost", [".env", "secrets", "secrets/redis_password"])
def test_make_up_refuses_and_names_both_ways(with_data: Clone, lost: str):
    path, before = with_data.path / lost, with_data.leftovers()
    remove(path)
    done = with_data.make("up", check=False)
    assert done.returncode
    assert lost in done.stderr
    assert "put back" in done.stderr
    assert "make purge" in done.stderr
    assert not path.exists()
    assert with_data.leftovers() == before


def test_purge_without_a_terminal_removes_nothing(with_data: Clone):
    before = with_data.leftovers()
    for answer in ({}, {"YES": "0"}, {"YES": "no"}):
        done = with_data.make("purge", check=False, **answer)
        assert done.returncode
        assert "make purge YES=1" in done.stderr
    assert with_data.leftovers() == before
    assert (with_data.path / "secrets" / "secret_key").exists()


@pytest.mark.parametrize("lost", ["nothing", ".env", "secrets"])
def test_purge_leaves_nothing(with_data: Clone, lost: str):
    remove(with_data.path / lost)
    for kind in ("volume", "network"):  # as those of an overlay that .env names no longer
        label = f"--label=com.docker.compose.project={with_data.project}"
        with_data.run("docker", kind, "create", label, f"{with_data.project}_of_an_overlay")
    with_data.make("purge", "YES=1")
    assert with_data.leftovers() == {}
    assert not (with_data.path / "secrets").exists()
    assert with_data.make("purge", "YES=1").returncode == 0, "once more is no fault"


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
