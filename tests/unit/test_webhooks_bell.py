"""Starting the tasks of events: one request at the broker at a time, for all that wait."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from kombu.exceptions import OperationalError

from gateway.webhooks import bell
from gateway.webhooks.tasks import handle_event, start_events


class Broker:
    """Takes what is handed over; the first message hangs until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.messages: list[list[int]] = []
        self.is_busy, self.may_go_on = Event(), Event()
        monkeypatch.setattr(handle_event, "delay", lambda event_id: self.take([event_id]))
        monkeypatch.setattr(start_events, "delay", self.take)

    def take(self, event_ids: list[int]) -> None:
        self.messages.append(event_ids)
        if not self.is_busy.is_set():
            self.is_busy.set()
            assert self.may_go_on.wait(10)


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    return Broker(monkeypatch)


def test_alone_an_event_starts_its_own_task_at_once(broker: Broker) -> None:
    broker.may_go_on.set()
    bell.ring(event_id=1)
    bell.ring(event_id=2)
    assert broker.messages == [[1], [2]]


def test_events_that_come_meanwhile_go_as_one_message(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bell, "PATIENCE_SECONDS", 10)
    with ThreadPoolExecutor() as requests:
        first = requests.submit(bell.ring, event_id=1)
        assert broker.is_busy.wait(10)
        others = [requests.submit(bell.ring, event_id=number) for number in (2, 3, 4)]
        while len(bell._waiting) < 3:
            pass
        broker.may_go_on.set()
        for each in (first, *others):
            each.result(timeout=10)
    assert broker.messages[0] == [1]
    assert sorted(broker.messages[1]) == [2, 3, 4]
    assert len(broker.messages) == 2


def test_while_the_broker_hangs_others_go_on_and_the_next_ring_starts_theirs(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bell, "PATIENCE_SECONDS", 0.01)
    with ThreadPoolExecutor() as requests:
        first = requests.submit(bell.ring, event_id=1)
        assert broker.is_busy.wait(10)
        bell.ring(event_id=2)
        assert broker.messages == [[1]]
        broker.may_go_on.set()
        first.result(timeout=10)
    bell.ring(event_id=3)
    assert broker.messages == [[1], [2, 3]]


def test_a_broker_that_is_away_is_told_to_the_caller_and_blocks_nobody_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def away(event_id: int) -> None:
        raise OperationalError("no broker")

    with monkeypatch.context() as broken:
        broken.setattr(handle_event, "delay", away)
        with pytest.raises(OperationalError):
            bell.ring(event_id=1)
    started: list[int] = []
    monkeypatch.setattr(handle_event, "delay", started.append)
    bell.ring(event_id=2)
    assert started == [2]
