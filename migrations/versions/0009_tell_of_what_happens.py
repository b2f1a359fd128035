"""tell of what happens: an outbox of jobs' ends, deliveries to webhooks, batches that finish

Only adds: old workers need not know, for triggers write what is to be told.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

NOW = sa.text("now()")
ZERO = sa.text("0")

# Beside the event: the notice of a job's end, and the batches whose jobs run again are open again.
RECORD = """
create or replace function record_events() returns trigger language plpgsql as $$
declare
    reopened bigint[];
begin
    with made as (
        insert into events (job_id, at, source, target, number, code, reason)
        select n.id, clock_timestamp(), o.state, n.state, n.requests, n.error_code, coalesce(
            nullif(current_setting('mediajobs.reason', true), ''),
            case n.state when 'running' then 'claimed by ' || n.worker else n.error_message end
        )
        from new_rows n join old_rows o on o.id = n.id
        where n.state <> o.state or o.holds_slot and not n.holds_slot
        order by n.id
        returning job_id, at, source, target, code
    ), ended as (
        insert into outbox (at, job_id, event, code)
        select at, job_id, target, code from made
        where target in ('succeeded', 'failed', 'cancelled') and source <> target
    )
    select array_agg(job_id) into reopened from made where source in ('succeeded', 'failed', 'cancelled');
    if reopened is not null then
        perform reopen_batches(array(select distinct batch_id from jobs where id = any(reopened)));
    end if;
    return null;
end $$
"""
RECORD_BEFORE = """
create or replace function record_events() returns trigger language plpgsql as $$
begin
    insert into events (job_id, at, source, target, number, code, reason)
    select n.id, clock_timestamp(), o.state, n.state, n.requests, n.error_code, coalesce(
        nullif(current_setting('mediajobs.reason', true), ''),
        case n.state when 'running' then 'claimed by ' || n.worker else n.error_message end
    )
    from new_rows n join old_rows o on o.id = n.id
    where n.state <> o.state or o.holds_slot and not n.holds_slot
    order by n.id;
    return null;
end $$
"""

# The lock keeps whoever would call these batches finished from doing so before this transaction is over.
REOPEN = """
create function reopen_batches(ids bigint[]) returns void language plpgsql as $$
begin
    perform from batches where id = any(ids) order by id for key share;
    if exists (select from batches where id = any(ids) and finished_at is not null) then
        perform from batches where id = any(ids) order by id for no key update;
        update batches set finished_at = null where id = any(ids) and finished_at is not null;
    end if;
end $$
"""
ADDED = """
create function jobs_added() returns trigger language plpgsql as $$
begin
    perform reopen_batches(array(select distinct batch_id from new_rows where batch_id is not null));
    return null;
end $$
"""
ADDED_TRIGGER = """
create trigger jobs_added after insert on jobs
referencing new table as new_rows for each statement execute function jobs_added()
"""

# One delivery for each receiver that wants the event.
TELL = """
create function tell(event text, data jsonb, batch bigint, job bigint) returns void language sql as $$
    insert into deliveries (webhook_id, url, event, data, batch_id, job_id)
    select w.id, w.url, tell.event, tell.data, tell.batch, tell.job from webhooks w
    where tell.event = any(w.events) and w.stopped is null
$$
"""
PAUSED = """
create function account_paused() returns trigger language plpgsql as $$
begin
    perform tell('account.paused', jsonb_build_object(
        'reason', new.pause_reason, 'code', new.pause_code, 'until', new.paused_until, 'probes', new.probes
    ), null, null);
    return null;
end $$
"""
# A pause that is made longer, or goes on since its probe failed, is the same one.
PAUSED_TRIGGERS = """
create trigger account_paused after update on limits for each row
when (new.model = '*' and new.pause_reason is not null and (
    old.pause_reason is null or new.pause_code is distinct from old.pause_code
    or not old.probes and old.paused_until <= now()
)) execute function account_paused();
create trigger account_paused_first after insert on limits for each row
when (new.model = '*' and new.pause_reason is not null) execute function account_paused()
"""

# What ended before is no news.
FINISHED_BEFORE = """
update batches b set finished_at = (select max(finished_at) from jobs where batch_id = b.id)
where exists (select from jobs where batch_id = b.id)
    and not exists (select from jobs where batch_id = b.id and finished_at is null)
"""


def upgrade() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
    )
    op.create_table(
        "webhooks",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("events", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("stopped", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
        sa.UniqueConstraint("url", name=op.f("uq_webhooks_url")),
    )
    op.create_table(
        "webhook_keys",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_keys")),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "message_id",
            sa.Text(),
            server_default=sa.text("'msg_' || replace(cast(gen_random_uuid() as text), '-', '')"),
            nullable=False,
        ),
        sa.Column("webhook_id", sa.BigInteger(), nullable=True),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column(
            "host",
            sa.Text(),
            sa.Computed("lower(substring(url from '^[^:]+://[^/?#]+'))", persisted=True),
            nullable=False,
        ),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=True),
        sa.Column("job_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'pending'"), nullable=False),
        sa.Column("tries", sa.BigInteger(), server_default=ZERO, nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("http_status", sa.SmallInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint("state IN ('pending', 'delivered', 'failed')", name=op.f("ck_deliveries_state_known")),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhooks.id"], name=op.f("fk_deliveries_webhook_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
    )
    pending = sa.text("state = 'pending'")
    op.create_index("ix_deliveries_due", "deliveries", ["host", "next_at", "id"], postgresql_where=pending)
    op.create_index(
        "ix_deliveries_batch_id", "deliveries", ["batch_id"], postgresql_where=sa.text("batch_id is not null")
    )
    op.create_index("ix_deliveries_created_at", "deliveries", ["created_at"], postgresql_using="brin")
    op.add_column("budgets", sa.Column("reached_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("batches", sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("batches", sa.Column("completions", sa.BigInteger(), server_default=ZERO, nullable=False))
    op.create_index("ix_batches_open", "batches", ["id"], postgresql_where=sa.text("finished_at is null"))
    for statement in (REOPEN, RECORD, ADDED, ADDED_TRIGGER, TELL, PAUSED, *PAUSED_TRIGGERS.split(";")):
        op.execute(statement)
    op.execute(FINISHED_BEFORE)


def downgrade() -> None:
    op.execute("drop trigger account_paused_first on limits")
    op.execute("drop trigger account_paused on limits")
    op.execute("drop trigger jobs_added on jobs")
    op.execute(RECORD_BEFORE)
    for name in ("jobs_added()", "reopen_batches(bigint[])", "account_paused()", "tell(text, jsonb, bigint, bigint)"):
        op.execute(f"drop function {name}")
    op.drop_index("ix_batches_open", "batches")
    op.drop_column("batches", "completions")
    op.drop_column("batches", "finished_at")
    op.drop_column("budgets", "reached_at")
    for table in ("deliveries", "webhook_keys", "webhooks", "outbox"):
        op.drop_table(table)
