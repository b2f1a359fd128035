"""How Alembic connects: one migration at a time, and none that waits long for a lock or blocks the work."""

from alembic import context
from sqlalchemy import text

from models.session import make_engine
from models.tables import Base

#: Any number, the same for all of us: whoever holds it migrates.
ADVISORY_LOCK = 7_236_514


def run() -> None:
    engine = make_engine(context.config.attributes["url"], name="mediajobs-migrate", pool_size=1)
    with engine.connect() as conn:
        conn.execute(text("set lock_timeout = '10s'"))
        conn.execute(text("set statement_timeout = '15min'"))
        conn.execute(text("select pg_advisory_lock(:key)").bindparams(key=ADVISORY_LOCK))
        conn.commit()
        context.configure(connection=conn, target_metadata=Base.metadata, transaction_per_migration=True)
        with context.begin_transaction():
            context.run_migrations()
        conn.commit()
    engine.dispose()


run()
