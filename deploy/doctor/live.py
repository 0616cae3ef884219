"""Checks that only work inside the stack: the handshake, readiness, the layer, the engine's names."""

from __future__ import annotations

import asyncio
import http.client
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from channels.layers import get_channel_layer
from django.conf import settings
from redis.asyncio import Redis
from redis.exceptions import RedisError
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, InvalidStatus

from app import health
from app.core_layer import BEAT_SECONDS
from deploy.doctor import members
from deploy.doctor import redis as redis_report
from deploy.doctor.finding import Finding, error, ok, warning

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.doctor.facts import Container, Facts

DEADLINE = 5  # seconds for each attempt
SLOW = 1.0  # seconds
# After Redis was unreachable, the first use of each old connection fails, and web has several processes.
ATTEMPTS, PAUSE = 4, 0.5  # seconds
ROUTE = "/ws/echo/doctor/"  # does not join a room
FOREIGN = "https://foreign.invalid"


async def every(facts: Facts) -> list[Finding]:
    tried = await asyncio.gather(
        handshake(facts.sockets),
        *(check() for check in (own_origin, foreign_origin, dependencies)),
        asyncio.to_thread(readiness, facts),
        asyncio.to_thread(peers, facts),
        leaked(facts),
    )
    return [finding for findings in tried for finding in findings]


# ── The way of a socket, through nginx ─────────────────────────────────────────────────────────


def hosts() -> list[str]:
    """The possible Host headers: as browsers send it, and as proxies change it: without the port, or with their own."""
    url = urlsplit(settings.PUBLIC_URL)
    return list(dict.fromkeys([url.netloc, url.netloc.removesuffix(f":{url.port}"), "localhost"]))


async def answer(origin: str | None, host: str | None = None) -> int | str:
    """The HTTP status of a handshake's answer, or why there is none."""
    uri = f"ws://{host or urlsplit(settings.PUBLIC_URL).netloc}{ROUTE}"
    headers = {"Origin": origin} if origin else {}
    try:
        async with (
            asyncio.timeout(DEADLINE),
            connect(uri, host="nginx", port=8080, proxy=None, additional_headers=headers),
        ):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code
    except TimeoutError:
        return f"no answer within {DEADLINE} s"
    except (OSError, InvalidHandshake) as reason:
        return str(reason)


async def handshake(service: str) -> list[Finding]:
    began = time.monotonic()
    status = await answer(None)
    took = time.monotonic() - began
    if status == 101 and took <= SLOW:
        return [ok("handshake", f"{ROUTE} opened in {took * 1000:.0f} ms")]
    if status == 101:
        return [
            warning(
                "handshake", f"{ROUTE} opened after {took:.1f} s", f"{SLOW:g} s at most", "make scale N=<more>; make ps"
            )
        ]
    fixes = {
        404: "a route for it in MyChannels/routing.py; or ROUTE in deploy/doctor/live.py   names another",
        421: "ALLOWED_HOSTS in .env must hold PUBLIC_URL's host; then make up",
    }
    # Any other answer comes from behind nginx; nginx's log explains a missing one.
    fix = fixes.get(status, f"make logs S={service}") if isinstance(status, int) else "make ps; make logs S=nginx"
    # With 404, the application has answered: a custom project may have removed the route.
    finding = warning if status == 404 else error
    return [finding("handshake", f"{ROUTE}: {status}", "101", fix)]


async def own_origin() -> list[Finding]:
    statuses = await every_host(settings.PUBLIC_URL)
    if refused := [host for host, status in statuses.items() if status == 403]:
        found = f"Origin {settings.PUBLIC_URL} is refused with Host {', '.join(refused)}"
        fix = "PUBLIC_URL in .env is what people type: scheme, host, port; then make up"
        return [error("own origin", found, "it is PUBLIC_URL", fix)]
    # The handshake's check reports other failures. Pages also reject a Host that is not in ALLOWED_HOSTS.
    opened = [host for host, status in statuses.items() if status == 101]
    return (
        [ok("own origin", f"{settings.PUBLIC_URL} may open sockets, with Host {', '.join(opened)}")] if opened else []
    )


async def foreign_origin() -> list[Finding]:
    statuses = await every_host(FOREIGN)
    if opened := [host for host, status in statuses.items() if status == 101]:
        fix = "ALLOWED_ORIGINS in .env; app/handshake.py"
        found = f"Origin {FOREIGN} may open sockets, with Host {', '.join(opened)}"
        return [error("foreign origin", found, "403", fix)]
    return [ok("foreign origin", f"{FOREIGN} is refused")] if 403 in statuses.values() else []


async def every_host(origin: str) -> dict[str, int | str]:
    return {host: await answer(origin, host) for host in hosts()}


# ── Readiness ──────────────────────────────────────────────────────────────────────────────────


def readiness(facts: Facts) -> list[Finding]:
    """Asks each container directly, since nginx would choose one that answers."""
    here = next((c for c in facts.containers if c.id.startswith(socket.gethostname())), None)
    containers = [*facts.service("web"), *facts.service(facts.sockets)]
    with ThreadPoolExecutor() as threads:
        reasons = list(threads.map(lambda container: _not_ready(container, here), containers))
    found = [
        error(
            "readiness",
            f"{container.name}: {reason}",
            "200 from /health/ready",
            f"docker logs --since 1m {container.name}   names what does not answer it",
        )
        for container, reason in zip(containers, reasons, strict=True)
        if reason
    ]
    return found or [ok("readiness", ", ".join(container.name for container in containers))]


def _not_ready(container: Container, here: Container | None) -> str:
    """Why the container is not ready; empty if it is. `here` is the container that runs this check."""
    shared = [name for name in container.addresses if here is None or name in here.addresses]
    addresses = [address for name in shared for address in container.addresses[name]]
    if not addresses:
        return "no network in common"
    for _ in range(ATTEMPTS):
        try:
            status = _status(addresses[0])
        except (OSError, http.client.HTTPException) as reason:
            return str(reason) or type(reason).__name__
        if status == 200:
            return ""
        time.sleep(PAUSE)
    return str(status)


def _status(address: str) -> int:
    connection = http.client.HTTPConnection(address, 8000, timeout=DEADLINE)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status
    finally:
        connection.close()


async def dependencies() -> list[Finding]:
    """Checks each of readiness' dependencies separately."""
    fixes = {
        "database": "make logs S=web; make manage C=check",
        "redis": "make ps; make logs S=redis",
        "channel layer": "make logs S=redis",
    }
    found = []
    for name, ask in health.DEPENDENCIES.items():
        began = time.monotonic()
        task = asyncio.create_task(ask())
        await asyncio.wait({task}, timeout=DEADLINE)  # not wait_for; see app/health.py
        took = f"{(time.monotonic() - began) * 1000:.0f} ms"
        if not task.done():
            task.cancel()
            reason: str | None = f"no answer within {DEADLINE} s"
        else:
            reason = str(task.exception()) if task.exception() else None
        if reason is None:
            found.append(ok(name, f"answered within {took}"))
        else:
            found.append(error(name, reason, "an answer", fixes.get(name, "make logs S=web")))
    return found


async def leaked(facts: Facts) -> list[Finding]:
    report = redis_report.parse(facts.redis)
    if settings.CHANNEL_LAYER != "core" or report is None:
        return []
    layer = get_channel_layer()
    found = members.processes(report.groups)
    asked = sorted(found, key=lambda queue: found[queue].oldest)[: members.MOST]
    try:
        async with Redis.from_url(settings.REDIS_URL, password=settings.REDIS_PASSWORD) as client:
            dead = await members.unread(client, layer, asked)
    except (OSError, RedisError):
        return []  # the dependencies' check reports it
    return members.judge(found, dead, facts.sockets, layer.expiry + BEAT_SECONDS, time.time())


# ── The engine's names ─────────────────────────────────────────────────────────────────────────


def peers(facts: Facts) -> list[Finding]:
    return [finding for service in (facts.sockets, "web") for finding in compare(service, facts, resolve(service))]


def resolve(service: str) -> set[str]:
    try:
        return {str(address[0]) for *_, address in socket.getaddrinfo(service, 8000, proto=socket.IPPROTO_TCP)}
    except socket.gaierror:
        return set()


def compare(service: str, facts: Facts, answered: set[str]) -> list[Finding]:
    """Compares the addresses that the engine's name server returns with those of running containers."""
    # A paused container keeps its name.
    there = [c for c in facts.containers if c.service == service and c.status in {"running", "paused"}]
    known = {address for container in there for addresses in container.addresses.values() for address in addresses}
    fix = f"docker compose up -d --force-recreate --no-deps {service}"
    # A restarting container may have started or stopped since the facts were collected.
    settled = not any(c.service == service and c.status == "restarting" for c in facts.containers)
    found = [
        error("names", f"{service} leads to {address}, where no container runs", "running containers only", fix)
        for address in sorted(answered - known)
        if settled
    ]
    for container in there:
        if not _reached(container, answered):
            found.append(error("names", f"{service} does not lead to {container.name}", "every running one", fix))
    return found or [ok("names", f"{service} leads to {_count(there)}")]


def _reached(container: Container, answered: set[str]) -> bool:
    return any(not answered.isdisjoint(addresses) for addresses in container.addresses.values())


def _count(containers: Sequence[Container]) -> str:
    return f"{len(containers)} running container{'s' if len(containers) != 1 else ''}"
