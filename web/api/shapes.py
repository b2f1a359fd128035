"""What the API's answers look like. Money is in US dollars, times are ISO 8601 with their zone."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

from models.state import JobState
from worker.keys import Role

Item = TypeVar("Item")
Warned = Annotated[str | None, Field(description="What is odd about it, such as a model that nothing is known of.")]
#: A number in JSON; exact in Python.
Usd = Annotated[
    Decimal, PlainSerializer(float, return_type=float), WithJsonSchema({"type": "number", "description": "US dollars"})
]


class Shape(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class Page(Shape, Generic[Item]):
    """`next`: what to give as `before`, or `after`, for the page after this one; null at the end."""

    items: list[Item]
    next: int | None


class Me(Shape):
    """Whom the request's key stands for."""

    name: str
    role: Role


class JobRow(Shape):
    """A job, as lists have it. `row`: the record's number in its input; `attempts`: tries; `took_s`: since dispatch."""

    job: int = Field(examples=[17])
    batch: str | None = Field(examples=["boats"])
    batch_id: int | None
    row: int | None
    key: str | None
    kind: str = Field(examples=["image"])
    model: str = Field(examples=["cogview-4-250304"])
    state: JobState
    #: Why it waits, where it is queued.
    waiting_for: str | None
    subject: str | None = Field(examples=["a paper boat"])
    attempts: int
    cost: Usd
    #: An answer was lost after sending: it may be on the bill as well.
    possibly_charged: bool
    error_code: str | None
    error_message: str | None
    created_at: datetime
    run_at: datetime
    dispatched_at: datetime | None
    finished_at: datetime | None
    took_s: float | None


class Step(Shape):
    """A change of state. `request`: the one it was about, 0 before the first."""

    at: datetime
    source: JobState | None
    state: JobState
    request: int
    code: str | None
    reason: str | None


class Request(Shape):
    """A request to the provider that may cost money. `outcome`: null while it is open."""

    number: int
    request_id: str
    worker: str | None
    sent_at: datetime
    ended_at: datetime | None
    outcome: str | None = Field(examples=["answered"])
    http_status: int | None
    error_code: str | None
    error_message: str | None
    excerpt: str | None
    remote_id: str | None
    cost: Usd
    possibly_charged: bool
    late: bool


class Output(Shape):
    """A stored file. `url`: where this API gives it, also in parts (`Range`)."""

    index: int
    role: str = Field(examples=["image"])
    mime: str = Field(examples=["image/png"])
    bytes: int
    sha256: str
    text: str | None
    url: str = Field(examples=["/api/v1/jobs/17/outputs/0"])


class Piece(Shape):
    """A piece of a recording. `job`: null where no call was needed."""

    index: int
    start_s: float
    end_s: float
    job: int | None
    state: JobState
    error_code: str | None
    error_message: str | None
    text: str | None


class Linked(Shape):
    """A job that another one comes after, or that comes after it."""

    job: int
    key: str | None = Field(examples=["fox"])
    kind: str
    state: JobState


class Job(Shape):
    """A job with all that happened to it. `partial`: what a stream has said so far.

    `earlier`: what it comes after; `later`: what comes after it, the first hundred.
    """

    job: int
    batch: str | None
    row: int | None
    key: str | None
    kind: str
    model: str
    state: JobState
    priority: int
    run_at: datetime
    waiting_for: str | None
    remote_id: str | None
    attempts: int
    cost: Usd
    possibly_charged: bool
    error_code: str | None
    error_message: str | None
    args: dict[str, Any] = Field(examples=[{"model": "cogview-4-250304", "prompt": "a paper boat"}])
    partial: str | None
    piece_of: int | None
    problems: list[str] = Field(description="What was found wrong with a recording's file.")
    pieces: list[Piece]
    earlier: list[Linked]
    later: list[Linked]
    history: list[Step]
    requests: list[Request]
    outputs: list[Output]


class Batch(Shape):
    """`counts`: jobs by state; `pieces`: of recordings, by state; `left_s`: at the rate of the last minutes."""

    id: int
    name: str = Field(examples=["boats"])
    created_at: datetime
    webhook: str | None
    total: int
    finished: int
    counts: dict[str, int] = Field(examples=[{"succeeded": 98, "running": 2}])
    pieces: dict[str, int]
    cost: Usd
    per_s: float
    left_s: float | None


class Failure(Shape):
    """Jobs that failed alike."""

    code: str | None = Field(examples=["1301"])
    message: str | None
    jobs: int


class BatchInFull(Batch):
    """`waiting_for`: queued jobs by what they wait for; `failures`: the newest failures, by their reasons."""

    waiting_for: dict[str, int] = Field(examples=[{"limit: 5 of 5 slots of cogview-4-250304 in use": 80}])
    failures: list[Failure]
    #: Jobs whose lost answers may be on the bill as well; counted up to 10,000.
    possibly_charged: int


class Status(Shape):
    """All jobs together."""

    total: int
    finished: int
    counts: dict[str, int]
    pieces: dict[str, int]
    cost: Usd


class JobPage(Page[JobRow]):
    """`looked_at`: rows that were looked at, where that was not enough to find a full page: there may be more."""

    looked_at: int | None


class Changed(Shape):
    """What an action did. `cost`: what it may cost; `states`: what the jobs are now."""

    jobs: int = Field(examples=[12])
    states: dict[str, int] = Field(examples=[{"queued": 12}])
    cost: Usd = Field(examples=[0.12])
    #: Why no job was changed, where none was.
    note: str | None = None
    #: Only of a cancel.
    thrown_away: "ThrownAway | None" = None
    dry_run: bool = False
    #: Only of a dry run: there are more than were counted.
    more: bool = False


class ThrownAway(Shape):
    """Jobs that were paid for, and whose results will not be stored."""

    jobs: int
    cost: Usd


class Limit(Shape):
    """What a model may do at once. `learned`: what is tried now; `concurrency`: the most that it may become."""

    model: str = Field(examples=["cogview-4-250304"])
    in_use: int
    learned: int
    concurrency: int
    per_minute: int | None
    pause_reason: str | None
    paused_until: datetime | None
    #: The pause's time is over, and one job looks whether it goes on.
    probing: bool
    warning: Warned = None


class Limits(Shape):
    """`account_paused`: why every model stands still, if it does."""

    items: list[Limit]
    account_paused: str | None
    account_paused_until: datetime | None


class Paused(Shape):
    """`until`: null: until it is resumed."""

    model: str
    reason: str | None
    until: datetime | None
    warning: Warned = None


class Budget(Shape):
    """`subject`: the batch's id, the model's name, or "" for the day. `reserved`: by jobs under way."""

    scope: str = Field(examples=["model"])
    subject: str = Field(examples=["cogview-4-250304"])
    name: str = Field(examples=["model cogview-4-250304"])
    amount: Usd
    spent: Usd
    reserved: Usd
    left: Usd
    warning: Warned = None


class Cost(Shape):
    """`possibly`: what lost answers would add if all of them were charged."""

    subject: str = Field(examples=["2026-11-30"])
    requests: int
    cost: Usd
    possibly: Usd


class Entry(Shape):
    """Who did what, when, to how many jobs."""

    id: int
    at: datetime
    who: str = Field(examples=["anna"])
    via: str = Field(examples=["dashboard"])
    action: str = Field(examples=["cancel"])
    subject: str | None = Field(examples=["batch boats"])
    jobs: int | None
    cost: Usd | None
    detail: dict[str, Any]


class Key(Shape):
    """A key; the secret itself is not kept."""

    name: str
    role: Role
    created_at: datetime
    used_at: datetime | None


class NewKey(Shape):
    """`key`: the secret. It is shown this once."""

    name: str
    role: Role
    key: str = Field(examples=["mj_2m0d…"])


class Kind(Shape):
    """A kind of job: the fields of its input, and the models that are known."""

    name: str = Field(examples=["image"])
    default_model: str
    fields: list[str]
    models: list[str]


class Upload(Shape):
    """`file`: what rows call it."""

    file: str = Field(examples=["upload:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08.wav"])
    bytes: int
    sha256: str


class RowProblem(Shape):
    """What is wrong with a row. `line`: where it begins, if known; `field`: null where it is the whole row."""

    row: int | None = Field(examples=[3])
    line: int | None = Field(default=None, examples=[4])
    field: str | None = Field(examples=["size"])
    message: str


class Submitted(Shape):
    """`already`: rows that were there from an earlier submission; `problems`: of the rows that were skipped."""

    batch: str = Field(examples=["boats"])
    batch_id: int
    added: int
    already: int
    skipped: int
    warnings: dict[str, int]
    problems: list[RowProblem]


class ForeseenModel(Shape):
    """`cost`: null where the model's price is not known; `took_s`: seconds, about."""

    model: str
    jobs: int
    calls: int
    cost: Usd | None
    took_s: float


class Foreseen(Shape):
    """What the good rows would come to. Models run side by side. `problems`: the first of them; `bad_rows`: all."""

    jobs: int
    already: int
    cost: Usd
    took_s: float
    models: list[ForeseenModel]
    warnings: dict[str, int]
    bad_rows: int
    problems: list[RowProblem]


class Enqueued(Shape):
    """The jobs of one input: `n` of them for an image with `n`."""

    jobs: list[int] = Field(examples=[[17]])


class Problem(Shape):
    """RFC 9457. `code` is for programs, `detail` for people."""

    model_config = ConfigDict(extra="allow")

    type: str = "about:blank"
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    code: str = Field(examples=["unknown_batch"])
    detail: str


class ScheduleRun(Shape):
    """A run of a schedule. `found`: files that match; `added`: jobs made of them; `jobs`: how those stand."""

    tick: datetime
    state: str = Field(examples=["done"], description="due, listing, done, failed, skipped.")
    batch: str | None
    found: int
    added: int
    known: int
    unsettled: int
    problems: int
    error: str | None
    started_at: datetime | None
    finished_at: datetime | None
    again_at: datetime | None
    jobs: dict[str, int]
    cost: Usd
    outputs: dict[str, int]


class Schedule(Shape):
    """What is new in a source is transcribed at set times. `next_at`: null while it is paused."""

    name: str
    cron: str = Field(examples=["0 2 * * *"])
    timezone: str
    source: str
    patterns: list[str]
    args: dict[str, Any]
    out: str | None
    catch_up: str
    max_age_s: int
    overlap: str
    webhook: str | None
    paused_at: datetime | None
    next_at: datetime | None
    runs: list[ScheduleRun]


class NotTaken(Shape):
    tick: datetime
    path: str
    problem: str


class NotPut(Shape):
    target: str
    state: str
    message: str | None
    again_at: datetime | None


class OneSchedule(Schedule):
    problems: list[NotTaken]
    not_put: list[NotPut]


class ScheduleState(Shape):
    """`next_at`: null while it is paused."""

    name: str
    next_at: datetime | None


class RunsDue(Shape):
    """Runs that were made due; of a range those that had run already are left out."""

    due: int


class Forgotten(Shape):
    """Files that are not known as done any more."""

    files: int


class Webhook(Shape):
    """A receiver. `host`: of its URL; counts are of the last seven days; `stopped`: why it is told nothing."""

    id: int
    host: str = Field(examples=["https://hooks.example"])
    events: list[str]
    stopped: str | None
    created_at: datetime
    delivered: int
    pending: int
    failed: int


class AddedWebhook(Shape):
    webhook: int
    secret: str = Field(examples=["whsec_…"])


class Message(Shape):
    """`message_id`: as the receiver sees it; `error`, `http_status`: of the last try."""

    id: int
    message_id: str
    event: str = Field(examples=["batch.finished"])
    host: str
    batch: str | None
    batch_id: int | None
    job: int | None
    state: str = Field(description="pending, delivered, failed.")
    tries: int
    created_at: datetime
    next_at: datetime
    ended_at: datetime | None
    http_status: int | None
    error: str | None
    data: dict[str, Any]


class Replayed(Shape):
    messages: int


class Endpoint(Shape):
    """One of the provider's. `path`: in the new URL format; `fields`, `answer`: name → type."""

    name: str = Field(examples=["chat"])
    title: str = Field(examples=["Create Chat Completion"])
    method: str
    path: str | None
    paid: bool
    takes_file: bool
    fields: dict[str, str]
    answer: dict[str, str]
    source: str


class Called(Shape):
    """What an endpoint answered. `cost`: of the call, where the price is known; `warnings`: of its fields."""

    answer: Any
    warnings: list[str]
    tokens_in: int | None
    tokens_out: int | None
    cost: Usd | None


class Finding(Shape):
    """`mend`: what to do where it is not ok; `unreachable`: a service that does not answer."""

    what: str = Field(examples=["database"])
    ok: bool
    found: str
    mend: str
    unreachable: bool
