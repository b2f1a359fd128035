"""Wakes dispatch after a commit that added jobs, so that the first starts at once, not at a tick."""

import asyncio
import logging
import threading
import time

from sqlalchemy import event
from sqlalchemy.orm import Session

log = logging.getLogger(__name__)

FLAG = "mediajobs_kick"
#: Seconds: a message takes milliseconds.
WAIT_S = 2.0
AWAY_S = 20.0
_away_until = 0.0


def kick_after_commit(session: Session) -> None:
    """Kick dispatch when the session's transaction commits; nothing is sent if it does not."""
    if FLAG not in session.info:
        event.listen(session, "after_commit", after_commit)
        event.listen(session, "after_rollback", after_rollback)
    session.info[FLAG] = True


def after_commit(session: Session) -> None:
    # SQLAlchemy calls this for a savepoint too; nothing is visible to others until the outermost commit.
    if session.info[FLAG] and not session.in_nested_transaction():
        session.info[FLAG] = False
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            kick()
        else:  # an AsyncSession's commit: its loop waits for no broker
            loop.run_in_executor(None, kick)


def after_rollback(session: Session) -> None:
    if not session.in_nested_transaction():
        session.info[FLAG] = False


def kick() -> None:
    """Ask the workers to dispatch now. With the broker away the next tick does it.

    One that hangs holds up who commits for WAIT_S, and nobody after that for AWAY_S.
    """
    global _away_until  # noqa: PLW0603 - one broker, one process
    if time.monotonic() < _away_until:
        return
    sending = threading.Thread(target=send, name="kick", daemon=True)
    sending.start()
    sending.join(WAIT_S)
    if sending.is_alive():
        _away_until = time.monotonic() + AWAY_S
        log.warning("broker hangs, the jobs start at the next tick")


def send() -> None:
    from worker.app import DISPATCH, app  # noqa: PLC0415 - Celery is slow to import, and not all commands kick

    try:
        app.send_task(DISPATCH, retry=False, ignore_result=True)
    except Exception as error:  # noqa: BLE001 - brokers' clients have no common base class
        log.warning("broker away, the jobs start at the next tick: %s", type(error).__name__)
