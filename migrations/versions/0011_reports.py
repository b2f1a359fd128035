"""views for people who bring their own tools: the schema `reports`, without prompts, texts and secrets

Views only. A role that may read them needs no right on the tables.
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

FINISHED = "('succeeded', 'failed', 'cancelled')"
SECONDS = "cast(extract(epoch from {}) as double precision)"

#: View → (what it is, FROM …, {column: (expression, what it is)}).
VIEWS: dict[str, tuple[str, str, dict[str, tuple[str, str]]]] = {
    "jobs": (
        "Jobs, one a row; pieces of recordings are counted with their recording.",
        """
        from jobs j left join batches b on b.id = j.batch_id left join lateral (
            select sum(cost) as cost, bool_or(possibly_charged) as possibly_charged from jobs c
            where j.model = 'cut' and c.parent_id = j.id
        ) f on true
        where j.parent_id is null
        """,
        {
            "job": ("j.id", "The job's id."),
            "batch_id": ("j.batch_id", "Its batch; null: none."),
            "batch": ("b.name", "Its batch's name."),
            "row": ("j.row", "Its row in the manifest."),
            "key": ("j.key", "The user's name for it."),
            "after": ("j.after", "Keys of the jobs that it comes after; null: none."),
            "kind": ("j.kind", "image, video, transcription, chat, …"),
            "model": ("case when j.model = 'cut' then j.args ->> 'model' else j.model end", "The model."),
            "state": ("j.state", "queued, dispatched, running, waiting, storing, held, succeeded, failed, cancelled."),
            "priority": ("j.priority", "Higher runs first."),
            "attempts": ("j.attempt", "Counted tries."),
            "requests": ("j.requests", "Calls made."),
            "cost": ("j.cost + coalesce(f.cost, 0)", "US dollars."),
            "possibly_charged": (
                "j.possibly_charged or coalesce(f.possibly_charged, false)",
                "An answer was lost: it may cost more.",
            ),
            "error_code": ("j.error_code", "Of the last error."),
            "error_message": ("j.error_message", "Of the last error."),
            "worker": ("j.worker", "The process that runs it now."),
            "created_at": ("j.created_at", "When it was accepted."),
            "run_at": ("j.run_at", "It does not run before."),
            "dispatched_at": ("j.dispatched_at", "When it last got a slot."),
            "started_at": ("j.started_at", "When a worker last began."),
            "submitted_at": ("j.submitted_at", "When the provider accepted its task."),
            "answered_at": ("j.answered_at", "When its result was known."),
            "finished_at": ("j.finished_at", "When it ended."),
            "total_s": (SECONDS.format("j.finished_at - j.created_at"), "Seconds from accepted to ended."),
        },
    ),
    "batches": (
        "Batches with what became of their jobs; quick, however large they are.",
        """
        from batches b left join lateral (
            select sum(jobs) filter (where not piece) as jobs, sum(cost) as cost,
                sum(jobs) filter (where not piece and state = 'succeeded') as succeeded,
                sum(jobs) filter (where not piece and state = 'failed') as failed,
                sum(jobs) filter (where not piece and state = 'cancelled') as cancelled,
                sum(jobs) filter (where not piece and state = 'held') as held
            from tallies where batch_id = b.id
        ) t on true
        """,
        {
            "batch_id": ("b.id", "The batch's id."),
            "batch": ("b.name", "Its name."),
            "created_at": ("b.created_at", "When it was made."),
            "finished_at": ("b.finished_at", "When nothing of it was open any more; null: something is."),
            "completions": ("b.completions", "Times that it finished: more than once where rows were added or retried."),
            "jobs": ("coalesce(t.jobs, 0)", "All its jobs."),
            "succeeded": ("coalesce(t.succeeded, 0)", "Of them."),
            "failed": ("coalesce(t.failed, 0)", "Of them."),
            "cancelled": ("coalesce(t.cancelled, 0)", "Of them."),
            "held": ("coalesce(t.held, 0)", "Of them: waiting for a person."),
            "open": (
                "coalesce(t.jobs - coalesce(t.succeeded, 0) - coalesce(t.failed, 0) - coalesce(t.cancelled, 0), 0)",
                "Of them: not ended, the held ones included.",
            ),
            "cost": ("coalesce(t.cost, 0)", "US dollars."),
        },
    ),
    "requests": (
        "Paid calls, one a row, as they went out.",
        "from attempts a join jobs j on j.id = a.job_id",
        {
            "job": ("a.job_id", "The job, or piece of a recording, that it was made for."),
            "recording": ("j.parent_id", "Where that is a piece: its recording's job."),
            "number": ("a.number", "The job's first call is 1."),
            "batch_id": ("j.batch_id", "The job's batch."),
            "kind": ("j.kind", "The job's kind."),
            "model": ("j.model", "The model that was asked."),
            "request_id": ("a.request_id", "Ours, as quoted to the provider."),
            "worker": ("a.worker", "The process that made it."),
            "sent_at": ("a.sent_at", "When it was about to go out."),
            "ended_at": ("a.ended_at", "When it came to something."),
            "seconds": (SECONDS.format("a.ended_at - a.sent_at"), "From sent to ended."),
            "outcome": ("a.outcome", "answered, rejected, unsent, unknown, interrupted; null: under way."),
            "http_status": ("a.http_status", "Of the answer."),
            "error_code": ("a.error_code", "The API's, or ours."),
            "error_message": ("a.error_message", "As said by the API."),
            "cost": ("a.cost", "US dollars."),
            "possibly_charged": ("a.possibly_charged", "Its answer was lost."),
        },
    ),
    "outputs": (
        "Stored files.",
        "from outputs o join jobs j on j.id = o.job_id",
        {
            "job": ("o.job_id", "The job that made it."),
            "index": ("o.index", "Its place among the job's outputs, from 0."),
            "batch_id": ("j.batch_id", "The job's batch."),
            "kind": ("j.kind", "The job's kind."),
            "role": ("o.role", "image, video, cover, text, json, …"),
            "location": ("o.location", "Path below the outputs URL."),
            "mime": ("o.mime", "Its type."),
            "bytes": ("o.bytes", "Its size."),
            "sha256": ("o.sha256", "Of its content."),
            "created_at": ("o.created_at", "When it was stored."),
        },
    ),
    "history": (
        "Every change of a job's state.",
        "from events e",
        {
            "job": ("e.job_id", "The job."),
            "at": ("e.at", "When."),
            "source": ("e.source", "From this state"),
            "target": ("e.target", "to this one."),
            "request": ("e.number", "The call that it was about; 0: before the first."),
            "code": ("e.code", "Of an error."),
            "reason": ("e.reason", "Why."),
        },
    ),
    "ended": (
        "How many jobs ended when: by ten seconds for the last hours, then by the hour, in the end by the day.",
        f"""
        from tallies where state in {FINISHED} and isfinite(at) and not piece
        group by at, kind, model, state having sum(came) <> 0
        """,
        {
            "at": ("at", "The span's start."),
            "kind": ("kind", "Their kind."),
            "model": ("model", "Their model; recordings that are cut: `cut`."),
            "state": ("state", "How they ended."),
            "jobs": ("cast(sum(came) as bigint)", "How many."),
        },
    ),
    "costs": (
        "What was spent by day (UTC).",
        """
        from tallies t left join batches b on b.id = t.batch_id
        where isfinite(t.at) and (t.cost <> 0 or t.requests <> 0)
        group by 1, t.kind, t.model, t.batch_id, b.name
        """,
        {
            "day": ("cast(t.at at time zone 'UTC' as date)", "The day (UTC)."),
            "kind": ("t.kind", "The jobs' kind."),
            "model": ("t.model", "The model."),
            "batch_id": ("t.batch_id", "The batch."),
            "batch": ("b.name", "Its name."),
            "requests": ("cast(sum(t.requests) as bigint)", "Calls made."),
            "cost": ("sum(t.cost)", "US dollars; less than 0 where what was counted before turned out free."),
        },
    ),
    "models": (
        "What each model may do at once, now.",
        "from limits l",
        {
            "model": ("l.model", "The model; `*` is the account, `cut` the cutting of recordings."),
            "in_use": ("l.in_use", "Slots taken."),
            "learned": ("l.learned", "Slots that may be taken now."),
            "concurrency": ("l.concurrency", "Slots at most, as set."),
            "per_minute": ("l.per_minute", "Calls a minute at most; null: as the slots allow."),
            "pause_reason": (
                "case when l.paused_until is null or l.paused_until > now() or l.probes then l.pause_reason end",
                "Why no calls are made; null: they are.",
            ),
            "pause_code": ("l.pause_code", "The API's code behind the last pause."),
            "paused_until": ("l.paused_until", "The last pause's end; null: none is known."),
        },
    ),
    "budgets": (
        "What may be spent.",
        "from budgets u left join batches b on u.scope = 'batch' and cast(b.id as text) = u.subject",
        {
            "scope": ("u.scope", "day (UTC), model or batch."),
            "subject": ("coalesce(b.name, u.subject)", "The model's or batch's name; of the day empty."),
            "amount": ("u.amount", "US dollars."),
            "spent": (
                "case when u.scope = 'day' and u.day <> cast(now() at time zone 'UTC' as date) then 0 else u.spent end",
                "US dollars, what lost answers may have cost included.",
            ),
            "reserved": ("u.reserved", "US dollars that jobs under way may cost."),
            "reached_at": ("u.reached_at", "When a job first had to wait for it."),
        },
    ),
    "workers": (
        "Processes that take messages.",
        "from workers w",
        {
            "worker": ("w.name", "host:pid."),
            "node": ("w.node", "Its name in Flower."),
            "queues": ("w.queues", "What it takes messages from."),
            "threads": ("w.threads", "How many at once."),
            "in_hand": ("w.in_hand", "Claims that it has."),
            "version": ("w.version", "Of mediajobs."),
            "started_at": ("w.started_at", "Since when."),
            "seen_at": ("w.seen_at", "When it last said so; older than 30 s: it is gone."),
        },
    ),
    "deliveries": (
        "Messages to webhooks.",
        "from deliveries d",
        {
            "delivery": ("d.id", "Its id, for `webhooks replay`."),
            "message_id": ("d.message_id", "As the receiver sees it."),
            "event": ("d.event", "What it tells."),
            "host": ("d.host", "The receiver, without what may be a secret."),
            "batch_id": ("d.batch_id", "The batch that it is about."),
            "job": ("d.job_id", "The job that it is about."),
            "state": ("d.state", "pending, delivered, failed."),
            "tries": ("d.tries", "How often it was sent."),
            "http_status": ("d.http_status", "Of the last try."),
            "error": ("d.error", "Of the last try."),
            "created_at": ("d.created_at", "When it happened."),
            "ended_at": ("d.ended_at", "When it was delivered or given up."),
        },
    ),
    "schedules": (
        "Schedules, and how each went last.",
        """
        from schedules s left join lateral (
            select state, tick, finished_at, error from schedule_runs r where r.schedule_id = s.id
            order by tick desc limit 1
        ) r on true
        """,
        {
            "schedule": ("s.name", "Its name."),
            "cron": ("s.cron", "When it runs."),
            "timezone": ("s.timezone", "Where that is meant."),
            "source": ("s.source", "Where it looks."),
            "paused_at": ("s.paused_at", "Since when it is paused."),
            "next_at": ("s.next_at", "When it runs next."),
            "last_tick": ("r.tick", "The moment that the last run was due."),
            "last_state": ("r.state", "due, listing, done, failed, skipped."),
            "last_finished_at": ("r.finished_at", "When the last run ended."),
            "last_error": ("r.error", "What went wrong in it."),
        },
    ),
}  # fmt: skip


def quoted(words: str) -> str:
    return words.replace("'", "''")


def upgrade() -> None:
    op.execute("create schema reports")
    op.execute("comment on schema reports is 'mediajobs: views for people and their tools; see docs/sql.md'")
    for view, (about, source, columns) in VIEWS.items():
        chosen = ", ".join(f"{expression} as {name}" for name, (expression, _) in columns.items())
        op.execute(f"create view reports.{view} as select {chosen} {source}")
        op.execute(f"comment on view reports.{view} is '{quoted(about)}'")
        for name, (_, what) in columns.items():
            op.execute(f"comment on column reports.{view}.{name} is '{quoted(what)}'")


def downgrade() -> None:
    op.execute("drop schema reports cascade")
