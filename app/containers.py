"""What each container needs of its limits: rules between variables that containers meet, not settings.

Measured on 2026-11-29 (engine 20.10, x86-64, the stand-in base images) by lowering a limit until a container did not
become or stay healthy; each number has some room above that.
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
    """In MiB, and in processes and threads."""

    memory: int
    pids: int
    each_memory: int = 0  # of gunicorn's worker processes
    each_pids: int = 0


# Processes and threads: Redis has 6, Daphne 6, nginx 4 and two more while it reloads, gunicorn 1 and 6 for each
# worker, which starts more threads for requests that come at once. What the engine runs in a container for a health
# check takes up to 8 for a moment. Memory at rest: Redis 4, Daphne 77, nginx 11, gunicorn 25 and 50 for each worker.
NEEDS = {
    "redis": Needs(memory=16, pids=16),
    "migrate": Needs(memory=96, pids=16),
    "web": Needs(memory=64, pids=12, each_memory=52, each_pids=7),
    "daphne": Needs(memory=96, pids=16),
    "uvicorn": Needs(memory=112, pids=20),
    "nginx": Needs(memory=32, pids=16),
}
# Of REDIS_MAXMEMORY, beside the above. 128mb of texts of 3,900 characters took 210 MiB while the append-only file was
# rewritten: the allocator's gaps, and copies of the pages that are written meanwhile.
REDIS_SHARE = 1.6
REDIS_LEAST = 8  # MiB of REDIS_MAXMEMORY


def contradictions(model: Mapping[str, Any]) -> list[str]:
    """`model` is the resolved project, as `docker compose config --format json` has it."""
    return [
        fault
        for name, service in model["services"].items()
        for rule in (_redis, _memory, _pids)
        for fault in rule(name, service)
    ]


def _limit(service: Mapping[str, Any], key: str) -> int | None:
    """None is no limit, which an overlay may say."""
    value = int(service.get(key) or 0)
    return value if value > 0 else None


def _workers(service: Mapping[str, Any]) -> int:
    return int((service.get("environment") or {}).get("WEB_CONCURRENCY") or 0)


def _memory(name: str, service: Mapping[str, Any]) -> Iterator[str]:
    if (limit := _limit(service, "mem_limit")) is None or name not in NEEDS or name == "redis":
        return
    needs = NEEDS[name]
    needed = needs.memory + needs.each_memory * _workers(service)
    if limit < needed * MEBI:
        yield f"{_variable(name)}_MEMORY: {limit // MEBI} MiB {_too_few(name, service)} Set it to {needed}m or more."


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
        yield f"REDIS_MAXMEMORY: {said} hold nothing. Set it to {REDIS_LEAST}mb or more."
    limit = _limit(service, "mem_limit")
    needed = NEEDS["redis"].memory + -int(-maximum * REDIS_SHARE // MEBI)
    if limit is not None and limit < needed * MEBI:
        yield (
            f"REDIS_MAXMEMORY: {said} do not fit into REDIS_MEMORY, {limit // MEBI} MiB: above that the kernel kills "
            f"Redis. Set REDIS_MEMORY to {needed}m or more, or REDIS_MAXMEMORY to less."
        )


def _redis_bytes(text: str) -> int:
    number, unit = re.fullmatch(r"(\d+)([a-z]+)", text).groups()  # type: ignore[union-attr]  # app/env.py has checked it
    return int(number) * REDIS_UNITS[unit]
