"""`make up` in a fresh clone, beside a running one, and once more."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.stack.clone import ROOT, Clone
from tests.stack.wire import receive, request, room


def running(clone: Clone) -> dict[str, tuple[str, str, int]]:
    lasting = [c for c in clone.containers() if c["Config"]["Labels"]["com.docker.compose.service"] != "migrate"]
    assert lasting
    return {c["Name"]: (c["Id"], c["State"]["StartedAt"], c["State"]["Pid"]) for c in lasting}


def own_files(clone: Clone) -> dict[str, tuple[bytes, int, float]]:
    def state(path: Path) -> tuple[bytes, int, float]:
        return path.read_bytes(), path.stat().st_mode, path.stat().st_mtime

    paths = [clone.path / ".env", *(clone.path / "secrets").iterdir()]
    return {path.name: state(path) for path in paths}


def test_a_second_make_up_changes_nothing(stack: Clone):
    containers, files = running(stack), own_files(stack)
    done = stack.make("up")
    assert running(stack) == containers
    assert own_files(stack) == files
    assert done.stdout.strip().endswith(f"http://{stack.host}/ is open.")


def test_what_make_up_writes_is_its_owners_alone(stack: Clone):
    assert (stack.path / ".env").stat().st_mode & 0o777 == 0o600
    assert (stack.path / "secrets").stat().st_mode & 0o777 == 0o700
    values = [file.read_text() for file in (stack.path / "secrets").iterdir()]
    assert len(set(values)) == len(values) >= 2
    assert all(len(value) >= 50 for value in values)
    assert not [value for value in values if value in (stack.path / ".env").read_text()]


def test_what_the_first_call_was_given_is_remembered(stack: Clone):
    lines = (stack.path / ".env").read_text().splitlines()
    assert {f"COMPOSE_PROJECT_NAME={stack.project}", f"HTTP_PORT={stack.port}"} <= set(lines)
    shown = json.loads(stack.compose("config", "--format", "json").stdout)
    assert shown["name"] == stack.project
    assert [port["published"] for port in shown["services"]["nginx"]["ports"]] == [str(stack.port)]


async def test_two_clones_run_beside_each_other(stack: Clone, neighbour: Clone):
    """Same room, two stacks: each hears its own messages alone."""
    assert running(stack).keys().isdisjoint(running(neighbour))
    assert request(stack, "/").status == request(neighbour, "/").status == 200
    async with room((stack, "/ws/async/beside/"), (neighbour, "/ws/async/beside/")) as members:
        for number, member in enumerate(members):
            await member.send(json.dumps({"message": f"from {number}"}))
        for number, member in enumerate(members):
            assert (await receive(member, "message")).endswith(f"说: from {number}")


def test_each_clone_has_secrets_of_its_own(stack: Clone, neighbour: Clone):
    def values(clone: Clone) -> set[str]:
        return {file.read_text() for file in (clone.path / "secrets").iterdir()}

    assert values(stack).isdisjoint(values(neighbour))


@pytest.mark.parametrize(
    ("service", "folders"),
    [("web", "/srv"), ("nginx", "/usr/local/bin"), ("redis", "/usr/local/bin /etc/redis")],
)
def test_an_image_does_not_depend_on_who_cloned(stack: Clone, neighbour: Clone, service: str, folders: str):
    """The clones differ in all modes and line ends, and the images' files are the same, with owners and modes."""
    # Not what the shared stack adds, and not what is compiled, with the source's time in it.
    others = " ".join(f"! -name {name}" for name in ("own.py", "routing.py", "urls.py", "__pycache__", "*.pyc"))
    listing = f"find {folders} -xdev {others} -printf '%M %U:%G %p %l\\n' | sort"
    content = f"find {folders} -xdev -type f {others} -exec sha256sum {{}} + | sort"
    script = f"set -f; {listing}; {content}"
    first, second = (
        clone.compose("exec", "-T", service, "sh", "-c", script).stdout.splitlines() for clone in (stack, neighbour)
    )
    assert len(first) > 5
    assert second == first


def test_the_stack_under_test_is_the_one_of_the_repository(stack: Clone):
    """What was started is what is shipped: the copy's files are the tree's, byte for byte."""

    def shipped(root: Path) -> dict[str, Any]:
        files = [root / "compose.yaml", *(root / "nginx").rglob("*"), *(root / "services").rglob("*")]
        return {
            str(file.relative_to(root)): file.read_bytes() for file in files if file.suffix != ".pyc" and file.is_file()
        }

    assert shipped(stack.path) == shipped(ROOT)
