"""Each fact about the configuration that is written in several places says the same in all of them."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.env import COMPOSE_OWN, WIRING

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
STACKS = ("compose.yaml", "compose.yaml:deploy/uvicorn.yaml", "compose.yaml:deploy/overlays/worker.yaml")
# `NAME=value` is required, `# NAME=value` is the default.
EXAMPLE = {
    name: (not hash_sign, value)
    for hash_sign, name, value in re.findall(
        r"^(# )?([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE
    )
}
DEFAULTS = {name: value for name, (required, value) in EXAMPLE.items() if not required}
PROGRAM = """
import json
from app.env import declare_stack, env
declare_stack(env)
stack = env.names
from app import settings
print(json.dumps([env.dump(), sorted(env.names - stack)]))
"""


def read(environment: dict[str, str]) -> tuple[dict[str, Any], set[str]]:
    """Every variable that is asked for, as read, and the names that the settings ask for."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    values, names = json.loads(done.stdout)
    return {name: value for name, value in values.items() if name not in COMPOSE_OWN}, set(names)


@pytest.fixture
def interpolated(environment: dict[str, str]) -> dict[str, dict[str, Any]]:
    """What compose.yaml interpolates, also with the overlay that has settings of its own; told by Compose itself."""
    variables: dict[str, dict[str, Any]] = {}
    for files in STACKS:
        done = subprocess.run(
            ["docker", "compose", "--env-file", "/dev/null", "config", "--variables", "--format", "json"],
            cwd=ROOT,
            env={"PATH": environment["PATH"], "PUBLIC_URL": "http://localhost", "COMPOSE_FILE": files},
            capture_output=True,
            text=True,
            check=True,
        )
        variables |= json.loads(done.stdout)
    return variables


def passed_on(keys: dict[str, Any]) -> set[str]:
    """`NAME:` without a value: what the file says is handed on, and nothing if it says nothing."""
    return {name for name, value in keys.items() if value is None}


def test_example_names_what_is_asked_for_and_nothing_else(environment: dict[str, str]) -> None:
    values, _ = read(environment)
    assert set(EXAMPLE) - COMPOSE_OWN == set(values) - WIRING


def test_public_url_alone_is_required_and_what_the_workers_overlay_demands(
    interpolated: dict[str, dict[str, Any]],
) -> None:
    assert [name for name, (required, _) in EXAMPLE.items() if required] == ["PUBLIC_URL"]
    assert [name for name, variable in interpolated.items() if variable["Required"]] == [
        "PUBLIC_URL",
        "WORKER_CHANNELS",
    ]


def test_defaults_in_the_example_are_those_of_the_code(environment: dict[str, str]) -> None:
    assert read({**environment, **DEFAULTS}) == read(environment)


def test_defaults_in_compose_are_those_of_the_code(
    environment: dict[str, str], interpolated: dict[str, dict[str, Any]]
) -> None:
    defaults = {name: variable["DefaultValue"] for name, variable in interpolated.items() if variable["DefaultValue"]}
    assert len(defaults) > 15
    assert read({**environment, **defaults}) == read(environment)


def test_composes_own_defaults_in_the_example_are_true() -> None:
    assert DEFAULTS["COMPOSE_PROJECT_NAME"] == COMPOSE["name"]
    assert DEFAULTS["COMPOSE_FILE"] == "compose.yaml"


def test_what_is_asked_for_is_used_and_what_is_used_is_asked_for(
    environment: dict[str, str], interpolated: dict[str, dict[str, Any]]
) -> None:
    values, _ = read(environment)
    used = {*interpolated, *passed_on(COMPOSE["x-build"]["args"]), *passed_on(COMPOSE["x-app"]["environment"])}
    assert used - COMPOSE_OWN == set(values) - WIRING


@pytest.mark.parametrize("service", ["migrate", "web", "daphne"])
def test_every_variable_of_the_settings_reaches_each_container(environment: dict[str, str], service: str) -> None:
    _, settings = read(environment)
    given = {name.removesuffix("_FILE") for name in COMPOSE["services"][service]["environment"]}
    # gunicorn reads the first, Python's tempfile the second; `make dev` sets the last.
    assert given - {"WEB_CONCURRENCY", "TMPDIR"} == settings - {"DEBUG"}


@pytest.mark.parametrize("files", STACKS)
def test_no_image_of_the_stack_is_asked_of_a_registry(environment: dict[str, str], files: str) -> None:
    """`docker compose pull` and `up --pull always` leave alone what is built here."""
    said = {"COMPOSE_FILE": files, "PUBLIC_URL": "http://localhost", "WORKER_CHANNELS": "jobs"}
    done = subprocess.run(
        ["docker", "compose", "--env-file", "/dev/null", "config", "--format", "json"],
        cwd=ROOT,
        env={"PATH": environment["PATH"]} | said,
        capture_output=True,
        text=True,
        check=True,
    )
    services = json.loads(done.stdout)["services"]
    assert {name: its.get("pull_policy") for name, its in services.items()} == dict.fromkeys(services, "never")


def test_secrets_reach_containers_as_files_only() -> None:
    for service in COMPOSE["services"].values():
        names = set(service.get("environment", {}))
        assert not names & {"SECRET_KEY", "REDIS_PASSWORD"}
        for name in names & {"SECRET_KEY_FILE", "REDIS_PASSWORD_FILE"}:
            secret = name.removesuffix("_FILE").lower()
            assert service["environment"][name] == f"/run/secrets/{secret}"
            assert secret in service["secrets"]


@pytest.mark.parametrize("name", EXAMPLE)
def test_documentation_has_a_row_with_the_same_default(name: str) -> None:
    table = (ROOT / "docs/configuration.md").read_text()
    rows = re.findall(rf"^\| `{name}` \|(.*?)\| .+ \|$", table, re.MULTILINE)
    required, value = EXAMPLE[name]
    assert [row.strip("`| ") for row in rows] == ["required" if required else value]


def test_documentation_has_no_row_for_a_name_that_nobody_reads() -> None:
    table = (ROOT / "docs/configuration.md").read_text()
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", table, re.MULTILINE)) == set(EXAMPLE)


def test_defaults_in_scripts_are_those_of_the_example() -> None:
    lines = [line for path in (ROOT / "deploy").rglob("*.sh") for line in path.read_text().splitlines()]
    scripts = "\n".join(line for line in lines if not line.startswith("#"))
    found = re.findall(r'dotenv\.sh"? get ([A-Z_]+) ([^\s")]+)', scripts)
    found += re.findall(r"\$\{([A-Z_]+):-([^}$]+)\}", scripts)
    checked = [(name, default) for name, default in found if name in EXAMPLE]  # others are not of .env
    assert {"BIND_ADDRESS", "HTTP_PORT", "COMPOSE_PROJECT_NAME"} <= {name for name, _ in checked}
    for name, default in checked:
        assert default == DEFAULTS[name], name


def test_defaults_that_clients_meet_are_the_contracts(environment: dict[str, str]) -> None:
    values, _ = read(environment)
    contract = {
        "BIND_ADDRESS": "127.0.0.1",
        "HTTP_PORT": 8080,
        "ALLOWED_HOSTS": ["localhost", "127.0.0.1", "[::1]"],
        "DAPHNE_REPLICAS": 2,
        "CHANNEL_LAYER": "pubsub",
        "MAX_MESSAGE_BYTES": 65536,
        "MAX_TEXT_LENGTH": 4000,
    }
    assert {name: values[name] for name in contract} == contract
