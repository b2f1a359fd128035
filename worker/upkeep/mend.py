"""A net for jobs that wait for what has ended: whoever ends a job goes on with them, so that there should be none."""

from sqlalchemy import Engine

from worker.finish import go_on_with_followers
from worker.hints import Hints


def mend(engine: Engine, *, hint_lease_s: float) -> Hints:
    """One pass; returns the hints to send."""
    with engine.begin() as conn:
        return go_on_with_followers(conn, lease_s=hint_lease_s)
