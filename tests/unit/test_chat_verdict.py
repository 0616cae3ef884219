"""The verdict on what chat clients received finds each kind of fault, and finds none where there is none."""

from collections.abc import Callable, Iterable, Sequence
from math import isnan

import pytest

from tests.chat.record import Message, Reconnect, Record, Sent, Welcome, label, numbered, read
from tests.chat.verdict import Verdict, judge, quantiles

LAST = 6
Entry = Message | Welcome


def said(offset: int, text: str | None = None) -> Message:
    """Number n of the only sender is at offset n."""
    return Message(offset, "Ann", text or numbered("ann", offset), 1000 + offset)


def record(entries: Iterable[Entry], name: str = "victim") -> Record:
    made = Record(name)
    for now, entry in enumerate(entries):
        made.add(entry, float(now))
    return made


def sent(offset: int, epoch: str = "e", text: str | None = None) -> Sent:
    return Sent(f"r{offset}", text or numbered("ann", offset), 1.0, 1, 1.5, epoch, offset)


HELLO: Entry = Welcome("e", 0)
ALL: list[Entry] = [HELLO, *map(said, range(1, LAST + 1))]


def witness() -> Record:
    """The sender, who received everything."""
    made = record(ALL, "witness")
    made.sent = [sent(offset) for offset in range(1, LAST + 1)]
    return made


def against(entries: Sequence[Entry]) -> Verdict:
    return judge([witness(), record(entries)])


def changed(change: Callable[[list[Entry]], object]) -> list[Entry]:
    entries = list(ALL)
    change(entries)
    return entries


RESUMED = [*ALL[:3], Welcome("e", 4, True, "e:2"), *ALL[3:]]
TOLD = [*ALL[:3], Welcome("e", 4, False, "e:2"), *ALL[5:]]


@pytest.mark.parametrize(
    "entries",
    [ALL, RESUMED, TOLD, [Welcome("e", 3), *ALL[4:]]],
    ids=["never away", "resumed", "told of a gap", "came later"],
)
def test_what_is_whole_has_no_fault(entries: list[Entry]) -> None:
    assert against(entries).faults == {}


@pytest.mark.parametrize(
    ("entries", "faults"),
    [
        (changed(lambda all_: all_.pop(3)), {"lost": 1, "lost_of_sender": 1}),
        (changed(lambda all_: all_.pop()), {"lost": 1, "lost_of_sender": 1}),
        (ALL[:1], {"lost": LAST}),
        ([Welcome("e", 3)], {"lost": LAST - 3}),
        ([*ALL[:3], Welcome("e", 4, True, "e:2"), *ALL[4:]], {"lost": 1, "lost_of_sender": 1}),
        ([*ALL[:3], Welcome("e", 4, True, "e:2")], {"lost": 4, "lost_of_sender": 4}),
        ([*ALL[:3], Welcome("e", 3, False, "e:2"), *ALL[5:]], {"lost": 1}),
        (changed(lambda all_: all_.insert(3, all_[2])), {"repeated": 1, "repeated_of_sender": 1}),
        ([*ALL, ALL[1]], {"repeated": 1, "repeated_of_sender": 1}),
        ([*ALL[:3], Welcome("e", 4, True, "e:2"), *ALL[2:]], {"repeated": 1, "repeated_of_sender": 1}),
        (changed(lambda all_: all_.insert(3, all_.pop(4))), {"misordered": 1, "misordered_of_sender": 1}),
        ([Welcome("e", 3), *ALL[3:]], {"violations": 1}),
        (ALL[1:], {"violations": LAST + 1}),
        ([], {"violations": 1}),
        ([Welcome("e", 0, opening=False), *ALL[1:]], {"violations": 1}),
        # Came back without `since`, as if new.
        (
            [*ALL[:3], Welcome("e", 4), *ALL[5:]],
            {"violations": 2, "lost": 2, "lost_of_sender": 2},
        ),
        # Resumed elsewhere than where it was.
        ([*ALL[:3], Welcome("e", 4, True, "e:1"), *ALL[3:]], {"violations": 1}),
        # The welcome does not say whether it recovered.
        ([*ALL[:3], Welcome("e", 4, None, "e:2"), *ALL[5:]], {"violations": 1, "lost": 2, "lost_of_sender": 2}),
        # A second welcome on the same socket that tells nothing.
        ([*ALL[:3], Welcome("e", 2, True, opening=False), *ALL[3:]], {"violations": 1}),
        # The room's newest offset went back, and it says recovered.
        ([*ALL, Welcome("e", 3, True, f"e:{LAST}")], {"violations": 1}),
    ],
)
def test_each_fault_is_counted_as_what_it_is(entries: list[Entry], faults: dict[str, int]) -> None:
    assert against(entries).faults == faults


def test_told_gaps_are_counted_and_are_no_fault() -> None:
    verdict = against(TOLD)
    assert (verdict.told_gaps, verdict.told_missing, verdict.faults) == (1, 2, {})


def test_a_gap_told_on_an_open_socket_is_a_told_gap() -> None:
    verdict = against([*ALL[:3], Welcome("e", 4, False, None, opening=False), *ALL[5:]])
    assert (verdict.told_gaps, verdict.told_missing, verdict.faults) == (1, 2, {})


def test_a_new_epoch_that_is_told_begins_anew() -> None:
    again: list[Entry] = [Welcome("f", 1, False, f"e:{LAST}"), said(2, numbered("ann", LAST + 1))]
    first, second = witness(), record([*ALL, *again])
    first.add(Welcome("f", 0, False, f"e:{LAST}"), 20)
    for message in (said(1, numbered("bob", 1)), said(2, numbered("ann", LAST + 1))):
        first.add(message, 21)
    verdict = judge([first, second])
    assert (verdict.told_gaps, verdict.logged, verdict.faults) == (2, LAST + 2, {})


def test_a_new_epoch_that_is_called_recovered_is_a_violation() -> None:
    entries = [*ALL[:3], Welcome("f", 0, True, "e:2"), said(1)]
    assert judge([record(entries)]).faults == {"violations": 1, "repeated_of_sender": 1}


def test_who_stays_behind_in_an_old_epoch_loses_the_new_one() -> None:
    first = witness()
    first.add(Welcome("f", 0, False, f"e:{LAST}"), 20)
    first.add(said(1, "x"), 21)
    verdict = judge([first, record(ALL)])
    assert verdict.faults == {"lost": 1, "violations": 1}


def test_holes_of_an_old_epoch_stay_lost() -> None:
    holed = [*changed(lambda all_: all_.pop(3)), Welcome("f", 0, False, f"e:{LAST}")]
    other = record([*ALL, Welcome("f", 0, False, f"e:{LAST}")])
    assert judge([other, record(holed)]).faults == {"lost": 1}


def test_acknowledged_but_received_by_nobody() -> None:
    sender = witness()
    sender.sent.append(sent(LAST + 1))
    verdict = judge([sender, record(ALL)])
    assert verdict.faults == {"absent": 1, "lost": 2, "lost_of_sender": 2}


def test_acknowledged_at_the_offset_of_another_message() -> None:
    sender = witness()
    sender.sent[2].offset = 2
    assert judge([sender, record(ALL)]).faults == {"absent": 1}


def test_an_offset_that_names_two_messages() -> None:
    verdict = against(changed(lambda all_: all_.__setitem__(3, said(3, "something else"))))
    assert verdict.faults == {"contradicted": 1, "lost_of_sender": 1}


def test_a_deleted_message_contradicts_nothing_but_a_changed_sender() -> None:
    deleted = Message(3, "Ann", "", 1003, deleted=True)
    unnumbered = judge(
        [
            record([HELLO, said(1, "a"), said(2, "b"), said(3, "c")]),
            record([HELLO, said(1, "a"), said(2, "b"), deleted]),
        ]
    )
    assert unnumbered.faults == {}
    other = judge([record([HELLO, deleted]), record([HELLO, deleted._replace(sender="Bob")])])
    assert other.contradicted == 1


def test_one_text_logged_twice() -> None:
    """Whose offsets are in perfect order."""
    twice = [HELLO, said(1), said(2), said(3, numbered("ann", 2)), said(4, numbered("ann", 3))]
    assert judge([record(twice)]).faults == {"repeated_of_sender": 1}


def test_texts_logged_in_another_order_than_they_were_sent() -> None:
    assert judge([record([HELLO, said(1, numbered("ann", 2)), said(2, numbered("ann", 1))])]).faults == {
        "misordered_of_sender": 1
    }


def test_a_number_never_acknowledged_may_be_absent() -> None:
    entries = [HELLO, said(1), said(2, numbered("ann", 3))]
    assert judge([record(entries)]).faults == {}
    sender = record(entries)
    sender.sent = [Sent("r2", numbered("ann", 2), 1.0, 3)]
    assert judge([sender]).faults == {}


def test_who_left_early_is_owed_nothing_after_that() -> None:
    early = record(ALL[:4])
    early.left_early = True
    assert judge([witness(), early]).faults == {}
    holed = record([*ALL[:2], *ALL[3:4]])
    holed.left_early = True
    assert judge([witness(), holed]).faults == {"lost": 1, "lost_of_sender": 1}


def test_what_a_client_called_a_violation_is_one() -> None:
    rude = witness()
    rude.violations.append("unreadable: b'{'")
    verdict = judge([rude])
    assert verdict.faults == {"violations": 1}
    assert verdict.examples == ["witness: unreadable: b'{'"]


def test_time_until_caught_up_counts_from_the_lost_socket() -> None:
    away = witness()
    away.reconnects = [Reconnect(10.0, caught_up=10.0 + n, recovered=n > 1) for n in range(1, 5)]
    verdict = judge([away])
    assert verdict.caught_up == (4, 2.0, 4.0, 4.0)
    assert (verdict.reconnects, verdict.recovered, verdict.faults) == (4, 3, {})


def test_who_never_caught_up_is_stuck() -> None:
    away = witness()
    away.reconnects = [Reconnect(10.0, caught_up=10.5), Reconnect(12.0, welcome=12.1, recovered=True, offset=9)]
    assert judge([away]).faults == {"stuck": 1}


def test_the_table_names_every_fault() -> None:
    verdict = against(changed(lambda all_: all_.pop(3)))
    assert "lost          1, 1" in str(verdict)
    assert "victim: lost 1, from 3 to 3 of e" in str(verdict)
    assert f"deliveries    {2 * LAST - 1}" in str(verdict)


@pytest.mark.parametrize("records", [[], [Record(keep=False)]])
def test_there_is_no_verdict_without_evidence(records: list[Record]) -> None:
    with pytest.raises(ValueError, match="no verdict"):
        judge(records)


def test_quantiles_are_values_that_occurred() -> None:
    assert quantiles(range(1, 101)) == (100, 50, 99, 100)
    assert quantiles([7.0]) == (1, 7.0, 7.0, 7.0)
    assert isnan(quantiles([]).p99)


def test_a_numbered_text_says_whose_and_which_it_is() -> None:
    assert label(numbered("ann", 12)) == ("ann", 12)
    assert label(numbered("ann", 12, 80)) == ("ann", 12)
    assert len(numbered("ann", 12, 80)) == 80
    assert [label(text) for text in ("", "ann", "ann 12", "ann x ", "12 ")] == [None] * 5


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b"1", b"null", b"{}", b'{"type": 1}', b'{"type": "message"}'])
def test_what_is_no_object_of_the_protocol_is_unreadable(line: bytes) -> None:
    assert read(line) is None


def test_a_message_is_read_with_its_marks() -> None:
    line = b'{"type": "message", "offset": 3, "sender": "Ann", "text": "a", "sent_at": 5, "user": true, "new": 1}'
    assert read(line) == Message(3, "Ann", "a", 5, user=True)


def test_each_room_has_a_log_of_its_own():
    """Equal offsets, other texts: no contradiction, and nobody is owed what was said next door."""
    entries: list[Entry] = [
        Welcome("other", 0),
        *(said(offset, numbered("ann", offset + 100)) for offset in range(1, 3)),
    ]
    neighbour = record(entries, "neighbour")
    neighbour.room = "next door"
    verdict = judge([witness(), record(ALL), neighbour])
    assert verdict.faults == {}
    assert verdict.logged == LAST + 2
