"""A model's slots: how many are free, who waits for them. The limit's row lock makes it exact."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy import Connection, Row, text

from models.limit import ACCOUNT

# `infinity` never gets into a row, so a pause without an end is one without `paused_until`.
PAUSED = "(l.pause_reason is not null and (l.paused_until is null or l.paused_until > now()))"


@dataclass(frozen=True, slots=True)
class Lane:
    """The queued jobs of one batch (or of none) at one priority, the oldest first."""

    priority: int
    #: Slots of this model that the batch has already.
    in_flight: int
    #: None: jobs without a batch.
    batch_id: int | None
    job_ids: Sequence[int]
    #: US dollars that each may cost.
    estimates: Sequence[Decimal]


@dataclass(frozen=True, slots=True)
class Locked:
    """A model's limit, locked: what may be given out now.

    `free`: slots, before the rate is looked at. `since_s`: seconds since the next call may go by the
    rate; less than 0: until then. `handed`: slots given out so far. `budgeted`: some budget is set.
    """

    free: int
    per_minute: int | None
    since_s: float
    handed: int
    budgeted: bool


ADD_LIMITS = text("""
    insert into limits (model, concurrency, learned, slot_scope, learned_at)
    values (:model, :concurrency, :concurrency, :slot_scope, to_timestamp(0))
    on conflict (model) do nothing
""")


#: Any number that is not used for another lock; the second is of the model.
NAMED_LOCK = 7_236_517
NAME = text("select pg_advisory_xact_lock_shared(:key, hashtext(:model))")


def add_limit(conn: Connection, model: str, *, concurrency: int, slot_scope: str) -> None:
    """Make the limit of a model that was not seen before. Until the transaction ends nobody forgets it."""
    conn.execute(NAME, {"key": NAMED_LOCK, "model": model})
    conn.execute(ADD_LIMITS, {"model": model, "concurrency": concurrency, "slot_scope": slot_scope})


# A pause that `probes` is not over when its time is: one job goes first, of all that it stops.
HALF_OPEN = "(l.probes and l.pause_reason is not null and l.paused_until <= now())"

SET = text("""
    update limits set
        highest = greatest(highest, concurrency), concurrency = :concurrency, learned = :learned,
        good = case when :anew then null else good end, refused = case when :anew then null else refused end,
        patience = case when :anew then 0 else patience end, learned_at = now(),
        per_minute = case when cast(:per_minute as bigint) is null then per_minute else nullif(:per_minute, 0) end
    where model = :model
    returning concurrency, learned, per_minute
""")


def set_limit(
    conn: Connection, model: str, *, concurrency: int | None, start: int | None, per_minute: int | None
) -> Row[Any]:
    """Change a model's ceiling, the level to go on from, its rate (0: none); None leaves a thing as it is.

    Returns the limit's concurrency, learned and per_minute. Raises ValueError if `start` is above the ceiling.
    """
    found = conn.execute(
        text("select concurrency, learned from limits where model = :m for update"), {"m": model}
    ).one()
    ceiling = concurrency or found.concurrency
    if (start or 0) > ceiling:
        raise ValueError(f"start {start} is above the concurrency, {ceiling}")
    level = start or concurrency or found.learned
    values = {"model": model, "concurrency": ceiling, "learned": min(level, ceiling), "per_minute": per_minute}
    return conn.execute(SET, {**values, "anew": bool(concurrency or start)}).one()


# Whoever enqueues a job of it names it first: none is on its way when it is forgotten. Tallies know of every job.
FORGET_LOCK = text("select pg_advisory_xact_lock(:key, hashtext(:model))")
FORGET = text("delete from limits where model = :model and not exists (select from tallies where model = :model)")
RESET = text("""
    update limits set
        highest = greatest(highest, concurrency), concurrency = :concurrency, learned = :concurrency, good = null,
        refused = null, patience = 0, learned_at = now(), per_minute = null
    where model = :model
""")


def forget(conn: Connection, model: str, *, concurrency: int) -> Literal["forgotten", "reset"] | None:
    """Forget the limit of a model that no job has; of one that is used, only what was set and learned of it.

    None if there is none.
    """
    conn.execute(FORGET_LOCK, {"key": NAMED_LOCK, "model": model})
    if conn.execute(FORGET, {"model": model}).rowcount:
        return "forgotten"
    return "reset" if conn.execute(RESET, {"model": model, "concurrency": concurrency}).rowcount else None


# The account's row is read in subqueries, not locked: only a probe needs a lock that all models share.
STANDING = f"""
    {PAUSED} or exists (select from limits l where l.model = :account and {PAUSED}) as paused,
    {HALF_OPEN} as model_probes,
    exists (select from limits l where l.model = :account and {HALF_OPEN}) as account_probes,
    greatest(l.learned - l.in_use, 0) as free, l.per_minute, l.handed,
    cast(extract(epoch from now() - l.rate_at) as float8) as since_s,
    exists (select from budgets) as budgeted
"""
FREE = text(f"select {STANDING} from limits l where l.model = :model for update of l")
TAKE_BACK = text(f"update limits l set in_use = l.in_use - :slots where l.model = :model returning {STANDING}")
ALONE = text("""
    select pg_try_advisory_xact_lock(:key) and not exists (
        select from jobs where state in ('dispatched', 'running') and (:every or model = :model)
    )
""")
#: Any number that is not used for another lock: held while a probe is given out.
PROBE_LOCK = 7_236_515


def lock_free(conn: Connection, model: str) -> Locked:
    """Lock the model's limit and say what may be given out: nothing while it or the account is paused."""
    return locked(conn, model, conn.execute(FREE, {"model": model, "account": ACCOUNT}).first())


def take_back(conn: Connection, model: str, slots: int) -> Locked:
    """Count slots that came back; with it, as `lock_free`."""
    return locked(conn, model, conn.execute(TAKE_BACK, {"model": model, "slots": slots, "account": ACCOUNT}).first())


def locked(conn: Connection, model: str, row: Row[Any] | None) -> Locked:
    if row is None or row.paused:
        return Locked(0, None, 0.0, 0, budgeted=True)
    free = row.free
    if row.model_probes or row.account_probes:
        values = {"key": PROBE_LOCK, "every": row.account_probes, "model": model}
        free = min(free, int(conn.execute(ALONE, values).scalar_one()))
    return Locked(free, row.per_minute, row.since_s, row.handed, row.budgeted)


@dataclass(frozen=True, slots=True)
class AccountPause:
    """`half_open`: its time is over, and it ends with the first call that succeeds."""

    code: str | None
    half_open: bool


ACCOUNT_PAUSE = text(f"""
    select l.pause_code as code, not {PAUSED} as half_open from limits l
    where l.model = :account and ({PAUSED} or {HALF_OPEN})
""")


def account_pause(conn: Connection) -> AccountPause | None:
    """The account's pause, if it has one."""
    row = conn.execute(ACCOUNT_PAUSE, {"account": ACCOUNT}).first()
    return AccountPause(row.code, row.half_open) if row else None


# What succeeds when a pause has half ended ends it, and with the account's those that had the same cause.
PROVE = text(f"""
    with ended as (
        select l.model, l.pause_code from limits l
        where l.model = any(cast(:models as text[])) and {HALF_OPEN}
            and (cast(:codes as text[]) is null or l.pause_code = any(cast(:codes as text[])))
    )
    update limits l set pause_reason = null, paused_until = null, pause_code = null, probes = false
    where l.model in (select model from ended)
        or exists (select from ended e where e.model = :account) and l.probes
            and l.pause_code in (select pause_code from ended)
    returning l.model
""")


def prove(conn: Connection, models: Iterable[str], *, codes: Iterable[str] | None = None) -> list[str]:
    """End the pauses (with one of these codes) that answers for these models have shown to be over.

    An answer for any model speaks for the account as well.
    """
    values = {"models": [*models, ACCOUNT], "account": ACCOUNT, "codes": None if codes is None else list(codes)}
    return list(conn.execute(PROVE, values).scalars())


LOCK = text("select from limits where model = any(cast(:models as text[])) order by model for update")


def lock(conn: Connection, models: Iterable[str]) -> None:
    """Lock these limits, in the order of their names, so that nobody waits in a ring."""
    conn.execute(LOCK, {"models": list(models)})


HAND = text("""
    update limits set in_use = in_use + :slots, handed = handed + :slots,
        rate_at = case when per_minute is null then rate_at else now() + :moves_s * interval '1 second' end
    where model = :model
""")


def hand_slots(conn: Connection, model: str, slots: int, *, rate_moves_s: float) -> None:
    """Count slots that were given out; by the rate the next call may go `rate_moves_s` from now."""
    conn.execute(HAND, {"model": model, "slots": slots, "moves_s": rate_moves_s})


# Steps from lane to lane along the index, so that a batch of a million rows costs no more than one of ten.
LANES = text("""
    with recursive lanes as (
        (select -priority as rank, coalesce(batch_id, 0) as batch from jobs
        where state = 'queued' and blocked_by = 0 and model = :model order by 1, 2 limit 1)
        union all
        select n.rank, n.batch from lanes l cross join lateral (
            select -priority as rank, coalesce(batch_id, 0) as batch from jobs
            where state = 'queued' and blocked_by = 0 and model = :model
                and ((-priority), coalesce(batch_id, 0)) > (l.rank, l.batch)
            order by (-priority), coalesce(batch_id, 0) limit 1
        ) n
    )
    select l.rank, nullif(l.batch, 0) as batch_id, q.ids, q.estimates, (
        select count(*) from jobs j where j.holds_slot and j.model = :model and coalesce(j.batch_id, 0) = l.batch
    ) as in_flight
    from lanes l cross join lateral (
        select array_agg(r.id) as ids, array_agg(r.estimate) as estimates from (
            select id, estimate from jobs
            where state = 'queued' and blocked_by = 0 and model = :model
                and (-priority) = l.rank and coalesce(batch_id, 0) = l.batch and run_at <= now()
            order by run_at, id limit :most
        ) r
    ) q
    where q.ids is not null
""")


def lanes(conn: Connection, model: str, *, most: int) -> list[Lane]:
    """The lanes of a model with jobs that may run now, at most `most` jobs of each."""
    rows = conn.execute(LANES, {"model": model, "most": most})
    return [Lane(-row.rank, row.in_flight, row.batch_id, row.ids, row.estimates) for row in rows]


WAITED_FOR = text("""
    select l.model from limits l
    where l.in_use < l.learned and exists (
        select from jobs j
        where j.state = 'queued' and j.blocked_by = 0 and j.model = l.model and j.run_at <= now()
    )
    order by l.model
""")


def models_waited_for(conn: Connection) -> list[str]:
    """Models with a free slot and a job that may run now."""
    return list(conn.execute(WAITED_FOR).scalars())


# In force and longer: an operator's pause, say, is not cut short by a call that was under way.
PAUSE = text("""
    insert into limits as l (model, concurrency, learned, pause_reason, paused_until, pause_code, probes)
    values (:model, 1, 1, :reason, now() + cast(:for_s as float8) * interval '1 second', :code, :probes)
    on conflict (model) do update set
        pause_reason = excluded.pause_reason, paused_until = excluded.paused_until,
        pause_code = excluded.pause_code, probes = excluded.probes
    where :by_hand or l.pause_reason is null or l.paused_until <= now() or excluded.paused_until is null
        or excluded.paused_until > l.paused_until
""")


def pause(
    conn: Connection,
    model: str,
    *,
    reason: str,
    for_s: float | None,
    code: str | None = None,
    probes: bool = False,
    by_hand: bool = False,
) -> None:
    """Pause a model (or ACCOUNT) for seconds, or, with None, until it is resumed.

    A pause that lasts longer already is left, unless this one is made `by_hand`. `probes`: when the
    time is over one job goes first, and only its success ends the pause.
    """
    values = {"model": model, "reason": reason, "for_s": for_s, "code": code, "probes": probes, "by_hand": by_hand}
    conn.execute(PAUSE, values)


OTHERS = text("""
    select exists (
        select from limits where model not in (:model, :account) and pause_reason is not null and pause_code = :code
    )
""")


def paused_elsewhere(conn: Connection, model: str, code: str) -> bool:
    """Whether another model is paused for the same cause."""
    return bool(conn.execute(OTHERS, {"model": model, "account": ACCOUNT, "code": code}).scalar_one())


# With the account those whose cause is the account's too: they wait for nothing but a probe.
RESUME = text("""
    update limits set pause_reason = null, paused_until = null, pause_code = null, probes = false, strikes = 0
    where model = :model or :model = :account and probes
""")


def resume(conn: Connection, model: str) -> bool:
    """End a pause; False if there is no such limit."""
    return conn.execute(RESUME, {"model": model, "account": ACCOUNT}).rowcount > 0


# Ever longer while it is said again and again; a pause that holds already is not made longer.
REST = text("""
    update limits set
        strikes = case when paused_until < now() - 300 * interval '1 second' then 1 else least(strikes + 1, 8) end,
        pause_reason = :reason, pause_code = :code, probes = false,
        paused_until = now() + least(
            :cap_s, :base_s * (2 ^ case when paused_until < now() - 300 * interval '1 second' then 0 else strikes end)
        ) * interval '1 second'
    where model = :model and (pause_reason is null or paused_until < now())
""")


def rest(conn: Connection, model: str, *, reason: str, code: str | None, base_s: float, cap_s: float) -> None:
    """Let a model rest: for `base_s` the first time, then ever longer, up to `cap_s`; five good minutes forget."""
    conn.execute(REST, {"model": model, "reason": reason, "code": code, "base_s": base_s, "cap_s": cap_s})


@dataclass(frozen=True, slots=True)
class Learned:
    """What a model's limit has learned. `quiet_s`: seconds since it last changed or was refused."""

    concurrency: int
    learned: int
    good: int | None
    refused: int | None
    patience: int
    quiet_s: float


LEARNED = text("""
    select concurrency, learned, good, refused, patience,
        cast(extract(epoch from now() - learned_at) as float8) as quiet_s
    from limits where model = :model and (cast(:since as timestamptz) is null or learned_at < :since) for update
""")


def lock_learned(conn: Connection, model: str, *, since: datetime | None = None) -> Learned | None:
    """Lock a limit and read what it has learned; None if that changed after `since`."""
    row = conn.execute(LEARNED, {"model": model, "since": since}).mappings().first()
    return Learned(**row) if row else None


# The time of this moment, not of the start of the transaction: what others gave out while it waited is older.
LEARN = text("""
    update limits set learned = :learned, good = :good, refused = :refused, patience = :patience,
        learned_at = case when :moved then clock_timestamp() else learned_at end
    where model = :model
""")


def learn(conn: Connection, model: str, *, learned: int, good: int | None, refused: int | None, patience: int,
          moved: bool) -> None:  # fmt: skip
    """Write what was learned. `moved`: a new window begins."""
    values = {"model": model, "learned": learned, "good": good, "refused": refused, "patience": patience}
    conn.execute(LEARN, {**values, "moved": moved})


DRAINING = text("""
    update limits set learned_at = clock_timestamp() where model in (
        select model from limits where in_use > learned order by model for update skip locked
    )
""")


def put_off(conn: Connection) -> None:
    """Begin the windows anew of models that have more under way than they may: no call goes out that could be refused.

    So it is after their level fell.
    """
    conn.execute(DRAINING)


# Jobs that are dispatched only, their message unheard, ask nothing of the provider yet. A fifth may be:
# where calls are short and slots many, some are always between two.
USED_UP = text("""
    select l.model from limits l
    where l.in_use = l.learned and l.learned_at < now() - :window_s * interval '1 second' and l.learned * 0.8 <= (
        select count(*) from jobs j where j.holds_slot and j.model = l.model and j.state <> 'dispatched'
    )
    order by l.model
""")


def used_up(conn: Connection, *, window_s: float) -> list[str]:
    """Models that use all they have, and had no change for a window."""
    return list(conn.execute(USED_UP, {"window_s": window_s}).scalars())


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
