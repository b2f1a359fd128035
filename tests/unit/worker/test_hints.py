"""Hints are sent by a thread of their own: those of downloads share messages under load, and hold up no other."""

import queue
from collections.abc import Iterator

import pytest

from worker import hints
from worker.hints import Lot, Publisher

RUN = Lot("run", "image", "m")
STORE = Lot("store", "image", "m")
Sent = queue.SimpleQueue[tuple[str, list[int]]]


@pytest.fixture
def sent() -> Sent:
    return queue.SimpleQueue()


@pytest.fixture
def publisher(sent: Sent, monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    """One that has sent a download's message, and would wait an hour with the next."""
    monkeypatch.setattr(hints, "STORE_EVERY_S", 3600.0)
    made = Publisher(lambda lot, ids: sent.put((lot.stage, ids)), message_size=16)
    made.start()
    made.publish({STORE: [1]})
    assert sent.get(timeout=30) == ("store", [1])
    yield made
    made.stop()


def test_downloads_share_a_message_and_hold_up_no_call(publisher: Publisher, sent: Sent) -> None:
    publisher.publish({STORE: [2]})
    publisher.publish({STORE: [3]})
    publisher.publish({RUN: [4]})
    assert sorted(sent.get(timeout=30) for _ in range(2)) == [("run", [4]), ("store", [2, 3])]


def test_what_waits_is_sent_at_the_end(publisher: Publisher, sent: Sent) -> None:
    publisher.publish({STORE: [2]})
    publisher.stop()
    assert sent.get(timeout=30) == ("store", [2])
