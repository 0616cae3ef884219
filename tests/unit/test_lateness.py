"""What is said about a part of the process that is late."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from channels.generic.websocket import WebsocketConsumer

from app import lateness
from app.lateness import LATE, LOG_SECONDS, SECONDS, Part, at_work


class Consumer(WebsocketConsumer):
    def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        wait_here()


reached, leave = threading.Event(), threading.Event()


def wait_here() -> None:
    reached.set()
    assert leave.wait(20)


@contextmanager
def thread_in(function: Callable[[], None]) -> Iterator[int]:
    reached.clear()
    leave.clear()
    thread = threading.Thread(target=function)
    thread.start()
    assert reached.wait(20)
    assert thread.ident
    yield thread.ident
    leave.set()
    thread.join()


def test_a_consumer_is_named_with_the_handler_that_it_is_in() -> None:
    with thread_in(Consumer().receive) as thread:
        assert at_work(thread).startswith(f"{__name__}.Consumer.receive (line ")


def test_a_function_is_named_where_no_consumer_is() -> None:
    with thread_in(wait_here) as thread:
        assert at_work(thread).startswith(f"{__name__}.wait_here (line ")


def test_a_thread_at_rest_is_at_nothing() -> None:
    def rest() -> None:
        reached.set()
        leave.wait(20)

    rest.__globals__["__name__"], name = "threading", rest.__globals__["__name__"]
    try:
        with thread_in(rest) as thread:
            assert at_work(thread) == ""
    finally:
        rest.__globals__["__name__"] = name
    assert at_work(0) == ""


class Clock:
    """Time, and a part that answers when the test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.asked: list[Callable[[], None]] = []
        self.part = Part("part", self.asked.append)
        self.at = "shop.Consumer.receive (line 7)"
        monkeypatch.setattr("app.lateness.time.monotonic", lambda: self.now)
        monkeypatch.setattr(lateness, "at_work", lambda thread: self.at)
        SECONDS.clear()

    def look(self, seconds: float, stood_still: bool = False) -> None:
        self.now += seconds
        self.part.look(self.now, stood_still)

    def counted(self) -> dict[str, float]:
        found = [sample for metric in SECONDS.collect() for sample in metric.samples]
        return {sample.labels["at"]: sample.value for sample in found if sample.name.endswith("_total")}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_a_part_that_answers_in_time_is_not_spoken_of(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        clock.look(1)
        clock.now += LATE / 2
        clock.asked[-1]()
        clock.look(LATE)
    assert not clock.counted()
    assert not caplog.records


def test_each_who_keeps_a_part_is_counted_until_it_answers_and_logged_once(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    clock.look(0)
    for _ in range(10):
        clock.look(0.25)
    clock.at = "shop.Other.receive (line 9)"
    clock.look(0.25)
    clock.now += 0.25
    clock.asked[-1]()
    clock.look(1)
    assert clock.counted() == {"shop.Consumer.receive": 2.5, "shop.Other.receive": 0.5}
    assert [record.getMessage() for record in caplog.records] == [
        "the part is 250 ms late; at work: shop.Consumer.receive (line 7)",
        "the part is 2750 ms late; at work: shop.Other.receive (line 9)",
    ]


def test_a_part_that_stays_late_is_spoken_of_now_and_then(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    clock.look(0)
    for _ in range(30):
        clock.look(LOG_SECONDS / 10)
    assert len(caplog.records) == 3


@pytest.mark.parametrize("answered", [False, True])
def test_a_process_that_did_not_run_blames_nobody(
    clock: Clock, caplog: pytest.LogCaptureFixture, answered: bool
) -> None:
    clock.at = ""
    clock.look(0)
    clock.now += 60
    if answered:
        clock.asked[-1]()
    clock.look(0, stood_still=True)
    clock.look(0.05)
    assert not clock.counted()
    assert not caplog.records
    assert len(clock.asked) == 2, "it asks again"


def test_what_cannot_be_named_is_said_too(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """Python's lock was held all the time, and nobody could look."""
    clock.at = ""
    clock.look(0)
    clock.now += 1
    clock.asked[-1]()
    clock.look(0)
    assert clock.counted() == {"unknown": 1.0}
    assert [record.getMessage() for record in caplog.records] == ["the part is 1000 ms late; at work: unknown"]
