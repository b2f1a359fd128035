"""Looks after the disk of the outputs: no new call while it is nearly full, and no half files left behind."""

import asyncio
import logging
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import Engine

from models import recordings, slots
from models.limit import ACCOUNT
from worker.storage import Storage

log = logging.getLogger(__name__)

#: The pause is renewed at each pass, and ends by itself when there is room again.
PAUSE_S = 15.0
#: A half file of this age is nobody's: its download would have ended long ago.
STALE_S = 6 * 3600.0


def guard(engine: Engine, storage: Storage, *, min_free_bytes: int) -> None:
    """Pause the account while the outputs' disk has too little room: what is paid for needs what there is."""
    if storage.folder is None:
        return
    free = shutil.disk_usage(storage.folder).free
    if free >= min_free_bytes:
        return
    reason = f"the disk of the outputs is nearly full ({free // 1024**2} MB free); make room on it"
    log.error(reason)
    with engine.begin() as conn:
        slots.pause(conn, ACCOUNT, reason=reason, for_s=PAUSE_S, code="disk")


async def sweep_pieces(engine: Engine, storage: Storage) -> None:
    """Delete the pieces of recordings that have their transcript."""
    while found := await asyncio.to_thread(left_files, engine):
        for each in found:
            with suppress(FileNotFoundError):
                await storage.delete(each.location)
        await asyncio.to_thread(forget_files, engine, [(each.parent_id, each.index) for each in found])


def left_files(engine: Engine) -> Sequence[Any]:
    with engine.connect() as conn:
        return recordings.left_files(conn)


def forget_files(engine: Engine, gone: list[tuple[int, int]]) -> None:
    with engine.begin() as conn:
        recordings.forget_files(conn, gone)


def sweep(storage: Storage) -> None:
    """Delete what downloads left half-way when their worker died. A bucket has lifecycle rules for that."""
    if storage.folder is None:
        return
    for path in storage.half_files():
        try:
            if time.time() - path.stat().st_mtime > STALE_S:
                path.unlink()
                log.info("deleted a half file: %s", path.name)
        except FileNotFoundError:
            continue  # it was finished, or another sweep had it
