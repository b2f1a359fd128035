"""Traces of jobs that ended, as a collector gets them."""

from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from tests.support.core import Core
from tests.support.receiver import Receiver, receiving
from worker.producer import Row, insert_rows
from worker.upkeep import ends

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def spans(receiver: Receiver) -> list[Any]:
    found = []
    for each in receiver.got:
        for of_resource in ExportTraceServiceRequest.FromString(each.body).resource_spans:
            assert {"service.name", "service.version"} <= {one.key for one in of_resource.resource.attributes}
            found += [span for scope in of_resource.scope_spans for span in scope.spans]
    return found


def attributes(span: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes}


def test_a_life_is_one_trace_from_the_producer_to_the_stored_output(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiving() as collector:
        monkeypatch.setenv("TRACEPARENT", TRACE)
        [video] = core.enqueue("video", {"prompt": "a clip", "model": "viduq1-text", "key": "clip"}, batch="clips")
        monkeypatch.delenv("TRACEPARENT")
        [refused] = core.enqueue("image", {"prompt": "no [[fault:content]]"}, batch="foxes")
        core.work(MEDIAJOBS_TRACES_URL=collector.url)
    of = {
        job_id: {span.name: span for span in spans(collector) if attributes(span)["mediajobs.job"] == job_id}
        for job_id in (video, refused)
    }
    clip = of[video]
    assert set(clip) == {"job video", "queued", "dispatched", "running", "request video", "waiting", "storing"}
    assert {span.trace_id.hex() for span in clip.values()} == {TRACE.split("-")[1]}
    root = clip["job video"]
    assert root.parent_span_id.hex() == TRACE.split("-")[2]
    assert clip["request video"].parent_span_id == clip["running"].span_id
    states = [clip[name] for name in ("queued", "dispatched", "running", "waiting", "storing")]
    assert {span.parent_span_id for span in states} == {root.span_id}
    # One state ends where the next begins, and together they are the whole.
    assert [span.end_time_unix_nano for span in states[:-1]] == [span.start_time_unix_nano for span in states[1:]]
    assert (states[0].start_time_unix_nano, states[-1].end_time_unix_nano) == (
        root.start_time_unix_nano, root.end_time_unix_nano,
    )  # fmt: skip
    told = attributes(root)
    assert (told["mediajobs.batch"], told["mediajobs.key"], told["mediajobs.state"]) == ("clips", "clip", "succeeded")
    assert told["gen_ai.request.model"] == "viduq1-text"
    assert attributes(clip["request video"])["mediajobs.outcome"] == "answered"
    wrong = of[refused]
    assert wrong["job image"].trace_id != root.trace_id
    assert wrong["job image"].parent_span_id == b""
    assert (wrong["job image"].status.code, wrong["job image"].status.message) == (2, "1301")
    assert attributes(wrong["request image"])["http.response.status_code"] == 400


def test_a_retry_is_the_next_life_in_the_same_trace(core: Core) -> None:
    with receiving() as collector:
        core.enqueue("image", {"prompt": "no [[fault:content]]"})
        core.work(MEDIAJOBS_TRACES_URL=collector.url)
        core.retry_failed()
        core.work(MEDIAJOBS_TRACES_URL=collector.url)
    lives = [span for span in spans(collector) if span.name == "job image"]
    assert len({span.trace_id for span in lives}) == 1
    first, second = lives
    assert first.span_id != second.span_id
    assert first.end_time_unix_nano <= second.start_time_unix_nano
    requests = [span for span in spans(collector) if span.name == "request image"]
    assert len({span.span_id for span in requests}) == 2


def test_nothing_of_a_trace_that_is_not_sampled_and_no_collector_is_waited_for(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiving() as collector:
        monkeypatch.setenv("TRACEPARENT", TRACE[:-2] + "00")
        core.enqueue("image", {"prompt": "a fox"})
        core.work(MEDIAJOBS_TRACES_URL=collector.url)
    assert collector.got == []
    core.enqueue("image", {"prompt": "another fox"}, batch="later")
    core.work(MEDIAJOBS_TRACES_URL=collector.url)  # which is gone
    assert {row.state for row in core.rows("select state from jobs")} == {"succeeded"}


def test_the_open_span_of_a_producer_is_the_parent(engine: Engine) -> None:
    tracer = TracerProvider().get_tracer("shop")
    with tracer.start_as_current_span("order") as span, Session(engine) as session:
        rows = [Row(args={"model": "cogview-4-250304", "prompt": "a fox"})]
        insert_rows(session, None, "image", rows)
        session.commit()
    with engine.connect() as conn:
        found = conn.exec_driver_sql("select traceparent from jobs").scalar_one()
    context = span.get_span_context()
    assert found == f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def test_ends_are_handed_over_once_they_are_committed(engine: Engine) -> None:
    with Session(engine) as session:
        insert_rows(session, "b", "image", [Row(row=1, args={"model": "cogview-4-250304", "prompt": "a fox"})])
        session.commit()
    with engine.begin() as conn:
        conn.exec_driver_sql("update jobs set state = 'cancelled', finished_at = now()")
    seen: list[int] = []
    ends.tell(engine, seen.extend)
    ends.tell(engine, seen.extend)
    assert len(seen) == 1
