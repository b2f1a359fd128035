"""record when a waiting job's slot is freed, since when a task is doubted, and the highest limit

Only adds: old workers need not know.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

RECORD = """
create or replace function record_events() returns trigger language plpgsql as $$
begin
    insert into events (job_id, at, source, target, number, code, reason)
    select n.id, clock_timestamp(), o.state, n.state, n.requests, n.error_code, coalesce(
        nullif(current_setting('mediajobs.reason', true), ''),
        case n.state when 'running' then 'claimed by ' || n.worker else n.error_message end
    )
    from new_rows n join old_rows o on o.id = n.id
    where {changed}
    order by n.id;
    return null;
end $$
"""
STATE = "n.state <> o.state"
STATE_OR_SLOT = "n.state <> o.state or o.holds_slot and not n.holds_slot"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("doubted_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("limits", sa.Column("highest", sa.BigInteger(), nullable=True))
    op.execute(RECORD.format(changed=STATE_OR_SLOT))


def downgrade() -> None:
    op.execute(RECORD.format(changed=STATE))
    op.drop_column("limits", "highest")
    op.drop_column("jobs", "doubted_at")
