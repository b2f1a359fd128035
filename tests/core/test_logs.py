"""JSON lines: one an event, with the job that it is about, and without the token."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from models.state import JobState
from models.transitions import Move
from tests.support.core import Core
from worker import logs
from worker.settings import Settings

TOKEN = "at_Very-Secret-0123456789"


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What a process writes whose logs are JSON."""
    root = logging.getLogger()
    kept, level, steps = root.handlers[:], root.level, logs.steps.level
    to = io.StringIO()
    root.handlers[:] = [logging.StreamHandler(to)]
    root.setLevel(logging.INFO)
    logs.set_up(root, Settings(_env_file=None, log_format="json", api_token=TOKEN))  # type: ignore[call-arg, arg-type]
    yield to
    root.handlers[:] = kept
    root.setLevel(level)
    logs.steps.setLevel(steps)


def lines(written: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.splitlines()]


def test_each_step_of_a_job_is_a_line(core: Core) -> None:
    core.enqueue("image", {"prompt": "a fox"}, {"prompt": "no [[fault:content]]"}, batch="foxes")
    core.enqueue("video", {"prompt": "a clip", "model": "viduq1-text"}, batch="clips")
    core.work(MEDIAJOBS_LOG_FORMAT="json")
    batches = {row.name: row.id for row in core.rows("select name, id from batches")}
    log = (core.folder / "runner.log").read_text()
    told = [line for line in lines(log) if line["logger"] == "mediajobs.steps"]
    assert {(line["batch"], line["job"]) for line in told} == {
        (row.batch_id, row.id) for row in core.rows("select batch_id, id from jobs")
    }
    assert {line["attempt"] for line in told} == {1}
    assert [line["event"] for line in told if line["kind"] == "video"] == ["waiting", "storing", "succeeded"]
    [refused] = [line for line in told if line["event"] == "failed"]
    assert (refused["batch"], refused["outcome"], refused["code"]) == (batches["foxes"], "rejected", "1301")
    assert (refused["level"], refused["http_status"], refused["cost"]) == ("info", 400, 0.0)


def test_what_went_wrong_is_in_its_line_without_the_token(written: io.StringIO) -> None:
    log = logging.getLogger("worker.run")
    try:
        int(f"?api_token={TOKEN}")
    except ValueError:
        log.exception("job %d: unexpected", 7)
    [line] = lines(written.getvalue())
    assert (line["event"], line["level"], line["logger"]) == ("job 7: unexpected", "error", "worker.run")
    assert "ValueError: invalid literal" in line["exception"]
    assert TOKEN not in written.getvalue()
    assert "job" not in line


def test_that_the_provider_is_still_at_work_is_not_told(written: io.StringIO) -> None:
    logs.step(Move(job_id=1, fence=1, source=JobState.WAITING, target=JobState.WAITING))
    assert lines(written.getvalue()) == []
