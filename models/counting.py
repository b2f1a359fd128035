"""The SQL of tallies: how many jobs are in which state, what ended when, what was spent.

Triggers on `jobs` write the rows, each a change; sums are exact whether or not `fold` has added rows up by then.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from models.state import FINAL

#: Any number that is not used for another lock: held while rows are added up.
FOLD_LOCK = 7_236_516
FINISHED = ", ".join(f"'{each}'" for each in sorted(FINAL))

# Ends and money are history. Of what is under way only the sum matters, and nothing when it is zero.
FOLD = text(f"""
    with sums as (
        select case when state is null or state in ({FINISHED}) then date_bin(cast(:span as interval), at, 'epoch')
            else '-infinity' end as span,
            batch_id, kind, model, piece, state, sum(jobs) as jobs, sum(came) as came, sum(requests) as requests,
            sum(cost) as cost, array_agg(ctid) as places
        from tallies
        where at = '-infinity' or at >= now() - cast(:oldest as interval)
            and at < date_bin(cast(:span as interval), now() - cast(:youngest as interval), 'epoch')
        group by 1, 2, 3, 4, 5, 6 having count(*) > 1
            or min(at) <> case when state is null or state in ({FINISHED})
                then date_bin(cast(:span as interval), min(at), 'epoch') else '-infinity' end
    ), gone as (
        delete from tallies where ctid = any(array(select unnest(places) from sums))
    )
    insert into tallies (at, batch_id, kind, model, piece, state, jobs, came, requests, cost)
    select span, batch_id, kind, model, piece, state, jobs, case when isfinite(span) then came else 0 end, requests,
        cost
    from sums where jobs <> 0 or isfinite(span) and (came <> 0 or requests <> 0 or cost <> 0)
""")
LOCKED = text("select pg_try_advisory_xact_lock(:key)")


def fold(conn: Connection, *, span: str, oldest: str, youngest: str) -> None:
    """Add up to one row a `span` what happened from `oldest` to `youngest` ago (Postgres intervals).

    Nothing where somebody else does it right now. The transaction is to be committed soon.
    """
    if conn.execute(LOCKED, {"key": FOLD_LOCK}).scalar_one():
        conn.execute(FOLD, {"span": span, "oldest": oldest, "youngest": youngest})


COUNTS = text("""
    select batch_id, kind, model, piece, state, cast(sum(jobs) as bigint) as jobs, sum(cost) as cost
    from tallies where batch_id = any(cast(:batches as bigint[])) group by 1, 2, 3, 4, 5
""")
COUNTS_OF_ALL = text("""
    select kind, model, piece, state, cast(sum(jobs) as bigint) as jobs, sum(cost) as cost
    from tallies group by 1, 2, 3, 4
""")


def counts(conn: Connection, batches: Collection[int] | None = None) -> Sequence[Any]:
    """Rows of kind, model, piece, state (null: none in particular), jobs, cost; with batches, of batch_id too.

    Several rows may be of one state; costs are US dollars.
    """
    if batches is None:
        return conn.execute(COUNTS_OF_ALL).all()
    return conn.execute(COUNTS, {"batches": list(batches)}).all()


ENDED = text(f"""
    select date_bin(cast(:span as interval), at, cast(:origin as timestamptz)) as at, model, piece, state,
        cast(sum(came) as bigint) as jobs, min(at) as first
    from tallies
    where at >= :origin and state in ({FINISHED}) and (cast(:batch as bigint) is null or batch_id = :batch)
    group by 1, 2, 3, 4 having sum(came) <> 0 order by 1
""")


def ended(conn: Connection, *, origin: datetime, span: str, batch: int | None = None) -> Sequence[Any]:
    """What ended since `origin`, in spans from there on: rows of at, model, piece, state, jobs, first.

    `first`: when the first of them ended, to the precision of tallies.
    """
    return conn.execute(ENDED, {"origin": origin, "span": span, "batch": batch}).all()
