"""What clients do, and what is measured of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import uuid4

if TYPE_CHECKING:
    from tests.bench.meter import Usage
    from tests.bench.session import Session

Values = dict[str, Any]

CALMLY, TRIES = 50, 5  # on their way into a room at a time, where joining is not what is measured
WARM_SECONDS = 1.0
PATIENCE = 30.0  # for what was said to be delivered
KEPT_SECONDS = 0.5  # after the last sending, if nothing queues
STEP_SECONDS = 3.0
FIRST_RATE, MOST_RATE = 8.0, 2048.0
BISECTIONS = 3  # from a factor of 2 to one of 1.09
MISSED = 5  # messages in each room, while its members are away


@dataclass(frozen=True)
class Crowd:
    rooms: int
    each: int
    storm: bool = False  # all come at once, and may be refused
    speakers: bool = False

    @property
    def size(self) -> int:
        return self.rooms * self.each


@dataclass(frozen=True)
class Scenario(ABC):
    name: str
    title: str
    crowd: Crowd

    kind: ClassVar[str]

    @abstractmethod
    def measure(self, session: Session, seconds: float, joining: Values, before: Values | None = None) -> Values:
        """`joining` is what gather() said, `before` what an earlier round measured of the same."""


def gather(session: Session, crowd: Crowd) -> Values:
    """Lets the crowd join, and says what that cost until all is quiet again."""
    before = session.usage()
    result = session.load(
        "join",
        room=f"bench-{uuid4().hex[:8]}",
        rooms=crowd.rooms,
        each=crowd.each,
        at_once=crowd.size if crowd.storm else CALMLY,
        tries=1 if crowd.storm else TRIES,
        speakers=crowd.speakers,
    )
    session.settle()
    return {**result, **spent(before, session.usage(), result["joined"], "join")}


def spent(before: dict[str, Usage], after: dict[str, Usage], times: int, what: str) -> Values:
    """Microseconds of processor time of each part, for each of so many deliveries or joins; and what others took."""
    used = {name: (after[name] - before[name]).processor for name in after}
    each = {name: used[name] * 1e6 / times if times else inf for name in ("servers", "redis", "nginx")}
    others = used["machine"] - sum(used[name] for name in ("servers", "redis", "nginx", "generator"))
    return {
        f"cpu_us_per_{what}": each["servers"] + each["redis"],
        f"redis_us_per_{what}": each["redis"],
        f"nginx_us_per_{what}": each["nginx"],
        f"all_us_per_{what}": sum(each.values()),
        "others_share": others / used["time"] if used["time"] else 0.0,
    }


def talk(session: Session, rate: float, seconds: float, **options: Any) -> Values:
    before = session.usage()
    result = session.load("talk", rate=rate, seconds=seconds, patience=PATIENCE, **options)
    after = session.usage()
    result["deliveries_per_s"] = result["delivered"] / max(result["seconds"], 1e-9)
    return {"rate": rate, **result, **spent(before, after, result["delivered"], "delivery")}


@dataclass(frozen=True)
class Talk(Scenario):
    """So many messages a second, in all rooms together."""

    rate: float
    slow_rate: float | None = None  # for a system that cannot do that

    kind = "talk"

    def measure(self, session: Session, seconds: float, joining: Values, before: Values | None = None) -> Values:
        rate = self.slow_rate if session.system.slow and self.slow_rate else self.rate
        session.load("talk", rate=rate, seconds=WARM_SECONDS, patience=PATIENCE)
        session.settle()
        # At 2 a second the seconds of the others are few messages.
        return talk(session, rate, max(seconds, 10 / rate))


@dataclass(frozen=True)
class Saturation(Scenario):
    """The highest rate at which nothing queues: all is delivered half a second after the last was sent."""

    kind = "saturation"

    def measure(self, session: Session, seconds: float, joining: Values, before: Values | None = None) -> Values:
        best: Values | None = None
        low, high, rate = 0.0, inf, before["rate"] if before else FIRST_RATE
        bisections = 0
        while bisections <= BISECTIONS and low < MOST_RATE:
            result = talk(session, rate, STEP_SECONDS)
            session.settle()
            if keeps_up(result):
                low, best = rate, result
            else:
                high = rate
            if low and high < inf:
                bisections += 1
                rate = (low * high) ** 0.5
            else:
                rate = min(rate * 2, MOST_RATE) if low else rate / 2
                if rate < 0.5:
                    break
        return best or {**result, "deliveries_per_s": 0.0}


def keeps_up(result: Values) -> bool:
    late = result["sending_seconds"] > 1.05 * STEP_SECONDS
    return not (result["lost"] or late) and result["backlog_seconds"] <= KEPT_SECONDS


@dataclass(frozen=True)
class Idle(Scenario):
    """Sockets that are open, one message a second in one room after the other."""

    kind = "idle"

    def measure(self, session: Session, seconds: float, joining: Values, before: Values | None = None) -> Values:
        memory = session.usage()["servers"].memory - session.before["servers"].memory
        result = talk(session, 1, seconds)
        return {
            **result,
            "connections": joining["joined"],
            "kib_per_connection": memory / 1024 / max(1, joining["joined"]),
        }


@dataclass(frozen=True)
class Join(Scenario):
    """All at once; whoever is refused does not try again."""

    kind = "join"

    def measure(self, session: Session, seconds: float, joining: Values, before: Values | None = None) -> Values:
        return {**joining, "refusals": sum(joining["refused"].values())}


@dataclass(frozen=True)
class Reconnect(Scenario):
    """All are cut off, miss some messages, and come back at once."""

    kind = "reconnect"

    def measure(self, session: Session, seconds: float, joining: Values, before: Values | None = None) -> Values:
        # One for all to have a position, whatever the system.
        session.load("talk", rate=10 * self.crowd.rooms, seconds=0.1, patience=PATIENCE)
        session.load("cut")
        session.settle()
        session.load("talk", rate=2 * self.crowd.rooms, seconds=MISSED / 2, patience=PATIENCE, speakers=True)
        session.settle()
        before = session.usage()
        result = session.load("resume", patience=PATIENCE)
        session.settle()
        cost = spent(before, session.usage(), result["joined"], "join")
        return {**result, **cost, "refusals": sum(result["refused"].values())}


ONE_BIG, ONE_BUSY, MANY = Crowd(1, 1000), Crowd(1, 100), Crowd(200, 5)
SCENARIOS: tuple[Scenario, ...] = (
    Talk("1x1000-at-2", "1 × 1,000 at 2/s", ONE_BIG, 2),
    Talk("1x1000-at-10", "1 × 1,000 at 10/s", ONE_BIG, 10),
    Saturation("saturation", "1 × 1,000, saturated", ONE_BIG),
    Talk("1x100-at-400", "1 × 100 at 400/s", ONE_BUSY, 400, slow_rate=50),
    Talk("200x5-at-1000", "200 × 5 at 1,000/s in all", MANY, 1000, slow_rate=250),
    Idle("idle", "5,000 idle", Crowd(250, 20)),
    Join("join", "2,000 join at once", Crowd(100, 20, storm=True, speakers=True)),
    Reconnect("reconnect", "2,000 reconnect at once", Crowd(100, 20, storm=True, speakers=True)),
)
