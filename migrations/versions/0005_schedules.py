"""add schedules, their runs and files, and where outputs were put

Only adds: old workers need not know.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "schedules",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("cron", sa.Text(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("patterns", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("args", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("out", sa.Text(), nullable=True),
        sa.Column("catch_up", sa.Text(), nullable=False),
        sa.Column("max_age_s", sa.BigInteger(), nullable=False),
        sa.Column("overlap", sa.Text(), nullable=False),
        sa.Column("webhook", sa.Text(), nullable=True),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("publishing_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("catch_up IN ('all', 'once', 'skip')", name=op.f("ck_schedules_catch_up_known")),
        sa.CheckConstraint("overlap IN ('queue', 'skip')", name=op.f("ck_schedules_overlap_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schedules")),
        sa.UniqueConstraint("name", name=op.f("uq_schedules_name")),
    )
    op.create_index(
        "ix_schedules_due", "schedules", ["next_at"], unique=False, postgresql_where=sa.text("paused_at IS NULL")
    )
    op.create_table(
        "published_files",
        sa.Column("schedule", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'putting'"), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("sha256s", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("tries", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("again_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("put_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('done', 'failed', 'out_exists', 'putting')", name=op.f("ck_published_files_state_known")
        ),
        sa.PrimaryKeyConstraint("schedule", "path", "target", name=op.f("pk_published_files")),
    )
    op.create_index(
        "ix_published_files_again",
        "published_files",
        ["again_at"],
        unique=False,
        postgresql_where=sa.text("state = 'failed'"),
    )
    op.create_index("ix_published_files_job", "published_files", ["job_id"], unique=False)
    op.create_index("ix_published_files_target", "published_files", ["target"], unique=False)
    op.create_table(
        "schedule_runs",
        sa.Column("schedule_id", sa.BigInteger(), nullable=False),
        sa.Column("tick", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'due'"), nullable=False),
        sa.Column("regardless", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("batch_id", sa.BigInteger(), nullable=True),
        sa.Column("found", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("added", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("known", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("unsettled", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("problems", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("fence", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failures", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(finished_at IS NOT NULL) = (state IN ('done', 'failed', 'skipped'))",
            name=op.f("ck_schedule_runs_finished_iff_final"),
        ),
        sa.CheckConstraint(
            "state <> 'listing' OR lease_until IS NOT NULL", name=op.f("ck_schedule_runs_leased_while_listing")
        ),
        sa.CheckConstraint(
            "state IN ('done', 'due', 'failed', 'listing', 'skipped')", name=op.f("ck_schedule_runs_state_known")
        ),
        sa.ForeignKeyConstraint(
            ["schedule_id"], ["schedules.id"], name=op.f("fk_schedule_runs_schedule_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("schedule_id", "tick", name=op.f("pk_schedule_runs")),
    )
    op.create_index(
        "ix_schedule_runs_open",
        "schedule_runs",
        ["lease_until"],
        unique=False,
        postgresql_where=sa.text("state IN ('due', 'listing')"),
    )
    op.create_index(
        "uq_schedule_runs_listing",
        "schedule_runs",
        ["schedule_id"],
        unique=True,
        postgresql_where=sa.text("state = 'listing'"),
    )
    op.create_table(
        "source_files",
        sa.Column("schedule_id", sa.BigInteger(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mtime", sa.DateTime(timezone=True), nullable=False),
        sa.Column("etag", sa.Text(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["schedule_id"], ["schedules.id"], name=op.f("fk_source_files_schedule_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("schedule_id", "path", name=op.f("pk_source_files")),
    )
    op.create_index("ix_source_files_content", "source_files", ["schedule_id", "sha256"], unique=False)
    op.create_index("ix_source_files_job", "source_files", ["job_id"], unique=False)
    op.create_table(
        "run_files",
        sa.Column("schedule_id", sa.BigInteger(), nullable=False),
        sa.Column("tick", sa.DateTime(timezone=True), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("mtime", sa.DateTime(timezone=True), nullable=True),
        sa.Column("etag", sa.Text(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("args", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("estimate", sa.Numeric(precision=12, scale=6), nullable=True),
        sa.Column("slots_of", sa.Text(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["schedule_id", "tick"],
            ["schedule_runs.schedule_id", "schedule_runs.tick"],
            name="fk_run_files_run",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("schedule_id", "tick", "path", name=op.f("pk_run_files")),
    )
    op.add_column("jobs", sa.Column("published_fence", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_jobs_publish",
        "jobs",
        ["id"],
        unique=False,
        postgresql_where=sa.text("finished_at IS NOT NULL AND published_fence < fence"),
    )


def downgrade() -> None:
    op.drop_index(
        "ix_jobs_publish",
        table_name="jobs",
        postgresql_where=sa.text("finished_at IS NOT NULL AND published_fence < fence"),
    )
    op.drop_column("jobs", "published_fence")
    op.drop_table("run_files")
    op.drop_index("ix_source_files_job", table_name="source_files")
    op.drop_index("ix_source_files_content", table_name="source_files")
    op.drop_table("source_files")
    op.drop_index("uq_schedule_runs_listing", table_name="schedule_runs", postgresql_where=sa.text("state = 'listing'"))
    op.drop_index(
        "ix_schedule_runs_open", table_name="schedule_runs", postgresql_where=sa.text("state IN ('due', 'listing')")
    )
    op.drop_table("schedule_runs")
    op.drop_index("ix_published_files_target", table_name="published_files")
    op.drop_index("ix_published_files_job", table_name="published_files")
    op.drop_index(
        "ix_published_files_again", table_name="published_files", postgresql_where=sa.text("state = 'failed'")
    )
    op.drop_table("published_files")
    op.drop_index("ix_schedules_due", table_name="schedules", postgresql_where=sa.text("paused_at IS NULL"))
    op.drop_table("schedules")
