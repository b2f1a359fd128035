"""Fills a database with jobs, by SQL alone: python -m bench.fill --jobs 10000000.

What pages and lists are measured on. It takes the database of the settings, which must be empty of jobs, and needs
about 2 GB for each million.
"""

import argparse
import sys
import time

from sqlalchemy import Connection, Engine, text

from models.migrate import upgrade
from models.session import make_engine
from worker.settings import settings
from worker.upkeep.tallies import coarsen, tally

CHUNK = 100_000
PER_BATCH = 50_000
#: The last batch is as large as this part of all: a page of a batch must not grow with it.
LARGEST = 0.3

BATCHES = text("""
    insert into batches (name, created_at)
    select 'batch ' || n, now() - interval '60 days' + n * interval '60 days' / :count
    from generate_series(cast(:first as int), cast(:count as int)) n
""")
LIMITS = text("""
    insert into limits (model, concurrency, learned, slot_scope) values
        ('cogview-4-250304', 5, 4, 'answer'), ('glm-image', 5, 5, 'answer'), ('cogvideox-3', 20, 12, 'task'),
        ('glm-asr-2512', 30, 30, 'answer'), ('glm-4.6', 40, 40, 'answer')
    on conflict do nothing
""")
# The newest two in a hundred have not ended; of the others some failed.
JOBS = text("""
    insert into jobs (batch_id, row, key, dedupe, kind, model, args, state, run_at, attempt, requests, remote_id,
        next_poll_at, error_code, error_message, estimate, cost, possibly_charged, created_at, dispatched_at,
        started_at, submitted_at, answered_at, finished_at)
    select batch, row, 'row-' || n, 'key:row-' || n, kind, model,
        jsonb_build_object('model', model, case kind when 'transcription' then 'file' else 'prompt' end,
            'a picture of ' || subject || ', study ' || n || ', in the manner of an old photograph with soft light'),
        state, at, sent, sent, case when kind = 'video' and sent = 1 then 'task-' || n end,
        case when state = 'waiting' then now() + interval '1 hour' end,
        case when state = 'failed' then (array['1301', '1214', 'output_lost'])[1 + n % 3] end,
        case when state = 'failed' then (array['unsafe', 'invalid parameter', 'the output is gone'])[1 + n % 3] end,
        price, case when state = 'succeeded' then price else 0 end, n % 2003 = 0 and sent = 1, at,
        case when sent = 1 then at + interval '2 s' end, case when sent = 1 then at + interval '2 s' end,
        case when sent = 1 then at + interval '3 s' end,
        case when state = 'succeeded' then at + interval '9 s' end,
        case when state in ('succeeded', 'failed', 'cancelled') then at + (5 + n % 60) * interval '1 s' end
    from (
        select *, case when state = 'queued' then 0 else 1 end as sent from (
            select *, (array['foxes', 'boats', 'harbours', 'owls', 'trams'])[1 + n % 5] as subject, case
                when n > cast(:open_from as bigint) then case
                    when kind = 'video' and n % 50 = 0 then 'waiting' when n % 997 = 0 then 'held' else 'queued' end
                when n % 43 = 0 then 'failed' when n % 211 = 0 then 'cancelled' else 'succeeded' end as state
            from (
                select n, least(1 + (n - 1) / :per_batch, cast(:batches as bigint)) as batch, n as row,
                    (array['image', 'image', 'image', 'image', 'video', 'transcription', 'chat'])[1 + n % 7] as kind,
                    (array['cogview-4-250304', 'cogview-4-250304', 'glm-image', 'cogview-4-250304', 'cogvideox-3',
                        'glm-asr-2512', 'glm-4.6'])[1 + n % 7] as model,
                    (array[0.01, 0.01, 0.015, 0.01, 0.2, 0.0024, 0.001])[1 + n % 7] as price,
                    now() - interval '60 days' + n * (interval '60 days' / cast(:jobs as bigint)) as at
                from generate_series(cast(:start as bigint), cast(:stop as bigint)) n
            ) numbered
        ) stated
    ) planned
    order by n
""")
ATTEMPTS = text("""
    insert into attempts (job_id, number, fence, request_id, worker, sent_at, ended_at, outcome, http_status,
        error_code, error_message, cost, possibly_charged, answer)
    select id, 1, 1, 'request-' || id, 'host:1', started_at, coalesce(finished_at, submitted_at),
        case when state = 'failed' then 'rejected' else 'answered' end,
        case when state = 'failed' then 400 else 200 end,
        error_code, error_message, cost, possibly_charged, '{"data": [{"url": "https://example.com/a.png"}]}'
    from jobs where id between :low and :high and requests > 0
""")
OUTPUTS = text("""
    insert into outputs (job_id, index, role, location, mime, bytes, sha256, text)
    select id, 0, case kind when 'image' then 'image' when 'video' then 'video' else 'text' end,
        kind || '/' || id, case kind when 'image' then 'image/png' when 'video' then 'video/mp4' else 'text/plain' end,
        150000, md5(id::text) || md5(id::text), case when kind in ('chat', 'transcription') then 'words of ' || id end
    from jobs where id between :low and :high and state = 'succeeded'
""")
EVENTS = text("""
    insert into events (job_id, at, source, target, number, code, reason)
    select id, e.at, e.source, e.target, 1, null, null
    from jobs, lateral (values
        ('queued', 'dispatched', dispatched_at), ('dispatched', 'running', started_at),
        ('running', 'storing', answered_at), ('storing', 'succeeded', finished_at)
    ) e (source, target, at)
    where id between :low and :high and state = 'succeeded' and id % 10 = 0
""")
# The triggers put all of it into this very minute; it is to lie where it happened.
HISTORY = text("""
    insert into tallies (at, batch_id, kind, model, state, jobs, came, requests, cost)
    select date_bin('1 hour', finished_at, 'epoch'), batch_id, kind, model, state, count(*), count(*), 0, 0
    from jobs where finished_at is not null group by 1, 2, 3, 4, 5
    union all
    select date_bin('1 hour', created_at, 'epoch'), batch_id, kind, model, null, 0, 0, sum(requests), sum(cost)
    from jobs where requests > 0 group by 1, 2, 3, 4
    union all
    select '-infinity', batch_id, kind, model, state, count(*), 0, 0, 0 from jobs where finished_at is null
    group by 2, 3, 4, 5
""")


def fill(engine: Engine, jobs: int) -> None:
    batches = max(int(jobs * (1 - LARGEST)) // PER_BATCH, 1) + 1
    with engine.begin() as conn:
        conn.execute(text("set local synchronous_commit = off"))
        conn.execute(BATCHES, {"first": 1, "count": batches})
        conn.execute(LIMITS)
    for start in range(1, jobs + 1, CHUNK):
        with engine.begin() as conn:
            conn.execute(text("set local synchronous_commit = off"))
            stop = min(start + CHUNK - 1, jobs)
            chunk(conn, start, stop, jobs=jobs, batches=batches)
        print(f"\r{stop:,} of {jobs:,}", end="", file=sys.stderr, flush=True)
    with engine.begin() as conn:
        conn.execute(text("set local statement_timeout = 0"))
        conn.execute(text("truncate tallies"))
        conn.execute(HISTORY)
    tally(engine)
    coarsen(engine)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(text("set statement_timeout = 0"))
        conn.execute(text("vacuum (analyze) jobs, attempts, outputs, events, batches, tallies"))
    print(file=sys.stderr)


def chunk(conn: Connection, start: int, stop: int, *, jobs: int, batches: int) -> None:
    conn.execute(text("set local statement_timeout = 0"))
    # No trigger and no check of a foreign key: HISTORY tallies in the end. It takes a superuser.
    conn.execute(text("set local session_replication_role = replica"))
    low = conn.execute(text("select coalesce(max(id), 0) + 1 from jobs")).scalar_one()
    conn.execute(JOBS, {"start": start, "stop": stop, "jobs": jobs, "batches": batches, "per_batch": PER_BATCH,
                        "open_from": int(jobs * 0.98)})  # fmt: skip
    values = {"low": low, "high": conn.execute(text("select max(id) from jobs")).scalar_one()}
    for statement in (ATTEMPTS, OUTPUTS, EVENTS):
        conn.execute(statement, values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--jobs", type=int, default=10_000_000)
    asked = parser.parse_args()
    url = settings().require_database_url()
    upgrade(url)
    engine = make_engine(url, name="mediajobs-fill")
    with engine.connect() as conn:
        if conn.execute(text("select exists (select from jobs)")).scalar():
            sys.exit("the database has jobs already: a database of its own, please")
    began = time.monotonic()
    fill(engine, asked.jobs)
    print(f"{asked.jobs:,} jobs in {time.monotonic() - began:.0f} s")
    engine.dispose()


if __name__ == "__main__":
    main()
