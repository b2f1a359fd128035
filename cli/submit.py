"""`mediajobs submit`."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import BinaryIO

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from cli.main import FAILED, UNREACHABLE, WRONG_USE
from cli.options import BUDGET, connection, data_dir_option, dollars, operator, plural
from provider.errors import NotSent, ProviderError
from worker import tokenizer
from worker.addresses import networks, parse
from worker.fields import parse_batch
from worker.forecast import in_words
from worker.kinds import KINDS
from worker.manifest import Format, ManifestError, format_of, read
from worker.producer import Inserted, KeyTakenError
from worker.settings import NoServicesError, settings
from worker.submission import Order, RefusedError, Sieve, look_ahead


def tell(sieve: Sieve) -> None:
    """What is wrong with rows, or not as they say."""
    for problem in sieve.problems:
        click.echo(str(problem), err=True)
    if sieve.more:
        click.echo(f"and {sieve.more} more", err=True)
    for warning, count in sieve.warnings.items():
        click.echo(f"warning: {warning} ({plural(count, 'row')})", err=True)
    for model in sieve.unpriced:
        click.echo(f"warning: {model}: price unknown (set MEDIAJOBS_PRICES); counted as $0", err=True)


@click.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--kind", type=click.Choice(sorted(KINDS)), help="What the rows are that do not say it themselves.")
@click.option("--batch", help="Name; the same name and file again adds only what is missing.")
@click.option("--model", help="For rows that name none.")
@click.option("--priority", type=click.IntRange(-1000, 1000), default=0, help="Higher runs first.  [default: 0]")
@click.option("--format", "form", type=click.Choice(["csv", "jsonl", "openai"]),
              help="If the file's name does not tell; openai: the lines of OpenAI's Batch API.")  # fmt: skip
@click.option("--webhook", help="URL that is told when the batch has finished.")
@click.option("--budget", type=BUDGET, help="US dollars that the batch may cost; the rest of it waits.")
@click.option("--skip-invalid", is_flag=True, help="Enqueue the good rows of a file with bad ones.")
@click.option("--dry-run", is_flag=True, help="Check every row and tell the cost; enqueue nothing.")
@click.option("--tokenize", is_flag=True, help="With --dry-run, of chats: ask the API's tokenizer about some rows.")
@click.option("--wait", is_flag=True, help="Follow the batch until it ends.")
@click.option("--quiet", is_flag=True, help="Print the batch id alone; with --wait, at once.")
@data_dir_option
def submit(
    file: Path,
    *,
    kind: str | None,
    batch: str | None,
    model: str | None,
    priority: int,
    form: Format | None,
    webhook: str | None,
    budget: Decimal | None,
    skip_invalid: bool,
    dry_run: bool,
    tokenize: bool,
    wait: bool,
    quiet: bool,
) -> None:
    """Enqueue FILE (CSV or JSONL, "-" for standard input), one job a row.

    Columns are the API's own field names (prompt, model, size, n, ...; for
    transcriptions `file`, a path relative to FILE) and, if wanted, `key`,
    `kind`, `after` (keys of rows that go first), `priority` and `run_at`. A
    row with n becomes n jobs.
    """
    if str(file) != "-" and not file.exists():
        raise click.UsageError(f"there is no file {file}")
    if file.is_dir():
        raise click.UsageError(
            f"{file} is a folder, no manifest; `mediajobs transcribe` takes recordings, `mediajobs schedule` folders"
        )
    if webhook is not None:
        try:
            parse(webhook, networks(settings().webhook_allow))
        except ValueError as error:
            raise click.UsageError(f"--webhook {webhook!r} {error}") from None
    if batch is not None:
        try:
            parse_batch(batch)
        except ValueError as error:
            raise click.UsageError(f"--batch: {error}") from None
    if tokenize and not (dry_run and kind in tokenizer.KINDS):
        raise click.UsageError(f"--tokenize goes with --dry-run, for kinds {' and '.join(sorted(tokenizer.KINDS))}")
    form = form or format_of(file.name)
    if form is None:
        raise click.UsageError(f"cannot tell the format of {file}: name it with --format csv or --format jsonl")
    name = batch or f"{'stdin' if str(file) == '-' else file.stem}-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"[:200]
    with opened(file) as stream, progress_of(stream, show=not quiet) as reading:
        folder = Path.cwd() if str(file) == "-" else file.absolute().parent
        sieve = Sieve(read(reading, form, KINDS[kind] if kind else None, folder, model=model), priority=priority)
        order = Order(
            batch=name, kind=kind, priority=priority, webhook=webhook, budget=budget, skip_invalid=skip_invalid
        )
        try:
            if dry_run:
                forecast(order, sieve, sample=tokenizer.Sample() if tokenize else None)
                return
            with operator() as acting:
                added = acting.submit(order, sieve)
                acting.session.commit()
        except (ManifestError, KeyTakenError) as error:
            tell(sieve)
            click.echo(f"{file}: {error}; nothing was enqueued", err=True)
            sys.exit(WRONG_USE)
        except RefusedError as error:
            tell(sieve)
            click.echo(refused(str(error), order), err=True)
            sys.exit(WRONG_USE)
    report(added, sieve, name, quiet=quiet)
    if wait:
        from cli.watch import finish, follow  # noqa: PLC0415 - only for --wait

        finish(follow(str(name), quiet=quiet))


def opened(file: Path) -> BinaryIO:
    if str(file) == "-":
        return sys.stdin.buffer
    try:
        return file.open("rb")
    except OSError as error:
        raise click.UsageError(f"cannot read {file}: {error.strerror}") from None


def progress_of(stream: BinaryIO, *, show: bool) -> "Reading":
    return Reading(stream, show=show and sys.stderr.isatty() and stream is not sys.stdin.buffer)


class Reading:
    """A file whose reading shows as a bar, where somebody watches."""

    def __init__(self, stream: BinaryIO, *, show: bool) -> None:
        self._stream = stream
        columns = (TextColumn("checking"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True, disable=not show)
        self._task = self._progress.add_task("", total=Path(stream.name).stat().st_size if show else None)

    def __enter__(self) -> BinaryIO:
        self._progress.start()
        return self  # type: ignore[return-value]  # it reads lines, which is all that is asked of it

    def __exit__(self, *_error: object) -> None:
        self._progress.stop()

    def readline(self, size: int = -1) -> bytes:
        line = self._stream.readline(size)
        self._progress.advance(self._task, len(line))
        return line


def refused(why: str, order: Order) -> str:
    return why if order.skip_invalid else f"{why}. Mend them, or use --skip-invalid."


def forecast(order: Order, sieve: Sieve, *, sample: tokenizer.Sample | None) -> None:
    """Count, cost and time of the good rows, by model; exit 2 where they would not be enqueued."""
    with known_limits() as conn:
        found = look_ahead(conn, order, sample.of(iter(sieve)) if sample else sieve, sieve)
    tell(sieve)
    for each in found.models:
        cost = "price unknown (set MEDIAJOBS_PRICES)" if each.cost is None else dollars(each.cost)
        made = f" of {each.calls} calls" if each.calls > each.jobs else ""
        click.echo(f"{each.model}: {plural(each.jobs, 'job')}{made}, {cost}, about {in_words(each.took_s)}")
    total = dollars(found.cost)
    if any(each.cost is None for each in found.models):
        total += " and what is unknown"
    jobs = ("with --skip-invalid " if found.refused and found.jobs else "") + plural(found.jobs, "job")
    already = f", {found.already} were there already" if found.already else ""
    click.echo(f"{jobs} would be enqueued{already}, for about {total} and {in_words(found.took_s)}; nothing was")
    if found.refused:
        click.echo(refused(found.refused, order), err=True)
        sys.exit(WRONG_USE)
    if sample:
        tell_tokens(sample)


def tell_tokens(sample: tokenizer.Sample) -> None:
    """What the tokenizer makes of the forecast."""
    try:
        found = tokenizer.count(sample, settings())
    except ProviderError as error:
        click.echo(f"mediajobs: the tokenizer: {error}", err=True)
        sys.exit(UNREACHABLE if isinstance(error, NotSent) else FAILED)
    except (OSError, ValueError) as error:
        click.echo(f"mediajobs: an image that the tokenizer was to count: {error}", err=True)
        sys.exit(WRONG_USE)
    rows = f"{found.rows:,} of {plural(sample.passed, 'row')}"
    click.echo(
        f"by the tokenizer, {rows} take {found.counted:,} tokens in, where {found.guessed:,} were assumed: "
        f"about {dollars(found.estimate)} for all"
    )


@contextmanager
def known_limits() -> Iterator[Connection | None]:
    """The database, to see limits and past times; None where there is none: a forecast needs none."""
    with ExitStack() as stack:
        try:
            found = stack.enter_context(connection())
        except (NoServicesError, OperationalError):
            found = None
        yield found


def report(added: Inserted, sieve: Sieve, name: str, *, quiet: bool) -> None:
    tell(sieve)
    if not quiet:
        if sieve.bad_rows:
            click.echo(f"skipped {plural(len(sieve.bad_rows), 'bad row')}")
        already = f", {added.already} were there already" if added.already else ""
        click.echo(f"{plural(added.added, 'job')} enqueued{already}; batch {name!r}, id:")
    click.echo(added.batch_id)
