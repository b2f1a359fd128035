"""What Prometheus reads: made of the record, so that it is true whichever process asks, and after any restart.

Sums of history are kept by triggers and upkeep (`tallies`, `meters`); what is under way is read off partial indexes.
So asking costs the same with ten jobs and with ten million.
"""

from collections.abc import Iterator, Sequence
from importlib.metadata import version
from itertools import groupby
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection, Engine, text

from models import counting, meters
from models.limit import ACCOUNT
from models.slots import HALF_OPEN, PAUSED
from models.state import FINAL, JobState
from worker.pulse import GONE_S

CONTENT_TYPE = CONTENT_TYPE_LATEST
#: Each has its own process, or shares one.
QUEUES = ("run", "store", "cut", "poll", "schedule", "upkeep")

ENDED = text("""
    select kind, model, state, cast(sum(came) as bigint) as jobs from tallies
    where state in ('succeeded', 'failed', 'cancelled') and not piece group by 1, 2, 3
""")
LIMITS = text(f"""
    select l.model, l.in_use, l.learned, l.concurrency, {PAUSED} or {HALF_OPEN} as paused,
        coalesce(l.pause_code, '') as code
    from limits l order by l.model
""")
# The oldest that may run, of each model: from lane to lane along the index, as dispatch goes.
OLDEST = text("""
    select l.model, cast(max(extract(epoch from now() - q.run_at)) as float8) as age_s
    from limits l cross join lateral (
        with recursive lanes as (
            (select -priority as rank, coalesce(batch_id, 0) as batch from jobs
            where state = 'queued' and blocked_by = 0 and model = l.model order by 1, 2 limit 1)
            union all
            select n.rank, n.batch from lanes o cross join lateral (
                select -priority as rank, coalesce(batch_id, 0) as batch from jobs
                where state = 'queued' and blocked_by = 0 and model = l.model
                    and ((-priority), coalesce(batch_id, 0)) > (o.rank, o.batch)
                order by (-priority), coalesce(batch_id, 0) limit 1
            ) n
        )
        select f.run_at from lanes o cross join lateral (
            select run_at from jobs
            where state = 'queued' and blocked_by = 0 and model = l.model
                and (-priority) = o.rank and coalesce(batch_id, 0) = o.batch
            order by run_at, id limit 1
        ) f
    ) q
    where q.run_at <= now() group by 1
""")
OVERDUE = text("""
    select stage, cast(coalesce(greatest(extract(epoch from now() - since), 0), 0) as float8) as age_s from (values
        ('dispatch', (select min(dispatched_at) from jobs where state = 'dispatched' and lease_until is not null)),
        ('poll', (select min(next_poll_at) from jobs where state = 'waiting')),
        ('store', (select min(next_fetch_at) from jobs where state = 'storing')),
        ('tell', (select min(at) from outbox)),
        ('deliver', (select min(next_at) from deliveries where state = 'pending')),
        ('schedule', (select min(next_at) from schedules where paused_at is null))
    ) v (stage, since)
""")
EXPIRY = text("""
    select cast(extract(epoch from min(result_expires_at) - now()) as float8) from jobs
    where state = 'storing' and isfinite(result_expires_at)
""")
BUDGETS = text("""
    select scope, subject, amount, reserved, case
        when scope = 'day' and day <> cast(now() at time zone 'UTC' as date) then 0 else spent end as spent
    from budgets where scope <> 'batch' order by 1, 2
""")
WORKERS = text("""
    select queue, count(*) filter (where alive) as processes, coalesce(sum(threads) filter (where alive), 0) as threads,
        coalesce(sum(in_hand) filter (where alive), 0) as in_hand
    from (select *, seen_at > now() - :gone_s * interval '1 second' as alive from workers) w, unnest(queues) as queue
    group by 1
""")
TICK = text("select cast(extract(epoch from now() - max(ticked_at)) as float8) from workers")
PENDING = text("select count(*) from deliveries where state = 'pending'")
RUNS = text("""
    select s.name, count(*) filter (where r.state = 'failed') as failed from schedules s
    left join schedule_runs r on r.schedule_id = s.id and r.created_at > now() - interval '1 day' group by 1 order by 1
""")


def families(conn: Connection) -> Iterator[Metric]:
    """Every metric, read now."""
    yield info()
    yield from jobs(conn)
    yield from measured(meters.read(conn))
    yield from limits(conn)
    yield from waits(conn)
    yield from budgets(conn)
    yield from workers(conn)
    pending = GaugeMetricFamily("mediajobs_deliveries_pending", "Messages to webhooks that are still to be taken.")
    pending.add_metric([], conn.execute(PENDING).scalar_one())
    yield pending
    failed = GaugeMetricFamily(
        "mediajobs_schedule_failures", "Runs of a schedule that failed in the last day.", labels=["schedule"]
    )
    for row in conn.execute(RUNS):
        failed.add_metric([row.name], row.failed)
    yield failed


def info() -> Metric:
    found = GaugeMetricFamily("mediajobs_info", "Always 1; its label is the version.", labels=["version"])
    found.add_metric([version("mediajobs")], 1)
    return found


def jobs(conn: Connection) -> Iterator[Metric]:
    labels = ["kind", "model", "state"]
    there = GaugeMetricFamily("mediajobs_jobs", "Jobs in each state.", labels=labels)
    pieces = GaugeMetricFamily("mediajobs_pieces", "Pieces of recordings that have not ended.", labels=labels)
    cost = GaugeMetricFamily(
        "mediajobs_cost_dollars",
        "US dollars that all requests cost so far. No counter: what turns out free is taken back.",
        labels=["kind", "model"],
    )
    money: dict[tuple[str, str], float] = {}
    for row in counting.counts(conn):
        key = (row.kind, row.model)
        money[key] = money.get(key, 0.0) + float(row.cost)
        if row.state is not None and not row.piece:
            there.add_metric([*key, row.state], row.jobs)
        elif row.state is not None and JobState(row.state) not in FINAL:
            pieces.add_metric([*key, row.state], row.jobs)
    for key, dollars in sorted(money.items()):
        cost.add_metric(list(key), dollars)
    ended = CounterMetricFamily("mediajobs_jobs_ended", "Ends of jobs, those after a retry as well.", labels=labels)
    for row in conn.execute(ENDED):
        ended.add_metric([row.kind, row.model, row.state], row.jobs)
    yield from (there, pieces, cost, ended)


def measured(rows: Sequence[Any]) -> Iterator[Metric]:
    requests = CounterMetricFamily(
        "mediajobs_requests",
        "Paid calls by what they came to: answered, rejected, unknown (its answer was lost), unsent, interrupted.",
        labels=["kind", "model", "outcome", "status", "code"],
    )
    outputs = CounterMetricFamily("mediajobs_outputs", "Files stored.", labels=["kind", "model", "role"])
    size = CounterMetricFamily("mediajobs_output_bytes", "Bytes stored.", labels=["kind", "model", "role"])
    sent = CounterMetricFamily("mediajobs_deliveries", "Tries of messages to webhooks.", labels=["result"])
    phases = HistogramMetricFamily(
        "mediajobs_phase_seconds",
        "Time in each phase: queued, dispatched, running (each call), waiting (at the provider), storing, and total.",
        labels=["kind", "model", "phase"],
    )
    for row in rows:
        match row.meter:
            case "requests":
                status = str(row.status) if row.status else ""
                requests.add_metric([row.kind, row.model, row.label, status, row.code], row.count)
            case "outputs":
                outputs.add_metric([row.kind, row.model, row.label], row.count)
                size.add_metric([row.kind, row.model, row.label], float(row.total))
            case "deliveries":
                sent.add_metric([row.label], row.count)
    timed = [row for row in rows if row.meter == "phases"]
    for key, group in groupby(timed, key=lambda row: [row.kind, row.model, row.label]):
        found = {row.le: row for row in group}
        total = 0
        buckets = []
        for le in (*meters.BUCKETS, float("inf")):
            total += found[le].count if le in found else 0
            buckets.append(("+Inf" if le == float("inf") else str(le), total))
        phases.add_metric(key, buckets, sum_value=float(sum(row.total for row in found.values())))
    yield from (requests, outputs, size, sent, phases)


def limits(conn: Connection) -> Iterator[Metric]:
    used = GaugeMetricFamily("mediajobs_slots_in_use", "Slots that jobs have.", labels=["model"])
    learned = GaugeMetricFamily("mediajobs_slots_learned", "Slots that may be used now, as learned.", labels=["model"])
    most = GaugeMetricFamily("mediajobs_slots_limit", "Slots at most, as set.", labels=["model"])
    paused = GaugeMetricFamily(
        "mediajobs_paused", "1 while no calls are made; the account is model *.", labels=["model", "code"]
    )
    for row in conn.execute(LIMITS):
        paused.add_metric([row.model, row.code if row.paused else ""], int(row.paused))
        if row.model != ACCOUNT:
            used.add_metric([row.model], row.in_use)
            learned.add_metric([row.model], row.learned)
            most.add_metric([row.model], row.concurrency)
    yield from (used, learned, most, paused)


def waits(conn: Connection) -> Iterator[Metric]:
    oldest = GaugeMetricFamily(
        "mediajobs_oldest_queued_seconds", "How long the oldest job waits that may run.", labels=["model"]
    )
    for row in conn.execute(OLDEST):
        oldest.add_metric([row.model], row.age_s)
    overdue = GaugeMetricFamily(
        "mediajobs_overdue_seconds", "How late what is most overdue is, by who is to do it.", labels=["stage"]
    )
    for row in conn.execute(OVERDUE):
        overdue.add_metric([row.stage], row.age_s)
    yield from (oldest, overdue)
    if (expires_s := conn.execute(EXPIRY).scalar_one()) is not None:
        expiry = GaugeMetricFamily(
            "mediajobs_first_expiry_seconds", "Seconds until the first URL of a result dies that is not stored yet."
        )
        expiry.add_metric([], expires_s)
        yield expiry


def budgets(conn: Connection) -> Iterator[Metric]:
    found = GaugeMetricFamily(
        "mediajobs_budget_dollars",
        "Budgets of the day and of models: amount, spent, reserved.",
        labels=["scope", "subject", "part"],
    )
    for row in conn.execute(BUDGETS):
        for part in ("amount", "spent", "reserved"):
            found.add_metric([row.scope, row.subject, part], float(getattr(row, part)))
    yield found


def workers(conn: Connection) -> Iterator[Metric]:
    known = {row.queue: row for row in conn.execute(WORKERS, {"gone_s": GONE_S})}
    processes = GaugeMetricFamily("mediajobs_workers", "Processes that live, by queue.", labels=["queue"])
    threads = GaugeMetricFamily("mediajobs_worker_threads", "Their threads.", labels=["queue"])
    in_hand = GaugeMetricFamily("mediajobs_worker_in_hand", "Claims that they have in hand.", labels=["queue"])
    for queue in sorted({*QUEUES, *known}):
        row = known.get(queue)
        processes.add_metric([queue], row.processes if row else 0)
        threads.add_metric([queue], float(row.threads) if row else 0)
        in_hand.add_metric([queue], float(row.in_hand) if row else 0)
    yield from (processes, threads, in_hand)
    if (age_s := conn.execute(TICK).scalar_one()) is not None:
        tick = GaugeMetricFamily("mediajobs_tick_age_seconds", "Since the clock last ticked.")
        tick.add_metric([], age_s)
        yield tick


class Record(Collector):
    """The record as Prometheus's client wants it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def describe(self) -> list[Metric]:
        """Nothing is known before it is read."""
        return []

    def collect(self) -> Iterator[Metric]:
        with self._engine.connect() as conn:
            yield from families(conn)


def exposition(engine: Engine) -> bytes:
    """All metrics as text; CONTENT_TYPE says of which kind."""
    registry = CollectorRegistry()
    registry.register(Record(engine))
    return generate_latest(registry)
