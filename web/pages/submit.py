"""A batch by way of the browser: checked row by row before anything is enqueued."""

import io
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, BinaryIO, Literal

from fastapi import APIRouter, Depends, Form, Response, UploadFile
from starlette.concurrency import run_in_threadpool

from web.access import Operator as MayOperate
from web.database import Database
from web.pages.steering import amount_of
from web.problems import GO, ProblemError
from web.received import hashed
from web.templating import page
from web.uploads import keep, uploads
from web.wiring import Wired
from web.words import dollars
from worker.fields import parse_batch
from worker.forecast import in_words
from worker.kinds import KINDS
from worker.manifest import Format, ManifestError, format_of, read
from worker.operating import Operator
from worker.producer import KeyTakenError
from worker.reasons import model_states
from worker.submission import Order, Outlook, RefusedError, Sieve, look_ahead
from worker.waiting import ModelState, why

router = APIRouter()


@router.get("/submit")
def form(caller: MayOperate) -> Response:
    kinds = [(name, kind.fields, sorted(kind.models)) for name, kind in sorted(KINDS.items())]
    return page("submit.html", caller=caller, here="/submit", kinds=kinds)


def source_of(file: UploadFile | None, typed: str, along: Mapping[str, str]) -> tuple[BinaryIO, Format | None, str]:
    """What was given: an uploaded manifest, or lines of which each is a prompt, or recordings, each a job."""
    if file is not None and file.filename:
        return file.file, format_of(file.filename), Path(file.filename).stem
    lines = [line.strip() for line in typed.splitlines()]
    rows = [{"prompt": line} for line in lines if line] or [{"key": name, "file": name} for name in along]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    return io.BytesIO(text.encode()), "jsonl", "typed" if typed.strip() else "recordings"


async def kept_along(wired: Wired, caller: MayOperate, files: list[UploadFile] | None = None) -> dict[str, str]:
    """Files that came with the form, by their names → what they are called among the uploads. Raises ProblemError."""
    found: dict[str, str] = {}
    for each in files or ():
        if each.filename in found:
            raise ProblemError(422, "invalid_request", f"two files are called {each.filename!r}: rename one of them")
        if each.filename and each.size:
            size, sha256 = await run_in_threadpool(hashed, each.file)
            found[each.filename] = await keep(wired.storage, each.file, name=each.filename, size=size, sha256=sha256)
    return found


@router.post("/submit")
def submit(
    database: Database,
    wired: Wired,
    caller: MayOperate,
    *,
    kind: Annotated[str, Form()] = "",
    do: Annotated[Literal["check", "submit"], Form()] = "check",
    batch: Annotated[str, Form(max_length=200)] = "",
    model: Annotated[str, Form()] = "",
    typed: Annotated[str, Form()] = "",
    budget: Annotated[str, Form()] = "",
    skip: Annotated[bool, Form()] = False,
    file: UploadFile | None = None,
    along: Annotated[dict[str, str], Depends(kept_along)],
) -> Response:
    if kind and kind not in KINDS:
        return refused(f"{kind!r} is no kind of job")
    if typed.strip() and file is not None and file.filename:
        return refused("a file is chosen, and prompts are typed as well: leave one of them out")
    stream, form_, stem = source_of(file, typed, along)
    if form_ is None:
        return refused("the file's name is to end in .csv or .jsonl")
    try:
        name = parse_batch(batch.strip() or f"{stem}-{datetime.now(UTC):%Y%m%d-%H%M%S}"[:200])
    except ValueError as error:
        return refused(f"the batch cannot be called so: {error}")
    amount = amount_of(budget) if budget.strip() else None
    folder = replace(uploads(wired.settings, wired.storage), along=along)
    sieve = Sieve(read(stream, form_, KINDS[kind] if kind else None, folder, model=model.strip() or None))
    try:
        order = Order(batch=name, kind=kind or None, budget=amount, skip_invalid=skip)
        if do == "check":
            conn = database.connection()
            found = look_ahead(conn, order, sieve, sieve)
            return checked(found, sieve, name, skip=skip, waits=waits(model_states(conn), found, amount))
        added = Operator(database, caller.actor).submit(order, sieve)
    except (ManifestError, KeyTakenError, RefusedError) as error:
        database.rollback()
        return refused(str(error).removesuffix("; nothing was enqueued"), sieve)
    database.commit()
    response = page("actions/told.html", message=f"{added.added:,} jobs enqueued.", bad=False)
    response.headers[GO] = f"/batches/{added.batch_id}"
    return response


def refused(why: str, sieve: Sieve | None = None) -> Response:
    return page("submit/problems.html", status=422, message=f"{why}; nothing was enqueued.", sieve=sieve)


def waits(states: Mapping[str, ModelState], found: Outlook, budget: Decimal | None) -> list[str]:
    """What would keep the jobs waiting, however long."""
    said = [why(states[each.model]) for each in found.models if each.model in states]
    paused = [each for each in dict.fromkeys(said) if "paused" in each.partition(":")[0]]
    if budget is not None and budget < found.cost:
        paused.append(f"the budget, {dollars(budget)}, is less than {dollars(found.cost)}: what would pass it waits")
    return paused


def checked(found: Outlook, sieve: Sieve, batch: str, *, skip: bool, waits: list[str]) -> Response:
    """What it would cost, how long it would take, and what holds it up."""
    took = in_words(found.took_s)
    return page("submit/checked.html", found=found, sieve=sieve, batch=batch, skip=skip, took=took,
                waits=waits)  # fmt: skip
