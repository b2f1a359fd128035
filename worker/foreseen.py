"""What a submission would make, for a look at what would come after what, before anything is made."""

from dataclasses import dataclass, field

from sqlalchemy import Connection, text

from worker.following import ROLES, named
from worker.pipeline import Follower, Misplaced, misplaced
from worker.producer import Row

BATCH = text("select id from batches where name = :name")


@dataclass
class Foreseen:
    """Shown each row, it knows all keys, and who comes after whom."""

    kinds: dict[str, str] = field(default_factory=dict)
    several: set[str] = field(default_factory=set)
    followers: list[Follower] = field(default_factory=list)
    seen: int = 0

    def see(self, row: Row) -> None:
        self.seen += 1
        if row.named and row.key is not None:
            self.kinds[row.key] = str(row.kind)
            if row.key.endswith("#1"):
                self.several.add(row.key.removesuffix("#1"))
        if row.after:
            self.followers.append(row.follower(self.seen))

    def misplaced(self, conn: Connection | None, batch: str | None) -> list[Misplaced]:
        """What could not come after what it names. `conn`: where the batch may have jobs already."""
        missing = {key for each in self.followers for key in each.after} - self.kinds.keys()
        kinds, several = self.kinds, self.several
        batch_id = conn.execute(BATCH, {"name": batch}).scalar() if conn is not None and missing else None
        if conn is not None and batch_id is not None:
            known, more = named(conn, batch_id, missing)
            kinds, several = {**kinds, **{key: each.kind for key, each in known.items()}}, several | more
        return misplaced(self.followers, kinds, several, ROLES)
