"""Ties jobs that come after others to them, at the end of a submission."""

from collections.abc import Collection, Sequence

from sqlalchemy import Connection

from models import pipelines
from models.state import JobState
from worker.kinds import KINDS
from worker.pipeline import AfterError, Follower, Misplaced, left_without, misplaced, told

ROLES = {name: kind.makes for name, kind in KINDS.items()}


def follow(
    conn: Connection, batch_id: int | None, followers: Sequence[Follower], *, skip: bool, locking: Collection[int]
) -> list[Misplaced]:
    """Write what these new jobs come after; their places are their ids.

    Raises AfterError for what they cannot come after or, with `skip`, unmakes those, and says which.
    `locking`: jobs that the caller locks next.
    """
    known, several = named(conn, batch_id, {key for each in followers for key in each.after})
    kinds = {key: each.kind for key, each in known.items()}
    wrong: list[Misplaced] = []
    rest = list(followers)
    while found := misplaced(rest, kinds, several, ROLES):
        if not skip:
            raise AfterError(found)
        bad = {each.place for each in found}
        lost = left_without(rest, bad)
        wrong += found
        wrong += [
            told(each, "after", "comes after a row that is left out") for each in rest if each.place in lost - bad
        ]
        rest = [each for each in rest if each.place not in lost]
    pipelines.unmake(conn, {each.place for each in wrong})
    pairs = [(known[key].job_id, each.place) for each in rest for key in each.after]
    unsure = {each.job_id for each in known.values() if each.before and each.state != JobState.SUCCEEDED}
    pipelines.link(conn, pairs, unsure.union(locking))
    return wrong


def named(conn: Connection, batch_id: int | None, keys: Collection[str]) -> tuple[dict[str, pipelines.Known], set[str]]:
    """The jobs of these keys, and those keys of rows that are several jobs."""
    known = pipelines.find(conn, batch_id, keys)
    first = pipelines.find(conn, batch_id, [f"{key}#1" for key in keys if key not in known])
    return known, {key.removesuffix("#1") for key in first}
