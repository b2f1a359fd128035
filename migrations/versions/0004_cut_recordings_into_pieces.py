"""cut recordings into pieces: child jobs, one call each; show what a stream said so far

Only adds: old workers need not know, as no recording is accepted before all are new.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("parent_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(op.f("fk_jobs_parent_id"), "jobs", "jobs", ["parent_id"], ["id"], ondelete="CASCADE")
    op.create_index("ix_jobs_parent", "jobs", ["parent_id"], postgresql_where=sa.text("parent_id is not null"))
    op.create_index(
        "ix_jobs_parent_open",
        "jobs",
        ["parent_id"],
        postgresql_where=sa.text("parent_id is not null and finished_at is null"),
    )
    op.add_column("jobs", sa.Column("partial", sa.Text(), nullable=True))
    op.create_table(
        "pieces",
        sa.Column("parent_id", sa.BigInteger(), nullable=False),
        sa.Column("index", sa.BigInteger(), nullable=False),
        sa.Column("job_id", sa.BigInteger(), nullable=True),
        sa.Column("begins", sa.BigInteger(), nullable=False),
        sa.Column("ends", sa.BigInteger(), nullable=False),
        sa.Column("seam", sa.Text(), nullable=False),
        sa.Column("speech", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("location", sa.Text(), nullable=True),
        sa.Column("cache_key", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=op.f("fk_pieces_job_id")),
        sa.ForeignKeyConstraint(["parent_id"], ["jobs.id"], name=op.f("fk_pieces_parent_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("parent_id", "index", name=op.f("pk_pieces")),
    )
    op.create_index("uq_pieces_job_id", "pieces", ["job_id"], unique=True)
    op.create_index("ix_pieces_cache_key", "pieces", ["cache_key"])
    op.create_index("ix_pieces_location", "pieces", ["parent_id"], postgresql_where=sa.text("location is not null"))


def downgrade() -> None:
    op.drop_table("pieces")
    op.drop_index("ix_jobs_parent_open", "jobs")
    op.drop_index("ix_jobs_parent", "jobs")
    op.drop_column("jobs", "partial")
    op.drop_constraint(op.f("fk_jobs_parent_id"), "jobs", type_="foreignkey")
    op.drop_column("jobs", "parent_id")
