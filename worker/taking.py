"""Puts what earlier jobs made into a job's input, when the job runs."""

import asyncio
from collections.abc import Sequence

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from models.transitions import Claim
from provider.wire import Json
from worker.desk import Desk
from worker.kinds import KINDS
from worker.pipeline import FILES, Made, NoOutputError, Use, filled, pick, uses_of
from worker.storage import SourceAwayError, reading

MADE = text("""
    select e.key, o.role, o.location, o.text from links l
    join jobs e on e.id = l.earlier_id join outputs o on o.job_id = e.id
    where l.later_id = :job order by e.id, o.index
""")


async def taken(claim: Claim, desk: Desk) -> Json:
    """The job's input, with the outputs of those that it comes after in it; itself, where it takes none.

    Raises NoOutputError for what was not made, OSError for what cannot be read, and SourceAwayError, also with
    Postgres away, for what cannot be read now.
    """
    kind = KINDS[claim.kind]
    uses = uses_of(claim.args, kind, claim.after) if claim.after else []
    if not uses:
        return claim.args
    made = await asyncio.to_thread(outputs_before, desk.writer.engine, claim.job_id)
    values = {use: await value_of(use, pick(use, made), desk) for use in uses}
    return filled(claim.args, kind, claim.after or (), values.__getitem__)


def outputs_before(engine: Engine, job_id: int) -> Sequence[Made]:
    try:
        with engine.connect() as conn:
            return [Made(*row) for row in conn.execute(MADE, {"job": job_id})]
    except SQLAlchemyError as error:
        raise SourceAwayError(f"cannot look up what earlier jobs made now: {type(error).__name__}") from None


async def value_of(use: Use, output: Made, desk: Desk) -> str:
    """An output's text, or where its file lies, as a row would name it."""
    if use.file:
        return desk.storage.address(output.location)
    if output.text is not None:
        return output.text
    if output.role in FILES:
        raise NoOutputError(f"the {output.role} of {use.key!r} is a file, which is no text")
    with reading(f"{output.location} in the store of outputs"):
        return (await desk.storage.read(output.location)).decode("utf-8", "replace")
