"""The stand-in's state: tasks, slots and the ledger of what was submitted and charged.

Kept in SQLite where a file is given, so that a kill and a restart go on where it was.
"""

import json
import random
import secrets
import sqlite3
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

#: Published concurrency, per model and account; others are given 5.
LIMITS = {"cogvideox-3": 1}
ASSUMED_LIMIT = 5
#: US dollars a call.
PRICES = {
    "glm-image": 0.015, "cogview-4-250304": 0.01, "cogvideox-3": 0.2, "viduq1-text": 0.4, "viduq1-image": 0.4,
    "viduq1-start-end": 0.4, "vidu2-image": 0.2, "vidu2-start-end": 0.2, "vidu2-reference": 0.4,
    "glm-asr-2512": 0.0024,
}  # fmt: skip
#: Seconds: the median and the spread (sigma of a lognormal) as believed.
TIMES = {
    "image": (7.0, 0.25),
    "image_hd": (20.0, 0.25),
    "submit": (0.6, 0.4),
    "video": (70.0, 0.4),
    "transcription": (1.2, 0.4),
}


@dataclass
class Entry:
    """One POST to an endpoint that costs money."""

    n: int
    at: float
    endpoint: str
    path: str
    model: str
    subject: str
    request_id: str | None
    body_sha256: str
    accepted: bool = False
    charged: bool = False
    cost: float = 0.0
    status: int = 0
    code: str | None = None
    task_id: str | None = None


@dataclass
class Task:
    """Work of the provider's. Times are of the sandbox's own clock, in its scaled seconds."""

    id: str
    kind: str
    model: str
    prompt: str
    size: str
    done_at: float
    request_id: str | None = None
    polls: int = 0
    failed: str | None = None
    #: Further files and quirks, by name.
    quirks: dict[str, Any] = field(default_factory=dict)


class World:
    """All that the sandbox knows. Safe from several threads."""

    def __init__(self, *, speed: float, latency: float | None, seed: int, slot_scope: str, state: Path | None) -> None:
        self.speed = speed
        self.latency = latency
        self.slot_scope = slot_scope
        self.limits: dict[str, int] = dict(LIMITS)
        self.random = random.Random(seed)
        self.ledger: list[Entry] = []
        self.tasks: dict[str, Task] = {}
        self.in_flight: dict[str, int] = {}
        #: When the tasks end that hold a slot.
        self.held: dict[str, list[float]] = {}
        self.max_in_flight: dict[str, int] = {}
        self._lock = threading.Lock()
        self._db = sqlite3.connect(state, check_same_thread=False) if state else None
        if self._db:
            self._db.execute("pragma journal_mode = wal")
            self._db.execute("pragma synchronous = off")
            self._db.execute("create table if not exists kept (what text, id text, body text, primary key (what, id))")
            self._load()

    def now(self) -> float:
        return time.time()

    def seconds(self, what: str) -> float:
        """Real seconds that something takes now."""
        if self.latency is not None and what != "video":
            return self.latency
        median, spread = TIMES[what]
        return median * self.random.lognormvariate(0.0, spread) / self.speed

    def new_id(self) -> str:
        """Such as 202601151228236805d575507d4570: a time and 16 hex digits."""
        return time.strftime("%Y%m%d%H%M%S", time.gmtime(self.now() + 8 * 3600)) + secrets.token_hex(8)

    def limit(self, model: str) -> int:
        return self.limits.get(model, ASSUMED_LIMIT)

    def busy(self, model: str) -> int:
        """Slots in use: calls under way, and tasks that are not done where those hold their slot."""
        calls = self.in_flight.get(model, 0)
        if self.slot_scope == "http":
            return calls
        now = self.now()
        self.held[model] = [done_at for done_at in self.held.get(model, ()) if done_at > now]
        return calls + len(self.held[model])

    def enter(self, model: str) -> bool:
        """Take a slot for a call; False if the limit is reached."""
        with self._lock:
            busy = self.busy(model)
            if busy >= self.limit(model):
                return False
            self.in_flight[model] = self.in_flight.get(model, 0) + 1
            self.max_in_flight[model] = max(self.max_in_flight.get(model, 0), busy + 1)
            return True

    def leave(self, model: str) -> None:
        with self._lock:
            self.in_flight[model] -= 1

    def record(self, **known: Any) -> Entry:
        with self._lock:
            entry = Entry(n=len(self.ledger) + 1, at=self.now(), **known)
            self.ledger.append(entry)
            return entry

    def charge(self, entry: Entry, task_id: str | None = None) -> None:
        """The submission is accepted, and on the bill."""
        entry.accepted = entry.charged = True
        entry.cost = PRICES.get(entry.model, 0.01)
        entry.task_id = task_id
        self.keep("entry", str(entry.n), asdict(entry))

    def add(self, task: Task, *, holds_slot: bool) -> None:
        self.tasks[task.id] = task
        if holds_slot:
            self.held.setdefault(task.model, []).append(task.done_at)
        self.keep("task", task.id, asdict(task))

    def keep(self, what: str, key: str, body: dict[str, Any]) -> None:
        if self._db:
            with self._lock:
                self._db.execute("insert or replace into kept values (?, ?, ?)", (what, key, json.dumps(body)))
                self._db.commit()

    def reset(self) -> None:
        with self._lock:
            self.ledger.clear()
            self.tasks.clear()
            self.held.clear()
            self.max_in_flight.clear()
            self.limits = dict(LIMITS)
            if self._db:
                self._db.execute("delete from kept")
                self._db.commit()

    def _load(self) -> None:
        assert self._db
        for what, body in self._db.execute("select what, body from kept order by rowid").fetchall():
            known = json.loads(body)
            if what == "task":
                task = Task(**known)
                self.add(task, holds_slot=task.kind == "video")
            else:
                self.ledger.append(Entry(**known))
