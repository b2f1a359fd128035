"""What Prometheus reads is what happened: every sum beside the record that it is a sum of."""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from sandbox.tones import speak, wav
from tests.support.core import Core
from worker.metrics import exposition
from worker.upkeep import ends, tallies

Samples = Mapping[str, Mapping[frozenset[tuple[str, str]], float]]


def read(core: Core) -> Samples:
    """Sample's name → labels → value."""
    found: dict[str, dict[frozenset[tuple[str, str]], float]] = defaultdict(dict)
    for family in text_string_to_metric_families(exposition(core.engine).decode()):
        for sample in family.samples:
            found[sample.name][frozenset(sample.labels.items())] = sample.value
    return found


def summed(samples: Samples, name: str, *labels: str) -> dict[tuple[str, ...], float]:
    """By these labels, the others added up."""
    found: Counter[tuple[str, ...]] = Counter()
    for key, value in samples[name].items():
        found[tuple(dict(key)[label] for label in labels)] += value  # type: ignore[assignment]
    return {key: value for key, value in found.items() if value}


def rows(core: Core, sql: str) -> dict[tuple[str, ...], float]:
    """The last column by those before it."""
    return {tuple(map(str, row[:-1])): float(row[-1]) for row in core.rows(sql)}


def test_every_sum_is_that_of_the_record(core: Core) -> None:
    core.stand_in.play(
        {"fault": "rate_limit", "times": 2, "match": {"endpoint": "image"}},
    )
    core.enqueue("image", *({"prompt": f"picture {n}"} for n in range(6)), batch="i")
    core.enqueue("image", {"prompt": "no [[fault:content]]"}, {"prompt": "lost [[fault:reset_after]]"}, batch="bad")
    core.enqueue("video", {"prompt": "clip", "model": "viduq1-text"}, batch="v")
    (core.folder / "a.wav").write_bytes(wav(speak(["amber", "basil"])))
    core.enqueue("transcription", {"file": "a.wav"}, batch="t")
    core.work()
    tallies.tally(core.engine)
    ends.tell(core.engine)
    found = read(core)

    jobs = "select kind, model, state, count(*) from jobs where parent_id is null {} group by 1, 2, 3"
    assert summed(found, "mediajobs_jobs", "kind", "model", "state") == rows(core, jobs.format(""))
    ended = rows(core, jobs.format("and finished_at is not null"))
    assert summed(found, "mediajobs_jobs_ended_total", "kind", "model", "state") == ended
    assert len(ended) >= 4
    requests = rows(core, """
        select j.kind, j.model, outcome, coalesce(cast(http_status as text), ''), coalesce(a.error_code, ''), count(*)
        from attempts a join jobs j on j.id = a.job_id group by 1, 2, 3, 4, 5
    """)  # fmt: skip
    labels = ("kind", "model", "outcome", "status", "code")
    assert summed(found, "mediajobs_requests_total", *labels) == requests
    assert {key[2] for key in requests} == {"answered", "rejected", "unknown"}
    assert any(key[3] == "429" for key in requests)
    size = "select j.kind, j.model, role, {} from outputs o join jobs j on j.id = o.job_id group by 1, 2, 3"
    assert summed(found, "mediajobs_outputs_total", "kind", "model", "role") == rows(core, size.format("count(*)"))
    assert summed(found, "mediajobs_output_bytes_total", "kind", "model", "role") == rows(
        core, size.format("sum(bytes)")
    )
    cost = rows(core, "select kind, model, sum(cost) from jobs group by 1, 2 having sum(cost) > 0")
    assert summed(found, "mediajobs_cost_dollars", "kind", "model") == pytest.approx(cost)


def test_phases_are_as_long_as_the_record_says(core: Core) -> None:
    core.enqueue("video", *({"prompt": f"clip {n}", "model": "viduq1-text"} for n in range(3)))
    core.work()
    ends.tell(core.engine)
    found = read(core)
    spans = rows(core, """
        select phase, sum(extract(epoch from span)) from jobs cross join lateral (values
            ('dispatched', started_at - dispatched_at), ('waiting', answered_at - submitted_at),
            ('storing', finished_at - answered_at), ('total', finished_at - created_at)
        ) p (phase, span) group by 1
    """)  # fmt: skip
    sums = summed(found, "mediajobs_phase_seconds_sum", "phase")
    assert {key: sums[key] for key in spans} == pytest.approx(spans)
    counts = summed(found, "mediajobs_phase_seconds_count", "phase")
    assert counts == {(phase,): 3 for phase in ("queued", "dispatched", "running", "waiting", "storing", "total")}


def test_buckets_hold_what_is_not_above_them(core: Core) -> None:
    core.enqueue("image", *({"prompt": str(n)} for n in range(4)))
    with core.engine.begin() as conn:
        conn.execute(
            text("""
            update jobs set state = 'succeeded', created_at = now() - span, finished_at = now()
            from (values (1, interval '20 ms'), (2, interval '3 s'), (3, interval '4 minutes'), (4, interval '3 days'))
                as s (number, span) where row = number
        """)
        )
    ends.tell(core.engine)
    buckets = {
        float(dict(key)["le"]): value
        for key, value in read(core)["mediajobs_phase_seconds_bucket"].items()
        if dict(key)["phase"] == "total"
    }
    assert [buckets[le] for le in (0.05, 2.5, 5, 120, 300, 86400, math.inf)] == [1, 1, 2, 2, 3, 3, 4]
    assert list(buckets.values()) == sorted(buckets.values())


def test_what_is_under_way_is_seen(core: Core) -> None:
    core.enqueue("image", {"prompt": "a"}, {"prompt": "b"}, batch="one")
    core.enqueue("image", {"prompt": "c"}, batch="two")
    with core.engine.begin() as conn:
        conn.execute(text("update jobs set run_at = now() - interval '90 s' where id = 3"))
        conn.execute(text("update jobs set run_at = now() + interval '1 hour' where id = 1"))
        conn.execute(
            text("""
            update jobs set state = 'storing', next_fetch_at = now() - interval '50 s',
                result_expires_at = now() + interval '100 s' where id = 2
        """)
        )
        conn.execute(text("insert into workers values ('h:1', 'run1@h', '{run}', 64, '1', 3)"))
        conn.execute(
            text("insert into workers values ('h:2', 'run2@h', '{run}', 64, '1', 3, now(), now() - interval '1 h')")
        )
        conn.execute(text("update limits set pause_reason = 'too fast', pause_code = '1302'"))
    found = read(core)
    assert summed(found, "mediajobs_jobs", "state") == {("queued",): 2, ("storing",): 1}
    [oldest] = found["mediajobs_oldest_queued_seconds"].values()
    assert 90 <= oldest < 150
    overdue = summed(found, "mediajobs_overdue_seconds", "stage")
    assert set(overdue) == {("store",)}
    assert 50 <= overdue["store",] < 110
    assert 40 < found["mediajobs_first_expiry_seconds"][frozenset()] <= 100
    assert summed(found, "mediajobs_workers", "queue") == {("run",): 1}
    assert summed(found, "mediajobs_worker_in_hand", "queue") == {("run",): 3}
    assert ("cut",) not in summed(found, "mediajobs_workers", "queue")
    assert list(summed(found, "mediajobs_paused", "code")) == [("1302",)]
