"""What the worker knows of the broker."""

import pytest
import redis

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


def test_looking_again_and_again_takes_one_connection(valkey_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with make_app(valkey_url) as app, redis.Redis.from_url(valkey_url) as broker:
        monkeypatch.setattr("worker.wiring.app", app)
        assert backlog("store") == 0
        before = broker.info("stats")["total_connections_received"]
        assert [backlog("store") for _ in range(20)] == [0] * 20
        assert broker.info("stats")["total_connections_received"] == before


def test_a_broker_that_is_away_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with make_app("redis://127.0.0.1:1/0") as app:
        monkeypatch.setattr("worker.wiring.app", app)
        assert backlog("store") == 0
