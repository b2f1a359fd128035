"""Makes jobs inside the caller's own transaction: they exist if and only if the caller commits."""

import hashlib
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, overload
from uuid import uuid4

from sqlalchemy import Connection, TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from models import slots
from models.limit import CUT
from provider.wire import Json
from worker.fields import OWN, parse_batch
from worker.following import follow
from worker.kick import kick_after_commit
from worker.kind import Checked, Kind
from worker.kinds import KINDS
from worker.pipeline import Follower, LeftOut, Use, uses_of
from worker.prices import price_of
from worker.tariff import cost_of
from worker.traceparent import current

CHUNK = 1000
#: Characters of input in one chunk, but for its last row: images may be in it.
CHUNK_CHARS = 16_000_000
#: Recordings that are cut at once, to begin with: it takes a core each.
CUTS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One job to be, its input already checked."""

    args: Json
    #: US dollars that a success will cost; 0 where the model's price is not known.
    estimate: Decimal = Decimal(0)
    #: The row of limits whose slots it takes, where it is not its model's.
    limit: str | None = None
    #: Calls that it will make, about.
    calls: int = 1
    row: int | None = None
    key: str | None = None
    #: The key is the user's own, not one made of the row's number.
    named: bool = True
    #: None: that of the submission.
    kind: str | None = None
    #: The row itself says its kind: rows of other kinds may stand beside it, and take the same.
    says_kind: bool = False
    #: Keys of the jobs that it comes after, and what it takes of them.
    after: tuple[str, ...] = ()
    uses: tuple[Use, ...] = ()
    #: None: that of the submission, or else 0.
    priority: int | None = None
    run_at: datetime | None = None

    def follower(self, place: int) -> Follower:
        return Follower(place=place, row=self.row, key=self.key, after=self.after, uses=self.uses)


@dataclass(frozen=True, slots=True)
class Inserted:
    batch_id: int | None
    added: int
    #: Rows that were there from an earlier submission.
    already: int
    #: Rows that were left out, as what they come after is not there.
    left_out: LeftOut = field(default_factory=LeftOut)


class KeyTakenError(Exception):
    """A key was submitted before with other input."""

    def __init__(self, taken: Sequence[tuple[int | None, str | None]]) -> None:
        self.taken = taken
        names = ", ".join(f"{key!r}" + (f" (row {row})" if row else "") for row, key in taken[:5])
        more = f" and {len(taken) - 5} more" if len(taken) > 5 else ""
        super().__init__(
            f"submitted before with other input: key {names}{more}; "
            "give changed rows a new key, or submit them under another batch name"
        )


class UnknownKindError(Exception):
    """No such kind of job."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"kind {kind!r} is not known; known are {', '.join(sorted(KINDS))}")


@overload
def enqueue(
    session: Session,
    kind: str,
    args: Json,
    *,
    key: str | None = ...,
    batch: str | None = ...,
    after: str | Sequence[str] = ...,
    priority: int | None = ...,
    run_at: datetime | None = ...,
) -> list[int]: ...
@overload
def enqueue(
    session: AsyncSession,
    kind: str,
    args: Json,
    *,
    key: str | None = ...,
    batch: str | None = ...,
    after: str | Sequence[str] = ...,
    priority: int | None = ...,
    run_at: datetime | None = ...,
) -> Awaitable[list[int]]: ...
def enqueue(
    session: Session | AsyncSession,
    kind: str,
    args: Json,
    *,
    key: str | None = None,
    batch: str | None = None,
    after: str | Sequence[str] = (),
    priority: int | None = None,
    run_at: datetime | None = None,
) -> list[int] | Awaitable[list[int]]:
    """Enqueue one input in the caller's transaction and return the ids of its jobs.

    It is one job, or `n` jobs for an image with `n`. The same `key` again gives the same jobs.
    `after`: keys of jobs of the batch that are to succeed first; the input may take what they made
    (docs/pipelines.md). `priority`: higher runs first. `run_at`: UTC where it has no zone. What `args`
    itself says of them holds where they are not given here. With an AsyncSession, await the result.

    Raises UnknownKindError, KeyTakenError, ValueError (bad key, batch, after, priority or run_at) and
    its kin pydantic.ValidationError (bad input).
    """
    own = {"key": key, "after": after or None, "priority": priority, "run_at": run_at}
    rows = list(checked(kind, [{**args, **{name: value for name, value in own.items() if value is not None}}]))
    # One job is there or not, without a savepoint: of those a transaction bears some dozens well.
    return enqueue_rows(session, kind, rows, batch, nested=len(rows) > 1 or bool(rows[0].after))


@overload
def enqueue_many(session: Session, kind: str, inputs: Iterable[Json], *, batch: str | None = ...) -> list[int]: ...
@overload
def enqueue_many(
    session: AsyncSession, kind: str, inputs: Iterable[Json], *, batch: str | None = ...
) -> Awaitable[list[int]]: ...
def enqueue_many(
    session: Session | AsyncSession, kind: str, inputs: Iterable[Json], *, batch: str | None = None
) -> list[int] | Awaitable[list[int]]:
    """Enqueue inputs (the API's fields, with optional `key`, `after`, `kind`, `priority`, `run_at`) together.

    Returns the ids of the jobs in the order of the inputs. Raises as `enqueue` does; then nothing of
    it is in the transaction.
    """
    return enqueue_rows(session, kind, checked(kind, inputs), batch, nested=True)


def enqueue_rows(
    session: Session | AsyncSession, kind: str, rows: Iterable[Row], batch: str | None, *, nested: bool
) -> list[int] | Awaitable[list[int]]:
    name = None if batch is None else parsed("batch", batch, parse_batch)

    def insert(sync_session: Session) -> list[int]:
        job_ids: list[int] = []
        # All of them, or none, also for who goes on after an error.
        with sync_session.begin_nested() if nested else nullcontext():
            insert_rows(sync_session, name, kind, rows, job_ids=job_ids)
        return job_ids

    return session.run_sync(insert) if isinstance(session, AsyncSession) else insert(session)


def checked(kind: str, inputs: Iterable[Json]) -> Iterator[Row]:
    """Check inputs that come from Python, and split those that are several jobs."""
    if kind not in KINDS:
        raise UnknownKindError(kind)
    for number, given in enumerate(inputs, 1):
        own = {name: parsed(name, given[name], parse) for name, parse in OWN.items() if given.get(name) is not None}
        rest = {name: value for name, value in given.items() if name not in OWN}
        one = KINDS[own.get("kind", kind)]
        yield from split(one.check(rest, Path.cwd()), one, number=None, order=number, own=own, row=rest)


def parsed(name: str, value: Any, parse: Callable[[Any], Any]) -> Any:
    try:
        return parse(value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def split(
    found: Checked, kind: Kind, *, number: int | None, order: int, own: Mapping[str, Any], row: Json | None = None
) -> Iterator[Row]:
    """The rows of one input: `key`, or `key#1`, `key#2` … where it is several jobs.

    `number`: the input's row number, if it has one; `order` stands in for an absent key. `row`: the fields that are
    not ours, as they were written. Raises ValueError for what refers to no output, its text beginning with the field.
    """
    key, after = own.get("key"), own.get("after") or ()
    uses = tuple(uses_of(found.jobs[0], kind, after, row))
    for part, args in enumerate(found.jobs, 1):
        yield Row(
            args=args,
            estimate=cost_of(price_of(args["model"]), units=found.units, tokens=found.tokens),
            limit=found.limit,
            calls=found.calls,
            row=number,
            key=key if len(found.jobs) == 1 else f"{key or order}#{part}",
            named=key is not None,
            kind=kind.name,
            says_kind="kind" in own,
            after=after,
            uses=uses,
            priority=own.get("priority"),
            run_at=own.get("run_at"),
        )


FIND_BATCH = text("""
    with made as (
        insert into batches (name, webhook) values (:name, :webhook) on conflict (name) do nothing returning id
    )
    select id from made union all select id from batches where name = :name limit 1
""")

# The newest counts. At the end, as its lock keeps others from it until the commit.
SET_WEBHOOK = text("""
    update batches set webhook = :webhook where id = :batch and webhook is distinct from :webhook
""")

# Held until the caller commits: no prune takes it away meanwhile.
HOLD_BATCH = text("select id from batches where id = :id for key share")

# On a conflict the row stands as it is; `same` tells whether it was asked for with the same input.
INSERT = """
    with given as (
        select * from unnest(
            cast(:row as bigint[]), cast(:key as text[]), cast(:dedupe as text[]), cast(:kind as text[]),
            cast(:model as text[]), cast(:args as text[]), cast(:priority as int[]), cast(:run_at as timestamptz[]),
            cast(:estimate as numeric[]), cast(:after as text[]), cast(:blocked_by as int[])
        ) with ordinality as g (row, key, dedupe, kind, model, args, priority, run_at, estimate, after, blocked_by,
            place)
    ), added as (
        insert into jobs (
            batch_id, row, key, dedupe, kind, model, args, priority, run_at, estimate, after, blocked_by,
            published_fence, traceparent
        )
        select :batch_id, row, key, dedupe, kind, model, cast(args as jsonb), priority, coalesce(run_at, now()),
            estimate, {after}, blocked_by, case when :publish then -1 end,
            cast(:traceparent as text)
        from given g order by place
        on conflict do nothing
        returning id, dedupe, kind, args, after
    )
    select coalesce(a.id, j.id) as id,
        a.id is not null and row_number() over (partition by g.dedupe order by g.place) = 1 as added,
        coalesce(a.args, j.args) = cast(g.args as jsonb) and coalesce(a.kind, j.kind) = g.kind
            and coalesce(a.after, j.after) is not distinct from {after} as same,
        j.id is not null and g.row <> coalesce(j.row, 0) as moved
    from given g
    left join added a on a.dedupe = g.dedupe
    left join jobs j on a.id is null and j.dedupe = g.dedupe and j.batch_id {batch}
    order by g.place
"""
#: Arrays of arrays have to be of one length, so that lists come as JSON.
AFTER = "(select array_agg(k) from jsonb_array_elements_text(cast(g.after as jsonb)) k)"
# Two, because only these conditions find their index.
INSERT_IN_BATCH = text(INSERT.format(after=AFTER, batch="= :batch_id"))
INSERT_ALONE = text(INSERT.format(after=AFTER, batch="is null"))

# At the end and at once, so that workers wait for these locks for a moment only; in their order.
MOVE = text("""
    with moved as (
        select j.id, g.row from unnest(cast(:ids as bigint[]), cast(:rows as bigint[])) as g (id, row)
        join jobs j on j.id = g.id order by j.blocked_by > 0, j.id for no key update of j
    )
    update jobs j set row = m.row from moved m where j.id = m.id
""")


def insert_rows(
    session: Session,
    batch: str | None,
    kind: str | None,
    rows: Iterable[Row],
    *,
    webhook: str | None = None,
    publish: bool = False,
    job_ids: list[int] | None = None,
    skip_misplaced: bool = False,
    bad: Collection[str] = (),
) -> Inserted:
    """Stream rows into the caller's transaction; rows that are there already get their new number, and no more.

    `kind`: of rows that have none of their own. `publish`: a schedule puts their outputs in place. `job_ids`
    is filled with the rows' ids where given. `skip_misplaced`: rows that come after what is not there are left
    out. `bad`: keys of rows that are refused by themselves, looked at when all rows have come. Raises KeyTakenError
    and, where nothing is to be left out, AfterError.
    """
    batch_id = None
    if batch is not None:
        batch_id = batch_of(session, batch, webhook)
    connection = session.connection()
    added = already = 0
    seen: Counter[bytes] = Counter()
    moved: dict[int, int | None] = {}
    limits: set[str] = set()
    followers: list[Follower] = []
    traceparent = current()
    for chunk, texts in chunks(rows):
        for model, of_kind in {row.args["model"]: KINDS[row.kind or str(kind)] for row in chunk}.items():
            if model not in limits:
                at_once = of_kind.concurrency(model)
                slots.add_limit(connection, model, concurrency=at_once, slot_scope=of_kind.slot_scope)
                limits.add(model)
        if CUT not in limits and any(row.limit == CUT for row in chunk):
            slots.add_limit(connection, CUT, concurrency=CUTS, slot_scope="answer")
            limits.add(CUT)
        values = {
            "batch_id": batch_id,
            "publish": publish,
            "traceparent": traceparent,
            "kind": [row.kind or kind for row in chunk],
            "row": [row.row for row in chunk],
            "key": [row.key for row in chunk],
            "dedupe": [dedupe(row, args, seen, batch_id) for row, args in zip(chunk, texts, strict=True)],
            "model": [row.limit or row.args["model"] for row in chunk],
            "args": texts,
            "priority": [row.priority or 0 for row in chunk],
            "run_at": [row.run_at for row in chunk],
            "estimate": [row.estimate for row in chunk],
            "after": [json.dumps(row.after) if row.after else None for row in chunk],
            "blocked_by": [len(row.after) for row in chunk],
        }
        found = insert_chunk(session, INSERT_ALONE if batch_id is None else INSERT_IN_BATCH, values)
        pairs = list(zip(chunk, found, strict=True))
        if taken := [(row.row, row.key) for row, each in pairs if not each.same]:
            raise KeyTakenError(taken)
        if job_ids is not None:
            job_ids += [each.id for each in found]
        followers += [row.follower(each.id) for row, each in pairs if each.added and row.after]
        moved.update((each.id, row.row) for row, each in pairs if each.moved)
        added += sum(each.added for each in found)
        already += sum(not each.added for each in found)
    left = LeftOut()
    if followers:
        left = follow(connection, batch_id, followers, skip=skip_misplaced, bad=bad, locking=moved)
        added -= len(left.places)
    if webhook is not None:
        session.execute(SET_WEBHOOK, {"batch": batch_id, "webhook": webhook})
    if moved:
        session.execute(MOVE, {"ids": list(moved), "rows": list(moved.values())})
    kick_after_commit(session)
    return Inserted(batch_id, added, already, left)


def insert_chunk(session: Session, statement: TextClause, values: Mapping[str, Any]) -> list[Any]:
    """The rows of INSERT, in the order of its values."""
    found = list(session.execute(statement, values))
    # There, by one that committed while this statement waited for it: only the next sees them.
    if unseen := [place for place, each in enumerate(found) if each.id is None]:
        rest = {
            name: [value[place] for place in unseen] if isinstance(value, list) else value
            for name, value in values.items()
        }
        for place, each in zip(unseen, insert_chunk(session, statement, rest), strict=True):
            found[place] = each
    return found


ALREADY = text(f"""
    select g.place, j.args = cast(g.args as jsonb) and j.kind = g.kind and j.after is not distinct from {AFTER} as same
    from unnest(cast(:dedupe as text[]), cast(:kind as text[]), cast(:args as text[]), cast(:after as text[]))
        with ordinality as g (dedupe, kind, args, after, place)
    join jobs j on j.dedupe = g.dedupe and j.batch_id = :batch_id
""")


def there_already(
    conn: Connection, batch_id: int, chunk: Sequence[Row], texts: Sequence[str], seen: Counter[bytes]
) -> set[int]:
    """Which of these rows (by place, from 0) the batch has; nothing is written. Raises KeyTakenError.

    `seen`: the caller's, one for all chunks of a submission.
    """
    values = {
        "batch_id": batch_id,
        "dedupe": [dedupe(row, args, seen, batch_id) for row, args in zip(chunk, texts, strict=True)],
        "kind": [row.kind for row in chunk],
        "args": texts,
        "after": [json.dumps(row.after) if row.after else None for row in chunk],
    }
    found = conn.execute(ALREADY, values).all()
    if taken := [(chunk[each.place - 1].row, chunk[each.place - 1].key) for each in found if not each.same]:
        raise KeyTakenError(taken)
    return {each.place - 1 for each in found}


def batch_of(session: Session, name: str, webhook: str | None) -> int:
    """The batch's id, made if need be; the batch is the caller's to add to."""
    held: int | None = None
    while held is None:  # it was found, and pruned
        found = session.execute(FIND_BATCH, {"name": name, "webhook": webhook}).scalar_one_or_none()
        held = session.execute(HOLD_BATCH, {"id": found}).scalar_one_or_none()
    return held


def chunks(rows: Iterable[Row]) -> Iterator[tuple[list[Row], list[str]]]:
    """Rows and their args as JSON, as many as go into one statement."""
    chunk: list[Row] = []
    texts: list[str] = []
    chars = 0
    for row in rows:
        chunk.append(row)
        texts.append(json.dumps(row.args, ensure_ascii=False, sort_keys=True))
        chars += len(texts[-1])
        if len(chunk) == CHUNK or chars >= CHUNK_CHARS:
            yield chunk, texts
            chunk, texts, chars = [], [], 0
    if chunk:
        yield chunk, texts


def dedupe(row: Row, args: str, seen: Counter[bytes], batch_id: int | None) -> str:
    """What makes a second submission of this row the same job.

    The user's key; in a batch, failing that, the input itself and which of its equals in
    the file this is, so that lines may be inserted or moved between two submissions.
    Without either nothing is the same job twice.
    """
    if row.named and row.key is not None:
        return f"key:{row.key}"
    asked = args + json.dumps(row.after) if row.after else args
    asked += str(row.kind) if row.says_kind else ""
    digest = hashlib.blake2b(asked.encode(), digest_size=16)
    if batch_id is None:
        return f"once:{uuid4().hex}"
    seen[digest.digest()] += 1
    return f"input:{digest.hexdigest()}:{seen[digest.digest()]}"
