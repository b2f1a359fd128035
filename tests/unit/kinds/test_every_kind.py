"""What every kind must keep to; a new one is tested here without a line more."""

import contextlib
from pathlib import Path

import pytest
from pydantic import ValidationError

from provider.endpoints import ENDPOINTS
from sandbox.tones import speak, wav
from worker.kind import Intent, Kind, Outputs, Pending, Remote, RemoteFailed, UnreadableAnswerError
from worker.kinds import KINDS, KINDS_OF
from worker.tariff import Tokens, cost_of

#: A row that is good for any kind: each takes the fields that it knows.
ROW = {"prompt": "a cat", "file": "a.wav"}
ODD_ANSWERS = [{}, {"id": 5}, {"data": None}, {"data": [1]}, {"text": 5}, {"task_status": "??"}, {"video_result": "x"}]


@pytest.fixture(params=sorted(KINDS))
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.wav").write_bytes(wav(speak(["amber"])))
    return tmp_path


def row_for(kind: Kind) -> dict[str, str]:
    return {name: value for name, value in ROW.items() if name in kind.fields}


def test_its_default_model_is_its_own_and_has_a_price(kind: Kind) -> None:
    assert kind in KINDS_OF[kind.default_model]
    assert cost_of(kind.models[kind.default_model].price, tokens=Tokens(input=1000, output=1000)) > 0


def test_its_jobs_have_a_limit_and_a_length_to_begin_with(kind: Kind) -> None:
    assert kind.slot_scope == ("task" if kind.poll else "answer")
    for model in [*kind.models, "next-year"]:
        assert kind.concurrency(model) >= 1
        assert kind.seconds(model) > 0


def test_a_plain_row_becomes_a_request(kind: Kind, folder: Path) -> None:
    checked = kind.check(row_for(kind), folder)
    [args] = checked.jobs
    assert args["model"] == kind.default_model
    assert checked.units > 0
    request = kind.request(args, Intent(job_id=7, request_id="r" * 32))
    assert request.endpoint in ENDPOINTS
    assert not ENDPOINTS[request.endpoint].idempotent


def test_unknown_fields_and_ours_are_refused(kind: Kind, folder: Path) -> None:
    with pytest.raises(ValidationError, match="is no field of this kind"):
        kind.check({**row_for(kind), "colour": "red"}, folder)
    with pytest.raises(ValidationError, match="is made by mediajobs"):
        kind.check({**row_for(kind), "request_id": "x"}, folder)


def test_a_model_of_another_kind_is_refused(kind: Kind, folder: Path) -> None:
    for other in KINDS.values():
        if other.default_model not in kind.models:
            with pytest.raises(ValidationError, match=rf"is a model for (\w+ and )*{other.name}( and \w+)* jobs"):
                kind.check({**row_for(kind), "model": other.default_model}, folder)


@pytest.mark.parametrize("body", ODD_ANSWERS, ids=str)
def test_odd_answers_are_read_or_said_to_be_unreadable(kind: Kind, body: dict[str, object]) -> None:
    result = None
    with contextlib.suppress(UnreadableAnswerError):
        result = kind.read(body, {})
    assert result is None or isinstance(result, Outputs | Pending | Remote | RemoteFailed)
    assert kind.poll or not isinstance(result, Remote | Pending)
