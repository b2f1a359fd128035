"""a step that starts a job anew, or that a person makes, tells no error of the step before it

Only replaces a trigger's function: old workers need not know.
"""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

RECORD = """
create or replace function record_events() returns trigger language plpgsql as $$
declare
    reopened bigint[];
begin
    with made as (
        insert into events (job_id, at, source, target, number, code, reason)
        select n.id, clock_timestamp(), o.state, n.state, n.requests,
            case when n.state in ('dispatched', 'running') or n.state <> 'failed'
                and nullif(current_setting('mediajobs.reason', true), '') is not null then null
                else n.error_code end, coalesce(
            nullif(current_setting('mediajobs.reason', true), ''),
            case n.state
                when 'dispatched' then null
                when 'running' then 'claimed by ' || n.worker
                else n.error_message
            end
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


def upgrade() -> None:
    op.execute(RECORD)


def downgrade() -> None:
    op.execute(RECORD_BEFORE)
