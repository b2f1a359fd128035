"""Everything at once, for a long time: what is accepted ends, once, and the books agree with the provider's.

`pytest -m soak`; MEDIAJOBS_SOAK_S seconds (600), MEDIAJOBS_SOAK_SEED to play one again.
"""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import redis
from sqlalchemy.orm import Session

from models import slots
from models.limit import ACCOUNT
from sandbox.postgres import EmbeddedPostgres
from sandbox.tones import speak, wav
from sandbox.valkey import EmbeddedValkey
from tests.support.fleet import IMAGE, SHORT_LEASE, VIDEO, Fleet
from tests.support.proxy import Proxy
from tests.support.stack import wait_until
from tests.support.zygote import Forked
from worker.actions import Selection, cancel, resolve, retry
from worker.app import RUN, STORE, make_app

SOAK_S = float(os.environ.get("MEDIAJOBS_SOAK_S", "600"))
SEED = int(os.environ.get("MEDIAJOBS_SOAK_SEED") or random.randrange(1_000_000))
#: At least so many jobs in all, in ten minutes and more.
JOBS = int(2000 * min(1.0, SOAK_S / 600))
#: New ones come while fewer than this are under way.
BACKLOG = 80
WORKERS = ("worker-1", "worker-2")
BEATS = ("beat-1", "beat-2")
#: What the provider, the network and the gateways between do, for a few seconds each.
FAULTS = {
    "image": ("reset_before", "reset_after", "bad_gateway", "gateway_timeout_after", "rate_limit",
              "server_error", "truncated", "html", "overload", "unavailable_after"),
    "video": ("reset_before", "reset_after", "hang_before", "hang_after", "bad_gateway_after", "too_frequent",
              "server_error_after"),
    "transcription": ("reset_after", "close_after", "bad_gateway", "server_error", "rate_limit", "truncated"),
    "async_result": ("reset_before", "bad_gateway", "unknown_at_first", "rate_limit", "truncated", "goes_back",
                     "success_without_url", "fail_error"),
    "file": ("gone", "short_file", "reset_file", "not_there_yet", "html_file"),
}  # fmt: skip


@dataclass
class Chaos:
    """What may befall a fleet. What ends by itself later stands in `undo`, with its time."""

    fleet: Fleet
    postgres: EmbeddedPostgres
    valkey: EmbeddedValkey
    proxy: Proxy
    chance: random.Random
    done: Counter[str] = field(default_factory=Counter)
    undo: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    submitted: int = 0
    batches: int = 0

    def disturb(self) -> None:
        disturbance = self.chance.choice(DISTURBANCES)
        self.done[disturbance.__name__.replace("_", " ")] += 1
        disturbance(self)

    def later(self, seconds: float, undo: Callable[[], None]) -> None:
        self.undo.append((time.monotonic() + seconds, undo))

    def undo_due(self, *, all_of_them: bool = False) -> None:
        now = time.monotonic()
        due = [each for each in self.undo if all_of_them or each[0] <= now]
        self.undo = [each for each in self.undo if each not in due]
        for _, undo in due:
            undo()

    def one_of(self, names: tuple[str, ...]) -> Forked:
        return self.fleet.running[self.chance.choice(names)]

    def some_ids(self, most: int, where: str = "true") -> list[int]:
        ids = [row.id for row in self.fleet.rows(f"select id from jobs where {where} order by id")]
        return self.chance.sample(ids, min(len(ids), most))

    def act(self, action: Callable[[Session], Any]) -> None:
        with Session(self.fleet.engine) as session:
            action(session)
            session.commit()

    def submit(self) -> None:
        if self.fleet.left() >= BACKLOG:
            return
        self.batches += 1
        batch = f"s{self.batches}"
        images = [{"prompt": f"picture {n}", "priority": self.chance.randrange(3)} for n in range(16)]
        images += [{"prompt": f"large picture {n}", "model": "glm-image"} for n in range(2)]
        self.fleet.enqueue("image", *images, batch=f"{batch}-images")
        videos = [{"prompt": f"clip {n}", "model": VIDEO} for n in range(2)]
        self.fleet.enqueue("video", *videos, batch=f"{batch}-videos")
        sounds = [{"file": "a.wav"} for _ in range(4)]
        self.fleet.enqueue("transcription", *sounds, batch=f"{batch}-sounds")
        self.submitted += len(images) + len(videos) + len(sounds)


def kill_worker(chaos: Chaos) -> None:
    chaos.one_of(WORKERS).kill()


def kill_beat(chaos: Chaos) -> None:
    chaos.one_of(BEATS).kill()


def stop_worker_for_longer_than_its_lease(chaos: Chaos) -> None:
    process = chaos.one_of(WORKERS)
    process.send_signal(signal.SIGSTOP)
    chaos.later(chaos.chance.uniform(4, 8), lambda: process.send_signal(signal.SIGCONT))


def drain_worker(chaos: Chaos) -> None:
    chaos.one_of(WORKERS).send_signal(signal.SIGTERM)


def stop_postgres(chaos: Chaos) -> None:
    assert chaos.postgres.pid is not None
    os.kill(chaos.postgres.pid, signal.SIGQUIT)
    wait_until(lambda: not chaos.postgres.alive(), what="the end of Postgres")
    time.sleep(chaos.chance.uniform(0, 3))  # away for a while
    chaos.postgres.start()


def flush_broker(chaos: Chaos) -> None:
    with redis.Redis.from_url(chaos.valkey.url) as broker:
        broker.flushall()


def kill_broker(chaos: Chaos) -> None:
    assert chaos.valkey.pid is not None
    os.kill(chaos.valkey.pid, signal.SIGKILL)
    wait_until(lambda: not chaos.valkey.alive(), what="the broker's end")
    time.sleep(chaos.chance.uniform(0, 3))  # away for a while
    chaos.valkey.start()


def leave_broker_half_open(chaos: Chaos) -> None:
    chaos.proxy.freeze()
    chaos.later(chaos.chance.uniform(3, 12), chaos.proxy.thaw)


def say_messages_again(chaos: Chaos) -> None:
    ids = chaos.some_ids(20)
    with make_app(chaos.valkey.url) as app:
        for _ in range(100):
            some = {"job_ids": chaos.chance.sample(ids, min(len(ids), 4)), "kind": "image", "model": IMAGE}
            app.send_task(chaos.chance.choice([RUN, STORE]), kwargs=some, retry=False)


def pause_for_a_while(chaos: Chaos) -> None:
    model = chaos.chance.choice([ACCOUNT, IMAGE, VIDEO])
    chaos.act(lambda session: slots.pause(session.connection(), model, reason="by an operator", for_s=None))
    chaos.later(3, lambda: chaos.act(lambda session: slots.resume(session.connection(), model)))


def retry_failed(chaos: Chaos) -> None:
    chaos.act(lambda session: retry(session, Selection(state="failed")))


def resolve_held(chaos: Chaos) -> None:
    held = chaos.some_ids(10, "state = 'held'")
    how = chaos.chance.choice(["retry", "wait", "fail"])
    chaos.act(lambda session: resolve(session, held, how))  # type: ignore[arg-type]


def cancel_some(chaos: Chaos) -> None:
    ids = chaos.some_ids(2, "state not in ('succeeded', 'failed', 'cancelled')")
    keep = chaos.chance.random() < 0.5
    chaos.act(lambda session: cancel(session, Selection(ids=ids), keep_result=keep))


def let_provider_misbehave(chaos: Chaos) -> None:
    endpoint = chaos.chance.choice(list(FAULTS))
    match = {"endpoint": endpoint, "rate": 0.5}
    for_s = chaos.chance.uniform(2, 6)
    chaos.fleet.stand_in.play({"fault": chaos.chance.choice(FAULTS[endpoint]), "match": match, "for_s": for_s})


#: Postgres comes by a clock of its own; what stands more often comes more often.
DISTURBANCES: list[Callable[[Chaos], None]] = [
    kill_worker, kill_worker, kill_beat, stop_worker_for_longer_than_its_lease, drain_worker, flush_broker, kill_broker,
    leave_broker_half_open, say_messages_again, pause_for_a_while, retry_failed, resolve_held, cancel_some,
    *[let_provider_misbehave] * 8,
]  # fmt: skip


@pytest.mark.soak
@pytest.mark.timeout(SOAK_S + 900)
def test_nothing_is_lost_and_nothing_bought_twice_in_silence(
    fleet: Fleet, postgres: EmbeddedPostgres, valkey: EmbeddedValkey, proxy: Proxy, capsys: pytest.CaptureFixture[str]
) -> None:
    with capsys.disabled():
        print(f"\nsoak: seed {SEED}, {SOAK_S:.0f} s", flush=True)  # noqa: T201
    chaos = Chaos(fleet, postgres, valkey, proxy, random.Random(SEED))
    began = time.monotonic()
    fleet.environment = {**SHORT_LEASE, "MEDIAJOBS_SILENCE_S": "6", "MEDIAJOBS_GRACE_S": "3"}
    (fleet.folder / "a.wav").write_bytes(wav(speak(["amber", "basil"])))
    fleet.launch(*WORKERS, *BEATS)
    postgres_due = began + 20
    while time.monotonic() < began + SOAK_S or chaos.submitted < JOBS:
        chaos.submit()
        if time.monotonic() > postgres_due:
            stop_postgres(chaos)
            chaos.done["stop postgres"] += 1
            postgres_due = time.monotonic() + chaos.chance.uniform(5, 40)
        chaos.disturb()
        calm_until = time.monotonic() + chaos.chance.uniform(0.5, 3)
        while time.monotonic() < calm_until:
            fleet.tend()
            chaos.undo_due()
            time.sleep(0.1)
    lasted = time.monotonic() - began
    chaos.undo_due(all_of_them=True)
    fleet.stand_in.clear_faults()
    calm(fleet)
    with capsys.disabled():
        print(summary(chaos, lasted, time.monotonic() - began), flush=True)  # noqa: T201
    assert fleet.audit() == []
    assert set(fleet.states().values()) <= {"succeeded", "cancelled"}
    assert len(fleet.states()) == chaos.submitted
    assert fleet.rows("select job_id from events where target = 'succeeded' group by 1 having count(*) > 1") == []


def calm(fleet: Fleet) -> None:
    """Let all jobs end; what is held or failed is decided as by an operator: once more."""

    def all_ended() -> bool:
        fleet.tend()
        if not fleet.left():
            if set(fleet.counts()) <= {"succeeded", "cancelled"}:
                return True
            fleet.resolve_held()
            fleet.retry_failed()
        return False

    fleet.until(all_ended, "the end of all jobs", timeout_s=300)


def summary(chaos: Chaos, lasted: float, total: float) -> str:
    fleet = chaos.fleet
    ledger = fleet.stand_in.ledger()
    charged = sum(bool(entry["charged"]) for entry in ledger)
    outcomes = {row.outcome: row.n for row in fleet.rows("select outcome, count(*) as n from attempts group by 1")}
    [money] = fleet.rows("""
        select sum(cost) as cost, count(*) filter (where possibly_charged) as flagged,
            sum(crashes) as crashes, max(requests) as most from jobs
    """)
    paid_twice = fleet.rows("""
        select count(*) as n from (
            select job_id from attempts where outcome = 'answered' group by 1 having count(*) > 1) twice
    """)[0].n
    refused = Counter(entry["code"] or str(entry["status"]) for entry in ledger if entry["status"] != 200)
    lines = {
        "seed": SEED,
        "chaos, in all": f"{lasted:.0f} s, {total:.0f} s",
        "jobs": f"{chaos.submitted} in {chaos.batches * 3} batches: {fleet.counts()}",
        "calls": f"{len(ledger)} to paid endpoints, {charged} charged; by code, if not 200: {dict(refused)}",
        "requests": f"{outcomes}; at most {money.most} for one job",
        "money": f"${money.cost} sure; {money.flagged} jobs flagged as possibly charged; {paid_twice} known to be paid "
        "for twice",
        "disturbances": f"{sum(chaos.done.values())}: {dict(chaos.done.most_common())}",
        "ends": str(dict(Counter((name.partition("-")[0], code) for name, code in fleet.ended))),
        "audit": str(fleet.audit() or "nothing found"),
    }
    return "\n".join(f"{name:>14}: {value}" for name, value in lines.items())
