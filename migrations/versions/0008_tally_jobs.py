"""count jobs as they change, and index what people look for

Only adds: old workers' changes are counted by the trigger as well.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# In the statement's own transaction, whoever makes it: sums are exact whenever they are read.
SPAN = "date_bin('10 seconds', now(), 'epoch')"
UPDATED = f"""
create function tally_updated() returns trigger language plpgsql as $$
begin
    insert into tallies (at, batch_id, kind, model, piece, state, jobs, came, requests, cost)
    select {SPAN}, n.batch_id, n.kind, n.model, n.parent_id is not null, c.state, sum(c.jobs),
        sum(greatest(c.jobs, 0)), sum(c.requests), sum(c.cost)
    from new_rows n join old_rows o on o.id = n.id cross join lateral (values
        (n.state, 1, 0, 0), (o.state, -1, 0, 0), (null, 0, n.requests - o.requests, n.cost - o.cost)
    ) c (state, jobs, requests, cost)
    where c.state is not null and n.state <> o.state or c.requests <> 0 or c.cost <> 0
    group by 2, 3, 4, 5, 6;
    return null;
end $$
"""
INSERTED = f"""
create function tally_inserted() returns trigger language plpgsql as $$
begin
    insert into tallies (at, batch_id, kind, model, piece, state, jobs, came, requests, cost)
    select {SPAN}, n.batch_id, n.kind, n.model, n.parent_id is not null, c.state, sum(c.jobs), sum(c.jobs),
        sum(c.requests), sum(c.cost)
    from new_rows n cross join lateral (values (n.state, 1, 0, 0), (null, 0, n.requests, n.cost)) c (
        state, jobs, requests, cost
    )
    where c.state is not null or c.requests <> 0 or c.cost <> 0
    group by 2, 3, 4, 5, 6;
    return null;
end $$
"""
WRONG = "state IN ('cancelled', 'failed', 'held')"
# What was spent stays spent.
DELETED = f"""
create function tally_deleted() returns trigger language plpgsql as $$
begin
    insert into tallies (at, batch_id, kind, model, piece, state, jobs)
    select {SPAN}, batch_id, kind, model, parent_id is not null, state, -count(*) from old_rows group by 2, 3, 4, 5, 6;
    return null;
end $$
"""
TRUNCATED = """
create function tally_truncated() returns trigger language plpgsql as $$
begin
    delete from tallies;
    return null;
end $$
"""
TRIGGERS = {
    "tally_updated": "after update on jobs referencing old table as old_rows new table as new_rows",
    "tally_inserted": "after insert on jobs referencing new table as new_rows",
    "tally_deleted": "after delete on jobs referencing old table as old_rows",
    "tally_truncated": "after truncate on jobs",
}
# The triggers' lock keeps writers out until the commit, so that nothing is missed and nothing counted twice.
SO_FAR = """
insert into tallies (at, batch_id, kind, model, piece, state, jobs, came)
select case when finished_at is null then '-infinity' else date_bin('1 hour', finished_at, 'epoch') end,
    batch_id, kind, model, parent_id is not null, state, count(*), count(*)
from jobs group by 1, 2, 3, 4, 5, 6
"""
SPENT_SO_FAR = """
insert into tallies (at, batch_id, kind, model, piece, requests, cost)
select date_bin('1 hour', a.sent_at, 'epoch'), j.batch_id, j.kind, j.model, j.parent_id is not null, count(*), sum(a.cost)
from attempts a join jobs j on j.id = a.job_id group by 1, 2, 3, 4, 5
"""


def upgrade() -> None:
    op.create_table(
        "tallies",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("piece", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("jobs", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("came", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("requests", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("cost", sa.Numeric(precision=14, scale=6), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("at", "id", name=op.f("pk_tallies")),
    )
    op.create_index("ix_tallies_batch_id", "tallies", ["batch_id"])
    # Pages go by id within a batch and a state; what went wrong is rare among what went well.
    op.create_index("ix_jobs_batch_state_id", "jobs", ["batch_id", "state", "id"])
    op.drop_index("ix_jobs_batch_state", "jobs")
    op.create_index("ix_jobs_wrong", "jobs", ["state", "id"], postgresql_where=sa.text(WRONG))
    op.create_index("ix_jobs_charged", "jobs", ["batch_id"], postgresql_where=sa.text("possibly_charged"))
    op.create_index("ix_attempts_charged", "attempts", ["sent_at"], postgresql_where=sa.text("possibly_charged"))
    for sql in (UPDATED, INSERTED, DELETED, TRUNCATED):
        op.execute(sql)
    for name, when in TRIGGERS.items():
        op.execute(f"create trigger {name} {when} for each statement execute function {name}()")
    op.execute(SO_FAR)
    op.execute(SPENT_SO_FAR)


def downgrade() -> None:
    for name in TRIGGERS:
        op.execute(f"drop trigger {name} on jobs")
        op.execute(f"drop function {name}()")
    op.drop_table("tallies")
    op.drop_index("ix_attempts_charged", "attempts")
    op.drop_index("ix_jobs_charged", "jobs")
    op.drop_index("ix_jobs_wrong", "jobs")
    op.create_index("ix_jobs_batch_state", "jobs", ["batch_id", "state"])
    op.drop_index("ix_jobs_batch_state_id", "jobs")
