"""What was spent: by day, model, kind or batch; and what may have been, for answers that were lost."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from sqlalchemy import Connection, text

By = Literal["day", "model", "kind", "batch"]
#: What a row is about, as SQL. The day is that of the request, UTC.
SUBJECTS: dict[By, str] = {
    "day": "to_char(a.sent_at at time zone 'UTC', 'YYYY-MM-DD')",
    "model": "j.model",
    "kind": "j.kind",
    "batch": "coalesce(b.name, '(none)')",
}


@dataclass(frozen=True, slots=True)
class Cost:
    """US dollars. `possibly`: what lost answers would add if all of them were charged."""

    subject: str
    jobs: int
    requests: int
    cost: Decimal
    possibly: Decimal


def costs(conn: Connection, by: By, *, batch_id: int | None = None) -> list[Cost]:
    """All costs, or a batch's, from the record of every request."""
    found = conn.execute(
        text(f"""
            select {SUBJECTS[by]} as subject, count(distinct j.id) as jobs, count(*) as requests,
                sum(a.cost) as cost,
                coalesce(sum(greatest(j.estimate - a.cost, 0)) filter (where a.possibly_charged), 0) as possibly
            from attempts a join jobs j on j.id = a.job_id left join batches b on b.id = j.batch_id
            where (cast(:batch as bigint) is null or j.batch_id = :batch) and j.model <> 'cut'
            group by 1 order by 1
        """),
        {"batch": batch_id},
    )
    return [Cost(*row) for row in found]
