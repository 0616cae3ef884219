"""Every container has as few rights as its work takes, as the engine sees it."""

import json
import re
import subprocess
from typing import Any

import pytest

from tests.stack.clone import SERVICES, Clone

ALL = (*SERVICES, "migrate")
EVERY = pytest.mark.parametrize("service", ALL)
LASTING = pytest.mark.parametrize("service", SERVICES)
CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], 6379), 3)"


def only(stack: Clone, service: str) -> list[dict[str, Any]]:
    found = stack.containers(service)
    assert found, f"a container of {service}"
    return found


@EVERY
def test_no_container_has_rights_that_it_does_not_need(stack: Clone, service: str):
    for container in only(stack, service):
        host = container["HostConfig"]
        assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", container["Config"]["User"]), "a numeric user that is not root"
        assert host["ReadonlyRootfs"] is True
        assert host["CapDrop"] == ["ALL"]
        assert not host["CapAdd"]
        assert not host["Privileged"]
        assert "no-new-privileges:true" in host["SecurityOpt"]
        assert not [mount for mount in container["Mounts"] if mount["Source"].endswith("docker.sock")]


@LASTING
def test_the_kernel_agrees(stack: Clone, service: str):
    status = stack.compose("exec", "-T", service, "cat", "/proc/1/status").stdout
    seen = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert {seen[name] for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb")} == {"0" * 16}
    assert seen["NoNewPrivs"] == "1"
    assert "0" not in seen["Uid"].split()
    assert stack.compose("exec", "-T", service, "touch", "/usr/mark", check=False).returncode


@EVERY
def test_no_container_can_take_the_machine(stack: Clone, service: str):
    for container in only(stack, service):
        host = container["HostConfig"]
        assert 0 < host["Memory"] <= 2**30
        assert 0 < host["PidsLimit"] <= 512
        assert host["LogConfig"]["Type"] == "json-file"
        assert host["LogConfig"]["Config"].keys() >= {"max-size", "max-file"}


@EVERY
def test_every_container_says_how_long_its_end_may_take(stack: Clone, service: str):
    for container in only(stack, service):
        assert container["Config"]["StopTimeout"] >= 15


@LASTING
def test_every_lasting_container_has_a_health_check_and_comes_back(stack: Clone, service: str):
    for container in only(stack, service):
        assert container["Config"]["Healthcheck"]["Test"][0] in {"CMD", "CMD-SHELL"}
        assert container["State"]["Health"]["Status"] == "healthy"
        assert container["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"


def test_migrate_ran_once_and_ended_well(stack: Clone):
    (container,) = only(stack, "migrate")
    assert (container["State"]["Status"], container["State"]["ExitCode"]) == ("exited", 0)
    assert container["RestartCount"] == 0


@EVERY
def test_no_secret_is_in_what_inspect_shows(stack: Clone, service: str):
    secrets = [file.read_text().strip() for file in (stack.path / "secrets").iterdir()]
    assert len(secrets) >= 2
    for container in only(stack, service):
        assert not [secret for secret in secrets if secret in json.dumps(container)]
        named = [entry.partition("=") for entry in container["Config"]["Env"]]
        secretive = {name for name, _, _ in named if re.search("SECRET|PASSWORD|TOKEN", name)}
        # A digest of what is random tells nothing, and changes the configuration with the secret.
        assert all(name.endswith(("_FILE", "_DIGEST")) for name in secretive), secretive


def test_only_nginx_publishes_a_port_and_only_here(stack: Clone):
    published = {service: [c["HostConfig"]["PortBindings"] or {} for c in only(stack, service)] for service in ALL}
    nginx = published.pop("nginx")
    assert nginx == [{"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(stack.port)}]}]
    assert not [bindings for every in published.values() for bindings in every if bindings], published


def test_nginx_cannot_reach_redis(stack: Clone):
    networks = stack.containers("redis")[0]["NetworkSettings"]["Networks"]
    (address,) = (network["IPAddress"] for network in networks.values())

    def reaches(service: str, *command: str) -> subprocess.CompletedProcess[str]:
        return stack.compose("exec", "-T", service, *command, check=False)

    # curl says 28 for no answer, 6 for no such name, 7 for nobody there, 52 and 56 for somebody who speaks no HTTP.
    ask = ("curl", "--silent", "--max-time", "3", "--output", "/dev/null")
    assert reaches("nginx", *ask, "http://redis:6379/").returncode == 6
    assert reaches("nginx", *ask, f"http://{address}:6379/").returncode in {7, 28}
    assert reaches("nginx", *ask, "http://web:8000/health/live").returncode == 0
    assert reaches("web", "python", "-c", CONNECT, address).returncode == 0, "the address is the right one"
