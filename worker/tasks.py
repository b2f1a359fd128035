"""Celery's tasks: doors that hand their ids to the stage behind and wait."""

from worker.app import DISPATCH, FETCH, POLL, RESCUE, RUN, STORE, app
from worker.wiring import wiring


@app.task(name=RUN)
def run(job_ids: list[int], kind: str, model: str) -> None:  # noqa: ARG001 - kind and model are for Flower's eyes
    """Make the requests of dispatched jobs."""
    wiring().run(job_ids)


@app.task(name=STORE)
def store(job_ids: list[int], kind: str, model: str) -> None:  # noqa: ARG001 - as above
    """Store the outputs of answered jobs."""
    wiring().store(job_ids)


@app.task(name=POLL)
def poll() -> None:
    """Ask the provider about waiting jobs whose time has come."""
    wiring().poll()


@app.task(name=DISPATCH)
def dispatch() -> None:
    """Give free slots to queued jobs."""
    wiring().dispatch()


@app.task(name=FETCH)
def fetch() -> None:
    """Send the hints of jobs whose outputs are due to be stored."""
    wiring().fetch()


@app.task(name=RESCUE)
def rescue() -> None:
    """Take back what died with its worker, send lost hints again, count slots anew."""
    wiring().rescue()
