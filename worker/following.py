"""Ties jobs that come after others to them, at the end of a submission."""

from collections.abc import Collection, Sequence

from sqlalchemy import Connection

from models import pipelines
from models.state import JobState
from worker.kinds import KINDS
from worker.pipeline import AfterError, Follower, LeftOut, left_out

ROLES = {name: kind.makes for name, kind in KINDS.items()}


def follow(
    conn: Connection,
    batch_id: int | None,
    followers: Sequence[Follower],
    *,
    skip: bool,
    bad: Collection[str],
    locking: Collection[int],
) -> LeftOut:
    """Write what these new jobs come after; their places are their ids.

    Raises AfterError for what they cannot come after or, with `skip`, unmakes those, and says which.
    `bad`: keys of rows that were refused by themselves. `locking`: jobs that the caller locks next.
    """
    known, several = named(conn, batch_id, {key for each in followers for key in each.after})
    kinds = {key: each.kind for key, each in known.items()}
    left = left_out(followers, kinds, several, ROLES, bad)
    if left.places and not skip:
        raise AfterError(left.wrong)
    pipelines.unmake(conn, left.places)
    pairs = [
        (known[key].job_id, each.place) for each in followers if each.place not in left.places for key in each.after
    ]
    unsure = {each.job_id for each in known.values() if each.before and each.state != JobState.SUCCEEDED}
    pipelines.link(conn, pairs, unsure.union(locking))
    return left


def named(conn: Connection, batch_id: int | None, keys: Collection[str]) -> tuple[dict[str, pipelines.Known], set[str]]:
    """The jobs of these keys, and those keys of rows that are several jobs."""
    known = pipelines.find(conn, batch_id, keys)
    first = pipelines.find(conn, batch_id, [f"{key}#1" for key in keys if key not in known])
    return known, {key.removesuffix("#1") for key in first}
