"""What was spent: by day, model, kind or batch; and what may have been, for answers that were lost."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from sqlalchemy import Connection, text

By = Literal["day", "model", "kind", "batch"]
#: What a row is about, as SQL: of the sums, and of a request whose answer was lost. Days are UTC's.
SUBJECTS: dict[By, tuple[str, str]] = {
    "day": (
        "to_char(t.at at time zone 'UTC', 'YYYY-MM-DD')",
        "to_char(a.sent_at at time zone 'UTC', 'YYYY-MM-DD')",
    ),
    "model": ("t.model", "j.model"),
    "kind": ("t.kind", "j.kind"),
    "batch": (
        "coalesce(b.name, case when t.batch_id is null then '(none)' else '(gone)' end)",
        "coalesce(b.name, '(none)')",
    ),
}
COSTS = """
    with spent as (
        select {sums} as subject, cast(sum(t.requests) as bigint) as requests, sum(t.cost) as cost
        from tallies t left join batches b on b.id = t.batch_id
        where t.state is null and t.model <> 'cut' and (cast(:batch as bigint) is null or t.batch_id = :batch)
        group by 1
    ), lost as (
        select {requests} as subject, sum(greatest(j.estimate - a.cost, 0)) as possibly
        from attempts a join jobs j on j.id = a.job_id left join batches b on b.id = j.batch_id
        where a.possibly_charged and (cast(:batch as bigint) is null or j.batch_id = :batch)
        group by 1
    )
    select subject, coalesce(requests, 0), coalesce(cost, 0), coalesce(possibly, 0)
    from spent full join lost using (subject)
    where requests <> 0 or cost <> 0 or possibly <> 0 order by 1
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """US dollars. `possibly`: what lost answers would add if all of them were charged."""

    subject: str
    requests: int
    cost: Decimal
    possibly: Decimal


def costs(conn: Connection, by: By, *, batch_id: int | None = None) -> list[Cost]:
    """All costs, or a batch's: from the tallies, which ten million requests make no longer, and no prune shorter."""
    sums, requests = SUBJECTS[by]
    query = text(COSTS.format(sums=sums, requests=requests))
    return [Cost(*row) for row in conn.execute(query, {"batch": batch_id})]
