"""Adds up what the triggers counted, so that there is little to sum when somebody looks."""

from sqlalchemy import Engine

from models.counting import fold

#: What is under way, and the last minutes; older changes of long transactions are found when it is coarsened.
FRESH = {"span": "10 seconds", "oldest": "10 minutes", "youngest": "-1 minute"}
#: What is older is kept by the hour, and in the end by the day.
COARSER = (
    {"span": "10 seconds", "oldest": "3 hours", "youngest": "-1 minute"},
    {"span": "1 hour", "oldest": "2 days", "youngest": "2 hours"},
    {"span": "1 day", "oldest": "60 days", "youngest": "14 days"},
)


def tally(engine: Engine) -> None:
    """One pass over the newest."""
    with engine.begin() as conn:
        fold(conn, **FRESH)


def coarsen(engine: Engine) -> None:
    for each in COARSER:
        with engine.begin() as conn:
            fold(conn, **each)
