"""The parts of one web process that outlive a request."""

from dataclasses import dataclass
from functools import cached_property
from threading import BoundedSemaphore
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import Engine

from web.live import Hub
from web.thumbs import Thumbs
from web.workers import Workers
from worker.settings import Settings
from worker.storage import Storage

#: Calls of the API that one process makes for people at once.
MOST_CALLS = 8


@dataclass
class Parts:
    """Each is made when it is first asked for."""

    engine: Engine
    settings: Settings

    @cached_property
    def hub(self) -> Hub:
        return Hub(self.engine)

    @cached_property
    def workers(self) -> Workers:
        return Workers()

    @cached_property
    def storage(self) -> Storage:
        return Storage.open(self.settings.outputs)

    @cached_property
    def calls(self) -> BoundedSemaphore:
        """Each call waits in a thread, of which a process has no more than forty."""
        return BoundedSemaphore(MOST_CALLS)

    @cached_property
    def thumbs(self) -> Thumbs:
        return Thumbs(self.storage)


def parts(request: Request) -> Parts:
    found: Parts = request.app.state.parts
    return found


#: Handlers ask for it by this.
Wired = Annotated[Parts, Depends(parts)]
