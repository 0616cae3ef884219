"""Facts that only the host knows: sections that doctor.sh writes to standard input.

A section is a line `==== name argument…` and the lines after it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

HEADING = re.compile(r"^==== (.*)\n", re.MULTILINE)


@dataclass(frozen=True)
class Container:
    """The part of `docker inspect` that the checks use."""

    id: str
    name: str
    service: str
    status: str  # created, running, paused, restarting, exited, dead
    health: str  # starting, healthy, unhealthy; empty without a health check
    exit_code: int
    oom_killed: bool
    restarts: int
    started: str
    image: str  # the tag
    image_id: str
    config_hash: str
    memory: int  # limit in bytes; 0 means no limit
    addresses: dict[str, list[str]]  # by network

    @property
    def running(self) -> bool:
        return self.status == "running"


@dataclass(frozen=True)
class Facts:
    containers: list[Container] = field(default_factory=list)
    sockets: str = "daphne"  # the service that has the WebSockets
    replicas: int = 0  # its number in .env
    images: dict[str, str] = field(default_factory=dict)  # the tag's present image
    hashes: dict[str, str] = field(default_factory=dict)  # each service's present configuration
    descriptors: dict[str, str] = field(default_factory=dict)  # by container: lines of `pid used limit command`
    connections: int = 0  # limit of each of nginx's two processes
    kills: dict[str, int] = field(default_factory=dict)  # by container: out-of-memory kills since it started
    redis: str = ""  # what services/redis/redis-report.sh prints
    redis_files: str = ""  # what services/redis/redis-files.sh prints
    project: str = ""
    volumes: tuple[str, ...] = ()  # by their names in compose.yaml
    backups: tuple[str, ...] = ()  # complete ones, newest first

    def service(self, name: str) -> list[Container]:
        """The service's running containers."""
        return [container for container in self.containers if container.service == name and container.running]


def parse(text: str) -> Facts:
    _, *parts = HEADING.split(text)
    sections = dict(zip(parts[::2], parts[1::2], strict=True))
    return Facts(
        containers=sorted(map(_container, json.loads(sections["containers"] or "[]")), key=lambda c: c.name),
        **_sockets(sections["sockets"].split()),
        images=_pairs(sections["images"]),
        hashes=_pairs(sections["hashes"]),
        descriptors=_by_container(sections, "descriptors"),
        connections=max(map(_number, _by_container(sections, "connections").values()), default=0),
        kills={name: _number(text) for name, text in _by_container(sections, "kills").items()},
        redis=sections.get("redis", ""),
        redis_files=sections.get("redis files", ""),
        project=sections.get("project", "").strip(),
        volumes=tuple(sections.get("volumes", "").split()),
        backups=tuple(sections.get("backups", "").splitlines()),
    )


def _by_container(sections: dict[str, str], kind: str) -> dict[str, str]:
    return {
        name: text for heading, text in sections.items() for start, _, name in [heading.partition(" ")] if start == kind
    }


def _sockets(words: list[str]) -> dict[str, Any]:
    """`words` is empty if Compose rejects its files, and has one word if .env has no number."""
    names = ("sockets", "replicas")
    return dict(zip(names, (*words[:1], *map(int, words[1:])), strict=False))


def _number(text: str) -> int:
    return int(text.strip() or 0)


def _pairs(text: str) -> dict[str, str]:
    """Parses lines `name value`. A missing image has no value."""
    return dict(words for line in text.splitlines() if len(words := line.split()) == 2)


def _container(inspected: dict[str, Any]) -> Container:
    state, config = inspected["State"], inspected["Config"]
    networks = inspected["NetworkSettings"]["Networks"] or {}
    return Container(
        id=inspected["Id"],
        name=inspected["Name"].removeprefix("/"),
        service=config["Labels"]["com.docker.compose.service"],
        status=state["Status"],
        health=(state.get("Health") or {}).get("Status", ""),
        exit_code=state["ExitCode"],
        oom_killed=state["OOMKilled"],
        restarts=inspected["RestartCount"],
        started=state["StartedAt"],
        image=config["Image"],
        image_id=inspected["Image"],
        config_hash=config["Labels"].get("com.docker.compose.config-hash", ""),
        memory=inspected["HostConfig"]["Memory"],
        addresses={
            name: [address for address in (network["IPAddress"], network.get("GlobalIPv6Address")) if address]
            for name, network in networks.items()
        },
    )
