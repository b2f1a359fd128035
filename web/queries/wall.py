"""The wall of a batch: a tile for each of its jobs, in the order of its input."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, text

#: Tiles of one part, which is read when it comes into view; and of one page.
PART, MOST = 120, 10_000

# The index has them in this order. Pieces of recordings have no row of their own.
STARTS = text("""
    select row, id, total from (
        select row, id, row_number() over (order by row, id) as place, count(*) over () as total from (
            select row, id from jobs
            where batch_id = :batch and (row, id) > (:row, :id) and parent_id is null
                and (cast(:state as text) is null or state = :state)
            order by row, id limit :most
        ) newest
    ) numbered where (place - 1) % :part = 0 order by place
""")
TILES = text("""
    select j.id as job, j.row, j.key, j.state, j.kind, j.error_code, o.index, o.role, o.mime, left(o.text, 160) as text
    from (
        select * from jobs
        where batch_id = :batch and (row, id) >= (:row, :id) and parent_id is null
            and (cast(:state as text) is null or state = :state)
        order by row, id limit :part
    ) j left join lateral (
        select index, role, mime, text from outputs where job_id = j.id order by role <> 'cover', index limit 1
    ) o on true
    order by j.row, j.id
""")


def starts(conn: Connection, batch: int, *, state: str | None, row: int, id_: int) -> Sequence[Any]:
    """Where each part begins, of the jobs after this one: rows of row, id, total (of the page)."""
    values = {"batch": batch, "state": state, "row": row, "id": id_, "most": MOST, "part": PART}
    return conn.execute(STARTS, values).all()


def tiles(conn: Connection, batch: int, *, state: str | None, row: int, id_: int) -> Sequence[Any]:
    """A part, from this job on."""
    values = {"batch": batch, "state": state, "row": row, "id": id_, "part": PART}
    return conn.execute(TILES, values).all()
