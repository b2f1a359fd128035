"""The states of a job and the legal moves between them: the one table that says so."""

from enum import StrEnum


class JobState(StrEnum):
    QUEUED = "queued"
    DISPATCHED = "dispatched"
    RUNNING = "running"
    WAITING = "waiting"
    STORING = "storing"
    HELD = "held"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


S = JobState
FINAL = frozenset({S.SUCCEEDED, S.FAILED, S.CANCELLED})

LEGAL: dict[JobState, frozenset[JobState]] = {
    # To waiting and storing without a run: a paid answer came late, when its claim was over.
    # To failed without one: what it comes after has failed. To running at once: who frees a slot goes on with the next.
    S.QUEUED: frozenset({S.DISPATCHED, S.RUNNING, S.WAITING, S.STORING, S.FAILED, S.CANCELLED}),
    S.DISPATCHED: frozenset({S.RUNNING, S.QUEUED, S.WAITING, S.STORING, S.CANCELLED}),
    S.RUNNING: frozenset({S.WAITING, S.STORING, S.QUEUED, S.HELD, S.FAILED, S.CANCELLED}),
    # Nothing leads from here back to queued: a job with a remote id is never submitted again.
    S.WAITING: frozenset({S.WAITING, S.STORING, S.HELD, S.FAILED, S.CANCELLED}),
    # Back to waiting: the result's URL is dead, so the result is asked for again.
    S.STORING: frozenset({S.STORING, S.SUCCEEDED, S.WAITING, S.FAILED, S.CANCELLED}),
    S.HELD: frozenset({S.QUEUED, S.WAITING, S.STORING, S.FAILED, S.CANCELLED}),
    S.SUCCEEDED: frozenset(),
    # A retry pays again (queued), or goes on where a paid result was lost (waiting, storing).
    S.FAILED: frozenset({S.QUEUED, S.WAITING, S.STORING}),
    S.CANCELLED: frozenset({S.QUEUED, S.WAITING, S.STORING}),
}


class IllegalMoveError(Exception):
    """A job cannot go from this state to that one."""

    def __init__(self, source: JobState, target: JobState) -> None:
        allowed = ", ".join(sorted(LEGAL[source])) or "nothing: it is final"
        super().__init__(f"a {source} job cannot become {target}; it can become {allowed}")


def check_move(source: JobState, target: JobState) -> None:
    """Raise IllegalMoveError unless LEGAL has the move."""
    if target not in LEGAL[source]:
        raise IllegalMoveError(source, target)
