"""record every change of state, money and what limits learned

Adds only what old workers need not know: columns with defaults, new tables, and a trigger.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# In the statement's own transaction, whoever makes it: no path can forget its event.
RECORD = """
create function record_events() returns trigger language plpgsql as $$
begin
    insert into events (job_id, at, source, target, number, code, reason)
    select n.id, clock_timestamp(), o.state, n.state, n.requests, n.error_code, coalesce(
        nullif(current_setting('mediajobs.reason', true), ''),
        case n.state when 'running' then 'claimed by ' || n.worker else n.error_message end
    )
    from new_rows n join old_rows o on o.id = n.id
    where n.state <> o.state
    order by n.id;
    return null;
end $$
"""
TRIGGER = """
create trigger record_events after update on jobs
referencing old table as old_rows new table as new_rows
for each statement execute function record_events()
"""

ZERO = sa.text("0")
FALSE = sa.text("false")


def upgrade() -> None:
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("job_id", "id", name=op.f("pk_events")),
    )
    op.create_table(
        "budgets",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=14, scale=6), nullable=False),
        sa.Column("spent", sa.Numeric(precision=14, scale=6), server_default=ZERO, nullable=False),
        sa.Column("reserved", sa.Numeric(precision=14, scale=6), server_default=ZERO, nullable=False),
        sa.Column("day", sa.Date(), nullable=True),
        sa.CheckConstraint("scope IN ('batch', 'day', 'model')", name=op.f("ck_budgets_scope_known")),
        sa.PrimaryKeyConstraint("scope", "subject", name=op.f("pk_budgets")),
    )
    op.add_column("attempts", sa.Column("late", sa.Boolean(), server_default=FALSE, nullable=False))
    op.create_index("ix_attempts_late", "attempts", ["job_id"], postgresql_where=sa.text("late"))
    op.create_index("ix_attempts_sent_at", "attempts", ["sent_at"], postgresql_using="brin")
    for column in (
        sa.Column("estimate", sa.Numeric(precision=12, scale=6), server_default=ZERO, nullable=False),
        sa.Column("reserved", sa.Numeric(precision=12, scale=6), server_default=ZERO, nullable=False),
        sa.Column("unknowns", sa.SmallInteger(), server_default=ZERO, nullable=False),
        sa.Column("paid_attempt", sa.BigInteger(), nullable=True),
        sa.Column("keep_result", sa.Boolean(), server_default=FALSE, nullable=False),
        sa.Column("asked_again", sa.Boolean(), server_default=FALSE, nullable=False),
        sa.Column("result_expires_at", sa.DateTime(timezone=True), nullable=True),
    ):
        op.add_column("jobs", column)
    for column in (
        sa.Column("good", sa.BigInteger(), nullable=True),
        sa.Column("refused", sa.BigInteger(), nullable=True),
        sa.Column("patience", sa.SmallInteger(), server_default=ZERO, nullable=False),
        sa.Column("handed", sa.BigInteger(), server_default=ZERO, nullable=False),
        sa.Column("per_minute", sa.BigInteger(), nullable=True),
        sa.Column("rate_at", sa.DateTime(timezone=True), server_default=sa.text("to_timestamp(0)"), nullable=False),
        sa.Column("strikes", sa.SmallInteger(), server_default=ZERO, nullable=False),
        sa.Column("pause_code", sa.Text(), nullable=True),
        sa.Column("probes", sa.Boolean(), server_default=FALSE, nullable=False),
    ):
        op.add_column("limits", column)
    op.execute(RECORD)
    op.execute(TRIGGER)


def downgrade() -> None:
    op.execute("drop trigger record_events on jobs")
    op.execute("drop function record_events()")
    for name in ("probes", "pause_code", "strikes", "rate_at", "per_minute", "handed", "patience", "refused", "good"):
        op.drop_column("limits", name)
    for name in ("result_expires_at", "asked_again", "keep_result", "paid_attempt", "unknowns", "reserved", "estimate"):
        op.drop_column("jobs", name)
    op.drop_index("ix_attempts_sent_at", "attempts")
    op.drop_index("ix_attempts_late", "attempts")
    op.drop_column("attempts", "late")
    op.drop_table("budgets")
    op.drop_table("events")
