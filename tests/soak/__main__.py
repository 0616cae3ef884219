"""Churn on a stack of its own, from a clean start, and a verdict on what had grown by it.

python -m tests.soak MINUTES REPORT    by way of tests/soak.sh; nothing else should run on the machine
"""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from tests.chaos.trial import logged
from tests.soak import report
from tests.soak.churn import Churn, passing
from tests.soak.gauges import Gauges, Sample
from tests.soak.verdict import Change, at_rest, growth, shown, under_load
from tests.stack.clone import Clone, remove_interrupted

# A log that is full within a minute does not grow from then on.
SETTINGS = {"ROOM_LOG_LENGTH": "100"}
SAMPLES = 45  # at least, and one in ten seconds at least
FIRST_SECONDS = 15.0  # of churn before the first rest: pools, threads and the rooms' keys are there then
# The keys of a quiet room are kept for a minute: by then there are as many as there will be.
LEVEL_SECONDS = 75.0
REST_SECONDS = 120.0  # and by then there are none any more
PROGRESS = 20  # lines


def say(text: str) -> None:
    print(f"soak: {text}", flush=True)


async def rest(gauges: Gauges) -> Sample:
    """The first sample in which nobody is anywhere."""
    deadline = monotonic() + REST_SECONDS
    while True:
        sample = await asyncio.to_thread(gauges.sample)
        if not any(value for (_, what), value in sample.values.items() if what in ("rooms", "members")):
            return sample
        if monotonic() > deadline:
            return sample
        await asyncio.sleep(1)  # until the next sample, no longer than REST_SECONDS in all


async def rest_again(gauges: Gauges, before: Sample) -> list[Change]:
    """When all is as it was before, or is not within the time."""
    deadline = monotonic() + REST_SECONDS
    while True:
        changes = at_rest(before, await asyncio.to_thread(gauges.sample))
        if not any(change.grew for change in changes) or monotonic() > deadline:
            return changes
        await asyncio.sleep(2)  # as above


async def watch(gauges: Gauges, churn: Churn, seconds: float, samples: list[Sample]) -> None:
    say(f"{LEVEL_SECONDS:g} s until what is kept for a minute has come to its level")
    await passing(churn.enough, LEVEL_SECONDS, LEVEL_SECONDS)
    begun = told = monotonic()
    while not churn.enough.is_set():
        samples.append(await asyncio.to_thread(gauges.sample))
        if monotonic() - told >= seconds / PROGRESS:
            told = monotonic()
            say(line(told - begun, seconds, churn, samples[-1]))
        await asyncio.sleep(min(10.0, seconds / SAMPLES))


def line(passed: float, seconds: float, churn: Churn, sample: Sample) -> str:
    members = sum(value for (_, what), value in sample.values.items() if what == "members")
    held = [
        f"{part} {shown(what, value)}" for (part, what), value in sample.values.items() if what in ("memory", "keys")
    ]
    faults = sum(churn.tally.faults.values())
    return (
        f"{passed / 60:.1f} of {seconds / 60:g} min, {members:.0f} members, {churn.tally.visits} visits, "
        f"{churn.tally.acknowledged} messages, {faults} faults; {', '.join(held)} keys"
    )


async def soak(stack: Clone, minutes: float, path: Path) -> list[str]:
    """What was not kept."""
    started = datetime.now(UTC)
    gauges = Gauges(stack)
    say("a first wave, and a first rest")
    first = Churn(stack, quiet=0)
    await first.go_on(FIRST_SECONDS)
    before = await rest(gauges)
    churn, samples = Churn(stack), list[Sample]()
    async with asyncio.TaskGroup() as both:
        both.create_task(churn.go_on(LEVEL_SECONDS + 60 * minutes))
        both.create_task(watch(gauges, churn, 60 * minutes, samples))
    say("everybody has left; the second rest")
    rested = await rest_again(gauges, before)
    loaded = under_load(samples)
    lines = await asyncio.to_thread(logged, stack, started)
    broken = [
        *first.tally.broken,
        *churn.tally.broken,
        *growth(loaded, "under load"),
        *growth(rested, "at rest"),
        *gauges.restarted(),
        *(found for found in lines if "Traceback (most recent call last)" in found),
    ]
    report.write(path, minutes, samples, loaded, rested, churn.tally, broken)
    return broken


def main(minutes: float, path: Path) -> int:
    remove_interrupted()
    stack = Clone().copy()
    try:
        say("a fresh clone, make up")
        stack.run("deploy/configure.sh")
        layer = {name: os.environ[name] for name in ("CHANNEL_LAYER",) if name in os.environ}
        stack.set(**SETTINGS, **layer)
        stack.make("up")
        broken = asyncio.run(soak(stack, minutes, path))
    finally:
        stack.purge()
    for fault in broken:
        say(fault)
    say("FAILED: the above was not kept" if broken else "nothing grew, and nothing was lost")
    print(path)
    return bool(broken)


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), Path(sys.argv[2])))
