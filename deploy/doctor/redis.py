"""Checks of Redis, based on its own report (services/redis/redis-report.sh)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings

from app.containers import MESSAGE_BYTES, REDIS_FULL
from deploy.doctor.finding import Finding, error, ok, warning

if TYPE_CHECKING:
    from deploy.doctor.facts import Facts

HIGH = 0.8
DEFAULT_PUBSUB = (32 * 2**20, 8 * 2**20)  # Redis' own limits of a subscriber's output buffer
IN_CONF = "in services/redis/redis.conf, then make up"


@dataclass(frozen=True)
class Report:
    info: dict[str, str]
    config: dict[str, str]
    groups: dict[str, list[tuple[str, float]]]  # members and when they joined

    def number(self, name: str) -> int:
        return int(self.info.get(name, "0"))


def parse(text: str) -> Report | None:
    """Parses INFO's lines, one JSON object, the groups' keys and as many JSON lists. None if Redis did not answer."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    start = next((n for n, line in enumerate(lines) if line.startswith("{")), None)
    if start is None:
        return None
    info = dict(line.split(":", 1) for line in lines[:start] if ":" in line)
    keys = [line for line in lines[start + 1 :] if not line.startswith("[")]
    groups = [json.loads(line) for line in lines[start + 1 :] if line.startswith("[")]
    members = [[(member, float(score)) for member, score in group] for group in groups]
    return Report(info, json.loads(lines[start]), dict(zip(keys, members, strict=False)))


def judge(facts: Facts) -> list[Finding]:
    if not (running := facts.service("redis")):
        return []
    report = parse(facts.redis)
    if report is None:
        said = " ".join(facts.redis.split())[:200] or "nothing"
        return [error("redis", f"no report, but: {said}", "INFO and CONFIG GET answered", "make logs S=redis")]
    return [
        *policy(report),
        *memory(report, running[0].memory),
        *room_log(report),
        *persistence(report),
        *clients(report),
        *refusals(report),
    ]


def policy(report: Report) -> list[Finding]:
    """When full, Redis refuses writes rather than evict data."""
    found = []
    if (now := report.config["maxmemory-policy"]) != "noeviction":
        found.append(
            error(
                "redis policy",
                f"maxmemory-policy {now}",
                "noeviction: rooms are not a cache",
                f"noeviction   {IN_CONF}",
            )
        )
    if evicted := report.number("evicted_keys"):
        found.append(
            error("redis policy", f"{evicted} keys forgotten for lack of memory", "0", f"noeviction   {IN_CONF}")
        )
    return found or [ok("redis policy", "noeviction, no key was forgotten")]


def memory(report: Report, container: int) -> list[Finding]:
    """Compares used memory with `maxmemory`, and `maxmemory` with the container's limit (0: none)."""
    used, maximum = report.number("used_memory"), int(report.config["maxmemory"])
    mebi = 2**20
    if not maximum:
        return [
            error(
                "redis memory",
                "no maxmemory",
                "one below REDIS_MEMORY",
                "REDIS_MAXMEMORY=256mb   in .env, then make up",
            )
        ]
    found = []
    more = f"REDIS_MAXMEMORY={2 * maximum // mebi}mb and REDIS_MEMORY={4 * maximum // mebi}m   in .env, then make up"
    share = f"{used // mebi} of {maximum // mebi} MiB used"
    if used >= maximum:
        found.append(error("redis memory", f"{share}: writes are refused", f"below {HIGH:.0%}", more))
    elif used > HIGH * maximum:
        found.append(warning("redis memory", share, f"below {HIGH:.0%}", more))
    if container and maximum > HIGH * container:
        found.append(
            warning(
                "redis memory",
                f"maxmemory of {maximum // mebi} MiB in a container of {container // mebi} MiB",
                "room for output buffers, which maxmemory does not count: the kernel kills Redis above the container's",
                f"REDIS_MEMORY={2 * maximum // mebi}m   in .env, then make up",
            )
        )
    if container and (resident := report.number("used_memory_rss")) > 0.9 * container:
        found.append(
            warning(
                "redis memory",
                f"{resident // mebi} MiB resident in a container of {container // mebi} MiB",
                "below 90%",
                f"REDIS_MEMORY={2 * container // mebi}m   in .env, then make up",
            )
        )
    return found or [ok("redis memory", share)]


def room_log(report: Report) -> list[Finding]:
    """Compares ROOM_LOG_LENGTH messages of maximum length with the memory. Short texts may fit, so this is no error."""
    longest = 4 * settings.MAX_TEXT_LENGTH + MESSAGE_BYTES  # UTF-8
    needed, room = settings.ROOM_LOG_LENGTH * longest, int(REDIS_FULL * int(report.config["maxmemory"]))
    mebi = 2**20
    if needed <= room or not room:
        return [ok("room log", f"a room of {settings.ROOM_LOG_LENGTH} longest texts fits into Redis' memory")]
    return [
        warning(
            "room log",
            f"a room of ROOM_LOG_LENGTH={settings.ROOM_LOG_LENGTH} longest texts takes {needed // mebi} MiB; "
            f"from {room // mebi} MiB on, logs of idle rooms go before their time",
            "room for one such room; several need more, and ROOM_LOG_SECONDS does not count",
            f"REDIS_MAXMEMORY={-int(-needed / REDIS_FULL // mebi)}mb and a larger REDIS_MEMORY   in .env, then make up",
        )
    ]


def persistence(report: Report) -> list[Finding]:
    """The append-only file is enabled, and writing it succeeded."""
    if report.info.get("aof_enabled") != "1":
        return [error("redis file", "no append-only file", "appendonly yes", f"appendonly yes   {IN_CONF}")]
    found = [
        error("redis file", f"{name}:{status}", "ok", "make logs S=redis; df -h; docker system df")
        for name in ("aof_last_write_status", "aof_last_bgrewrite_status")
        if (status := report.info.get(name)) != "ok"
    ]
    return found or [ok("redis file", "append-only, last write ok")]


def clients(report: Report) -> list[Finding]:
    """Redis has not disconnected or rejected any client."""
    found = []
    if _below_default(report.config["client-output-buffer-limit"]):
        found.append(
            warning(
                "redis clients",
                f"client-output-buffer-limit {report.config['client-output-buffer-limit']}",
                "for pubsub more than Redis' default: a burst cuts a worker off from every room",
                f"client-output-buffer-limit pubsub 64mb 32mb 60   {IN_CONF}",
            )
        )
    if cut := report.number("client_output_buffer_limit_disconnections"):
        found.append(
            warning(
                "redis clients",
                f"{cut} connections cut since Redis started: a worker did not read fast enough, and missed messages",
                "0",
                "make scale N=<more>; docker compose restart redis   resets the counter",
            )
        )
    if rejected := report.number("rejected_connections"):
        found.append(
            warning(
                "redis clients",
                f"{rejected} connections refused since Redis started",
                f"0; maxclients is {report.info.get('maxclients')}",
                f"maxclients 20000   {IN_CONF}",
            )
        )
    return found or [ok("redis clients", f"{report.info.get('connected_clients')}, none cut off or refused")]


def _below_default(limits: str) -> bool:
    words = limits.split()
    place = words.index("pubsub")
    hard, soft = int(words[place + 1]), int(words[place + 2])
    return any(limit and limit <= default for limit, default in zip((hard, soft), DEFAULT_PUBSUB, strict=True))


def refusals(report: Report) -> list[Finding]:
    """The ACL refused nothing."""
    fixes = {
        "auth": "docker compose up -d --force-recreate --wait   after a secret has changed",
        "cmd": "add the command in services/redis/redis-start.sh, then make up",
        "key": "add the keys (~name:*) behind ~asgi* in services/redis/redis-start.sh, then make up",
        "channel": "allow the channel again (&*) in services/redis/redis-start.sh, then make up",
    }
    found = [
        warning("redis users", f"{count} refusals by {what} since Redis started", "0", fix)
        for what, fix in fixes.items()
        if (count := report.number(f"acl_access_denied_{what}"))
    ]
    return found or [ok("redis users", "nothing was refused")]
