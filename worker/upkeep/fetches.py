"""Finds jobs whose outputs are due to be stored and whose hint was lost or has to wait no longer."""

from sqlalchemy import Engine, text

from worker.hints import Hints, Lot, gather

DUE = text("""
    select id, kind, model from jobs where state = 'storing' and next_fetch_at <= now() - interval '1 second'
    order by result_expires_at, next_fetch_at limit :most
""")
MOST = 1000


def due(engine: Engine) -> Hints:
    """Hints for storing jobs that are overdue by a second: those in time have their hint on the way."""
    with engine.connect() as conn:
        return gather((Lot("store", row.kind, row.model), row.id) for row in conn.execute(DUE, {"most": MOST}))
