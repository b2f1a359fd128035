"""What the worker knows of the broker."""

import pytest

from worker.app import make_app
from worker.hints import Lot
from worker.wiring import backlog, send


def test_messages_that_wait_are_counted(valkey_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with make_app(valkey_url) as app:
        monkeypatch.setattr("worker.wiring.app", app)
        assert backlog("store") == 0
        for number in range(3):
            send(Lot("store", "image", "x"), [number])
        assert backlog("store") == 3


def test_a_broker_that_is_away_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with make_app("redis://127.0.0.1:1/0") as app:
        monkeypatch.setattr("worker.wiring.app", app)
        assert backlog("store") == 0
