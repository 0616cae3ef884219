"""What is tried before anything is replaced: the real services, on nothing of what the running ones have."""

import json
from typing import Any

import pytest

from deploy.trial import LABEL, ports, trial

PORT = {"mode": "ingress", "host_ip": "127.0.0.1", "target": 8080, "published": "8080", "protocol": "tcp"}
PUBLISHED: dict[str, list[dict[str, str]] | None] = {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]}


@pytest.fixture
def config() -> dict[str, Any]:
    data = {"type": "volume", "source": "data", "target": "/srv/data"}
    return {
        "name": "chat",
        "networks": {"edge": {"name": "chat_edge"}},
        "secrets": {"secret_key": {"name": "chat_secret_key", "file": "/chat/secrets/secret_key"}},
        "services": {
            "web": {
                "image": "chat-web",
                "build": {"context": "."},
                "user": "10001:10001",
                "read_only": True,
                "mem_limit": "805306368",
                "pids_limit": 128,
                "environment": {"WEB_CONCURRENCY": "2"},
                "networks": {"edge": None},
                "restart": "unless-stopped",
                "deploy": {"replicas": 3, "resources": {}},
                "secrets": [{"source": "secret_key", "target": "/run/secrets/secret_key"}],
                "volumes": [data, {"type": "bind", "source": "/chat/app", "target": "/srv/app"}],
            },
            "migrate": {"image": "chat-web", "command": ["flock", "services/migrate/migrate.sh"], "volumes": [data]},
            "nginx": {"image": "chat-nginx", "ports": [PORT], "container_name": "front"},
        },
        "volumes": {"data": {"name": "precious", "external": True}, "redis": {"name": "chat_redis"}},
    }


def test_a_service_keeps_all_that_decides_whether_it_starts(config: dict[str, Any]):
    tried = trial(config, "chat-trial-1", ["web"], {})["services"]["web"]
    kept = ("image", "user", "read_only", "mem_limit", "pids_limit", "environment", "secrets", "volumes")
    assert {name: tried[name] for name in kept} == {name: config["services"]["web"][name] for name in kept}


def test_nothing_of_the_running_stack_is_in_reach(config: dict[str, Any]):
    """No network, no port, no name, and volumes of the trial's own, also where an overlay names the real one."""
    made = trial(config, "chat-trial-1", ["web", "migrate", "nginx"], PUBLISHED)
    assert made["name"] == "chat-trial-1"
    assert made["volumes"] == {"data": {"labels": {LABEL: "chat"}}}
    assert "networks" not in made
    for service in made["services"].values():
        assert service["network_mode"] == "none"
        assert service["restart"] == "no"
        assert service["labels"] == {LABEL: "chat"}
        assert not service.keys() & {"build", "container_name", "networks", "ports"}
        assert "replicas" not in service["deploy"]


def test_no_folder_is_in_reach_either_that_an_overlay_has_for_the_data(config: dict[str, Any]):
    """Two Redis would write into the same files."""
    services = config["services"]
    folder = {"type": "bind", "source": "/disk/nginx", "bind": {"create_host_path": True}}
    services["redis"] = {
        "image": "chat-redis",
        "volumes": [{"type": "bind", "source": "/disk/redis", "target": "/data"}],
    }
    services["migrate"]["volumes"].append(folder | {"target": "/srv/published/nginx"})
    services["nginx"]["volumes"] = [folder | {"target": "/srv/nginx", "read_only": True}]
    made = trial(config, "chat-trial-1", ["redis", "web", "migrate", "nginx"], PUBLISHED)
    mounts = {name: made["services"][name]["volumes"] for name in ("redis", "migrate", "nginx")}
    assert {mount["type"] for of_one in mounts.values() for mount in of_one} == {"volume"}
    assert mounts["migrate"][-1]["source"] == mounts["nginx"][0]["source"] != mounts["redis"][0]["source"]
    assert mounts["nginx"][0]["read_only"]
    assert made["volumes"].keys() == {mount["source"] for of_one in mounts.values() for mount in of_one}
    assert "/disk" not in json.dumps(made)
    assert made["services"]["web"]["volumes"][1]["source"] == "/chat/app", "what is no data is as the service has it"


def test_migrate_is_tried_and_does_not_migrate(config: dict[str, Any]):
    made = trial(config, "chat-trial-1", ["migrate", "nginx"], PUBLISHED)["services"]
    assert made["migrate"]["command"] == ["flock", "services/migrate/migrate.sh", "try"]
    assert made["nginx"]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}

    config["services"]["migrate"]["command"] = ["sh", "-c", "an overlay's"]
    made = trial(config, "chat-trial-1", ["migrate"], {})["services"]
    assert made["migrate"]["command"] == ["services/migrate/migrate.sh", "try"]


@pytest.mark.parametrize(
    ("configured", "tried"),
    [
        (PORT, []),
        (PORT | {"published": "8081"}, [PORT | {"published": "8081"}]),
        (PORT | {"host_ip": "192.0.2.7"}, [{**PORT, "host_ip": "192.0.2.7", "published": None}]),
    ],
    ids=["held", "another port", "another address"],
)
def test_a_port_is_tried_unless_the_running_nginx_holds_it(configured: dict[str, Any], tried: list[dict[str, Any]]):
    wanted = [{name: value for name, value in port.items() if value is not None} for port in tried]
    assert ports([configured], PUBLISHED) == wanted


def test_a_port_that_is_not_held_has_a_container_that_takes_it(config: dict[str, Any]):
    made = trial(config, "chat-trial-1", ["nginx"], {})["services"]
    assert made["port"]["ports"] == [PORT]
    assert made["port"]["image"] == "chat-nginx"
    assert json.dumps(made)
