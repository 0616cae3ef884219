"""`make bench`: measures what was asked for, round after round, and writes what came of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from itertools import groupby
from time import monotonic
from typing import TYPE_CHECKING

from tests.bench.engine import Engine
from tests.bench.measurement import Measurement
from tests.bench.plan import Plan, Refused
from tests.bench.report import Report, line
from tests.bench.scenario import gather
from tests.bench.session import Session

if TYPE_CHECKING:
    from tests.bench.scenario import Scenario, Values
    from tests.bench.system import System


class Benchmark:
    def __init__(self, plan: Plan, engine: Engine) -> None:
        self.plan = plan
        self.engine = engine
        self.begun = monotonic()
        self.measurements: list[Measurement] = []
        self.versions: dict[str, str] = {}
        self.absent: dict[str, str] = {}  # systems, and why
        self.failed: list[str] = []
        self.again: list[str] = []  # failed once, and not the second time

    def run(self) -> None:
        self.find_systems()
        self.engine.compose("run", "--rm", "-T", "migrate")
        for turn, scenarios, way, system in self.plan.sessions():
            if system.name not in self.absent:
                self.try_twice(turn, scenarios, way, system)

    def find_systems(self) -> None:
        """tests/bench.sh, which builds them, says which it could not."""
        for system in self.plan.systems:
            if why := os.environ.get(f"ABSENT_{system.service}"):
                self.absent[system.name] = why
                self.say(f"{system.name}: not measured, {why}")

    def try_twice(self, turn: int, scenarios: tuple[Scenario, ...], way: str, system: System) -> None:
        """One session out of hundreds that does not start is no reason to lose two hours."""
        before = len(self.measurements)
        if not (fault := self.measure(turn, scenarios, way, system)):
            return
        self.failed.append(fault)
        first, self.measurements = self.measurements[before:], self.measurements[:before]
        if failed := self.measure(turn, scenarios, way, system):
            self.failed.append(failed)
            if len(self.measurements[before:]) < len(first):
                self.measurements[before:] = first
        else:
            self.failed.remove(fault)
            self.again.append(fault)

    def measure(self, turn: int, scenarios: tuple[Scenario, ...], way: str, system: System) -> str:
        """What went wrong, or nothing."""
        resuming = any(scenario.kind == "reconnect" for scenario in scenarios)
        try:
            with Session(self.engine, system, way, resuming=resuming) as session:
                self.note_versions(session)
                for crowd, same in groupby(scenarios, key=lambda scenario: scenario.crowd):
                    joining = gather(session, crowd)
                    for scenario in same:
                        before = self.before(scenario, way, system)
                        values = scenario.measure(session, self.plan.seconds, joining, before)
                        values["settled"] = session.settled
                        found = Measurement(scenario.name, way, system.name, turn, values)
                        self.measurements.append(found)
                        self.say(line(found))
                    session.load("leave")
        except (OSError, RuntimeError, subprocess.SubprocessError) as fault:
            names = ", ".join(scenario.name for scenario in scenarios)
            failure = f"{names}, {way}, {system.name}, round {turn}: {str(fault)[:1000]}"
            self.say(failure)
            return failure
        return ""

    def before(self, scenario: Scenario, way: str, system: System) -> Values | None:
        same = (scenario.name, way, system.name)
        found = (it for it in reversed(self.measurements) if (it.scenario, it.way, it.system) == same)
        return next((it.values for it in found), None)

    def note_versions(self, session: Session) -> None:
        if session.system.name not in self.versions:
            server, redis = session.parts["servers"][0], session.parts["redis"][0]
            asked = [(server, session.system.version), (redis, ("redis-server", "--version"))]
            shown = (self.engine.docker("exec", it["Id"], *command, check=False) for it, command in asked)
            self.versions[session.system.name] = ", ".join(version(text) for text in shown)

    def say(self, text: str) -> None:
        minutes, seconds = divmod(int(monotonic() - self.begun), 60)
        done = f"{len(self.measurements)}/{self.plan.measurements}"
        print(f"[{minutes:3}:{seconds:02} {done:>7}] {text}", flush=True)


def version(shown: str) -> str:
    """In one line; of Redis' own words, name and number."""
    words = " ".join(shown.split()).strip(" ,") or "unknown"
    found = re.match(r"Redis server v=(\S+)", words)
    return f"Redis {found[1]}" if found else words


def main() -> int:
    try:
        plan = Plan.asked(os.environ)
    except Refused as fault:
        print(f"bench: {fault}", file=sys.stderr)
        return 2
    engine = Engine(os.environ["COMPOSE_PROJECT_NAME"])
    benchmark = Benchmark(plan, engine)
    started = datetime.now(UTC)
    try:
        benchmark.run()
    except KeyboardInterrupt:
        benchmark.failed.append("interrupted")
    finally:
        engine.remove()
    if not benchmark.measurements:
        print("bench: nothing was measured", file=sys.stderr)
        return 1
    report = Report(
        benchmark.measurements,
        plan,
        started,
        benchmark.versions,
        benchmark.absent,
        benchmark.failed,
        benchmark.again,
    )
    print(f"\n{report.text()}")
    print(report.write())
    missed = report.missed and os.environ.get("TARGETS", "") not in {"", "0"}
    return 1 if missed or benchmark.failed else 0


if __name__ == "__main__":
    sys.exit(main())
