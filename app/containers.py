"""Checks the containers' limits of memory and processes against what each container needs.

Measured on 2026-11-29 (engine 20.10, x86-64, the stand-in base images) by lowering a limit until a container did not
become or stay healthy. Each number has some margin above that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MEBI = 2**20
# Redis reads m as a million and mb as 2^20: https://redis.io/docs/latest/operate/oss_and_stack/management/config/
REDIS_UNITS = {"b": 1, "k": 1000, "kb": 2**10, "m": 1000**2, "mb": 2**20, "g": 1000**3, "gb": 2**30}


@dataclass(frozen=True)
class Needs:
    """Memory in MiB; pids in processes and threads."""

    memory: int
    pids: int
    each_memory: int = 0  # for each of gunicorn's worker processes
    each_pids: int = 0


# Processes and threads: Redis has 6, Daphne 6, nginx 4 and two more while it reloads, gunicorn 1 plus 6 for each
# worker. Workers start more threads for simultaneous requests. A health check in a container briefly takes up to 8.
# Memory when idle, in MiB: Redis 4, Daphne 77, nginx 11, gunicorn 25 plus 50 for each worker.
NEEDS = {
    "redis": Needs(memory=16, pids=16),
    "migrate": Needs(memory=96, pids=16),
    "web": Needs(memory=64, pids=12, each_memory=52, each_pids=7),
    "daphne": Needs(memory=96, pids=16),
    "uvicorn": Needs(memory=112, pids=20),
    "nginx": Needs(memory=32, pids=16),
}
# Memory that Redis needs besides the above, as a multiple of REDIS_MAXMEMORY. 128mb of texts of 3,900 characters took
# 210 MiB while the append-only file was rewritten, for fragmentation and for copies of the pages written meanwhile.
REDIS_SHARE = 1.6
REDIS_LEAST = 8  # MiB of REDIS_MAXMEMORY
# Above this share of REDIS_MAXMEMORY the logs of idle rooms are removed (MyChannels/log/stream.py).
REDIS_FULL = 0.8
# The memory for a message of one character: its log entry, its idempotency key, and that key's entry in their order.
MESSAGE_BYTES = 190
# A worker needs up to ten times the size of a text while it reads it: with one emoji in it, Python uses four bytes for
# each character. Measured with 16 MiB on Daphne: 48 MiB for letters alone, 160 MiB with an emoji.
WORKER_SHARE = 10
# The most containers of a service that the stack works with. Two Redis containers would write to the same volume.
MOST = {"redis": 1, "migrate": 1, "nginx": 1}


def contradictions(model: Mapping[str, Any]) -> list[str]:
    """`model` is the resolved project, as `docker compose config --format json` prints it."""
    services = model["services"]
    rules = (_redis, _memory, _pids, _replicas)
    found = [fault for name, service in services.items() for rule in rules for fault in rule(name, service)]
    return [*found, *_room_log(services)]


def replicas(service: Mapping[str, Any]) -> int:
    """How many containers Compose starts. Compose refuses two different numbers."""
    said = [service.get("scale"), (service.get("deploy") or {}).get("replicas")]
    return next((int(number) for number in said if number is not None), 1)


def _replicas(name: str, service: Mapping[str, Any]) -> Iterator[str]:
    if name not in NEEDS:
        return
    number, most = replicas(service), MOST.get(name)
    if number < 1 or (most and number > most):
        expected = "1" if most else "1 or more"
        yield f"{name}: Compose would start {number} of it, and the stack needs {expected}. Change that in the overlay."


def _limit(service: Mapping[str, Any], key: str) -> int | None:
    """None means no limit, which an overlay may set. Compose has two keys for each limit, and refuses two numbers."""
    under_deploy = ((service.get("deploy") or {}).get("resources") or {}).get("limits") or {}
    value = int(service.get(key) or under_deploy.get({"mem_limit": "memory", "pids_limit": "pids"}[key]) or 0)
    return value if value > 0 else None


def _workers(service: Mapping[str, Any]) -> int:
    return _number(service, "WEB_CONCURRENCY")


def _number(service: Mapping[str, Any], variable: str) -> int:
    return int((service.get("environment") or {}).get(variable) or 0)


def _memory(name: str, service: Mapping[str, Any]) -> Iterator[str]:
    if (limit := _limit(service, "mem_limit")) is None or name not in NEEDS or name == "redis":
        return
    needs = NEEDS[name]
    needed = needs.memory + needs.each_memory * _workers(service)
    if limit < needed * MEBI:
        yield f"{_variable(name)}_MEMORY: {limit // MEBI} MiB {_too_few(name, service)} Set it to {needed}m or more."
        return
    message = _number(service, "MAX_MESSAGE_BYTES")
    needed += message * WORKER_SHARE // MEBI
    if name in ("daphne", "uvicorn") and limit < needed * MEBI:
        variable = f"{_variable(name)}_MEMORY"
        yield (
            f"MAX_MESSAGE_BYTES: one message of {message} does not fit into {variable}, {limit // MEBI} MiB: a worker "
            f"needs up to {WORKER_SHARE} times its size to read it. Set {variable} to {needed}m or more, or "
            "MAX_MESSAGE_BYTES to less."
        )


def _pids(name: str, service: Mapping[str, Any]) -> Iterator[str]:
    if (limit := _limit(service, "pids_limit")) is None or name not in NEEDS:
        return
    needs = NEEDS[name]
    needed = needs.pids + needs.each_pids * _workers(service)
    if limit < needed:
        yield f"{_variable(name)}_PIDS: {limit} {_too_few(name, service)} Set it to {needed} or more."


def _too_few(name: str, service: Mapping[str, Any]) -> str:
    workers = _workers(service)
    return f"are too few for {name}{f' with WEB_CONCURRENCY {workers}' if workers else ''}."


def _variable(name: str) -> str:
    return {"migrate": "WEB"}.get(name, name.upper())


def _redis(name: str, service: Mapping[str, Any]) -> Iterator[str]:
    said = (service.get("environment") or {}).get("REDIS_MAXMEMORY")
    if name != "redis" or said is None:
        return
    maximum = _redis_bytes(said)
    if maximum < REDIS_LEAST * MEBI:
        yield f"REDIS_MAXMEMORY: {said} is too small to hold anything. Set it to {REDIS_LEAST}mb or more."
    limit = _limit(service, "mem_limit")
    needed = NEEDS["redis"].memory + -int(-maximum * REDIS_SHARE // MEBI)
    if limit is not None and limit < needed * MEBI:
        yield (
            f"REDIS_MAXMEMORY: {said} do not fit into REDIS_MEMORY, {limit // MEBI} MiB: above that the kernel kills "
            f"Redis. Set REDIS_MEMORY to {needed}m or more, or REDIS_MAXMEMORY to less."
        )


def _room_log(services: Mapping[str, Any]) -> Iterator[str]:
    """Checks short messages only. Fewer long texts may fit; `make doctor` reports that."""
    said = (services.get("redis", {}).get("environment") or {}).get("REDIS_MAXMEMORY")
    length = max((_number(service, "ROOM_LOG_LENGTH") for service in services.values()), default=0)
    if said is None or length * MESSAGE_BYTES <= REDIS_FULL * _redis_bytes(said):
        return
    needed = -int(-length * MESSAGE_BYTES / REDIS_FULL // MEBI)
    yield (
        f"ROOM_LOG_LENGTH: {length} messages of one room do not fit into REDIS_MAXMEMORY, {said}, however short "
        f"they are. Set REDIS_MAXMEMORY to {needed}mb or more, or ROOM_LOG_LENGTH to less."
    )


def _redis_bytes(text: str) -> int:
    number, unit = re.fullmatch(r"(\d+)([a-z]+)", text).groups()  # type: ignore[union-attr]  # app/env.py has checked it
    return int(number) * REDIS_UNITS[unit]
