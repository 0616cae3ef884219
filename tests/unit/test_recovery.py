"""Recovery ends with the first message acknowledged after the fault, and not before the last socket is caught up."""

from collections.abc import Sequence
from math import inf

from tests.chaos.recovery import by_worker, from_the_end, from_the_lost_socket
from tests.chat.record import Message, Reconnect, Record, Sent, Welcome

ENDED = 10.0


def record(times: Sequence[float]) -> Record:
    """Has message n at the n-th of these times."""
    made = Record()
    made.add(Welcome("e", 0), 0.0)
    for index, now in enumerate(times):
        made.add(Message(index + 1, "Ann", "text", 0), now)
    return made


def sender(times: Sequence[float]) -> Record:
    """Has each of its messages acknowledged as it comes."""
    made = record(times)
    made.sent = [Sent(f"{n}", "text", now - 1, 1, now, "e", n + 1) for n, now in enumerate(times)]
    return made


def test_it_lasts_until_the_first_message_acknowledged_after_the_end():
    found = from_the_end([sender([9.0, 11.0]), record([9.0, 11.5])], 5.0, ENDED)
    assert (found.of, found.p50, found.max) == (2, 1.0, 1.5)


def test_it_lasts_until_every_lost_socket_is_made_good():
    late = record([9.0, 11.0])
    late.reconnects = [Reconnect(9.5, caught_up=14.0)]
    assert from_the_end([sender([9.0, 11.0]), late], 5.0, ENDED).max == 4.0


def test_who_never_recovers_takes_for_ever():
    lost = record([9.0])
    lost.reconnects = [Reconnect(9.5)]
    assert from_the_end([sender([9.0, 11.0]), lost], 5.0, ENDED).max == inf
    assert from_the_end([sender([9.0])], 5.0, ENDED).max == inf
    assert from_the_lost_socket([lost], 5.0).max == inf


def test_a_gap_that_was_told_ends_the_waiting_and_sockets_lost_before_do_not_count():
    told = record([9.0])
    told.add(Welcome("e", 7, False), 12.0)
    told.reconnects = [Reconnect(4.0, caught_up=4.5)]
    assert from_the_end([sender([9.0, 11.0]), told], 5.0, ENDED).max == 2.0
    assert from_the_lost_socket([told], 5.0).of == 0


def test_a_workers_clients_count_from_its_first_lost_socket_to_the_last_that_is_back():
    moved, twice, here = Record(), Record(), Record()
    for made, workers in ((moved, ["old", "new"]), (twice, ["old", "older", "new"]), (here, ["new"])):
        for worker in workers:
            made.add(Welcome("e", 0, worker=worker), 0.0)
    moved.add(Welcome("e", 7, False, opening=False, worker="new"), 0.0)
    moved.reconnects = [Reconnect(3.0, caught_up=3.5)]
    twice.reconnects = [Reconnect(5.0, caught_up=6.0), Reconnect(9.0)]
    assert by_worker([moved, twice, here]) == {"old": 3.0, "older": inf}
