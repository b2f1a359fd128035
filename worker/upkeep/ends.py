"""Takes in what ended: calls batches finished, and writes the deliveries of those who want to be told."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Engine, text

from models import meters, outbox
from worker.report import CHARGED, COST, FAMILY, MODEL, as_json, status

#: Notices of one transaction.
MOST = 5000

# One reader at a time: two would wait for each other's rows.
ALONE = text("select pg_try_advisory_xact_lock(:key)")
#: Any number that is not used for another lock.
TELL_LOCK = 7_236_530

TELL = text(f"""
    insert into deliveries (webhook_id, url, event, batch_id, job_id, created_at, data)
    select w.id, w.url, 'job.' || t.event, j.batch_id, j.id, t.at, jsonb_build_object(
        'job', j.id, 'batch', b.name, 'batch_id', j.batch_id, 'row', j.row, 'key', j.key, 'kind', j.kind,
        'model', {MODEL}, 'state', t.event, 'attempts', j.attempt, 'cost', {COST},
        'possibly_charged', {CHARGED},
        'error', case when t.event = 'failed'
            then jsonb_build_object('code', t.code, 'message', j.error_message) end,
        'outputs', coalesce(o.outputs, '[]')
    )
    from unnest(
        cast(:ids as bigint[]), cast(:ats as timestamptz[]), cast(:job_ids as bigint[]), cast(:events as text[]),
        cast(:codes as text[])
    ) as t (id, at, job_id, event, code)
    join webhooks w on 'job.' || t.event = any(w.events) and w.stopped is null
    join jobs j on j.id = t.job_id and j.parent_id is null
    left join batches b on b.id = j.batch_id {FAMILY} left join lateral (
        select jsonb_agg(jsonb_build_object(
            'index', index, 'role', role, 'location', location, 'mime', mime, 'bytes', bytes, 'sha256', sha256
        ) order by index) as outputs from outputs where job_id = j.id
    ) o on true
    order by t.id
""")


def tell(engine: Engine, ended: Callable[[Sequence[int]], None] | None = None) -> None:
    """One pass: notices until there are none, then the batches, whose ends come after those of their jobs.

    `ended` is called with the ids of jobs that ended, once what they have to tell is committed.
    """
    taken = MOST
    while taken == MOST:
        with engine.begin() as conn:
            notices = take_in(conn)
        taken = len(notices)
        if ended and (job_ids := [each.job_id for each in notices if each.seconds is None]):
            ended(job_ids)
    with engine.begin() as conn:
        finish(conn)


def take_in(conn: Connection) -> Sequence[Any]:
    """Take a lot of notices in."""
    if not conn.execute(ALONE, {"key": TELL_LOCK}).scalar_one():
        return ()
    notices = outbox.take(conn, most=MOST)
    if notices:
        meters.measure(conn, notices)
        tell_of_jobs(conn, [each for each in notices if each.seconds is None])
    return notices


def tell_of_jobs(conn: Connection, ended: Sequence[Any]) -> None:
    """A delivery for each receiver that wants to know of these ends."""
    values = {
        "ids": [each.id for each in ended],
        "ats": [each.at for each in ended],
        "job_ids": [each.job_id for each in ended],
        "events": [each.event for each in ended],
        "codes": [each.code for each in ended],
    }
    conn.execute(TELL, values)


def finish(conn: Connection) -> None:
    """Call batches finished, and tell who wants to know."""
    for row in outbox.finish_batches(conn):
        found = asdict(status(conn, row.name))
        data = {name: found[name] for name in ("batch", "total", "counts", "cost", "possibly_charged")}
        data |= {
            "batch_id": row.id,
            "completion": row.completions,
            "created_at": row.created_at,
            "finished_at": row.finished_at,
        }
        outbox.tell(conn, "batch.finished", json.dumps(data, default=as_json), batch=row.id, own=row.webhook)
