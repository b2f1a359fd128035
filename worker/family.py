"""Recordings and their pieces: what follows when one was cut, or when a piece has ended."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from models import recordings
from models.state import FINAL, JobState
from models.transitions import Move, Moved
from worker.hints import Lot
from worker.kinds.transcription import OURS
from worker.prices import price_of
from worker.tariff import cost_of


@dataclass(frozen=True, slots=True)
class Grown:
    """`models`: those that have new jobs; `hints`: of recordings to be put together."""

    models: frozenset[str] = frozenset()
    hints: list[tuple[Lot, int]] = field(default_factory=list)


def after(conn: Connection, moves: Sequence[Move], moved: Sequence[Moved]) -> Grown:
    """Add the pieces of recordings that were cut, and go on with those whose pieces have ended."""
    pieces = {(move.job_id, move.fence): move.pieces for move in moves if move.pieces}
    cut = [each for each in moved if each.state is JobState.WAITING and (each.job_id, each.fence) in pieces]
    for each in cut:
        recordings.add_pieces(conn, each.job_id, pieces[each.job_id, each.fence])
    ended = [each.parent_id for each in moved if each.parent_id is not None and each.state in FINAL]
    return go_on(conn, {*(each.job_id for each in cut), *ended})


def sweep(conn: Connection) -> Grown:
    """Go on with all of which nothing is open."""
    return go_on(conn, recordings.lock_ready(conn))


def go_on(conn: Connection, ids: Collection[int]) -> Grown:
    """Go on with these recordings, locked by the caller, if nothing of them is open: the next jobs, or the transcript.

    All pieces at once; with `context` one after the other, each told what was said before it.
    """
    if not ids:
        return Grown()
    models = set()
    for row in recordings.lacking(conn, ids):
        chained = bool(row.args.get("context"))
        model = recordings.add_jobs(
            conn,
            row.recording,
            price=cost_of(price_of(row.args["model"])),
            ours=OURS,
            most=1 if chained else None,
            prompt=told(row.args.get("prompt"), row.before) if chained else None,
        )
        models.add(str(model))
    gathered = recordings.gather(conn, ids)
    return Grown(frozenset(models), [(Lot("store", row.kind, row.model), row.job_id) for row in gathered])


def told(prompt: str | None, before: str | None) -> str | None:
    from worker.audio.identity import context  # noqa: PLC0415 - numpy, for recordings alone

    return context(prompt, before or "")
