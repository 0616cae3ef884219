"""python -m deploy.doctor [--live] < facts: prints a line for each finding, with its fields separated as in finding.py.

With --live, runs in a container of the running stack. Without, runs in a container that has only the database's volume.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import django
from django.conf import settings

from deploy.doctor import containers, data, facts, redis

if TYPE_CHECKING:
    from deploy.doctor.finding import Finding

# The checks that fail as well if the data are damaged.
CONSEQUENCES = {"containers", "database", "redis", "channel layer", "readiness", "handshake"}


def main() -> None:
    told = facts.parse(sys.stdin.read())
    django.setup()
    default = settings.DATABASES["default"]
    causes = data.redis(told)
    if default["ENGINE"] == "django.db.backends.sqlite3":
        causes += data.database(told, Path(str(default["NAME"])))
    say(causes)
    if told.containers:
        checks = [containers.states, containers.numbers, containers.restarts, containers.drift, containers.descriptors]
        for check in [*checks, redis.judge]:
            say(explained(check(told), causes))
    if "--live" in sys.argv[1:]:
        from deploy.doctor import live  # a container outside of the stack does not need it

        say(explained(asyncio.run(live.every(told)), causes))


def explained(findings: list[Finding], causes: list[Finding]) -> list[Finding]:
    """If the data are damaged, makes findings that follow from that point to the data's fix."""
    cause = next((finding for finding in causes if finding.level == "error"), None)
    if cause is None:
        return findings
    fix = f"as for {cause.check}: {cause.fix}"
    return [
        replace(finding, fix=fix)
        if finding.check in CONSEQUENCES and finding.level == "error" and "unpause" not in finding.fix
        else finding
        for finding in findings
    ]


def say(findings: list[Finding]) -> None:
    """Prints findings at once, so that a later crash does not lose them."""
    for finding in findings:
        print(finding.line(), flush=True)


if __name__ == "__main__":
    main()
