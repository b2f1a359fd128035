"""The trail of what people did: who, when, what, to how many jobs."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts. `via`: command line, api, dashboard or Flower."""

    name: str
    via: str


NOTE = text("""
    insert into audit (who, via, action, subject, jobs, cost, detail)
    values (:who, :via, :action, :subject, :jobs, :cost, :detail)
""").bindparams(bindparam("detail", type_=JSONB))


def note(
    conn: Connection,
    by: Actor,
    action: str,
    subject: str | None = None,
    *,
    jobs: int | None = None,
    cost: Decimal | None = None,
    **detail: Any,
) -> None:
    """Write an entry in the caller's transaction: it is there if and only if what it tells of is."""
    told = {name: str(value) if isinstance(value, Decimal) else value for name, value in detail.items()}
    values = {"who": by.name, "via": by.via, "action": action, "subject": subject, "jobs": jobs, "cost": cost}
    conn.execute(NOTE, {**values, "detail": {name: value for name, value in told.items() if value is not None}})


ENTRIES = text("""
    select id, at, who, via, action, subject, jobs, cost, detail from audit
    where (cast(:before as bigint) is null or id < :before)
        and (cast(:who as text) is null or who = :who) and (cast(:action as text) is null or action = :action)
    order by id desc limit :limit
""")


def entries(
    conn: Connection, *, before: int | None = None, limit: int = 50, who: str | None = None, action: str | None = None
) -> list[dict[str, Any]]:
    """The latest first. `before`: the id that the page before ended with."""
    values = {"before": before, "limit": limit, "who": who, "action": action}
    return [dict(row) for row in conn.execute(ENTRIES, values).mappings()]
