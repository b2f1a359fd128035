"""How long a submission will take, about."""

from sqlalchemy import Connection, text

from worker.kinds import KINDS

#: From slot to end, of the last jobs that succeeded; where there are enough to tell.
SEEN = text("""
    select percentile_cont(0.5) within group (order by extract(epoch from finished_at - dispatched_at)) as median_s,
        count(*) as jobs
    from (
        select finished_at, dispatched_at from jobs
        where model = :model and state = 'succeeded' and id > (select coalesce(max(id), 0) - 10000 from jobs)
        order by id desc limit 200
    ) last
""")
LIMIT = text("select learned, per_minute from limits where model = :model")
ENOUGH = 20


def duration_s(jobs: int, *, each_s: float, slots: int, per_minute: int | None) -> float:
    """Seconds for so many jobs: by their slots, or by the rate if that is slower. Pure.

    >>> duration_s(100, each_s=10.0, slots=5, per_minute=None)
    200.0
    """
    by_slots = -(-jobs // slots) * each_s
    return max(by_slots, jobs * 60.0 / per_minute) if per_minute else by_slots


def forecast_s(conn: Connection | None, model: str, kind: str, jobs: int) -> float:
    """Seconds for so many jobs of a model alone; by what was seen here, or else by what is believed."""
    each_s, slots, per_minute = KINDS[kind].seconds(model), KINDS[kind].concurrency(model), None
    if conn is not None:
        seen = conn.execute(SEEN, {"model": model}).one()
        each_s = float(seen.median_s) if seen.jobs >= ENOUGH else each_s
        if (limit := conn.execute(LIMIT, {"model": model}).first()) is not None:
            slots, per_minute = limit.learned, limit.per_minute
    return duration_s(jobs, each_s=each_s, slots=slots, per_minute=per_minute)


def in_words(seconds: float) -> str:
    """Such as `3 h 20 min`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes} min"
    return f"{minutes} min" if minutes >= 5 else f"{minutes} min {rest} s" if minutes else f"{rest} s"
