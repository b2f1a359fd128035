"""measure: what requests came to, how long phases took, which workers live

Only adds: a trigger writes what is measured, whoever makes the change.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

NOW = sa.text("now()")
ZERO = sa.text("0")

RECORD = """
create function record_request() returns trigger language plpgsql as $$
begin
    insert into outbox (at, job_id, event, code, http_status, seconds)
    values (clock_timestamp(), new.job_id, new.outcome, new.error_code, new.http_status,
        extract(epoch from new.ended_at - new.sent_at));
    return null;
end $$
"""
TRIGGER = """
create trigger record_request after update on attempts for each row
when (new.outcome is not null and old.outcome is distinct from new.outcome) execute function record_request()
"""


def upgrade() -> None:
    op.create_table(
        "meters",
        sa.Column("meter", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("status", sa.BigInteger(), nullable=False),
        sa.Column("le", sa.Double(), server_default=ZERO, nullable=False),
        sa.Column("count", sa.BigInteger(), server_default=ZERO, nullable=False),
        sa.Column("total", sa.Numeric(), server_default=ZERO, nullable=False),
        sa.PrimaryKeyConstraint("meter", "kind", "model", "label", "code", "status", "le", name=op.f("pk_meters")),
    )
    op.create_table(
        "workers",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("node", sa.Text(), nullable=False),
        sa.Column("queues", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("threads", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("in_hand", sa.BigInteger(), server_default=ZERO, nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("ticked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_workers")),
    )
    op.add_column("outbox", sa.Column("http_status", sa.SmallInteger(), nullable=True))
    op.add_column("outbox", sa.Column("seconds", sa.Double(), nullable=True))
    op.execute(RECORD)
    op.execute(TRIGGER)


def downgrade() -> None:
    op.execute("drop trigger record_request on attempts")
    op.execute("drop function record_request()")
    op.drop_column("outbox", "seconds")
    op.drop_column("outbox", "http_status")
    op.drop_table("workers")
    op.drop_table("meters")
