"""The SQL of meters: adds up what notices tell of."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, text

#: Seconds: the upper ends of histograms' buckets. Calls take seconds, videos minutes, batches hours.
BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 14400.0, 86400.0)

# Of phases only those of jobs that succeeded are measured; a piece
# of a recording is no job of the user's, so that it has no `total`.
MEASURE = text("""
    with notices as (
        select n.*, j.kind, j.model
        from unnest(
            cast(:job_ids as bigint[]), cast(:events as text[]), cast(:codes as text[]), cast(:statuses as int[]),
            cast(:seconds as float8[])
        ) as n (job_id, event, code, status, seconds)
        join jobs j on j.id = n.job_id
    ), took as (
        select n.kind, n.model, p.phase, greatest(p.seconds, 0) as seconds
        from notices n join jobs j on j.id = n.job_id cross join lateral (values
            ('queued', extract(epoch from j.dispatched_at - greatest(j.created_at, least(j.run_at, j.dispatched_at)))),
            ('dispatched', extract(epoch from j.started_at - j.dispatched_at)),
            ('waiting', extract(epoch from j.answered_at - j.submitted_at)),
            ('storing', extract(epoch from j.finished_at - j.answered_at)),
            ('total', case when j.parent_id is null then extract(epoch from j.finished_at - j.created_at) end)
        ) p (phase, seconds)
        where n.event = 'succeeded' and n.seconds is null and p.seconds is not null
        union all
        select kind, model, 'running', seconds from notices where seconds is not null
    ), found (meter, kind, model, label, code, status, le, count, total) as (
        select 'requests', kind, model, event, coalesce(code, ''), coalesce(status, 0), 0, 1, 0
        from notices where seconds is not null
        union all
        select 'phases', kind, model, phase, '', 0, coalesce(
            (cast(:buckets as float8[]))[width_bucket(cast(seconds as float8), cast(:buckets as float8[])) + 1],
            'infinity'
        ), 1, seconds from took
        union all
        select 'outputs', n.kind, n.model, o.role, '', 0, 0, 1, o.bytes
        from notices n join outputs o on o.job_id = n.job_id
        where n.event = 'succeeded' and n.seconds is null
    )
    insert into meters (meter, kind, model, label, code, status, le, count, total)
    select meter, kind, model, label, code, status, le, sum(count), sum(cast(total as numeric)) from found
    group by 1, 2, 3, 4, 5, 6, 7 order by 1, 2, 3, 4, 5, 6, 7
    on conflict (meter, kind, model, label, code, status, le) do update set
        count = meters.count + excluded.count, total = meters.total + excluded.total
""")


def measure(conn: Connection, notices: Sequence[Any]) -> None:
    """Add what these rows of the outbox tell of, and what is known of their jobs by now."""
    values = {
        "job_ids": [each.job_id for each in notices],
        "events": [each.event for each in notices],
        "codes": [each.code for each in notices],
        "statuses": [each.http_status for each in notices],
        "seconds": [each.seconds for each in notices],
        "buckets": list(BUCKETS),
    }
    conn.execute(MEASURE, values)


COUNT = text("""
    insert into meters (meter, kind, model, label, code, status, count) values (:meter, '', '', :label, '', 0, 1)
    on conflict (meter, kind, model, label, code, status, le) do update set count = meters.count + 1
""")


def count(conn: Connection, meter: str, label: str) -> None:
    """Add one to a meter of no kind or model. The transaction is to be committed soon: all wait for the row."""
    conn.execute(COUNT, {"meter": meter, "label": label})


READ = text("""
    select meter, kind, model, label, code, status, le, count, total from meters order by 1, 2, 3, 4, 5, 6, 7
""")


def read(conn: Connection) -> Sequence[Any]:
    """All of them."""
    return conn.execute(READ).all()
