"""let jobs come after others

Only adds, but for the index of jobs that may run, which leaves those out that wait for others: an old worker's look
for ready jobs has none of its own until it is gone. Submit pipelines when all workers are new: old ones know no order.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

COLUMNS = ["model", sa.literal_column("(-priority)"), sa.literal_column("coalesce(batch_id, 0)"), "run_at", "id"]


def upgrade() -> None:
    op.add_column("jobs", sa.Column("after", postgresql.ARRAY(sa.Text()), nullable=True))
    op.add_column("jobs", sa.Column("blocked_by", sa.SmallInteger(), server_default=sa.text("0"), nullable=False))
    op.create_table(
        "links",
        sa.Column("earlier_id", sa.BigInteger(), nullable=False),
        sa.Column("later_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["earlier_id"], ["jobs.id"], name=op.f("fk_links_earlier_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["later_id"], ["jobs.id"], name=op.f("fk_links_later_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("earlier_id", "later_id", name=op.f("pk_links")),
    )
    op.create_index("ix_links_later_id", "links", ["later_id"])
    op.create_index(
        "ix_jobs_blocked", "jobs", ["batch_id"], postgresql_where=sa.text("state = 'queued' and blocked_by > 0")
    )
    op.drop_index("ix_jobs_ready", "jobs")
    op.create_index("ix_jobs_ready", "jobs", COLUMNS, postgresql_where=sa.text("state = 'queued' and blocked_by = 0"))


def downgrade() -> None:
    op.drop_index("ix_jobs_ready", "jobs")
    op.create_index("ix_jobs_ready", "jobs", COLUMNS, postgresql_where=sa.text("state = 'queued'"))
    op.drop_index("ix_jobs_blocked", "jobs")
    op.drop_table("links")
    op.drop_column("jobs", "blocked_by")
    op.drop_column("jobs", "after")
