"""What a person does with webhooks: add, list and remove receivers, ask for secrets, look at what was sent."""

import secrets
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, text

from worker.addresses import Network, host_of, parse
from worker.webhooks import EVENTS
from worker.webhooks.signature import secret_of

#: A key that was replaced signs beside the new one for so long.
OVERLAP_S = 86400.0

ADD = text("""
    insert into webhooks (url, events) values (:url, cast(:events as text[]))
    on conflict (url) do update set events = excluded.events, stopped = null
    returning id
""")


def add(conn: Connection, url: str, events: Collection[str], *, allowed: Sequence[Network] = ()) -> int:
    """Tell this URL of these events from now on; again: of these instead. Raises ValueError."""
    if unknown := [each for each in events if each not in EVENTS]:
        raise ValueError(f"event {unknown[0]!r} is not known; known are {', '.join(EVENTS)}")
    try:
        parse(url, allowed)
    except ValueError as error:
        raise ValueError(f"{url} {error}") from None
    return int(conn.execute(ADD, {"url": url, "events": sorted(events)}).scalar_one())


# What it was to be told is not told any more.
REMOVE = text("""
    with dropped as (
        update deliveries set state = 'failed', ended_at = now(), error = 'the webhook was removed'
        where webhook_id = :id and state = 'pending'
    )
    delete from webhooks where id = :id
""")


def remove(conn: Connection, webhook: int) -> bool:
    """False if there is none."""
    return conn.execute(REMOVE, {"id": webhook}).rowcount > 0


LIST = text("""
    select w.id, w.url, w.events, w.stopped, w.created_at, d.*
    from webhooks w left join lateral (
        select count(*) filter (where state = 'pending') as pending, count(*) filter (where state = 'failed') as failed,
            count(*) filter (where state = 'delivered') as delivered, max(ended_at) filter (where state = 'delivered')
            as last_at
        from deliveries where webhook_id = w.id and created_at > now() - interval '7 days'
    ) d on true order by w.id
""")


def listed(conn: Connection) -> list[dict[str, Any]]:
    """The receivers, with what was sent to each in the last seven days."""
    return [dict(row) for row in conn.execute(LIST).mappings()]


KEYS = text("""
    select key from (
        select key, row_number() over (order by id desc) as place, max(created_at) over () as newest from webhook_keys
    ) k
    where place = 1 or place = 2 and newest > now() - :overlap_s * interval '1 second'
    order by place
""")


def keys(conn: Connection) -> list[str]:
    """What secrets are made from, the newest first; made now if there is none."""
    found = list(conn.execute(KEYS, {"overlap_s": OVERLAP_S}).scalars())
    return found or [rotate(conn)]


def rotate(conn: Connection) -> str:
    """Make a new key: every receiver has a new secret, and the old one is good for OVERLAP_S."""
    key = secrets.token_hex(32)
    conn.execute(text("insert into webhook_keys (key) values (:key)"), {"key": key})
    conn.execute(
        text("delete from webhook_keys where id not in (select id from webhook_keys order by id desc limit 2)")
    )
    return key


def secret_for(conn: Connection, url: str) -> str:
    """The secret by which the receiver at this URL knows our messages. Raises ValueError."""
    return secret_of(keys(conn)[0], host_of(parse(url, None)))


DELIVERIES = text("""
    select d.id, d.message_id, d.event, d.url, d.batch_id, b.name as batch, d.job_id as job, d.state, d.tries,
        d.created_at, d.next_at, d.ended_at, d.http_status, d.error, d.data
    from deliveries d left join batches b on b.id = d.batch_id
    where (cast(:state as text) is null or d.state = :state)
        and (cast(:batch as bigint) is null or d.batch_id = :batch)
        and (cast(:before as bigint) is null or d.id < :before)
    order by d.id desc limit :limit
""")


def deliveries(
    conn: Connection, *, state: str | None = None, batch: int | None = None, before: int | None = None, limit: int = 50
) -> list[dict[str, Any]]:
    """Messages, the newest first; `before`: the id that the page before ended with."""
    values = {"state": state, "batch": batch, "before": before, "limit": limit}
    return [dict(row) for row in conn.execute(DELIVERIES, values).mappings()]
