"""`make doctor` says nothing of a healthy stack, names what was broken, and the line that it gives fixes it."""

import json
from typing import Any

import pytest

from tests.stack.clone import WEBSOCKETS, Clone, docker
from tests.stack.waiting import wait_until


def findings(clone: Clone, **environment: str) -> tuple[int, dict[str, list[dict[str, Any]]]]:
    """The exit status, and what is not well, by the check that found it."""
    done = clone.run("deploy/doctor.sh", "--json", check=False, **environment)
    report = json.loads(done.stdout)
    found: dict[str, list[dict[str, Any]]] = {}
    for finding in report["findings"]:
        if finding["level"] != "ok":
            assert finding["fix"], finding
            found.setdefault(finding["check"], []).append(finding)
    return done.returncode, found


def test_a_healthy_stack_has_nothing_to_mend_and_no_secret_is_told(neighbour: Clone) -> None:
    assert findings(neighbour) == (0, {})
    told = neighbour.run("deploy/doctor.sh", "--json").stdout
    for secret in (neighbour.path / "secrets").iterdir():
        assert secret.read_text() not in told


def test_a_paused_worker_is_named_and_the_line_wakes_it(neighbour: Clone) -> None:
    name = neighbour.containers(WEBSOCKETS)[0]["Name"].lstrip("/")
    docker("pause", name)
    status, found = findings(neighbour)
    assert status == 1
    fix = found["containers"][0]["fix"]
    assert fix == f"docker unpause {name}"
    neighbour.run("sh", "-c", fix)
    wait_until(lambda: findings(neighbour) == (0, {}), 60, "nothing to fix", every=1)


def test_a_misspelt_name_is_named_with_the_one_that_was_meant(neighbour: Clone) -> None:
    good = (neighbour.path / ".env").read_text()
    neighbour.set(ALOWED_HOSTS="example.com")
    status, found = findings(neighbour)
    (neighbour.path / ".env").write_text(good)
    assert status == 1
    assert "ALLOWED_HOSTS" in found["env"][0]["fix"]


@pytest.mark.parametrize(("name", "fix"), [("chat_", "COMPOSE_PROJECT_NAME=chat "), ("", "unset COMPOSE_PROJECT_NAME")])
def test_a_project_whose_name_names_no_image_is_an_error(neighbour: Clone, name: str, fix: str) -> None:
    status, found = findings(neighbour, COMPOSE_PROJECT_NAME=name)
    assert status == 1
    assert found["project"][0]["fix"].startswith(fix)
    assert found["project"][0]["expected"]


def test_a_fault_in_the_configuration_of_nginx_is_named_with_its_file(neighbour: Clone) -> None:
    file = neighbour.path / "nginx/site.conf"
    good = file.read_text()
    file.write_text(f"{good}nonsense\n")
    try:
        _, found = findings(neighbour)
    finally:
        file.write_text(good)
    assert "/etc/nginx/site.conf:" in found["nginx"][0]["found"]
    assert "Creating" not in found["nginx"][0]["found"], "Compose's progress is no reason"


def test_settings_that_others_can_read_are_named_and_the_line_hides_them(neighbour: Clone) -> None:
    (neighbour.path / ".env").chmod(0o644)
    _, found = findings(neighbour)
    neighbour.run("sh", "-c", found["files"][0]["fix"])
    assert (neighbour.path / ".env").stat().st_mode & 0o777 == 0o600


def test_workers_beyond_what_is_remembered_are_named(neighbour: Clone) -> None:
    neighbour.compose(
        "up", "--detach", "--wait", "--no-deps", "--no-recreate", "--scale", f"{WEBSOCKETS}=2", WEBSOCKETS
    )
    status, found = findings(neighbour)
    neighbour.compose("up", "--detach", "--wait", "--no-deps", "--no-recreate", WEBSOCKETS)
    assert status == 0, found
    assert "make scale" in found["scale"][0]["fix"]


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_without_an_engine_it_says_so(neighbour: Clone, arguments: tuple[str, ...]) -> None:
    done = neighbour.run("deploy/doctor.sh", *arguments, check=False, DOCKER_HOST="unix:///nowhere")
    assert done.returncode == 1
    assert "machine" in done.stdout
