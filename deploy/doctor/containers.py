"""Checks of containers: state, number, restarts, and whether image and configuration are current."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.doctor.finding import Finding, error, ok, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.doctor.facts import Container, Facts

ONE_SHOT = "migrate"
HIGH = 0.7  # of the file descriptors


def states(facts: Facts) -> list[Finding]:
    """Every container runs and is healthy; the one-shot service ended well."""
    found = [finding for container in facts.containers for finding in _state(container)]
    return found or [ok("containers", f"{sum(c.running for c in facts.containers)} run, none is unhealthy")]


def _state(container: Container) -> Iterator[Finding]:
    name, service = container.name, container.service
    if service == ONE_SHOT:
        if container.status == "exited" and container.exit_code:
            yield error(
                "containers", f"{name} ended with {container.exit_code}", "0", f"make logs S={service}; then make up"
            )
    elif container.status == "paused":
        yield error("containers", f"{name} is paused", "running", f"docker unpause {name}")
    elif not container.running:
        killed = ", out of memory" if container.oom_killed else ""
        yield error(
            "containers",
            f"{name} is {container.status} (exit status {container.exit_code}{killed})",
            "running",
            f"make logs S={service}; then make up",
        )
    elif container.health == "unhealthy":
        yield error("containers", f"{name} is unhealthy", "healthy", f"make logs S={service}")
    elif container.health == "starting":
        yield warning("containers", f"{name} is not healthy yet", "healthy", "make doctor   again in half a minute")


def restarts(facts: Facts) -> list[Finding]:
    """No container was killed for lack of memory, and none restarted by itself."""
    found = []
    for container in facts.containers:
        # Docker only sees the main process; gunicorn itself replaces its workers.
        if container.oom_killed or facts.kills.get(container.name):
            limit = f"{container.memory // 2**20}m"
            found.append(
                error(
                    "restarts",
                    f"in {container.name} the kernel killed a process: out of its {limit} of memory",
                    "enough memory",
                    f"{container.service.upper()}_MEMORY={container.memory // 2**19}m   in .env, then make up",
                )
            )
        elif container.restarts:
            found.append(
                warning(
                    "restarts",
                    f"{container.name} was restarted {container.restarts} times, last at {container.started[:19]}Z",
                    "0 since it was created",
                    f"docker logs {container.name}   says why; docker compose up -d --force-recreate "
                    f"{container.service}   resets the counter",
                )
            )
    return found or [ok("restarts", "none")]


def numbers(facts: Facts) -> list[Finding]:
    """Every service of compose.yaml has a running container, and the WebSocket service has the number in .env."""
    found = []
    for service in facts.hashes:
        # Containers that exist but do not run are reported with their state.
        if service != ONE_SHOT and not any(container.service == service for container in facts.containers):
            found.append(error("scale", f"no container of {service}", "a running one", "make up"))
    workers = sum(container.service == facts.sockets for container in facts.containers)
    if facts.replicas and workers and workers != facts.replicas:
        found.append(
            warning(
                "scale",
                f"{workers} {facts.sockets}, {facts.sockets.upper()}_REPLICAS={facts.replicas} in .env",
                "the same number: the next make up starts what .env says",
                f"make scale N={workers}   or: make scale N={facts.replicas}",
            )
        )
    return found or [ok("scale", f"{workers} {facts.sockets}, as .env says")]


def drift(facts: Facts) -> list[Finding]:
    """Running containers have the built image and the present configuration."""
    lasting = [container for container in facts.containers if container.service != ONE_SHOT]
    old = [c.name for c in lasting if facts.images.get(c.image) != c.image_id]
    other = [c.name for c in lasting if facts.hashes.get(c.service, c.config_hash) != c.config_hash]
    found = []
    if old:
        found.append(warning("drift", f"not of the built image: {', '.join(old)}", "the image last built", "make up"))
    if other:
        found.append(
            warning(
                "drift", f"started from another .env or compose.yaml: {', '.join(other)}", "the present ones", "make up"
            )
        )
    return found or [ok("drift", "every container is of the built image and of the present .env")]


def descriptors(facts: Facts) -> list[Finding]:
    """File descriptors of every process of every container."""
    found, highest = [], (0.0, "")
    for name, lines in facts.descriptors.items():
        for line in lines.splitlines():
            pid, used, limit, command = line.split(None, 3)
            if not limit.isdigit():  # unlimited
                continue
            share = int(used) / int(limit)
            described = f"{used} of {limit} file descriptors in {name}, process {pid} ({command})"
            highest = max(highest, (share, described))
            if share > HIGH:
                found.append(
                    warning(
                        "descriptors",
                        described,
                        f"at most {HIGH:.0%}; a socket that finds none is refused",
                        "make scale N=<more>   or raise the engine's default: "
                        '"default-ulimits" in /etc/docker/daemon.json',
                    )
                )
    found += _fewer_than_nginx_lets_in(facts)
    if found or not highest[1]:
        return found
    return [ok("descriptors", f"at most {highest[1]}")]


def _fewer_than_nginx_lets_in(facts: Facts) -> list[Finding]:
    """Compares the workers' file limits together with the number of sockets that nginx passes to them."""
    lets_in = facts.connections  # of each of its two processes; a socket takes two connections
    workers = [_limits(facts, container) for container in facts.service(facts.sockets)]
    possible = sum(max(limits) for limits in workers if limits)
    if not possible or possible >= lets_in:
        return []
    return [
        warning(
            "descriptors",
            f"the {len(workers)} {facts.sockets} may open {possible} files together, nginx lets {lets_in} sockets in",
            "as many; a socket that finds none is refused",
            'make scale N=<more>   or raise the engine\'s limit: "default-ulimits" in /etc/docker/daemon.json',
        )
    ]


def _limits(facts: Facts, container: Container) -> list[int]:
    lines = (line.split(None, 3) for line in facts.descriptors.get(container.name, "").splitlines())
    return [int(limit) for _, _, limit, _ in lines if limit.isdigit()]
