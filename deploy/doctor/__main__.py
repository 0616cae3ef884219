"""python -m deploy.doctor [--live] < facts: a line for each finding, its fields apart as in finding.py.

With --live in a container of the running stack; without, anywhere, only what the facts tell is judged.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from deploy.doctor import containers, facts, redis

if TYPE_CHECKING:
    from deploy.doctor.finding import Finding


def main() -> None:
    told = facts.parse(sys.stdin.read())
    checks = [containers.states, containers.numbers, containers.restarts, containers.drift, containers.descriptors]
    for check in [*checks, redis.judge]:
        say(check(told))
    if "--live" in sys.argv[1:]:
        import django

        django.setup()
        from deploy.doctor import live  # reads the settings, which only a container of the stack has

        say(asyncio.run(live.every(told)))


def say(findings: list[Finding]) -> None:
    """At once, so that what breaks off later takes none along."""
    for finding in findings:
        print(finding.line(), flush=True)


if __name__ == "__main__":
    main()
