"""What outlives a kill: rows of JSON in SQLite. Without a file, nothing is kept."""

import json
import sqlite3
import threading
from pathlib import Path
from typing import Any

Row = tuple[str, str, dict[str, Any]]


class Store:
    """Rows by what they are and their key. Safe from several threads."""

    def __init__(self, path: Path | None) -> None:
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False) if path else None
        if self._db:
            self._db.execute("pragma journal_mode = wal")
            self._db.execute("pragma synchronous = off")  # the machine's end is not in scope, only ours
            self._db.execute("create table if not exists kept (what text, id text, body text, primary key (what, id))")

    @property
    def on(self) -> bool:
        return self._db is not None

    def keep(self, *rows: Row) -> None:
        """All of them or, when killed in between, none."""
        if self._db:
            written = [(what, key, json.dumps(body)) for what, key, body in rows]
            with self._lock, self._db:
                self._db.executemany(
                    "insert into kept values (?, ?, ?) on conflict do update set body = excluded.body", written
                )

    def kept(self, what: str) -> list[dict[str, Any]]:
        """In the order in which they were first kept."""
        if not self._db:
            return []
        rows = self._db.execute("select body from kept where what = ? order by rowid", (what,)).fetchall()
        return [json.loads(row[0]) for row in rows]

    def clear(self) -> None:
        if self._db:
            with self._lock, self._db:
                self._db.execute("delete from kept")
