"""The stand-in's state: its clock, tasks, ledger, account and limits."""

import random
import secrets
import time
from collections import Counter
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from sandbox.account import Account
from sandbox.config import Config
from sandbox.ledger import Entry, Ledger
from sandbox.limits import Limits
from sandbox.store import Row, Store

Kept = TypeVar("Kept", "Task", Entry)

#: Seconds: the median and the spread (sigma of a lognormal) as believed.
TIMES = {
    "image": (7.0, 0.25),
    "image_hd": (20.0, 0.25),
    "submit": (0.6, 0.4),
    "video": (70.0, 0.4),
    "transcription": (1.2, 0.4),
    "chat": (4.0, 0.5),
    "code": (6.0, 0.5),
    "agent": (6.0, 0.5),
    "agent_task": (70.0, 0.4),
    "tokenizer": (0.2, 0.3),
    "web_search": (1.5, 0.4),
    "reader": (2.0, 0.4),
    "file_upload": (0.5, 0.3),
}


@dataclass(slots=True)
class Task:
    """Work of the provider's. Times are of the sandbox's own clock."""

    id: str
    kind: str
    model: str
    prompt: str
    size: str
    done_at: float
    request_id: str | None = None
    polls: int = 0
    #: Polls since it was done.
    done_polls: int = 0
    #: What its answers say beside FAIL; once a task has failed it stays so.
    failed: dict[str, Any] | None = None
    holds_slot: bool = False
    #: The id that its client was told, if another.
    alias: str | None = None
    #: Whose work it is, if an agent's.
    agent_id: str | None = None

    def row(self) -> Row:
        return "task", self.id, asdict(self)


class World:
    """All that the sandbox knows."""

    def __init__(
        self,
        config: Config,
        *,
        tokens: list[str] | None = None,
        limits: dict[str, int] | None = None,
        seed: int = 1,
        state: Path | None = None,
    ) -> None:
        self.config = config
        self._first_config = config.known()
        self.random = random.Random(seed)
        self.ahead_s = 0.0
        self.account = Account(tokens or ["at_sandbox"])
        self.limits = Limits(limits or {}, self.now)
        self.ledger = Ledger()
        self.tasks: dict[str, Task] = {}
        #: By code, or by status.
        self.polls: Counter[str] = Counter()
        self.file_fetches: dict[str, int] = {}
        #: The proxy's one folder of uploads.
        self.uploads: dict[str, bytes] = {}
        self.store = Store(state)
        self._load(limits or {})

    def now(self) -> float:
        """Unix seconds; tests may move it ahead."""
        return time.time() + self.ahead_s

    def advance(self, given: dict[str, Any]) -> None:
        """`advance_s`: seconds that pass at once, for tasks, files and limits."""
        self.ahead_s += float(given["advance_s"])

    def seconds(self, what: str, model: str = "") -> float:
        """Real seconds that something takes now; a model's own time is that of its work, not of a submission."""
        config = self.config
        if config.times:
            own = config.times.get(what) if what == "submit" else config.times.get(model, config.times.get(what))
            if own is not None:
                median, spread = own if isinstance(own, list) else (own, 0.0)
                return median * self.random.lognormvariate(0.0, spread)
        if config.latency is not None and what not in {"video", "agent_task"}:
            return config.latency
        median, spread = TIMES[what]
        return median * self.random.lognormvariate(0.0, spread) / config.speed

    def new_id(self) -> str:
        """Such as 202601151228236805d575507d4570: a time and 16 hex digits."""
        return time.strftime("%Y%m%d%H%M%S", time.gmtime(self.now() + 8 * 3600)) + secrets.token_hex(8)

    def record(self, **known: Any) -> Entry:
        entry = self.ledger.record(at=self.now(), **known)
        self._keep(entry)
        return entry

    def accept(
        self, entry: Entry, task: Task | None = None, *, cost: float | None = None, charged: bool = True
    ) -> None:
        """Charge a submission, and know its task: both or, when killed in between, neither.

        cost: US dollars, where it is not the price of a call.
        """
        if charged:
            self.ledger.charge(entry, task.id if task else None, cost)
        entry.accepted = True
        if task:
            self.add(task)
        self._keep(entry, task)

    def answered(self, entry: Entry, status: int, code: str | None) -> None:
        entry.status, entry.code, entry.answered_at = status, code, self.now()
        self._keep(entry)

    def _keep(self, entry: Entry, task: Task | None = None) -> None:
        if self.store.on and self.ledger.has(entry):
            self.store.keep(entry.row(), *([task.row()] if task else []))

    def add(self, task: Task) -> None:
        self.tasks[task.id] = task
        if task.alias:
            self.tasks[task.alias] = task
        if task.holds_slot:
            self.limits.hold(task.model, task.done_at)

    def keep_task(self, task: Task) -> None:
        if self.store.on:
            self.store.keep(task.row())

    def keep_settings(self) -> None:
        """The account's state, the limits and the clock outlive a restart too: nobody recharges by restarting."""
        self.store.keep(
            ("account", "", self.account.known()),
            ("limits", "", self.limits.known()),
            ("clock", "", {"ahead_s": self.ahead_s}),
        )

    def reset(self) -> None:
        """As at the start."""
        self.ledger.clear()
        self.tasks.clear()
        self.polls.clear()
        self.file_fetches.clear()
        self.account.clear()
        self.limits.clear()
        self.config.change(self._first_config)
        self.ahead_s = 0.0
        self.store.clear()

    def _load(self, limits: dict[str, int]) -> None:
        for account in self.store.kept("account"):
            self.account.restore(account)
        for clock in self.store.kept("clock"):
            self.ahead_s = clock["ahead_s"]
        for known in self.store.kept("limits"):
            self.limits.change({**known, **limits})
        for task in self.store.kept("task"):
            self.add(revived(Task, task))
        for known in self.store.kept("entry"):
            entry = revived(Entry, known)
            self.ledger.restore(entry)
            if entry.accepted:
                self.limits.recall(entry.model, entry.at)


def revived(kind: type[Kept], row: dict[str, Any]) -> Kept:
    """From a file that an older sandbox may have written."""
    names = {each.name for each in fields(kind)}
    return kind(**{name: value for name, value in row.items() if name in names})
