"""What the commands say, on a database without workers."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from tests.support.stack import run_forked

Run = Callable[..., str]


@pytest.fixture
def run(database_url: str, valkey_url: str, tmp_path: Path) -> Run:
    """Run a command that is to succeed; returns all that it said."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MEDIAJOBS_")}
    environment = {**clean, "MEDIAJOBS_DATABASE_URL": database_url, "MEDIAJOBS_BROKER_URL": valkey_url, "COLUMNS": "80"}

    def mediajobs(*words: str) -> str:
        code, stdout, stderr = run_forked(*words, environment=environment, folder=tmp_path)
        assert code == 0, stderr
        return stdout + stderr

    return mediajobs


def test_a_cancel_says_what_was_paid_for(run: Run, engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("prompt\na\nb\nc\n")
    run("submit", "m.csv", "--kind", "image", "--batch", "m")
    with engine.begin() as conn:
        conn.execute(text("update jobs set state = 'storing', cost = 0.01, next_fetch_at = now() where row <= 2"))
    said = run("cancel", "--batch", "m", "--state", "storing")
    assert "2 jobs cancelled" in said
    assert "2 of them were paid for ($0.02) and will not be stored; `retry` stores them, --keep-results would" in said
    assert "paid" not in run("cancel", "--batch", "m")


def test_an_unknown_price_is_not_nothing(run: Run, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("prompt,model\na,\nb,brand-new\n")
    said = run("submit", "m.csv", "--kind", "image", "--dry-run")
    assert "brand-new: 1 job, price unknown (set MEDIAJOBS_PRICES), about" in said
    assert "2 jobs would be enqueued, for about $0.01 and what is unknown and" in said
    assert "warning: brand-new: price unknown" in run("submit", "m.csv", "--kind", "image")


def test_what_was_to_run_later_still_is_after_a_retry(run: Run, engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("prompt,run_at\na,2099-01-01T00:00\nb,\n")
    run("submit", "m.csv", "--kind", "image", "--batch", "m")
    run("cancel", "--batch", "m")
    run("retry", "--batch", "m")
    with engine.connect() as conn:
        assert conn.execute(text("select run_at > now() from jobs order by row")).scalars().all() == [True, False]


def test_two_ways_are_none(run: Run) -> None:
    with pytest.raises(AssertionError, match="say one of --retry, --wait and --fail, not --retry and --fail"):
        run("resolve", "1", "--fail", "--retry")
