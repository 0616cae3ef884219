"""Writes a Compose project with trial copies of the services that are about to be replaced.

Reads `docker compose config --format json` and writes the same services, with their image, user, limits, command and
environment, but with separate data in a separate project: no network, no published port, no restarts. PUBLISHED,
`{{json .HostConfig.PortBindings}}`, lists the ports of the running nginx. For another address or port, the project has
a container that binds it and ends.
"""

import argparse
import json
import sys
from hashlib import sha256
from typing import Any

LABEL = "channels.trial"
# The places where compose.yaml has volumes. An overlay may mount the machine's folders there, with the running
# services' data: a second Redis on the first one's files would damage them.
KEPT = {
    *("/data", "/srv/data", "/srv/nginx", "/srv/published/nginx", "/srv/published/static"),
    *("/srv/static", "/srv/uploads", "/var/spool/nginx"),
}
# Settings for a service's relation to others, its build, and profiles.
LEFT_OUT = (
    "build",
    "container_name",
    "depends_on",
    "develop",
    "external_links",
    "links",
    "logging",
    "network_mode",
    "networks",
    "ports",
    "profiles",
    "scale",
)
MIGRATE = "services/migrate/migrate.sh"


def service(configured: dict[str, Any], label: dict[str, str]) -> dict[str, Any]:
    tried = {name: value for name, value in configured.items() if name not in LEFT_OUT}
    labels = tried.get("labels") or {}
    if mounts := tried.get("volumes"):
        tried["volumes"] = [of_its_own(mount) for mount in mounts]
    deploy = {name: value for name, value in (tried.get("deploy") or {}).items() if name != "replicas"}
    return tried | {
        "labels": labels | label,
        "deploy": deploy,
        "network_mode": "none",
        "dns": ["127.0.0.11"],  # nginx requires a name server, and without a network the engine configures none
        "pull_policy": "never",
        "restart": "no",
    }


def of_its_own(mount: dict[str, Any]) -> dict[str, Any]:
    """Replaces a mounted folder of KEPT by a volume, the same one for all services that mount the folder."""
    if mount["type"] != "bind" or mount["target"] not in KEPT:
        return mount
    kept = {name: value for name, value in mount.items() if name != "bind"}
    return kept | {"type": "volume", "source": f"folder-{sha256(mount['source'].encode()).hexdigest()[:12]}"}


def ports(configured: list[dict[str, Any]], published: dict[str, list[dict[str, str]] | None]) -> list[dict[str, Any]]:
    """The ports to try: completely, or only the address if the running nginx has the same port of another address."""
    held = {(port["HostIp"], port["HostPort"]) for holders in published.values() for port in holders or []}
    wanted = []
    for port in configured:
        address, number = port.get("host_ip", ""), str(port.get("published", ""))
        if (address, number) in held:
            continue
        if number in {number for _, number in held}:
            port = {name: value for name, value in port.items() if name != "published"}
        wanted.append(port)
    return wanted


def trial(
    config: dict[str, Any], project: str, services: list[str], published: dict[str, list[dict[str, str]] | None]
) -> dict[str, Any]:
    label = {LABEL: config["name"]}
    tried = {name: service(config["services"][name], label) for name in services}
    if "migrate" in tried:
        command = tried["migrate"].get("command") or []
        tried["migrate"]["command"] = [*(command if command[-1:] == [MIGRATE] else [MIGRATE]), "try"]
    if "nginx" in tried:
        if "migrate" in tried:
            tried["nginx"]["depends_on"] = {"migrate": {"condition": "service_completed_successfully"}}
        if wanted := ports(config["services"]["nginx"].get("ports", []), published):
            image = tried["nginx"]["image"]
            tried["port"] = {"image": image, "entrypoint": ["true"], "labels": label, "pull_policy": "never"}
            tried["port"] |= {"network_mode": "bridge", "ports": wanted}
    sources = {
        mount["source"]
        for one in tried.values()
        for mount in one.get("volumes") or []
        if mount["type"] == "volume" and "source" in mount
    }
    return {
        "name": project,
        "services": tried,
        "volumes": {source: {"labels": label} for source in sorted(sources)},
        "secrets": config.get("secrets", {}),
        "configs": config.get("configs", {}),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("project")
    parser.add_argument("published", type=json.loads)
    parser.add_argument("services", nargs="+")
    arguments = parser.parse_args()
    json.dump(trial(json.load(sys.stdin), arguments.project, arguments.services, arguments.published), sys.stdout)
