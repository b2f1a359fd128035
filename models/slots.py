"""A model's slots: how many are free, who waits for them. The limit's row lock makes it exact."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from models.limit import ACCOUNT

# `infinity` never gets into a row, so a pause without an end is one without `paused_until`.
PAUSED = "(l.pause_reason is not null and (l.paused_until is null or l.paused_until > now()))"


@dataclass(frozen=True, slots=True)
class Lane:
    """The queued jobs of one batch (or of none) at one priority, the oldest first."""

    priority: int
    #: Slots of this model that the batch has already.
    in_flight: int
    job_ids: Sequence[int]


ADD_LIMITS = text("""
    insert into limits (model, concurrency, learned, slot_scope, learned_at)
    values (:model, :concurrency, :concurrency, :slot_scope, to_timestamp(0))
    on conflict (model) do nothing
""")


def add_limit(conn: Connection, model: str, *, concurrency: int, slot_scope: str) -> None:
    """Make the limit of a model that was not seen before."""
    conn.execute(ADD_LIMITS, {"model": model, "concurrency": concurrency, "slot_scope": slot_scope})


# The account's pause is taken in a subquery: it is read, not locked.
FREE = text(f"""
    select case when {PAUSED} or exists (
        select from limits l where l.model = :account and {PAUSED}
    ) then 0 else greatest(l.learned - l.in_use, 0) end
    from limits l where l.model = :model for update of l
""")  # noqa: S608 - a constant is put in


def lock_free(conn: Connection, model: str) -> int:
    """Lock the model's limit and return its free slots: 0 while it or the account is paused."""
    return conn.execute(FREE, {"model": model, "account": ACCOUNT}).scalar() or 0


LOCK = text("select from limits where model = any(cast(:models as text[])) order by model for update")


def lock(conn: Connection, models: Iterable[str]) -> None:
    """Lock these limits, in the order of their names, so that nobody waits in a ring."""
    conn.execute(LOCK, {"models": list(models)})


COUNT = text("update limits set in_use = in_use + :slots where model = :model")


def count_slots(conn: Connection, model: str, slots: int) -> None:
    """Add to the slots in use (less than 0: they came back)."""
    conn.execute(COUNT, {"model": model, "slots": slots})


# Steps from lane to lane along the index, so that a batch of a million rows costs no more than one of ten.
LANES = text("""
    with recursive lanes as (
        (select -priority as rank, coalesce(batch_id, 0) as batch from jobs
        where state = 'queued' and model = :model order by 1, 2 limit 1)
        union all
        select n.rank, n.batch from lanes l cross join lateral (
            select -priority as rank, coalesce(batch_id, 0) as batch from jobs
            where state = 'queued' and model = :model
                and ((-priority), coalesce(batch_id, 0)) > (l.rank, l.batch)
            order by (-priority), coalesce(batch_id, 0) limit 1
        ) n
    )
    select l.rank, q.ids, (
        select count(*) from jobs j where j.holds_slot and j.model = :model and coalesce(j.batch_id, 0) = l.batch
    ) as in_flight
    from lanes l cross join lateral (
        select array_agg(r.id) as ids from (
            select id from jobs
            where state = 'queued' and model = :model and (-priority) = l.rank and coalesce(batch_id, 0) = l.batch
                and run_at <= now()
            order by run_at, id limit :most
        ) r
    ) q
    where q.ids is not null
""")


def lanes(conn: Connection, model: str, *, most: int) -> list[Lane]:
    """The lanes of a model with jobs that may run now, at most `most` jobs of each."""
    rows = conn.execute(LANES, {"model": model, "most": most})
    return [Lane(-row.rank, row.in_flight, row.ids) for row in rows]


WAITED_FOR = text("""
    select l.model from limits l
    where l.in_use < l.learned and exists (
        select from jobs j where j.state = 'queued' and j.model = l.model and j.run_at <= now()
    )
    order by l.model
""")


def models_waited_for(conn: Connection) -> list[str]:
    """Models with a free slot and a job that may run now."""
    return list(conn.execute(WAITED_FOR).scalars())


PAUSE = text("""
    insert into limits as l (model, concurrency, learned, pause_reason, paused_until)
    values (:model, 1, 1, :reason, now() + cast(:for_s as float8) * interval '1 second')
    on conflict (model) do update set
        pause_reason = excluded.pause_reason, paused_until = excluded.paused_until
""")


def pause(conn: Connection, model: str, *, reason: str, for_s: float | None) -> None:
    """Pause a model (or ACCOUNT) for seconds, or, with None, until it is resumed."""
    conn.execute(PAUSE, {"model": model, "reason": reason, "for_s": for_s})


RESUME = text("update limits set pause_reason = null, paused_until = null where model = :model")


def resume(conn: Connection, model: str) -> bool:
    """End a pause; False if there is no such limit."""
    return conn.execute(RESUME, {"model": model}).rowcount > 0


# At most one halving a window: the answers of one burst tell one thing, not ten.
SHRINK = text("""
    update limits set learned = greatest(1, learned / 2), learned_at = now()
    where model = :model and learned_at < now() - :window_s * interval '1 second'
""")
GROW = text("""
    update limits set learned = learned + 1, learned_at = now()
    where learned < concurrency and in_use >= learned and learned_at < now() - :window_s * interval '1 second'
""")


def shrink(conn: Connection, model: str, *, window_s: float) -> None:
    """Halve what the model is believed to bear."""
    conn.execute(SHRINK, {"model": model, "window_s": window_s})


def grow(conn: Connection, *, window_s: float) -> None:
    """Let each model that used all it had for a window without complaint have one slot more."""
    conn.execute(GROW, {"window_s": window_s})


# What is true is which jobs hold slots; the counter only makes it quick to read.
RECOUNT = text("""
    update limits l set in_use = held.slots
    from (select count(*) as slots from jobs where holds_slot and model = :model) held, limits counted
    where l.model = :model and counted.model = l.model and l.in_use <> held.slots
    returning counted.in_use as counted, held.slots
""")


def recount(conn: Connection, model: str) -> tuple[int, int] | None:
    """Set the counter to the jobs that hold slots; (counted, held) where it had drifted."""
    # Locked by a statement of its own: a count made while waiting for the lock would be an old one.
    lock(conn, [model])
    row = conn.execute(RECOUNT, {"model": model}).first()
    return (row.counted, row.slots) if row else None
