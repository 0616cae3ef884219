"""`make flame`: where one worker's time goes while a scenario of the benchmark runs, as a flame graph and a table.

With the names of flame graphs it reads them, and prints their table.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING

from tests.bench.engine import ROOT, Engine
from tests.bench.graph import Graph, table
from tests.bench.measurement import Measurement
from tests.bench.plan import Plan, Refused
from tests.bench.report import line
from tests.bench.scenario import gather
from tests.bench.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.bench.scenario import Scenario, Values
    from tests.bench.system import System

DEFAULTS = {"SCENARIO": "1x100", "SYSTEM": "ours-daphne", "WAY": "direct", "WINDOW": "20"}
RATE = 250  # samples a second: each stops the worker for a moment
STARTING_SECONDS = 30.0
DRAWN = "/tmp/flame.svg"  # noqa: S108  # in a container of its own


@contextmanager
def recorded(engine: Engine, container: str, to: Path) -> Iterator[None]:
    """All of a container's processes, by one beside it. A sample counts where a thread can run, in the kernel too:
    to ask who holds the interpreter's lock instead would leave out the kernel's sends, most of what is done."""
    recorder = engine.docker(
        "run",
        "--detach",
        f"--label=com.docker.compose.project={engine.project}",  # so that it goes with the others
        f"--pid=container:{container}",
        "--cap-add=SYS_PTRACE",
        "--user=root",
        os.environ["TESTS_IMAGE"],
        *("sh", "-c", 'exec "$@" 2>&1', "sh"),
        *("py-spy", "record", "--pid=1", "--subprocesses", "--nolineno", f"--rate={RATE}", f"--output={DRAWN}"),
    ).strip()

    def said() -> str:
        return engine.docker("logs", recorder)

    deadline = monotonic() + STARTING_SECONDS
    while "Sampling process" not in said():
        running = engine.docker("inspect", "--format={{.State.Running}}", recorder).strip() == "true"
        if not running or monotonic() > deadline:
            raise RuntimeError(f"py-spy: expected it to sample, received:\n{said()}")
        sleep(0.1)
    yield
    engine.docker("kill", "--signal=INT", recorder)
    if engine.docker("wait", recorder).strip() != "0":
        raise RuntimeError(f"py-spy: expected a flame graph, received:\n{said()}")
    to.parent.mkdir(parents=True, exist_ok=True)
    engine.docker("cp", f"{recorder}:{DRAWN}", str(to))


def record(engine: Engine, plan: Plan, to: Path) -> Graph:
    _, (scenario,), way, system = next(plan.sessions())
    with Session(engine, system, way, resuming=scenario.kind == "reconnect") as session:
        recording = recorded(engine, session.parts["servers"][0]["Id"], to)
        if scenario.kind == "join":
            with recording:
                joining = gather(session, scenario.crowd)
            values = scenario.measure(session, plan.seconds, joining)
        else:
            joining = gather(session, scenario.crowd)
            values = scenario.measure(session, plan.seconds, joining)  # while nothing stops the worker
            with recording:
                scenario.measure(session, plan.seconds, joining)
    values["settled"] = session.settled
    print(line(Measurement(scenario.name, way, system.name, 1, values)))
    graph = Graph.read(to).finished(title(scenario, system, way, values))
    to.write_text(graph.drawing)
    return graph


def title(scenario: Scenario, system: System, way: str, values: Values) -> str:
    what = next(name for name in ("delivery", "join") if f"cpu_us_per_{name}" in values)
    cost = values[f"cpu_us_per_{what}"] - values[f"redis_us_per_{what}"]
    return f"{system.title}, {scenario.title}, {way}: {cost:.2f} µs of the workers' processors for each {what}"


def asked(environment: Mapping[str, str]) -> Plan:
    plan = Plan.asked({**DEFAULTS, **environment, "ROUNDS": "1"})
    if plan.measurements != 1:
        raise Refused("expected one SCENARIO, one SYSTEM and one WAY, received several")
    if not plan.systems[0].name.startswith("ours-"):
        raise Refused(f"SYSTEM: expected ours-daphne or ours-uvicorn, received {plan.systems[0].name}")
    return plan


def main(graphs: list[str]) -> int:
    if graphs:
        print(table({Path(name).stem: Graph.read(Path(name)) for name in graphs}))
        return 0
    try:
        plan = asked(os.environ)
    except Refused as fault:
        print(f"flame: {fault}", file=sys.stderr)
        return 2
    name = f"{plan.scenarios[0].name}-{plan.systems[0].name}"
    to = ROOT / (os.environ.get("TO") or f"reports/flame/{name}.svg")
    engine = Engine(os.environ["COMPOSE_PROJECT_NAME"])
    try:
        engine.compose("run", "--rm", "-T", "migrate")
        graph = record(engine, plan, to)
    except (OSError, RuntimeError, ValueError, subprocess.SubprocessError) as fault:
        print(f"flame: {fault}", file=sys.stderr)
        return 1
    finally:
        engine.remove()
    print(f"{graph.title}, of {graph.samples} samples\n\n{table({to.stem: graph})}\n\n{to.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
