"""What the clients' own records prove: nothing lost, repeated or out of order, and how long resuming took."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from math import ceil, nan
from typing import TYPE_CHECKING, NamedTuple

from tests.chat.record import Message, Record, Welcome, label

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

EXAMPLES = 20


class Quantiles(NamedTuple):
    """By nearest rank, in seconds."""

    of: int
    p50: float
    p99: float
    max: float

    def __str__(self) -> str:
        if not self.of:
            return "none"
        return f"p50 {self.p50:.3f} s, p99 {self.p99:.3f} s, max {self.max:.3f} s, of {self.of}"


def quantiles(values: Iterable[float]) -> Quantiles:
    ordered = sorted(values)
    if not ordered:
        return Quantiles(0, nan, nan, nan)
    p50, p99 = (ordered[ceil(share * len(ordered)) - 1] for share in (0.5, 0.99))
    return Quantiles(len(ordered), p50, p99, ordered[-1])


def listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.most_common()) or "none"


@dataclass
class Verdict:
    # Per client and message, by offset: what was owed from its first welcome on, told gaps excepted.
    lost: int = 0
    repeated: int = 0
    misordered: int = 0
    # Per client and text, by the number that its sender gave it, whatever the offsets say.
    lost_of_sender: int = 0  # of those acknowledged
    repeated_of_sender: int = 0
    misordered_of_sender: int = 0
    # Of the log, as all clients together saw it.
    absent: int = 0  # acknowledged, and not what anybody received at that offset
    contradicted: int = 0  # offsets that named two messages within one epoch
    # Of the protocol and its clients.
    violations: int = 0
    stuck: int = 0  # lost a socket and never caught up
    # Told honestly, which is no fault; whether it was to be expected is for the test to say.
    told_gaps: int = 0
    told_missing: int = 0  # messages in them, as far as the offsets tell

    clients: int = 0
    deliveries: int = 0
    logged: int = 0
    sent: int = 0
    acknowledged: int = 0
    reconnects: int = 0
    recovered: int = 0
    caught_up: Quantiles = field(default_factory=lambda: quantiles(()))  # from the lost socket on
    acknowledging: Quantiles = field(default_factory=lambda: quantiles(()))
    errors: Counter[str] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)  # received, of other types than messages; and closes
    examples: list[str] = field(default_factory=list)

    @property
    def faults(self) -> dict[str, int]:
        """All that must not be; empty if nothing was."""
        names = (
            *("lost", "repeated", "misordered"),
            *("lost_of_sender", "repeated_of_sender", "misordered_of_sender"),
            *("absent", "contradicted", "violations", "stuck"),
        )
        return {name: getattr(self, name) for name in names if getattr(self, name)}

    def __str__(self) -> str:
        rows = [
            ("clients", self.clients),
            ("messages", f"{self.logged} in the log, {self.sent} sent, {self.acknowledged} acknowledged"),
            ("deliveries", self.deliveries),
            ("", "by offset, by sender"),
            ("lost", f"{self.lost}, {self.lost_of_sender}"),
            ("repeated", f"{self.repeated}, {self.repeated_of_sender}"),
            ("misordered", f"{self.misordered}, {self.misordered_of_sender}"),
            ("absent", f"{self.absent} of those acknowledged"),
            ("contradicted", self.contradicted),
            ("violations", self.violations),
            ("told gaps", f"{self.told_gaps}, of at least {self.told_missing} message(s)"),
            ("reconnects", f"{self.reconnects}, {self.recovered} recovered, {self.stuck} never caught up"),
            ("caught up", self.caught_up),
            ("acknowledged", self.acknowledging),
            ("errors", listed(self.errors)),
            ("others", listed(self.others)),
        ]
        return "\n".join([*(f"{name:<14}{value}" for name, value in rows), *self.examples])

    def example(self, text: str) -> None:
        if len(self.examples) < EXAMPLES:
            self.examples.append(text)


class Log:
    """The room as all clients together saw it."""

    def __init__(self) -> None:
        self.messages: dict[tuple[str, int], Message] = {}
        self.contradicted: set[tuple[str, int]] = set()
        self.newest: dict[str, int] = {}  # by epoch, as received, told or acknowledged
        self.begun: dict[str, float] = {}  # when an epoch was first seen

    def see(self, epoch: str, offset: int, now: float) -> None:
        self.newest[epoch] = max(offset, self.newest.get(epoch, 0))
        self.begun[epoch] = min(now, self.begun.get(epoch, now))

    def add(self, epoch: str, message: Message) -> None:
        known = self.messages.setdefault((epoch, message.offset), message)
        if known is message:
            return
        kept = 4 if not (known.deleted or message.deleted) else 2  # deleting takes the text away
        if known[:kept] != message[:kept]:
            self.contradicted.add((epoch, message.offset))


class Reader:
    """Goes through one client's record once."""

    def __init__(self, record: Record, log: Log, verdict: Verdict) -> None:
        self.record, self.log, self.verdict = record, log, verdict
        self.epoch: str | None = None
        self.position = 0
        self.seen: set[int] = set()  # of this epoch
        self.missing: set[int] = set()
        self.numbers: defaultdict[str, set[int]] = defaultdict(set)
        self.newest_number: dict[str, int] = {}
        self.skipped: set[tuple[str, int]] = set()
        for entry, now in zip(record.entries, record.times, strict=True):
            if isinstance(entry, Message):
                self.message(entry, now)
            else:
                self.welcome(entry, now)

    def violation(self, text: str) -> None:
        self.verdict.violations += 1
        self.verdict.example(f"{self.record.name}: {text}")

    def welcome(self, welcome: Welcome, now: float) -> None:
        self.log.see(welcome.epoch, welcome.offset, now)
        if self.epoch is None:
            if not welcome.opening:
                self.violation("the first welcome was no socket's first object")
            self.jump(welcome)
            return
        if welcome.opening and welcome.since != f"{self.epoch}:{self.position}":
            self.violation(f"had {self.epoch}:{self.position} and asked for what is since {welcome.since}")
        if welcome.recovered is False:
            self.verdict.told_gaps += 1
            if welcome.epoch == self.epoch:
                self.verdict.told_missing += max(0, welcome.offset - self.position)
            self.newest_number.clear()
            self.jump(welcome)
        elif not welcome.opening or welcome.recovered is None:
            self.violation("a welcome again that does not tell of a gap")
            self.untold(welcome)
        elif welcome.epoch != self.epoch or welcome.offset < self.position:
            place = f"{welcome.epoch}:{welcome.offset}"
            self.violation(f"recovered from {self.epoch}:{self.position} to {place}")
            self.untold(welcome)

    def untold(self, welcome: Welcome) -> None:
        """What lies between is lost."""
        if welcome.epoch == self.epoch:
            self.missing.update(range(self.position + 1, welcome.offset + 1))
            self.position = max(self.position, welcome.offset)
        else:
            self.settle()
            self.jump(welcome)

    def jump(self, welcome: Welcome) -> None:
        if welcome.epoch != self.epoch:
            self.settle()
            self.seen = set()
        self.epoch, self.position = welcome.epoch, welcome.offset

    def settle(self) -> None:
        """What is still missing in an epoch that has ended for this client is lost."""
        if self.missing:
            self.verdict.lost += len(self.missing)
            ends = f"{min(self.missing)} to {max(self.missing)}"
            self.verdict.example(f"{self.record.name}: lost {len(self.missing)}, from {ends} of {self.epoch}")
            self.missing = set()

    def message(self, message: Message, now: float) -> None:
        self.verdict.deliveries += 1
        offset = message.offset
        if self.epoch is None:
            self.violation(f"message {offset} before any welcome")
            return
        self.log.see(self.epoch, offset, now)
        self.log.add(self.epoch, message)
        if offset in self.seen:
            self.verdict.repeated += 1
            self.verdict.example(f"{self.record.name}: {offset} of {self.epoch} again")
        elif offset > self.position:
            self.missing.update(range(self.position + 1, offset))
            self.position = offset
        elif offset in self.missing:
            self.missing.remove(offset)
            self.verdict.misordered += 1
            self.verdict.example(f"{self.record.name}: {offset} after {self.position} of {self.epoch}")
        else:
            self.violation(f"message {offset} was not asked for, after {self.position} of {self.epoch}")
        self.seen.add(offset)
        if found := label(message.text):
            self.number(*found)

    def number(self, sender: str, number: int) -> None:
        newest = self.newest_number.get(sender)
        if number in self.numbers[sender]:
            self.verdict.repeated_of_sender += 1
            self.verdict.example(f"{self.record.name}: {sender}'s number {number} again")
        elif newest is not None and number < newest:
            self.verdict.misordered_of_sender += 1
            self.verdict.example(f"{self.record.name}: {sender}'s number {number} after {newest}")
            self.skipped.discard((sender, number))
        elif newest is not None:
            self.skipped.update((sender, between) for between in range(newest + 1, number))
        self.numbers[sender].add(number)
        self.newest_number[sender] = max(number, newest or 0)

    def end(self, acknowledged: dict[str, set[int]]) -> None:
        """What it did not receive by the end, now that the whole log is known."""
        if self.epoch is None:
            self.violation("was never welcomed")
            return
        if not self.record.left_early:
            self.missing.update(range(self.position + 1, self.log.newest[self.epoch] + 1))
        self.settle()
        begun = self.log.begun
        later = {epoch for epoch in begun if begun[epoch] > begun[self.epoch]}
        if later and not self.record.left_early:
            self.violation(f"was left in the epoch {self.epoch}")
            self.verdict.lost += sum(self.log.newest[epoch] for epoch in later)
        lost = {(sender, number) for sender, number in self.skipped if number in acknowledged.get(sender, ())}
        if not self.record.left_early:
            for sender, newest in self.newest_number.items():
                lost.update((sender, number) for number in acknowledged.get(sender, ()) if number > newest)
        self.verdict.lost_of_sender += len(lost)
        for sender, number in sorted(lost)[:EXAMPLES]:
            self.verdict.example(f"{self.record.name}: {sender}'s number {number} never came")


def judge(records: Iterable[Record]) -> Verdict:
    """Every client is owed all that anybody in its room received, was told of or had acknowledged, unless it
    left early."""
    records = list(records)
    if not records or not all(record.keep for record in records):
        raise ValueError("there is no verdict without records that were kept")
    verdict = Verdict(clients=len(records))
    rooms: defaultdict[str, list[Record]] = defaultdict(list)
    for record in records:
        rooms[record.room].append(record)
    for members in rooms.values():
        judge_room(members, verdict)
    verdict.acknowledging = quantiles(
        sent.acknowledged_at - sent.at for record in records for sent in record.sent if sent.acknowledged_at is not None
    )
    judge_reconnects(records, verdict)
    return verdict


def judge_room(records: Sequence[Record], verdict: Verdict) -> None:
    log = Log()
    for record in records:
        verdict.errors.update(record.errors)
        verdict.others.update(record.counts)
        verdict.violations += len(record.violations)
        for violation in record.violations:
            verdict.example(f"{record.name}: {violation}")
    readers = [Reader(record, log, verdict) for record in records]
    numbers = judge_sent(records, log, verdict)
    for reader in readers:
        reader.end(numbers)
    verdict.logged += len(log.messages)
    verdict.contradicted += len(log.contradicted)
    for epoch, offset in sorted(log.contradicted)[:EXAMPLES]:
        verdict.example(f"{offset} of {epoch} names two messages")


def judge_sent(records: Sequence[Record], log: Log, verdict: Verdict) -> dict[str, set[int]]:
    """Which of each sender's numbers were acknowledged."""
    numbers: defaultdict[str, set[int]] = defaultdict(set)
    for record in records:
        for sent in record.sent:
            verdict.sent += 1
            if sent.offset is None or sent.epoch is None or sent.acknowledged_at is None:
                continue
            verdict.acknowledged += 1
            log.see(sent.epoch, sent.offset, sent.acknowledged_at)
            if found := label(sent.text):
                numbers[found[0]].add(found[1])
            message = log.messages.get((sent.epoch, sent.offset))
            if message is None or (message.text != sent.text and not message.deleted):
                verdict.absent += 1
                there = f"is {message.text[:40]!r}" if message else "nobody received"
                verdict.example(f"{record.name}: acknowledged as {sent.offset}, which {there}: {sent.text[:40]!r}")
    return numbers


def judge_reconnects(records: Sequence[Record], verdict: Verdict) -> None:
    took = []
    for record in records:
        verdict.reconnects += len(record.reconnects)
        for reconnect in record.reconnects:
            verdict.recovered += bool(reconnect.recovered)
            if reconnect.caught_up is not None:
                took.append(reconnect.caught_up - reconnect.cut)
            elif not record.left_early:
                verdict.stuck += 1
                verdict.example(f"{record.name}: never caught up after {reconnect}")
    verdict.caught_up = quantiles(took)
