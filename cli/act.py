"""`mediajobs retry`, `cancel`, `resolve`."""

import sys
from typing import Literal

import click
from rich.console import Console
from rich.status import Status
from sqlalchemy.orm import Session

from cli.main import FAILED
from cli.options import JOB_ID, data_dir_option, dollars, operator, plural
from models.state import FINAL, JobState
from worker import actions, report
from worker.actions import Counts, Selection


def selected(database: Session, job: tuple[int, ...], batch: str | None, state: str | None) -> Selection:
    """What was named. Raises UsageError if nothing was: nobody means all jobs by saying nothing."""
    if bool(job) == (batch is not None):
        raise click.UsageError("name jobs by id, or a batch with --batch" + (", not both" if job else ""))
    batch_id = report.find_batch(database.connection(), batch) if batch is not None else None
    return Selection(ids=list(job) or None, batch=batch_id, state=state)


def at_work(what: str) -> Status:
    """A sign of life, for who watches: all are changed in one transaction, of which no part can be counted."""
    return Console(stderr=True).status(f"{what}: all together, or none")


def refuse_unknown(database: Session, job: tuple[int, ...]) -> None:
    """Raise UsageError for ids that no job has: a typing error changes nothing."""
    if unknown := report.unknown_ids(database.connection(), job):
        named = ", ".join(map(str, unknown[:10]))
        raise click.UsageError(f"there is no job {named}; nothing was changed")


def dropped(database: Session, selection: Selection) -> str:
    """What a cancel of these would pay for and not store, in words; "" if nothing."""
    paid = actions.paid_for(database, selection)
    if not paid.jobs:
        return ""
    were, it = ("was", "it") if paid.jobs == 1 else ("were", "them")
    return (
        f"{paid.jobs} of them {were} paid for ({dollars(paid.cost)}) and will not be stored; "
        f"`retry` stores {it}, --keep-results would have"
    )


def tell(counts: Counts, *, what: str, asked: int = 0, hint: str = "") -> None:
    if not counts.total:
        click.echo(f"no job was {what}: none of those named is in a state that allows it{hint}", err=True)
        sys.exit(FAILED)
    states = ", ".join(f"{count} {state}" for state, count in counts.by_state.items())
    now = "" if set(counts.by_state) == {what} else f" (now {states})"
    cost = f"; it may cost {dollars(counts.cost)}" if counts.cost else ""
    left = f"; {asked - counts.total} are in a state that does not allow it" if asked > counts.total else ""
    click.echo(f"{plural(counts.total, 'job')} {what}{now}{cost}{left}")


@click.command()
@click.argument("job", nargs=-1, type=JOB_ID)
@click.option("--batch", help="All of this batch (name or id).")
@click.option("--state", type=click.Choice([JobState.FAILED.value, JobState.CANCELLED.value]), help="Only those.")
@data_dir_option
def retry(job: tuple[int, ...], *, batch: str | None, state: str | None) -> None:
    """Run failed and cancelled jobs again.

    What is paid for is not bought again: a job that failed when its result
    was to be stored goes on from there. What ended because one of these did
    is run again with it.
    """
    with operator() as acting:
        refuse_unknown(acting.session, job)
        selection = selected(acting.session, job, batch, state)
        with at_work("retrying"):
            counts = acting.retry(selection)
            acting.session.commit()
    tell(counts, what="retried", asked=len(set(job)), hint=", or they come after one that failed: retry that one")


@click.command()
@click.argument("job", nargs=-1, type=JOB_ID)
@click.option("--batch", help="All of this batch (name or id).")
@click.option("--state", metavar="STATE",
              help="Only those in this state, such as queued.",
              type=click.Choice([each.value for each in JobState if each not in FINAL]))  # fmt: skip
@click.option("--keep-results", is_flag=True, help="What is paid for by now goes on and is stored.")
@data_dir_option
def cancel(job: tuple[int, ...], *, batch: str | None, state: str | None, keep_results: bool) -> None:
    """Cancel jobs that have not ended.

    A job whose call is under way ends when its answer is recorded: what it
    costs is known then. A video that the provider works on is paid for all
    the same; without --keep-results it is asked for no more.
    """
    with operator() as acting:
        refuse_unknown(acting.session, job)
        selection = selected(acting.session, job, batch, state)
        with at_work("cancelling"):
            lost = "" if keep_results else dropped(acting.session, selection)
            counts = acting.cancel(selection, keep_result=keep_results)
            acting.session.commit()
    tell(counts, what="cancelled", asked=len(set(job)))
    if lost:
        click.echo(lost)


@click.command()
@click.argument("job", nargs=-1, type=JOB_ID, required=True)
@click.option("--retry", is_flag=True, help="Buy it again; it may be paid for twice.")
@click.option("--wait", is_flag=True, help="Ask about its task again; for a video that the provider has.")
@click.option("--fail", is_flag=True, help="Give up.")
@data_dir_option
def resolve(job: tuple[int, ...], **said: bool) -> None:
    """Decide held jobs: an answer was lost after sending, or a task hangs."""
    ways: list[Literal["retry", "wait", "fail"]] = ["retry", "wait", "fail"]
    chosen = [way for way in ways if said[way]]
    if len(chosen) != 1:
        several = f", not {' and '.join(f'--{way}' for way in chosen)}" if chosen else ""
        raise click.UsageError(f"say one of --retry, --wait and --fail{several}")
    [how] = chosen
    with operator() as acting:
        refuse_unknown(acting.session, job)
        counts = acting.resolve(list(job), how)
        acting.session.commit()
    tell(counts, what="resolved", asked=len(set(job)))
