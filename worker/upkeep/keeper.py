"""Keeps a lease while work goes on under it: a thread that renews it, as long as there is progress."""

import logging
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from sqlalchemy.exc import SQLAlchemyError

from models.runs import LostRunError

log = logging.getLogger(__name__)

#: A disk or a store that has given nothing for so long hangs: the lease is let go, and another worker may try.
STALL_S = 600.0


class StoppingError(Exception):
    """The process is told to stop."""


class Keeper:
    """`renew` may raise LostRunError; `stopping` says whether the process is to end."""

    def __init__(self, renew: Callable[[], None], *, lease_s: float, stopping: Callable[[], bool]) -> None:
        self._renew, self._every_s, self._stopping = renew, lease_s / 3, stopping
        self._over = threading.Event()
        self._lost = False
        self._moved_at = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    def go_on(self) -> None:
        """Call it with every step of the work. Raises StoppingError, and LostRunError where the lease is lost."""
        if self._lost:
            raise LostRunError
        if self._stopping():
            raise StoppingError
        self._moved_at = time.monotonic()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(self._every_s) and time.monotonic() - self._moved_at < STALL_S:
            try:
                self._renew()
            except LostRunError:
                self._lost = True
                return
            except SQLAlchemyError as error:
                log.warning("cannot renew a lease, trying again: %s", type(error).__name__)
