"""Faults of .env are reported all at once, before anything starts or changes."""

import shutil
from collections.abc import Callable

import pytest

from tests.stack.clone import Clone

FAULTY = """
DAPHNE_REPLICA=3
MAX_MESSAGE_BYTES=lots
ALLOWED_ORIGINS=friend.example
LOG_LEVEL=LOUD
WEB_MEMORY=much
REDIS_URL=redis://elsewhere
"""
REPORTED = {
    "DAPHNE_REPLICA": "did you mean DAPHNE_REPLICAS?",
    "MAX_MESSAGE_BYTES": "lots",
    "ALLOWED_ORIGINS": "friend.example",
    "LOG_LEVEL": "LOUD",
    "WEB_MEMORY": "much",
    "REDIS_URL": "remove the line",
}


@pytest.fixture(scope="module")
def unstarted(fresh_clone: Callable[[], Clone]) -> Clone:
    clone = fresh_clone()
    shutil.copy(clone.path / ".env.example", clone.path / ".env")
    clone.set(COMPOSE_PROJECT_NAME=clone.project, HTTP_PORT=str(clone.port), PUBLIC_URL=f"http://{clone.host}")
    return clone


def reports_every_fault(clone: Clone) -> None:
    done = clone.make("up", check=False)
    lines = [line.strip() for line in done.stderr.splitlines()]
    reports = {name: [line for line in lines if line.startswith(f"{name}: ")] for name in REPORTED}
    assert done.returncode
    assert [name for name, told in REPORTED.items() if len(reports[name]) != 1 or told not in reports[name][0]] == []


def test_a_first_start_does_not_happen(unstarted: Clone):
    with (unstarted.path / ".env").open("a") as file:
        file.write(FAULTY)
    reports_every_fault(unstarted)
    assert unstarted.leftovers().keys() <= {"images"}


def test_a_running_stack_is_left_alone(stack: Clone):
    configuration = stack.path / ".env"
    good, before = configuration.read_text(), [c["Id"] for c in stack.containers()]
    configuration.write_text(good + FAULTY)
    try:
        reports_every_fault(stack)
        assert [c["Id"] for c in stack.containers()] == before
    finally:
        configuration.write_text(good)


def test_what_the_shell_says_is_checked_too(stack: Clone):
    """It wins over .env, also where only Redis or gunicorn read it, and where it is empty."""
    before = [c["Id"] for c in stack.containers()]
    shell = {"REDIS_MAXMEMORY": "lots", "WEB_CONCURRENCY": "many", "LOG_LEVEL": "debug", "HTTP_PORT": ""}
    for command in ("up", "deploy"):
        done = stack.make(command, check=False, **shell)
        assert done.returncode
        assert [name for name in shell if f"\n  {name}: " not in done.stderr] == []
    assert [c["Id"] for c in stack.containers()] == before


def test_a_projects_name_is_judged_before_anything_is_written(fresh_clone: Callable[[], Clone]):
    clone = fresh_clone()
    for name in ("chat_", "a___b", "Tbx", ""):
        done = clone.make("up", check=False, COMPOSE_PROJECT_NAME=name)
        assert done.returncode
        assert "COMPOSE_PROJECT_NAME" in done.stderr
    assert not (clone.path / ".env").exists()
    assert not (clone.path / "secrets").exists()


def test_values_that_disagree_are_a_fault(unstarted: Clone):
    shutil.copy(unstarted.path / ".env.example", unstarted.path / ".env")
    unstarted.set(COMPOSE_PROJECT_NAME=unstarted.project, HTTP_PORT=str(unstarted.port))
    unstarted.set(PUBLIC_URL="https://chat.example", MAX_TEXT_LENGTH="100000")
    done = unstarted.make("up", check=False)
    assert done.returncode
    assert "PUBLIC_URL" in done.stderr
    assert "ALLOWED_HOSTS" in done.stderr
    assert "MAX_MESSAGE_BYTES" in done.stderr
    assert unstarted.leftovers().keys() <= {"images"}


@pytest.mark.parametrize("command", ["config", "up --detach"])
def test_bare_compose_without_an_env_names_what_is_missing(fresh_clone: Callable[[], Clone], command: str):
    clone = fresh_clone()
    done = clone.compose(*command.split(), check=False)
    assert done.returncode
    assert "PUBLIC_URL" in done.stderr
    assert "make up" in done.stderr
    assert not clone.leftovers()
