"""A batch by way of the browser: checked row by row before anything is enqueued."""

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, BinaryIO, Literal

from fastapi import APIRouter, Form, Response, UploadFile

from web.access import Operator as MayOperate
from web.database import Database
from web.pages.steering import amount_of
from web.problems import GO
from web.templating import page
from web.uploads import uploads
from web.wiring import Wired
from worker.fields import parse_batch
from worker.forecast import in_words
from worker.kinds import KINDS
from worker.manifest import Format, ManifestError, format_of, read
from worker.operating import Operator
from worker.producer import KeyTakenError
from worker.submission import Order, Outlook, RefusedError, Sieve, look_ahead

router = APIRouter()


@router.get("/submit")
def form(caller: MayOperate) -> Response:
    kinds = [(name, kind.fields, sorted(kind.models)) for name, kind in sorted(KINDS.items())]
    return page("submit.html", caller=caller, here="/submit", kinds=kinds)


def source_of(file: UploadFile | None, typed: str) -> tuple[BinaryIO, Format | None, str]:
    """What was given: an uploaded manifest, or lines of which each is a prompt."""
    if file is not None and file.filename:
        return file.file, format_of(file.filename), Path(file.filename).stem
    lines = [line.strip() for line in typed.splitlines()]
    rows = "".join(json.dumps({"prompt": line}) + "\n" for line in lines if line)
    return io.BytesIO(rows.encode()), "jsonl", "typed"


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
) -> Response:
    if kind and kind not in KINDS:
        return refused(f"{kind!r} is no kind of job")
    if typed.strip() and file is not None and file.filename:
        return refused("a file is chosen, and prompts are typed as well: leave one of them out")
    stream, form_, stem = source_of(file, typed)
    if form_ is None:
        return refused("the file's name is to end in .csv or .jsonl")
    try:
        name = parse_batch(batch.strip() or f"{stem}-{datetime.now(UTC):%Y%m%d-%H%M%S}"[:200])
    except ValueError as error:
        return refused(f"the batch cannot be called so: {error}")
    amount = amount_of(budget) if budget.strip() else None
    folder = uploads(wired.settings, wired.storage)
    sieve = Sieve(read(stream, form_, KINDS[kind] if kind else None, folder, model=model.strip() or None))
    try:
        order = Order(batch=name, kind=kind or None, budget=amount, skip_invalid=skip)
        if do == "check":
            return checked(look_ahead(database.connection(), order, sieve, sieve), sieve, name, skip=skip)
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


def checked(found: Outlook, sieve: Sieve, batch: str, *, skip: bool) -> Response:
    """What it would cost, and how long it would take."""
    took = in_words(found.took_s)
    return page("submit/checked.html", found=found, sieve=sieve, batch=batch, skip=skip, took=took)
