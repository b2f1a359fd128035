"""A batch by way of the browser: checked row by row before anything is enqueued."""

import io
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal

from fastapi import APIRouter, Form, Response, UploadFile

from models import money
from web.access import Operator as MayOperate
from web.access import Viewer
from web.database import Database
from web.pages.actions import amount_of
from web.templating import page
from web.wiring import Wired
from worker.forecast import forecast_s, in_words
from worker.kinds import KINDS
from worker.manifest import Format, Good, ManifestError, Problem, format_of, read
from worker.prices import price_of
from worker.producer import KeyTakenError, Row, insert_rows
from worker.trail import note

router = APIRouter()
SHOWN = 50


class Sieve:
    """Passes good rows on, and remembers the rest."""

    def __init__(self, found: Iterator[Good | Problem]) -> None:
        self._found = found
        self.problems: list[Problem] = []
        self.bad = 0
        self.warnings: Counter[str] = Counter()
        self.jobs: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.costs: dict[str, Decimal] = defaultdict(Decimal)

    def __iter__(self) -> Iterator[Row]:
        for each in self._found:
            if isinstance(each, Problem):
                self.bad += 1
                if len(self.problems) < SHOWN:
                    self.problems.append(each)
                continue
            self.warnings.update(each.warnings)
            for row in each.rows:
                model = row.args["model"]
                self.jobs[model] += 1
                self.calls[model] += row.calls
                self.costs[model] += row.estimate
                yield row


@router.get("/submit")
def form(caller: Viewer) -> Response:
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
    kind: Annotated[str, Form()],
    do: Annotated[Literal["check", "submit"], Form()] = "check",
    batch: Annotated[str, Form(max_length=200)] = "",
    model: Annotated[str, Form()] = "",
    typed: Annotated[str, Form()] = "",
    budget: Annotated[str, Form()] = "",
    skip: Annotated[bool, Form()] = False,
    file: UploadFile | None = None,
) -> Response:
    if kind not in KINDS:
        return page("submit/problems.html", status=422, message=f"{kind!r} is no kind of job", sieve=None)
    stream, form_, stem = source_of(file, typed)
    if form_ is None:
        return page(
            "submit/problems.html", status=422, message="The file's name is to end in .csv or .jsonl.", sieve=None
        )
    name = batch.strip() or f"{stem}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    sieve = Sieve(read(stream, form_, KINDS[kind], wired.settings.data_dir.absolute(), model=model.strip() or None))
    amount = amount_of(budget) if budget.strip() else None
    try:
        added = insert_rows(database, name, kind, iter(sieve))
    except (ManifestError, KeyTakenError) as error:
        database.rollback()
        return page("submit/problems.html", status=422, message=f"{error}; nothing was enqueued.", sieve=sieve)
    if do == "check" or not sieve.jobs or (sieve.bad and not skip):
        database.rollback()  # only looked at
        values = checked(database, sieve, kind)
        return page("submit/checked.html", sieve=sieve, batch=name, added=added, do=do, skip=skip, **values)
    if amount is not None:
        money.set_budget(database.connection(), ("batch", str(added.batch_id)), amount)
    note(database.connection(), caller.actor, "submit", f"batch {name}", jobs=added.added, kind=kind)
    database.commit()
    response = page("actions/told.html", message=f"{added.added:,} jobs enqueued.", bad=False)
    response.headers["Mediajobs-Go"] = f"/batches/{added.batch_id}"
    return response


def checked(database: Database, sieve: Sieve, kind: str) -> dict[str, Any]:
    """What it would cost, and how long it would take."""
    conn = database.connection()
    rows = [(model, jobs, sieve.costs[model], price_of(model) is None,
             forecast_s(conn, model, kind, sieve.calls[model]))
            for model, jobs in sieve.jobs.items()]  # fmt: skip
    seconds = max((each[4] for each in rows), default=0.0)
    return {"rows": rows, "jobs": sum(sieve.jobs.values()), "cost": sum(sieve.costs.values(), Decimal(0)),
            "took": in_words(seconds)}  # fmt: skip
