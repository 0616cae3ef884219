"""Limits below what a container has to hold are faults."""

from typing import Any

import pytest

from app.containers import NEEDS, contradictions

MEBI = 2**20


def model(**services: dict[str, Any]) -> dict[str, Any]:
    return {"services": services}


def redis(maximum: str, memory: int, **more: Any) -> dict[str, Any]:
    return {"environment": {"REDIS_MAXMEMORY": maximum}, "mem_limit": str(memory * MEBI), **more}


def web(workers: int, memory: int, pids: int) -> dict[str, Any]:
    return {"environment": {"WEB_CONCURRENCY": str(workers)}, "mem_limit": str(memory * MEBI), "pids_limit": pids}


@pytest.mark.parametrize(
    ("maximum", "memory"), [("256mb", 512), ("300mb", 512), ("64mb", 128), ("1gb", 2048), ("16777216b", 64)]
)
def test_redis_has_room_for_what_it_may_hold(maximum: str, memory: int) -> None:
    assert contradictions(model(redis=redis(maximum, memory))) == []


@pytest.mark.parametrize(("maximum", "memory"), [("400mb", 128), ("512mb", 512), ("256mb", 64), ("2gb", 512)])
def test_what_redis_may_hold_has_to_fit_into_its_container(maximum: str, memory: int) -> None:
    [fault] = contradictions(model(redis=redis(maximum, memory)))
    assert fault.startswith(f"REDIS_MAXMEMORY: {maximum} ")
    assert "REDIS_MEMORY" in fault


def test_redis_has_to_hold_something() -> None:
    [fault] = contradictions(model(redis=redis("64k", 512)))
    assert fault.startswith("REDIS_MAXMEMORY: 64k ")


def test_redis_own_units_count() -> None:
    """300m are 300,000,000 bytes for Redis, 300mb are 5 % more; for the engine both are 300 MiB."""
    assert contradictions(model(redis=redis("310m", 512))) == []
    assert contradictions(model(redis=redis("311mb", 512))) != []


@pytest.mark.parametrize(("workers", "memory", "pids"), [(2, 768, 128), (13, 768, 128), (16, 1024, 128), (1, 128, 32)])
def test_workers_that_fit_are_accepted(workers: int, memory: int, pids: int) -> None:
    assert contradictions(model(web=web(workers, memory, pids))) == []


@pytest.mark.parametrize(
    ("workers", "memory", "pids", "named"),
    [(24, 768, 256, "WEB_MEMORY"), (16, 1024, 16, "WEB_PIDS"), (2, 96, 128, "WEB_MEMORY"), (2, 768, 8, "WEB_PIDS")],
)
def test_workers_that_do_not_fit_are_a_fault(workers: int, memory: int, pids: int, named: str) -> None:
    [fault] = contradictions(model(web=web(workers, memory, pids)))
    assert fault.startswith(f"{named}: ")
    assert f"WEB_CONCURRENCY {workers}" in fault


@pytest.mark.parametrize("service", sorted(NEEDS.keys() - {"redis", "migrate"}))
def test_every_container_needs_room_to_start(service: str) -> None:
    faults = contradictions(model(**{service: {"mem_limit": str(16 * MEBI), "pids_limit": 8}}))
    assert [fault.split(":")[0] for fault in faults] == [f"{service.upper()}_MEMORY", f"{service.upper()}_PIDS"]


def worker(message: int, memory: int, **more: Any) -> dict[str, Any]:
    return {"environment": {"MAX_MESSAGE_BYTES": str(message)}, "mem_limit": str(memory * MEBI), **more}


@pytest.mark.parametrize("service", ["daphne", "uvicorn"])
def test_one_message_has_to_fit_into_a_worker(service: str) -> None:
    assert contradictions(model(**{service: worker(16 * MEBI, 512)})) == []
    assert contradictions(model(**{service: worker(65536, 128)})) == []
    [fault] = contradictions(model(**{service: worker(16 * MEBI, 192)}))
    assert fault.startswith("MAX_MESSAGE_BYTES: ")
    assert f"{service.upper()}_MEMORY" in fault
    [fault] = contradictions(model(**{service: worker(16 * MEBI, 64)}))
    assert fault.startswith(f"{service.upper()}_MEMORY: "), "one fault at a time"


@pytest.mark.parametrize(
    ("length", "maximum", "fits"),
    [
        (None, "8mb", True),
        (10_000, "8mb", True),
        (1_000_000, "256mb", True),
        (1_000_000, "200mb", False),
        (100_000, "16mb", False),
    ],
)
def test_one_room_of_short_messages_has_to_fit_into_redis(length: int | None, maximum: str, fits: bool) -> None:
    environment = {} if length is None else {"ROOM_LOG_LENGTH": str(length)}
    faults = contradictions(model(daphne={"environment": environment}, redis=redis(maximum, 512)))
    assert [fault.split(":")[0] for fault in faults] == ([] if fits else ["ROOM_LOG_LENGTH"])


@pytest.mark.parametrize("said", [{"scale": 0}, {"deploy": {"replicas": 0}}])
@pytest.mark.parametrize("service", sorted(NEEDS))
def test_a_stack_needs_one_of_each(service: str, said: dict[str, Any]) -> None:
    [fault] = contradictions(model(**{service: said}))
    assert fault.startswith(f"{service}: ")


@pytest.mark.parametrize("service", ["redis", "migrate", "nginx"])
def test_of_what_has_a_volume_or_a_port_of_its_own_there_is_one(service: str) -> None:
    [fault] = contradictions(model(**{service: {"deploy": {"replicas": 2}}}))
    assert fault.startswith(f"{service}: ")


def test_other_services_may_have_as_many_as_they_like() -> None:
    assert contradictions(model(web={"scale": 3}, daphne={"deploy": {"replicas": 9}}, other={"scale": 0})) == []


def test_limits_under_deploy_count() -> None:
    limits = {"deploy": {"resources": {"limits": {"memory": str(64 * MEBI), "pids": 8}}}}
    faults = contradictions(model(daphne=limits))
    assert [fault.split(":")[0] for fault in faults] == ["DAPHNE_MEMORY", "DAPHNE_PIDS"]


def test_a_container_without_limits_contradicts_nothing() -> None:
    assert contradictions(model(redis=redis("10gb", 0, pids_limit=-1), web={"environment": {}}, other={})) == []
