"""The dated result: on what machine, of what versions, with which command, and the table."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tests import machine
from tests.chaos.result import table

if TYPE_CHECKING:
    from tests.chaos.result import Result

PAGE = """\
# Faults under load, {day}

Clients in rooms of 20 talk through nginx all the time; what they received says what was lost, repeated,
misordered, or acknowledged and absent. Recovery is each client's own: from the end of the fault until it had
everything that was acknowledged, or from its lost socket until it had caught up. [testing.md](../testing.md)
says more, and each file of `tests/chaos` its promise.

{facts}

{table}
{broken}"""


def document(results: list[Result], ended_early: list[str]) -> str:
    broken = "".join(f"\n- {result.fault}: {'; '.join(result.broken)[:1000]}" for result in results if result.broken)
    broken += "".join(f"\n- {fault}: the test ended without a result" for fault in ended_early)
    return PAGE.format(
        day=datetime.now(UTC).date(),
        facts=machine.table(machine.facts()),
        table=table(results),
        broken=f"\nNot kept:\n{broken}\n" if broken else "",
    )
