"""Work comes in: a batch as a manifest, or one job."""

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import PurePath
from typing import Any, BinaryIO

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, ValidationError, field_validator
from starlette.concurrency import run_in_threadpool

from web.access import Caller, Operator, Viewer
from web.api import shapes
from web.api.once import Doing, Work
from web.api.steer import Asked
from web.problems import ProblemError
from web.received import FORM, mime_of, received
from web.uploads import uploads
from web.wiring import Wired
from worker.addresses import networks, parse
from worker.fields import parse_batch
from worker.folders import Uploads
from worker.kinds import KINDS
from worker.manifest import Format, Good, ManifestError, Problem, Record, format_of, read
from worker.manifest import checked as checked_row
from worker.pipeline import AfterError, Misplaced
from worker.producer import insert_rows
from worker.settings import settings
from worker.submission import Order, Outlook, RefusedError, Sieve, look_ahead
from worker.wording import shown

router = APIRouter(tags=["batches"])

#: How a body says what it is.
FORMATS: dict[str, Format] = {"text/csv": "csv", "application/jsonl": "jsonl", "application/x-ndjson": "jsonl"}


def known_kind(kind: str) -> str:
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is none; kinds are {', '.join(sorted(KINDS))}")
    return kind


class Submission(Asked):
    """What holds for all rows; in the query, in a form, or beside `rows` in JSON."""

    kind: str | None = Field(
        default=None, description="What the rows are that do not say it themselves.", examples=["image"]
    )
    batch: str | None = Field(default=None, description="Name; the same name and rows again add only what is missing.")
    model: str | None = Field(default=None, description="For rows that name none.")
    priority: int = Field(default=0, ge=-1000, le=1000, description="Higher runs first.")
    webhook: str | None = Field(default=None, max_length=2000, description="Told when the batch has finished.")
    budget: Decimal | None = Field(default=None, ge=0, lt=10**8, description="US dollars that the batch may cost.")
    skip_invalid: bool = Field(default=False, description="Enqueue the good rows of a manifest with bad ones.")
    dry_run: bool = Field(default=False, description="Check every row and say what it would come to.")
    format: Format | None = Field(default=None, description="If neither name nor type tells; openai: of its Batch API.")

    @field_validator("kind")
    @classmethod
    def _kind(cls, given: str | None) -> str | None:
        return None if given is None else known_kind(given)

    @field_validator("batch")
    @classmethod
    def _batch(cls, given: str | None) -> str | None:
        return None if given is None else parse_batch(given)

    @field_validator("webhook")
    @classmethod
    def _webhook(cls, given: str | None) -> str | None:
        if given is not None:
            try:
                parse(given, networks(settings().webhook_allow))
            except ValueError as error:
                raise ValueError(f"{given!r} {error}") from None
        return given


EXAMPLE = {"kind": "image", "batch": "boats", "rows": [{"key": "a", "prompt": "a paper boat", "size": "1024x1024"}]}
BINARY = {"type": "string", "format": "binary"}
OPTIONS: dict[str, Any] = Submission.model_json_schema()["properties"]
ROWS = {"type": "array", "items": {"type": "object"}, "description": "With the fields that `GET /kinds` has."}
FILE = {"file": BINARY}
BODY: dict[str, Any] = {
    "parameters": [
        {"in": "query", "name": name, "schema": schema, "description": schema.get("description", "")}
        for name, schema in OPTIONS.items()
    ],
    "requestBody": {
        "required": True,
        "description": "A manifest, one row a job: in JSON, as a CSV or JSONL body, or as the file of a form.",
        "content": {
            "application/json": {
                "schema": {"type": "object", "required": ["rows"], "properties": {**OPTIONS, "rows": ROWS}},
                "example": EXAMPLE,
            },
            "text/csv": {"schema": BINARY, "example": "key,prompt,size\na,a paper boat,1024x1024\n"},
            "application/jsonl": {"schema": BINARY, "example": '{"key": "a", "prompt": "a paper boat"}\n'},
            FORM: {"schema": {"type": "object", "required": ["file"], "properties": {**OPTIONS, **FILE}}},
        },
    },
}
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"model": shapes.Foreseen, "description": "Of a dry run."},
    201: {"model": shapes.Submitted, "description": "Enqueued."},
}


@router.post("/batches", status_code=201, responses=ANSWERS, openapi_extra=BODY, response_class=Response)
async def submit(request: Request, wired: Wired, doing: Doing, caller: Operator) -> Response:
    """Enqueue a manifest: all of its rows, or, where one is bad, none; its problems are told row by row.

    It is taken in as it comes, and may have a million rows. Options stand in the query, in the form, or, with JSON,
    beside `rows`.
    """
    options: dict[str, Any] = dict(request.query_params)
    folder = uploads(wired.settings, wired.storage)
    if mime_of(request) == "application/json":
        body = await json_body(request)
        rows = body.pop("rows", None)
        if not isinstance(rows, list):
            said = "is missing" if rows is None else f"{shown(rows)} is no list"
            raise ProblemError(422, "invalid_request", f"rows: {said}; give a list of rows, each an object")
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        asked, data = checked({**options, **body, "format": "jsonl"}), text.encode("utf-8", "replace")
        return await run_in_threadpool(
            take_in, doing, caller, asked, file=io.BytesIO(data), name="api", mark=text, folder=folder
        )
    async with received(request, name="api") as came:
        asked = checked({**options, **came.fields})
        form = asked.format or format_of(came.name) or FORMATS.get(came.mime)
        if form is None:
            raise ProblemError(
                415, "unknown_format", "send JSON, text/csv or application/jsonl, or say `format`: csv, jsonl or openai"
            )
        return await run_in_threadpool(
            take_in, doing, caller, asked.model_copy(update={"format": form}), file=came.file, name=came.name,
            mark=came.sha256, folder=folder,
        )  # fmt: skip


async def json_body(request: Request) -> dict[str, Any]:
    """Raises ProblemError."""
    try:
        body = await request.json()
    except ValueError as error:
        raise ProblemError(400, "invalid_json", f"the body is no JSON: {error}") from None
    if not isinstance(body, dict):
        raise ProblemError(422, "invalid_request", "the body is no JSON object")
    return body


def checked(options: dict[str, Any]) -> Submission:
    """Raises RequestValidationError."""
    try:
        return Submission.model_validate({name: value for name, value in options.items() if value != ""})
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from None


def take_in(
    doing: Work, caller: Caller, asked: Submission, *, file: BinaryIO, name: str, mark: str, folder: Uploads
) -> Response:
    """`mark`: what tells one body from another."""
    order = Order(
        batch=asked.batch or f"{PurePath(name).stem}-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"[:200],
        kind=asked.kind, priority=asked.priority, webhook=asked.webhook, budget=asked.budget,
        skip_invalid=asked.skip_invalid,
    )  # fmt: skip
    form: Format = asked.format or "jsonl"
    found = read(file, form, KINDS[asked.kind] if asked.kind else None, folder, model=asked.model)
    sieve = Sieve(found, priority=asked.priority)

    def do() -> shapes.Submitted:
        added = doing.operator(caller).submit(order, sieve)
        assert added.batch_id is not None
        return shapes.Submitted(
            batch=order.batch, batch_id=added.batch_id, added=added.added, already=added.already,
            skipped=len(sieve.bad_rows), warnings=warnings(sieve), problems=problems(sieve),
        )  # fmt: skip

    try:
        if asked.dry_run:
            outlook = look_ahead(doing.session.connection(), order, sieve, sieve)
            return answered(foretold(outlook, sieve), 200)
        return doing.once(caller, asked.model_dump_json() + mark, do, status=201)
    except (RefusedError, ManifestError) as error:
        doing.session.rollback()
        told = [each.model_dump() for each in problems(sieve)]
        if not told:
            raise ProblemError(422, "bad_manifest", str(error)) from None
        raise ProblemError(422, "bad_rows", str(error), bad_rows=len(sieve.bad_rows), problems=told) from None


def warnings(sieve: Sieve) -> dict[str, int]:
    unpriced = {f"{model}: price unknown (set MEDIAJOBS_PRICES); counted as $0": sieve.jobs[model]
                for model in sieve.unpriced}  # fmt: skip
    return dict(sieve.warnings) | unpriced


def problems(sieve: Sieve) -> list[shapes.RowProblem]:
    return [shapes.RowProblem.model_validate(each) for each in sieve.problems]


def foretold(found: Outlook, sieve: Sieve) -> shapes.Foreseen:
    return shapes.Foreseen(
        jobs=found.jobs,
        already=found.already,
        cost=found.cost,
        took_s=found.took_s,
        models=[shapes.ForeseenModel.model_validate(each) for each in found.models],
        warnings=warnings(sieve),
        bad_rows=len(sieve.bad_rows),
        problems=problems(sieve),
    )


def answered(body: BaseModel, status: int) -> Response:
    return JSONResponse(body.model_dump(mode="json"), status)


class OneJob(Asked):
    """`input`: the API's own fields, as in a manifest's row."""

    kind: str = Field(examples=["image"])
    input: dict[str, Any] = Field(examples=[{"prompt": "a paper boat", "size": "1024x1024"}])
    key: str | None = Field(default=None, description="The same key again is the same job.")
    batch: str | None = None
    after: list[str] | None = Field(default=None, description="Keys of jobs of the batch that go first.")
    priority: int | None = None
    run_at: str | None = Field(default=None, description="Not before then; without a zone it is UTC.")

    @field_validator("kind")
    @classmethod
    def _kind(cls, given: str) -> str:
        return known_kind(given)

    @field_validator("batch")
    @classmethod
    def _batch(cls, given: str | None) -> str | None:
        return None if given is None else parse_batch(given)


@router.post("/jobs", status_code=201, response_model=shapes.Enqueued, tags=["jobs"])
def enqueue(doing: Doing, wired: Wired, caller: Operator, asked: OneJob) -> Response:
    """Enqueue one job; for an image with `n`, n jobs."""
    own = asked.model_dump(include={"key", "after", "priority", "run_at"})
    record = Record(1, 1, {**asked.input, **own})
    found = list(checked_row(record, KINDS[asked.kind], uploads(wired.settings, wired.storage), None, {}))
    if wrong := [each for each in found if isinstance(each, Problem)]:
        raise invalid(wrong)
    rows = [replace(row, row=None) for each in found if isinstance(each, Good) for row in each.rows]

    def do() -> shapes.Enqueued:
        ids: list[int] = []
        try:
            insert_rows(doing.session, asked.batch, asked.kind, rows, job_ids=ids)
        except AfterError as error:
            raise invalid(error.found) from None
        subject = f"job {ids[0]}" if len(ids) == 1 else f"{len(ids)} jobs"
        doing.operator(caller).note("submit", subject, jobs=len(ids), kind=asked.kind, batch=asked.batch, ids=ids)
        return shapes.Enqueued(jobs=ids)

    return doing.once(caller, asked.model_dump_json(), do, status=201)


def invalid(wrong: Sequence[Problem | Misplaced]) -> ProblemError:
    told = [{"field": each.field, "message": each.message} for each in wrong]
    return ProblemError(422, "invalid_input", "; ".join(f"{e['field']}: {e['message']}" for e in told), errors=told)


@router.get("/kinds")
def kinds(_: Viewer) -> list[shapes.Kind]:
    """The kinds of jobs: the fields of their rows, and the models that are known."""
    return [
        shapes.Kind(name=name, default_model=kind.default_model, fields=kind.fields, models=sorted(kind.models))
        for name, kind in sorted(KINDS.items())
    ]
