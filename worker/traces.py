"""OpenTelemetry spans of jobs that ended, from the producer to the stored output.

They are made of the record, when the life of a job is over: no process has to live through it, a
kill -9 leaves no gap, and the way of a call carries no weight for it. Ids follow from the record too.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b
from importlib.metadata import version
from typing import Any

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags
from sqlalchemy import Engine, Row, text

from models.state import FINAL
from worker.report import CHARGED, COST, FAMILY, MODEL

log = logging.getLogger(__name__)

EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
#: Spans that wait for the collector; what is more is dropped, for no job waits.
WAITING = 65_536
#: Jobs whose record is read at once.
CHUNK = 500

LIVES = text(f"""
    select j.id, j.kind, {MODEL} as model, j.key, j.batch_id, b.name as batch, j.parent_id, j.traceparent, j.created_at,
        {COST} as cost, {CHARGED} as possibly_charged, e.events, a.attempts
    from jobs j left join batches b on b.id = j.batch_id {FAMILY} left join lateral (
        select jsonb_agg(jsonb_build_object('at', at, 'source', source, 'target', target, 'number', number,
            'code', code) order by id) as events
        from events where job_id = j.id and source <> target
    ) e on true left join lateral (
        select jsonb_agg(jsonb_build_object('number', number, 'request_id', request_id, 'worker', worker,
            'sent_at', sent_at, 'ended_at', ended_at, 'outcome', outcome, 'code', error_code, 'status', http_status,
            'cost', cost) order by number) as attempts
        from attempts where job_id = j.id
    ) a on true
    where j.id = any(cast(:ids as bigint[])) and j.finished_at is not null and e.events is not null
    order by j.id
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One span to be. Ids as OpenTelemetry has them."""

    name: str
    trace_id: int
    span_id: int
    parent_id: int | None
    start: datetime
    end: datetime
    failed: str | None = None
    #: A call to another's server.
    call: bool = False
    attributes: dict[str, Any] = field(default_factory=dict)


def spans_of(job: Row[Any]) -> list[Span]:
    """The last life of a job, which ended: the whole, each state it was in, each request made."""
    events = [{**each, "at": datetime.fromisoformat(each["at"])} for each in job.events]
    begun, life = job.created_at, events
    for place, event in enumerate(events):
        if event["source"] in FINAL:  # it was taken up again
            begun, life = event["at"], events[place:]
    over = life[-1]
    trace_id, producer = parent(job)
    root = number_of(job.id, job.created_at, "life", begun, bytes_=8)
    about = {"mediajobs.job": job.id, "mediajobs.kind": job.kind, "gen_ai.request.model": job.model}
    optional = {"mediajobs.batch": job.batch, "mediajobs.batch_id": job.batch_id, "mediajobs.key": job.key,
                "mediajobs.piece_of": job.parent_id, "error.type": over["code"]}  # fmt: skip
    spans = [
        Span(
            name=f"job {job.kind}",
            trace_id=trace_id,
            span_id=root,
            parent_id=producer,
            start=begun,
            end=over["at"],
            failed=over["code"] or over["target"] if over["target"] != "succeeded" else None,
            attributes={**about, "mediajobs.state": over["target"], "mediajobs.cost": float(job.cost),
                        "mediajobs.possibly_charged": job.possibly_charged}
            | {name: value for name, value in optional.items() if value is not None},
        )
    ]  # fmt: skip
    running: dict[int, int] = {}
    since, state = begun, "queued"
    for place, event in enumerate(life):
        if event["source"] in FINAL:
            continue  # where it was taken up again, `since` is its moment already
        span_id = number_of(root, place, bytes_=8)
        if state == "running":
            running[event["number"]] = span_id
        spans.append(
            Span(name=state, trace_id=trace_id, span_id=span_id, parent_id=root, start=since, end=event["at"],
                 attributes={"mediajobs.job": job.id})
        )  # fmt: skip
        since, state = event["at"], event["target"]
    made = [each for each in job.attempts or () if each["number"] in running]
    return spans + [request(job, each, trace_id, running[each["number"]]) for each in made]


def request(job: Row[Any], attempt: dict[str, Any], trace_id: int, within: int) -> Span:
    sent_at = datetime.fromisoformat(attempt["sent_at"])
    given = {"mediajobs.request_id": attempt["request_id"], "mediajobs.worker": attempt["worker"],
             "mediajobs.outcome": attempt["outcome"], "http.response.status_code": attempt["status"],
             "error.type": attempt["code"], "mediajobs.cost": attempt["cost"]}  # fmt: skip
    return Span(
        name=f"request {job.kind}",
        trace_id=trace_id,
        span_id=number_of(within, "request", bytes_=8),
        parent_id=within,
        start=sent_at,
        end=datetime.fromisoformat(attempt["ended_at"]) if attempt["ended_at"] else sent_at,
        failed=attempt["code"] or attempt["outcome"] if attempt["outcome"] not in {"answered", "cut"} else None,
        call=True,
        attributes={"mediajobs.job": job.id} | {name: value for name, value in given.items() if value is not None},
    )


def parent(job: Row[Any]) -> tuple[int, int | None]:
    """The trace, and the producer's span in it; a trace of the job's own where its producer had none."""
    if job.traceparent:  # it was looked at before it was kept
        _, trace_id, span_id, _ = job.traceparent.split("-")
        return int(trace_id, 16), int(span_id, 16)
    return number_of(job.id, job.created_at, bytes_=16), None


def number_of(*parts: Any, bytes_: int) -> int:
    """The same number for the same parts, and another one for others."""
    return int.from_bytes(blake2b(repr(parts).encode(), digest_size=bytes_).digest(), "big")


def wanted(traceparent: str | None) -> bool:
    """Not where the producer itself chose to leave its trace out."""
    return traceparent is None or bool(int(traceparent[-2:], 16) & TraceFlags.SAMPLED)


class Tracer:
    """Sends the spans of jobs that ended to a collector, beside the work. `url`: OTLP over HTTP, with its path."""

    def __init__(self, engine: Engine, url: str) -> None:
        self._engine = engine
        self._processor = BatchSpanProcessor(OTLPSpanExporter(endpoint=url, timeout=10), max_queue_size=WAITING)
        self._resource = Resource.create({"service.name": "mediajobs", "service.version": version("mediajobs")})
        self._scope = InstrumentationScope("mediajobs", version("mediajobs"))

    def ended(self, job_ids: Sequence[int]) -> None:
        """Hand over the lives of these jobs. What cannot be read is logged: no job depends on it."""
        try:
            with self._engine.connect() as conn:
                for first in range(0, len(job_ids), CHUNK):
                    for job in conn.execute(LIVES, {"ids": list(job_ids[first : first + CHUNK])}):
                        if wanted(job.traceparent):
                            for span in spans_of(job):
                                self._processor.on_end(self._made(span))
        except Exception:
            log.exception("no traces of %d jobs that ended", len(job_ids))

    def _made(self, span: Span) -> ReadableSpan:
        flags = TraceFlags(TraceFlags.SAMPLED)
        above = None
        if span.parent_id is not None:
            above = SpanContext(span.trace_id, span.parent_id, is_remote=True, trace_flags=flags)
        return ReadableSpan(
            span.name,
            context=SpanContext(span.trace_id, span.span_id, is_remote=False, trace_flags=flags),
            parent=above,
            resource=self._resource,
            attributes=span.attributes,
            kind=SpanKind.CLIENT if span.call else SpanKind.INTERNAL,
            status=Status(StatusCode.ERROR, span.failed) if span.failed else Status(StatusCode.OK),
            start_time=nanoseconds(span.start),
            end_time=nanoseconds(span.end),
            instrumentation_scope=self._scope,
        )

    def close(self) -> None:
        """Send what waits, for a moment."""
        self._processor.shutdown()  # type: ignore[no-untyped-call]


def nanoseconds(at: datetime) -> int:
    """Since 1970, exactly: a float of seconds would be off by hundreds of them."""
    return (at - EPOCH) // timedelta(microseconds=1) * 1000
