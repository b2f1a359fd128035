"""Every POST that takes work on: what became of it, and what it cost."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from sandbox import prices
from sandbox.store import Row


@dataclass(slots=True)
class Entry:
    """One POST, received at `at`. `status` 0: not answered yet; 499: cut off without an answer.

    `key`: of the row that it is for, from a marker `[[key:…]]` in the prompt: images have no request_id.
    """

    n: int
    at: float
    endpoint: str
    path: str
    model: str
    subject: str
    request_id: str | None
    body_sha256: str
    #: The names of its body's fields, and of its file's part.
    fields: list[str] = field(default_factory=list)
    key: str | None = None
    received: bool = True
    accepted: bool = False
    charged: bool = False
    cost: float = 0.0
    status: int = 0
    code: str | None = None
    task_id: str | None = None
    answered_at: float | None = None
    #: The number of the entry whose request_id this one repeats.
    repeats: int | None = None
    faults: list[str] = field(default_factory=list)

    def row(self) -> Row:
        return "entry", str(self.n), asdict(self)


class Ledger:
    """Entries in the order of their arrival. Numbers go on when it is emptied."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._last_n = 0
        self._emptied_at_n = 0
        #: request_id → the first entry that was accepted with it.
        self.by_request_id: dict[str, Entry] = {}

    def record(self, **known: Any) -> Entry:
        self._last_n += 1
        entry = Entry(n=self._last_n, **known)
        self.entries.append(entry)
        return entry

    def has(self, entry: Entry) -> bool:
        """A call that was under way when the ledger was emptied is not in it."""
        return entry.n > self._emptied_at_n

    def restore(self, entry: Entry) -> None:
        self.entries.append(entry)
        self._last_n = entry.n
        if entry.charged:
            self._know(entry)

    def charge(self, entry: Entry, task_id: str | None, cost: float | None) -> None:
        """The submission is accepted, and on the bill: with this cost, or the price of a call."""
        entry.accepted = entry.charged = True
        entry.cost = prices.of_call(entry.model) if cost is None else cost
        entry.task_id = task_id
        self._know(entry)

    def _know(self, entry: Entry) -> None:
        if entry.request_id and self.has(entry):
            self.by_request_id.setdefault(entry.request_id, entry)

    def clear(self) -> None:
        self.entries.clear()
        self._emptied_at_n = self._last_n
        self.by_request_id.clear()

    def summary(self, *, since: float = 0.0) -> dict[str, Any]:
        """Added up, from a time on. `refused`: by code, or by status where there is none, with the times."""
        entries = [entry for entry in self.entries if entry.at >= since]
        charged = [entry for entry in entries if entry.charged]
        refused: dict[str, list[float]] = {}
        for entry in entries:
            if not entry.accepted and entry.status:
                refused.setdefault(entry.code or str(entry.status), []).append(entry.at)
        return {
            "received": len(entries),
            "accepted": sum(entry.accepted for entry in entries),
            "charged": len(charged),
            "cost": round(sum(entry.cost for entry in charged), 6),
            "unanswered": sum(not entry.status for entry in entries),
            "refused": {
                code: {"count": len(at), "first_at": at[0], "last_at": at[-1], "at": at} for code, at in refused.items()
            },
            "charged_by_key": Counter(entry.key for entry in charged if entry.key is not None),
            "charged_by_request_id": Counter(entry.request_id for entry in charged if entry.request_id is not None),
        }
