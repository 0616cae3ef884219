"""From the previous released state of the repository to this tree, by `make upgrade`."""

import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.chat.client import ChatClient
from tests.stack.clone import ROOT, Clone
from tests.stack.wire import request

# Until a version is tagged: the last state in which rooms had no logs.
FIRST = "51fd0002c01f5d8b5b2b549666a997e2079424a5"
PASSWORD = "correct horse battery staple"
CREATE = f"from django.contrib.auth.models import User; User.objects.create_user('alice', password={PASSWORD!r})"
LOG_IN = f"from django.contrib.auth import authenticate; print(authenticate(username='alice', password={PASSWORD!r}))"


def git(*arguments: str) -> subprocess.CompletedProcess[str]:
    # Whoever runs the tests need not own the folder.
    command = ("git", "-c", f"safe.directory={ROOT}", "-C", str(ROOT), *arguments)
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def previous_release() -> str | None:
    """The newest tagged version that lies before this commit; None in a clone without the whole history."""
    tags = git("tag", "--list", "v*", "--merged", "HEAD", "--no-contains", "HEAD", "--sort=-version:refname")
    commit = (tags.stdout.split() or [FIRST])[0]
    return commit if git("cat-file", "-e", f"{commit}^{{commit}}").returncode == 0 else None


def shell(clone: Clone, code: str) -> str:
    return clone.compose("exec", "-T", "web", "python", "manage.py", "shell", "--no-imports", "-c", code).stdout.strip()


def replaced(clone: Clone) -> set[str]:
    """The containers that must not outlive the upgrade: all; only the workers, where both builds share the rest."""
    containers: list[dict[str, Any]] = [*clone.containers("web"), *clone.containers("daphne")]
    if previous_release():
        containers = clone.containers()
    return {container["Id"] for container in containers}


@pytest.fixture
def older(fresh_clone: Callable[..., Clone]) -> Clone:
    """Another build of this very tree, where there is no history to build an older one from."""
    if commit := previous_release():
        return fresh_clone(commit)
    clone = fresh_clone()
    with (clone.path / "MyChannels/rooms.py").open("a") as file:
        file.write("# Another build.\n")
    return clone


async def test_all_that_the_previous_version_stored_is_there_after_an_upgrade(older: Clone):
    """And its backup, which may know nothing of rooms, can be restored into this version."""
    older.make("up")
    shell(older, CREATE)
    before = replaced(older)

    older.take_present_tree()
    done = older.make("upgrade")
    assert before.isdisjoint(replaced(older))
    assert request(older, "/health/ready").status == 200
    assert shell(older, LOG_IN) == "alice"
    (copy,) = (older.path / "backups").iterdir()
    assert f"make restore F=backups/{copy.name}" in done.stdout

    async with ChatClient(f"ws://{older.host}/ws/chat/upgrade/", host="127.0.0.1") as member:
        await member.send("after the upgrade")
        epoch = member.epoch
        older.make("restore", f"F={copy}", YES="1")
        await member.wait_for(lambda client: client.connected and client.epoch != epoch, 30)
        assert (await member.history())["messages"] == []
    assert shell(older, LOG_IN) == "alice"


def test_without_an_older_version_there_is_nothing_to_upgrade(fresh_clone: Callable[..., Clone]):
    done = fresh_clone().make("upgrade", check=False)
    assert done.returncode
    assert "fix:      make up" in done.stderr
