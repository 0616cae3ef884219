"""How long clients took to recover, by their own records; whoever never did took for ever."""

from __future__ import annotations

from collections import defaultdict
from math import inf
from typing import TYPE_CHECKING

from tests.chat.record import Message, Reconnect, Record, Welcome
from tests.chat.verdict import Quantiles, quantiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def from_the_end(records: Iterable[Record], begun: float, ended: float) -> Quantiles:
    """From the moment at which the part answered again, until a client had the first message that was
    acknowledged after it, and so every one before; and until it was over each socket that it had lost."""
    rooms: defaultdict[str, list[Record]] = defaultdict(list)
    for record in records:
        rooms[record.room].append(record)
    took: list[float] = []
    for members in rooms.values():
        first = first_acknowledged(members, ended)
        for record in members:
            moments = [ended, arrival(record, *first) if first else inf]
            moments += [reconnect.caught_up or inf for reconnect in record.reconnects if reconnect.cut >= begun]
            took.append(max(moments) - ended)
    return quantiles(took)


def from_the_lost_socket(records: Iterable[Record], begun: float) -> Quantiles:
    """From each socket lost since, until its client had all up to the offset that the next welcome told."""
    lost = [reconnect for record in records for reconnect in record.reconnects if reconnect.cut >= begun]
    return quantiles((reconnect.caught_up or inf) - reconnect.cut for reconnect in lost)


def by_worker(records: Iterable[Record]) -> dict[str, float]:
    """For each worker that lost sockets, from the first of them until all their clients had caught up."""
    lost: defaultdict[str, list[Reconnect]] = defaultdict(list)
    for record in records:
        welcomes = (entry for entry in record.entries if isinstance(entry, Welcome) and entry.opening)
        for welcome, reconnect in zip(welcomes, record.reconnects, strict=False):  # the last socket may be open
            lost[welcome.worker].append(reconnect)
    return {
        worker: max(again.caught_up or inf for again in found) - min(again.cut for again in found)
        for worker, found in lost.items()
    }


def first_acknowledged(records: Sequence[Record], since: float) -> tuple[str, int] | None:
    found = [
        (sent.acknowledged_at, sent.epoch, sent.offset)
        for record in records
        for sent in record.sent
        if sent.acknowledged_at is not None and sent.acknowledged_at >= since and sent.epoch and sent.offset
    ]
    return min(found)[1:] if found else None


def arrival(record: Record, epoch: str, offset: int) -> float:
    """When the client had this message, or was told that it would not come."""
    here = ""
    for entry, now in zip(record.entries, record.times, strict=True):
        if not isinstance(entry, Message):
            here = entry.epoch
            if entry.recovered:
                continue  # what it tells of follows
        if here == epoch and entry.offset >= offset:
            return now
    return inf
