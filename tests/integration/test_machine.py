"""Any order of whatever may happen to jobs, on a real Postgres, held against an oracle after each step."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)
from hypothesis.stateful import run_state_machine_as_test as run
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from models import leases, money, slots, transitions
from models.interventions import Selection
from models.money import DAY
from models.state import FINAL
from models.transitions import Claim, Fetch, Poll, StoredOutput
from provider.errors import AnswerLost, NotSent, Rejected
from provider.rulings import CODES, Action, Ruling
from provider.wire import Answer
from tests.support.oracle import Job, Jobs
from worker import actions, verdict
from worker.app import make_app
from worker.audit import audit
from worker.finish import Outcome, finish, take_in_late
from worker.hand_out import Taker, hand_out
from worker.kinds import KINDS
from worker.policy import policy_of
from worker.producer import Row, insert_rows
from worker.upkeep import ends
from worker.upkeep.rescue import halted_jobs
from worker.verdict import PollRules

MODELS = {"image": "cogview-4-250304", "video": "cogvideox-3"}
#: Little, so that slots are short.
SLOTS = {"image": 3, "video": 2}
PRICES = {"image": Decimal("0.01"), "video": Decimal("0.2")}
#: Each run of the suite looks at other orders of events; a soak, at as many as twenty runs do.
EXAMPLES, SOAKED, STEPS = 10, 200, 50
POLICY = policy_of({})
RULES = PollRules(first_s=5, max_s=30)
TABLES = "outbox, deliveries, events, outputs, attempts, jobs, batches, budgets, limits, tallies"
# All times come at once: when things happen is the machine's choice.
NOW = text("""
    update jobs set run_at = least(run_at, now()), next_poll_at = least(next_poll_at, now()),
        next_fetch_at = least(next_fetch_at, now())
""")
IMAGE = {"data": [{"url": "http://127.0.0.1/a.png"}]}
VIDEO = {"task_status": "SUCCESS", "video_result": [{"url": "http://127.0.0.1/a.mp4"}]}
OUTPUT = StoredOutput(index=0, role="image", location="a", mime="image/png", bytes=1, sha256="x")


def answer(body: dict[str, Any]) -> Answer:
    return Answer(http_status=200, body=body, raw=b"{}")


def rejected(code: str) -> Rejected:
    return Rejected("no", ruling=CODES[code], http_status=400, code=code)


class Machine(RuleBasedStateMachine):
    """`claims`, `polls`, `fetches`: what processes have in hand, or believe to have."""

    ids = Bundle("ids")
    claims = Bundle("claims")
    polls = Bundle("polls")
    fetches = Bundle("fetches")

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self.engine = engine
        self.jobs = Jobs()
        self.paused: set[str] = set()

    @initialize()
    def begin(self) -> None:
        with self.engine.begin() as conn:
            conn.execute(text(f"truncate {TABLES} restart identity cascade"))
            for kind, model in MODELS.items():
                scope = "task" if kind == "video" else "answer"
                slots.add_limit(conn, model, concurrency=SLOTS[kind], slot_scope=scope)
            money.set_budget(conn, DAY, Decimal(1000))

    # -- what the system does --------------------------------------------------------------------------

    @rule(target=ids, kind=st.sampled_from(sorted(MODELS)), count=st.integers(1, 4), data=st.data())
    def enqueue(self, kind: str, count: int, data: st.DataObject) -> Any:
        start = len(self.jobs)
        earlier = data.draw(st.lists(st.sampled_from(sorted(self.jobs)), max_size=2, unique=True)) if start else []
        after = tuple(f"k{each - 1}" for each in sorted(earlier))
        args = {"model": MODELS[kind], "prompt": "x"}
        rows = [
            Row(args=args, estimate=PRICES[kind], row=start + n, key=f"k{start + n}", after=after) for n in range(count)
        ]
        made: list[int] = []
        with Session(self.engine) as session:
            insert_rows(session, "b", kind, rows, webhook="https://hooks.example/", job_ids=made)
            session.commit()
        for job_id in made:
            self.jobs[job_id] = Job(
                kind,
                PRICES[kind],
                buys_again=KINDS[kind].on_unknown == "retry",
                keeps_slot=kind == "video",
                after=tuple(sorted(earlier)),
            )
        self.jobs.give_up()
        return multiple(*made)

    @rule()
    def dispatch(self) -> None:
        with self.engine.begin() as conn:
            conn.execute(NOW)
            for model in MODELS.values():
                hand_out(conn, model, slots.lock_free(conn, model), lease_s=30)
        self.see_dispatched()
        for kind, model in MODELS.items():
            idle = SLOTS[kind] - sum(job.slot for job in self.jobs.values() if job.kind == kind)
            queued = [job for job in self.jobs.values() if job.kind == kind and job.state == "queued"]
            left = [job for job in queued if not self.jobs.waits(job)]
            assert not idle or not left or model in self.paused

    def see_dispatched(self, started: Sequence[Claim] = ()) -> None:
        """Which of the queued got a slot is fairness' choice; that there was one is looked at after the step."""
        self.jobs.give_up()
        dispatched = [row.id for row in self.rows("select id from jobs where state = 'dispatched'")]
        for job_id in [*dispatched, *(each.job_id for each in started)]:
            job = self.jobs[job_id]
            if job.state == "queued":
                assert MODELS[job.kind] not in self.paused
                assert not self.jobs.waits(job)
                job.state, job.slot = "dispatched", True
        for each in started:
            assert each.number == self.jobs[each.job_id].claimed(each)

    @precondition(lambda self: self.in_state("dispatched"))
    @rule(target=claims, data=st.data())
    def claim(self, data: st.DataObject) -> Any:
        dispatched = sorted(self.in_state("dispatched"))
        ids = data.draw(st.lists(st.sampled_from(dispatched), min_size=1, unique=True))
        with self.engine.begin() as conn:
            taken = transitions.claim(conn, ids, [f"r{n}" for n in ids], worker="w", lease_s=600)
            assert transitions.claim(conn, ids, [f"s{n}" for n in ids], worker="v", lease_s=600) == []
        assert {each.job_id for each in taken} == {
            job_id for job_id in ids if MODELS[self.jobs[job_id].kind] not in self.paused
        }
        for each in taken:
            assert each.number == self.jobs[each.job_id].claimed(each)
        return multiple(*taken)

    @rule(
        target=claims,
        claimed=consumes(claims),
        how=st.sampled_from(["success", "content", "unsent", "lost", "known", "given back", "limited"]),
        most=st.integers(0, 2),
    )
    def call_ends(self, claimed: Claim, how: str, most: int) -> Any:
        job, kind = self.jobs[claimed.job_id], KINDS[claimed.kind]
        live, number = job.holder is claimed, claimed.number

        def no(error: Any) -> Outcome:
            return verdict.refused(claimed, kind, error, POLICY(claimed.kind, claimed.model), chance=0.5)

        match how:
            case "success":
                body = IMAGE if job.kind == "image" else {"id": f"task-{claimed.job_id}-{number}"}
                outcome = verdict.answered(claimed, kind, answer(body), RULES, now=datetime.now(UTC), chance=0.5)
                job.answered(number, remote=job.kind == "video", live=live)
            case "content":
                outcome = no(rejected("1301"))
                job.refused(number, "failed", live=live)
            case "limited":
                outcome = no(rejected("1120"))
                outcome = Outcome(outcome.move)  # the pause is a rule of its own
                job.refused(number, "queued", live=live)
            case "unsent":
                outcome = no(NotSent("refused", ruling=Ruling(Action.RETRY)))
                outcome = Outcome(outcome.move)
                job.refused(number, "queued", live=live)
            case "lost":
                outcome = no(AnswerLost("reset"))
                job.lost_answer(number, live=live)
            case "known":
                outcome = no(rejected("1231"))
                job.lost_answer(number, live=live, known=True)
            case _:
                outcome = verdict.given_back(claimed, "the worker stops")
                job.refused(number, "queued", live=live)
        return multiple(*self.settle(outcome, live=live, most=most))

    def settle(self, outcome: Outcome, *, live: bool, most: int = 0) -> list[Claim]:
        taker = Taker("w", 600, most)
        with self.engine.begin() as conn:
            conn.execute(NOW)
            made = finish(conn, [outcome], lease_s=30, taker=taker).moved
        assert made == ({(outcome.move.job_id, outcome.move.fence)} if live else set())
        assert len(taker.claims) <= most
        if not live:
            self.jobs.adopt()
        self.see_dispatched(taker.claims)
        return taker.claims

    @rule(claimed=claims)
    def lease_ends(self, claimed: Claim) -> None:
        job = self.jobs[claimed.job_id]
        if job.holder is not claimed:
            return
        with self.engine.begin() as conn:
            conn.execute(text("update jobs set lease_until = now() - interval '1 s' where id = :id"),
                         {"id": claimed.job_id})  # fmt: skip
            expired = leases.lock_expired(conn)
            finish(conn, [verdict.crashed(each, POLICY(each.kind, each.model)) for each in expired], lease_s=30)
        assert [each.job_id for each in expired] == [claimed.job_id]
        job.killed(claimed.number)
        self.see_dispatched()

    @rule()
    def rescue(self) -> None:
        with self.engine.begin() as conn:
            if halted := list(halted_jobs(conn)):
                finish(conn, halted, lease_s=30)
        for job in self.jobs.values():
            if job.state == "dispatched" and MODELS[job.kind] in self.paused:
                job.go("queued")
        with self.engine.begin() as conn:
            take_in_late(conn, lease_s=30)
        self.jobs.adopt()
        self.see_dispatched()

    @precondition(lambda self: self.in_state("waiting"))
    @rule(target=polls)
    def claim_polls(self) -> Any:
        with self.engine.begin() as conn:
            conn.execute(NOW)
            taken = transitions.claim_polls(conn, most=10, lease_s=600)
        assert {each.job_id for each in taken} == self.in_state("waiting")
        for each in taken:
            assert each.number == self.jobs[each.job_id].paid
            self.jobs[each.job_id].holder = each
        return multiple(*taken)

    @rule(poll=consumes(polls), how=st.sampled_from(["done", "running", "failed", "error", "stalled"]))
    def poll_ends(self, poll: Poll, how: str) -> None:
        job, kind = self.jobs[poll.job_id], KINDS[poll.kind]
        live = job.holder is poll
        match how:
            case "done":
                body = VIDEO
                if live:
                    job.go("storing")
            case "running":
                body = {"task_status": "PROCESSING"}
                if live:
                    job.go("waiting")
            case "stalled":
                body = {"task_status": "PROCESSING"}
                poll = replace(poll, age_s=10**6)
                if live:
                    job.go("held")
            case "failed":
                body = {"task_status": "FAIL"}
                job.task_failed(poll.number, live=live)
            case _:
                if live:
                    job.go("waiting")
                error = rejected("1302")
                self.settle(verdict.poll_refused(poll, error, RULES, chance=0.5), live=live)
                return
        now = datetime.now(UTC)
        self.settle(verdict.polled(poll, kind, answer(body), RULES, now=now, chance=0.5), live=live)

    @precondition(lambda self: self.in_state("storing"))
    @rule(target=fetches)
    def claim_fetches(self) -> Any:
        with self.engine.begin() as conn:
            conn.execute(NOW)
            taken = transitions.claim_fetches(conn, most=10, worker="w", lease_s=600)
        assert {each.job_id for each in taken} == self.in_state("storing")
        for each in taken:
            assert each.number == self.jobs[each.job_id].paid
            self.jobs[each.job_id].holder = each
        return multiple(*taken)

    @rule(fetch=consumes(fetches), how=st.sampled_from(["stored", "again", "dead", "given back"]))
    def fetch_ends(self, fetch: Fetch, how: str) -> None:
        job = self.jobs[fetch.job_id]
        live = job.holder is fetch
        match how:
            case "stored":
                outcome = verdict.stored(fetch, (OUTPUT,), None)
                ends: Callable[[], None] = lambda: job.go("succeeded")  # noqa: E731
            case "again":
                outcome = verdict.not_stored(fetch, "404", "not yet", gone=True, max_gone=10**6, chance=0.5)
                ends = lambda: job.go("storing")  # noqa: E731
            case "dead":
                outcome = verdict.not_stored(fetch, "404", "dead", gone=True, max_gone=0, chance=0.5)
                ends = job.url_dead
            case _:
                outcome = verdict.fetch_given_back(fetch)
                ends = lambda: job.go("storing")  # noqa: E731
        if live:
            ends()
        self.settle(outcome, live=live)

    # -- what people do --------------------------------------------------------------------------------

    @rule(job_id=ids, keep=st.booleans())
    def cancel(self, job_id: int, keep: bool) -> None:
        with Session(self.engine) as session:
            actions.cancel(session, Selection(ids=[job_id]), keep_result=keep)
            session.commit()
        self.jobs[job_id].cancel(keep=keep)
        self.jobs.give_up()

    @precondition(lambda self: self.in_state("failed") | self.in_state("cancelled"))
    @rule(job_id=ids)
    def retry(self, job_id: int) -> None:
        with Session(self.engine) as session:
            actions.retry(session, Selection(ids=[job_id]))
            session.commit()
        self.jobs.retry(job_id)

    @precondition(lambda self: self.in_state("held"))
    @rule(job_id=ids, how=st.sampled_from(["retry", "wait", "fail"]))
    def resolve(self, job_id: int, how: Any) -> None:
        with Session(self.engine) as session:
            actions.resolve(session, [job_id], how)
            session.commit()
        self.jobs[job_id].resolve({"retry": "queued", "wait": "waiting", "fail": "failed"}[how])
        self.jobs.give_up()

    @rule(model=st.sampled_from(sorted(MODELS.values())), over=st.booleans())
    def pause(self, model: str, over: bool) -> None:
        with self.engine.begin() as conn:
            if over:
                slots.resume(conn, model)
                self.paused.discard(model)
            else:
                slots.pause(conn, model, reason="by hand", for_s=None)
                self.paused.add(model)

    @rule()
    def tell(self) -> None:
        ends.tell(self.engine)
        finished = bool(self.rows("select from batches where finished_at is not null"))
        assert finished == (bool(self.jobs) and all(job.state in FINAL for job in self.jobs.values()))

    # -- what must hold --------------------------------------------------------------------------------

    @invariant()
    def the_record_is_what_the_oracle_says(self) -> None:
        found = {
            row.id: (row.state, row.holds_slot, row.requests, row.cost, row.possibly_charged, row.reserved)
            for row in self.rows("select * from jobs")
        }
        assert found == {
            job_id: (job.state, job.slot, len(job.calls), job.cost, job.flagged, job.reserved)
            for job_id, job in self.jobs.items()
        }

    @invariant()
    def slots_and_money_are_counted(self) -> None:
        used = Counter(job.kind for job in self.jobs.values() if job.slot)
        assert all(used[kind] <= SLOTS[kind] for kind in SLOTS)
        for row in self.rows("select model, in_use from limits"):
            assert [row.in_use] == [used[kind] for kind, model in MODELS.items() if model == row.model]
        for row in self.rows("select spent, reserved from budgets"):
            assert row.spent == sum(job.spent for job in self.jobs.values())
            assert row.reserved == sum(job.reserved for job in self.jobs.values())

    @invariant()
    def the_auditor_finds_nothing(self) -> None:
        with self.engine.connect() as conn:
            assert list(audit(conn)) == []

    def in_state(self, state: str) -> set[int]:
        return {job_id for job_id, job in self.jobs.items() if job.state == state}

    def rows(self, sql: str, **values: object) -> Any:
        with self.engine.connect() as conn:
            return conn.execute(text(sql), values).all()


@pytest.mark.parametrize(
    "examples", [EXAMPLES, pytest.param(SOAKED, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])]
)
def test_whatever_happens_the_record_is_what_the_oracle_says(
    engine: Engine, valkey_url: str, monkeypatch: pytest.MonkeyPatch, examples: int
) -> None:
    monkeypatch.setattr("worker.app.app", make_app(valkey_url))  # what people do kicks dispatch

    class Bound(Machine):
        def __init__(self) -> None:
            super().__init__(engine)

    run(Bound, settings=settings(max_examples=examples, stateful_step_count=STEPS,
                                 suppress_health_check=list(HealthCheck)))  # fmt: skip
