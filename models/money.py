"""Budgets: what is reserved when jobs are dispatched, and settled when they end. The row's lock makes it exact."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from sqlalchemy import Connection, text

#: (scope, subject): a batch by its id, a model by its name, the day by ''.
Scope = tuple[str, str]
DAY: Scope = ("day", "")


def scopes(model: str, batch_id: int | None) -> list[Scope]:
    """The budgets that a job counts in, where they are set."""
    found = [DAY, ("model", model)]
    return [*found, ("batch", str(batch_id))] if batch_id is not None else found


@dataclass
class Purse:
    """What is left in each budget that is set; US dollars."""

    left: dict[Scope, Decimal] = field(default_factory=dict)
    #: Those that had too little for a job.
    empty: set[Scope] = field(default_factory=set)

    def pay(self, model: str, batch_id: int | None, cost: Decimal) -> bool:
        """Take the cost out of every budget that it counts in; False, and nothing taken, if one has too little."""
        concerned = [each for each in scopes(model, batch_id) if each in self.left] if self.left else []
        if short := {each for each in concerned if self.left[each] < cost}:
            self.empty |= short
            return False
        for each in concerned:
            self.left[each] -= cost
        return True


def jobs_first(conn: Connection) -> None:
    """Take the lock on jobs that a write takes. First it, then those on budgets: so nobody waits in a ring."""
    conn.execute(text("lock table jobs in row exclusive mode"))


# A new day starts with nothing spent; what is reserved goes on.
LEFT = text("""
    select scope, subject, amount - reserved - case
        when scope = 'day' and day <> cast(now() at time zone 'UTC' as date) then 0 else spent end as amount
    from budgets
    where scope = 'day' or scope = 'model' and subject = :model
        or scope = 'batch' and subject = any(cast(:batches as text[]))
    order by scope = 'batch', scope, subject for update
""")


def lock_purse(conn: Connection, model: str, batch_ids: Iterable[int | None]) -> Purse:
    """Lock the budgets that jobs of this model and these batches count in, and say what they have left."""
    values = {"model": model, "batches": [str(each) for each in batch_ids if each is not None]}
    return Purse({(row.scope, row.subject): row.amount for row in conn.execute(LEFT, values)})


@dataclass(frozen=True, slots=True)
class Entry:
    """A change of what is reserved and spent, for a job of this model and batch; US dollars."""

    model: str
    batch_id: int | None
    reserved: Decimal = Decimal(0)
    spent: Decimal = Decimal(0)


BOOK = text("""
    with changes as (
        select * from unnest(
            cast(:scope as text[]), cast(:subject as text[]), cast(:reserved as numeric[]), cast(:spent as numeric[])
        ) as c (scope, subject, reserved, spent)
    ), locked as (
        select b.scope, b.subject from budgets b join changes c using (scope, subject)
        order by b.scope = 'batch', b.scope, b.subject for update of b
    )
    update budgets b set
        reserved = b.reserved + c.reserved,
        spent = c.spent + case
            when b.scope = 'day' and b.day <> cast(now() at time zone 'UTC' as date) then 0 else b.spent end,
        day = case when b.scope = 'day' then cast(now() at time zone 'UTC' as date) end
    from changes c join locked l using (scope, subject)
    where b.scope = c.scope and b.subject = c.subject
""")


def book(conn: Connection, entries: Sequence[Entry]) -> None:
    """Write changes into the budgets that are set; nothing where none is."""
    sums: Mapping[Scope, list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    for entry in entries:
        if entry.reserved or entry.spent:
            for each in scopes(entry.model, entry.batch_id):
                sums[each][0] += entry.reserved
                sums[each][1] += entry.spent
    if sums:
        values = {
            "scope": [scope for scope, _ in sums],
            "subject": [subject for _, subject in sums],
            "reserved": [reserved for reserved, _ in sums.values()],
            "spent": [spent for _, spent in sums.values()],
        }
        conn.execute(BOOK, values)


# Counted while no job moves, so that from then on the row is exact. Costs of a day are its requests'.
SET = text("""
    insert into budgets as b (scope, subject, amount, spent, reserved, day)
    select :scope, :subject, :amount,
        coalesce((
            select sum(a.cost + case when a.possibly_charged then greatest(j.estimate - a.cost, 0) else 0 end)
            from attempts a join jobs j on j.id = a.job_id
            where case :scope when 'batch' then cast(j.batch_id as text) = :subject
                when 'model' then j.model = :subject
                else a.sent_at >= date_trunc('day', now(), 'UTC') end
        ), 0),
        coalesce((
            select sum(j.reserved) from jobs j
            where j.state in ('dispatched', 'running') and case :scope
                when 'batch' then cast(j.batch_id as text) = :subject when 'model' then j.model = :subject
                else true end
        ), 0),
        case :scope when 'day' then cast(now() at time zone 'UTC' as date) end
    on conflict (scope, subject) do update set amount = excluded.amount, reached_at = null
    returning amount, spent, reserved
""")


def set_budget(conn: Connection, scope: Scope, amount: Decimal) -> None:
    """Set or change a budget; what was spent before counts."""
    # Jobs before budgets, as wherever a transaction has both.
    conn.execute(text("lock table jobs in share row exclusive mode"))
    conn.execute(SET, {"scope": scope[0], "subject": scope[1], "amount": amount})


def remove_budget(conn: Connection, scope: Scope) -> bool:
    """False if there is none."""
    found = conn.execute(
        text("delete from budgets where scope = :scope and subject = :subject"),
        {"scope": scope[0], "subject": scope[1]},
    )
    return found.rowcount > 0


# Told once, until the amount is changed or, of the day's, another day begins.
REACHED = text("""
    with reached as (
        update budgets b set reached_at = now()
        from unnest(cast(:scopes as text[]), cast(:subjects as text[])) as e (scope, subject)
        where b.scope = e.scope and b.subject = e.subject and (
            b.reached_at is null or b.scope = 'day' and b.reached_at < date_trunc('day', now(), 'UTC')
        )
        returning b.scope, b.subject, b.amount, b.spent, b.reserved
    )
    select tell('budget.reached', jsonb_build_object(
        'scope', r.scope, 'subject', r.subject, 'batch', t.name, 'amount', r.amount, 'spent', r.spent,
        'reserved', r.reserved
    ), t.id, null)
    from reached r left join batches t on r.scope = 'batch' and cast(t.id as text) = r.subject
""")


def note_reached(conn: Connection, empty: Iterable[Scope]) -> None:
    """Tell of budgets, locked by the caller, for which a job has to wait."""
    found = sorted(empty)
    conn.execute(REACHED, {"scopes": [each[0] for each in found], "subjects": [each[1] for each in found]})


# Locked by a statement of its own: a sum made while waiting for the locks would be an old one.
LOCK_ALL = text("select from budgets order by scope = 'batch', scope, subject for update")
RECOUNT = text("""
    update budgets b set reserved = held.reserved
    from budgets counted, lateral (
        select coalesce(sum(j.reserved), 0) as reserved from jobs j
        where j.state in ('dispatched', 'running') and case counted.scope
            when 'batch' then cast(j.batch_id as text) = counted.subject when 'model' then j.model = counted.subject
            else true end
    ) held
    where counted.scope = b.scope and counted.subject = b.subject and b.reserved <> held.reserved
    returning b.scope, b.subject, counted.reserved as counted, held.reserved as held
""")


def recount(conn: Connection) -> list[tuple[Scope, Decimal, Decimal]]:
    """Set what is reserved to what jobs hold; (budget, counted, held) where it had drifted."""
    if not conn.execute(LOCK_ALL).rowcount:
        return []
    return [((row.scope, row.subject), row.counted, row.held) for row in conn.execute(RECOUNT)]
