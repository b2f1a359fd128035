"""The SQL of what is to be told: notices of jobs' ends, batches that finish, deliveries to webhooks."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from models import meters
from models.state import FINAL, JobState

OPEN = ", ".join(f"'{each}'" for each in JobState if each not in FINAL)

# Limits in subqueries keep the planner from reading all jobs at once.
COMPLETE = text(f"""
    select b.id from batches b
    where b.finished_at is null
        and (select 1 from jobs j where j.batch_id = b.id limit 1) is not null
        and (select 1 from jobs j where j.batch_id = b.id and j.state in ({OPEN}) limit 1) is null
    order by b.id
""")
# Whoever adds to a batch holds a lock on its row until the commit: then it is not complete, whatever is seen of it.
LOCK = text("""
    select id from batches where id = any(cast(:ids as bigint[])) and finished_at is null
    order by id for update skip locked
""")
# A statement of its own, for it must see what was committed before the lock was had.
FINISH = text(f"""
    update batches b set finished_at = now(), completions = b.completions + 1
    where b.id = any(cast(:ids as bigint[]))
        and (select 1 from jobs j where j.batch_id = b.id and j.state in ({OPEN}) limit 1) is null
    returning b.id, b.name, b.webhook, b.created_at, b.finished_at, b.completions
""")


def finish_batches(conn: Connection) -> Sequence[Row[Any]]:
    """Call those batches finished of which nothing is open; rows of `batches`.

    Exactly once for each time that a batch gets there, however many do this side by side and however its
    last jobs end: only committed ends count, and the row's lock decides.
    """
    ids = list(conn.execute(COMPLETE).scalars())
    ids = list(conn.execute(LOCK, {"ids": ids}).scalars()) if ids else []
    return conn.execute(FINISH, {"ids": ids}).all() if ids else []


TAKE = text("""
    with taken as (delete from outbox where id in (select id from outbox order by id limit :most) returning *)
    select id, at, job_id, event, code, http_status, seconds from taken order by id
""")


def take(conn: Connection, *, most: int) -> Sequence[Row[Any]]:
    """Take notices out of the outbox, the oldest first."""
    return conn.execute(TAKE, {"most": most}).all()


# A receiver that wants the event anyway, and has the batch's own URL, is told once.
TELL = text("""
    insert into deliveries (webhook_id, url, event, data, batch_id)
    select w.id, w.url, :event, cast(:data as jsonb), :batch from webhooks w
    where :event = any(w.events) and w.stopped is null
    union all
    select null, :own, :event, cast(:data as jsonb), :batch
    where cast(:own as text) is not null and not exists (
        select from webhooks w where w.url = :own and :event = any(w.events) and w.stopped is null
    )
""")


def tell(conn: Connection, event: str, data: str, *, batch: int, own: str | None) -> None:
    """Write a delivery for each receiver that wants the event, and for the batch's own URL. data: JSON."""
    values = {"event": event, "data": data, "batch": batch, "own": own}
    conn.execute(TELL, values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A message to be sent now, in the hands of one process."""

    id: int
    message_id: str
    url: str
    host: str
    event: str
    data: dict[str, Any]
    created_at: datetime
    #: The number of this try, which is its fence.
    tries: int
    #: Seconds since it was first due.
    age_s: float
    #: Seconds since 1970, by the database's clock.
    sent_at: int


# From host to host along the index, so that a million messages to one that is down cost no more than ten. A try is
# leased by pushing its time forward: if its process dies, it is due again.
CLAIM = text("""
    with recursive hosts as (
        (select host from deliveries where state = 'pending' order by host limit 1)
        union all
        select (select d.host from deliveries d where d.state = 'pending' and d.host > h.host order by d.host limit 1)
        from hosts h where h.host is not null
    ), busy as (
        select * from unnest(cast(:hosts as text[]), cast(:counts as int[])) as b (host, count)
    ), due as (
        select d.id from hosts h left join busy b on b.host = h.host cross join lateral (
            select id from deliveries
            where state = 'pending' and host = h.host and next_at <= now()
            order by next_at, id limit greatest(:each - coalesce(b.count, 0), 0) for update skip locked
        ) d
        where h.host is not null limit :most
    )
    update deliveries d set tries = d.tries + 1, next_at = now() + :lease_s * interval '1 second'
    from due where d.id = due.id
    returning d.id, d.message_id, d.url, d.host, d.event, d.data, d.created_at, d.tries,
        cast(extract(epoch from now() - d.since) as float8) as age_s,
        cast(extract(epoch from now()) as bigint) as sent_at
""")


def claim(conn: Connection, *, busy: Mapping[str, int], each: int, most: int, lease_s: float) -> list[Due]:
    """Take messages that are due, at most `each` of a host at once. `busy`: how many of a host are under way."""
    values = {
        "hosts": list(busy), "counts": list(busy.values()), "each": each, "most": max(most, 0), "lease_s": lease_s,
    }  # fmt: skip
    return [Due(**row) for row in conn.execute(CLAIM, values).mappings()]


SETTLE = text("""
    update deliveries set state = :state, next_at = now() + cast(:after_s as float8) * interval '1 second',
        http_status = :status, error = :error, ended_at = case when :state <> 'pending' then now() end
    where id = :id and tries = :tries and state = 'pending'
""")
STOP = text("""
    update webhooks w set stopped = :why from deliveries d where d.id = :id and w.id = d.webhook_id
""")


def settle(
    conn: Connection, due: Due, *, state: str, after_s: float, status: int | None, error: str | None, gone: bool
) -> None:
    """Write what came of a try. `after_s`: seconds until the next one; `gone`: its webhook wants no more of any."""
    values = {"id": due.id, "tries": due.tries, "state": state, "after_s": after_s, "status": status, "error": error}
    if not conn.execute(SETTLE, values).rowcount:
        return
    if gone:
        conn.execute(STOP, {"id": due.id, "why": error})
    meters.count(conn, "deliveries", "tried again" if state == "pending" else state)


REPLAY = text("""
    update deliveries set state = 'pending', next_at = now(), since = now(), ended_at = null
    where (cast(:ids as bigint[]) is null or id = any(cast(:ids as bigint[])))
        and (cast(:state as text) is null or state = :state)
        and (cast(:webhook as bigint) is null or webhook_id = :webhook)
""")


def replay(
    conn: Connection, *, ids: Collection[int] | None = None, state: str | None = None, webhook: int | None = None
) -> int:
    """Send messages once more, under their old ids; returns how many."""
    values = {"ids": None if ids is None else list(ids), "state": state, "webhook": webhook}
    return conn.execute(REPLAY, values).rowcount


# Received and given up alike: what is pending still is kept.
FORGET = text("""
    delete from deliveries where created_at < now() - :for_s * interval '1 second' and state <> 'pending'
""")


def forget(conn: Connection, *, for_s: float) -> int:
    """Delete what ended and is older than so many seconds."""
    return conn.execute(FORGET, {"for_s": for_s}).rowcount
