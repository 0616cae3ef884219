"""Runs the suites, or those named: python -m tests.upstream [channels-redis …]

A suite is a package's own tests, from its source package at the locked version, with a pytest plugin in this folder
that puts our classes in the place of the package's. expected.toml lists what fails, and why; strict.py holds the tests
to the list. The last one has our own tests of packages that we do not subclass, as far as `make test` has no time for
them.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.integration.redis_server import RedisServer, running
from tests.upstream.source import UnreachableRepository, source

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SUITE_SECONDS = 600


class Suite(NamedTuple):
    package: str
    plugin: str
    paths: list[str]
    redis_user: str = ""  # empty: needs no Redis
    repository: str = ""  # of a package that publishes its source package without its tests
    options: tuple[str, ...] = ()  # pytest's
    settings: bool = False  # our classes read them


# What our settings demand. No suite that reads them connects to anything.
SETTINGS = {
    "DJANGO_SETTINGS_MODULE": "app.settings",
    "PUBLIC_URL": "http://localhost",
    **dict.fromkeys(("SECRET_KEY", "REDIS_URL", "REDIS_PASSWORD"), "unused"),
}
# Not their test_sentinel.py and test_pubsub_sentinel.py: the stack has no Sentinel.
CHANNELS_REDIS = [f"tests/test_{name}.py" for name in ("core", "pubsub", "serializers", "utils")]
# Not their test_checks.py and test_packaging.py: of Django's checks, and of how the package is installed.
DAPHNE = [
    f"tests/test_{name}.py" for name in ("cli", "http_protocol", "http_request", "http_response", "utils", "websocket")
]
SUITES = {
    "channels": Suite(
        "channels",
        "with_our_memory_layer",
        [f"tests/test_{name}.py" for name in ("inmemorychannel", "layers", "generic_websocket")],
        repository="https://github.com/django/channels",
    ),
    "channels-redis": Suite("channels-redis", "with_our_layers", CHANNELS_REDIS, redis_user="admin"),
    "channels-redis-acl": Suite("channels-redis", "with_our_layers", CHANNELS_REDIS, redis_user="app"),
    "daphne": Suite("daphne", "with_our_daphne", DAPHNE, settings=True),
    "uvicorn": Suite(
        "uvicorn",
        "with_our_uvicorn",
        ["tests/protocols/test_websocket.py"],
        # Each test comes once for each pair of classes; ours is one. Its own options are for eight processes.
        options=("-k", "httptools and not wsproto", "-o", "addopts="),
        settings=True,
    ),
}
THIRD_PARTY = "third-party"


def run(name: str, redis: RedisServer | None) -> bool:
    if name == THIRD_PARTY:
        print(f"\nupstream: {name}", flush=True)
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-m", "upstream", "tests/third_party"]
        return passes(command, ROOT, {**os.environ})
    suite = SUITES[name]
    folder = source(suite.package, suite.repository)
    environment = {
        **os.environ,
        "PYTHONPATH": f"{HERE}{os.pathsep}{ROOT}",
        "UPSTREAM_SUITE": name,
        "UPSTREAM_EXPECTED": str(HERE / "expected.toml"),
        **(SETTINGS if suite.settings else {}),
    }
    if redis and suite.redis_user:
        environment["UPSTREAM_REDIS_ADMIN"] = redis.admin_url
        environment["UPSTREAM_REDIS"] = (
            redis.admin_url if suite.redis_user == "admin" else redis.url.replace("app@", f"app:{redis.password}@")
        )
    # The tests run with the settings of the package's own folder. A package `tests` there would hide ours, so the
    # plugins are found by their own names.
    command = [sys.executable, "-m", "pytest", "--rootdir", ".", "-p", "strict", "-p", suite.plugin]
    command += ["-p", "no:cacheprovider", "-W", "ignore:Unknown config option"]
    command += ["-o", "asyncio_default_fixture_loop_scope=function", "--quiet", "-rfE", *suite.options, *suite.paths]
    print(f"\nupstream: {name}: {folder.name}", flush=True)
    return passes(command, folder, environment)


def passes(command: list[str], folder: Path, environment: dict[str, str], seconds: float = SUITE_SECONDS) -> bool:
    """Whether it does within that time. What it has started and left running is killed in any case."""
    with subprocess.Popen(command, cwd=folder, env=environment, start_new_session=True) as tests:
        try:
            return tests.wait(seconds) == 0
        except subprocess.TimeoutExpired:
            print(f"upstream: still running after {seconds:g} s", flush=True)
            return False
        finally:
            with suppress(ProcessLookupError):
                os.killpg(tests.pid, signal.SIGKILL)


@contextmanager
def redis_for(names: list[str]) -> Iterator[RedisServer | None]:
    if not any(name in SUITES and SUITES[name].redis_user for name in names):
        yield None
        return
    with running() as server:
        yield server


def main() -> None:
    known = [*SUITES, THIRD_PARTY]
    names = sys.argv[1:] or known
    if unknown := [name for name in names if name not in known]:
        sys.exit(
            f"upstream: found:    no suite {' '.join(unknown)}\n"
            f"upstream: expected: {' '.join(known)}\n"
            f"upstream: fix:      make test-upstream S={next(iter(SUITES))}"
        )
    outcomes: dict[str, list[str]] = {"ok": [], "FAILED": [], "SKIPPED": []}
    with redis_for(names) as redis:
        for name in names:
            try:
                outcomes["ok" if run(name, redis) else "FAILED"].append(name)
            except UnreachableRepository as fault:
                outcomes["SKIPPED"].append(f"{name} (cannot fetch {fault})")
    print()
    for outcome, suites in outcomes.items():
        if suites:
            print(f"upstream: {outcome:<7} {', '.join(suites)}")
    sys.exit(bool(outcomes["FAILED"]))


if __name__ == "__main__":
    main()
